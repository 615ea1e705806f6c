"""Text that looks like a patient's identifier, found in what a device says and replaced.

A replacement has the same length, the same kind of character in each place and, where one is found, the
same sum and exclusive-or of its bytes, so that frames keep their layout and simple checksums still hold. The
same text is replaced in the same way throughout a recording.
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from string import ascii_lowercase, ascii_uppercase, digits

# Digits beside a letter or a sign are a field of a frame more often than anybody's number, and few that count
# are flags.
_NUMBER = re.compile(rb"(?:(?<![0-9A-Za-z.+-])|(?<=ID)|(?<=MRN))[0-9]{6,20}(?![0-9A-Za-z.])")
_NAME = re.compile(rb"[A-Z][A-Za-z'-]+\^[A-Z][A-Za-z'^-]*")
# The demographic lines of xDT files, and in a patient record of ASTM the fields with identifiers, names,
# birth, address and telephone.
_XDT = re.compile(rb"(?m)^[0-9]{3}8000[0-9]{4}\r?$")
_XDT_PERSON = re.compile(rb"(?m)^[0-9]{3}3(?:000|10[0-9])([^\r\n]{2,})")
_ASTM_PATIENT = re.compile(rb"(?:^|[\r\n]|\x02[0-7])P\|[0-9]*\|([^\r\n\x03\x17]*)")
_ASTM_PERSONAL = (0, 1, 2, 3, 4, 5, 8, 10)
_DIGITS_THAT_COUNT = 5
_DATE = re.compile(rb"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([0-9]{4,6})?")
_KINDS = tuple(tuple(kind.encode()) for kind in (digits, ascii_uppercase, ascii_lowercase))
_TRIES = 50
_PAIRS = 10
_RANDOM = secrets.SystemRandom()


def suspects(data: bytes) -> Iterator[bytes]:
    """Long numbers that are no date and no digit repeated, names as HL7 writes them, persons' fields."""
    if _XDT.search(data):
        yield from (match[1].strip() for match in _XDT_PERSON.finditer(data))
        return
    for match in _NUMBER.finditer(data):
        number = match[0]
        counting = number.lstrip(b"0")
        if len(counting) >= _DIGITS_THAT_COUNT and len(set(counting)) > 1 and not _DATE.fullmatch(number):
            yield number
    for match in _NAME.finditer(data):
        yield match[0]
    for match in _ASTM_PATIENT.finditer(data):
        yield from _personal(match[1])


def _personal(fields: bytes) -> Iterator[bytes]:
    for place, text in enumerate(fields.split(b"|")):
        if place in _ASTM_PERSONAL:
            yield from (part for part in text.split(b"^") if len(part) > 1)


def occurrences(text: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    """Where `text` stands in `data`: start and end."""
    for match in re.finditer(re.escape(text), data):
        yield match.span()


@dataclass(slots=True)
class Scrubber:
    """What was replaced in one recording, and by what.

    Parameters
    ----------
    innocent : set of bytes
        What is known not to be a patient's: serial numbers of the device.
    """

    innocent: set[bytes] = field(default_factory=set)
    replacements: dict[bytes, bytes] = field(default_factory=dict)

    def found_in(self, data: bytes) -> None:
        """Have everything in `data` that looks like an identifier replaced from now on."""
        for text in suspects(data):
            self.replace(text)

    def replace(self, text: bytes, *, known: bool = False) -> None:
        """Have `text` replaced; unless it is `known` to be a patient's, not in a name of the device."""
        innocent = not known and any(text in name for name in self.innocent)
        if text and text not in self.replacements and not innocent:
            self.replacements[text] = _replacement(text, self.replacements.values())

    def scrubbed(self, data: bytes) -> bytes:
        """`data` with the replacements, the longest first."""
        for text in sorted(self.replacements, key=len, reverse=True):
            data = data.replace(text, self.replacements[text])
        return data


def _replacement(text: bytes, taken: Iterable[bytes]) -> bytes:
    used = {text, *taken}
    made = (make(text) for make in (_balanced, _made_up) for _ in range(_TRIES))
    return next((text for text in made if text not in used), b"?" * len(text))


def _balanced(text: bytes) -> bytes:
    """Made up by pairs: each two characters become two others of the same sum and exclusive-or."""
    kinds = tuple(map(_kind, text))
    made = bytearray(text)
    for _ in range(_PAIRS * len(text) if len(text) > 1 else 0):
        one, two = _RANDOM.sample(range(len(text)), 2)
        total, bits = made[one] + made[two], made[one] ^ made[two]
        fits = [a for a in kinds[one] if total - a in kinds[two] and a ^ (total - a) == bits]
        made[one] = _RANDOM.choice(fits)
        made[two] = total - made[one]
    return bytes(made)


def _made_up(text: bytes) -> bytes:
    return bytes(_RANDOM.choice(_kind(byte)) for byte in text)


def _kind(byte: int) -> tuple[int, ...]:
    return next((kind for kind in _KINDS if byte in kind), (byte,))
