r"""LifeScan OneTouch meters: the binary packets of Ultra Mini and Verio IQ, the text lines of Ultra 2.

A packet is ``02 length link message 03 CRC``: the length counts all of it, the CRC (CCITT, low byte first) is
of all before it. Bits of the link byte, which only the Ultra Mini uses: 0 the sender's sequence number, 1 the
one expected from the other side, 2 acknowledge, 3 disconnect, 4 more to come.

=====================  =============================================================================
answer                 content, little-endian
=====================  =============================================================================
``05 06`` and 8 bytes  record of an Ultra Mini: seconds since 1970, mg/dL; FFFF HI, FFFE LO
``03 06`` and 10       record of a Verio IQ: seconds since 2000, mg/dL in two bytes, control solution
                       (1), meal (0 none, 1 before, 2 after), two bytes not known
``05 0F`` and 2        count of an Ultra Mini's records
``xx 09``              command refused
=====================  =============================================================================

A line ends with a blank and four hexadecimal digits: the sum of all characters before the blank. A record is
``P "SAT","mm/dd/yy","hh:mm:ss   ","C 123?","N","00", 00``: ``C`` control solution, ``?`` a parity error in
the memory, meal N, B or A, a comment by number. Values are mg/dL, whatever the meter shows.

Source: glucometer-protocols texts, glucometerutils and its test vectors, Tidepool's uploader. Evidence: one
implementation.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gateway.codecs.checksum import crc16_ccitt, sum16
from gateway.codecs.framing import Blocks
from gateway.errors import DecodeError

ULTRA_MINI, VERIO_IQ = 0x05, 0x03
ACKNOWLEDGE, DISCONNECT = 0x04, 0x08
_SUCCESS, _COUNT, _REFUSED = 0x06, 0x0F, 0x09
_SHORTEST, _LONGEST = 6, 255
_HI, _LO = (0xFFFF, 0xFFFFFFFF), (0xFFFE, 0xFFFFFFFE)
_EPOCHS = {
    ULTRA_MINI: datetime(1970, 1, 1),  # noqa: DTZ001 - the meter's local time
    VERIO_IQ: datetime(2000, 1, 1),  # noqa: DTZ001
}
_MEALS: dict[int, "Meal"] = {1: "before", 2: "after"}
_LINE = re.compile(rb"(.*) ([0-9A-F]{4})", re.DOTALL)
_RECORD = re.compile(
    rb'P "[A-Z]{3}","(\d\d/\d\d/\d\d)","(\d\d:\d\d:\d\d) *",'
    rb'"([C ]) ([ \d]{3})([? ])","([NBA])","(\d\d)", *\d\d'
)
_MEAL_LETTERS: dict[bytes, "Meal"] = {b"B": "before", b"A": "after"}

Meal = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet whose CRC holds; a message is empty where the link byte says all."""

    link: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """One record of the memory.

    Parameters
    ----------
    taken_at : datetime
        By the meter's clock, without a zone.
    mg_dl : int, optional
        None above or below the range.
    beyond : {"HI", "LO"}, optional
    is_control : bool
    is_damaged : bool
    meal : {"before", "after"}, optional
    comment : int
    """

    taken_at: datetime
    mg_dl: int | None
    beyond: Literal["HI", "LO"] | None = None
    is_control: bool = False
    is_damaged: bool = False
    meal: Meal | None = None
    comment: int = 0


def packets() -> Blocks:
    """Cuts a stream into packets."""
    return Blocks(
        re.compile(rb"\x02[\x06-\xff]"),
        2,
        length=lambda data: data[1],
        check=lambda packet: packet[-3] == 0x03 and crc16_ccitt(packet[:-2]) == _crc(packet),
        longest=_LONGEST,
    )


def packet_in(frame: bytes) -> Packet:
    """The packet in a frame whose CRC holds."""
    return Packet(frame[2], frame[3:-3])


def encode_packet(link: int, message: bytes = b"") -> bytes:
    body = bytes((0x02, _SHORTEST + len(message), link)) + message + b"\x03"
    return body + crc16_ccitt(body).to_bytes(2, "little")


def payload(message: bytes) -> bytes:
    """What a message answers, without its first two bytes.

    Raises
    ------
    DecodeError
        The meter refuses the command, or reports something else than success.
    """
    if message[1:2] == bytes((_REFUSED,)):
        raise DecodeError("refused", "the meter refuses the command (status 09)", offset=4)
    if message[:1] not in (b"\x05", b"\x03") or message[1:2] not in (b"\x06", b"\x0f"):
        raise DecodeError("status", f"answer {message[:2].hex()} is not known", offset=3)
    return message[2:]


def is_count(message: bytes) -> bool:
    """Whether it is an Ultra Mini's answer to the record beyond its memory."""
    return message[:2] == bytes((ULTRA_MINI, _COUNT))


def time_of(message: bytes) -> datetime:
    """The clock, or the time of a record, that follows the first two bytes of an answer."""
    return _EPOCHS[message[0]] + timedelta(seconds=int.from_bytes(message[2:6], "little"))


def seconds_of(prefix: int, at: datetime) -> bytes:
    """A time as a meter's clock holds it, of the local fields of `at`."""
    seconds = round((at.replace(tzinfo=None) - _EPOCHS[prefix]).total_seconds())
    return seconds.to_bytes(4, "little")


def result_in(message: bytes) -> Result | None:
    """The record in an answer, or None where it is none."""
    data = message[2:]
    if message[:2] == bytes((ULTRA_MINI, _SUCCESS)) and len(data) == 8:
        value, control, meal = int.from_bytes(data[4:8], "little"), False, 0
    elif message[:2] == bytes((VERIO_IQ, _SUCCESS)) and len(data) == 10:
        value, control, meal = int.from_bytes(data[4:6], "little"), bool(data[6]), data[7]
    else:
        return None
    beyond: Literal["HI", "LO"] | None = "HI" if value in _HI else "LO" if value in _LO else None
    return Result(
        time_of(message), None if beyond else value, beyond, is_control=control, meal=_MEALS.get(meal)
    )


def line_text(line: bytes) -> bytes:
    """What a line says, without its sum.

    Raises
    ------
    DecodeError
        It has none, or another.
    """
    match = _LINE.fullmatch(line.rstrip(b"\r\n"))
    if match is None:
        raise DecodeError("layout", "no line of a OneTouch meter: a blank and four digits end it", offset=0)
    stated, computed = int(match[2], 16), sum16(match[1])
    if stated != computed:
        what = f"0x{stated:04X} stated, 0x{computed:04X} computed"
        raise DecodeError("checksum", what, offset=match.start(2))
    return match[1]


def result_in_line(text: bytes) -> Result | None:
    """The record in a line's text, or None where it is none.

    Raises
    ------
    DecodeError
        It has the form of one, and an impossible date or value.
    """
    match = _RECORD.fullmatch(text)
    if match is None:
        return None
    date, time, control, value, parity, meal, comment = match.groups()
    if not value.strip().isdigit():
        raise DecodeError("value", "the value holds no number", offset=match.start(4))
    return Result(
        taken_at=line_time(date, time, match.start(1)),
        mg_dl=int(value),
        is_control=control == b"C",
        is_damaged=parity == b"?",
        meal=_MEAL_LETTERS.get(meal),
        comment=int(comment),
    )


def line_time(date: bytes, time: bytes, offset: int) -> datetime:
    """``mm/dd/yy`` and ``hh:mm:ss``, of this century.

    Raises
    ------
    DecodeError
        There is no such time.
    """
    try:
        return datetime.strptime(f"{date.decode()} {time.decode()}", "%m/%d/%y %H:%M:%S")  # noqa: DTZ007 - no zone
    except ValueError as error:
        raise DecodeError("time", "no such date and time", offset=offset) from error


def _crc(packet: bytes) -> int:
    return int.from_bytes(packet[-2:], "little")
