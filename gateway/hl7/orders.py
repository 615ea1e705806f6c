"""Orders that come in: ORM^O01 (to v2.5) and OMG^O19 (HL7 v2.5.1 chapter 4, sections 4.4 and 4.5).

ORC-1 says what is asked, by a table; whatever it may be of, it is known by its placer's number alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.demographics import Person, as_received, person, value, visit_of
from gateway.hl7.message import Message, Segment
from gateway.hl7.timestamps import read_time
from gateway.model.order import Order

Action = Literal["place", "change", "cancel", "complete", "hold", "release"]


@dataclass(frozen=True, slots=True)
class Control:
    """What a code of ORC-1 asks for, and the codes that answer it (table 0119)."""

    action: Action
    done: str
    unable: str


CONTROLS: Mapping[str, Control] = MappingProxyType(
    {
        "NW": Control("place", "OK", "UA"),
        "XO": Control("change", "XR", "UX"),
        "CA": Control("cancel", "CR", "UC"),
        "DC": Control("cancel", "DR", "UD"),
        "HD": Control("hold", "HR", "UH"),
        "RL": Control("release", "OE", "UR"),
    }
)
_BY_STATUS: Mapping[str, Action] = MappingProxyType(
    {
        "CA": "cancel",
        "DC": "cancel",
        "RP": "cancel",
        "CM": "complete",
        "HD": "hold",
        **dict.fromkeys(("A", "IP", "SC"), "release"),
    }
)
"""What a status of ORC-5 (table 0038) asks for where ORC-1 is ``SC``: the status has changed."""

_PREVIOUS_RESULT = "PR"
_DUE = (("TQ1", 7, 1), ("ORC", 7, 4), ("OBR", 27, 4), ("OBR", 36, 1), ("OBR", 6, 1))


@dataclass(frozen=True, slots=True)
class Request:
    """One ORC with its service.

    Parameters
    ----------
    control : Control
    order : Order
    stated_at : datetime, optional
        ORC-9; without a zone where the sender states none.
    """

    control: Control
    order: Order
    stated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ordered:
    """What is asked in one message, for one patient.

    Parameters
    ----------
    person : Person, optional
        None where the message names nobody; what it asks then can only be of known orders.
    requests : tuple of Request
    """

    person: Person | None
    requests: tuple[Request, ...]


def ordered(message: Message, at: datetime) -> Ordered | Refusal:
    """The requests of an order message, received `at`; all of them, or why none is taken."""
    segment = message.segment("PID")
    who = person(segment) if segment else None
    if isinstance(who, Refusal):
        return who
    requests: list[Request] = []
    for group in _groups(message):
        request = _request(message, who, group, at)
        if isinstance(request, Refusal):
            return request
        requests.append(request)
    if not requests:
        return Refusal(100, "ORC is missing", "ORC")
    if len({request.order.placer for request in requests}) < len(requests):
        return Refusal(205, "two orders have the same placer's number", "ORC", 2)
    return Ordered(who, tuple(requests))


def _groups(message: Message) -> Iterator[Mapping[str, Segment]]:
    """The segments of each order, by name: every OBR with the ORC above it, and an ORC without one.

    A result from before, sent along with an order (OMG^O19), is known by its PID or by ORC-1 ``PR``.
    """
    group: dict[str, Segment] = {}
    for segment in message.segments:
        if segment.name in ("ORC", "PID"):
            if "ORC" in group:
                yield group
            is_order = segment.name == "ORC" and segment.get(1) != _PREVIOUS_RESULT
            group = {"ORC": segment} if is_order else {}
        elif segment.name == "OBR" and "OBR" in group:
            yield group
            group = {"ORC": group["ORC"], "OBR": segment}
        elif segment.name in ("OBR", "TQ1") and "ORC" in group:
            group.setdefault(segment.name, segment)
    if "ORC" in group:
        yield group


def _request(
    message: Message, who: Person | None, group: Mapping[str, Segment], at: datetime
) -> Request | Refusal:
    head, service = group["ORC"], group.get("OBR")
    control = _control(head)
    if isinstance(control, Refusal):
        return control
    placer = as_received(head, 2) or (as_received(service, 2) if service else "")
    if not placer or placer.startswith("^"):
        return Refusal(101, "the placer's number is missing", "ORC", 2)
    if service and value(service, 2) and value(head, 2) and value(service, 2) != value(head, 2):
        return Refusal(102, "the placer's number is another one than in ORC-2", "OBR", 2)
    if control.action in ("place", "change"):
        if who is None:
            return Refusal(100, "an order for nobody: PID is missing", "PID")
        if service is None or not (value(service, 4) or value(service, 4, 1, 4)):
            return Refusal(101, "what is ordered is missing", "OBR", 4)
    order = Order(
        placer=placer,
        filler=as_received(head, 3) or (as_received(service, 3) if service else ""),
        service=as_received(service, 4) if service else "",
        codes=tuple(filter(None, (value(service, 4), value(service, 4, 1, 4)))) if service else (),
        patient=who.patient if who else None,
        encounter=visit_of(message, who.patient, at) if who else None,
        due_at=_due(group),
    )
    return Request(control, order, read_time(head.get(9)))


def _control(head: Segment) -> Control | Refusal:
    code = head.get(1)
    if code == "SC":
        action = _BY_STATUS.get(head.get(5))
        if action is None:
            known = ", ".join(_BY_STATUS)
            return Refusal(103, f"status {head.get(5) or '(none)'} means nothing here; {known} do", "ORC", 5)
        return Control(action, "OK", "UA")
    control = CONTROLS.get(code)
    if control is None:
        known = ", ".join((*CONTROLS, "SC"))
        return Refusal(103, f"order control {code or '(none)'} is not taken here; {known} are", "ORC", 1)
    return control


def _due(group: Mapping[str, Segment]) -> datetime | None:
    stated = (
        read_time(group[name].get(field, component=component))
        for name, field, component in _DUE
        if name in group
    )
    return next((moment for moment in stated if moment is not None), None)
