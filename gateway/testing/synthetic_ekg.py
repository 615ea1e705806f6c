"""A 12-lead EKG of nobody: built from known waves, so that what is measured can be held against it.

Each beat is a sum of Gaussian waves with one amplitude a lead. I and II are rounded to an even number of
counts before the other limb leads are derived from them, so that Einthoven's and Goldberger's equations
hold to the last count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import STANDARD_LEADS, Device, EkgRecording

RESOLUTION_MV = 0.0025
_SEED = 20260302
_NOISE_MV = 0.006
_WANDER_MV = 0.05


@dataclass(frozen=True, slots=True)
class _Wave:
    """One wave of every beat: centre and width (standard deviation) from the R peak, amplitude by lead."""

    centre_s: float
    width_s: float
    mv: tuple[float, float, float, float, float, float, float, float]  # I II V1-V6


_INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
_P_WAVE = _Wave(-0.160, 0.022, (0.08, 0.14, 0.06, 0.07, 0.08, 0.08, 0.08, 0.07))
_WAVES = (
    _Wave(-0.026, 0.008, (-0.06, -0.08, 0.02, 0.00, -0.02, -0.08, -0.10, -0.09)),  # Q
    _Wave(0.000, 0.011, (0.70, 1.10, 0.25, 0.50, 0.90, 1.50, 1.40, 1.10)),  # R
    _Wave(0.028, 0.010, (-0.12, -0.16, -0.90, -1.20, -0.80, -0.45, -0.20, -0.08)),  # S
    _Wave(0.270, 0.045, (0.20, 0.30, -0.05, 0.40, 0.45, 0.42, 0.35, 0.25)),  # T
)


def synthetic_recording(
    *,
    heart_rate_bpm: float = 75.0,
    duration_s: float = 10.0,
    sample_rate_hz: float = 250.0,
    p_waves: bool = True,
) -> EkgRecording:
    """A recording in sinus rhythm with a little noise and baseline wander, the same at every call.

    Without P waves the rhythm is a junctional one, as regular.
    """
    at_s = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    random = np.random.default_rng(_SEED)
    independent = _beats(at_s, 60.0 / heart_rate_bpm, (_P_WAVE, *_WAVES) if p_waves else _WAVES)
    independent += _WANDER_MV * np.sin(2 * np.pi * 0.23 * at_s)
    independent += random.normal(0.0, _NOISE_MV, independent.shape)
    return EkgRecording(
        format="synthetic",
        format_version="",
        leads=STANDARD_LEADS,
        samples_mv=_twelve_leads(independent),
        sample_rate_hz=sample_rate_hz,
        device=Device(vendor="Exemplar", model="Rhythm 12", serial="R12-000042"),
    )


def _beats(at_s: NDArray[np.float64], rr_s: float, waves: tuple[_Wave, ...]) -> NDArray[np.float64]:
    r_peaks_s = np.arange(0.6 * rr_s, at_s[-1] + rr_s, rr_s)
    from_r_s = at_s[None, :] - r_peaks_s[:, None]
    signal = np.zeros((len(_INDEPENDENT_LEADS), at_s.size))
    for wave in waves:
        shape = np.exp(-0.5 * ((from_r_s - wave.centre_s) / wave.width_s) ** 2).sum(axis=0)
        signal += np.array(wave.mv)[:, None] * shape
    return signal


def _twelve_leads(independent: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = 2 * np.rint(independent / (2 * RESOLUTION_MV)).astype(np.int64)
    lead_i, lead_ii, *chest = counts
    limb = (
        lead_i,
        lead_ii,
        lead_ii - lead_i,
        -(lead_i + lead_ii) // 2,
        lead_i - lead_ii // 2,
        lead_ii - lead_i // 2,
    )
    return np.array([*limb, *chest]) * RESOLUTION_MV
