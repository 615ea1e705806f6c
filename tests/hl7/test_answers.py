"""How many answers a message gets, and in which form an order's stands."""

from datetime import UTC, datetime
from itertools import count

import pytest

from gateway.hl7 import Message, parse
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.answers import Reply, build_answers
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.validation import validate
from gateway.model import Order

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
EKG = Order(placer="ORD1^OE", filler="F1^LAB", service=r"11524-6^EKG \T\ more^LN")
REPLIES = (Reply("OK", EKG, "SC"), Reply("UC", Order(placer="ORD2"), "CA", "it was carried out before"))
REFUSAL = Refusal(103, "no such service", "OBR", 4)


def _answers(
    event: str, asked: str = "|", version: str = "2.5.1", refusal: Refusal | None = None
) -> list[Message]:
    numbers = count(1)
    data = f"MSH|^~\\&|OE|NORTH|GATEWAY|EXAM|1||{event}|M1|P|{version}|||{asked}\r"
    answers = build_answers(
        parse(data.encode()),
        next_control_id=lambda: f"G-{next(numbers)}",
        at=AT,
        refusal=refusal,
        replies=() if refusal else REPLIES,
    )
    return [parse(answer) for answer in answers]


@pytest.mark.parametrize(
    ("asked", "taken", "refused"),
    [
        ("|", ["AA"], ["AR"]),
        ("AL|NE", ["CA"], ["CR"]),
        ("AL|", ["CA"], ["CR"]),
        ("AL|AL", ["CA", "AA"], ["CR"]),
        ("NE|AL", ["AA"], ["AR"]),
        ("|AL", ["AA"], ["AR"]),
        ("SU|NE", ["CA"], ["CR"]),
        ("ER|AL", ["AA"], ["CR"]),
        ("AL|ER", ["CA"], ["CR"]),
        ("AL|SU", ["CA", "AA"], ["CR"]),
        ("NE|NE", ["CA"], ["CR"]),
        ("NE|ER", ["CA"], ["AR"]),
    ],
)
@pytest.mark.parametrize("event", ["ORM^O01", "ADT^A04"])
def test_msh_15_and_16_decide_which_answers_there_are(event, asked, taken, refused):
    assert [answer.get("MSA-1") for answer in _answers(event, asked)] == taken
    assert [answer.get("MSA-1") for answer in _answers(event, asked, refusal=REFUSAL)] == refused


@pytest.mark.parametrize(
    ("event", "version", "kind"),
    [
        ("ORM^O01", "2.3", "ORR^O02"),
        ("ORM^O01", "2.4", "ORR^O02"),
        ("ORM^O01^ORM_O01", "2.5", "ORR^O02^ORR_O02"),
        ("OMG^O19^OMG_O19", "2.5.1", "ORG^O20^ORG_O20"),
        ("ADT^A04", "2.5.1", "ACK^A04^ACK"),
    ],
)
@pytest.mark.parametrize("refusal", [None, REFUSAL])
def test_an_order_is_answered_in_a_form_of_its_own_that_holds(event, version, kind, refusal):
    (answer,) = _answers(event, version=version, refusal=refusal)
    assert answer.header.raw(9) == kind
    assert (answer.get("MSA-2"), answer.get("MSH-5")) == ("M1", "OE")
    assert structure_faults(answer) == ()
    assert [str(fault) for fault in validate(answer.encode())] == []


def test_an_orders_answer_names_its_numbers_and_what_became_of_it():
    (answer,) = _answers("ORM^O01")
    assert [line for line in answer.lines if line[:3] in ("ORC", "OBR", "NTE")] == [
        "ORC|OK|ORD1^OE|F1^LAB||SC",
        r"OBR|1|ORD1^OE|F1^LAB|11524-6^EKG \T\ more^LN",
        "ORC|UC|ORD2|||CA",
        "NTE|1|L|it was carried out before",
    ]


def test_a_commit_accept_is_a_plain_ack_and_what_follows_it_asks_for_no_answer():
    commit, application = _answers("OMG^O19", "AL|AL")
    assert [commit.type, application.type] == ["ACK", "ORG"]
    assert commit.segment("ORC") is None
    assert (application.get("MSH-15"), application.get("MSH-16")) == ("NE", "NE")
    assert commit.control_id != application.control_id
