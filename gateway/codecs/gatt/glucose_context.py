"""Glucose Measurement Context, 0x2A34 (notified): what the patient ate, did and took.

=====  ====  ===================================================  ============
order  size  field                                                present with
=====  ====  ===================================================  ============
1      1     flags
2      2     sequence number of the measurement
3      1     extended flags, reserved                             flag bit 7
4      3     carbohydrate: id, SFLOAT, kg                         flag bit 0
5      1     meal                                                 flag bit 1
6      1     low nibble tester, high nibble health                flag bit 2
7      3     exercise: uint16 s, 65535 overrun; uint8 intensity   flag bit 3
8      3     medication: id, SFLOAT                               flag bit 4
9      2     HbA1c, SFLOAT, %                                     flag bit 6
=====  ====  ===================================================  ============

Flag bit 5 is the unit of the medication: 0 kg, 1 L. Meters are known that mean grams, milligrams and
millilitres by the numbers of carbohydrate and medication; they are for reading, not for filing.

Source: Glucose Service 1.0.1; GATT Specification Supplement. Evidence: specification.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.codecs.gatt.fields import Fields
from gateway.codecs.ieee11073 import Number

CONTEXT = "2A34"

_CARBOHYDRATE, _MEAL, _TESTER_HEALTH, _EXERCISE, _MEDICATION, _LITRES, _HBA1C, _EXTENDED = (
    1 << bit for bit in range(8)
)

_CARBOHYDRATES = {
    1: "breakfast",
    2: "lunch",
    3: "dinner",
    4: "snack",
    5: "drink",
    6: "supper",
    7: "brunch",
}
_MEALS = {1: "preprandial", 2: "postprandial", 3: "fasting", 4: "casual", 5: "bedtime"}
_TESTERS = {1: "self", 2: "professional", 3: "laboratory", 15: "not-available"}
_HEALTH = {
    1: "minor-issues",
    2: "major-issues",
    3: "menses",
    4: "stress",
    5: "none",
    15: "not-available",
}
_MEDICATIONS = {
    1: "rapid-acting",
    2: "short-acting",
    3: "intermediate-acting",
    4: "long-acting",
    5: "premixed",
}


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of something; `unit` is UCUM."""

    what: str
    amount: Number
    unit: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """Its duration, None where it was longer than the field can say, and its intensity in percent."""

    seconds: Decimal | None
    intensity: int


@dataclass(frozen=True, slots=True)
class GlucoseContext:
    """One value of 0x2A34. What is not sent is None; a reserved number is ``reserved 9``."""

    flags: int
    sequence: int
    carbohydrate: Amount | None = None
    meal: str | None = None
    tester: str | None = None
    health: str | None = None
    exercise: Exercise | None = None
    medication: Amount | None = None
    hba1c: Number | None = None
    rest: bytes = b""


def decode_context(value: bytes) -> GlucoseContext:
    """A value of 0x2A34.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    sequence = fields.unsigned("sequence-number", 2)
    if flags & _EXTENDED:
        fields.take("extended-flags", 1)
    carbohydrate = _amount(fields, "carbohydrate", _CARBOHYDRATES, "kg") if flags & _CARBOHYDRATE else None
    meal = _named(_MEALS, fields.unsigned("meal", 1)) if flags & _MEAL else None
    tester_health = fields.unsigned("tester-health", 1) if flags & _TESTER_HEALTH else None
    exercise = _exercise(fields) if flags & _EXERCISE else None
    unit = "L" if flags & _LITRES else "kg"
    return GlucoseContext(
        flags=flags,
        sequence=sequence,
        carbohydrate=carbohydrate,
        meal=meal,
        tester=None if tester_health is None else _named(_TESTERS, tester_health & 0xF),
        health=None if tester_health is None else _named(_HEALTH, tester_health >> 4),
        exercise=exercise,
        medication=_amount(fields, "medication", _MEDICATIONS, unit) if flags & _MEDICATION else None,
        hba1c=fields.sfloat("hba1c") if flags & _HBA1C else None,
        rest=fields.rest(),
    )


def _exercise(fields: Fields) -> Exercise:
    return Exercise(fields.steps("exercise-duration", Decimal(1)), fields.unsigned("exercise-intensity", 1))


def _amount(fields: Fields, name: str, ids: Mapping[int, str], unit: str) -> Amount:
    what = _named(ids, fields.unsigned(f"{name}-id", 1))
    return Amount(what, fields.sfloat(name), unit)


def _named(names: Mapping[int, str], number: int) -> str:
    return names.get(number, f"reserved {number}")
