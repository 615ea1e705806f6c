"""What a rhythm strip shows, stated for review with its evidence. None of it is a diagnosis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.signal.delineation import Delineation

_FEWEST_BEATS = 4
_SLOW_BPM, _FAST_BPM = 50.0, 100.0
_PAUSE_MS = 2000.0
_REGULAR_VARIATION = 0.08  # of successive RR differences, root mean square, over the mean RR
_CHAOTIC_VARIATION = 0.15
_PREMATURE = 0.82  # of the RR intervals around it
_WIDE_MS = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Parameters
    ----------
    code : str
        ``regular``, ``pause``, ``premature-beats``, ...
    text : str
        For a person.
    evidence : str
        The figures that it rests on.
    """

    code: str
    text: str
    evidence: str


def _rate(rr_ms: NDArray[np.float64]) -> Finding:
    bpm = 60000 / float(rr_ms.mean())
    evidence = f"{bpm:.0f}/min, mean of {len(rr_ms)} RR intervals"
    if bpm < _SLOW_BPM:
        return Finding("rate-slow", f"Ventricular rate below {_SLOW_BPM:.0f}/min", evidence)
    if bpm > _FAST_BPM:
        return Finding("rate-fast", f"Ventricular rate above {_FAST_BPM:.0f}/min", evidence)
    return Finding("rate-usual", f"Ventricular rate {_SLOW_BPM:.0f} to {_FAST_BPM:.0f}/min", evidence)


def _premature(rr_ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Beats that come early; beat i + 1 ends RR interval i."""
    usual = np.array([np.median(np.delete(rr_ms, i)[max(i - 4, 0) : i + 4]) for i in range(len(rr_ms))])
    return np.flatnonzero(rr_ms < _PREMATURE * usual) + 1


def _variation(rr_ms: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.diff(rr_ms) ** 2)) / rr_ms.mean())


def rhythm_findings(
    rr_ms: NDArray[np.float64], waves: Delineation, sample_rate_hz: float
) -> tuple[Finding, ...]:
    """Rate class, regularity, pauses, premature beats and missing P waves.

    Parameters
    ----------
    rr_ms : (beats - 1,) array
        NaN where no signal lies between the two beats.
    waves : Delineation
    sample_rate_hz : float

    Returns
    -------
    tuple of Finding
        Empty with fewer than four RR intervals.
    """
    known = rr_ms[np.isfinite(rr_ms)]
    if len(known) < _FEWEST_BEATS:
        return ()
    findings = [_rate(known)]
    variation = _variation(known)
    early = _premature(known)
    spread = f"successive RR intervals differ by {variation:.0%} of their mean, over {len(known)} intervals"
    with_p = float(np.mean(waves.p_peak >= 0))
    p_waves = f"P waves before {np.count_nonzero(waves.p_peak >= 0)} of {len(waves.p_peak)} beats"
    if variation <= _REGULAR_VARIATION:
        findings.append(Finding("regular", "Regular rhythm", spread))
    elif variation > _CHAOTIC_VARIATION and with_p < 0.3:
        findings.append(
            Finding(
                "atrial-fibrillation-suspected",
                "Irregular without P waves; review for atrial fibrillation",
                f"{spread}; {p_waves}",
            )
        )
    else:
        findings.append(Finding("irregular", "Irregular rhythm", spread))
    long = known[known >= _PAUSE_MS]
    if len(long):
        findings.append(
            Finding(
                "pause", "Pause between beats", f"{len(long)} RR of 2 s or more, longest {long.max():.0f} ms"
            )
        )
    if len(early) and len(early) <= 0.34 * len(known) and len(known) == len(rr_ms):
        width = (waves.qrs_offset - waves.qrs_onset) * 1000 / sample_rate_hz
        wide = int(np.count_nonzero(width[early] >= max(_WIDE_MS, 1.2 * float(np.median(width)))))
        findings.append(
            Finding(
                "premature-beats",
                "Premature beats" + (", some with a wide QRS" if wide else ""),
                f"{len(early)} of {len(rr_ms) + 1} beats early, {wide} of them wide",
            )
        )
    if with_p < 0.3 and findings[1].code != "atrial-fibrillation-suspected":
        findings.append(Finding("p-waves-not-seen", "P waves not seen before most beats", p_waves))
    return tuple(findings)
