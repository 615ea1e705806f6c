"""Every character set that MSH-18 can name, and the names that senders give them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7 import Hl7Error, parse
from gateway.hl7.building import build
from gateway.hl7.charsets import charset_named


def _message(stated: str, name: bytes, sender: bytes = b"A") -> bytes:
    return (
        b"MSH|^~\\&|"
        + sender
        + b"|B|C|D|1||ADT^A04|1|P|2.5||||||"
        + stated.encode()
        + b"\rPID|||||"
        + name
        + b"^X\r"
    )


@pytest.mark.parametrize(
    ("stated", "encoded", "name"),
    [
        ("", b"ALMA", "ALMA"),
        ("", "ZOË".encode(), "ZOË"),
        ("", b"ZO\xcb", "ZOË"),
        ("ASCII", b"ALMA", "ALMA"),
        ("ISO IR6", b"ALMA", "ALMA"),
        ("8859/1", b"ZO\xcb", "ZOË"),
        ("8859-1", b"ZO\xcb", "ZOË"),
        ("ISO-8859-1", b"ZO\xcb", "ZOË"),
        ("8859/2", b"\xa3UCJA", "ŁUCJA"),
        ("8859/3", b"\xa1", "Ħ"),
        ("8859/4", b"\xa3", "Ŗ"),
        ("8859/5", b"\xb0\xdd\xdd\xd0", "Анна"),
        ("8859/6", b"\xe5", "م"),
        ("8859/7", b"\xc1\xed\xed\xe1", "Αννα"),
        ("8859/8", b"\xf9", "ש"),
        ("8859/9", b"\xdeULE", "ŞULE"),
        ("8859/15", b"\xa4", "€"),
        ("ISO IR14", b"\xbc\xb9\xdd", "ｼｹﾝ"),
        ("ISO IR87", b"\x1b$B;n83\x1b(B", "試験"),
        ("~ISO IR87", b"\x1b$B;n83\x1b(B", "試験"),
        ("ISO IR14~ISO IR87", b"\xbc\xb9\xdd\x1b$B;n83\x1b(J", "ｼｹﾝ試験"),
        ("ISO IR6~ISO IR87~ISO IR159", b"\x1b$(D0\x21\x1b(B", "丂"),
        ("GB 18030-2000", b"\xd5\xc5\xcb\x7c", "张藎"),
        ("KS X 1001", b"\xc8\xab", "홍"),
        ("CNS 11643-1992", b"\xc4\xe3", "中"),
        ("CNS 11643-1992", b"\x8e\xa2\xa1\xa1", "乂"),
        ("BIG-5", b"\xb3\x5c\xa5\x5c", "許功"),
        ("UNICODE", "試験".encode(), "試験"),
        ("UNICODE UTF-8", "試験".encode(), "試験"),
        ("UTF8", "試験".encode(), "試験"),
        ("utf-8", "試験".encode(), "試験"),
    ],
)
def test_a_name_is_read_in_the_set_that_msh_18_states(stated, encoded, name):
    message = parse(_message(stated, encoded))
    assert (message.get("PID-5.1"), message.get("PID-5.2")) == (name, "X")
    assert message.encode() == _message(stated, encoded)


@pytest.mark.parametrize(
    ("stated", "codec"),
    [
        ("UNICODE UTF-16", "utf-16"),
        ("UNICODE UTF-16", "utf-16-be"),
        ("UNICODE", "utf-16-le"),
        ("UTF-32", "utf-32"),
    ],
)
def test_a_file_in_utf_16_or_utf_32_is_read(stated, codec):
    data = _message(stated, "試験".encode()).decode().encode(codec)
    message = parse(data)
    assert (message.get("PID-5.1"), message.encode()) == ("試験", data)


def test_a_file_in_utf_16_that_states_another_set_is_refused():
    with pytest.raises(Hl7Error, match="MSH-18"):
        parse(_message("8859/1", b"ALMA").decode().encode("utf-16"))


def test_a_byte_order_mark_is_no_part_of_the_first_segment():
    data = b"\xef\xbb\xbf" + _message("UTF-8", b"ALMA")
    assert (parse(data).get("PID-5"), parse(data).encode()) == ("ALMA", data)


@pytest.mark.parametrize(("stated", "sender"), [("BIG-5", "許功蓋"), ("GB 18030-2000", "藎藎")])
def test_bytes_that_look_like_delimiters_in_msh_do_not_hide_msh_18(stated, sender):
    encode = charset_named((stated,)).encode
    message = parse(_message(stated, encode(sender), encode(sender)))
    assert (message.get("MSH-3"), message.get("PID-5.1")) == (sender, sender)


def test_bytes_outside_the_stated_set_are_refused_with_their_place():
    with pytest.raises(Hl7Error, match=r"PID-5: byte 0xCB at \d+"):
        parse(_message("ASCII", b"ZO\xcb"))


@pytest.mark.parametrize(
    "stated", ["", "ASCII", "8859/1", "ISO IR87", "ISO IR14", "KS X 1001", "CNS 11643-1992"]
)
def test_a_character_that_the_stated_set_lacks_is_never_replaced(stated):
    with pytest.raises(Hl7Error, match=r"PID-5: .*MSH-18"):
        build([("MSH", {18: stated}), ("PID", {5: ("OK", "𓀀")})])


def test_a_yen_sign_is_not_sent_where_it_would_be_read_as_the_escape_character():
    with pytest.raises(Hl7Error, match="NTE-3"):
        build([("MSH", {18: ["", "ISO IR87"]}), ("NTE", {3: "¥100"})])


def test_utf_16_cannot_be_sent():
    with pytest.raises(Hl7Error, match="MSH-18"):
        build([("MSH", {18: "UNICODE UTF-16"})])


@given(
    st.sampled_from(
        ["", "8859/1", "8859/7", "ISO IR14", "GB 18030-2000", "KS X 1001", "BIG-5", "CNS 11643-1992"]
    )
    | st.just("UTF-8"),
    st.text("aé~^&|\\αｼ許功藎中한 \x1c\r\n", max_size=8),
)
def test_what_a_set_holds_comes_back_and_what_it_lacks_is_refused(stated, text):
    try:
        data = build([("MSH", {18: stated}), ("NTE", {3: ("x", text)})])
    except Hl7Error as error:
        refused = (error.segment, error.field)
    else:
        assert parse(data).get("NTE-3.2") == text
        return
    assert refused == ("NTE", 3)


@given(
    st.sampled_from(["ISO IR87", "ISO IR14~ISO IR87", "BIG-5", "CNS 11643-1992", "GB 18030-2000"]),
    st.binary(),
)
def test_any_bytes_in_a_multi_byte_set_give_a_message_or_an_hl7_error(stated, data):
    message = _message(stated, data)
    with suppress(Hl7Error):
        assert parse(message).encode() == message
