"""The handshake of ASTM E1381: who may speak, and what a lost byte costs."""

from collections import deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.astm_frames import Damaged, TextFrame, encode_frame
from gateway.codecs.astm_link import (
    Delivered,
    Ended,
    Link,
    LinkEvents,
    Opened,
    Say,
    Undelivered,
    Wait,
)


def said(events: LinkEvents) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Say))


def texts(events: LinkEvents) -> list[bytes]:
    return [event.text for event in events if isinstance(event, TextFrame)]


def codes(events: LinkEvents) -> list[str]:
    return [event.error.code for event in events if isinstance(event, Damaged)]


def frame(number: int, text: bytes = b"C|1\r") -> bytes:
    return encode_frame(number, text, ends_message=True)


def opened(**settings: object) -> Link:
    link = Link(lowest_number=1) if settings.get("lowest_number") else Link()
    assert link.received(b"\x05") == (Opened(), Say(b"\x06"), Wait(30.0))
    return link


def test_a_text_comes_before_its_acknowledgement() -> None:
    events = opened().received(frame(1, b"L|1\r"))
    assert events == (TextFrame(1, b"L|1\r", True, 1), Say(b"\x06"), Wait(30.0))


def test_numbers_go_from_1_to_7_and_on_with_0() -> None:
    link = opened()
    for number in (1, 2, 3, 4, 5, 6, 7, 0, 1):
        assert said(link.received(frame(number))) == b"\x06"


def test_an_analyser_that_skips_0_can_be_followed() -> None:
    link = opened(lowest_number=1)
    assert [said(link.received(frame(n))) for n in (1, 2, 3, 4, 5, 6, 7, 1)] == [b"\x06"] * 8


def test_a_repeated_frame_is_acknowledged_and_thrown_away() -> None:
    link = opened()
    link.received(frame(1))
    events = link.received(frame(1))
    assert (said(events), texts(events)) == (b"\x06", [])


@pytest.mark.parametrize(
    ("number", "code"), [(2, "sequence"), (0, "sequence"), (7, "sequence")], ids=["ahead", "zero", "behind"]
)
def test_any_other_number_is_refused(number: int, code: str) -> None:
    events = opened().received(frame(number))
    assert (said(events), codes(events), texts(events)) == (b"\x15", [code], [])


def test_a_damaged_frame_is_asked_for_again_and_then_taken() -> None:
    link = opened()
    assert said(link.received(frame(1).replace(b"C|1", b"C|7"))) == b"\x15"
    assert texts(link.received(frame(1))) == [b"C|1\r"]


def test_a_frame_after_a_refused_one_is_refused_until_that_one_came() -> None:
    link = opened()
    link.received(frame(1).replace(b"C|1", b"C|7"))
    assert said(link.received(frame(2))) == b"\x15"


def test_thirty_seconds_of_silence_end_a_message() -> None:
    link = opened()
    events = link.timed_out()
    assert (codes(events), Ended() in events, link.is_idle) == (["timeout"], True, True)


def test_a_sender_that_begins_anew_ends_what_it_had_begun() -> None:
    link = opened()
    link.received(frame(1))
    assert link.received(b"\x05")[:2] == (Ended(), Opened())
    assert texts(link.received(frame(1))) == [b"C|1\r"]


def test_a_frame_that_was_not_announced_is_not_answered() -> None:
    events = Link().received(frame(1))
    assert (said(events), codes(events)) == (b"", ["sequence"])


def test_a_message_is_sent_frame_by_frame_as_it_is_acknowledged() -> None:
    link = Link()
    assert link.send((b"H|\\^&\r", b"L|1|I\r")) == (Say(b"\x05"), Wait(15.0))
    assert said(link.received(b"\x06")) == encode_frame(1, b"H|\\^&\r", ends_message=False)
    assert said(link.received(b"\x06")) == encode_frame(2, b"L|1|I\r", ends_message=True)
    events = link.received(b"\x06")
    assert (said(events), Delivered() in events, link.is_idle) == (b"\x04", True, True)


def test_a_busy_receiver_is_asked_again_after_ten_seconds() -> None:
    link = Link()
    link.send((b"L|1\r",))
    assert link.received(b"\x15") == (Wait(10.0),)
    assert link.timed_out() == (Say(b"\x05"), Wait(15.0))


def test_a_frame_is_said_six_times_and_then_given_up() -> None:
    link = Link()
    link.send((b"L|1\r",))
    tries = [said(link.received(answer)) for answer in (b"\x06", *[b"\x15"] * 6)]
    assert tries == [encode_frame(1, b"L|1\r", ends_message=True)] * 6 + [b"\x04"]
    assert link.is_idle


@pytest.mark.parametrize("answers", [[], [b"\x06"]], ids=["asking", "sending"])
def test_no_answer_in_fifteen_seconds_gives_up(answers: list[bytes]) -> None:
    link = Link()
    link.send((b"L|1\r",))
    for answer in answers:
        assert Wait(15.0) in link.received(answer)
    events = link.timed_out()
    assert said(events) == b"\x04"
    assert any(isinstance(event, Undelivered) for event in events)


def test_where_both_ask_the_host_waits_and_the_instrument_asks_again() -> None:
    host, instrument = Link("host"), Link("instrument")
    host.send((b"L|1\r",))
    instrument.send((b"L|1\r",))
    assert host.received(b"\x05") == (Wait(20.0),)
    assert instrument.received(b"\x05") == (Wait(1.0),)
    assert said(instrument.timed_out()) == b"\x05"
    assert said(host.received(b"\x05")) == b"\x06"


def test_what_the_host_has_to_say_follows_what_it_had_to_hear() -> None:
    link = Link()
    link.received(b"\x05")
    assert link.send((b"L|1\r",)) == ()
    assert said(link.received(b"\x04")) == b"\x05"


@settings(max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20), st.integers(0, 2**20))
def test_nothing_that_arrives_or_fails_to_arrive_makes_it_raise(pieces: list[bytes], seed: int) -> None:
    link, random = Link(), Random(seed)
    for piece in pieces:
        link.received(piece.translate(bytes.maketrans(b"abcdef", b"\x05\x04\x06\x15\x02\x03")))
        match random.randrange(4):
            case 0:
                link.timed_out()
            case 1:
                link.send((b"L|1\r",))
            case _:
                pass
    link.closed()


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_a_noisy_line_loses_or_doubles_nothing_that_was_delivered(seed: int, count: int) -> None:
    random = Random(seed)
    sender, receiver = Link("instrument"), Link("host")
    message = tuple(b"R|%d\r" % number for number in range(1, count + 1))
    heard: list[bytes] = []
    to_host, to_sender = deque([said(sender.send(message))]), deque[bytes]()
    delivered = False
    for _ in range(400):
        if not to_host and not to_sender:
            break
        if to_host:
            events = receiver.received(noisy(to_host.popleft(), random))
            heard += texts(events)
            to_sender.extend(filter(None, [said(events)]))
        if to_sender:
            answers = sender.received(to_sender.popleft())
            delivered = delivered or Delivered() in answers
            to_host.extend(filter(None, [said(answers)]))
    assert heard == list(message[: len(heard)])
    assert not delivered or heard == list(message)


def noisy(data: bytes, random: Random) -> bytes:
    """One frame in five has a byte of its text changed."""
    if len(data) < 8 or random.random() > 0.2:
        return data
    place = random.randrange(2, len(data) - 6)
    return data[:place] + bytes((data[place] ^ 0x08,)) + data[place + 1 :]
