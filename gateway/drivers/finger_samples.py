"""What the samples of a finger oximeter become, whichever maker's protocol they came in."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from gateway.codecs.oximeter_sample import Sample
from gateway.drivers.contract import Events
from gateway.drivers.steadiness import OneFinger
from gateway.model import Observation, Reading, rejected

_NO_FINGER = frozenset({"no finger", "probe unplugged", "searched too long", "searching", "probe error"})
_NOTED = frozenset({"SpO2 drops"})


class Moment(Protocol):
    """What an oximeter says of one moment, in whichever protocol."""

    @property
    def spo2(self) -> Decimal | None: ...

    @property
    def pulse_rate(self) -> Decimal | None: ...

    @property
    def conditions(self) -> tuple[str, ...]: ...


def unusable(sample: Moment, without_finger: Collection[str] = _NO_FINGER) -> str:
    """Why a sample is no measurement; empty where it is one.

    Parameters
    ----------
    sample : Moment
    without_finger : collection of str
        The conditions under which its numbers are nobody's.
    """
    reasons = [name for name in sample.conditions if name in without_finger]
    if sample.spo2 is None:
        reasons.append("no SpO2")
    if sample.pulse_rate is None:
        reasons.append("no pulse rate")
    return ", ".join(reasons)


def reading_of(sample: Sample) -> Reading:
    """What a sample says when it is taken for itself."""
    if reason := unusable(sample):
        return rejected("pulse-oximetry", reason)
    values = (
        ("spo2", sample.spo2, "%"),
        ("pulse-rate", sample.pulse_rate, "/min"),
        ("perfusion-index", sample.perfusion_index, "%"),
    )
    return Reading(
        kind="pulse-oximetry",
        observations=tuple(
            Observation(name, value, unit) for name, value, unit in values if value is not None
        ),
        notes=tuple(name for name in sample.conditions if name in _NOTED),
    )


def concluded(finger: OneFinger, sample: Sample, content: bytes, at: datetime) -> Events:
    """What `finger` makes of a sample that arrived in `content`: a reading when its values have settled."""
    if reason := unusable(sample):
        return finger.gone(reason)
    reading = replace(reading_of(sample), provenance=content)
    return finger.valid(reading.taken(at, by="gateway"))
