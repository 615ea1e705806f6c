"""One moment of a finger oximeter, and the frame of five bytes in which many makers send it.

Only the first byte of a frame has bit 7. Which of the flag bits say what differs between makers; the places
of the values do not:

====  =================================
byte  bits
====  =================================
0     7 = 1, flags, 3-0 signal
1     pleth
2     6 pulse rate bit 7, flags, 3-0 bar
3, 4  pulse rate bits 6-0, SpO2
====  =================================

No value is 0 or 127 for SpO2, and anything beyond 100 %; 0 or 255 for pulse rate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

_NO_PULSE = {0, 0xFF}

Flags = Iterable[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment.

    Parameters
    ----------
    spo2, pulse_rate, perfusion_index : Decimal, optional
        Percent, 1/min, percent. None where there is no value.
    conditions : tuple of str
    is_stored : bool
        Of the device's memory: when it was is not said.
    """

    spo2: Decimal | None
    pulse_rate: Decimal | None
    perfusion_index: Decimal | None = None
    conditions: tuple[str, ...] = ()
    is_stored: bool = False


def sample_of(
    spo2: int,
    pulse_rate: int,
    perfusion_index: int | None = None,
    conditions: tuple[str, ...] = (),
    *,
    is_stored: bool = False,
) -> Sample:
    """The sample of numbers as they were sent; `perfusion_index` in steps of 0.01 %."""
    return Sample(
        Decimal(spo2) if 0 < spo2 <= 100 else None,
        None if pulse_rate in _NO_PULSE else Decimal(pulse_rate),
        None if perfusion_index is None else Decimal(perfusion_index).scaleb(-2),
        conditions,
        is_stored,
    )


def conditions_of(flags: int, names: Flags) -> tuple[str, ...]:
    """The names, of (bit, name), whose bit is set."""
    return tuple(name for bit, name in names if flags & bit)


def parse_five(frame: bytes, *, first: Flags, third: Flags) -> Sample:
    """The sample of a frame of five bytes, with what the flags of its first and third byte are called."""
    conditions = conditions_of(frame[0], first) + conditions_of(frame[2], third)
    return sample_of(frame[4], frame[3] | (frame[2] & 0x40) << 1, conditions=conditions)
