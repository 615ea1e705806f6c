"""Train the nets of `gateway.signal.wave_network` on the Lobachevsky University database.

    python -m benchmarks.delineation.train OUT.npz [--fold K] [--seed S] [--steps N]
    python -m benchmarks.delineation.train OUT.npz --join NET.npz ...

``--fold K`` leaves every fourth record out, for `benchmarks.delineation.judge` to judge on. Needs ``torch``,
which nothing else here does.
"""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.delineation.examples import CLASSES, example
from benchmarks.delineation.ludb import (
    FIBRILLATING,
    FIBRILLATION,
    FOLDS,
    Lead,
    data_folder,
    folds,
    leads_of,
    noise_of,
    record_names,
    rhythm_pieces,
)
from gateway.signal.wave_network import FOLDED, P

_CHANNELS = (32, 32, 48, 48, 48, 48)
_TAPS, _INPUTS = 5, 4
_BATCH, _OF_FIBRILLATING = 12, 0.1
_DROPPED, _DROPPED_AFTER = 0.1, ("d2", "d3", "d4", "d5", "u4", "u3")

torch: Any = import_module("torch")

Record = list[Lead]


def _layers() -> dict[str, tuple[int, int, int]]:
    """Each convolution's (taps, channels in, channels out)."""
    shapes, width = {}, _INPUTS * FOLDED
    for level, out in enumerate(_CHANNELS):
        shapes[f"d{level}a"], shapes[f"d{level}b"] = (_TAPS, width, out), (_TAPS, out, out)
        width = out
    for level in reversed(range(len(_CHANNELS) - 1)):
        out = _CHANNELS[level]
        shapes[f"u{level}a"], shapes[f"u{level}b"] = (_TAPS, width + out, out), (_TAPS, out, out)
        width = out
    return shapes | {"out": (1, width, CLASSES * FOLDED)}


def _network(convolutions: Any, seen: Any, training: bool) -> Any:
    """(batch, n, 4) channels to (batch, n, 4) log odds."""
    nn, kept = torch.nn.functional, []

    def level_of(x: Any, level: str) -> Any:
        for name in (f"{level}a", f"{level}b"):
            x = nn.relu(convolutions[name](x))
        return nn.dropout1d(x, _DROPPED, training) if level in _DROPPED_AFTER else x

    x = seen.reshape(len(seen), -1, _INPUTS * FOLDED).transpose(1, 2)
    for level in range(len(_CHANNELS)):
        x = level_of(nn.max_pool1d(x, 2) if level else x, f"d{level}")
        kept.append(x)
    for level in reversed(range(len(_CHANNELS) - 1)):
        x = level_of(torch.cat([x.repeat_interleave(2, -1), kept[level]], 1), f"u{level}")
    return convolutions["out"](x).transpose(1, 2).reshape(len(seen), -1, CLASSES)


def _loss(odds: Any, wave: Any, judged: Any, without_p: Any) -> Any:
    surprise = -(wave * torch.log_softmax(odds, -1)).sum(-1)
    others = [kind for kind in range(CLASSES) if kind != P]
    of_p = torch.logsumexp(odds, -1) - torch.logsumexp(odds[..., others], -1)
    return ((surprise * judged).sum() + (of_p * without_p).sum()) / (judged.sum() + without_p.sum())


def train(
    records: list[Record], fibrillating: list[Record], noise: list[Any], steps: int, seed: int
) -> dict[str, Any]:
    """The weights, as `read_weights` reads them: the running mean over the last few hundred steps."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    convolutions = torch.nn.ModuleDict(
        {
            name: torch.nn.Conv1d(wide, out, taps, padding=taps // 2)
            for name, (taps, wide, out) in _layers().items()
        }
    )
    for convolution in convolutions.values():
        torch.nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        torch.nn.init.zeros_(convolution.bias)
    with torch.no_grad():
        convolutions["out"].weight *= 0.1
    optimiser = torch.optim.AdamW(convolutions.parameters(), lr=3e-3, weight_decay=1e-2)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.06)
    mean = {name: value.detach().clone() for name, value in convolutions.state_dict().items()}
    losses = []
    for done in range(1, steps + 1):
        batch = []
        for _ in range(_BATCH):
            group = fibrillating if rng.random() < _OF_FIBRILLATING else records
            batch.append(example(group[rng.integers(len(group))], noise, rng))
        seen, wave, judged, without_p = (
            torch.from_numpy(np.stack(each)) for each in zip(*batch, strict=True)
        )
        with torch.autocast("cpu", torch.bfloat16):
            odds = _network(convolutions, seen, training=True)
        loss = _loss(odds.float(), wave, judged, without_p)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(convolutions.parameters(), 1.0)
        optimiser.step()
        pace.step()
        for name, value in convolutions.state_dict().items():
            mean[name].lerp_(value, 0.005)
        losses.append(loss.item())
        if done % 100 == 0:
            print(f"step {done}: loss {np.mean(losses[-100:]):.4f}", flush=True)
    return _as_kept(mean)


def _as_kept(weights: Any) -> dict[str, Any]:
    """``d0a.weight`` (out, in, taps) and ``d0a.bias`` (out,) as `read_weights` reads them, of one net."""
    kept: dict[str, Any] = {}
    for name, value in weights.items():
        layer, _, part = name.partition(".")
        if part == "bias":
            kept[f"{layer}_b"] = value.numpy().astype(np.float16)[None]
            continue
        kernel = value.numpy().transpose(2, 1, 0)[None]
        step = (np.abs(kernel).max(axis=(1, 2), keepdims=True) / 127).astype(np.float16)
        kept[f"{layer}_w"] = np.clip(np.rint(kernel / step.astype(np.float32)), -127, 127).astype(np.int8)
        kept[f"{layer}_s"] = step
    return kept


def join(out: Path, files: list[Path]) -> None:
    """Several nets' files as one."""
    nets = [dict(np.load(file)) for file in files]
    joined: dict[str, Any] = {name: np.concatenate([net[name] for net in nets]) for name in nets[0]}
    np.savez_compressed(out, **joined)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", type=int, choices=range(FOLDS))
    parser.add_argument(
        "--join", type=Path, nargs="+", metavar="NET", help="make one file of these, untrained"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4000)
    args = parser.parse_args()
    if args.join:
        join(args.out, args.join)
        return
    folder, names = data_folder(), record_names(data_folder())
    left_out = set() if args.fold is None else {*folds(names)[args.fold], FIBRILLATING[args.fold]}
    records = [leads_of(folder, name) for name in names if name not in left_out]
    trembling = [name for name in FIBRILLATING if name not in left_out]
    pieces = [piece for name in trembling for piece in rhythm_pieces(folder, name, FIBRILLATION)]
    weights = train(records, pieces, noise_of(folder), args.steps, args.seed)
    np.savez_compressed(args.out, **weights)


if __name__ == "__main__":
    main()
