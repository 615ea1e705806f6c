"""Rate, intervals, axes, rhythm and quality of a recording, each measured or null with the reason.

Intervals are medians over the beats, so that an ectopic beat does not move them. QT is corrected for rate by
Bazett, Fridericia, Framingham and Hodges, each as AHA/ACCF/HRS gives it [1]_.

References
----------
.. [1] Rautaharju et al., Circulation 119:e241-e250, 2009.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.signal.axes import frontal_axis_deg, frontal_leads
from gateway.signal.delineation import Delineation, delineate
from gateway.signal.filters import filter_ekg
from gateway.signal.quality import LeadQuality, Quality, signal_quality
from gateway.signal.r_peaks import detect_r_peaks
from gateway.signal.rhythm import Finding, rhythm_findings

# Place in `Measurements`, name in the vocabulary, UCUM unit.
NAMED_MEASURES = (
    ("heart_rate_bpm", "heart-rate", "/min"),
    ("intervals_ms.p", "p-duration", "ms"),
    ("intervals_ms.pr", "pr-interval", "ms"),
    ("intervals_ms.qrs", "qrs-duration", "ms"),
    ("intervals_ms.qt", "qt-interval", "ms"),
    ("intervals_ms.qtc_bazett", "qtc-bazett", "ms"),
    ("intervals_ms.qtc_fridericia", "qtc-fridericia", "ms"),
    ("intervals_ms.qtc_framingham", "qtc-framingham", "ms"),
    ("intervals_ms.qtc_hodges", "qtc-hodges", "ms"),
    ("axes_deg.p", "p-axis", "deg"),
    ("axes_deg.qrs", "qrs-axis", "deg"),
    ("axes_deg.t", "t-axis", "deg"),
)
_RHYTHM_LEADS = ("II", "V5", "I", "V2", "III", "V1", "aVF")
_FEWEST_BEATS = 2
_LEAST_SHARE = 0.34  # of the beats must have a wave for its interval to be the recording's
_USABLE_SCORE = 0.3


@dataclass(frozen=True, slots=True)
class RPeaks:
    """Beats, and the lead in which they were found.

    Parameters
    ----------
    lead : str or None
    samples : (beats,) int64 array
    seconds : (beats,) float array
        From the start of the recording.
    """

    lead: str | None
    samples: NDArray[np.int64]
    seconds: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rhythm:
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Medians over the beats, ms; None where not measured."""

    p: float | None = None
    pr: float | None = None
    qrs: float | None = None
    qt: float | None = None
    qtc_bazett: float | None = None
    qtc_fridericia: float | None = None
    qtc_framingham: float | None = None
    qtc_hodges: float | None = None


@dataclass(frozen=True, slots=True)
class Axes:
    """Frontal axes, degrees from -180 to 180; None where not measured."""

    p: float | None = None
    qrs: float | None = None
    t: float | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """What was measured in a recording.

    Parameters
    ----------
    leads : tuple of str
    sample_rate_hz : float
    r_peaks : RPeaks
    heart_rate_bpm : float or None
        From the mean RR interval.
    rr_ms : (k,) array
        RR intervals in order, those across a stretch without signal left out.
    rhythm : Rhythm
    intervals_ms : Intervals
    axes_deg : Axes
    quality : Quality
        Its leads in the order of `leads`.
    unmeasured : mapping of str to str
        Why a value is None, by its path: ``intervals_ms.pr``.
    """

    leads: tuple[str, ...]
    sample_rate_hz: float
    r_peaks: RPeaks
    heart_rate_bpm: float | None
    rr_ms: NDArray[np.float64]
    rhythm: Rhythm
    intervals_ms: Intervals
    axes_deg: Axes
    quality: Quality
    unmeasured: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The measured part of ``gateway ekg analyze --json``: times to 0.1 ms, axes to 1 degree."""
        return {
            "r_peaks": {
                "lead": self.r_peaks.lead,
                "samples": self.r_peaks.samples.tolist(),
                "seconds": [round(second, 4) for second in self.r_peaks.seconds.tolist()],
            },
            "heart_rate_bpm": _rounded(self.heart_rate_bpm, 1),
            "rr_ms": [round(rr, 1) for rr in self.rr_ms.tolist()],
            "rhythm": {"findings": [asdict(finding) for finding in self.rhythm.findings]},
            "intervals_ms": {name: _rounded(ms, 1) for name, ms in asdict(self.intervals_ms).items()},
            "axes_deg": {name: _rounded(deg, 0) for name, deg in asdict(self.axes_deg).items()},
            "quality": {"overall": round(self.quality.overall, 3)}
            | {name: _lead_json(lead) for name, lead in zip(self.leads, self.quality.leads, strict=True)},
            "unmeasured": dict(self.unmeasured),
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _lead_json(lead: LeadQuality) -> dict[str, object]:
    return {
        "score": round(lead.score, 3),
        "flags": list(lead.flags),
        "per_second": [round(second, 3) for second in lead.per_second],
    }


# The rate's correction of QT: (QT ms, RR s) -> QTc ms.
_QT_CORRECTIONS: Mapping[str, Callable[[float, float], float]] = {
    "qtc_bazett": lambda qt, rr: qt / rr**0.5,
    "qtc_fridericia": lambda qt, rr: qt / rr ** (1 / 3),
    "qtc_framingham": lambda qt, rr: qt + 154 * (1 - rr),
    "qtc_hodges": lambda qt, rr: qt + 1.75 * (60 / rr - 60),
}

_INTERVALS = {
    "p": ("p_onset", "p_offset"),
    "pr": ("p_onset", "qrs_onset"),
    "qrs": ("qrs_onset", "qrs_offset"),
    "qt": ("qrs_onset", "t_offset"),
}
_WAVE_NAMES = {"p": "P wave", "pr": "P wave", "qrs": "QRS", "qt": "T wave", "t": "T wave"}


def _rhythm_lead(ekg_mv: NDArray[np.float64], leads: tuple[str, ...], quality: Quality) -> int:
    """The first customary rhythm lead whose quality is near the best and whose waves are not tiny."""
    height = np.nan_to_num(np.nanpercentile(ekg_mv, 99, axis=1) - np.nanpercentile(ekg_mv, 1, axis=1))
    worth = np.array([lead.score for lead in quality.leads]) * np.minimum(
        1, height / max(np.median(height), 1e-9)
    )
    for name in _RHYTHM_LEADS:
        if name in leads and worth[leads.index(name)] >= 0.8 * worth.max():
            return leads.index(name)
    return int(np.argmax(worth))


def _rr_ms(ekg_lead: NDArray[np.float64], samples: NDArray[np.int64], fs: float) -> NDArray[np.float64]:
    """RR intervals; NaN where the lead has no signal for a quarter of a second or more between two beats."""
    missing = np.concatenate(([0], np.cumsum(np.isnan(ekg_lead))))
    lost = missing[samples[1:]] - missing[samples[:-1]]
    return np.where(lost >= 0.25 * fs, np.nan, np.diff(samples) * 1000 / fs)


def _median_ms(waves: Delineation, first: str, last: str, fs: float) -> tuple[float | None, int]:
    start, end = getattr(waves, first), getattr(waves, last)
    both = (start >= 0) & (end >= 0)
    beats = int(np.count_nonzero(both))
    if beats < max(_FEWEST_BEATS, _LEAST_SHARE * len(both)):
        return None, beats
    return float(np.median(end[both] - start[both])) * 1000 / fs, beats


def _intervals(
    waves: Delineation, rr_s: float | None, sample_rate_hz: float, unmeasured: dict[str, str]
) -> Intervals:
    found: dict[str, float] = {}
    for name, (first, last) in _INTERVALS.items():
        ms, beats = _median_ms(waves, first, last, sample_rate_hz)
        if ms is None:
            total = len(waves.qrs_peak)
            unmeasured[f"intervals_ms.{name}"] = f"{_WAVE_NAMES[name]} found in {beats} of {total} beats"
        else:
            found[name] = ms
    for name, correct in _QT_CORRECTIONS.items():
        if "qt" not in found:
            unmeasured[f"intervals_ms.{name}"] = "QT was not measured"
        elif rr_s is None:
            unmeasured[f"intervals_ms.{name}"] = "no RR interval was measured"
        else:
            found[name] = correct(found["qt"], rr_s)
    return Intervals(**found)


def _axes(
    smooth_mv: NDArray[np.float64], leads: tuple[str, ...], waves: Delineation, unmeasured: dict[str, str]
) -> Axes:
    frontal = frontal_leads(smooth_mv, leads)
    found: dict[str, float | None] = {}
    for wave in ("p", "qrs", "t"):
        onsets, offsets = getattr(waves, f"{wave}_onset"), getattr(waves, f"{wave}_offset")
        there = (onsets >= 0) & (offsets > onsets)
        beats = int(np.count_nonzero(there))
        found[wave] = None
        if frontal is None:
            unmeasured[f"axes_deg.{wave}"] = "needs lead I and one of aVF, II and III"
        elif beats < max(_FEWEST_BEATS, _LEAST_SHARE * len(there)):
            name = _WAVE_NAMES[wave]
            unmeasured[f"axes_deg.{wave}"] = f"{name} found in {beats} of {len(there)} beats"
        else:
            found[wave] = frontal_axis_deg(frontal, onsets[there], offsets[there])
            if found[wave] is None:
                unmeasured[f"axes_deg.{wave}"] = "its deflections cancel in the frontal plane"
    return Axes(**found)


def measure_ekg(ekg_mv: NDArray[np.floating], sample_rate_hz: float, leads: Sequence[str]) -> Measurements:
    """Everything that is measured in a recording.

    Parameters
    ----------
    ekg_mv : (leads, n) array, mV
        NaN where there is no signal.
    sample_rate_hz : float
        100 to 2000 Hz.
    leads : sequence of str
        Names in the array's order: ``I``, ``aVF``, ``V2``; others are measured, but have no axis.

    Returns
    -------
    Measurements

    Raises
    ------
    ValueError
        Names and array do not agree, the rate is out of range, or the numbers are not in mV.
    """
    ekg, names = np.asarray(ekg_mv, dtype=np.float64), tuple(leads)
    if ekg.ndim != 2 or len(names) != len(ekg):
        raise ValueError(f"an array of shape {ekg.shape} with {len(names)} lead names; give (leads, n)")
    quality = signal_quality(ekg, sample_rate_hz)
    unmeasured: dict[str, str] = {}
    chosen = _rhythm_lead(ekg, names, quality) if ekg.size and quality.overall > 0 else None
    samples = np.empty(0, np.int64) if chosen is None else detect_r_peaks(ekg[chosen], sample_rate_hz)
    rr_ms = np.empty(0) if chosen is None else _rr_ms(ekg[chosen], samples, sample_rate_hz)
    known_rr = rr_ms[np.isfinite(rr_ms)]
    rr_s = float(known_rr.mean()) / 1000 if len(known_rr) else None
    if rr_s is None:
        unmeasured["heart_rate_bpm"] = (
            f"{len(samples)} beats found; a rate needs two with signal between them"
        )
    usable = [i for i, lead in enumerate(quality.leads) if lead.score > _USABLE_SCORE or i == chosen]
    waves = delineate(ekg[usable], sample_rate_hz, samples)
    smooth = filter_ekg(ekg, sample_rate_hz)
    return Measurements(
        leads=names,
        sample_rate_hz=sample_rate_hz,
        r_peaks=RPeaks(None if chosen is None else names[chosen], samples, samples / sample_rate_hz),
        heart_rate_bpm=None if rr_s is None else 60 / rr_s,
        rr_ms=known_rr,
        rhythm=Rhythm(rhythm_findings(rr_ms, waves, sample_rate_hz)),
        intervals_ms=_intervals(waves, rr_s, sample_rate_hz, unmeasured),
        axes_deg=_axes(smooth, names, waves, unmeasured),
        quality=quality,
        unmeasured=unmeasured,
    )
