"""What a rhythm strip shows, stated for review with its evidence. None of it is a diagnosis.

Beats are told apart by when they come, by the breadth of the QRS and by its likeness to the commonest shape;
what stands before them by whether the same wave is there each time, and by the P waves delineated. How often
that agrees with the annotations of MIT-BIH is measured by `benchmarks.rhythm`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gateway.signal.beat_shapes import Shapes, atrial_coherence, qrs_shapes
from gateway.signal.beats import Beats, RrStatistics, rr_statistics
from gateway.signal.delineation import Delineation
from gateway.signal.findings import Finding

_FEWEST_INTERVALS = 4
_SLOW_BPM, _FAST_BPM = 50.0, 100.0
_PAUSE_MS = 2000.0
_REGULAR_VARIATION = 0.08  # of successive RR differences, root mean square, over the mean RR
_EARLY = 0.82  # of the usual RR around
_BEFORE_PAUSE = 0.85  # of the interval after it: so does a beat come that a pause makes up for
_OTHER_SHAPE, _BROAD = 0.85, 1.3
_CHAOTIC_CHANGE = 0.07  # median change from one RR to the next, over the median RR
_LEAST_SEEN = 0.25  # of the intervals, for such a suspicion: the rest is disturbed or of ectopic beats
_NO_P_COHERENCE, _SOME_COHERENCE = 0.3, 0.7
_FEW_P = 0.3

Array = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BeatKinds:
    """What sets single beats apart, one entry a beat.

    Parameters
    ----------
    early : bool array
        Comes well before its time.
    ventricular : bool array
        Of another shape than most, and early or broad: like a ventricular beat.
    """

    early: Marks
    ventricular: Marks


@dataclass(frozen=True, slots=True)
class _Evidence:
    rr_ms: Array
    usual_rr_ms: Array  # of beats of the commonest shape
    steady_rr_ms: Array  # and none of them early
    kinds: BeatKinds
    coherence: float | None
    with_p: float
    beats: int

    @property
    def no_p_waves(self) -> bool:
        few = self.with_p < _FEW_P
        if self.coherence is None:
            return few
        return self.coherence < (_SOME_COHERENCE if few else _NO_P_COHERENCE)

    @property
    def p_waves(self) -> str:
        seen = f"P waves delineated before {round(self.with_p * self.beats)} of {self.beats} beats"
        if self.coherence is None:
            return seen
        return f"{seen}, and {max(self.coherence, 0):.0%} of what precedes the QRS is the same in each"


def beat_kinds(rr_ms: Array, shapes: Shapes) -> BeatKinds:
    """Early and ventricular-like beats.

    Parameters
    ----------
    rr_ms : (beats - 1,) array
        NaN where not known.
    shapes : Shapes
        Of the beats, as of `qrs_shapes`.
    """
    known = np.isfinite(rr_ms)
    usual = np.full(len(rr_ms), np.nan)
    if known.any():
        usual[known] = ndimage.median_filter(rr_ms[known], size=9, mode="nearest")
    share = np.concatenate(([np.nan], rr_ms / usual))
    before, after = (np.insert(rr_ms, at, np.nan) for at in (0, len(rr_ms)))
    soon = (share < _BEFORE_PAUSE) | (before < _BEFORE_PAUSE * after)
    other = shapes.likeness < _OTHER_SHAPE
    return BeatKinds(share < _EARLY, other & (soon | (shapes.breadth > _BROAD)))


def _without(odd: Marks, rr_ms: Array) -> Array:
    """RR intervals, NaN for those that begin or end in an odd beat."""
    return np.where(odd[1:] | odd[:-1], np.nan, rr_ms)


def _variation(rr_ms: Array) -> float:
    change = np.diff(rr_ms)
    change = change[np.isfinite(change)]
    return float(np.sqrt(np.mean(change**2)) / np.nanmean(rr_ms)) if len(change) else np.inf


def _rate(rr_ms: Array) -> Finding:
    bpm = 60000 / float(rr_ms.mean())
    evidence = f"{bpm:.0f}/min, mean of {len(rr_ms)} RR intervals"
    if bpm < _SLOW_BPM:
        return Finding("rate-slow", f"Ventricular rate below {_SLOW_BPM:.0f}/min", evidence)
    if bpm > _FAST_BPM:
        return Finding("rate-fast", f"Ventricular rate above {_FAST_BPM:.0f}/min", evidence)
    return Finding("rate-usual", f"Ventricular rate {_SLOW_BPM:.0f} to {_FAST_BPM:.0f}/min", evidence)


def _fibrillating(found: _Evidence) -> Finding | None:
    """Irregular from one usual beat to the next, and nothing steady before them."""
    intervals = found.usual_rr_ms
    known = np.count_nonzero(np.isfinite(intervals))
    if known < max(_FEWEST_INTERVALS, _LEAST_SEEN * len(intervals)):
        return None
    change = np.abs(np.diff(intervals))
    change = change[np.isfinite(change)]
    if not len(change) or not found.no_p_waves:
        return None
    typical = float(np.median(change) / np.nanmedian(intervals))
    if typical <= _CHAOTIC_CHANGE:
        return None
    return Finding(
        "atrial-fibrillation-suspected",
        "Irregular without P waves; review for atrial fibrillation",
        f"RR intervals typically change by {typical:.0%} from beat to beat; {found.p_waves}",
    )


def _regularity(found: _Evidence) -> Finding:
    variation, steady = _variation(found.rr_ms), _variation(found.steady_rr_ms)
    evidence = (
        f"successive RR intervals differ by {variation:.0%} of their mean, "
        f"over {np.count_nonzero(np.isfinite(found.rr_ms))} intervals"
    )
    if variation <= _REGULAR_VARIATION:
        return Finding("regular", "Regular rhythm", evidence)
    if steady <= _REGULAR_VARIATION:
        return Finding(
            "regular-but-for-single-beats",
            "Regular rhythm but for single beats",
            f"{evidence}; by {steady:.0%} without early beats and those of another shape",
        )
    return Finding("irregular", "Irregular rhythm", evidence)


def _single_beats(found: _Evidence) -> list[Finding]:
    findings = []
    ectopic = int(found.kinds.ventricular.sum())
    early = int((found.kinds.early & ~found.kinds.ventricular).sum())
    if early and early <= 0.34 * found.beats:
        findings.append(
            Finding(
                "premature-beats",
                "Premature beats of the usual shape",
                f"{early} of {found.beats} beats come at less than {_EARLY:.0%} of the usual interval",
            )
        )
    if ectopic:
        findings.append(
            Finding(
                "ectopic-beats",
                "Ectopic beats of another shape; review for ventricular beats",
                f"{ectopic} of {found.beats} beats unlike the commonest QRS, and early or broad",
            )
        )
    return findings


def _variability(steady: RrStatistics) -> Finding:
    return Finding(
        "rr-variability",
        "Variability of the intervals between usual beats",
        f"{steady.intervals} intervals: mean {steady.mean:.0f} ms, {steady.shortest:.0f} to "
        f"{steady.longest:.0f} ms, SDNN {steady.sdnn:.0f} ms, RMSSD {steady.rmssd:.0f} ms, "
        f"pNN50 {steady.pnn50:.0%}",
    )


def _evidence(beats: Beats, waves: Delineation, smooth_mv: Array, sample_rate_hz: float) -> _Evidence:
    kinds = beat_kinds(beats.rr_ms, qrs_shapes(smooth_mv, beats.samples, sample_rate_hz))
    plain = ~(kinds.early | kinds.ventricular)
    return _Evidence(
        beats.rr_ms,
        _without(kinds.ventricular, beats.rr_ms),
        _without(kinds.ventricular | kinds.early, beats.rr_ms),
        kinds,
        atrial_coherence(smooth_mv, beats.samples[plain], sample_rate_hz),
        float(np.mean(waves.p_peak >= 0)),
        len(beats.samples),
    )


def rhythm_findings(
    beats: Beats, waves: Delineation, smooth_mv: Array, sample_rate_hz: float
) -> tuple[tuple[Finding, ...], RrStatistics | None]:
    """Rate class, regularity, pauses, ectopic beats, P waves and suspicion of atrial fibrillation.

    Parameters
    ----------
    beats : Beats
    waves : Delineation
        Of those beats.
    smooth_mv : (n,) array, mV
        The beats' lead, filtered, without NaN.
    sample_rate_hz : float

    Returns
    -------
    findings : tuple of Finding
        Empty with fewer than four RR intervals.
    statistics : RrStatistics or None
        Of the intervals from one usual beat to the next.
    """
    known = beats.rr_ms[np.isfinite(beats.rr_ms)]
    if len(known) < _FEWEST_INTERVALS:
        return (), rr_statistics(beats.rr_ms)
    found = _evidence(beats, waves, smooth_mv, sample_rate_hz)
    findings = [_rate(known)]
    fibrillating = _fibrillating(found)
    findings.append(fibrillating or _regularity(found))
    long = known[known >= _PAUSE_MS]
    if len(long):
        evidence = f"{len(long)} RR of 2 s or more, longest {long.max():.0f} ms"
        findings.append(Finding("pause", "Pause between beats", evidence))
    findings += _single_beats(found)
    if found.no_p_waves and not fibrillating:
        findings.append(Finding("p-waves-not-seen", "P waves not seen before most beats", found.p_waves))
    statistics = rr_statistics(found.steady_rr_ms)
    if statistics:
        findings.append(_variability(statistics))
    return tuple(findings), statistics
