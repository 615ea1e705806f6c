"""Mains interference in a live signal: measured twice a second on what has passed, taken from what comes.

A line is as good as constant from one half second to the next, so nothing has to be done for each sample but
to subtract a sinusoid that is already known. It is fitted to the quiet samples of the last two seconds, as in
`mains`, so that a QRS has no part in it and nothing rings.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.mains import HIGHEST_OF_BAND, quiet_samples

_BLOCK_S = 0.5
_BLOCKS_KEPT = 4
_PARTS_OF_BLOCK = 2
_COHERENT = (0.1, 0.3)  # share of the quiet power that is the line: left alone below, removed in full above
_FARTHEST_HZ = 0.6  # from its nominal frequency
_FREQUENCY_RENEWED = 0.5  # share of the newest estimate of the line's frequency; the power station is steady
_LEAST_QUIET = 0.1  # of the window; with less the line is taken to go on as it was
_FADE = 0.4  # of a block, from the line as it was foreseen to the line as it was then found

Array = NDArray[np.float64]
Phasors = NDArray[np.complex128]


class _Line(NamedTuple):
    """A sinusoid in each lead: its phasors at the first sample of the window, and how far it is believed."""

    hz: float
    phasors: Phasors
    believed: Array

    def later(self, samples: int, sample_rate_hz: float) -> "_Line":
        """The same line as seen from a window that begins `samples` later."""
        turned = np.exp(2j * np.pi * self.hz / sample_rate_hz * samples)
        return self._replace(phasors=self.phasors * turned)

    def values(self, samples: NDArray[np.int64], sample_rate_hz: float) -> Array:
        turning = np.exp(2j * np.pi * self.hz / sample_rate_hz * samples)
        return np.asarray(np.real((self.believed * self.phasors)[:, np.newaxis] * turning))


class _LineFit:
    """Fits the line near one nominal frequency to windows of the signal.

    Parameters
    ----------
    sample_rate_hz, nominal_hz : float
    samples, parts : int
        Length of the window, and in how many parts the turning of its phasor is looked at.
    """

    def __init__(self, sample_rate_hz: float, nominal_hz: float, samples: int, parts: int) -> None:
        self._rate_hz = sample_rate_hz
        self._nominal_hz = nominal_hz
        self._offset_hz: float | None = None
        self._half = max(1, round(0.5 * sample_rate_hz / nominal_hz))
        at = np.arange(self._half, samples - self._half)
        self._carrier = np.exp(-2j * np.pi * nominal_hz / sample_rate_hz * at)
        self._starts = np.linspace(0, len(at), parts, endpoint=False).astype(np.int64)
        self._middles_s = (self._starts + len(at) / parts / 2 + self._half) / sample_rate_hz

    def __call__(self, window: Array) -> _Line | None:
        """The line in a (leads, samples) window; None where hardly a sample is quiet."""
        half = self._half
        # Half a period away on both sides the line is upside down, while drift, P and T are hardly changed.
        upper = window[:, half:-half] - 0.5 * (window[:, : -2 * half] + window[:, 2 * half :])
        quiet = quiet_samples(upper, self._rate_hz, self._nominal_hz) * (upper != 0)
        quiet_upper = quiet * upper
        weights = np.add.reduceat(quiet, self._starts, axis=1)
        weight = weights.sum(axis=1)
        if not (weight > _LEAST_QUIET * upper.shape[1]).any():
            return None
        turned = np.add.reduceat(quiet_upper * self._carrier, self._starts, axis=1)
        self._follow(turned)
        offset = self._offset_hz or 0.0
        phasors = (turned * np.exp(-2j * np.pi * offset * self._middles_s)).sum(axis=1) / np.maximum(
            weight, 1
        )
        power = (quiet_upper * upper).sum(axis=1) / np.maximum(weight, 1)
        share = 2 * np.abs(phasors) ** 2 / np.maximum(power, 1e-18)
        hz = self._nominal_hz + offset
        gain = 1 - np.cos(2 * np.pi * hz * half / self._rate_hz)
        believed = np.clip((share - _COHERENT[0]) / (_COHERENT[1] - _COHERENT[0]), 0, 1)
        return _Line(hz, 2 / gain * phasors, believed)

    def _follow(self, turned: Phasors) -> None:
        """Learn the line's frequency from how far its phasor turns from one part to the next but one."""
        lag = 2
        apart_s = self._middles_s[lag] - self._middles_s[0]
        turn = float(np.angle(np.sum(turned[:, lag:] * turned[:, :-lag].conj())))
        offset = float(np.clip(turn / (2 * np.pi * apart_s), -_FARTHEST_HZ, _FARTHEST_HZ))
        before = offset if self._offset_hz is None else self._offset_hz
        self._offset_hz = before + _FREQUENCY_RENEWED * (offset - before)


class MainsFollower:
    """Takes the mains out of a signal that arrives in chunks, from its second second on.

    Parameters
    ----------
    sample_rate_hz : float
    leads : int
    lines_hz : tuple of float
        Nominal frequencies; the stronger one is removed. Those that the rate does not carry are left out.
    always : bool
        Subtract what was fitted even where it is hardly above the noise.
    """

    def __init__(
        self, sample_rate_hz: float, leads: int, lines_hz: tuple[float, ...], *, always: bool
    ) -> None:
        self._rate_hz = sample_rate_hz
        self._always = always
        self._block = max(round(_BLOCK_S * sample_rate_hz), 1)
        self._window = np.zeros((leads, _BLOCKS_KEPT * self._block))
        self._blocks_seen = 0
        self._filled = 0
        self._line: _Line | None = None
        self._coming = np.zeros((leads, self._block))
        self._fits = {
            blocks: [
                _LineFit(sample_rate_hz, hz, blocks * self._block, blocks * _PARTS_OF_BLOCK)
                for hz in lines_hz
                if hz < HIGHEST_OF_BAND * sample_rate_hz
            ]
            for blocks in range(2, _BLOCKS_KEPT + 1)
        }

    def removed(self, chunk: Array) -> Array:
        """The (leads, n) chunk without the mains; the same however the signal is cut."""
        clean = np.empty_like(chunk)
        done, n = 0, chunk.shape[1]
        while done < n:
            taken = min(self._block - self._filled, n - done)
            piece, at = chunk[:, done : done + taken], self._filled - self._block
            self._window[:, at : at + taken or None] = piece
            np.subtract(
                piece, self._coming[:, self._filled : self._filled + taken], out=clean[:, done : done + taken]
            )
            self._filled += taken
            done += taken
            if self._filled == self._block:
                self._foresee()
        return clean

    def _foresee(self) -> None:
        """Fit the line to the window, and lay out what of it will be in the next block."""
        self._filled = 0
        self._blocks_seen = min(self._blocks_seen + 1, _BLOCKS_KEPT)
        before = self._line and self._line.later(self._block, self._rate_hz)
        self._line = self._fitted() or before
        if self._line is not None:
            ahead = self._window.shape[1] + np.arange(self._block)
            known = before.values(ahead, self._rate_hz) if before else np.zeros_like(self._coming)
            fade = np.minimum(np.arange(self._block) / (_FADE * self._block), 1)
            self._coming = known + fade * (self._line.values(ahead, self._rate_hz) - known)
        self._window[:, : -self._block] = self._window[:, self._block :]

    def _fitted(self) -> _Line | None:
        if self._blocks_seen not in self._fits:
            return None
        seen = self._window[:, -self._blocks_seen * self._block :]
        lines = [line for fit in self._fits[self._blocks_seen] if (line := fit(seen)) is not None]
        if not lines:
            return None
        strongest = max(lines, key=lambda line: float(np.sum(line.believed * np.abs(line.phasors) ** 2)))
        if self._always:
            strongest = strongest._replace(believed=np.ones_like(strongest.believed))
        return strongest.later(seen.shape[1] - self._window.shape[1], self._rate_hz)
