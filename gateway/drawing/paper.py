"""EKG paper: where the grid lies on a sheet, its squares, and the pulse that shows what a millivolt is."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from gateway.drawing.options import PAPERS_MM, PageOptions
from gateway.drawing.page import Curve, Lines, Pen, lines

TRACE_MM = 250.0  # of each row: 10 s at 25 mm/s

_GRID_WIDTH_MM, _GRID_HEIGHT_MM = 265.0, 155.0
_TRACE_FROM_MM = 10.0  # of the grid's left edge, past the calibration pulse
_BELOW_GRID_MM = 15.0
_SMALL_MM, _LARGE_MM = 1.0, 5.0
_FINE, _COARSE = Pen(0.1, "#f7cfcf"), Pen(0.2, "#eda6a6")
_PULSE_MM = 5.0

TRACE = Pen(0.25, "#000000")
SEPARATOR = Pen(0.3, "#000000")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet and its grid, in millimetres."""

    width: float
    height: float
    left: float
    top: float

    @classmethod
    def of(cls, options: PageOptions) -> Self:
        """The grid in the middle of the sheet's width, at the same distance from its lower edge."""
        width, height = PAPERS_MM[options.paper]
        return cls(width, height, (width - _GRID_WIDTH_MM) / 2, height - _BELOW_GRID_MM - _GRID_HEIGHT_MM)

    @property
    def right(self) -> float:
        return self.left + _GRID_WIDTH_MM

    @property
    def bottom(self) -> float:
        return self.top + _GRID_HEIGHT_MM

    @property
    def trace_left(self) -> float:
        """Where every row's signal begins, on a line of large squares."""
        return self.left + _TRACE_FROM_MM

    def baselines(self, rows: int) -> tuple[float, ...]:
        """Of rows that share the grid evenly, each on a line of small squares."""
        pitch = _GRID_HEIGHT_MM / rows
        return tuple(self.top + round((row + 0.5) * pitch) for row in range(rows))

    def grid(self) -> tuple[Lines, Lines]:
        """Squares of 1 mm, and over them those of 5 mm."""
        return self._squares(_SMALL_MM, _FINE), self._squares(_LARGE_MM, _COARSE)

    def _squares(self, step: float, pen: Pen) -> Lines:
        across = np.arange(0, _GRID_WIDTH_MM + step / 2, step) + self.left
        down = np.arange(0, _GRID_HEIGHT_MM + step / 2, step) + self.top
        upright = [(x, self.top, x, self.bottom) for x in across]
        level = [(self.left, y, self.right, y) for y in down]
        return lines([*upright, *level], pen)

    def pulse(self, baseline: float, gain_mm_per_mv: float) -> Curve:
        """The calibration pulse of a row: 1 mV high, its foot at 0 mV."""
        rise = self.left + (_TRACE_FROM_MM - _PULSE_MM) / 2
        fall, top = rise + _PULSE_MM, baseline - gain_mm_per_mv
        x = (rise - 1, rise, rise, fall, fall, fall + 1)
        y = (baseline, baseline, top, top, baseline, baseline)
        return Curve(np.column_stack((x, y)), TRACE, "calibration 1 mV")
