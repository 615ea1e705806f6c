"""Fit the quality score, and show how well the fit holds on records that it did not see.

    python -m benchmarks.quality.fit

A logistic regression on the disturbances, then a rising line through a few knots that bends its log odds to
the odds observed. Prints the constants of `gateway.signal.quality` and the reliability by cross-validation.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from benchmarks.quality.examples import Examples, examples

_KNOTS = np.array([-4.0, -2, -1, 0, 1, 2, 3, 4.5, 6])
_EDGES = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0001])
_FOLDS = 6

Array = NDArray[np.float64]


def _loss(log_odds: Array, right: Array) -> float:
    return float(np.mean(np.logaddexp(0, log_odds) - right * log_odds))


def fitted_weights(weighed: Array, right: Array) -> Array:
    """Certainty, and what each feature takes from it; none adds to it."""

    def loss(weights: Array) -> tuple[float, Array]:
        log_odds = weights[0] - weighed @ weights[1:]
        error = expit(log_odds) - right
        return _loss(log_odds, right), np.concatenate(([error.mean()], -(error @ weighed) / len(right)))

    bounds = [(None, None)] + [(0.0, None)] * weighed.shape[1]
    start = np.full(weighed.shape[1] + 1, 0.5)
    return np.asarray(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x)


def fitted_bend(log_odds: Array, right: Array) -> Array:
    """Values at the knots, rising."""

    def values(steps: Array) -> Array:
        return np.concatenate((steps[:1], steps[0] + np.cumsum(steps[1:])))

    def loss(steps: Array) -> float:
        return _loss(np.interp(log_odds, _KNOTS, values(steps)), right)

    start = np.concatenate((_KNOTS[:1], np.diff(_KNOTS)))
    bounds = [(None, None)] + [(0.05, None)] * (len(start) - 1)
    return values(np.asarray(minimize(loss, start, bounds=bounds, method="L-BFGS-B").x))


def _log_odds(weights: Array, weighed: Array) -> Array:
    return np.asarray(weights[0] - weighed @ weights[1:])


def cross_validated(found: Examples) -> Array:
    """The score of each second by a fit to other records."""
    names = np.unique(found.record)
    fold_of = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % _FOLDS, strict=True))
    fold = np.array([fold_of[name] for name in found.record])
    right, scores = found.right.astype(np.float64), np.empty(len(fold))
    for number in range(_FOLDS):
        seen, unseen = fold != number, fold == number
        weights = fitted_weights(found.features[seen], right[seen])
        bend = fitted_bend(_log_odds(weights, found.features[seen]), right[seen])
        scores[unseen] = expit(np.interp(_log_odds(weights, found.features[unseen]), _KNOTS, bend))
    return scores


def reliability(scores: Array, right: NDArray[np.bool_]) -> list[tuple[float, float, int]]:
    """Mean score, share of seconds right, and number of seconds, in bands of the score."""
    band = np.digitize(scores, _EDGES) - 1
    return [
        (float(scores[band == i].mean()), float(right[band == i].mean()), int((band == i).sum()))
        for i in range(len(_EDGES) - 1)
        if (band == i).any()
    ]


def left_out(found: Examples, scores: Array, threshold: float) -> tuple[int, int, int, int]:
    """Beats right and invented that a threshold keeps, and that it leaves out."""
    kept = scores >= threshold
    right, invented = found.beats[:, 0], found.beats[:, 1]
    return tuple(
        int(each)
        for each in (right[kept].sum(), invented[kept].sum(), right[~kept].sum(), invented[~kept].sum())
    )  # type: ignore[return-value]


def main() -> None:
    found = examples()
    right = found.right.astype(np.float64)
    weights = fitted_weights(found.features, right)
    bend = fitted_bend(_log_odds(weights, found.features), right)
    print(f"{len(right)} seconds, {right.mean():.1%} right")
    print("certainty", np.round(weights[0], 2), "weights", np.round(weights[1:], 2).tolist())
    print("knots", _KNOTS.tolist(), "bent to", np.round(bend, 2).tolist())
    scores = cross_validated(found)
    print("score, share right, seconds; of records not seen by the fit:")
    for score, share, seconds in reliability(scores, found.right):
        print(f"  {score:.2f} {share:.2f} {seconds}")
    print("threshold: beats right and invented kept, right and invented left out")
    for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5):
        print(f"  {threshold:.2f}", *left_out(found, scores, threshold))
    for kind in np.unique(found.kind):
        of = found.kind == kind
        print(f"  {kind}: {of.sum()} s, {found.right[of].mean():.2f} right, score {scores[of].mean():.2f}")


if __name__ == "__main__":
    main()
