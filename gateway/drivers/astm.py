r"""Analysers that speak ASTM E1381 (LIS1-A) and E1394 (LIS2-A2), of any maker, serial or over TCP.

The link with its byte table is in :mod:`gateway.codecs.astm_link`, frames and records in
:mod:`gateway.codecs.astm_frames` and :mod:`gateway.codecs.astm_records`; what becomes of a result in
:mod:`gateway.drivers.astm_orders`. Fields that count, from 1, the letter of the record being the first:

======  ==================================================================================================
record  fields
======  ==================================================================================================
H       5 sender (name^software^serial), 12 processing id, 14 time of the message
P       3 practice's, 4 laboratory's, 5 third patient id
O       3 host's, 4 analyser's specimen id, 12 action code, 26 report type
R       3 test (``^^^code``), 4 value, 5 unit, 7 flags, 9 status, 12 begun, 13 completed
C       4 text, of the record before it
Q       a question of the analyser for orders: answered that there is no information
L       3 how the message ended: T and R say that it was broken off
M, S    left out
======  ==================================================================================================

A reading is what belongs to one order and was completed at one time. Each result belongs to the last order,
each order to the last patient. Readings are stored before the frame that completes their order, or ends the
message, is acknowledged; a message that breaks off gives none of its last order, and the analyser, which got
no final acknowledgement, sends it again. A record that comes twice is known by its specimen, time and values.

Which field holds the patient's identifier differs by model: `identity` says it. ``P`` is the first of the
three that is not empty. The time of the message is not taken for the analyser's clock, since messages wait in
its memory.

Source: the rules of the standards as makers' host-interface manuals repeat them; messages of Afinion 2, DCA
Vantage, cobas c111 and c311, GeneXpert, Pentra XLR, Yumizen H500, XN-550, XP-100 in the test data of
senaite.astm. Evidence: capture.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, cast

from gateway.codecs.astm_frames import ACK, ENQ, EOT, NAK, Damaged, Signal, TextFrame, Tokens
from gateway.codecs.astm_link import Delivered, Ended, Link, LinkEvent, Opened, Say, Undelivered, Wait
from gateway.codecs.astm_records import Record, Records, header, moment, record
from gateway.drivers.astm_orders import MOST_RESULTS, Kind, Order, Result, events_of
from gateway.drivers.contract import (
    Driver,
    Event,
    Events,
    Fault,
    Identified,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    Setting,
    TcpLink,
)
from gateway.errors import DecodeError
from gateway.model import Device

_TIMER = "link"
_PATIENT_IDS = (3, 4, 5)
_NO_INFORMATION = "I"
_BROKEN_OFF = {"T": "the sender", "R": "the receiver"}
_SERIAL = re.compile(r"(?=.*\d)[A-Za-z0-9-]{4,}")
_SIGNALS = {
    ENQ: "ENQ: asks to send",
    ACK: "ACK: taken, or ready",
    NAK: "NAK: not taken, to be sent again; or busy, to be asked again after 10 s",
    EOT: "EOT: done",
}
_OUR_NAME = "GATEWAY"
_ENCODINGS = ("latin-1", "utf-8", "cp1252", "cp850", "cp437")


class Messages:
    """The records of one transmission after another, made into readings.

    Parameters
    ----------
    kind : str
        Of the readings.
    identity : str
        The field with the patient's identifier; ``P`` for the first patient id that is not empty.
    encoding : str
    """

    def __init__(self, kind: Kind, identity: str, encoding: str) -> None:
        self._kind = kind
        self._identity = identity
        self._encoding = encoding
        self.begin()

    def begin(self) -> None:
        """A transmission begins: nothing of the one before counts any more."""
        self._records = Records(self._encoding)
        self._sent_at: datetime | None = None
        self._processing = ""
        self._patient: Record | None = None
        self._order: Order | None = None
        self._comments: list[str] = []
        self.asks = False

    def text(self, frame: TextFrame, at: datetime) -> Iterator[Event]:
        yield from self._all(
            self._records.feed(frame.text, ends_message=frame.ends_message), frame.offset, at
        )

    def end(self, offset: int, at: datetime) -> Iterator[Event]:
        """The transmission ended. What no terminator ended is not taken."""
        yield from self._all(self._records.flush(), offset, at)
        if self._order is not None and self._order.results:
            count = len(self._order.results)
            yield Fault("unfinished", f"the message broke off: {count} results not taken", offset)
        self._order = None

    def finish(self, offset: int, at: datetime) -> Iterator[Event]:
        """Everything that was said counts, whether or not it was ended."""
        yield from self._all(self._records.flush(), offset, at)
        yield from self._complete(at)

    def _all(self, records: tuple[Record | DecodeError, ...], offset: int, at: datetime) -> Iterator[Event]:
        for each in records:
            if isinstance(each, DecodeError):
                yield Fault(each.code, f"in a record: {each.message}", offset)
            else:
                yield from self._take(each, offset, at)

    def _take(self, each: Record, offset: int, at: datetime) -> Iterator[Event]:
        match each.type:
            case "H":
                yield from self._begin_message(each, offset)
            case "P":
                yield from self._complete(at)
                self._patient, self._comments = each, []
            case "O":
                yield from self._complete(at)
                self._begin_order(each)
            case "R":
                yield from self._result(each, offset)
            case "C":
                if text := _comment(each):
                    self._comments.append(text)
            case "Q":
                self.asks = True
            case "L":
                yield from self._end_message(each, offset, at)
            case _:
                pass
        if self._order is not None and each.type in "ORC":
            self._order.raw.append(each.encode(self._encoding))

    def _begin_message(self, each: Record, offset: int) -> Iterator[Event]:
        self._order, self._patient, self._comments = None, None, []
        self._processing = each.text(12).upper()
        if each.component(5, 1):
            yield Identified(_sender(each))
        try:
            self._sent_at = moment(each.text(14))
        except DecodeError as error:
            self._sent_at = None
            yield Fault(error.code, f"time of the message: {error.message}", offset)

    def _begin_order(self, each: Record) -> None:
        self._order = Order.ordered(each, subject=self._subject(each), processing=self._processing)
        self._comments = self._order.comments

    def _result(self, each: Record, offset: int) -> Iterator[Event]:
        if self._order is None:
            self._begin_order(Record("O", ("O",), each.delimiters))
        order = cast("Order", self._order)
        if len(order.results) == MOST_RESULTS:
            yield Fault("length", f"more than {MOST_RESULTS} results in an order", offset)
            return
        result = Result(each, offset)
        if not result.code:
            yield Fault("layout", "a result that names no test", offset)
            return
        order.results.append(result)
        self._comments = result.comments

    def _end_message(self, each: Record, offset: int, at: datetime) -> Iterator[Event]:
        if broken := _BROKEN_OFF.get(each.text(3).upper()):
            yield Fault("unfinished", f"{broken} broke the message off", offset)
        else:
            yield from self._complete(at)
        self._order = None

    def _complete(self, at: datetime) -> Iterator[Event]:
        order, self._order = self._order, None
        if order is not None:
            yield from events_of(order, self._kind, self._sent_at, at)

    def _subject(self, order: Record) -> str | None:
        letter, _, number = self._identity.partition("-")
        source = order if letter == "O" else self._patient
        numbers = (int(number),) if number else _PATIENT_IDS
        if source is None:
            return None
        return next((part for n in numbers for part in source.repeats(n)[0] if part), None)


class Frames:
    """What some bytes say, whatever is said around them: frames by themselves, messages without an end."""

    def __init__(self, reading_kind: Kind, identity: str, encoding: str, **_link: str) -> None:
        self._tokens = Tokens()
        self._messages = Messages(reading_kind, identity, encoding)
        self._last: TextFrame | None = None
        self._holds = True

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return tuple(e for token in self._tokens.feed(data) for e in self._take(token, at))

    def disconnected(self, at: datetime) -> Events:
        left = [e for token in self._tokens.flush() for e in self._take(token, at)]
        return (*left, *self._finish(self._tokens.position, at))

    def _take(self, token: Signal | TextFrame | Damaged, at: datetime) -> Iterator[Event]:
        if isinstance(token, Damaged):
            self._holds = self._holds and not token.is_answered
            yield _fault(token)
        elif isinstance(token, Signal):
            yield Progress(_SIGNALS[token.byte])
            if token.byte == EOT:
                yield from self._finish(token.offset, at)
        elif self._last is None or self._last[:3] != token[:3]:
            self._last = token
            yield from self._messages.text(token, at) if self._holds else ()

    def _finish(self, offset: int, at: datetime) -> Iterator[Event]:
        """After a frame that was lost, nobody knows whose the results are that follow."""
        ended = self._messages.finish(offset, at) if self._holds else ()
        yield from ended
        self._messages.begin()
        self._last, self._holds = None, True


class Session:
    """One connection: the receiver's side of the link, which answers when what was said is stored."""

    def __init__(self, reading_kind: Kind, identity: str, encoding: str, frame_numbers: str) -> None:
        lowest = cast("Literal[0, 1]", int(frame_numbers[0]))
        self._link = Link("host", lowest_number=lowest)
        self._messages = Messages(reading_kind, identity, encoding)
        self._offset = 0

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return self._all(self._link.received(data), at)

    def timer(self, name: str, at: datetime) -> Events:
        return self._all(self._link.timed_out(), at)

    def disconnected(self, at: datetime) -> Events:
        return self._all(self._link.closed(), at)

    def _all(self, said: tuple[LinkEvent, ...], at: datetime) -> Events:
        return tuple(event for each in said for event in self._events(each, at))

    def _events(self, said: LinkEvent, at: datetime) -> Iterator[Event]:
        match said:
            case Say(data):
                yield Send(data)
            case Wait(seconds):
                yield SetTimer(_TIMER, seconds)
            case Opened():
                self._messages.begin()
                yield Progress("the analyser sends")
            case TextFrame():
                self._offset = said.offset
                yield from self._messages.text(said, at)
            case Ended():
                yield from self._messages.end(self._offset, at)
                yield from self._answer(at)
            case Damaged():
                yield _fault(said)
            case Delivered():
                yield Progress("the analyser was answered")
            case Undelivered(reason):
                yield Fault("undelivered", f"the analyser did not take the answer to its question: {reason}")

    def _answer(self, at: datetime) -> Events:
        """To a question for orders: that there are none to be had here."""
        if not self._messages.asks:
            return ()
        self._messages.asks = False
        head = header("", "", _OUR_NAME, *[""] * 6, "P", "LIS2-A2", f"{at:%Y%m%d%H%M%S}")
        return self._all(self._link.send((head.encode(), record("L", "1", _NO_INFORMATION).encode())), at)


def _sender(each: Record) -> Device:
    """Name and serial number; some makers have a version, or a hospital, where others have that number."""
    parts = each.repeats(5)[0]
    serial = parts[2] if len(parts) == 3 and _SERIAL.fullmatch(parts[2]) else None
    return Device(model=parts[0], serial=serial)


def _comment(each: Record) -> str:
    parts = [part for repeat in each.repeats(4) for part in repeat if part]
    return " ".join(parts)


def _fault(damaged: Damaged) -> Fault:
    return Fault.from_error(damaged.error, offset=damaged.offset)


DRIVER = Driver(
    id="astm",
    vendor="",
    models=(),
    kind="analyser",
    emits={},
    own_codes=True,
    links=(SerialLink(baudrate=9600), TcpLink()),
    settings=(
        Setting("reading_kind", ("laboratory", "urinalysis"), "laboratory", "what the analyser measures"),
        Setting(
            "identity",
            ("P", "P-3", "P-4", "P-5", "O-3", "O-4"),
            "P",
            "record and field with the patient's identifier; P for the first that is not empty",
        ),
        Setting("encoding", _ENCODINGS, "latin-1", "of texts"),
        Setting("frame_numbers", ("0-7", "1-7"), "0-7", "how frames are counted after the first"),
    ),
    evidence="capture",
    specials=(
        *("dashes", "asterisks", "pluses", "INVALID", "ERROR", "NO RESULT", "status X", "status I"),
        *("finding", "suspicion", "image", "report type X", "action code Q"),
        *(f"processing id {letter}" for letter in "QTD"),
    ),
    session=Session,
    frames=Frames,
)
