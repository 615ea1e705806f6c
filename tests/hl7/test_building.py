"""Messages from plain values: escaped once, complete, in the stated character set."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7 import Hl7Error, parse
from gateway.hl7.building import DELETE, Er7, Field, build, numeric_array
from gateway.hl7.delimiters import Delimiters


def _nte(value: Field) -> bytes:
    return build([("MSH", {18: "UTF-8"}), ("NTE", {3: value})]).split(b"\r")[1].removeprefix(b"NTE|||")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("plain", b"plain"),
        ("A&D|^~\\", rb"A\T\D\F\\S\\R\\E" + b"\\"),
        ("two\r\nlines\x1c", rb"two\X0D\\X0A\lines\X1C" + b"\\"),
        (7, b"7"),
        (Decimal("36.60"), b"36.60"),
        (Decimal("1E+2"), b"100"),
        (Decimal("0E-3"), b"0.000"),
        (("a", "", "b&c", None, ""), rb"a^^b\T\c"),
        (("a", ("b", "c"), 3), b"a^b&c^3"),
        (["a", ("b", "c")], b"a~b^c"),
        (DELETE, b'""'),
        (Er7("1^2~3"), b"1^2~3"),
        ((Er7("a&b"), "c&d"), rb"a&b^c\T\d"),
        (numeric_array([[1, -2], [3, 4]]), b"1^-2~3^4"),
        ("é", "é".encode()),
    ],
)
def test_a_value_leaves_as(value, sent):
    assert _nte(value) == sent


def test_a_message_is_its_segments_each_ended_by_cr():
    assert build([("MSH", {3: "A", 9: ("ACK", "R01")}), ("MSA", {1: "AA", 2: "7", 5: None})]) == (
        b"MSH|^~\\&|A||||||ACK^R01\rMSA|AA|7\r"
    )


def test_any_delimiters_can_be_used():
    delimiters = Delimiters("#", "*", "@", "!", "%")
    data = build([("MSH", {3: "A#|"}), ("NTE", {3: ("a*b", ("c", "d%"))})], delimiters)
    assert data == b"MSH#*@!%#A!F!|\rNTE###a!S!b*c%d!T!\r"
    assert parse(data).get("NTE-3.2.2") == "d%"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_a_number_is_never_sent_as_one(value):
    with pytest.raises(Hl7Error, match="not a number"):
        _nte(value)


def test_a_message_without_msh_is_not_built():
    with pytest.raises(Hl7Error, match="MSH"):
        build([("PID", {1: 1})])


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=12)


@given(st.lists(st.lists(texts, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3))
def test_any_text_comes_back_from_any_place(repetitions):
    data = build([("MSH", {18: "UNICODE UTF-8"}), ("ZZZ", {2: list(repetitions)})])
    message = parse(data)
    for r, components in enumerate(repetitions, 1):
        for c, text in enumerate(components, 1):
            assert message.get(f"ZZZ-2[{r}].{c}") == text
    assert message.for_sending() == data


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_any_decimal_keeps_its_digits(value):
    assert Decimal(_nte(value).decode()) == value
