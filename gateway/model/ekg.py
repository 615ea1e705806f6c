"""An EKG as a machine recorded it: leads in millivolts, and what the file says about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.model.reading import Device

if TYPE_CHECKING:  # readings of scales and cuffs should not wait for NumPy
    import numpy as np
    from numpy.typing import NDArray

STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, slots=True)
class DeviceMeasurement:
    """A value that the machine itself computed, as its file states it.

    Parameters
    ----------
    value : Decimal
    unit : str
        UCUM: ``ms``, ``/min``, ``deg``, ``mV``.
    """

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class EkgGroup:
    """Leads of one recording that belong together but are not its rhythm: a median beat, a second part.

    Parameters
    ----------
    label : str
        What the file calls it, or ``median``.
    leads : tuple of str
    samples_mv : (leads, samples) array, mV
    sample_rate_hz : float
    """

    label: str
    leads: tuple[str, ...]
    samples_mv: "NDArray[np.float64]"
    sample_rate_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EkgRecording:
    """One EKG.

    Parameters
    ----------
    format, format_version : str
        Of the file that it was read from: ``SCP-ECG``, ``2.0``. The version is empty where none is stated.
    leads : tuple of str
        In the file's order, in one spelling: ``I II III aVR aVL aVF V1`` to ``V6``, others as named.
    samples_mv : (leads, samples) array, mV
        NaN where the file says that there was no signal.
    sample_rate_hz : float
    started_at : datetime, optional
        With a zone only where the file states one.
    device : Device
    filters : mapping
        What the machine had applied, by the names ``high_pass_hz``, ``low_pass_hz``, ``mains_hz``, ``text``.
    patient_fields : mapping
        Identifying fields that are present, by name (``id``, ``family_name``, ``birth_date``, ...).
        The names may be shown; the values are for patient matching only.
    device_measurements : mapping of str to DeviceMeasurement
        By the names of the vocabulary (``heart-rate``, ``pr-interval``, ...), others as the file names them.
    statements : tuple of str
        The machine's interpretation, in its words.
    groups : tuple of EkgGroup
    warnings : tuple of str
        What does not hold in the file without making the signal wrong: a checksum, a length, a lead equation.
    """

    format: str
    format_version: str
    leads: tuple[str, ...]
    samples_mv: "NDArray[np.float64]"
    sample_rate_hz: float
    started_at: datetime | None = None
    device: Device = field(default_factory=Device)
    filters: Mapping[str, str] = field(default_factory=dict)
    patient_fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    device_measurements: Mapping[str, DeviceMeasurement] = field(default_factory=dict)
    statements: tuple[str, ...] = ()
    groups: tuple[EkgGroup, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        return float(self.samples_mv.shape[-1] / self.sample_rate_hz)
