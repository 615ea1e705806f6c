"""Electrodes that may be on the wrong limb, and leads that may be upside down.

The chest leads show the same heart: from V1 to V6 the limb leads can be foretold, roughly but with the right
sign, as Kors and van Herpen use it [1]_. Where what is recorded fits the forecast far better with two limb
electrodes interchanged, the interchange is suspected. The coefficients are a regression on the averaged beats
of LUDB's odd records in one common gain, made by `benchmarks.electrodes`.

On those records, each judged by a regression without it: none of 100 is suspected as recorded; with
electrodes interchanged, RA/LA is noticed in 86, RA/LL in 92 and LA/LL, which changes little, in 31 of 100.

References
----------
.. [1] Kors & van Herpen, American Heart Journal 142:852-855, 2001.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gateway.signal.findings import Finding
from gateway.signal.limb_leads import limb_gains
from gateway.signal.quality import Flag

CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
# From the R-peak, seconds: the parts of a beat that are compared, each with the same weight.
SEGMENTS_S: Mapping[str, tuple[float, float]] = {"P": (-0.2, -0.05), "QRS": (-0.05, 0.08), "T": (0.08, 0.46)}
_BEAT_S = (-0.3, 0.5)
_LEVEL_S = 0.08  # at the start of the beat: before P, where nothing is
_FEWEST_BEATS = 3
_FAR_BETTER = 0.35  # of the correlation, which is 1 at best
_LIKELY = 0.55  # in a bundle branch block neither fits, and the better of the two says nothing
_UPSIDE_DOWN = -0.6
_ALIKE = 0.5
_FLAT = 0.06

# (I, II) as sums of V1 to V6, by segment.
_FORECAST: Mapping[str, NDArray[np.float64]] = {
    "P": np.array([[-0.5, 0.41, -0.06, -0.02, 0.33, 0.45], [-0.02, -0.53, 0.5, 0.23, 0.63, 0.48]]),
    "QRS": np.array([[-0.69, 0.37, 0.08, -0.14, 0.04, 0.34], [0.02, -0.3, 0.17, 0.15, 0.02, 0.41]]),
    "T": np.array([[-0.48, 0.26, 0.0, -0.05, 0.11, 0.29], [-0.11, -0.11, 0.22, -0.02, -0.02, 0.63]]),
}

Array = NDArray[np.float64]

# What I and II would be with two electrodes exchanged; the same exchange again undoes it.
INTERCHANGES: Mapping[str, NDArray[np.float64]] = {
    "RA and LA": np.array([[-1.0, 0.0], [-1.0, 1.0]]),
    "RA and LL": np.array([[1.0, -1.0], [0.0, -1.0]]),
    "LA and LL": np.array([[0.0, 1.0], [1.0, 0.0]]),
}
_ELECTRODES = {"RA": "right arm", "LA": "left arm", "LL": "left leg"}


def average_beat(smooth_mv: Array, r_peaks: NDArray[np.int64], sample_rate_hz: float) -> Array | None:
    """Median beat of all leads, from 300 ms before to 500 ms after the R-peak; None with fewer than three.

    Parameters
    ----------
    smooth_mv : (leads, n) array, mV
    r_peaks : (beats,) array
    sample_rate_hz : float
    """
    first, last = (round(edge * sample_rate_hz) for edge in _BEAT_S)
    inside = r_peaks[(r_peaks + first >= 0) & (r_peaks + last < smooth_mv.shape[1])]
    if len(inside) < _FEWEST_BEATS:
        return None
    beat = np.median([smooth_mv[:, at + first : at + last] for at in inside], axis=0)
    level = np.median(beat[:, : round(_LEVEL_S * sample_rate_hz)], axis=1, keepdims=True)
    return np.asarray(beat - level)


def segments(beat: Array, sample_rate_hz: float) -> dict[str, Array]:
    """P, QRS and T of an average beat."""
    edges = {
        name: [round((edge - _BEAT_S[0]) * sample_rate_hz) for edge in edges]
        for name, edges in SEGMENTS_S.items()
    }
    return {name: beat[:, first:last] for name, (first, last) in edges.items()}


def _correlation(one: Array, other: Array) -> float:
    size = np.sqrt(np.sum(one**2) * np.sum(other**2))
    return float(np.sum(one * other) / size) if size > 0 else 0.0


def _three_limb_leads(one_and_two: Array) -> Array:
    return np.concatenate((one_and_two, one_and_two[1:] - one_and_two[:1]))


def agreements(
    limb: Mapping[str, Array], chest: Mapping[str, Array], forecast: Mapping[str, Array]
) -> dict[str, float]:
    """Correlation of the limb leads with those foretold, as recorded and with each interchange undone.

    Parameters
    ----------
    limb, chest : mapping of str to (2, n) and (6, n) array, mV
        Segments of I and II, and of V1 to V6.
    forecast : mapping of str to (2, 6) array
    """
    expected = {name: _three_limb_leads(forecast[name] @ part) for name, part in chest.items()}
    found = {}
    for exchange, undone in (("", np.eye(2)), *INTERCHANGES.items()):
        each = [_correlation(_three_limb_leads(undone @ limb[name]), expected[name]) for name in expected]
        found[exchange] = float(np.mean(each))
    return found


def likely_interchange(agreement: Mapping[str, float]) -> str:
    """The interchange that explains the limb leads well, and far better than none; "" for none.

    Parameters
    ----------
    agreement : mapping of str to float
        As of `agreements`.
    """
    best = max(agreement, key=lambda exchange: agreement[exchange])
    likely = agreement[best] >= _LIKELY and agreement[best] - agreement[""] >= _FAR_BETTER
    return best if likely else ""


def _interchange(beat: Array, leads: tuple[str, ...], sample_rate_hz: float) -> Finding | None:
    parts = segments(beat, sample_rate_hz)
    limb = {name: part[[leads.index("I"), leads.index("II")]] for name, part in parts.items()}
    chest = {name: part[[leads.index(lead) for lead in CHEST]] for name, part in parts.items()}
    found = agreements(limb, chest, _FORECAST)
    best = likely_interchange(found)
    if not best:
        return None
    one, other = (_ELECTRODES[electrode] for electrode in best.split(" and "))
    return Finding(
        "limb-lead-reversal-suspected",
        f"Electrodes of {one} and {other} may be interchanged",
        f"limb leads against those expected from V1 to V6: correlation {found['']:.2f} as recorded, "
        f"{found[best]:.2f} with {best} interchanged",
    )


def _right_leg(beat: Array, leads: tuple[str, ...]) -> Finding | None:
    """A limb lead between the two legs shows nothing."""
    limb = [name for name in leads if name in {"I", "II", "III"}]
    sizes = {name: float(np.ptp(beat[leads.index(name)])) for name in limb}
    for name, arm in (("II", "right arm"), ("III", "left arm")):
        others = [size for other, size in sizes.items() if other != name]
        if len(others) == 2 and sizes.get(name, 1.0) < _FLAT * min(others):
            return Finding(
                "limb-lead-reversal-suspected",
                f"Electrodes of {arm} and right leg may be interchanged",
                f"lead {name} is {sizes[name]:.2g} mV high, I, II and III else {min(others):.2g} mV or more",
            )
    return None


def _between_neighbours(beat: Array, leads: tuple[str, ...]) -> dict[str, str]:
    """Chest leads that are upside down against both of their neighbours, which are alike."""
    found = {}
    for before, name, after in zip(CHEST, CHEST[1:], CHEST[2:], strict=False):
        if not {before, name, after} <= set(leads):
            continue
        left, middle, right = (beat[leads.index(each)] for each in (before, name, after))
        to_left, to_right = _correlation(left, middle), _correlation(middle, right)
        if max(to_left, to_right) < _UPSIDE_DOWN and _correlation(left, right) > _ALIKE:
            found[name] = f"correlation {to_left:.2f} with {before} and {to_right:.2f} with {after}"
    return found


def _all_inverted(beat: Array, leads: tuple[str, ...], sample_rate_hz: float) -> dict[str, str]:
    """Leads I and II with P, QRS and T all pointing down."""
    found: dict[str, str] = {}
    for name in ("I", "II", "MLII"):
        if name not in leads:
            continue
        parts = segments(beat[leads.index(name)][np.newaxis], sample_rate_hz)
        nets = {wave: float(part.max() + part.min()) for wave, part in parts.items()}
        heights = {wave: float(np.ptp(part)) for wave, part in parts.items()}
        small = {wave: heights[wave] < _FLAT * heights["QRS"] for wave in ("P", "T")}
        if all(nets[wave] < -0.3 * heights[wave] for wave in nets) and not any(small.values()):
            found[name] = "P, QRS and T all point down, as they do with the arm electrodes interchanged"
    return found


def electrode_findings(
    smooth_mv: Array, leads: tuple[str, ...], r_peaks: NDArray[np.int64], sample_rate_hz: float
) -> tuple[tuple[Finding, ...], dict[str, Flag]]:
    """What speaks for interchanged electrodes, inverted leads or unequal gains.

    Parameters
    ----------
    smooth_mv : (leads, n) array, mV
        Filtered.
    leads : tuple of str
    r_peaks : (beats,) array
    sample_rate_hz : float

    Returns
    -------
    findings : tuple of Finding
    flags : dict of str to str
        ``"reversed"`` or ``"inverted"`` for each lead concerned.
    """
    beat = average_beat(smooth_mv, r_peaks, sample_rate_hz)
    if beat is None:
        return (), {}
    findings: list[Finding] = []
    flags: dict[str, Flag] = {}
    gains = limb_gains(smooth_mv, leads)
    for name, gain in gains.items():
        beat[leads.index(name)] *= abs(gain)
    inverted = {name: "against the other limb leads" for name, gain in gains.items() if gain < 0}
    inverted |= _between_neighbours(beat, leads)
    strengths = np.abs(list(gains.values()))
    if len(gains) and strengths.max() > 1.1 * strengths.min():
        listed = ", ".join(f"{name} {abs(gain):.2f}" for name, gain in gains.items())
        findings.append(
            Finding(
                "limb-lead-gains-differ",
                "The limb leads are not in one gain; axes are measured after bringing them to one",
                f"factors that make I + III equal to II: {listed}",
            )
        )
    swap = None
    if not inverted:
        if {"I", "II", *CHEST} <= set(leads):
            swap = _interchange(beat, leads, sample_rate_hz)
        else:
            inverted |= _all_inverted(beat, leads, sample_rate_hz)
        swap = _right_leg(beat, leads) or swap
    if swap:
        findings.append(swap)
        flags |= {name: "reversed" for name in leads if name in {"I", "II", "III", "aVR", "aVL", "aVF"}}
    for name, evidence in inverted.items():
        findings.append(Finding("inverted-polarity-suspected", f"Lead {name} may be upside down", evidence))
        flags[name] = "inverted"
    return tuple(findings), flags
