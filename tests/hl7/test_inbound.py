"""What an ADT message says about rooms and patients, and why others are refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7 import parse
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.demographics import Person
from gateway.hl7.inbound import Arrived, Left, Merged, Updated, meaning
from gateway.model import Encounter, Identifier, Patient

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
PERSON = b"PID|1||8834021^^^NORTH^MR~4471902^^^STATE^PI||TESTPATIENT^ALMA^R||19610417|F"
VISIT = b"PV1|1|O|FAMMED^EXAM3^^NORTH||||||||||||||||V00991822^^^NORTH^VN"
ALMA = Patient(
    (Identifier("8834021", "NORTH", "MR"), Identifier("4471902", "STATE", "PI")),
    "TESTPATIENT",
    "ALMA",
    "R",
    "19610417",
    "F",
)
WHO = Person(ALMA, frozenset({"name", "birth_date", "sex"}))


def _meaning(event: bytes, *segments: bytes, version: bytes = b"2.5.1") -> object:
    header = b"MSH|^~\\&|REG|NORTH|GATEWAY|EXAM|1||" + event + b"|1|P|" + version
    return meaning(parse(b"\r".join([header, *segments])), AT)


@pytest.mark.parametrize("event", ["A01", "A02", "A04", "A06", "A07", "A10", "A12", "A13"])
def test_a_patient_arrives_in_a_room(event):
    assert _meaning(b"ADT^" + event.encode(), PERSON, VISIT) == Arrived(
        WHO,
        Encounter(
            room="EXAM3",
            patient=ALMA,
            location="FAMMED^EXAM3^^NORTH",
            patient_class="O",
            visit=Identifier("V00991822", "NORTH", "VN"),
            opened_at=AT,
        ),
    )


@pytest.mark.parametrize("event", ["A03", "A11"])
def test_a_patient_leaves(event):
    assert _meaning(b"ADT^" + event.encode(), PERSON) == Left(WHO)


@pytest.mark.parametrize("event", ["A05", "A08", "A28", "A31"])
def test_a_patients_particulars_change(event):
    assert _meaning(b"ADT^" + event.encode(), PERSON) == Updated(WHO)


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A39", "A40", "A47"])
def test_identifiers_are_given_up_for_a_patient(event):
    found = _meaning(b"ADT^" + event.encode(), PERSON, b"MRG|7719333^^^NORTH^MR~12")
    assert found == Merged(((WHO, ("7719333@NORTH", "12")),))


def test_each_pair_of_a_merge_is_one():
    pairs = (PERSON, b"MRG|1^^^NORTH", b"PID|1||9^^^NORTH", b"MRG|2^^^NORTH")
    other = Person(Patient((Identifier("9", "NORTH"),)), frozenset())
    assert _meaning(b"ADT^A40", *pairs) == Merged(((WHO, ("1@NORTH",)), (other, ("2@NORTH",))))


def test_a_null_is_no_name_and_no_identifier():
    found = _meaning(b"ADT^A08", b'PID|1||""~7^^^""||TEST^""||""|""')
    assert found == Updated(Person(Patient((Identifier("7"),), "TEST"), WHO.stated))


def test_what_a_message_leaves_empty_it_says_nothing_of():
    who = Person(Patient((Identifier("7"),), sex="F"), frozenset({"sex"}))
    assert _meaning(b"ADT^A08", b"PID|1||7|||||F") == Updated(who)


def test_a_location_is_given_back_as_it_came_in_the_usual_delimiters():
    data = b"MSH#*@!%#A####1##ADT*A04#1#P#2.5\rPID###7\rPV1##O#F*R!F!1**N%x\r"
    found = meaning(parse(data), AT)
    assert isinstance(found, Arrived)
    assert (found.encounter.room, found.encounter.location) == ("R#1", "F^R#1^^N")


@pytest.mark.parametrize(
    ("event", "segments", "code", "place"),
    [
        (b"SIU^S12", (PERSON,), 200, ("MSH", 9)),
        (b"ORM^O02", (PERSON,), 201, ("MSH", 9)),
        (b"", (PERSON,), 200, ("MSH", 9)),
        (b"ADT^A60", (PERSON,), 201, ("MSH", 9)),
        (b"ADT", (PERSON,), 201, ("MSH", 9)),
        (b"ADT^A04", (), 100, ("PID", None)),
        (b"ADT^A04", (b"PID|1", VISIT), 101, ("PID", 3)),
        (b"ADT^A04", (b'PID|1||""', VISIT), 101, ("PID", 3)),
        (b"ADT^A04", (PERSON,), 101, ("PV1", 3)),
        (b"ADT^A40", (PERSON,), 100, ("MRG", None)),
        (b"ADT^A40", (PERSON, PERSON, b"MRG|1"), 100, ("MRG", None)),
        (b"ADT^A40", (PERSON, b"MRG|^^^NORTH"), 101, ("MRG", 1)),
        (b"ADT^A04", (PERSON, b'PV1|1|O|FAMMED^""'), 101, ("PV1", 3)),
    ],
)
def test_what_means_nothing_here_is_refused_by_code_and_place(event, segments, code, place):
    refused = _meaning(event, *segments)
    assert isinstance(refused, Refusal)
    assert (refused.code, (refused.segment, refused.field)) == (code, place)


def test_another_version_of_the_standard_is_refused():
    refused = _meaning(b"ADT^A04", PERSON, VISIT, version=b"3.0")
    assert isinstance(refused, Refusal)
    assert refused.code == 203


@given(st.sampled_from([b"A04", b"A03", b"A08"]), st.text('|^~&\\"1A\r', max_size=40))
def test_any_message_has_a_meaning_or_is_refused(event, text):
    rest = b"PID" + text.replace("\r", "").encode() + b"\rPV1|" + text.replace("\r", "").encode()
    if rest[3:4] == b"|":
        assert isinstance(_meaning(b"ADT^" + event, rest), Arrived | Left | Updated | Refusal)
