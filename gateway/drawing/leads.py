"""The leads of a recording as they are drawn: by name, in the band asked for, missing limb leads computed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.drawing.options import PageOptions
from gateway.formats import with_limb_leads
from gateway.model import STANDARD_LEADS, EkgRecording

CABRERA_LEADS = ("aVL", "I", "-aVR", "II", "aVF", "III", *STANDARD_LEADS[6:])
_ENOUGH_FOR_A_GRID = 8
_OFFSET_STEP_MV = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrawnLeads:
    """Signals to draw.

    Parameters
    ----------
    mv : mapping of str to (n,) array
    recorded : tuple of str
        Names of those that the recording holds, in its order.
    sample_rate_hz : float
    """

    mv: Mapping[str, Array]
    recorded: tuple[str, ...]
    sample_rate_hz: float

    @property
    def make_a_grid(self) -> bool:
        """Whether enough of the twelve standard leads are there for a page of twelve."""
        return len(self.mv.keys() & set(STANDARD_LEADS)) >= _ENOUGH_FOR_A_GRID

    def computed(self, lead: str) -> bool:
        """Whether a lead follows from others; -aVR is aVR, recorded the other way round."""
        return lead in self.mv and lead not in self.recorded and lead.removeprefix("-") not in self.recorded

    def offset_mv(self, lead: str, window_s: tuple[float, float]) -> float:
        """How far a lead has to be moved, in whole large squares, to lie about its row's line."""
        start, end = (round(second * self.sample_rate_hz) for second in window_s)
        piece = self.mv[lead][start : end + 1]
        piece = piece[np.isfinite(piece)]
        return -_OFFSET_STEP_MV * round(float(np.median(piece)) / _OFFSET_STEP_MV) if len(piece) else 0.0


def drawn_leads(recording: EkgRecording, options: PageOptions) -> DrawnLeads:
    """The recording's leads, and the limb leads that follow from them.

    Raises
    ------
    ValueError
        The band is none.
    """
    if options.band_hz is not None:
        from gateway.signal import filter_ekg  # noqa: PLC0415 - SciPy is for filters alone

        filtered = filter_ekg(recording.samples_mv, recording.sample_rate_hz, options.band_hz)
        recording = replace(recording, samples_mv=filtered)
    whole = with_limb_leads(recording)
    mv = dict(zip(_each_once(whole.leads), whole.samples_mv, strict=True))
    if options.cabrera and "aVR" in mv:
        mv.setdefault("-aVR", -mv["aVR"])
    return DrawnLeads(mv, tuple(_each_once(recording.leads)), recording.sample_rate_hz)


def _each_once(names: tuple[str, ...]) -> Iterator[str]:
    """Names; the second of one name as ``V1 (2)``."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"
