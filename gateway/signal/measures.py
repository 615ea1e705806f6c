"""Rate, intervals, axes, rhythm and quality of a recording, each measured or null with the reason.

Intervals are medians over the beats, so that an ectopic beat does not move them. QT is corrected for rate by
Bazett, Fridericia, Framingham and Hodges, each as AHA/ACCF/HRS gives it [1]_.

References
----------
.. [1] Rautaharju et al., Circulation 119:e241-e250, 2009.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gateway.signal.axes import frontal_axis_deg, frontal_leads
from gateway.signal.beats import LEAST_SCORE, Beats, RrStatistics, find_beats
from gateway.signal.delineation import Delineation, delineate
from gateway.signal.electrodes import electrode_findings
from gateway.signal.filters import bridged, filter_ekg
from gateway.signal.findings import Finding
from gateway.signal.limb_leads import limb_gains
from gateway.signal.pacing import pacing_finding
from gateway.signal.quality import Flag, LeadQuality, Quality, signal_quality
from gateway.signal.rhythm import rhythm_findings

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
_FEWEST_BEATS = 2
_LEAST_SHARE = 0.34  # of the beats must have a wave for its interval to be the recording's


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
    """What stands out, for review, and the intervals' variability; None with too few of them."""

    findings: tuple[Finding, ...]
    rr: RrStatistics | None


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


def _spans(seconds: tuple[int, ...]) -> str:
    """``0, 4 to 6``."""
    each = np.array(seconds)
    runs = np.split(each, np.flatnonzero(np.diff(each) > 1) + 1)
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


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
    frontal = frontal_leads(smooth_mv, leads, limb_gains(smooth_mv, leads))
    found: dict[str, float | None] = {}
    for wave in ("p", "qrs", "t"):
        onsets, offsets = getattr(waves, f"{wave}_onset"), getattr(waves, f"{wave}_offset")
        there = (onsets >= 0) & (offsets > onsets)
        beats = int(np.count_nonzero(there))
        found[wave] = None
        if frontal is None:
            unmeasured[f"axes_deg.{wave}"] = "needs lead I and one of aVF, II and III, of usable quality"
        elif beats < max(_FEWEST_BEATS, _LEAST_SHARE * len(there)):
            name = _WAVE_NAMES[wave]
            unmeasured[f"axes_deg.{wave}"] = f"{name} found in {beats} of {len(there)} beats"
        else:
            found[wave] = frontal_axis_deg(frontal, onsets[there], offsets[there])
            if found[wave] is None:
                unmeasured[f"axes_deg.{wave}"] = "its deflections cancel in the frontal plane"
    return Axes(**found)


def _not_seen(beats: Beats, lead: str) -> dict[str, str]:
    if not beats.left_out:
        return {}
    where = f"no beats are given in seconds {_spans(beats.left_out)} of lead {lead}"
    return {"r_peaks": f"{where}: quality below {LEAST_SCORE}; a pause would not be seen there"}


def _flagged(quality: Quality, names: tuple[str, ...], flags: Mapping[str, Flag]) -> Quality:
    leads = (
        replace(lead, flags=(*lead.flags, flags[name])) if name in flags else lead
        for name, lead in zip(names, quality.leads, strict=True)
    )
    return replace(quality, leads=tuple(leads))


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
    beats = find_beats(ekg, names, quality, sample_rate_hz)
    lead = None if beats.lead is None else names[beats.lead]
    unmeasured = {} if lead is None else _not_seen(beats, lead)
    known_rr = beats.rr_ms[np.isfinite(beats.rr_ms)]
    rr_s = float(known_rr.mean()) / 1000 if len(known_rr) else None
    if rr_s is None:
        found = len(beats.samples)
        unmeasured["heart_rate_bpm"] = f"{found} beats found; a rate needs two with signal between them"
    scores = np.array([each.score for each in quality.leads])
    usable = np.flatnonzero((scores > LEAST_SCORE) | (np.arange(len(names)) == beats.lead))
    used = tuple(names[i] for i in usable)
    whole = bridged(ekg[usable])
    smooth = filter_ekg(whole, sample_rate_hz) if len(whole) else whole
    waves = delineate(ekg[usable], sample_rate_hz, beats.samples)
    findings, statistics = (
        ((), None)
        if lead is None
        else rhythm_findings(beats, waves, smooth[used.index(lead)], sample_rate_hz)
    )
    paced = pacing_finding(whole, beats.samples, sample_rate_hz)
    placed, flags = electrode_findings(smooth, used, beats.samples, sample_rate_hz)
    return Measurements(
        leads=names,
        sample_rate_hz=sample_rate_hz,
        r_peaks=RPeaks(lead, beats.samples, beats.samples / sample_rate_hz),
        heart_rate_bpm=None if rr_s is None else 60 / rr_s,
        rr_ms=known_rr,
        rhythm=Rhythm((*findings, *([paced] if paced else []), *placed), statistics),
        intervals_ms=_intervals(waves, rr_s, sample_rate_hz, unmeasured),
        axes_deg=_axes(smooth, used, waves, unmeasured),
        quality=_flagged(quality, names, flags),
        unmeasured=unmeasured,
    )
