"""Streams cut into frames: the same ones however the bytes arrive, and never without bound."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.checksum import sum8, xor8
from gateway.codecs.framing import Blocks, Frame, Lines
from gateway.errors import DecodeError

_ALPHABET = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"T,1", b"\x00"])).map(b"".join)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(places)]


def seen(frames: list[Frame]) -> list[tuple[bytes, int, str | None]]:
    return [(f.content, f.offset, str(f.error) if f.error else None) for f in frames]


def lines(keep_tail: bool = False) -> Lines:
    return Lines(b"\r\n", longest=8, keep_tail=keep_tail)


def triples(tail: int = 0) -> Blocks:
    return Blocks(
        starts=re.compile(rb"\x7e[^\x7e]", re.DOTALL),
        lookahead=2,
        length=lambda _: 3,
        check=lambda f: f[2] == sum8(f[:2]),
        longest=3,
        patience=16,
        tail=tail,
    )


def test_a_frame_that_fails_its_check_says_why():
    """``A`` and a digit that is to be 7."""
    blocks = Blocks(
        re.compile(rb"A"),
        lookahead=1,
        length=lambda window: 2 if len(window) > 1 else 0,
        check=lambda frame: frame == b"A7",
        longest=2,
        explain=lambda frame: DecodeError("digit", f"{frame[1:]!r}, not 7", offset=1),
    )
    frames = (*blocks.feed(b"..A8.A9A7"), *blocks.feed(b"..A7"))
    assert [(frame.content, frame.offset) for frame in frames if frame.error is None] == [
        (b"A7", 7),
        (b"A7", 11),
    ]
    assert [str(frame.error) for frame in frames if frame.error] == [
        "digit: b'8', not 7, at byte 3",
        "sync: 2 bytes that are no frame, at byte 0",
    ]


def test_checksums() -> None:
    assert (xor8(b""), xor8(b"T,0042,36.8,C,E"), sum8(b"\xff\x02")) == (0, 0x47, 1)


def test_lines_come_without_terminator_and_know_where_they_began() -> None:
    assert lines().feed(b"one\r\ntwo\r\nthr") == (Frame(b"one", 0), Frame(b"two", 5))


def test_an_empty_line_is_a_frame() -> None:
    assert lines().feed(b"\r\n\r\n") == (Frame(b"", 0), Frame(b"", 2))


def test_a_terminator_may_arrive_in_two_pieces() -> None:
    cutter = lines()
    assert cutter.feed(b"one\r") == ()
    assert cutter.feed(b"\n") == (Frame(b"one", 0),)


def test_an_overlong_line_is_reported_once_and_the_next_line_is_good() -> None:
    overlong, good = lines().feed(b"x" * 50 + b"\r\ngood\r\n")
    with pytest.raises(DecodeError, match="more than 8 bytes"):
        _ = overlong.data
    assert good == Frame(b"good", 52)


def test_the_tail_of_an_overlong_line_can_be_had_for_parsers_that_look_behind_garbage() -> None:
    _, tail = lines(keep_tail=True).feed(b"garbage garbage good 1\r\n")
    assert tail == Frame(b"e good 1", 14)


def test_a_line_that_the_stream_cuts_off_is_an_error_at_its_end() -> None:
    cutter = lines()
    cutter.feed(b"one\r\ntw")
    (left,) = cutter.flush()
    assert (left.offset, left.error and left.error.offset) == (5, 2)
    assert cutter.flush() == ()


@settings(max_examples=60)
@given(_ALPHABET, st.lists(st.integers(0, 400)), st.booleans())
def test_lines_do_not_depend_on_how_the_stream_is_split(
    stream: bytes, cuts: list[int], keep_tail: bool
) -> None:
    whole, split = lines(keep_tail), lines(keep_tail)
    expected = seen([*whole.feed(stream), *whole.flush()])
    assert (
        seen([f for piece in pieces(stream, cuts) for f in split.feed(piece)] + [*split.flush()]) == expected
    )


def test_a_block_is_found_behind_garbage_that_is_reported_as_one_run() -> None:
    garbage, good = triples().feed(b"\x00\x7e\x01\x00\x7e\x05\x83")
    assert (garbage.content, garbage.offset) == (b"\x00\x7e\x01\x00", 0)
    with pytest.raises(DecodeError, match="4 bytes that are no frame"):
        _ = garbage.data
    assert good == Frame(b"\x7e\x05\x83", 4)


@pytest.mark.parametrize("behind", [b"", b"?", b"\r\n", b"\x7e"])
def test_a_tail_behind_a_block_is_passed_over_and_more_is_garbage(behind: bytes) -> None:
    cutter, good = triples(tail=2), b"\x7e\x05\x83"
    frames = [*cutter.feed(good + behind + good + behind), *cutter.flush()]
    assert [frame.content for frame in frames] == [good, good]
    *_, garbage = (*cutter.feed(good + b"???" + good),)[:-1]
    assert garbage.content == b"???"


def test_bytes_before_the_first_block_are_no_tail() -> None:
    cutter = triples(tail=2)
    assert [frame.error is None for frame in cutter.feed(b"?\x7e\x05\x83")] == [False, True]


def test_endless_garbage_is_reported_in_bounded_runs() -> None:
    runs = triples().feed(b"\x00" * 40)
    assert [(len(run.content), run.offset) for run in runs] == [(16, 0), (16, 16)]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([b"\x7e\x05\x83", b"\x7e\x05", b"\x00\xff", b"\x7e\x7e\xfc"])).map(b"".join),
    st.lists(st.integers(0, 400)),
    st.integers(0, 3),
)
def test_blocks_do_not_depend_on_how_the_stream_is_split(stream: bytes, cuts: list[int], tail: int) -> None:
    whole, split = triples(tail), triples(tail)
    expected = seen([*whole.feed(stream), *whole.flush()])
    assert (
        seen([f for piece in pieces(stream, cuts) for f in split.feed(piece)] + [*split.flush()]) == expected
    )


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_no_byte_of_a_block_stream_goes_missing(stream: bytes) -> None:
    cutter = triples()
    assert b"".join(f.content for f in [*cutter.feed(stream), *cutter.flush()]) == stream
