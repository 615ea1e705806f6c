"""What Contec's CMS50 oximeters say, in the three protocols that hide behind one name.

**old** (60/s; 19200 baud, 8O1): the five bytes of :mod:`gateway.codecs.oximeter_sample`, whose flags are of
byte 0: 6 beep, 5 SpO2 drops, 4 searched too long; of byte 2: 5 searching, 4 probe error.

Its memory: ``F2 80 00`` three times and three bytes of length, then 3 bytes a second: ``F0`` or ``F1`` (bit 0
is bit 7 of the pulse rate), pulse rate with bit 7 set, SpO2; at the end ``F6 F6 F6``.

**v7** (115200 baud, 8N1): packages of a type without bit 7, a head, and up to 7 bytes, all with bit 7; bit i
of the head is bit 7 of the i-th byte after it, counted from 0.

====  ==========================================================================================
type  bytes
====  ==========================================================================================
01    0 flags (7 probe error, 5 SpO2 drops, 4 searched too long), 1 pleth (7 searching), 2 bar,
      3 pulse rate, 4 SpO2, 5-6 perfusion index, low byte first, in 0.01 %; 60/s
09    stored: SpO2, pulse rate, perfusion index
0F    stored: three pairs of SpO2 and pulse rate, one a second
0B    refused: command, reason
0D    the device leaves: reason
====  ==========================================================================================

**hid** (USB, 64-byte reports filled with zeros, about three messages each, each ended by the sum of its bytes
modulo 128): ``EB 00 06 pleth bar``, 60/s; ``EB 01 flag pulse SpO2 index index``, 1/s, where flag 06 adds 128
to the pulse rate, and the index has 7 bits a byte, low byte first.

No value is FFFF (v7), ``7F 00`` (hid) or 0 for the index; for the others as in the five bytes.

Source: atbrask/CMS50Dplus and iphands (old); serial traffic of headrotor/art-sensors, and Contec's protocol
V7.0 as three public programs have it (v7); icefest/pulseoxdl with its recorded transmissions (hid). Evidence:
capture (v7, hid), one implementation (old, stored data).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.codecs.framing import Blocks
from gateway.codecs.oximeter_sample import Sample, conditions_of, parse_five, sample_of

_NO_INDEX_V7, _NO_INDEX_HID = {0, 0xFFFF}, {0, 0x7F}
_V7_LENGTHS = {
    **dict.fromkeys((0x01, 0x02, 0x03, 0x04, 0x05, 0x11, 0x15), 7),
    **dict.fromkeys((0x07, 0x08, 0x0F, 0x12), 6),
    0x09: 4,
    **dict.fromkeys((0x0A, 0x0B), 2),
    **dict.fromkeys((0x0D, 0x0E, 0x10), 1),
    0x0C: 0,
}
_HID_LENGTHS = {0xF0: 2, 0xF1: 10, 0xF2: 8, 0xF3: 3, 0xFE: 10}
_HID_LIVE_LENGTHS = {0x00: 6, 0x01: 8, 0x7F: 3}
_HID_ADDS_128 = 0x02
_REPORT = 64
_REASONS = {
    0: "done",
    1: "switched off",
    2: "user changed",
    3: "recording",
    4: "delete failed",
    5: "not supported",
}
_FIRST_FLAGS = ((0x20, "SpO2 drops"), (0x10, "searched too long"))
_OLD_FLAGS = ((0x20, "searching"), (0x10, "probe error"))


@dataclass(frozen=True, slots=True)
class Notice:
    """A statement that is no measurement: the device leaves, or refuses a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a protocol is found in a stream and read.

    Parameters
    ----------
    framer : callable
    parse : callable
        Of a frame's bytes: the samples in it, or a notice; nothing of what is neither.
    proof : int
        Frames in step after which it is believed to be this one.
    per_second : int
        Measurements.
    """

    framer: Callable[[], Blocks]
    parse: Callable[[bytes], tuple[Sample | Notice, ...]]
    proof: int
    per_second: int


def parse_old(frame: bytes) -> tuple[Sample | Notice, ...]:
    """A frame that :func:`old_blocks` found."""
    if len(frame) == 5:
        return (parse_five(frame, first=_FIRST_FLAGS, third=_OLD_FLAGS),)
    if frame[0] & 0xFE == 0xF0:
        pulse = frame[1] & 0x7F | (frame[0] & 0x01) << 7
        return (sample_of(frame[2], pulse, None, is_stored=True),)
    if frame[0] == 0xF2:
        count = ((frame[9] & 0x7F) << 14 | (frame[10] & 0x7F) << 7 | frame[11]) + 1
        return (Notice(f"{count // 3} seconds in the memory"),)
    return ()


def parse_v7(package: bytes) -> tuple[Sample | Notice, ...]:
    """A package that :func:`v7_blocks` found."""
    kind, data = package[0], unpacked(package)
    if kind == 0x01:
        conditions = conditions_of(data[0], ((0x80, "probe error"), *_FIRST_FLAGS)) + conditions_of(
            data[1], ((0x80, "searching"),)
        )
        index = int.from_bytes(data[5:7], "little")
        return (sample_of(data[4], data[3], None if index in _NO_INDEX_V7 else index, conditions),)
    if kind == 0x0F:
        return tuple(sample_of(data[i], data[i + 1], None, is_stored=True) for i in (0, 2, 4))
    if kind == 0x09:
        index = int.from_bytes(data[2:4], "little")
        return (sample_of(data[0], data[1], None if index in _NO_INDEX_V7 else index, is_stored=True),)
    if kind == 0x0B:
        return (Notice(f"command {data[0]:02X} refused: {_reason(data[1])}"),)
    return (Notice(f"the oximeter leaves: {_reason(data[0])}"),) if kind == 0x0D else ()


def parse_hid(message: bytes) -> tuple[Sample | Notice, ...]:
    """A message that :func:`hid_blocks` found."""
    if message[:2] != b"\xeb\x01":
        return ()
    pulse = message[3] + (0x80 if message[2] & _HID_ADDS_128 else 0)
    index = message[5] | message[6] << 7
    return (sample_of(message[4], pulse, None if index in _NO_INDEX_HID else index),)


def unpacked(package: bytes) -> bytes:
    """The data of a v7 package with their true bits 7."""
    head = package[1]
    return bytes(byte & 0x7F | (head >> bit & 1) << 7 for bit, byte in enumerate(package[2:]))


def command(code: int) -> bytes:
    """A v7 command without parameters."""
    return bytes((0x7D, 0x81, code, *[0x80] * 6))


def old_blocks() -> Blocks:
    starts = re.compile(rb"[\x80-\xff][\x00-\x7f]{2}|[\xf0\xf1][\x80-\xff][\x00-\x7f]|\xf2\x80\x00|\xf6{3}")
    return Blocks(starts, 3, _old_length, _is_old, longest=12)


def v7_blocks() -> Blocks:
    return Blocks(re.compile(rb"[\x01-\x15][\x80-\xff]"), 2, _v7_length, _is_v7, longest=9)


def hid_blocks() -> Blocks:
    return Blocks(re.compile(rb"[\x00\xeb\xf0-\xf3\xfe]"), 1, _hid_length, _is_hid, longest=_REPORT)


def _old_length(data: bytes) -> int:
    if data[:3] == b"\xf2\x80\x00":
        return 12
    return 5 if data[1] < 0x80 else 3


def _is_old(frame: bytes) -> bool:
    if len(frame) == 12:
        return frame[:9] == b"\xf2\x80\x00" * 3 and frame[11] < 0x80
    return len(frame) == 3 or max(frame[1:]) < 0x80


def _v7_length(data: bytes) -> int:
    return _V7_LENGTHS[data[0]] + 2 if data[0] in _V7_LENGTHS else -1


def _is_v7(package: bytes) -> bool:
    return min(package[1:]) >= 0x80


def _hid_length(data: bytes) -> int:
    if data[0] == 0x00:
        return len(data) - len(data.lstrip(b"\0"))
    if data[0] != 0xEB:
        return _HID_LENGTHS[data[0]]
    return _HID_LIVE_LENGTHS.get(data[1], -1) if len(data) > 1 else 0


def _is_hid(message: bytes) -> bool:
    return message[0] == 0x00 or sum(message[:-1]) & 0x7F == message[-1]


def _reason(code: int) -> str:
    return _REASONS.get(code, f"reason {code:02X}")


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "v7": Protocol(v7_blocks, parse_v7, proof=2, per_second=60),
        "old": Protocol(old_blocks, parse_old, proof=5, per_second=60),
        "hid": Protocol(hid_blocks, parse_hid, proof=3, per_second=1),
    }
)
