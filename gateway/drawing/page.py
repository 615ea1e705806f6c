"""What stands on a page, in millimetres from its upper left corner: lines, curves and text, and no more.

The description is made once and written by `svg` and `pdf`, so that both show the same.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pen:
    """How a line is drawn.

    Parameters
    ----------
    width_mm : float
    colour : str
        ``#rrggbb``.
    """

    width_mm: float
    colour: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Straight lines of one kind: a grid, ticks.

    Parameters
    ----------
    ends_mm : (lines, 4) array
        x and y of one end, x and y of the other.
    pen : Pen
    """

    ends_mm: Points
    pen: Pen


@dataclass(frozen=True, slots=True)
class Curve:
    """Points joined in order.

    Parameters
    ----------
    points_mm : (points, 2) array
    pen : Pen
    name : str
        What is drawn: ``II``, ``calibration``.
    """

    points_mm: Points
    pen: Pen
    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text.

    Parameters
    ----------
    x_mm, y_mm : float
        Of its start, or its end where so anchored, on the baseline.
    text : str
    size_mm : float
        Of the font, as an em.
    colour : str
    anchor : {"start", "end"}
    room_mm : float, optional
        A writer that knows how wide the text becomes sets it narrower than this.
    """

    x_mm: float
    y_mm: float
    text: str
    size_mm: float
    colour: str = "#000000"
    anchor: Literal["start", "end"] = "start"
    room_mm: float | None = None


Item = Lines | Curve | Text


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Parameters
    ----------
    width_mm, height_mm : float
    items : tuple of Lines, Curve or Text
        In the order in which they are drawn.
    remarks_at : Text
        Where a writer says what it could not draw; its text is empty.
    """

    width_mm: float
    height_mm: float
    items: tuple[Item, ...]
    remarks_at: Text


def lines(ends_mm: list[tuple[float, float, float, float]], pen: Pen) -> Lines:
    """Lines of one pen, each from (x, y) to (x, y)."""
    return Lines(np.array(ends_mm, dtype=np.float64).reshape(-1, 4), pen)
