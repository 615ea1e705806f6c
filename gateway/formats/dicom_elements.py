"""Elements of a DICOM data set as text, numbers and coded entries, without pydicom's cost of converting each.

A waveform's channel has a dozen short elements, and converting one takes longer than decoding a second of its
signal. Plain ASCII, binary numbers and short sequences of codes are therefore taken from their bytes;
everything else is left to pydicom.
"""

import struct
from decimal import Decimal
from functools import cache, lru_cache
from io import BytesIO
from typing import NamedTuple

from pydicom import Dataset
from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_sequence
from pydicom.tag import BaseTag

from gateway.errors import FormatError
from gateway.formats.scale import number

FORMAT = "DICOM"
_ASCII = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "SH", "TM", "UI"})
_BINARY = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "UL": "I", "US": "H"}
_SHORT_SEQUENCE = 1024  # bytes


class Code(NamedTuple):
    """A coded entry (PS3.3 section 8.8)."""

    value: str
    scheme: str
    meaning: str


@cache
def _tag(keyword: str) -> BaseTag:
    return BaseTag(tag_for_keyword(keyword) or 0)


def _raw(dataset: Dataset, keyword: str) -> object:
    """The element as pydicom has it so far, converted or not; None where it is absent."""
    try:
        return dataset.get_item(_tag(keyword))
    except KeyError:
        return None


def text(dataset: Dataset, keyword: str) -> str:
    """An element's value; "" where it is absent."""
    raw = _raw(dataset, keyword)
    if raw is None:
        return ""
    if isinstance(raw, RawDataElement) and raw.value is not None:
        vr = raw.VR or dictionary_VR(raw.tag)
        if vr in _ASCII and _one_plain_value(raw.value):
            return raw.value.decode("ascii").strip(" \0")
        if vr in _BINARY and len(raw.value) == struct.calcsize(_BINARY[vr]):
            return str(struct.unpack(("<" if raw.is_little_endian else ">") + _BINARY[vr], raw.value)[0])
    value = dataset.get(keyword, None)
    return "" if value is None else str(value).strip()


def _one_plain_value(value: bytes) -> bool:
    """Neither several values nor an escape to another character set, which ASCII bytes may follow."""
    return value.isascii() and b"\\" not in value and b"\x1b" not in value


def required_number(dataset: Dataset, keyword: str, otherwise: str | None = None) -> Decimal:
    """An element's value, or `otherwise` where it is absent.

    Raises
    ------
    FormatError
        No value, or one that is no number.
    """
    value = number(text(dataset, keyword) or otherwise)
    if value is None:
        raise FormatError(FORMAT, keyword, "is missing or no number")
    return value


def codes(dataset: Dataset, keyword: str) -> tuple[Code, ...]:
    """The coded entries of a sequence, none where it is absent."""
    raw = _raw(dataset, keyword)
    if isinstance(raw, RawDataElement) and raw.value is not None and len(raw.value) <= _SHORT_SEQUENCE:
        return _read_codes(raw.value, raw.is_implicit_VR, raw.is_little_endian, _characters(dataset))
    return tuple(map(_code, dataset.get(keyword, None) or ()))


def _characters(dataset: Dataset) -> tuple[str, ...]:
    """Python's names of the character sets that the file says."""
    named = dataset.original_character_set or default_encoding
    return (named,) if isinstance(named, str) else tuple(named)


def first_code(dataset: Dataset, keyword: str) -> Code:
    """The first coded entry of a sequence; an empty one where it is absent."""
    return next(iter(codes(dataset, keyword)), Code("", "", ""))


@lru_cache(maxsize=256)  # the twelve channels of a group say the same unit, and all files the same leads
def _read_codes(data: bytes, implicit: bool, little: bool, characters: tuple[str, ...]) -> tuple[Code, ...]:
    items = read_sequence(BytesIO(data), implicit, little, len(data), list(characters))
    return tuple(map(_code, items))


def _code(item: Dataset) -> Code:
    return Code(text(item, "CodeValue"), text(item, "CodingSchemeDesignator"), text(item, "CodeMeaning"))
