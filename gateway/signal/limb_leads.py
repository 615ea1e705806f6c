"""What the limb leads owe to each other: I + III = II, and each augmented lead is half a sum or difference.

Three potentials make six leads, so a lead with another gain or sign than the rest stands out, and by how much
is known but for one common factor. Records exist whose every lead is stretched to the same height: those of
LUDB, read in mV, are.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

# Each lead in the two potential differences (I, II), as Einthoven and Goldberger define them.
_OF_I_AND_II: Mapping[str, tuple[float, float]] = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
_MISFIT = 0.05  # of the leads' own size; with more of it no gains explain them
_CLEAR = 5.0  # how much worse the second best set of gains must be
_SAME_GAIN = 0.1

Array = NDArray[np.float64]


def _relations(names: tuple[str, ...]) -> list[dict[str, float]]:
    """Every sum of three of the leads that must be zero."""
    found = []
    for three in combinations(names, 3):
        parts = np.array([_OF_I_AND_II[name] for name in three]).T
        _, _, rows = np.linalg.svd(parts)
        found.append(dict(zip(three, rows[-1].tolist(), strict=True)))
    return found


def limb_gains(smooth_mv: Array, leads: tuple[str, ...]) -> dict[str, float]:
    """By what each limb lead must be multiplied for all of them to agree.

    Parameters
    ----------
    smooth_mv : (leads, n) array, mV
        Filtered, NaN where there is no signal.
    leads : tuple of str

    Returns
    -------
    dict of str to float
        Mean of the moduli 1; negative for a lead that is upside down. Empty where the leads agree as they
        are, where there are fewer than three, and where no gains make them agree.
    """
    names = tuple(name for name in leads if name in _OF_I_AND_II)
    if len(names) < 3:
        return {}
    known = smooth_mv[[leads.index(name) for name in names]]
    known = known[:, np.isfinite(known).all(axis=0)]
    sizes = np.sqrt(np.mean(known**2, axis=1)) if known.size else np.zeros(len(names))
    if not (sizes > 0).all():
        return {}
    shapes = known / sizes[:, np.newaxis]
    alike = shapes @ shapes.T / shapes.shape[1]
    # The gains that leave least of all the sums: the smallest eigenvector of their Gram matrix.
    gram = np.zeros((len(names), len(names)))
    for relation in _relations(names):
        row = np.array([relation.get(name, 0.0) for name in names])
        gram += row[:, np.newaxis] * alike * row
    left, vectors = np.linalg.eigh(gram)
    gains = vectors[:, 0] / sizes
    gains /= np.abs(gains).mean() * (np.sign(gains.sum()) or 1)
    explained = left[0] < _MISFIT**2 * np.trace(gram) and left[1] > _CLEAR**2 * max(left[0], 0)
    if not explained or np.abs(gains / np.median(gains) - 1).max() < _SAME_GAIN:
        return {}
    return dict(zip(names, gains.tolist(), strict=True))
