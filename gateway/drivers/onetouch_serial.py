"""LifeScan OneTouch glucose meters on a serial cable: Ultra Mini (Ultra Easy), Verio IQ, Ultra 2.

Frames and records are in :mod:`gateway.codecs.lifescan`. The host asks; the meter answers for as long as it
is talked to.

=============  =========================================  ========================
asked for      in packets (Ultra Mini, Verio IQ)          in lines (Ultra 2)
=============  =========================================  ========================
serial number  ``05 0B 02`` and nine 00, ``03 0B 01 02``  ``DM@``
clock          ``05 20 02 00 00 00 00``, ``03 20 02``     ``DMF``
clock set      ``05 20 01``, ``03 20 01`` and the time    ``DMT``
count          ``05 1F F5 01``, ``03 27 00``              the header of the memory
records        ``05 1F`` n, ``03 21`` n                   ``DMP``
=============  =========================================  ========================

An Ultra Mini begins with a disconnect, acknowledges every packet and wants its answers acknowledged, with
sequence numbers. Erasing commands are not among those that this driver can send. The memory is read when the
meter answers, and again a minute later; each record counts once.

==================================  ===========================================================
what the meter sends                what becomes of it
==================================  ===========================================================
HI, LO, above 600, below 20         rejected: out of the meter's range
control solution                    rejected: a check of the meter
a parity error in the memory        rejected
before or after a meal, comment     noted
==================================  ===========================================================
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs import lifescan
from gateway.codecs.framing import Frame, Lines
from gateway.codecs.lifescan import Result
from gateway.drivers.contract import (
    ClockRead,
    ClockSet,
    Driver,
    Event,
    Events,
    Fault,
    Identified,
    Measured,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    Setting,
    TcpLink,
    clock_setting,
)
from gateway.drivers.glucose_results import CONTROL_SOLUTION, glucose
from gateway.errors import DecodeError
from gateway.model import Device, Reading

_MEASURES = range(20, 601)
_BEYOND = {"HI": "HI: above 600 mg/dL", "LO": "LO: below 20 mg/dL"}
_COMMENTS = (
    "",
    "not enough food",
    "too much food",
    "mild exercise",
    "hard exercise",
    "medication",
    "stress",
    "illness",
    "feels low",
    "menses",
    "vacation",
    "other comment",
)
_LONGEST_LINE = 120
_DISCONNECT = lifescan.encode_packet(lifescan.DISCONNECT)
_ANSWER_S, _AGAIN_S = 3.0, 60.0
_RECORDS_REMEMBERED = 2048
_SEQUENCE, _EXPECTED = 0x01, 0x02
_COMMANDS = {
    lifescan.ULTRA_MINI: {
        "serial": bytes.fromhex("05 0B 02") + bytes(9),
        "clock": bytes.fromhex("05 20 02 00 00 00 00"),
        "set-clock": bytes.fromhex("05 20 01"),
        "count": bytes.fromhex("05 1F F5 01"),
        "record": bytes.fromhex("05 1F"),
    },
    lifescan.VERIO_IQ: {
        "serial": bytes.fromhex("03 0B 01 02"),
        "clock": bytes.fromhex("03 20 02"),
        "set-clock": bytes.fromhex("03 20 01"),
        "count": bytes.fromhex("03 27 00"),
        "record": bytes.fromhex("03 21"),
    },
}
_LINE_STARTS = re.compile(rb'(?:P "[A-Z]{3}"|P \d{3},|[FT] "|@ "|\?P|SU\?)')


def reading_of(result: Result) -> Reading:
    """The reading of a record of the memory."""
    reading = glucose(
        None if result.mg_dl is None else Decimal(result.mg_dl),
        "mg/dL",
        reasons=tuple(_reasons(result)),
        notes=tuple(_notes(result)),
    )
    return reading.taken(result.taken_at, by="device")


def _reasons(result: Result) -> Iterator[str]:
    if result.is_control:
        yield CONTROL_SOLUTION
    if result.is_damaged:
        yield "a parity error in the memory of the meter"
    if result.beyond is not None:
        yield _BEYOND[result.beyond]
    elif result.mg_dl is not None and result.mg_dl not in _MEASURES:
        yield _BEYOND["HI" if result.mg_dl > _MEASURES[-1] else "LO"]


def _notes(result: Result) -> Iterator[str]:
    if result.meal is not None:
        yield f"{result.meal} a meal"
    if 0 < result.comment < len(_COMMENTS):
        yield _COMMENTS[result.comment]


class Frames:
    """Every packet and every line for itself."""

    def __init__(self, model: str, clock: str = "measure") -> None:
        self._model = model
        self._clock = clock
        self._packets = lifescan.packets()
        self._lines = Lines(b"\n", _LONGEST_LINE, keep_tail=True)
        self._speaks_lines = {"ultra-2": True, "auto": None}.get(model, False)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        if self._speaks_lines is None:
            self._speaks_lines = _are_lines(data)
        if self._speaks_lines is None:
            return ()
        frames = self._lines.feed(data) if self._speaks_lines else self._packets.feed(data)
        return tuple(event for frame in frames for event in self._events(frame, at))

    def disconnected(self, at: datetime) -> Events:
        frames = (*self._packets.flush(), *self._lines.flush())
        return tuple(event for frame in frames for event in self._events(frame, at))

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        try:
            if self._speaks_lines:
                yield from self._line(frame, at)
            else:
                yield from self.packet(lifescan.packet_in(frame.data), at)
        except DecodeError as error:
            yield Fault.from_error(error, offset=frame.offset)

    def packet(self, packet: lifescan.Packet, at: datetime) -> Events:
        if not packet.message:
            return (Progress("disconnected" if packet.link & lifescan.DISCONNECT else "acknowledged"),)
        return self.answer(packet.message, at)

    def answer(self, message: bytes, at: datetime) -> Events:
        """What an answer says when nobody knows what was asked for."""
        content = lifescan.payload(message)
        result = lifescan.result_in(message)
        if result is not None:
            return self.record(reading_of(result), message)
        if lifescan.is_count(message):
            return (Progress(f"{int.from_bytes(content, 'little')} records in the memory"),)
        return (Progress(f"answer of {len(content)} bytes"),)

    def record(self, reading: Reading, raw: bytes) -> Events:
        return (Measured(replace(reading, provenance=raw)),)

    def _line(self, frame: Frame, at: datetime) -> Events:
        text = lifescan.line_text(_behind_noise(frame.data))
        result = lifescan.result_in_line(text)
        if result is not None:
            return self.record(reading_of(result), text)
        return self.line(text, at)

    def line(self, text: bytes, at: datetime) -> Events:
        """What a line says that is no record."""
        parts = text.split(b'"')
        if text[:1] in (b"F", b"T") and len(parts) >= 6:
            shown = lifescan.line_time(parts[3], parts[5].strip(), 2)
            return (ClockRead(shown),) if self._clock != "off" else (Progress("clock read"),)
        if text[:1] == b"@" and len(parts) == 3:
            return (Identified(Device(serial=parts[1].decode("latin-1").strip() or None)),)
        if text[:2] == b"P " and text[2:5].isdigit():
            return (Progress(f"{int(text[2:5])} records in the memory"),)
        return (Progress("the meter answers"),)


class PacketSession(Frames):
    """Reads the memory of an Ultra Mini or a Verio IQ, record by record."""

    def __init__(self, model: str, clock: str) -> None:
        super().__init__("verio-iq" if model == "verio-iq" else "ultra-mini", clock)
        self._prefix = lifescan.VERIO_IQ if model == "verio-iq" else lifescan.ULTRA_MINI
        self._commands = _COMMANDS[self._prefix]
        self._is_linked = self._prefix == lifescan.ULTRA_MINI
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)
        self._wanted: deque[str] = deque()
        self._asked = ""
        self._count = 0
        self._record = 0
        self._sent = self._heard = False  # the sequence numbers of both sides

    def connected(self, at: datetime) -> Events:
        return self._begin(at)

    def timer(self, name: str, at: datetime) -> Events:
        return *super().disconnected(at), *self._begin(at)

    def packet(self, packet: lifescan.Packet, at: datetime) -> Events:
        if not packet.message:
            is_open = packet.link & lifescan.DISCONNECT and not self._asked
            return self._next(at) if is_open else ()
        if not self._is_linked:
            return self._answered(packet.message, at)
        if bool(packet.link & _SEQUENCE) is not self._heard:
            return (Send(self._acknowledgement()),)
        self._heard = not self._heard
        acknowledged = Send(self._acknowledgement())
        first, *then = self._split(self._answered(packet.message, at))
        return *first, acknowledged, *then

    def record(self, reading: Reading, raw: bytes) -> Events:
        if raw in self._seen:
            return ()
        self._seen.append(raw)
        return super().record(reading, raw)

    def _split(self, events: Events) -> tuple[Events, *tuple[Event, ...]]:
        """What has to happen before the answer is acknowledged, and what is asked next."""
        sends = tuple(event for event in events if isinstance(event, Send | SetTimer))
        return tuple(event for event in events if event not in sends), *sends

    def _begin(self, at: datetime) -> Events:
        self._asked = ""
        self._sent = self._heard = False
        self._wanted = deque(("serial", "clock", "count"))
        if self._clock == "set":
            self._wanted.insert(2, "set-clock")
        if self._clock == "off":
            self._wanted.remove("clock")
        if self._is_linked:
            return Send(_DISCONNECT), SetTimer("answer", _ANSWER_S)
        return self._next(at)

    def _answered(self, message: bytes, at: datetime) -> Events:
        asked = self._asked
        try:
            content = lifescan.payload(message)
        except DecodeError as error:
            return Fault.from_error(error), *self._next(at)
        if asked == "serial":
            said: Events = (Identified(Device(serial=_printable(content))),)
        elif asked == "clock":
            said = (ClockRead(lifescan.time_of(message)),)
        elif asked == "set-clock":
            said = (ClockSet(),)
        elif asked == "count":
            self._count = self._record = int.from_bytes(content[:2], "little")
            said = (Progress(f"{self._count} records in the memory", 0.0),)
        else:
            said = self.answer(message, at)
        return *said, *self._next(at)

    def _next(self, at: datetime) -> Events:
        """The next question; records from the oldest to the newest, which is number 0."""
        if self._wanted:
            self._asked = self._wanted.popleft()
            request = self._commands[self._asked]
            if self._asked == "set-clock":
                request += lifescan.seconds_of(self._prefix, at)
        elif self._record:
            self._asked, self._record = "record", self._record - 1
            request = self._commands["record"] + self._record.to_bytes(2, "little")
        else:
            self._asked = "done"
            return (SetTimer("answer", _AGAIN_S),)
        sent = lifescan.encode_packet(self._link(), request)
        self._sent = not self._sent
        return Send(sent), SetTimer("answer", _ANSWER_S)

    def _acknowledgement(self) -> bytes:
        return lifescan.encode_packet(lifescan.ACKNOWLEDGE | self._link())

    def _link(self) -> int:
        return (self._sent * _SEQUENCE | self._heard * _EXPECTED) if self._is_linked else 0


class LineSession(Frames):
    """Reads the memory of an Ultra 2, all at once."""

    def __init__(self, clock: str) -> None:
        super().__init__("ultra-2", clock)
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)
        self._wanted: deque[bytes] = deque()

    def connected(self, at: datetime) -> Events:
        self._wanted = deque((b"DM@", b"DMF", b"DMP"))
        if self._clock == "set":
            self._wanted.insert(2, f"DMT{at:%m/%d/%y %H:%M:%S}".encode())
        return self._next()

    def timer(self, name: str, at: datetime) -> Events:
        return *super().disconnected(at), *self.connected(at)

    def line(self, text: bytes, at: datetime) -> Events:
        is_header = text.startswith(b"P ")
        was_set = (ClockSet(),) if text.startswith(b"T ") and self._clock == "set" else ()
        said = was_set or super().line(text, at)
        return *said, *(() if is_header else self._next())

    def record(self, reading: Reading, raw: bytes) -> Events:
        again = SetTimer("answer", _AGAIN_S)
        if raw in self._seen:
            return (again,)
        self._seen.append(raw)
        return *super().record(reading, raw), again

    def _next(self) -> Events:
        if not self._wanted:
            return (SetTimer("answer", _AGAIN_S),)
        return Send(b"\x11\r" + self._wanted.popleft() + b"\r"), SetTimer("answer", _ANSWER_S)


def session(model: str, clock: str) -> PacketSession | LineSession:
    """The dialogue of the model."""
    return LineSession(clock) if model == "ultra-2" else PacketSession(model, clock)


def _are_lines(data: bytes) -> bool | None:
    """Whether a meter that begins so speaks in lines; None while that cannot be told."""
    if b"\x02" in data:
        return False
    return True if any(0x20 < byte < 0x7F for byte in data) else None


def _behind_noise(line: bytes) -> bytes:
    """The line from its last beginning on: noise, or a torn line, may stand before it."""
    starts = [match.start() for match in _LINE_STARTS.finditer(line)]
    return line[starts[-1] :] if starts else line


def _printable(content: bytes) -> str | None:
    text = bytes(byte for byte in content if 0x20 < byte < 0x7F)
    return text.decode("ascii") or None


DRIVER = Driver(
    id="onetouch-serial",
    vendor="LifeScan",
    models=("OneTouch Ultra Mini", "OneTouch Verio IQ", "OneTouch Ultra 2"),
    kind="glucose-meter",
    emits={"glucose": ("mg/dL",)},
    links=(
        SerialLink(baudrate=38400, usb_ids=((0x10C4, 0x85A7),), only_with=("model", "verio-iq")),
        SerialLink(baudrate=9600),
        TcpLink(),
    ),
    settings=(
        Setting(
            "model",
            ("auto", "ultra-mini", "verio-iq", "ultra-2"),
            "auto",
            "which dialogue it speaks; auto asks as of an Ultra Mini",
        ),
        clock_setting("measure", "set", "off"),
    ),
    evidence="one-implementation",
    specials=(
        *(f"{meter}: {end}" for meter in ("Ultra Mini", "Verio IQ") for end in _BEYOND),
        *("Ultra 2: above 600", "Ultra 2: below 20", "Ultra 2: parity error"),
        *(f"{meter}: control solution" for meter in ("Verio IQ", "Ultra 2")),
        "refused",
    ),
    session=session,
    frames=Frames,
)
