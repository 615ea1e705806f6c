"""ASTM records: delimiters that the header declares, escapes, and records cut anywhere."""

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.astm_records import (
    LONGEST_RECORD,
    Delimiters,
    Record,
    Records,
    header,
    moment,
    parse_record,
    record,
)
from gateway.errors import DecodeError

_VALUES = st.text(st.characters(codec="latin-1", exclude_characters="\n\r\0"), max_size=20).map(str.strip)
_MARKS = st.permutations("|@^\\&~$").map(lambda marks: Delimiters(*marks[:4]))


def of(text: str, *, ends_message: bool = True) -> list[Record]:
    records = Records()
    return [
        each
        for each in (*records.feed(text.encode("latin-1"), ends_message=ends_message), *records.flush())
        if isinstance(each, Record)
    ]


@given(_MARKS, st.lists(st.lists(_VALUES, min_size=1, max_size=3), min_size=1, max_size=5))
def test_every_value_comes_back_whatever_the_delimiters(marks: Delimiters, fields: list[list[str]]) -> None:
    sent = header("", "", "TEST", delimiters=marks).encode() + record("R", *fields, delimiters=marks).encode()
    _, result = of(sent.decode("latin-1"))
    assert [list(result.repeats(number)[0]) for number in range(2, len(fields) + 2)] == fields


@given(st.binary(max_size=200), st.booleans())
def test_any_text_gives_records_or_errors(text: bytes, ends_message: bool) -> None:
    records = Records("utf-8")
    for each in (*records.feed(text, ends_message=ends_message), *records.flush()):
        assert isinstance(each, (Record, DecodeError))
        if isinstance(each, Record):
            each.repeats(3)
            each.text(4)


@given(st.lists(st.integers(0, 60), max_size=5))
def test_records_may_be_cut_anywhere(cuts: list[int]) -> None:
    whole = b"H|\\^&|||T\rP|1|A17\rR|1|^^^GLU|5.4|mmol/L\rL|1|N\r"
    records = Records()
    found: list[Record | DecodeError] = []
    places = sorted({0, len(whole), *cuts})
    for start, end in pairwise(places):
        found += records.feed(whole[start:end], ends_message=end >= len(whole))
    assert [each.type for each in found if isinstance(each, Record)] == ["H", "P", "R", "L"]


def test_the_header_declares_the_delimiters() -> None:
    _, result = of("H|@^\\|GX|||\rR|1|^^^CT^&X|NOT DETECTED^|\r")
    assert (result.component(3, 5), result.repeats(4)) == ("&X", (("NOT DETECTED", ""),))


def test_without_a_declared_escape_there_is_none() -> None:
    _, result = of("H|\\^||\rC|1|I|a&F&b\r")
    assert result.text(4) == "a&F&b"


@pytest.mark.parametrize("declared", ["H", "H|", "H|\\", "H|\\\\&|", "H|\\^&~|", "HAAAA", "H| ^&|"])
def test_a_header_that_declares_no_usable_delimiters_is_refused(declared: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Delimiters.declared(declared)
    assert caught.value.code == "delimiters"


def test_an_escape_stands_for_its_delimiter() -> None:
    result = parse_record("R|1|^^^SCAT|PNG&R&20240628&R&2024_WDF.PNG")
    assert result.text(4) == "PNG\\20240628\\2024_WDF.PNG"
    assert parse_record("C|1|I|&F&&S&&E&&X41B5&&H&").text(4) == "|^&A\xb5&H&"


def test_a_delimiter_without_an_escape_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="no escape"):
        record("C", "a|b", delimiters=Delimiters(escape=None))


def test_blanks_around_values_are_padding() -> None:
    result = parse_record("O|1||^^                    27^M|^^^^WBC\\^^^^RBC")
    assert result.component(4, 3) == "27"
    assert [repeat[4] for repeat in result.repeats(5)] == ["WBC", "RBC"]


def test_the_terminator_needs_no_cr() -> None:
    assert [each.type for each in of("H|\\^&\rL|1|N")] == ["H", "L"]


def test_etx_ends_a_record_that_lacks_its_cr_when_another_begins() -> None:
    records = Records()
    records.feed(b"R|1|^^^A|1|g/L", ends_message=True)
    (first,) = records.feed(b"R|2|^^^B|2|g/L", ends_message=True)
    assert isinstance(first, Record)
    assert first.text(4) == "1"


def test_etx_within_a_record_does_not_end_it() -> None:
    records = Records()
    records.feed(b"R|1|^^^A|5", ends_message=True)
    (result,) = records.feed(b".4|mmol/L\r", ends_message=True)
    assert isinstance(result, Record)
    assert result.text(4) == "5.4"


def test_a_record_that_a_frame_was_to_continue_is_not_given() -> None:
    assert of("R|1|^^^A|5", ends_message=False) == []


def test_a_record_without_end_is_not_kept() -> None:
    (error,) = Records().feed(b"M|1|" + b"A" * LONGEST_RECORD, ends_message=False)
    assert isinstance(error, DecodeError)


def test_types_in_lower_case_are_the_same() -> None:
    assert parse_record("r|1").type == "R"


def test_times_have_seconds_or_not() -> None:
    assert moment("20240627135407") == datetime(2024, 6, 27, 13, 54, 7)  # noqa: DTZ001
    assert moment("202205270000") == datetime(2022, 5, 27)  # noqa: DTZ001
    assert moment("") is None


@pytest.mark.parametrize("text", ["2024", "20241301", "20240230120000", "2024-06-27", "20240627"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        moment(text)
