"""ASTM frames: the standard's, what analysers really send, and what lies between them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.astm_frames import (
    ACK,
    ENQ,
    EOT,
    LONGEST_TEXT_TAKEN,
    NAK,
    Damaged,
    Signal,
    TextFrame,
    Token,
    Tokens,
    encode_frame,
    texts_of,
)

_TEXTS = st.binary(max_size=300).map(lambda text: bytes(byte for byte in text if byte not in b"\2\3\4\5\x17"))
_GARBAGE = st.binary(max_size=40)


def seen(tokens: tuple[Token, ...]) -> list[object]:
    return [(str(t.error), t.offset, t.is_answered) if isinstance(t, Damaged) else t for t in tokens]


def errors(stream: bytes) -> list[str]:
    tokens = Tokens()
    return [t.error.code for t in (*tokens.feed(stream), *tokens.flush()) if isinstance(t, Damaged)]


@given(st.integers(0, 7), _TEXTS, st.booleans())
def test_every_frame_that_is_built_is_read_as_it_was(number: int, text: bytes, ends: bool) -> None:
    stream = encode_frame(number, text, ends_message=ends)
    assert Tokens().feed(stream) == (TextFrame(number, text, ends, 0),)


@given(_GARBAGE, st.lists(st.integers(0, 400), max_size=6))
def test_the_same_comes_of_a_stream_however_it_is_cut(garbage: bytes, cuts: list[int]) -> None:
    stream = garbage + encode_frame(1, b"H|\\^&\r", ends_message=False) + garbage + b"\x04" + garbage
    whole, torn = Tokens(), Tokens()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [token for a, b in pairwise(places) for token in torn.feed(stream[a:b])]
    assert seen((*pieces, *torn.flush())) == seen((*whole.feed(stream), *whole.flush()))


@given(st.binary(max_size=600))
def test_after_any_garbage_the_next_frame_is_read(garbage: bytes) -> None:
    tokens = Tokens()
    tokens.feed(garbage)
    tokens.feed(b"\x05")
    frame = encode_frame(1, b"L|1|N\r", ends_message=True)
    assert any(isinstance(t, TextFrame) and t.text == b"L|1|N\r" for t in tokens.feed(frame))


def test_signals_stand_between_frames() -> None:
    assert Tokens().feed(b"\x05\x06\r\n\x15\x04") == (
        Signal(ENQ, 0),
        Signal(ACK, 1),
        Signal(NAK, 4),
        Signal(EOT, 5),
    )


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
def test_a_frame_may_end_without_cr_or_without_lf(end: bytes) -> None:
    stream = b"\x022P|1|A17\r\x0364" + end
    assert Tokens().feed(stream) == (TextFrame(2, b"P|1|A17\r", True, 0),)


def test_a_checksum_in_lower_case_holds() -> None:
    stream = encode_frame(1, b"H|\\^&|||TEST^1.0^0001|||||||P|LIS2-A2|20240102030405\r", ends_message=True)
    assert stream[-4:-2] == b"C2"
    assert errors(stream[:-4] + b"c2\r\n") == []


def test_a_wrong_checksum_says_both_and_where() -> None:
    (damaged,) = Tokens().feed(b"\x022P|1|A17\r\x0365\r\n")
    assert isinstance(damaged, Damaged)
    assert (str(damaged.error), damaged.is_answered) == ("checksum: 0x65, computed 0x64, at byte 11", True)


@pytest.mark.parametrize(
    ("stream", "codes"),
    [
        (b"\x02\x030A\r\n\x05", ["checksum"]),
        (b"\x028x\x03B3\r\n", ["layout"]),
        (b"\x021H|\x05", ["torn"]),
        (b"\x021H|\x021P\x0384\r\n", ["torn"]),
        (b"\x021H|\\^&", ["cut-off"]),
        (b"\x021H|\\^&\x03C", ["cut-off"]),
        (b"\x021H|\x03ZZ\r\n\x05", ["checksum", "noise"]),
        (b"mini VIDAS\x05", ["noise"]),
    ],
)
def test_what_does_not_hold_is_named(stream: bytes, codes: list[str]) -> None:
    assert errors(stream) == codes


def test_a_frame_without_end_is_given_up_and_not_kept() -> None:
    tokens = Tokens()
    found = [token for _ in range(40) for token in tokens.feed(b"\x02" + b"x" * 4000)]
    assert all(isinstance(token, Damaged) for token in found)
    found = list(Tokens().feed(b"\x02" + b"x" * (LONGEST_TEXT_TAKEN + 2)))
    assert [t.error.code for t in found if isinstance(t, Damaged)] == ["length"]


def test_a_record_longer_than_a_frame_takes_several() -> None:
    assert [len(text) for text in texts_of(b"M" * 500)] == [240, 240, 20]
