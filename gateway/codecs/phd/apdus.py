"""The messages (APDUs) of IEEE 11073-20601, and how they are found in a stream.

=====  =======================  ======================================================================
type   message                  content
=====  =======================  ======================================================================
E2 00  association request      version, data protocols; of 20601: versions, encoding rules, functional
                                units, system type, system id, configuration id, data request modes
E3 00  association response     result, then the same of the other side
E4 00  release request          reason
E5 00  release response         reason
E6 00  abort                    reason
E7 00  data                     length, invoke id, choice, length, body
=====  =======================  ======================================================================

Bytes 2 and 3 hold the length of what follows them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.codecs.framing import Blocks
from gateway.codecs.phd.mder import Fields, encode_block, u16, u32
from gateway.errors import DecodeError

LONGEST = 65_539

ASSOCIATION_REQUEST, ASSOCIATION_RESPONSE = 0xE200, 0xE300
RELEASE_REQUEST, RELEASE_RESPONSE, ABORT, DATA = 0xE400, 0xE500, 0xE600, 0xE700

EVENT, CONFIRMED_EVENT, GET, SET, CONFIRMED_SET, ACTION, CONFIRMED_ACTION = (
    0x0100,
    0x0101,
    0x0103,
    0x0104,
    0x0105,
    0x0106,
    0x0107,
)
EVENT_ANSWER, GET_ANSWER, SET_ANSWER, ACTION_ANSWER, ERROR, REJECT = (
    0x0201,
    0x0203,
    0x0205,
    0x0207,
    0x0300,
    0x0400,
)
CHOICES: Mapping[int, str] = MappingProxyType(
    {
        EVENT: "event report",
        CONFIRMED_EVENT: "confirmed event report",
        GET: "get",
        SET: "set",
        CONFIRMED_SET: "confirmed set",
        ACTION: "action",
        CONFIRMED_ACTION: "confirmed action",
        EVENT_ANSWER: "answer to an event report",
        GET_ANSWER: "answer to get",
        SET_ANSWER: "answer to set",
        ACTION_ANSWER: "answer to an action",
        ERROR: "error",
        REJECT: "reject",
    }
)

ACCEPTED, ACCEPTED_UNKNOWN_CONFIGURATION = 0, 3
NO_COMMON_PROTOCOL, NO_COMMON_PARAMETER, UNSUPPORTED_VERSION = 4, 5, 8
RESULTS: Mapping[int, str] = MappingProxyType(
    {
        ACCEPTED: "accepted",
        1: "rejected for good",
        2: "rejected for now",
        ACCEPTED_UNKNOWN_CONFIGURATION: "accepted, configuration unknown",
        NO_COMMON_PROTOCOL: "no common protocol",
        NO_COMMON_PARAMETER: "no common parameter",
        6: "rejected",
        7: "not authorised",
        UNSUPPORTED_VERSION: "association version not supported",
    }
)
NORMAL, UNDEFINED, BUFFER_OVERFLOW, RESPONSE_TIMEOUT, CONFIGURATION_TIMEOUT = 0, 0, 1, 2, 3
_RELEASE_REASONS = {NORMAL: "normal", 1: "no more configurations", 2: "configuration changed"}
_ABORT_REASONS = {
    UNDEFINED: "undefined",
    BUFFER_OVERFLOW: "buffer overflow",
    RESPONSE_TIMEOUT: "response timeout",
    CONFIGURATION_TIMEOUT: "configuration timeout",
}
_ERRORS = {
    1: "no such object",
    2: "access denied",
    9: "no such action",
    17: "object not valid",
    23: "protocol violation",
    24: "not allowed by the object",
    25: "action timed out",
    26: "action aborted",
}
_REJECTIONS = {
    0: "message not recognised",
    2: "message badly structured",
    101: "operation not recognised",
    103: "resources exhausted",
    303: "unexpected error",
}
NOT_ALLOWED, UNRECOGNISED_OPERATION = 24, 101

_VERSION_1 = 0x80000000
_PROTOCOL_20601 = 20601
_MDER = 0x8000
_MANAGER = 0x80000000

# Outer and inner lengths agree, or a message of fixed size: what garbage does not look like.
_STARTS = re.compile(rb"[\xe2-\xe7]\x00")
_LOOKAHEAD = 2
_HEADER = 6
_UNMISTAKABLE = 10


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """Who the device is and what it would speak.

    Parameters
    ----------
    refusal : int
        The result that it deserves; :data:`ACCEPTED` where versions and encoding rules fit.
    system_id : bytes
        EUI-64: the device's identity. Empty where it speaks another protocol.
    configuration : int
    modes : int
        Of data requests, a bit each.
    started_by_device, started_by_host : int
        How many data requests each may start.
    """

    refusal: int
    system_id: bytes = b""
    configuration: int = 0
    modes: int = 0
    started_by_device: int = 0
    started_by_host: int = 0


@dataclass(frozen=True, slots=True)
class AssociationResponse:
    result: int


@dataclass(frozen=True, slots=True)
class Release:
    """A request for the end of the association, or the answer to one."""

    reason: str
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Abort:
    reason: str


@dataclass(frozen=True, slots=True)
class Data:
    """A remote operation, or what came of one.

    `body` starts `offset` bytes into the message.
    """

    invoke_id: int
    choice: int
    body: bytes
    offset: int

    @property
    def fields(self) -> Fields:
        return Fields(self.body, self.offset)


Apdu = AssociationRequest | AssociationResponse | Release | Abort | Data


@dataclass(frozen=True, slots=True)
class EventReport:
    handle: int
    time: int
    type: int
    info: Fields


def framer() -> Blocks:
    """Cuts a stream into messages; one that was cut short costs no more than itself."""
    return Blocks(_STARTS, _LOOKAHEAD, length=_length, check=_holds, longest=LONGEST)


def begins(data: bytes) -> bool:
    """Whether a message begins there, by marks that no content of another has."""
    if len(data) < _UNMISTAKABLE or not _STARTS.match(data) or _length(data[:_HEADER]) < 0:
        return False
    if data[0] << 8 == DATA:
        return int.from_bytes(data[8:10], "big") in CHOICES
    return data[0] << 8 == ASSOCIATION_REQUEST


def parse(apdu: bytes) -> Apdu:
    """One message, all of it.

    Raises
    ------
    DecodeError
        Its lengths do not agree, or its type is unknown.
    """
    fields = Fields(apdu)
    kind = fields.u16("type")
    content = fields.block("message")
    fields.end("message")
    if kind == ASSOCIATION_REQUEST:
        return _association_request(content)
    if kind == ASSOCIATION_RESPONSE:
        return AssociationResponse(content.u16("result"))
    if kind in {RELEASE_REQUEST, RELEASE_RESPONSE}:
        reason = content.u16("reason")
        content.end("release")
        return Release(_RELEASE_REASONS.get(reason, f"reason {reason}"), kind == RELEASE_RESPONSE)
    if kind == ABORT:
        reason = content.u16("reason")
        content.end("abort")
        return Abort(_ABORT_REASONS.get(reason, f"reason {reason}"))
    if kind == DATA:
        return _data(content)
    raise DecodeError("type", f"0x{kind:04X} is no message of 20601", offset=0)


def event_report(data: Data) -> EventReport:
    """The event report that `data` carries.

    Raises
    ------
    DecodeError
        It is cut off, or its lengths do not agree.
    """
    fields = data.fields
    report = EventReport(
        fields.u16("handle"), fields.u32("event time"), fields.u16("event type"), fields.block("event")
    )
    fields.end("event report")
    return report


def choice_text(choice: int) -> str:
    """What kind of data message it is, in words."""
    return CHOICES.get(choice, f"operation 0x{choice:04X}")


def error_text(data: Data) -> str:
    """Why the device did not do what it was asked."""
    code = data.fields.u16("error")
    table = _ERRORS if data.choice == ERROR else _REJECTIONS
    return table.get(code, f"error {code}")


def encode_association_response(result: int, system_id: bytes) -> bytes:
    """The manager's answer to an association request."""
    information = b"".join(
        (
            u32(_VERSION_1),
            u16(_MDER),
            u32(_VERSION_1),
            u32(0),
            u32(_MANAGER),
            encode_block(system_id),
            bytes(2 + 2 + 1 + 1 + 4),
        )
    )
    accepted = result in {ACCEPTED, ACCEPTED_UNKNOWN_CONFIGURATION}
    protocol = u16(_PROTOCOL_20601) + encode_block(information) if accepted else u16(0) + encode_block(b"")
    return _apdu(ASSOCIATION_RESPONSE, u16(result) + protocol)


def encode_release_response() -> bytes:
    return _apdu(RELEASE_RESPONSE, u16(NORMAL))


def encode_abort(reason: int) -> bytes:
    return _apdu(ABORT, u16(reason))


def encode_data(invoke_id: int, choice: int, body: bytes) -> bytes:
    return _apdu(DATA, encode_block(u16(invoke_id) + u16(choice) + encode_block(body)))


def encode_event_answer(invoke_id: int, report: EventReport, info: bytes = b"") -> bytes:
    body = u16(report.handle) + u32(0) + u16(report.type) + encode_block(info)
    return encode_data(invoke_id, EVENT_ANSWER, body)


def encode_get(invoke_id: int, handle: int) -> bytes:
    """All attributes of an object."""
    return encode_data(invoke_id, GET, u16(handle) + u16(0) + encode_block(b""))


def encode_action(invoke_id: int, handle: int, action: int, info: bytes) -> bytes:
    return encode_data(invoke_id, CONFIRMED_ACTION, u16(handle) + u16(action) + encode_block(info))


def encode_set(invoke_id: int, handle: int, attribute: int, value: bytes) -> bytes:
    """One attribute replaced."""
    modification = u16(0) + u16(attribute) + encode_block(value)
    body = u16(handle) + u16(1) + encode_block(modification)
    return encode_data(invoke_id, CONFIRMED_SET, body)


def encode_error(invoke_id: int, code: int) -> bytes:
    return encode_data(invoke_id, ERROR, u16(code) + encode_block(b""))


def _apdu(kind: int, content: bytes) -> bytes:
    return u16(kind) + encode_block(content)


def _association_request(content: Fields) -> AssociationRequest:
    version = content.u32("association version")
    requests = {}
    for item in content.items("data protocols"):
        protocol = item.u16("data protocol")
        requests[protocol] = item.block("protocol information")
    content.end("association request")
    if not version & _VERSION_1:
        return AssociationRequest(UNSUPPORTED_VERSION)
    if _PROTOCOL_20601 not in requests:
        return AssociationRequest(NO_COMMON_PROTOCOL)
    return _protocol_information(requests[_PROTOCOL_20601])


def _protocol_information(fields: Fields) -> AssociationRequest:
    version = fields.u32("protocol version")
    encoding = fields.u16("encoding rules")
    fields.take(4 + 4 + 4, "nomenclature version, functional units, system type")
    fits = version & _VERSION_1 and encoding & _MDER
    return AssociationRequest(
        refusal=ACCEPTED if fits else NO_COMMON_PARAMETER,
        system_id=fields.block("system id").rest(),
        configuration=fields.u16("configuration id"),
        modes=fields.u16("data request modes"),
        started_by_device=fields.unsigned(1, "data requests of the device"),
        started_by_host=fields.unsigned(1, "data requests of the host"),
    )


def _data(content: Fields) -> Data:
    inner = content.block("data")
    content.end("data")
    invoke_id, choice = inner.u16("invoke id"), inner.u16("choice")
    body = inner.block("operation")
    inner.end("operation")
    offset = body.offset
    return Data(invoke_id, choice, body.rest(), offset)


def _length(data: bytes) -> int:
    """Of the message that starts there; 0 while it cannot be told, -1 where none does."""
    if len(data) < _HEADER:
        return 0
    size, inner = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
    kind = data[0] << 8
    plausible = {
        ASSOCIATION_REQUEST: inner == _VERSION_1 >> 16,
        ASSOCIATION_RESPONSE: inner in RESULTS,
        DATA: size == inner + 2,
    }.get(kind, size == 2)
    return 4 + size if plausible else -1


def _holds(apdu: bytes) -> bool:
    """Whether it is one message, damaged perhaps, and not one cut short with the beginning of the next."""
    return not any(begins(apdu[match.start() :]) for match in _STARTS.finditer(apdu, 1))
