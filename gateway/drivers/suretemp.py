r"""Welch Allyn SureTemp Plus thermometer module, alone or in a monitor. Serial, 9600 8N1, binary; the host
asks.

A block is ``03 02 10``, command code, type (01 command, 02 good answer, else refusal), size of the data as
u16, data, checksum: all bytes sum to 0 modulo 256. The driver asks ``94 1C`` for the temperature record,
twice a second. Its data have 19 or 33 bytes by firmware, the first 19 alike but for 8 to 11:

======  ==========  ==================================================================
offset  type        field
======  ==========  ==================================================================
0       f32         final temperature, kelvin; 0 where there is none yet
4       f32         probe temperature, never a result
8       u32         samples of 173 ms
12      u8          method: 0 predictive, 1 monitor, 2 clinical
13      u8          algorithm: 0 oral, 1 rectal, 2 paediatric axillary, 3 calibration
                    key, 4 adult axillary
14      u8          state, below
15      u16         error, 0 for none
17      u8          1 while the probe is out
18      u8          probe: 0 oral and axillary, 1 calibration key, 2 rectal, 3 none
======  ==========  ==================================================================

Little-endian throughout. Only states 6 and 7 without an error hold a result. It stays for the module's
life, so that it counts once for each time that the module comes to it, and what stood there at the first
look is passed over; for itself, as ``gateway decode`` shows it, a record without a result is a failed one
with its reason.

The temperature is K - 273.15, rounded to 0.1 Cel, which is what the module's own display shows; `as_sent`
keeps the kelvin, all digits of the float.

Source: SureTemp Plus Module OEM Implementation Manual 71332-0000B. Evidence: manual.
"""

import re
import struct
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from gateway.codecs.checksum import sum8
from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import Driver, Events, Measured, Progress, Send, SerialLink, SetTimer, TcpLink
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, Sent, rejected

_ASK_RECORD = bytes.fromhex("03 02 10 94 1C 01 00 00 3A")
_POLL_S = 0.5
_START = b"\x03\x02\x10"
_HEADER, _LARGEST_DATA = 8, 64
_RECORD_CODE, _RECORD_SIZES = b"\x94\x1c", (19, 33)
_COMMAND, _GOOD = 0x01, 0x02
_RECORD = struct.Struct("<ff4xBBBHBB")

_ZERO_CELSIUS, _BOILING, _TENTH = Decimal("273.15"), Decimal("373.15"), Decimal("0.1")
_METHODS = {0: "predictive", 1: "monitor mode", 2: "clinical"}
_SITES = {0: "oral", 1: "rectal", 2: "axillary", 4: "axillary"}
_PAEDIATRIC, _CALIBRATION_KEY = 2, 3
_STATES = {
    0: "idle",
    1: "not ready",
    2: "ready",
    3: "predicting",
    4: "predicted value on display",
    5: "predicted, positioning",
    12: "monitor mode",
    13: "end",
}
_FINAL = {6, 7}
_FAILURES = {
    8: "over range",
    9: "over range",
    10: "under range",
    11: "under range",
    20: "error of the module",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A temperature record.

    Parameters
    ----------
    state : int
    reading : Reading
        Rejected where the state is none of a result.
    """

    state: int
    reading: Reading

    @property
    def is_done(self) -> bool:
        """Whether the measurement has ended, with a result or without."""
        return self.state in _FINAL or self.state in _FAILURES


def parse_record(data: bytes) -> Record:
    """The record in the data of an answer to ``94 1C``.

    Raises
    ------
    DecodeError
        Its size, state, algorithm or temperature is not one that the manual has.
    """
    if len(data) not in _RECORD_SIZES:
        raise DecodeError("size", f"record of {len(data)} bytes, neither 19 nor 33", offset=_HEADER)
    kelvin, _probe, method, algorithm, state, error, _active, _probe_type = _RECORD.unpack(
        data[: _RECORD.size]
    )
    if state in _STATES:
        return Record(
            state, rejected("temperature", f"no final temperature: state {state}, {_STATES[state]}")
        )
    if state in _FAILURES:
        reason = f"{_FAILURES[state]} (state {state})" + (f", error {error}" if error else "")
        return Record(state, rejected("temperature", reason))
    if state not in _FINAL:
        raise DecodeError("state", f"state {state} is unknown", offset=_HEADER + 14)
    return Record(state, _final(kelvin, method, algorithm, error))


def _final(kelvin: float, method: int, algorithm: int, error: int) -> Reading:
    if error:
        return rejected("temperature", f"error {error}")
    if algorithm == _CALIBRATION_KEY:
        return rejected("temperature", "calibration key, no patient")
    if kelvin == 0:
        return rejected("temperature", "no final temperature: 0 K")
    if algorithm not in _SITES or method not in _METHODS:
        raise DecodeError("site", f"method {method}, algorithm {algorithm}: unknown", offset=_HEADER + 12)
    if not float(_ZERO_CELSIUS) < kelvin < float(_BOILING):
        raise DecodeError("value", "final temperature between freezing and boiling expected", offset=_HEADER)
    sent = Decimal(kelvin)
    celsius = (sent - _ZERO_CELSIUS).quantize(_TENTH, ROUND_HALF_UP)
    observed = Observation("temperature", celsius, "Cel", site=_SITES[algorithm], as_sent=Sent(sent, "K"))
    paediatric = ("paediatric",) if algorithm == _PAEDIATRIC else ()
    return Reading(
        kind="temperature", observations=(observed,), notes=(f"method: {_METHODS[method]}", *paediatric)
    )


def _length(data: bytes) -> int:
    if len(data) < _HEADER:
        return 0
    size = int.from_bytes(data[6:_HEADER], "little")
    return _HEADER + size + 1 if size <= _LARGEST_DATA else -1


class Frames(BlockFrames):
    """Every block for itself."""

    def __init__(self) -> None:
        longest = _HEADER + _LARGEST_DATA + 1
        super().__init__(Blocks(re.compile(_START), 3, _length, lambda f: sum8(f) == 0, longest=longest))

    def block(self, frame: Frame, at: datetime) -> Events:
        if frame.error is not None and len(frame.content) == _length(frame.content):
            computed = -sum8(frame.content[:-1]) & 0xFF
            stated = frame.content[-1]
            raise DecodeError(
                "checksum", f"0x{stated:02X}, computed 0x{computed:02X}", offset=len(frame.content) - 1
            )
        code, kind, data = frame.data[3:5], frame.content[5], frame.content[_HEADER:-1]
        if kind == _COMMAND:
            return (Progress("a command, not an answer"),)
        if kind != _GOOD:
            raise DecodeError(
                "refused", f"the module refuses command {code.hex(' ')}: answer of type {kind}", offset=5
            )
        if code != _RECORD_CODE:
            return (Progress(f"answer to command {code.hex(' ')}"),)
        record = parse_record(data)
        return self.record(
            replace(record, reading=replace(record.reading, provenance=frame.content).taken(at, by="gateway"))
        )

    def record(self, record: Record) -> Events:
        return (Measured(record.reading),)


class Session(Frames):
    """Asks for the record, and takes one result each time that the module comes to one."""

    def __init__(self) -> None:
        super().__init__()
        self._state: int | None = None

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", _POLL_S),)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(_ASK_RECORD), SetTimer("poll", _POLL_S)
        return super().timer(name, at)

    def record(self, record: Record) -> Events:
        before, self._state = self._state, record.state
        if before == record.state:
            return ()
        if not record.is_done:
            return (Progress(_STATES[record.state]),)
        if before is None:
            return (Progress("result of an earlier measurement passed over"),)
        if before in _FINAL and record.state in _FINAL:
            return ()
        return (Measured(record.reading),)


DRIVER = Driver(
    id="suretemp",
    vendor="Welch Allyn",
    models=("SureTemp Plus module",),
    kind="thermometer",
    emits={"temperature": ("Cel",)},
    links=(SerialLink(baudrate=9600), TcpLink()),
    evidence="manual",
    specials=(*dict.fromkeys((*_STATES.values(), *_FAILURES.values())), "0 K"),
    session=Session,
    frames=Frames,
)
