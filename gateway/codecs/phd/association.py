"""The manager's side of IEEE 11073-20601, as a machine without I/O: messages in, answers and results out.

==============  ==================================  =======================================================
state           message                             what the manager does
==============  ==================================  =======================================================
any             association request                 answers: accepted where the configuration is known, by
                                                    heart or from before; else accepted, configuration
                                                    unknown. One in the middle means that the device
                                                    restarted
configuring     configuration                       accepted where it holds an object that is understood,
                                                    else unsupported
operating       scan report, segment event          taken, then confirmed where the device wants it
associated      release request                     answered; the association is over
any             abort                               the association is over
==============  ==================================  =======================================================

Once operating it asks, one after the other: for what the device says of itself; to set its clock if that is
wanted; for data, where the device does not start by itself; for its scanners to be switched on; for the
segments of its stores and their entries. What was not confirmed the device keeps.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from gateway.codecs.phd import apdus
from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.mder import Fields, encode_absolute_time, encode_block, u16, u32
from gateway.codecs.phd.objects import (
    Configuration,
    Description,
    Objects,
    attributes,
    configuration,
    described,
    standard_configuration,
)
from gateway.codecs.phd.observations import Observation, is_known, scan
from gateway.codecs.phd.store import (
    ALL_SEGMENTS,
    Segment,
    segment_data,
    segments,
    stored,
    transfer_refusal,
)
from gateway.errors import DecodeError

CONFIGURATION_S, ANSWER_S = 10.0, 10.0
_ACCEPTED, _UNSUPPORTED = 0, 1
_START, _ALL_OBJECTS, _WITHOUT_LIMIT, _ONCE = 0x8000, 0x0800, 0x0020, 0x0080
_DATA_REQUEST_ID = 1
_ENABLED = u16(1)
_BADLY_STRUCTURED = 2
_MOST_KNOWN = 16
_NO_NUMBERS = {n.ENUMERATION: "an enumeration", n.SAMPLES: "a waveform"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A message for the device. One that follows results confirms them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Deadline:
    """`timed_out` wanted after so many seconds; zero cancels."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Associated:
    system_id: bytes


@dataclass(frozen=True, slots=True)
class Described:
    description: Description


@dataclass(frozen=True, slots=True)
class ClockWasSet:
    """The device has confirmed the time that it was given."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was measured.

    Parameters
    ----------
    observations : tuple of Observation
    is_confirmed : bool
        Whether a confirmation follows, after which the device may forget them.
    assumed : int, optional
        The standard configuration that was taken to hold although the device did not name it.
    """

    observations: tuple[Observation, ...]
    is_confirmed: bool = False
    assumed: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A message that does not hold, or one that the state does not allow."""

    error: DecodeError


Output = Reply | Deadline | Associated | Described | ClockWasSet | Observed | Notice | Broken


class _State(Enum):
    UNASSOCIATED = auto()
    CONFIGURING = auto()
    OPERATING = auto()


@dataclass(frozen=True, slots=True)
class _Request:
    """Something to ask the device for; `encode` makes the message with an invoke id."""

    what: str
    encode: Callable[[int], bytes]


class Association:
    """One connection with one device.

    Parameters
    ----------
    system_id : bytes
        The manager's own EUI-64.
    sets_clock : bool
    """

    def __init__(self, system_id: bytes, *, sets_clock: bool = False) -> None:
        self._system_id = system_id
        self._sets_clock = sets_clock
        self._state = _State.UNASSOCIATED
        self._known: dict[tuple[bytes, int], Configuration] = {}
        self._request = apdus.AssociationRequest(apdus.ACCEPTED)
        self._objects: Objects = MappingProxyType({})
        self._segments: dict[tuple[int, int], Segment] = {}
        self._wanted: deque[_Request] = deque()
        self._awaited: _Request | None = None
        self._invoke_id = 0

    def received(self, apdu: bytes, at: datetime) -> tuple[Output, ...]:
        """What a message brings; `at` is the time to which a clock is set."""
        try:
            message = apdus.parse(apdu)
            return tuple(self._taken(message, at))
        except DecodeError as error:
            return (Broken(error),)

    def timed_out(self) -> tuple[Output, ...]:
        """The device has not said what was waited for."""
        if self._state is _State.CONFIGURING:
            self._end()
            error = DecodeError("timeout", "no configuration came", offset=0)
            return Reply(apdus.encode_abort(apdus.CONFIGURATION_TIMEOUT)), Broken(error)
        if self._awaited is None:
            return ()
        return Notice(f"the device does not answer: {self._awaited.what}"), *self._next()

    def _taken(self, message: apdus.Apdu, at: datetime) -> Iterator[Output]:
        match message:
            case apdus.AssociationRequest():
                yield from self._associate(message)
            case apdus.Release(reason, is_answer):
                yield from self._released(reason, is_answer=is_answer)
            case apdus.Abort(reason):
                self._end()
                yield Notice(f"the device has aborted: {reason}")
                yield Deadline(0)
            case apdus.AssociationResponse():
                yield from self._out_of_place("an answer to an association that nobody asked for")
            case apdus.Data():
                yield from self._data(message, at)

    def _associate(self, request: apdus.AssociationRequest) -> Iterator[Output]:
        if self._state is not _State.UNASSOCIATED:
            yield Notice("the device begins anew")
        self._end()
        if request.refusal != apdus.ACCEPTED:
            yield Reply(apdus.encode_association_response(request.refusal, self._system_id))
            yield Broken(DecodeError("association", apdus.RESULTS[request.refusal], offset=0))
            return
        self._request = request
        yield Associated(request.system_id)
        known = self._configuration(request)
        if known is None:
            self._state = _State.CONFIGURING
            yield Notice(f"configuration 0x{request.configuration:04X} is not known yet")
            result = apdus.ACCEPTED_UNKNOWN_CONFIGURATION
            yield Reply(apdus.encode_association_response(result, self._system_id))
            yield Deadline(CONFIGURATION_S)
            return
        yield Notice(f"configuration 0x{request.configuration:04X}")
        yield Reply(apdus.encode_association_response(apdus.ACCEPTED, self._system_id))
        yield from self._operate(known)

    def _configuration(self, request: apdus.AssociationRequest) -> Configuration | None:
        before = self._known.get((request.system_id, request.configuration))
        return before or standard_configuration(request.configuration)

    def _operate(self, known: Configuration) -> Iterator[Output]:
        self._state = _State.OPERATING
        self._objects = known.objects
        self._wanted = deque((_DESCRIPTION, *self._requests()))
        yield from self._next()

    def _requests(self) -> Iterator[_Request]:
        if self._request.started_by_host and not self._request.started_by_device:
            yield _Request("to send data", self._encode_data_request)
        for each in self._objects.values():
            if each.kind in {n.EPISODIC_SCANNER, n.PERIODIC_SCANNER}:
                yield _enable(each.handle)
            if each.kind == n.STORE:
                yield _segment_information(each.handle)

    def _encode_data_request(self, invoke_id: int) -> bytes:
        lasting = _WITHOUT_LIMIT if self._request.modes & _WITHOUT_LIMIT else _ONCE
        mode = _START | _ALL_OBJECTS | lasting
        objects = u16(0) + encode_block(b"")
        info = u16(_DATA_REQUEST_ID) + u16(mode) + u32(0) + u16(0) + u16(0) + objects
        return apdus.encode_action(invoke_id, 0, n.DATA_REQUEST, info)

    def _next(self) -> Iterator[Output]:
        self._awaited = self._wanted.popleft() if self._wanted else None
        if self._awaited is None:
            yield Deadline(0)
            return
        self._invoke_id = (self._invoke_id + 1) & 0xFFFF
        yield Reply(self._awaited.encode(self._invoke_id))
        yield Deadline(ANSWER_S)

    def _released(self, reason: str, *, is_answer: bool) -> Iterator[Output]:
        self._end()
        yield Notice(f"the association is released: {reason}")
        yield Deadline(0)
        if not is_answer:
            yield Reply(apdus.encode_release_response())

    def _end(self) -> None:
        self._state = _State.UNASSOCIATED
        self._objects = MappingProxyType({})
        self._segments.clear()
        self._wanted.clear()
        self._awaited = None

    def _data(self, data: apdus.Data, at: datetime) -> Iterator[Output]:
        if self._state is _State.UNASSOCIATED:
            yield from self._out_of_place("data without an association")
        elif data.choice in {apdus.EVENT, apdus.CONFIRMED_EVENT}:
            yield from self._event(data)
        elif data.choice in _ANSWERS:
            yield from self._answered(data, at)
        else:
            yield Reply(apdus.encode_error(data.invoke_id, apdus.NOT_ALLOWED))
            yield Broken(DecodeError("operation", apdus.choice_text(data.choice), offset=8))

    def _out_of_place(self, what: str) -> Iterator[Output]:
        self._end()
        yield Reply(apdus.encode_abort(apdus.UNDEFINED))
        yield Broken(DecodeError("state", what, offset=0))

    def _event(self, data: apdus.Data) -> Iterator[Output]:
        try:
            report = apdus.event_report(data)
            results, answer = self._results(report)
        except DecodeError as error:
            yield Broken(error)
            if data.choice == apdus.CONFIRMED_EVENT:
                yield Reply(apdus.encode_data(data.invoke_id, apdus.REJECT, u16(_BADLY_STRUCTURED)))
            return
        is_confirmed = data.choice == apdus.CONFIRMED_EVENT
        for each in results:
            yield replace(each, is_confirmed=is_confirmed) if isinstance(each, Observed) else each
        if is_confirmed:
            yield Reply(apdus.encode_event_answer(data.invoke_id, report, answer))
        if report.type == n.CONFIGURATION_EVENT and self._state is _State.CONFIGURING and self._objects:
            yield from self._operate(Configuration(self._request.configuration, self._objects))
        elif report.type == n.SEGMENT_DATA and self._awaited is None:
            yield from self._next()

    def _results(self, report: apdus.EventReport) -> tuple[tuple[Output, ...], bytes]:
        """What an event report brings, and what its answer holds."""
        if report.type == n.CONFIGURATION_EVENT:
            return self._configured(configuration(report.info))
        if report.type == n.SEGMENT_DATA:
            return self._segment_data(report)
        if report.type in n.SCANS:
            return self._scanned(report.type, report.info, report.handle), b""
        raise DecodeError("event", f"0x{report.type:04X} is no event of 20601", offset=18)

    def _configured(self, sent: Configuration) -> tuple[tuple[Output, ...], bytes]:
        is_understood = any(is_known(each) or each.kind == n.STORE for each in sent.objects.values())
        answer = u16(sent.id) + u16(_ACCEPTED if is_understood else _UNSUPPORTED)
        if not is_understood:
            return (Notice(f"configuration 0x{sent.id:04X} holds nothing that is understood"),), answer
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[self._request.system_id, sent.id] = sent
        self._objects = sent.objects
        described = Notice(f"configuration 0x{sent.id:04X} of {len(sent.objects)} objects")
        return (described, *_passed_over(sent.objects)), answer

    def _scanned(self, event_type: int, info: Fields, scanner: int) -> tuple[Output, ...]:
        if not self._objects:
            raise DecodeError("state", "a report before the configuration", offset=info.offset)
        found = scan(event_type, info, scanner, self._objects)
        self._objects = found.objects
        return Observed(found.observations), *map(Broken, found.errors)

    def _segment_data(self, report: apdus.EventReport) -> tuple[tuple[Output, ...], bytes]:
        data = segment_data(report.info)
        segment = self._segments.get((report.handle, data.instance))
        if segment is None:
            raise DecodeError("object", f"the map of segment {data.instance} is not known", offset=0)
        results: tuple[Output, ...]
        try:
            results, taken = (Observed(stored(data, segment, self._objects)), Deadline(ANSWER_S)), True
        except DecodeError as error:
            results, taken = (Broken(error),), False
        if data.is_broken_off:
            results = (*results, Notice(f"the device has broken off segment {data.instance}"))
        if data.is_last or not taken:
            self._awaited = None
        return results, data.answer(taken=taken)

    def _answered(self, data: apdus.Data, at: datetime) -> Iterator[Output]:
        awaited = self._awaited
        if awaited is None or data.invoke_id != self._invoke_id:
            yield Notice(f"{apdus.choice_text(data.choice)} that nobody waits for")
            return
        if data.choice in {apdus.ERROR, apdus.REJECT}:
            yield Notice(f"the device refuses {awaited.what}: {apdus.error_text(data)}")
            yield from self._next()
            return
        try:
            goes_on = yield from self._answer(data, at)
        except DecodeError as error:
            yield Broken(error)
            goes_on = True
        if goes_on:
            yield from self._next()

    def _answer(self, data: apdus.Data, at: datetime) -> Generator[Output, None, bool]:
        """What an answer brings; whether the next request may be made."""
        fields = data.fields
        handle = fields.u16("object handle")
        if data.choice == apdus.GET_ANSWER:
            yield from self._description(handle, fields, at)
        elif data.choice == apdus.ACTION_ANSWER:
            action = fields.u16("action")
            return (yield from self._acted(handle, action, fields.block("action information")))
        return True

    def _description(self, handle: int, fields: Fields, at: datetime) -> Iterator[Output]:
        if handle:
            return
        found = described(attributes(fields))
        yield Described(found)
        if self._sets_clock and found.can_set_clock:
            info = encode_absolute_time(at) + u32(0)
            self._wanted.appendleft(
                _Request("its clock to be set", lambda i: apdus.encode_action(i, 0, n.SET_TIME, info))
            )

    def _acted(self, handle: int, action: int, info: Fields) -> Generator[Output, None, bool]:
        if action == n.SET_TIME:
            yield ClockWasSet()
        elif action == n.SEGMENT_INFORMATION:
            found = segments(info) if info.left else ()
            self._segments.update({(handle, each.instance): each for each in found})
            self._wanted.extendleft(_transfer(handle, each.instance) for each in reversed(found))
            yield Notice(f"{len(found)} segments in the store")
        elif action == n.TRANSFER_SEGMENT:
            if (refusal := transfer_refusal(info)) is None:
                return False
            yield Notice(f"segment not sent: {refusal}")
        elif action == n.DATA_REQUEST:
            yield from self._data_response(info)
        return True

    def _data_response(self, info: Fields) -> Iterator[Output]:
        info.u32("relative time")
        result, event_type = info.u16("result"), info.u16("event type")
        if result:
            yield Notice(f"the device does not send data: result {result}")
        elif event_type in n.SCANS:
            yield from self._scanned(event_type, info.block("event"), 0)


_ANSWERS = {apdus.GET_ANSWER, apdus.SET_ANSWER, apdus.ACTION_ANSWER, apdus.ERROR, apdus.REJECT}
_DESCRIPTION = _Request("its description", lambda invoke_id: apdus.encode_get(invoke_id, 0))


def _enable(handle: int) -> _Request:
    return _Request(
        "a scanner to be switched on",
        lambda invoke_id: apdus.encode_set(invoke_id, handle, n.OPERATIONAL_STATE, _ENABLED),
    )


def _segment_information(handle: int) -> _Request:
    return _Request(
        "the segments of its store",
        lambda invoke_id: apdus.encode_action(invoke_id, handle, n.SEGMENT_INFORMATION, ALL_SEGMENTS),
    )


def _transfer(handle: int, instance: int) -> _Request:
    return _Request(
        f"segment {instance}",
        lambda invoke_id: apdus.encode_action(invoke_id, handle, n.TRANSFER_SEGMENT, u16(instance)),
    )


def _passed_over(objects: Objects) -> Iterator[Notice]:
    """Of each object whose values are not read, which one it is and why not."""
    for handle, each in objects.items():
        if each.kind in _NO_NUMBERS:
            yield Notice(f"object {handle} is not read: {_NO_NUMBERS[each.kind]}")
        elif each.kind == n.NUMERIC and not is_known(each):
            yield Notice(f"object {handle} is not read: a code of the maker's own")
