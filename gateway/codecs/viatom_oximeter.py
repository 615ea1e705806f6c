"""What Viatom's oximeters say by Bluetooth: commands of the host, and an answer to each.

Little-endian; an answer may come in several notifications:

======  ====  ==================================================================
offset  size  field
======  ====  ==================================================================
0       1     AA command, 55 answer
1       1     command; in an answer also 0, or another number where it was refused
2       1     its complement
3       2     block
5       2     length of the data
7             data, and a CRC-8 (polynomial 07, start 0) over all before it
======  ====  ==================================================================

Data of the answer to command 17, the present values:

======  ==================================================================
offset  field
======  ==================================================================
0       SpO2, %; 0, 127 and 255 no value
1       pulse rate, /min; 0 and 255 no value
2-6     of unknown meaning
7       battery, %
8       charging
9       motion
10      perfusion, in steps that nobody states; it becomes no value
11      a finger is in it
12      of unknown meaning
======  ==================================================================

Source: two public programs for the frame, two others and a capture for the values. Evidence: capture.
"""

import re
import struct
from dataclasses import dataclass

from gateway.codecs.checksum import crc8
from gateway.codecs.framing import Blocks
from gateway.codecs.oximeter_sample import Sample, sample_of
from gateway.errors import DecodeError

READ_SENSORS = 0x17

_HEAD = struct.Struct("<3B2H")
_COMMAND, _ANSWER = 0xAA, 0x55
_SENSORS = 13
_BATTERY, _FINGER = 7, 11
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that holds.

    Parameters
    ----------
    code : int
        The command, or 0, or why it was refused.
    data : bytes
    """

    code: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Sensors:
    """The present values.

    Parameters
    ----------
    sample : Sample
    battery : int
        Percent.
    """

    sample: Sample
    battery: int


def command(code: int) -> bytes:
    """A command without data."""
    head = _HEAD.pack(_COMMAND, code, code ^ 0xFF, 0, 0)
    return head + bytes((crc8(head),))


def answers() -> Blocks:
    """A framer of the stream of answers."""
    return Blocks(
        re.compile(rb"\x55"), 1, _length, _holds, longest=_HEAD.size + _LONGEST + 1, explain=_explain
    )


def parse_answer(frame: bytes) -> Answer:
    """A frame that :func:`answers` found."""
    return Answer(frame[1], frame[_HEAD.size : -1])


def parse_sensors(answer: Answer) -> Sensors:
    """The values in an answer to command 17.

    Raises
    ------
    DecodeError
        It was refused, or holds something else (``value``), or not as much (``length``).
    """
    if answer.code not in {0, READ_SENSORS}:
        raise DecodeError("value", f"answer of code 0x{answer.code:02X}, not one to command 0x17", offset=1)
    if len(answer.data) != _SENSORS:
        reason = f"{len(answer.data)} bytes of data, {_SENSORS} expected of command 0x17"
        raise DecodeError("length", reason, offset=5)
    conditions = () if answer.data[_FINGER] else ("no finger",)
    sample = sample_of(answer.data[0], answer.data[1], conditions=conditions)
    return Sensors(sample, answer.data[_BATTERY])


def _length(data: bytes) -> int:
    if len(data) < _HEAD.size:
        return -1 if len(data) > 2 and data[1] ^ data[2] != 0xFF else 0
    _, code, complement, _, count = _HEAD.unpack_from(data)
    return _HEAD.size + count + 1 if code ^ complement == 0xFF and count <= _LONGEST else -1


def _holds(frame: bytes) -> bool:
    return crc8(frame[:-1]) == frame[-1]


def _explain(frame: bytes) -> DecodeError:
    reason = f"checksum 0x{frame[-1]:02X}, computed 0x{crc8(frame[:-1]):02X}"
    return DecodeError("checksum", reason, offset=len(frame) - 1)
