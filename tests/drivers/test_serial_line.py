"""A serial line as it is written, and the link that a device gets when a line is chosen for it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import SerialLine, SerialLink, TcpLink, declared_lines, load, on_line

LINES = st.builds(
    SerialLine,
    st.integers(50, 4_000_000),
    st.sampled_from([7, 8]),
    st.sampled_from(["N", "E", "O"]),
    st.sampled_from([1, 2]),
)


@given(LINES)
def test_a_line_is_read_as_it_is_written(line: SerialLine):
    assert SerialLine.parse(str(line)) == line


@pytest.mark.parametrize("text", ["2400 7E1", "2400 7e1", "24007E1", " 2400 7E1 "])
def test_a_line_may_be_written_a_little_otherwise(text: str):
    assert SerialLine.parse(text) == SerialLine(2400, 7, "E", 1)


@given(st.text(st.sampled_from("0123456789 NEOneoMS.-,x"), max_size=12))
def test_what_is_no_line_is_refused_and_never_guessed(text: str):
    with suppress(ValueError):
        line = SerialLine.parse(text)
        assert str(line).replace(" ", "") == text.replace(" ", "").upper().lstrip("0")


@pytest.mark.parametrize("text", ["", "2400", "8N1", "9600 6N1", "9600 8M1", "9600 8N3", "0 8N1", "49 8N1"])
def test_half_a_line_is_none(text: str):
    with pytest.raises(ValueError, match="not the settings of a serial line"):
        SerialLine.parse(text)


@pytest.mark.parametrize(
    ("driver", "line"), [("tanita-serial", "2400 7E1"), ("and-scale", "9600 8N1"), ("omron-hbp", "2400 8N1")]
)
def test_a_line_that_is_not_the_first_can_be_chosen(driver: str, line: str):
    links = load(driver).links
    assert str(declared_lines(links)[0]) != line
    chosen = on_line(links, SerialLine.parse(line))
    assert [str(each) for each in declared_lines(chosen)] == [line]
    assert TcpLink() in chosen


def test_a_line_of_the_device_s_menu_keeps_the_flow_control_of_the_most_alike():
    links = (SerialLink(baudrate=9600, xonxoff=True), SerialLink(2400, 7, "E", rtscts=True, dtr=True))
    assert on_line(links, SerialLine.parse("4800 7E1")) == (SerialLink(4800, 7, "E", rtscts=True, dtr=True),)
    assert on_line(links, SerialLine.parse("9600 8N2")) == (SerialLink(9600, stopbits=2, xonxoff=True),)


def test_without_a_choice_the_links_are_as_declared():
    links = (SerialLink(baudrate=9600), SerialLink(baudrate=2400))
    assert on_line(links, None) == links
    assert on_line((TcpLink(),), SerialLine.parse("9600 8N1")) == (TcpLink(),)
