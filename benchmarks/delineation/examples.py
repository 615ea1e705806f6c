"""Training examples for the wave network: stretches of judged leads, each a little another heart's.

What a hundred records do not show often enough is made from them: P waves lower, inverted, earlier, or none
at all as in junctional rhythm and, with the beats at random and the baseline trembling, in atrial
fibrillation; other T waves; wider QRS complexes; the spikes of a pacemaker; other electrodes, by a part of
another lead; another pace; recorded noise.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates, maximum_filter1d

from benchmarks.delineation.ludb import Lead, Sampled
from gateway.signal.wave_network import NETWORK_RATE_HZ, QRS, P, T, channels, qrs_height

SAMPLES, CLASSES = 2048, 4

Array = NDArray[np.float64]
Random = np.random.Generator

_BEFORE_R, _AFTER_R = 12, 20  # samples that a QRS takes at least
_LONGEST_PR = 100


class Example(NamedTuple):
    """What the network sees, what it shall say, and where that is known.

    Parameters
    ----------
    seen : (SAMPLES, 4) array
    wave : (SAMPLES, 4) array
        Share of each sample that each class takes.
    judged, without_p : (SAMPLES,) arrays
        1 where all classes, or only the absence of P, are known.
    """

    seen: NDArray[np.float32]
    wave: NDArray[np.float32]
    judged: NDArray[np.float32]
    without_p: NDArray[np.float32]


class _Heart(NamedTuple):
    ekg: Array
    sharp: Array
    waves: Array
    r_peaks: Array


def _of_class(waves: Array, kind: int) -> Array:
    return waves[waves[:, 0] == kind, 1:]


def _p_windows(heart: _Heart) -> Array:
    """(k, 2) where P waves are: the marked ones, and before unmarked beats where they usually are."""
    marked = _of_class(heart.waves, P)
    if not len(marked) or not len(heart.r_peaks):
        return marked
    following = np.searchsorted(heart.r_peaks, marked[:, 1])
    known = following < len(heart.r_peaks)
    from_r = marked[known] - heart.r_peaks[following[known], None]
    from_r = from_r[from_r[:, 0] > -_LONGEST_PR]
    if not len(from_r):
        return marked
    unmarked = [r for r in heart.r_peaks if not ((marked[:, 1] < r) & (marked[:, 1] > r - _LONGEST_PR)).any()]
    early, late = np.median(from_r, axis=0) + np.array((-3, 2))
    guessed = [(r + early, r + late) for r in unmarked if r + early > 0]
    return np.concatenate((marked, np.array(guessed).reshape(-1, 2)))


def _reshaped(ekg: Array, windows: Array, factor: float, shift: int) -> Array:
    """Each wave `factor` times as high and `shift` samples later; the noise on it stays."""
    changed = ekg.copy()
    for onset, offset in windows:
        start, stop = int(onset) - 2, int(np.ceil(offset)) + 3
        if start + min(shift, 0) < 0 or stop + max(shift, 0) > len(ekg) or stop - start < 7:
            continue
        ends = ekg[start : start + 3].mean(), ekg[stop - 3 : stop].mean()
        bump = gaussian_filter1d(ekg[start:stop] - np.linspace(*ends, stop - start), 1.5)
        changed[start:stop] -= bump
        changed[start + shift : stop + shift] += factor * bump
    return changed


def _room_for_p(heart: _Heart, windows: Array) -> tuple[int, int]:
    """How many samples earlier and later all P waves can stand without meeting another wave."""
    others = heart.waves[heart.waves[:, 0] != P]
    earlier, later = 40.0, 15.0
    for onset, offset in windows:
        before, after = others[others[:, 2] <= onset, 2], others[others[:, 1] >= offset, 1]
        earlier = min(earlier, onset - before.max()) if len(before) else earlier
        later = min(later, after.min() - offset) if len(after) else later
    return max(int(earlier) - 4, 0), max(int(later) - 4, 0)


def _with_other_p(heart: _Heart, rng: Random) -> tuple[_Heart, bool]:
    """The heart with its P waves changed or gone, and whether it has none."""
    windows, choice = _p_windows(heart), rng.random()
    if not len(windows) or choice < 0.5:
        return heart, False
    if choice < 0.66:
        without = heart.waves[heart.waves[:, 0] != P]
        return heart._replace(ekg=_reshaped(heart.ekg, windows, 0.0, 0), waves=without), True
    factor = rng.uniform(0.3, 1.6) * (-1 if rng.random() < 0.15 else 1)
    earlier, later = _room_for_p(heart, windows)
    shift = int(rng.integers(-earlier, later + 1)) if rng.random() < 0.5 else 0
    moved = heart.waves + np.where(heart.waves[:, :1] == P, (0, shift, shift), 0)
    return heart._replace(ekg=_reshaped(heart.ekg, windows, factor, shift), waves=moved), False


def _with_other_t(heart: _Heart, rng: Random) -> _Heart:
    if rng.random() < 0.7:
        return heart
    factor = float(np.exp(rng.normal(0, 0.4)))
    return heart._replace(ekg=_reshaped(heart.ekg, _of_class(heart.waves, T), factor, 0))


def _rests(heart: _Heart) -> Array:
    """(k, 2) from the end of each beat's last wave to the beginning of the next beat's first."""
    rests = []
    starts, stops = np.sort(heart.waves[:, 1]), np.sort(heart.waves[:, 2])
    for r, following in zip(heart.r_peaks[:-1], heart.r_peaks[1:], strict=True):
        middle = r + 0.55 * (following - r)
        ended = stops[(stops > r) & (stops < following - 2 * _BEFORE_R)]
        start = max(middle, float(ended.max(initial=0)))
        begun = starts[(starts > start) & (starts < following)]
        stop = min(following - _BEFORE_R, float(begun.min(initial=np.inf)))
        if stop - start > 5:
            rests.append((start + 1, stop - 1))
    return np.array(rests).reshape(-1, 2)


def _qrs_windows(heart: _Heart) -> list[tuple[float, float]]:
    """Where QRS complexes are: the marked ones, and at other R-peaks as long as the marked usually are."""
    marked = _of_class(heart.waves, QRS)
    unmarked = [r for r in heart.r_peaks if not ((marked[:, 0] < r + 5) & (marked[:, 1] > r - 5)).any()]
    around = np.median(
        [(r - on, off - r) for on, off in marked for r in heart.r_peaks if on <= r <= off] or [(12, 12)],
        axis=0,
    )
    return [(on, off) for on, off in marked] + [(r - around[0], r + around[1]) for r in unmarked]


def _paced(heart: _Heart, without_p: bool, rng: Random) -> tuple[_Heart, Array]:
    """The heart with a pacemaker's spike before each QRS or each P wave, and where they are."""
    of_p = not without_p and rng.random() < 0.3
    onsets = np.array([on for on, _ in (_of_class(heart.waves, P) if of_p else _qrs_windows(heart))])
    spikes = np.unique(np.rint(onsets - rng.uniform(2, 11)).astype(np.int64))
    spikes = spikes[(spikes > 0) & (spikes < len(heart.ekg) - 1)]
    train = np.zeros(len(heart.ekg))
    height = qrs_height(heart.ekg, np.rint(heart.r_peaks).astype(np.int64)) * 10 ** rng.uniform(-1.2, 0.4)
    train[spikes] = rng.choice((-1, 1)) * height
    narrow = gaussian_filter1d(train, rng.uniform(0.6, 1.3)) * 2.5
    decay = np.exp(-np.arange(60) / rng.uniform(3, 20))
    left = rng.uniform(-0.12, 0.06) if rng.random() < 0.7 else rng.uniform(-0.4, 0.4)
    tail = np.convolve(narrow, decay)[: len(train)] * left
    above = gaussian_filter1d(np.abs(train), rng.uniform(0.7, 1.2)) * 2.5 * 10 ** rng.uniform(-0.4, 0.6)
    paced = heart._replace(ekg=heart.ekg + narrow + tail, sharp=np.maximum(heart.sharp, above))
    return paced, spikes.astype(np.float64)


def _with_spikes_seen(r_peaks: Array, spikes: Array, rng: Random) -> Array:
    """A detector takes spikes for beats, in place of them or as well."""
    choice = rng.random()
    if not len(spikes) or choice > 0.3:
        return r_peaks
    return spikes if choice < 0.15 else np.sort(np.concatenate((r_peaks, spikes)))


def _time_map(heart: _Heart, without_p: bool, rng: Random) -> tuple[Array, Array]:
    """Knots of time in the record, and where they come in the example: another pace, other rests."""
    pace = float(np.clip(np.exp(rng.normal(0, 0.08)), 0.8, 1.25))
    ends = np.array([0.0, len(heart.ekg) - 1])
    irregular, faster = rng.random() < (0.6 if without_p else 0.2), rng.random() < 0.2
    stretched = []
    if irregular or faster:
        middle, spread = (
            rng.uniform(0.1, 1.0) if faster else 1.0,
            rng.uniform(0.15, 0.9) if irregular else 0.0,
        )
        for start, stop in _rests(heart):
            stretched.append((start, stop, float(np.clip(middle * np.exp(rng.normal(0, spread)), 0.1, 2.5))))
    if rng.random() < 0.15:
        wider = rng.uniform(1.1, 1.8)
        stretched += [(onset, offset, wider) for onset, offset in _qrs_windows(heart)]
    if not stretched:
        return ends, ends / pace
    stretched.sort()
    knots = np.concatenate((ends[:1], *((start, stop) for start, stop, _ in stretched), ends[1:]))
    knots = np.maximum.accumulate(np.clip(knots, 0, ends[1]))
    stretch = np.ones(len(knots) - 1)
    stretch[1::2] = [factor for _, _, factor in stretched]
    return knots, np.concatenate(([0.0], np.cumsum(np.diff(knots) * stretch))) / pace


def _trembling(n: int, rng: Random) -> Array:
    """The fibrillating or fluttering atria's waves, of height 1."""
    hz = rng.uniform(3.8, 9.0)
    wander = gaussian_filter1d(rng.normal(0, 1, n), 40)
    steady = rng.random() < 0.25
    phase = np.cumsum(2 * np.pi * hz / NETWORK_RATE_HZ * (1 + (0 if steady else 1.5) * wander))
    swell = 1.0 if steady else 1 + 3 * gaussian_filter1d(rng.normal(0, 1, n), 60)
    return np.asarray(swell * (np.sin(phase) + rng.uniform(0, 0.6) * np.sin(2 * phase + rng.uniform(0, 7))))


def _disturbed(lead: Sampled, noise: list[Sampled], rng: Random) -> Sampled:
    """Recorded or white noise or a slow line added, each now and then; in units of the QRS height."""
    (ekg, sharp), n = lead, len(lead.ekg)
    if rng.random() < 0.4:
        recorded = noise[rng.integers(len(noise))]
        start = int(rng.integers(len(recorded.ekg) - n))
        piece, edges = (each[start : start + n] for each in recorded)
        factor = 10 ** rng.uniform(-2.6, -1.0) / max(float(piece.std()), 1e-6)
        ekg, sharp = ekg + piece * factor, np.hypot(sharp, edges * factor)
    if rng.random() < 0.3:
        height = 10 ** rng.uniform(-2.7, -1.5)
        ekg = ekg + rng.normal(0, height, n)
        sharp = np.hypot(sharp, maximum_filter1d(np.abs(rng.normal(0, height, n)), 3))
    if rng.random() < 0.2:
        turn = 2 * np.pi * rng.uniform(0.05, 0.5) / NETWORK_RATE_HZ
        ekg = ekg + 10 ** rng.uniform(-2.5, -1) * np.sin(np.arange(n) * turn + rng.uniform(0, 7))
    return Sampled(ekg if rng.random() < 0.9 else -ekg, sharp * _passed_by_a_machine(rng))


def _passed_by_a_machine(rng: Random) -> float:
    """How much of what is sharp: some machines filter it away."""
    choice = rng.random()
    return 0.0 if choice < 0.15 else float(10 ** rng.uniform(-1.0, 0.2)) if choice < 0.4 else 1.0


def _shares(waves: Array) -> NDArray[np.float32]:
    """(SAMPLES, 4) how much of each sample each class takes."""
    shares = np.zeros((SAMPLES, CLASSES), dtype=np.float32)
    for kind, onset, offset in waves:
        start, stop = max(int(onset), 0), min(int(offset) + 2, SAMPLES)
        if start < stop:
            at = np.arange(start, stop)
            share = np.clip(at - onset + 0.5, 0, 1) * np.clip(offset - at + 0.5, 0, 1)
            shares[at, int(kind)] = np.maximum(shares[at, int(kind)], share)
    shares[:, 0] = np.maximum(1 - shares[:, 1:].sum(axis=1), 0)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _seen_r_peaks(lead: Lead, rng: Random) -> Array:
    """As a detector would give them: of the lead or of II, not quite exact, one of them lost at times."""
    r_peaks = lead.r_peaks if rng.random() < 0.6 else lead.r_peaks_of_ii
    if rng.random() < 0.7:
        r_peaks = r_peaks + rng.normal(0, 1.0 if rng.random() < 0.9 else 4.0, len(r_peaks))
    if rng.random() < 0.05 and len(r_peaks) > 2:
        r_peaks = np.delete(r_peaks, rng.integers(len(r_peaks)))
    return r_peaks


def _mixed(lead: Lead, record: list[Lead], rng: Random) -> Sampled:
    """The lead, or now and then as with another electrode."""
    if rng.random() >= 0.25:
        return Sampled(lead.ekg, lead.sharp)
    other, share = record[rng.integers(len(record))], rng.uniform(-0.3, 0.3)
    return Sampled(lead.ekg + share * other.ekg, np.hypot(lead.sharp, share * other.sharp))


def example(record: list[Lead], noise: list[Sampled], rng: Random) -> Example:
    """A stretch of one lead of a record."""
    lead = record[rng.integers(len(record))]
    heart = _Heart(*_mixed(lead, record, rng), lead.waves, lead.r_peaks)
    heart, without_p = _with_other_p(heart, rng)
    heart, seen_r_peaks = _with_other_t(heart, rng), _seen_r_peaks(lead, rng)
    if len(heart.r_peaks) and rng.random() < 0.12:
        heart, spikes = _paced(heart, without_p, rng)
        seen_r_peaks = _with_spikes_seen(seen_r_peaks, spikes, rng)
    knots, come = _time_map(heart, without_p, rng)
    start = rng.uniform(-150, max(come[-1] - SAMPLES + 150, 1))
    at = start + np.arange(SAMPLES)
    source = np.interp(at, come, knots)
    inside = (at >= 0) & (at < come[-1])
    ekg = map_coordinates(heart.ekg, source[None], order=3, mode="nearest")
    sharp = np.interp(source, np.arange(len(heart.sharp)), heart.sharp)
    r_peaks = np.interp(seen_r_peaks, knots, come) - start
    r_peaks = r_peaks[(r_peaks >= 0) & (r_peaks < SAMPLES - 1)]
    waves = np.column_stack((heart.waves[:, 0], np.interp(heart.waves[:, 1:], knots, come) - start))
    height = max(qrs_height(ekg, r_peaks.astype(np.int64)), 1e-3)
    ekg, sharp = ekg / height, sharp / height
    if without_p and rng.random() < 0.6:
        ekg = ekg + 10 ** rng.uniform(-2.6, -1.1) * _trembling(SAMPLES, rng)
    seen = channels(*_disturbed(Sampled(ekg, sharp), noise, rng), r_peaks)
    seen[:, :2] *= np.exp(rng.normal(0, 0.15))
    nearest = np.rint(source).astype(np.int64)
    known = (lead.judged[nearest] & inside, lead.without_p[nearest] & inside)
    return Example(seen, _shares(waves), *(each.astype(np.float32) for each in known))
