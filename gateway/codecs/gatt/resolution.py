"""Steps of scales: how finely weight and height are measured, as the Feature characteristics state it.

The numbers on the wire always have the same step; the true one of the scale is a code in Weight Scale
Feature 0x2A9E and Body Composition Feature 0x2A9B. Source: GATT Specification Supplement.
"""

from decimal import Decimal

KILOGRAMS, POUNDS = Decimal("0.005"), Decimal("0.01")
METRES, INCHES = Decimal("0.001"), Decimal("0.1")

_MASS = (
    "",
    "0.5 kg or 1 lb",
    "0.2 kg or 0.5 lb",
    "0.1 kg or 0.2 lb",
    "0.05 kg or 0.1 lb",
    "0.02 kg or 0.05 lb",
    "0.01 kg or 0.02 lb",
    "0.005 kg or 0.01 lb",
)
_HEIGHT = ("", "0.01 m or 1 in", "0.005 m or 0.5 in", "0.001 m or 0.1 in")


def mass_resolution(code: int) -> str | None:
    """The step of a weight; None where it is not specified or the code is reserved."""
    return _named(_MASS, code)


def height_resolution(code: int) -> str | None:
    """The step of a height; None where it is not specified or the code is reserved."""
    return _named(_HEIGHT, code)


def _named(steps: tuple[str, ...], code: int) -> str | None:
    return steps[code] or None if code < len(steps) else None
