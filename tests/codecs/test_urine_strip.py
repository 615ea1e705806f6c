"""Results of urine strips, and the units of analysers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.laboratory_units import ucum
from gateway.codecs.urine_strip import observation
from gateway.errors import DecodeError


@pytest.mark.parametrize(
    ("sent", "text", "value", "comparator", "unit"),
    [
        ("Trace-intact", "Trace-intact", None, None, None),
        ("1+", "1+", None, None, None),
        ("+++", "+++", None, None, None),
        ("1.020", None, "1.020", None, None),
        ("15 mg/dL", None, "15", None, "mg/dL"),
        ("15mg/dL", None, "15", None, "mg/dL"),
        ("Trace (+/-)", "Trace (+/-)", None, None, None),
        ("1+ Small", "1+ Small", None, None, None),
        (">=1000 mg/dL", None, "1000", ">=", "mg/dL"),
        ("Apr 200 Hem/uL", "Apr 200", None, None, "{cells}/uL"),
        ("Ca 25 Ery/µL", "Ca 25", None, None, "{cells}/uL"),
        ("30-300 mg/g", "30-300", None, None, "mg/g"),
    ],
)
def test_a_result_is_a_word_a_number_or_both(
    sent: str, text: str | None, value: str | None, comparator: str | None, unit: str | None
) -> None:
    found = observation("PRO", sent)
    number = None if found.value is None else str(found.value)
    assert (found.text, number, found.comparator, found.unit) == (text, value, comparator, unit)


@pytest.mark.parametrize(
    "sent", ["", "---", "15 furlong", "1_0", "\x01", "NaN mg/dL?", "1,5 mg/dL", ">=", "\u0663"]
)
def test_what_is_neither_is_refused(sent: str) -> None:
    with pytest.raises(DecodeError):
        observation("PRO", sent)


@given(st.text(max_size=30))
def test_any_text_is_an_observation_or_a_typed_error(sent: str) -> None:
    try:
        found = observation("PRO", sent)
    except DecodeError:
        return
    assert (found.value is None) != (found.text is None)


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("10^3/uL", "10*3/uL"),
        ("x10E9/L", "10*9/L"),
        ("10³/µL", "10*3/uL"),
        ("10*12/L", "10*12/L"),
        ("µmol/l", "umol/L"),
        ("IU/mL", "[iU]/mL"),
        ("G/L", None),
        ("furlong", None),
        ("", None),
    ],
)
def test_units_are_known_by_their_spelling_or_not_at_all(spelling: str, code: str | None) -> None:
    assert ucum(spelling) == code
