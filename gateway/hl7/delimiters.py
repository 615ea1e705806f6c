"""The five (from 2.7 six) characters that MSH-1 and MSH-2 declare, and the escapes that stand for them.

HL7 v2.5.1 chapter 2, sections 2.5.4 and 2.7. Escapes that only format (`.br`, `H`, `N`), local ones and those
that are not known stay in the text as they came.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from string import punctuation

from gateway.errors import Hl7Error


@dataclass(frozen=True, slots=True)
class Delimiters:
    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def msh_2(self) -> str:
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Delimiters()


@lru_cache(maxsize=64)
def declared(field: str, msh_2: str) -> Delimiters:
    """The delimiters of a message from its MSH-1 and MSH-2.

    Raises
    ------
    Hl7Error
        MSH-1 or MSH-2: too few, too many, not punctuation, or one character for two purposes.
    """
    if field not in punctuation:
        raise Hl7Error("the field separator must be a punctuation character", segment="MSH", field=1)
    if len(msh_2) not in (4, 5):
        raise Hl7Error(f"expected four or five delimiters, got {len(msh_2)}", segment="MSH", field=2)
    if not all(character in punctuation for character in msh_2):
        raise Hl7Error("every delimiter must be a punctuation character", segment="MSH", field=2)
    if len(set(field + msh_2)) != len(field + msh_2):
        raise Hl7Error("one character is declared for two purposes", segment="MSH", field=2)
    return Delimiters(field, *msh_2)


def _escape_codes(delimiters: Delimiters) -> dict[str, str]:
    return {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        delimiters.escape: "E",
        **({delimiters.truncation: "P"} if delimiters.truncation else {}),
    }


@lru_cache(maxsize=64)
def special_characters(delimiters: Delimiters) -> re.Pattern[str]:
    """What cannot stand inside a field as it is: the delimiters and control characters."""
    return re.compile(f"[\x00-\x1f\x7f{re.escape(''.join(_escape_codes(delimiters)))}]")


@lru_cache(maxsize=64)
def escaper(delimiters: Delimiters) -> Callable[[str], str]:
    """A function that makes any text safe inside a field."""
    e = delimiters.escape
    codes = {chr(code): f"X{code:02X}" for code in (*range(0x20), 0x7F)} | _escape_codes(delimiters)
    escapes = {character: f"{e}{code}{e}" for character, code in codes.items()}
    special = special_characters(delimiters)
    find, replace = special.search, special.sub

    def escaped(found: re.Match[str]) -> str:
        return escapes[found[0]]

    def escape(text: str) -> str:
        return text if find(text) is None else replace(escaped, text)

    return escape


@lru_cache(maxsize=64)
def unescaper(delimiters: Delimiters, decode: Callable[[bytes], str]) -> Callable[[str], str]:
    """The opposite function; `decode` gives the characters of hexadecimal escapes."""
    e = delimiters.escape
    plain = {code: character for character, code in _escape_codes(delimiters).items()}
    sequence = re.compile(f"{re.escape(e)}([A-Za-z.][A-Za-z0-9.+-]*){re.escape(e)}")

    def character(found: re.Match[str]) -> str:
        body = found[1]
        if body in plain:
            return plain[body]
        try:
            return decode(bytes.fromhex(body[1:])) if body[0] == "X" and len(body) > 1 else found[0]
        except ValueError:
            return found[0]

    return lambda text: sequence.sub(character, text) if e in text else text
