"""How a page is to look."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Layout = Literal["3x4", "6x2", "lines"]
Paper = Literal["a4", "letter"]

PAPERS_MM: Mapping[Paper, tuple[float, float]] = MappingProxyType(
    {"a4": (297.0, 210.0), "letter": (279.4, 215.9)}
)
"""Width and height, landscape."""

SPEEDS_MM_PER_S = (25.0, 50.0)
GAINS_MM_PER_MV = (5.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """How a page is to look; by default as carts print it.

    Parameters
    ----------
    layout : {"3x4", "6x2", "lines"}, optional
        Twelve leads in four columns over a rhythm strip, in two columns, or each lead as a line of its own.
        By default four columns where eight of the twelve standard leads are there, lines elsewhere.
    paper : {"a4", "letter"}
        Landscape.
    speed_mm_per_s : {25, 50}
    gain_mm_per_mv : {5, 10, 20}
    cabrera : bool
        The limb leads as aVL, I, -aVR, II, aVF, III.
    band_hz : (float or None, float or None), optional
        Draw the signal within this band and without mains hum. By default it is drawn as recorded.
    start_s : float
        Where in the recording the page begins.
    rhythm_lead : str
        Of the strip below four columns; where it was not recorded, the first lead that was.
    patient : bool
        Whether the patient is named.
    marks : bool
        Mark R-peaks and the ends of waves that were measured.

    Raises
    ------
    ValueError
        A value that is none of these.
    """

    layout: Layout | None = None
    paper: Paper = "a4"
    speed_mm_per_s: float = 25.0
    gain_mm_per_mv: float = 10.0
    cabrera: bool = False
    band_hz: tuple[float | None, float | None] | None = None
    start_s: float = 0.0
    rhythm_lead: str = "II"
    patient: bool = True
    marks: bool = False

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("layout", self.layout, (None, "3x4", "6x2", "lines")),
            ("paper", self.paper, tuple(PAPERS_MM)),
            ("speed_mm_per_s", self.speed_mm_per_s, SPEEDS_MM_PER_S),
            ("gain_mm_per_mv", self.gain_mm_per_mv, GAINS_MM_PER_MV),
        ):
            if value not in choices:
                raise ValueError(f"{name} {value!r}; choose one of {', '.join(map(str, choices))}")
        if not self.start_s >= 0:
            raise ValueError(f"start_s {self.start_s}; give seconds from the start of the recording")
