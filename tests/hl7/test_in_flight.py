"""Which message an answer settles, whatever comes in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7.acknowledgement import Acknowledgement
from gateway.hl7.in_flight import InFlight, Repeated, Settled, Stray

IDS = [f"G7-{number}" for number in range(4)]
_events = st.one_of(
    st.tuples(st.sampled_from(["begin", "sent"]), st.sampled_from(IDS)),
    st.tuples(st.sampled_from(["AA", "AE", "AR", "CA", "??"]), st.sampled_from([*IDS, "", "OTHER"])),
    st.tuples(st.just("unreadable"), st.just("")),
)


def _flight(*, application: bool = False) -> InFlight:
    return InFlight(match="exact", application_ack_expected=application)


def _answered(flight: InFlight, code: str, control_id: str) -> Settled | Repeated | Stray | None:
    return flight.answered(Acknowledgement(code, control_id))


@given(st.lists(_events, max_size=40), st.booleans())
def test_nothing_is_accepted_but_what_was_wholly_sent_and_named(events, application):
    flight, sent = _flight(application=application), dict[str, bool]()
    found: Settled | Repeated | Stray | None
    for kind, control_id in events:
        match kind:
            case "begin":
                flight.begin(control_id)
                sent[control_id] = False
                continue
            case "sent":
                flight.sent(control_id)
                sent = {own: whole or own == control_id for own, whole in sent.items()}
                continue
            case "unreadable":
                found = flight.unreadable("no acknowledgement")
            case _:
                found = _answered(flight, kind, control_id)
        if isinstance(found, Settled):
            whole = sent.pop(found.control_id)
            if found.verdict.outcome != "mismatch":
                assert (whole, found.control_id) == (True, control_id)
                assert found.verdict.code == kind
        assert list(flight) == list(sent)


def test_answers_in_another_order_settle_their_own_messages():
    flight = _flight()
    for control_id in IDS:
        flight.begin(control_id)
        flight.sent(control_id)
    settled = [_answered(flight, "AA", control_id) for control_id in reversed(IDS)]
    assert [found.control_id for found in settled if isinstance(found, Settled)] == IDS[::-1]


def test_what_names_nobody_costs_the_oldest_its_answer_and_an_idle_connection_its_trust():
    flight = _flight()
    assert isinstance(_answered(flight, "AA", "OTHER"), Stray)
    flight.begin("G7-0")
    flight.sent("G7-0")
    found = _answered(flight, "AA", "OTHER")
    assert isinstance(found, Settled)
    assert (found.control_id, found.verdict.outcome) == ("G7-0", "mismatch")


def test_an_answer_to_what_is_settled_is_a_repetition_until_it_is_sent_again():
    flight = _flight()
    flight.begin("G7-0")
    flight.sent("G7-0")
    assert isinstance(_answered(flight, "AE", "G7-0"), Settled)
    assert _answered(flight, "AE", "G7-0") == Repeated("G7-0", "AE")
    flight.begin("G7-0")
    flight.sent("G7-0")
    assert isinstance(_answered(flight, "AA", "G7-0"), Settled)
