"""Nonin's serial data formats: frames to samples, and how each is found in a stream.

**DF1** (3 bytes, 1/s, no checksum) and **DF8** (4 bytes, 1/s)::

    1ddlmaPP  0PPPPPPP  0SSSSSSS  [00p0a-bb]

status: bit 6 sensor disconnected, 5 out of track, 4 low perfusion, 3 marginal perfusion, 2 artifact;
P pulse rate; S SpO2; second status: bit 5 SmartPoint reached, 3 sensor alarm, 1 battery critical, 0 low.

**DF2**: packets of 25 frames of 5 bytes, 3 packets a second; each frame ``01``, status, pleth, value, sum of
the four. **DF7**: status, pleth high, pleth low, value, sum of the four. Status: bit 7 = 1, 6 sensor
disconnected, 5 artifact, 4 out of track, 3 sensor alarm, 2-1 perfusion (01 high, 10 low, 11 marginal),
0 first frame of the packet. Value by frame:

=======  ====================================
frame    value
=======  ====================================
8        second status, as in DF8
9        SpO2 for display
20, 21   pulse rate for display, bits 8-7, 6-0
=======  ====================================

**DF13** (a finished spot check): ``00 02``, ``00 0D``, length (2), century, year, month, day, hour, minute,
second, 1/100 s, status (2), pulse rate (2), reserved, SpO2, later fields, sum of all since the century,
``03``. Multi-byte fields are big-endian. Status: 0x0200 SmartPoint, 0x0100 no measurement, 0x0010 from
memory, 0x0001 battery low.

**Clock** (devices with DF13): ``02 72 00 03`` asks; ``02 F2 06``, then year less 2000, month, day, hour,
minute and second, and ``03`` answers; ``02 72 06`` with the same six bytes and ``03`` sets.

**ASCII**: ``SPO2=097 HR=072``, once a second; before it perhaps a time of day, behind it flags.

No value is 127 for SpO2, 511 for pulse rate, dashes in ASCII; and zeros, and a saturation beyond 100 %, which
only a damaged frame without checksum can hold, are none either.

Source: NoninPulseOx by M. Lewis (DF2 capture of a 9560, DF8, DF13), Onyx II 9560 OEM text, manuals of 8500,
2500, 9600, 9847 and 4100 (ASCII); DF1 and DF7 after the OEM III specification, from memory.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.codecs.checksum import sum8
from gateway.codecs.framing import Blocks, unchecked
from gateway.errors import DecodeError

ASK_CLOCK = bytes.fromhex("02 72 00 03")
_NO_PULSE = {0, 511}

_PACKET, _FRAME = 125, 5
_FIRST = re.escape(bytes(range(0x81, 0x100, 2)))  # the status of a packet's first frame
_OTHER = re.escape(bytes(range(0x80, 0x100, 2)))
_DF1_START = re.compile(rb"[\x80-\xff][\x00-\x7f]{2}")
_DF8_START = re.compile(rb"[\x80-\xff][\x00-\x7f]{3}")
_DF2_START = re.compile(rb"\x01[%s].{3}\x01[%s]" % (_FIRST, _OTHER), re.DOTALL)
_DF7_START = re.compile(rb"[%s].{4}[%s].{4}[%s]" % (_FIRST, _OTHER, _OTHER), re.DOTALL)
_RECORD_START = re.compile(rb"\x00\x02\x00\x0d")
_CLOCK_ANSWER = re.compile(rb"\x02\xf2\x06(.{6})\x03", re.DOTALL)
_CLOCK_ANSWER_BEGUN = re.compile(rb"\x02(?:\xf2(?:\x06.{0,6})?)?\Z", re.DOTALL)
_CENTURIES = range(19, 22)
_RECORD_FIELDS = 14
_RECORD_LONGEST = 64

_BYTE_STATUS = (
    (0x40, "sensor disconnected"),
    (0x20, "out of track"),
    (0x10, "low perfusion"),
    (0x08, "marginal perfusion"),
    (0x04, "artifact"),
)
_SECOND_STATUS = (
    (0x20, "SmartPoint"),
    (0x08, "sensor alarm"),
    (0x02, "battery critical"),
    (0x01, "battery low"),
)
_PACKET_STATUS = (
    (0x40, 0x40, "sensor disconnected"),
    (0x10, 0x10, "out of track"),
    (0x08, 0x08, "sensor alarm"),
    (0x06, 0x04, "low perfusion"),
    (0x06, 0x06, "marginal perfusion"),
    (0x20, 0x20, "artifact"),
)
_RECORD_STATUS = (
    (0x0200, "SmartPoint"),
    (0x0100, "no measurement"),
    (0x0010, "from memory"),
    (0x0001, "battery low"),
)
_LINE = re.compile(rb"(?:\d\d:\d\d:\d\d +)?SPO2=(\d{3}|---) +HR=(\d{3}|---)[ FB*]*")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one frame, packet, record or line says.

    Parameters
    ----------
    spo2, pulse_rate : Decimal, optional
        Percent, 1/min. None where there is no value.
    conditions : tuple of str
        Status bits that are set, by name.
    taken_at : datetime, optional
        Naive, by the device's clock; only a record has it.
    time_error : DecodeError, optional
        The record's time is none.
    """

    spo2: Decimal | None
    pulse_rate: Decimal | None
    conditions: tuple[str, ...] = ()
    taken_at: datetime | None = None
    time_error: DecodeError | None = None

    @property
    def is_record(self) -> bool:
        """It is a finished measurement, not a moment of a stream."""
        return self.taken_at is not None or self.time_error is not None


def parse_df1(frame: bytes) -> Sample:
    """Three bytes that :func:`df1_blocks` found."""
    return Sample(
        _spo2(frame[2]),
        _pulse((frame[0] & 0x03) << 7 | frame[1]),
        _set(frame[0], _BYTE_STATUS),
    )


def parse_df8(frame: bytes) -> Sample:
    """Four bytes that :func:`df8_blocks` found."""
    return Sample(
        _spo2(frame[2]),
        _pulse((frame[0] & 0x03) << 7 | frame[1]),
        _set(frame[0], _BYTE_STATUS) + _set(frame[3], _SECOND_STATUS),
    )


def parse_packet(packet: bytes) -> Sample:
    """The display values of a whole DF2 or DF7 packet that its blocks found."""
    frames = [packet[i : i + _FRAME] for i in range(0, _PACKET, _FRAME)]
    statuses = {frame[_status_place(packet)] for frame in frames}
    value = [frame[3] for frame in frames]
    found = tuple(
        name for mask, bits, name in _PACKET_STATUS if any(status & mask == bits for status in statuses)
    )
    return Sample(
        _spo2(value[8] & 0x7F),
        _pulse((value[19] & 0x03) << 7 | value[20] & 0x7F),
        found + _set(value[7], _SECOND_STATUS),
    )


def parse_record(record: bytes) -> Sample:
    """A DF13 record that :func:`df13_blocks` found."""
    century, year, month, day, hour, minute, second, hundredths = record[6:14]
    conditions = _set(int.from_bytes(record[14:16], "big"), _RECORD_STATUS)
    spo2, pulse = _spo2(record[19]), _pulse(int.from_bytes(record[16:18], "big"))
    try:
        taken_at = datetime(  # noqa: DTZ001 - the device states no zone
            century * 100 + year, month, day, hour, minute, second, hundredths * 10_000
        )
        if century not in _CENTURIES:
            raise ValueError
    except ValueError:
        stated = f"{century:02}{year:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        error = DecodeError("time", f"no such date and time: {stated}", offset=6)
        return Sample(spo2, pulse, conditions, None, error)
    return Sample(spo2, pulse, conditions, taken_at)


def parse_line(line: bytes) -> Sample:
    """One ASCII line, without its terminator.

    Raises
    ------
    DecodeError
        It has another layout.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise DecodeError("layout", "expected SPO2=nnn HR=nnn", offset=0)
    spo2, pulse = (0 if digits == b"---" else int(digits) for digits in match.groups())
    return Sample(_spo2(spo2), _pulse(pulse))


def line_start(line: bytes) -> int | None:
    """Where an ASCII reading begins that ends the line; None where there is none."""
    return next((match.start() for match in _LINE.finditer(line) if match.end() == len(line)), None)


def set_clock(moment: datetime) -> bytes:
    """The command that sets the clock to the fields of `moment`."""
    fields = (moment.year % 100, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return bytes((0x02, 0x72, 0x06, *fields, 0x03))


@dataclass(slots=True)
class ClockAnswers:
    """Takes the answer to `ASK_CLOCK` out of whatever else the device sends."""

    _held: bytes = b""

    def feed(self, data: bytes) -> tuple[bytes, datetime | None]:
        """The bytes that are no answer, and what the clock shows where one came."""
        held = self._held + data
        shown = None
        if match := _CLOCK_ANSWER.search(held):
            held = held[: match.start()] + held[match.end() :]
            year, month, day, hour, minute, second = match[1]
            with suppress(ValueError):
                shown = datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - no zone
        begun = _CLOCK_ANSWER_BEGUN.search(held)
        kept = len(held) if begun is None else begun.start()
        self._held = held[kept:]
        return held[:kept], shown

    def flush(self) -> bytes:
        """What was held back as the possible beginning of an answer."""
        left, self._held = self._held, b""
        return left


def df1_blocks() -> Blocks:
    return Blocks(_DF1_START, 3, length=lambda _: 3, check=unchecked, longest=3)


def df8_blocks() -> Blocks:
    return Blocks(_DF8_START, 4, length=lambda _: 4, check=unchecked, longest=4)


def df2_blocks() -> Blocks:
    return Blocks(_DF2_START, 7, lambda _: _PACKET, lambda packet: _is_packet(packet, 1), longest=_PACKET)


def df7_blocks() -> Blocks:
    return Blocks(_DF7_START, 11, lambda _: _PACKET, lambda packet: _is_packet(packet, 0), longest=_PACKET)


def df13_blocks() -> Blocks:
    return Blocks(_RECORD_START, 4, _record_length, _is_record, longest=_RECORD_LONGEST)


def is_rest_of_packet(data: bytes) -> bool:
    """Whether bytes are the last frames of a packet whose first ones were missed."""
    missed, odd = divmod(len(data), _FRAME)
    return missed > 0 and odd == 0 and any(_starts(data, place) == [0] * missed for place in (0, 1))


def _is_packet(packet: bytes, status_at: int) -> bool:
    return _starts(packet, status_at) == [1] + [0] * (_PACKET // _FRAME - 1)


def _starts(data: bytes, status_at: int) -> list[int]:
    """Of each frame that holds, up to the first that does not, whether it says that it is the first."""
    return [frame[status_at] & 0x01 for frame in _good_frames(data, status_at)]


def _good_frames(data: bytes, status_at: int) -> Iterator[bytes]:
    for start in range(0, len(data), _FRAME):
        frame = data[start : start + _FRAME]
        led = status_at == 0 or frame[0] == 0x01
        if not (led and frame[status_at] & 0x80 and sum8(frame[:4]) == frame[4]):
            return
        yield frame


def _status_place(packet: bytes) -> int:
    return 1 if packet[0] == 0x01 else 0


def _record_length(data: bytes) -> int:
    if len(data) < 6:
        return 0
    length = int.from_bytes(data[4:6], "big") + 8
    return length if _RECORD_FIELDS + 8 <= length <= _RECORD_LONGEST else -1


def _is_record(record: bytes) -> bool:
    return record[-1] == 0x03 and sum8(record[6:-2]) == record[-2]


def _spo2(value: int) -> Decimal | None:
    return Decimal(value) if 0 < value <= 100 else None


def _pulse(value: int) -> Decimal | None:
    return None if value in _NO_PULSE else Decimal(value)


def _set(status: int, names: tuple[tuple[int, str], ...]) -> tuple[str, ...]:
    return tuple(name for bit, name in names if status & bit)
