"""Contec CMS50D, D+, E and F oximeters and their relabels: Beurer PO 80, Pulox, Sanitas, Heal Force.

Three protocols hide behind one name; the cable or the firmware decides. Byte tables, sources and evidence are
in :mod:`gateway.codecs.contec_oximeter`. Which one it is shows in what comes; where it must be told how to
talk, `protocol` says it:

========  ==============================  ===============================================================
protocol  line                            what the host says
========  ==============================  ===============================================================
v7        115200 8N1                      ``7D 81 A1 80 80 80 80 80 80`` starts the stream, ``.. AF ..``
                                          every 4 s keeps it; ``auto`` says the same
old       19200 8O1                       nothing: the stream comes by itself (menu "USB on")
hid       USB 28E9:028A                   stops what runs, asks for amplitudes and measurements
                                          (``9B 00 1B``, ``9B 01 1C``), and ``9A 1A`` every 4 s
========  ==============================  ===============================================================

==========================================  ======================================================
what a frame says                           what becomes of it
==========================================  ======================================================
no SpO2, no pulse rate                      no reading
searched too long, searching, probe error   no reading, even where digits are sent
SpO2 drops                                  noted
==========================================  ======================================================

These devices stream. One reading comes when the values have been valid and steady for `settle_s` seconds,
more of the same finger only when they change or after `repeat_s`:
:class:`gateway.drivers.steadiness.OneFinger`.

The memory is not asked for: the old protocol states no time of its start, and how v7 states it is not known,
so that its values could only be filed under a wrong time. Where stored data come all the same they are shown
by ``decode`` and passed over live. Nothing that deletes or sets is ever said.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.codecs.contec_oximeter import PROTOCOLS, Notice, command
from gateway.codecs.framing import Frame
from gateway.codecs.oximeter_sample import Sample
from gateway.drivers.contract import (
    Driver,
    Event,
    Events,
    Fault,
    Measured,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    Setting,
    TcpLink,
    UsbLink,
)
from gateway.drivers.finger_samples import concluded, reading_of, unusable
from gateway.drivers.steadiness import REPEAT, OneFinger, repeat_after
from gateway.errors import DecodeError

_NO_FINGER = ("searched too long", "searching", "probe error")
_KEEP_ALIVE = "keep-alive"
_KEEP_ALIVE_S = 4.0
_SENSELESS = 1024
_START_V7, _ALIVE_V7 = (command(0xA1),), (command(0xAF),)
_START_HID = (command(0xA7) + command(0xA2), bytes.fromhex("9B 00 1B"), bytes.fromhex("9B 01 1C"))
_ALIVE_HID = (bytes.fromhex("9A 1A"),)
_SAID: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {
    "auto": (_START_V7, _ALIVE_V7),
    "v7": (_START_V7, _ALIVE_V7),
    "old": ((), ()),
    "hid": (_START_HID, _ALIVE_HID),
}


class Frames:
    """What some bytes say for themselves, in the protocol that accounts for most of them."""

    def __init__(self, protocol: str, **_concluding: str) -> None:
        self._names = tuple(PROTOCOLS) if protocol == "auto" else (protocol,)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        heard = {name: self._heard(name, data) for name in self._names}
        best = max(heard, key=lambda name: sum(len(f.content) for f in heard[name] if f.error is None))
        events = tuple(event for frame in heard[best] for event in self._events(best, frame, at))
        return events or (Progress("nothing measured"),)

    @staticmethod
    def _heard(name: str, data: bytes) -> tuple[Frame, ...]:
        framer = PROTOCOLS[name].framer()
        return (*framer.feed(data), *framer.flush())

    def _events(self, name: str, frame: Frame, at: datetime) -> Iterator[Event]:
        if frame.error is not None:
            yield _fault(frame.error, frame)
            return
        for said in PROTOCOLS[name].parse(frame.content):
            if isinstance(said, Notice):
                yield Progress(said.text)
            elif said.is_stored and unusable(said):
                yield Progress(f"a stored second: {unusable(said)}")
            else:
                note = ("from the memory of the oximeter",) if said.is_stored else ()
                yield Measured(reading_of(said).noted(*note).taken(at, by="gateway"))


class Session:
    """The stream of one connection."""

    def __init__(self, protocol: str, settle_s: str, repeat_s: str) -> None:
        self._start, self._alive = _SAID[protocol]
        names = tuple(PROTOCOLS) if protocol == "auto" else (protocol,)
        self._hearing = _Hearing(names)
        self._finger = OneFinger(int(settle_s), repeat_after(repeat_s))
        self._until_next = 0
        self._is_heard = False
        self._passes_over = False

    def connected(self, at: datetime) -> Events:
        return self._say(self._start)

    def timer(self, name: str, at: datetime) -> Events:
        """The stream is kept, or started again where the oximeter was switched off and on."""
        said = self._alive if self._is_heard else self._start
        self._is_heard = False
        return self._say(said)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return tuple(event for frame in self._hearing.feed(data) for event in self._events(frame, at))

    def disconnected(self, at: datetime) -> Events:
        return tuple(_fault(frame.error, frame) for frame in self._hearing.flush() if frame.error)

    def _say(self, said: tuple[bytes, ...]) -> Events:
        return (*map(Send, said), SetTimer(_KEEP_ALIVE, _KEEP_ALIVE_S)) if self._start else ()

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        if frame.error is not None:
            yield _fault(frame.error, frame)
            return
        self._is_heard = True
        for said in PROTOCOLS[self._hearing.protocol].parse(frame.content):
            if isinstance(said, Notice):
                yield Progress(said.text)
            elif said.is_stored:
                yield from self._stored()
            else:
                yield from self._streamed(frame, said, at)

    def _stored(self) -> Iterator[Event]:
        if not self._passes_over:
            self._passes_over = True
            yield Progress("stored values are passed over: when they were measured is not stated")

    def _streamed(self, frame: Frame, sample: Sample, at: datetime) -> Events:
        """One good frame a second counts; a bad one always does."""
        if self._until_next and not unusable(sample):
            self._until_next -= 1
            return ()
        self._until_next = 0 if unusable(sample) else PROTOCOLS[self._hearing.protocol].per_second - 1
        return concluded(self._finger, sample, frame.content, at)


class _Hearing:
    """All protocols listened for at once, until one has shown itself; that one from then on."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._framers = {name: PROTOCOLS[name].framer() for name in names}
        self._in_step: dict[str, list[Frame]] = {name: [] for name in names}
        self.protocol = names[0] if len(names) == 1 else ""
        self._read = self._understood = 0

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        """Frames of the protocol that is spoken."""
        if self.protocol:
            return self._framers[self.protocol].feed(data)
        self._read += len(data)
        for name, framer in self._framers.items():
            for frame in framer.feed(data):
                self._judge(name, frame)
        return tuple(self._in_step.pop(self.protocol, ())) or self._senseless()

    def flush(self) -> tuple[Frame, ...]:
        """What is wrong with the end of the stream; a frame that it cuts off is not."""
        if self.protocol:
            left = self._framers[self.protocol].flush()
            return tuple(frame for frame in left if frame.error and frame.error.code != "cut-off")
        count = self._read - self._understood
        return (_senseless(self._understood, count),) if count else ()

    def _judge(self, name: str, frame: Frame) -> None:
        """After as many frames in step as the protocol needs it is believed, if none was before."""
        if frame.error is not None and self.protocol != name:
            self._in_step[name].clear()
        elif frame.error is not None or frame.content.strip(b"\0"):  # zeros fill reports, and prove nothing
            self._in_step[name].append(frame)
        if not self.protocol and len(self._in_step[name]) >= PROTOCOLS[name].proof:
            self.protocol = name

    def _senseless(self) -> tuple[Frame, ...]:
        """Now and then a word that what comes makes no sense."""
        found = []
        while self._read - self._understood >= _SENSELESS:
            found.append(_senseless(self._understood, _SENSELESS))
            self._understood += _SENSELESS
        return tuple(found)


def _senseless(start: int, count: int) -> Frame:
    reason = f"{count} bytes in no protocol of a CMS50; its line is 115200 8N1, or 19200 8O1 of old ones"
    return Frame(b"", start, DecodeError("sync", reason, offset=0))


def _fault(error: DecodeError, frame: Frame) -> Fault:
    return Fault.from_error(error, offset=frame.offset)


DRIVER = Driver(
    id="contec-cms50d",
    vendor="Contec",
    models=("CMS50D", "CMS50D+", "CMS50E", "CMS50F", "Beurer PO 80", "Pulox PO-400"),
    kind="pulse-oximeter",
    emits={"spo2": ("%",), "pulse-rate": ("/min",), "perfusion-index": ("%",)},
    links=(
        SerialLink(baudrate=19200, parity="O", only_with=("protocol", "old")),
        SerialLink(baudrate=115200),
        UsbLink(vendor=0x28E9, product=0x028A),
        TcpLink(),
    ),
    settings=(
        Setting("protocol", ("auto", *PROTOCOLS), "auto", "which of the three; needed for old and hid"),
        Setting("settle_s", ("3", "5", "10", "20"), "5", "seconds that values must be steady"),
        REPEAT,
    ),
    evidence="capture",
    specials=(
        *(f"old: {what}" for what in (*_NO_FINGER, "zeros", "SpO2 127", "pulse 255")),
        *(f"v7: {what}" for what in (*_NO_FINGER, "zeros", "SpO2 7F", "pulse FF")),
        *(f"v7: {what}" for what in ("stored second without a value", "refused", "leaves")),
        "hid: SpO2 7F",
        "hid: pulse 255",
    ),
    session=Session,
    frames=Frames,
)
