"""What an order message asks for, of which order, and why others are refused."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7 import parse
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.inbound import meaning
from gateway.hl7.ordered_services import SERVICES
from gateway.hl7.orders import CONTROLS, Control, Ordered
from gateway.hl7.validation.profile_rules import is_loinc

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
PERSON = b"PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA"
SERVICE = b"OBR|1|ORD1^OE||11524-6^EKG study^LN"


def _meaning(*segments: bytes, event: bytes = b"ORM^O01") -> Ordered | Refusal:
    data = b"\r".join([b"MSH|^~\\&|OE|NORTH|GATEWAY|EXAM|1||" + event + b"|1|P|2.5", *segments])
    found = meaning(parse(data), AT)
    assert isinstance(found, Ordered | Refusal)
    return found


def _ordered(*segments: bytes, event: bytes = b"ORM^O01") -> Ordered:
    found = _meaning(*segments, event=event)
    assert isinstance(found, Ordered)
    return found


def test_an_order_is_read_with_its_numbers_service_patient_room_and_time(samples: Path):
    found = meaning(parse((samples / "07-orm-o01-ekg.hl7").read_bytes()), AT)
    assert isinstance(found, Ordered)
    (request,) = found.requests
    order = request.order
    assert (order.placer, order.service, order.codes) == (
        "ORD7761^OE",
        "93000^ELECTROCARDIOGRAM, COMPLETE^C4",
        ("93000",),
    )
    assert order.patient is not None
    assert order.encounter is not None
    assert (order.patient.id, order.encounter.room, order.encounter.location) == (
        "8834021@NORTH",
        "EXAM3",
        "FAMMED^EXAM3",
    )
    assert order.due_at == datetime(2026, 3, 2, 8, 50)  # noqa: DTZ001 - the sender states no zone


def test_a_message_may_hold_several_orders_each_with_its_time(samples: Path):
    found = meaning(parse((samples / "08-omg-o19-vitals.hl7").read_bytes()), AT)
    assert isinstance(found, Ordered)
    zone = timezone(timedelta(hours=-5))
    assert [(r.order.placer, r.order.codes, r.order.due_at, r.stated_at) for r in found.requests] == [
        (
            "ORD7762^OE",
            ("85353-1",),
            datetime(2026, 3, 2, 8, 55, tzinfo=zone),
            datetime(2026, 3, 2, 8, 50, 10, tzinfo=zone),
        ),
        ("ORD7763^OE", ("24357-6",), None, None),
    ]


def test_every_control_code_has_an_answer_for_done_and_one_for_too_late():
    answers = {code: (control.done, control.unable) for code, control in CONTROLS.items()}
    assert answers == {
        "NW": ("OK", "UA"),
        "XO": ("XR", "UX"),
        "CA": ("CR", "UC"),
        "DC": ("DR", "UD"),
        "HD": ("HR", "UH"),
        "RL": ("OE", "UR"),
    }


@pytest.mark.parametrize(
    ("status", "action"),
    [(b"CA", "cancel"), (b"CM", "complete"), (b"HD", "hold"), (b"IP", "release"), (b"SC", "release")],
)
def test_a_changed_status_asks_for_what_it_says(status, action):
    (request,) = _ordered(PERSON, b"ORC|SC|ORD1^OE|||" + status).requests
    assert request.control == Control(action, "OK", "UA")


def test_a_cancellation_needs_no_more_than_the_number():
    found = _ordered(b"ORC|CA|ORD1^OE")
    assert found.person is None
    assert found.requests[0].order.placer == "ORD1^OE"


def test_the_number_may_stand_in_obr_alone_and_the_service_in_its_alternate():
    (request,) = _ordered(PERSON, b"ORC|NW", b"OBR|1|ORD1^OE||^^^93000^EKG^C4").requests
    assert (request.order.placer, request.order.codes) == ("ORD1^OE", ("93000",))


def test_numbers_are_given_back_in_the_usual_delimiters():
    data = b"MSH#*@!%#OE#N#G#E#1##ORM*O01#1#P#2.3\rPID###7\rORC#NW#A!F!1*O^E\rOBR#1###EKG**L\r"
    found = meaning(parse(data), AT)
    assert isinstance(found, Ordered)
    assert found.requests[0].order.placer == r"A#1^O\S\E"


def test_results_from_before_are_no_orders():
    found = _ordered(
        PERSON,
        b"ORC|NW|ORD1^OE",
        SERVICE,
        PERSON,
        b"OBR|1|OLD1||11524-6^EKG study^LN",
        b"OBX|1|NM|8634-8^QT^LN||402|ms|||||F",
        b"ORC|PR|OLD2",
        b"OBR|1|OLD2||11524-6^EKG study^LN",
        b"OBX|1|NM|8634-8^QT^LN||402|ms|||||F",
        b"ORC|NW|ORD2^OE",
        SERVICE.replace(b"ORD1", b"ORD2"),
        event=b"OMG^O19",
    )
    assert [request.order.placer for request in found.requests] == ["ORD1^OE", "ORD2^OE"]


@pytest.mark.parametrize(
    ("segments", "code", "place"),
    [
        ((PERSON,), 100, ("ORC", None)),
        ((PERSON, SERVICE), 100, ("ORC", None)),
        ((b"ORC|NW|ORD1^OE", SERVICE), 100, ("PID", None)),
        ((b"PID|1", b"ORC|NW|ORD1^OE", SERVICE), 101, ("PID", 3)),
        ((PERSON, b"ORC|NW", b"OBR|1|||11524-6^EKG study^LN"), 101, ("ORC", 2)),
        ((PERSON, b"ORC|NW|^OE", SERVICE), 101, ("ORC", 2)),
        ((PERSON, b"ORC|NW|ORD1^OE"), 101, ("OBR", 4)),
        ((PERSON, b"ORC|NW|ORD1^OE", b"OBR|1|ORD1^OE"), 101, ("OBR", 4)),
        ((PERSON, b"ORC|NW|ORD9^OE", SERVICE), 102, ("OBR", 2)),
        ((PERSON, b"ORC||ORD1^OE", SERVICE), 103, ("ORC", 1)),
        ((PERSON, b"ORC|QQ|ORD1^OE", SERVICE), 103, ("ORC", 1)),
        ((PERSON, b"ORC|SC|ORD1^OE", SERVICE), 103, ("ORC", 5)),
        ((PERSON, b"ORC|NW|ORD1^OE", SERVICE, b"ORC|NW|ORD1^OE", SERVICE), 205, ("ORC", 2)),
    ],
)
def test_what_cannot_be_done_as_a_whole_is_refused_by_code_and_place(segments, code, place):
    refused = _meaning(*segments)
    assert isinstance(refused, Refusal)
    assert (refused.code, (refused.segment, refused.field)) == (code, place)


def test_every_code_that_orders_something_is_a_loinc_code():
    assert {code for code in SERVICES if not is_loinc(code)} == set()
    assert SERVICES["11524-6"] == {"ekg"}
    assert SERVICES["8480-6"] == {"blood-pressure"}
    assert {"temperature", "weight"} < SERVICES["85353-1"]


_FIELD = st.text('|^~&\\"1A', max_size=12)


@given(
    st.lists(st.tuples(st.sampled_from(["PID", "PV1", "ORC|NW|1", "OBR", "TQ1", "NTE"]), _FIELD), max_size=8)
)
def test_any_order_message_is_read_or_refused(lines):
    rest = [f"{name}|{text}".encode() for name, text in lines]
    assert isinstance(_meaning(*rest), Ordered | Refusal)
