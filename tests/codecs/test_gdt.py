"""GDT lines and sets: lengths that are wrong, character sets that are not said, files that are cut."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.gdt import LONGEST_CONTENT, Line, encode_line, encode_set, parse_file
from gateway.errors import DecodeError

_CONTENTS = st.text(st.characters(codec="cp437", exclude_categories=["Cc"]), max_size=60)
_FIELDS = st.tuples(st.integers(3000, 7999).map(str), _CONTENTS)


@given(st.lists(_FIELDS, max_size=12), st.sampled_from(["02.10", "03.01"]))
def test_every_set_that_is_written_is_read_as_it_was(fields: list[tuple[str, str]], version: str) -> None:
    (found,) = parse_file(encode_set("6310", fields, version=version), "cp437")
    assert (found.kind, found.warnings) == ("6310", ())
    assert [(line.field, line.content) for line in found.lines] == fields


@given(st.binary(max_size=300), st.sampled_from(["declared", "utf-8", "cp1252"]))
def test_any_bytes_are_sets_or_a_typed_error(data: bytes, encoding: str) -> None:
    for noise in (data, b"01380006310\r\n" + data):
        with suppress(DecodeError):
            parse_file(noise, encoding)


@pytest.mark.parametrize("missing", range(3, 12))
def test_a_file_that_is_cut_within_a_line_is_not_complete(missing: int) -> None:
    whole = encode_set("6310", [("3000", "12"), ("8402", "BDM01"), ("8410", "SYS"), ("8420", "131")])
    with pytest.raises(DecodeError) as caught:
        parse_file(whole[:-missing])
    assert caught.value.code == "incomplete"


def test_the_end_of_the_last_line_may_be_missing() -> None:
    whole = encode_set("6310", [("8410", "SYS"), ("8420", "131")])
    assert parse_file(whole[:-2]) == parse_file(whole)


def test_a_length_counts_bytes_and_the_end_of_the_line() -> None:
    assert encode_line("8000", "6310") == b"01380006310\r\n"
    assert encode_line("3101", "Müller", encoding="utf-8").startswith(b"0163101")
    assert encode_line("3101", "Müller").startswith(b"0153101")


def test_a_set_states_its_length_in_five_digits_or_seven() -> None:
    assert b"\r\n014810000027\r\n" in encode_set("6310", [], version="02.10")
    assert b"\r\n01681000000029\r\n" in encode_set("6310", [], version="03.01")


def test_wrong_lengths_are_told_of_and_cut_nothing() -> None:
    (found,) = parse_file(b"01380006310\r\n014810000958\r\n0998402BDM01\r\n")
    assert found.lines == (Line("8402", "BDM01", 27),)
    assert found.warnings == (
        "lengths of lines do not match: field 8402",
        "8100 does not match: 41 bytes counted",
    )


def test_lines_may_end_with_lf_alone() -> None:
    (found,) = parse_file(b"01380006310\n014810000041\n0148402BDM01\n")
    assert found.first("8402") == "BDM01"


def test_a_file_may_hold_several_sets() -> None:
    assert [each.kind for each in parse_file(encode_set("6301", []) + encode_set("6310", []))] == [
        "6301",
        "6310",
    ]


@pytest.mark.parametrize(
    ("said", "content"),
    [([], b"M\x81ller"), ([("9206", "2")], b"M\x81ller"), ([("9206", "3")], b"M\xfcller")],
)
def test_texts_are_in_the_character_set_that_the_file_names(
    said: list[tuple[str, str]], content: bytes
) -> None:
    data = encode_set("6310", said) + b"0153101" + content + b"\r\n"
    assert parse_file(data)[0].first("3101") == "Müller"


def test_35_says_iso_8859_15() -> None:
    data = b"01380006310\r\n01200013.5\r\n0156227\xa4 und \xfc\r\n01380016310\r\n"
    assert parse_file(data)[0].first("6227") == "€ und ü"


def test_a_configured_character_set_goes_before_the_declared_one() -> None:
    data = encode_set("6310", [("9206", "2")]) + b"0163101M\xc3\xbcller\r\n"
    assert parse_file(data, "utf-8")[0].first("3101") == "Müller"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "layout"),
        (b"0148402BDM01\r\n", "layout"),
        (b"01380006310\r\nsome text\r\n", "layout"),
        (b"01380006310\r\n0", "incomplete"),
        (b"01380006310\r\n0148402BDM", "incomplete"),
    ],
)
def test_what_is_no_file_of_sets_is_refused_by_name(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_file(data)
    assert caught.value.code == code


def test_bytes_that_the_character_set_lacks_are_named_by_place() -> None:
    with pytest.raises(DecodeError) as caught:
        parse_file(b"01380006310\r\n0156227M\xfcller\r\n", "utf-8")
    assert (caught.value.code, caught.value.offset) == ("encoding", 21)


@pytest.mark.parametrize(
    ("number", "content"),
    [("84", "x"), ("8420", "a\nb"), ("8420", "x" * (LONGEST_CONTENT + 1)), ("8420", "→")],
)
def test_what_cannot_be_a_line_is_not_written(number: str, content: str) -> None:
    with pytest.raises(ValueError):
        encode_line(number, content)
