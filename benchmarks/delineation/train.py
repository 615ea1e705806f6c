"""Train the network of `gateway.signal.wave_network` on the Lobachevsky University database.

    python -m benchmarks.delineation.train OUT.npz [--fold K] [--steps N]

``--fold K`` leaves every fourth record out, for `benchmarks.delineation.judge` to judge on. Needs ``jax`` and
``optax``, which nothing else here does. On one core 4500 steps take about eight minutes.
"""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.delineation.ludb import Lead, data_folder, folds, leads_of, noise_of, record_names
from gateway.signal.wave_network import channels, qrs_height

_CHANNELS = (16, 24, 32, 40, 48, 48)
_TAPS, _INPUTS, _CLASSES = 5, 3, 4
_SAMPLES, _BATCH = 2048, 12
_RATE_HZ = 250.0

Array = NDArray[np.float64]
Example = tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]


def _disturbed(ekg: Array, noise: list[Array], rng: np.random.Generator) -> Array:
    """Baseline, muscle, white noise or a slow line added, each now and then; in units of the QRS height."""
    n = len(ekg)
    if rng.random() < 0.4:
        lead = noise[rng.integers(len(noise))]
        start = int(rng.integers(len(lead) - n))
        ekg = ekg + lead[start : start + n] / lead.std() * 10 ** rng.uniform(-2.6, -1.0)
    if rng.random() < 0.3:
        ekg = ekg + rng.normal(0, 10 ** rng.uniform(-2.7, -1.5), n)
    if rng.random() < 0.2:
        turn = 2 * np.pi * rng.uniform(0.05, 0.5) / _RATE_HZ
        ekg = ekg + 10 ** rng.uniform(-2.5, -1) * np.sin(np.arange(n) * turn + rng.uniform(0, 7))
    return -ekg if rng.random() < 0.35 else ekg


def _example(lead: Lead, noise: list[Array], rng: np.random.Generator) -> Example:
    """A stretch of one lead at a slightly different pace, its R-peaks jittered, one of them lost at times."""
    pace = float(np.clip(np.exp(rng.normal(0, 0.06)), 0.85, 1.18))
    n = len(lead.ekg)
    start = rng.uniform(-200, max(n - _SAMPLES * pace + 200, 1))
    at = start + np.arange(_SAMPLES) * pace
    inside = np.clip(at, 0, n - 2)
    ekg = np.interp(inside, np.arange(n), lead.ekg)
    nearest = np.rint(inside).astype(np.int64)
    judged = lead.judged[nearest] & (at >= 0) & (at < n - 1)
    r_peaks = lead.r_peaks if rng.random() < 0.6 else lead.r_peaks_of_ii
    if rng.random() < 0.7:
        r_peaks = r_peaks + rng.normal(0, 1.0 if rng.random() < 0.9 else 4.0, len(r_peaks))
    r_peaks = (r_peaks - start) / pace
    r_peaks = r_peaks[(r_peaks >= 0) & (r_peaks < _SAMPLES - 1)]
    if rng.random() < 0.05 and len(r_peaks) > 2:
        r_peaks = np.delete(r_peaks, rng.integers(len(r_peaks)))
    height = max(qrs_height(ekg, r_peaks.astype(np.int64)), 1e-3)
    seen = channels(_disturbed(ekg / height, noise, rng), r_peaks)
    seen[:, :2] *= np.exp(rng.normal(0, 0.15))
    return seen, lead.wave[nearest], judged.astype(np.float32)


def _layers() -> dict[str, tuple[int, int, int]]:
    """Each convolution's (taps, channels in, channels out)."""
    shapes, width = {}, _INPUTS
    for level, out in enumerate(_CHANNELS):
        shapes[f"d{level}a"], shapes[f"d{level}b"] = (_TAPS, width, out), (_TAPS, out, out)
        width = out
    for level in reversed(range(len(_CHANNELS) - 1)):
        out = _CHANNELS[level]
        shapes[f"u{level}a"], shapes[f"u{level}b"] = (_TAPS, width + out, out), (_TAPS, out, out)
        width = out
    return shapes | {"out": (1, width, _CLASSES)}


def train(leads: list[Lead], noise: list[Array], steps: int) -> dict[str, NDArray[np.float16]]:
    """The weights, as `trained_weights` reads them: the running mean over the last few hundred steps."""
    jax: Any = import_module("jax")
    optax: Any = import_module("optax")
    jnp, rng = jax.numpy, np.random.default_rng(1)
    weights: Any = {}
    for name, shape in _layers().items():
        gain = 0.1 if name == "out" else 1.0
        spread = gain * np.sqrt(2 / (shape[0] * shape[1]))
        weights[f"{name}_w"] = jnp.asarray(rng.normal(0, spread, shape), dtype=jnp.float32)
        weights[f"{name}_b"] = jnp.zeros(shape[2])

    def convolved(w: Any, x: Any, name: str) -> Any:
        spelled = ("NWC", "WIO", "NWC")
        done = jax.lax.conv_general_dilated(x, w[f"{name}_w"], (1,), "SAME", dimension_numbers=spelled)
        return done + w[f"{name}_b"]

    def level_of(w: Any, x: Any, level: str) -> Any:
        return jax.nn.relu(convolved(w, jax.nn.relu(convolved(w, x, f"{level}a")), f"{level}b"))

    def network(w: Any, x: Any) -> Any:
        kept = []
        for level in range(len(_CHANNELS)):
            if level:
                x = jnp.maximum(x[:, ::2], x[:, 1::2])
            x = level_of(w, x, f"d{level}")
            kept.append(x)
        for level in reversed(range(len(_CHANNELS) - 1)):
            x = level_of(w, jnp.concatenate([jnp.repeat(x, 2, axis=1), kept[level]], -1), f"u{level}")
        return convolved(w, x, "out")

    def loss(w: Any, x: Any, wave: Any, judged: Any) -> Any:
        surprise = optax.softmax_cross_entropy_with_integer_labels(network(w, x), wave.astype(int))
        return (surprise * judged).sum() / judged.sum()

    rate = optax.warmup_cosine_decay_schedule(1e-4, 3e-3, 200, steps, 1e-5)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=1e-3))

    @jax.jit  # type: ignore[untyped-decorator]  # jax is looked up at run time
    def step(w: Any, state: Any, mean: Any, x: Any, wave: Any, judged: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(w, x, wave, judged)
        updates, state = optimiser.update(slope, state, w)
        w = optax.apply_updates(w, updates)
        return w, state, jax.tree.map(lambda a, b: 0.995 * a + 0.005 * b, mean, w), value

    state, mean, losses = optimiser.init(weights), weights, []
    for done in range(1, steps + 1):
        batch = [_example(leads[rng.integers(len(leads))], noise, rng) for _ in range(_BATCH)]
        x, wave, judged = (np.stack(each) for each in zip(*batch, strict=True))
        weights, state, mean, value = step(weights, state, mean, x, wave, judged)
        losses.append(float(value))
        if done % 100 == 0:
            print(f"step {done}: loss {np.mean(losses[-100:]):.4f}", flush=True)
    return {name: np.asarray(value, dtype=np.float16) for name, value in mean.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", type=int, choices=range(4))
    parser.add_argument("--steps", type=int, default=4500)
    args = parser.parse_args()
    left_out = set() if args.fold is None else set(folds(record_names(data_folder()))[args.fold])
    names = [name for name in record_names(data_folder()) if name not in left_out]
    leads = [lead for name in names for lead in leads_of(data_folder(), name) if lead.judged.any()]
    np.savez_compressed(args.out, **train(leads, noise_of(data_folder()), args.steps))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
