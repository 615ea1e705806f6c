"""SFLOAT and FLOAT: exact digits, and special values that are never numbers."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.ieee11073 import Special, float32, resembles_special, sfloat
from gateway.errors import DecodeError

_DECODERS = {"SFLOAT": sfloat, "FLOAT": float32}


@pytest.mark.parametrize(
    ("wire", "printed"),
    [
        ("72 00", "114"),
        ("A0 F0", "16.0"),
        ("8A E2", "6.50"),
        ("76 B0", "0.00118"),
        ("9C FF", "-10.0"),
        ("14 10", "200"),
        ("00 70", "0"),
    ],
)
def test_an_sfloat_keeps_the_digits_of_its_resolution(wire: str, printed: str) -> None:
    value = sfloat(bytes.fromhex(wire))
    assert isinstance(value, Decimal)
    assert f"{value:f}" == printed


def test_a_float_keeps_the_digits_of_its_resolution() -> None:
    assert str(float32(bytes.fromhex("A0 86 01 FD"))) == "100.000"


@pytest.mark.parametrize(
    ("short", "long", "special"),
    [
        ("FF 07", "FF FF 7F 00", Special.NAN),
        ("00 08", "00 00 80 00", Special.NRES),
        ("FE 07", "FE FF 7F 00", Special.PLUS_INFINITY),
        ("02 08", "02 00 80 00", Special.MINUS_INFINITY),
        ("01 08", "01 00 80 00", Special.RESERVED),
    ],
)
def test_a_special_value_is_no_number(short: str, long: str, special: Special) -> None:
    assert sfloat(bytes.fromhex(short)) is special
    assert float32(bytes.fromhex(long)) is special


@pytest.mark.parametrize(
    ("wire", "doubtful"), [("FF F7", True), ("FF 17", True), ("00 F8", True), ("FD 07", False)]
)
def test_a_special_mantissa_under_another_exponent_is_a_number_in_doubt(wire: str, doubtful: bool) -> None:
    value = sfloat(bytes.fromhex(wire))
    assert isinstance(value, Decimal)
    assert resembles_special(value) is doubtful


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x02\x03"])
def test_a_number_of_another_length_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        sfloat(data)
    with pytest.raises(DecodeError):
        float32(data)


@settings(max_examples=80)
@given(st.integers(-2045, 2045), st.integers(-8, 7))
def test_every_other_sfloat_comes_back(mantissa: int, exponent: int) -> None:
    wire = ((exponent & 0xF) << 12 | mantissa & 0xFFF).to_bytes(2, "little")
    assert str(sfloat(wire)) == str(Decimal(mantissa).scaleb(exponent))


@settings(max_examples=80)
@given(st.integers(-8388605, 8388605), st.integers(-128, 127))
def test_every_other_float_comes_back(mantissa: int, exponent: int) -> None:
    wire = ((exponent & 0xFF) << 24 | mantissa & 0xFFFFFF).to_bytes(4, "little")
    assert str(float32(wire)) == str(Decimal(mantissa).scaleb(exponent))


def test_the_numbers_among_the_sample_bytes_are_what_they_should_be(gateway_data: Path) -> None:
    samples = tomllib.loads((gateway_data.parent / "protocols" / "samples" / "bluetooth.toml").read_text())
    numbers = [s for s in samples["sample"] if s["characteristic"] in _DECODERS]
    assert numbers
    for sample in numbers:
        value = _DECODERS[sample["characteristic"]](bytes.fromhex(sample["hex"]))
        if isinstance(value, Special):
            assert value.value == sample["special"], sample
        else:
            assert f"{value:f}" == sample["expect"]["value"], sample
