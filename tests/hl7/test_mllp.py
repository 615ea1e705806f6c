"""MLLP as senders really use it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Hl7Error
from gateway.hl7.mllp import Decoder, MllpEvent, Noise, Received, TooLong, frame

A = b"MSH|^~\\&|A\rPID|1\r"
B = b"MSH|^~\\&|B\rPID|2\r"

_CONTENT = st.binary(max_size=60).filter(lambda data: not {b"\x0b", b"\x1c\r"} & {data, *_pairs(data)})


def _pairs(data: bytes) -> set[bytes]:
    return {data[i : i + 1] for i in range(len(data))} | {data[i : i + 2] for i in range(len(data))}


def _feed(decoder: Decoder, *chunks: bytes) -> list[MllpEvent]:
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def _bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def test_a_block_is_0b_message_1c_0d():
    assert frame(A) == b"\x0b" + A + b"\x1c\x0d"


@pytest.mark.parametrize("held", [b"\x1c\r", b"\x0b", b"\x00"])
def test_a_message_that_would_break_its_frame_is_not_sent(held):
    with pytest.raises(Hl7Error, match="MLLP"):
        frame(b"MSH|^~\\&|" + held)


def test_several_messages_in_one_chunk_come_out_in_order():
    assert Decoder().feed(frame(A) + frame(B)) == (Received(A), Received(B))


def test_one_message_in_many_chunks_comes_out_once():
    assert _feed(Decoder(), *_bytewise(frame(A))) == [Received(A)]


def test_a_line_feed_after_the_block_is_not_noise():
    assert Decoder().feed(frame(A) + b"\n" + frame(B) + b"\r\n") == (Received(A), Received(B))


def test_text_before_the_block_is_reported_as_noise():
    assert Decoder().feed(b"HTTP/1.1 400\r\n\r\n" + frame(A)) == (Noise(b"HTTP/1.1 400"), Received(A))


def test_a_lone_1c_inside_is_content():
    message = b"MSH|^~\\&|A\rOBX|1|TX|||a\x1cb\x1c\n\r"
    assert _feed(Decoder(), *_bytewise(frame(message))) == [Received(message)]


def test_a_missing_last_byte_is_made_up_for_by_the_next_block():
    assert Decoder().feed(b"\x0b" + A + b"\x1c" + frame(B)) == (Received(A), Received(B))


def test_a_missing_last_byte_is_made_up_for_by_silence():
    decoder = Decoder()
    assert decoder.feed(b"\x0b" + A + b"\x1c") == ()
    assert decoder.awaits_last_byte
    assert decoder.idle() == (Received(A),)
    assert decoder.feed(b"\r" + frame(B)) == (Received(B),)


def test_silence_in_the_middle_of_a_message_changes_nothing():
    decoder = Decoder()
    assert (decoder.feed(b"\x0bMSH|"), decoder.idle(), decoder.feed(b"^~\\&\r\x1c\r")) == (
        (),
        (),
        (Received(b"MSH|^~\\&\r"),),
    )


def test_a_message_begun_anew_leaves_its_first_half_as_noise():
    assert Decoder().feed(b"\x0bMSH|^~\\&|HA" + frame(A)) == (Noise(b"MSH|^~\\&|HA"), Received(A))


def test_a_connection_that_ends_early_leaves_noise_and_one_that_lacks_the_last_byte_a_message():
    decoder = Decoder()
    decoder.feed(b"\x0bMSH|^~")
    assert decoder.closed() == (Noise(b"MSH|^~"),)
    decoder.feed(b"\x0b" + A + b"\x1c")
    assert decoder.closed() == (Received(A),)


def test_a_block_over_the_limit_is_reported_once_and_skipped_to_its_end():
    decoder = Decoder(limit=len(A))
    chunks = _bytewise(b"\x0b" + b"x" * 100 + b"\x1cy\x1c\r" + frame(A))
    assert _feed(decoder, *chunks) == [TooLong(len(A)), Received(A)]


def test_an_endless_block_takes_no_more_memory_than_the_limit():
    decoder = Decoder(limit=1000)
    decoder.feed(b"\x0b")
    for _ in range(50):
        decoder.feed(b"x" * 500)
    assert len(decoder._buffer) <= 1501


@given(st.lists(_CONTENT, max_size=4), st.lists(st.integers(0, 300), max_size=6))
def test_any_messages_survive_any_cutting(messages, cuts):
    stream = b"".join(map(frame_any, messages))
    edges = [0, *sorted(cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert _feed(Decoder(), *chunks) == [Received(message) for message in messages]


def frame_any(message: bytes) -> bytes:
    """A block around bytes that need not be a message."""
    return b"\x0b" + message + b"\x1c\r"


@given(st.binary(max_size=200), st.integers(1, 7))
def test_cutting_changes_neither_messages_nor_the_noise_as_a_whole(data, width):
    def outcome(*chunks: bytes) -> tuple[list[MllpEvent], bytes]:
        decoder = Decoder(limit=40)
        events = [*_feed(decoder, *chunks), *decoder.closed()]
        noise = b"".join(event.data for event in events if isinstance(event, Noise))
        return [e for e in events if not isinstance(e, Noise)], noise.translate(None, b"\r\n")

    assert outcome(data) == outcome(*(data[i : i + width] for i in range(0, len(data), width)))


@given(
    st.lists(
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"MSH|", b"x", b"\x0bMSH|a\x1c\r"]), max_size=40
    )
)
def test_after_any_garbage_the_next_complete_message_is_read(pieces):
    events = _feed(Decoder(), *pieces, b"\x1c\r", frame(A))
    assert events[-1] == Received(A)
