"""Counts to millivolts: units, and what a recorder's scale can be."""

from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

_MV = {
    "pv": Decimal("1e-9"),
    "nv": Decimal("1e-6"),
    "uv": Decimal("1e-3"),
    "µv": Decimal("1e-3"),  # micro sign
    "μv": Decimal("1e-3"),  # Greek mu
    "microvolt": Decimal("1e-3"),
    "microvolts": Decimal("1e-3"),
    "mv": Decimal(1),
    "millivolt": Decimal(1),
    "millivolts": Decimal(1),
    "v": Decimal(1000),
}
NV_MV, UV_MV = _MV["nv"], _MV["uv"]
COARSE_MV = Decimal("0.0125")
_WIDE_MV = Decimal(200)


def mv_per(unit: str) -> Decimal | None:
    """Millivolts in one of the unit; None where it is not a unit of voltage."""
    return _MV.get(unit.strip().lower())


def millivolts(
    counts: NDArray[np.integer] | NDArray[np.floating], mv_a_count: Decimal | float
) -> NDArray[np.float64]:
    """Counts times the millivolts of one count."""
    product: NDArray[np.float64] = np.multiply(counts, float(mv_a_count), dtype=np.float64)
    return product


def number(text: str | None) -> Decimal | None:
    """A finite decimal number; None where the text is not one."""
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < 40 else None


def positive(text: str | None) -> Decimal | None:
    """A number above zero; None where the text is not one."""
    value = number(text)
    return value if value is not None and value > 0 else None


def implausible(mv_a_count: Decimal, counts: int) -> str | None:
    """What to say of a scale that no EKG recorder has, or None.

    A step above 12.5 µV occurs in 8-bit recorders, a range above 200 mV in 24-bit ones; both together
    are what a converter writes that did not know the scale.
    """
    step, span = abs(mv_a_count), abs(mv_a_count) * counts
    if step > COARSE_MV and span > _WIDE_MV:
        return f"a scale of {float(step):.4g} mV a count over {float(span):.4g} mV is not an EKG recorder's"
    return None
