"""ER7: what a message says, and that nothing of it is lost."""

import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7 import Hl7Error, parse
from gateway.hl7.batch import split_batch

HEADER = b"MSH|^~\\&|A|B|C|D|20260302||ADT^A04|1|P|2.5||||||"


def _expected(samples: Path) -> list[dict[str, object]]:
    messages: list[dict[str, object]] = tomllib.loads((samples / "expect.toml").read_text())["message"]
    return messages


def test_every_sample_message_says_what_it_should_and_encodes_to_its_own_bytes(samples):
    for expected in _expected(samples):
        if isinstance(values := expected.get("get"), dict):
            data = (samples / str(expected["file"])).read_bytes()
            message = parse(data)
            assert {path: message.get(path) for path in values} == values, expected["file"]
            assert message.encode() == data


def test_every_bad_sample_is_refused_by_the_name_of_what_is_wrong(samples):
    refused = [expected for expected in _expected(samples) if "error" in expected]
    for expected in refused:
        with pytest.raises(Hl7Error, match=str(expected["error"])):
            parse((samples / str(expected["file"])).read_bytes())
    assert refused


def test_a_batch_file_splits_into_its_messages(samples):
    messages = split_batch((samples / "20-batch.hl7").read_bytes())
    assert [parse(message).control_id for message in messages] == ["B1", "B2"]


def test_a_batch_that_lost_a_message_is_refused():
    with pytest.raises(Hl7Error, match="BTS-1: 2 messages stated, 1 found"):
        split_batch(b"BHS|^~\\&\r" + HEADER + b"\rBTS|2\r")


def test_a_segment_outside_every_message_of_a_batch_is_refused():
    with pytest.raises(Hl7Error, match="MSH"):
        split_batch(b"BHS|^~\\&\rPID|1\r")


def test_msh_1_is_the_separator_and_msh_2_is_never_unescaped():
    message = parse(HEADER + b"\r")
    assert (message.get("MSH-1"), message.get("MSH-2"), message.get("MSH-3")) == ("|", "^~\\&", "A")


def test_what_is_absent_is_empty_and_what_is_deleted_is_two_quotes():
    message = parse(HEADER + b'\rZPD||""\r')
    assert [message.get(path) for path in ("ZPD-1", "ZPD-2", "ZPD-9", "PID-3[2].4", "ZPD[2]-1")] == [
        "",
        '""',
        "",
        "",
        "",
    ]


@pytest.mark.parametrize(
    "path", ["OBX", "OBX5", "OBX-0", "obx-5", "OBX-5.", "OBX[0]-5", "OBX-5.1.1.1", "OBX-९", ""]
)
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(Hl7Error, match="not a path"):
        parse(HEADER + b"\r").get(path)


@pytest.mark.parametrize(
    ("terminator", "segments"), [(b"\r", 3), (b"\n", 3), (b"\r\n", 3), (b"\r\r", 3), (b"\n\n", 3)]
)
def test_any_line_end_ends_a_segment_and_sending_uses_cr(terminator, segments):
    data = terminator.join([HEADER, b"EVN|A04", b"PID|1", b""])
    message = parse(data)
    assert (len(message.segments), message.encode()) == (segments, data)
    assert message.for_sending() == HEADER + b"\rEVN|A04\rPID|1\r"


def test_a_line_feed_inside_a_field_of_a_cr_message_is_content():
    assert parse(HEADER + b"\rNTE|1||two\nlines\r").get("NTE-3") == "two\nlines"


def test_a_last_segment_without_terminator_is_read():
    assert parse(HEADER + b"\rPID|7").get("PID-1") == "7"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (rb"\F\\S\\T\\R\\E\ ", "|^&~\\ "),
        (rb"\XC3A9\ ", "é "),
        (rb"\XC3\ \XZZ\ \X\ ", r"\XC3\ \XZZ\ \X\ "),
        (rb"a\.br\b\H\c\N\ ", r"a\.br\b\H\c\N\ "),
        (rb"\P\ \Zx\ ", r"\P\ \Zx\ "),
        (rb"lone \ then \T\ ", r"lone \ then & "),
        (b"ends in \\", "ends in \\"),
    ],
)
def test_escapes(field, value):
    assert parse(HEADER + b"UTF-8\rNTE|||" + field + b"\r").get("NTE-3") == value


def test_a_declared_truncation_character_has_an_escape():
    assert parse(b"MSH|^~\\&#|A\rNTE|||a\\P\\\r").get("NTE-3") == "a#"


@pytest.mark.parametrize(
    ("start", "names"),
    [
        (b"", "MSH"),
        (b"\r\n", "MSH"),
        (b"PID|1\r", "MSH"),
        (b"<html>", "MSH"),
        (b"MSH", "MSH-1"),
        (b"MSHA^~\\&A", "MSH-1"),
        (b"MSH|", "MSH-2"),
        (b"MSH|^~\\|", "MSH-2"),
        (b"MSH|^~\\&#!|", "MSH-2"),
        (b"MSH|^^\\&|", "MSH-2"),
        (b"MSH|^~\\A|", "MSH-2"),
        (b"MSH|^~|\\&|", "MSH-2"),
        (HEADER + b"\rpatient text\r", "line 2"),
        (HEADER + b"\rPIDX|1\r", "line 2"),
        (HEADER + b"\r" + HEADER, "batch"),
        (HEADER + b"KLINGON\r", "MSH-18"),
        (HEADER + b"ASCII~KLINGON\r", "MSH-18"),
        (HEADER + b"UNICODE UTF-16\r", "MSH-18"),
        (HEADER + b"ASCII\rPID|1|a\xe9\r", "PID-2"),
        (HEADER + b"UTF-8\rNTE|1\rNTE|1||a\xe9\r", r"NTE\[2\]-3"),
    ],
)
def test_what_cannot_be_read_is_refused_by_place(start, names):
    with pytest.raises(Hl7Error, match=names):
        parse(start)


def test_no_error_holds_what_the_message_says():
    with pytest.raises(Hl7Error) as raised:
        parse(HEADER + b"\rSECRETNAME^ALMA\r")
    assert "SECRET" not in str(raised.value)
    assert "SECRET" not in repr(parse(HEADER + b"\rPID|||SECRET\r"))


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_an_hl7_error(data):
    with suppress(Hl7Error):
        assert parse(data).encode() == data


@given(st.binary(max_size=200))
def test_anything_after_a_good_header_gives_a_message_or_an_hl7_error(rest):
    data = HEADER + rest
    try:
        message = parse(data)
    except Hl7Error:
        return
    assert message.encode() == data
    for segment in message.segments:
        assert [segment.raw(number) for number, _ in enumerate(segment, 1)] == list(segment)


@given(st.lists(st.sampled_from([b"FHS|", b"BHS|", b"BTS|1", b"FTS", b"MSH|", b"PID|1", b"\r", b"\n", b"x"])))
def test_any_lines_give_messages_or_an_hl7_error(lines):
    try:
        messages = split_batch(b"\r".join(lines))
    except Hl7Error:
        return
    assert all(message.startswith(b"MSH") for message in messages)
