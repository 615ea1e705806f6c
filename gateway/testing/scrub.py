"""Text that looks like a patient's identifier, found in what a device says and replaced.

A replacement has the same length, the same kind of character in each place and, where one is found, the
same sum and exclusive-or of its bytes, so that frames keep their layout and simple checksums still hold. The
same text is replaced in the same way throughout a recording.
"""

import re
import secrets
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

_NUMBER = re.compile(rb"(?<![0-9.])[0-9]{6,}(?![0-9.])")
_NAME = re.compile(rb"[A-Z][A-Za-z'-]+\^[A-Z][A-Za-z'^-]*")
_DATE = re.compile(rb"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([0-9]{4,6})?")
_KINDS = (string.digits.encode(), string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_TRIES = 20_000


def suspects(data: bytes) -> Iterator[bytes]:
    """Long numbers that are no date and no single digit repeated, and names as HL7 writes them."""
    for match in _NUMBER.finditer(data):
        number = match[0]
        if len(set(number)) > 1 and not _DATE.fullmatch(number):
            yield number
    for match in _NAME.finditer(data):
        yield match[0]


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

    def replace(self, text: bytes) -> None:
        if text and text not in self.replacements and not any(text in known for known in self.innocent):
            self.replacements[text] = _replacement(text, self.replacements.values())

    def scrubbed(self, data: bytes) -> bytes:
        """`data` with the replacements, the longest first."""
        for text in sorted(self.replacements, key=len, reverse=True):
            data = data.replace(text, self.replacements[text])
        return data


def _replacement(text: bytes, taken: Iterable[bytes]) -> bytes:
    used = {text, *taken}
    made = _made_up(text)
    for _ in range(_TRIES):
        if made not in used and sum(made) == sum(text) and reduce(xor, made) == reduce(xor, text):
            return made
        made = _made_up(text)
    return made


def _made_up(text: bytes) -> bytes:
    kinds = (next((kind for kind in _KINDS if byte in kind), bytes((byte,))) for byte in text)
    return bytes(secrets.choice(kind) for kind in kinds)
