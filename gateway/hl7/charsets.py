"""The character sets that MSH-18 can name (HL7 table 0211), and the spellings of them that senders use.

An empty MSH-18 means ASCII by the standard. In the field it means UTF-8 or, by agreement, Windows-1252;
a message that is not ASCII is read as UTF-8 where its bytes are that, and as Windows-1252 where they are not.
What leaves with an empty MSH-18 is ASCII.

Japanese messages repeat the field: the first repetition is the set that a segment starts in, the others are
switched to by ISO 2022 escape sequences.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gateway.errors import Hl7Error
from gateway.hl7.cns11643 import decode_euc_tw, encode_euc_tw


@dataclass(frozen=True, slots=True)
class Charset:
    """How a message's bytes become text.

    Parameters
    ----------
    decode : callable
        Bytes to text; raises UnicodeDecodeError.
    encode : callable
        Text to bytes; raises UnicodeEncodeError, never replaces.
    """

    decode: Callable[[bytes], str]
    encode: Callable[[str], bytes]


def _codec(name: str) -> Charset:
    return Charset(lambda data: data.decode(name), lambda text: text.encode(name))


_ESCAPE_LENGTH = len(b"\x1b(I")
_HALF_WIDTH_KATAKANA = re.compile(rb"[\xa1-\xdf]+")
_JIS_X_0201 = {code: code for code in range(128)} | {0xFF61 + i: 0xA1 + i for i in range(63)}
_FROM_JIS_X_0201 = {byte: code for code, byte in _JIS_X_0201.items()}


def _to_katakana_escape(run: re.Match[bytes]) -> bytes:
    return b"\x1b(I" + bytes(byte & 0x7F for byte in run[0]) + b"\x1b(B"


def _decode_jis(data: bytes) -> str:
    # JIS-Roman puts the yen sign and the overline where HL7 has its escape and repetition delimiters.
    seven_bit = _HALF_WIDTH_KATAKANA.sub(_to_katakana_escape, data.replace(b"\x1b(J", b"\x1b(B"))
    try:
        return seven_bit.decode("iso2022_jp_ext")
    except UnicodeDecodeError as error:
        at = error.start
        for run in _HALF_WIDTH_KATAKANA.finditer(data):
            at -= 2 * _ESCAPE_LENGTH if run.start() < at else 0
        at = min(max(at, 0), len(data) - 1)
        raise UnicodeDecodeError("iso2022_jp_ext", data, at, at + 1, error.reason) from None


def _encode_jis(text: str) -> bytes:
    for at, character in enumerate(text):
        if character in "¥‾":
            raise UnicodeEncodeError("iso2022_jp_ext", text, at, at + 1, "would be read as a delimiter")
    return text.encode("iso2022_jp_ext")


_JIS = Charset(_decode_jis, _encode_jis)
_KATAKANA = Charset(
    lambda data: codecs.charmap_decode(data, "strict", _FROM_JIS_X_0201)[0],
    lambda text: codecs.charmap_encode(text, "strict", _JIS_X_0201)[0],
)


def _decode_unstated(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


_UTF_8 = Charset(lambda data: data.decode("utf-8-sig"), lambda text: text.encode("utf-8"))
_UTF_16 = _codec("utf-16")
_UTF_32 = _codec("utf-32")
_CHARSETS = {
    "": Charset(_decode_unstated, lambda text: text.encode("ascii")),
    "ASCII": _codec("ascii"),
    "ISOIR6": _codec("ascii"),
    **{f"8859{part}": _codec(f"iso8859-{part}") for part in (*range(1, 12), *range(13, 17))},
    "ISOIR14": _KATAKANA,
    "ISOIR87": _JIS,
    "ISOIR159": _JIS,
    "GB180302000": _codec("gb18030"),
    "KSX1001": _codec("euc_kr"),
    "CNS116431992": Charset(decode_euc_tw, encode_euc_tw),
    "BIG5": _codec("big5"),
    "UNICODE": _UTF_8,
    "UTF8": _UTF_8,
    "UTF16": _UTF_16,
    "UTF32": _UTF_32,
    "WINDOWS1252": _codec("cp1252"),
}
_SPELLINGS = {
    "USASCII": "ASCII",
    "ISO646": "ASCII",
    "LATIN1": "88591",
    "GB18030": "GB180302000",
    "GB2312": "GB180302000",
    "KSC5601": "KSX1001",
    "EUCKR": "KSX1001",
    "CNS11643": "CNS116431992",
    "CP1252": "WINDOWS1252",
}
_NOISE = re.compile(r"[^A-Z0-9]+")
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32", _UTF_32),
    (codecs.BOM_UTF32_BE, "utf-32", _UTF_32),
    (codecs.BOM_UTF16_LE, "utf-16", _UTF_16),
    (codecs.BOM_UTF16_BE, "utf-16", _UTF_16),
    (b"M\0\0\0", "utf-32-le", _UTF_32),
    (b"\0\0\0M", "utf-32-be", _UTF_32),
    (b"M\0", "utf-16-le", _UTF_16),
    (b"\0M", "utf-16-be", _UTF_16),
)

# In these a byte of a character can look like a delimiter, so that MSH-18 may not stand where it seems to.
SHIFTING = ("GB 18030-2000", "BIG-5", "ISO IR87")


def _key(name: str) -> str:
    plain = _NOISE.sub("", name.upper())
    if plain != "UNICODE":
        plain = plain.removeprefix("UNICODE")
    plain = _SPELLINGS.get(plain, plain)
    return plain.removeprefix("ISO") if plain.startswith("ISO8859") else plain


@lru_cache(maxsize=64)
def charset_named(names: tuple[str, ...]) -> Charset:
    """The character set that the repetitions of MSH-18 name together.

    Raises
    ------
    Hl7Error
        One of them is not in table 0211, nor a known spelling of a name there. It names MSH-18.
    """
    keys = tuple(_key(name) for name in names) or ("",)
    for name, key in zip(names, keys, strict=False):
        if key not in _CHARSETS:
            raise Hl7Error(
                f"character set {name[:40]!r} is not one of HL7 table 0211", segment="MSH", field=18
            )
    if not {"ISOIR87", "ISOIR159"}.isdisjoint(keys):
        return _JIS
    return _CHARSETS[keys[0]]


def wide_charset(data: bytes) -> tuple[Charset, Charset] | None:
    """For bytes that can only be UTF-16 or UTF-32: how to read them, and what MSH-18 must then name."""
    for start, codec, named in _WIDE:
        if data.startswith(start):
            return _codec(codec), named
    return None


def is_wide(charset: Charset) -> bool:
    """Whether a character takes two bytes or more, so that no byte-oriented protocol can carry it."""
    return charset in (_UTF_16, _UTF_32)
