"""The grid with its leads: pulses, signals, names, separators, and marks of what was measured."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gateway.drawing.leads import DrawnLeads
from gateway.drawing.lettering import legible
from gateway.drawing.options import PageOptions
from gateway.drawing.page import Curve, Item, Pen, Text, lines
from gateway.drawing.paper import SEPARATOR, TRACE, TRACE_MM, Sheet
from gateway.drawing.strips import Strip
from gateway.drawing.traces import curves

if TYPE_CHECKING:  # a page without marks needs no SciPy
    from gateway.signal import Delineation

_NAME_MM, _ABSENT_MM = 3.4, 2.6
_GREY = "#707070"
_TICKS_MM = ((-8.0, -5.0), (5.0, 8.0))  # beside 0 mV, so that the signal stays clear
_R_PEAK_MM, _WAVE_END_MM = (8.0, 11.0), (-3.0, 3.0)
_R_PEAK = Pen(0.4, "#1f4fbf")
_WAVES = MappingProxyType({"p": Pen(0.2, "#1a7f37"), "qrs": Pen(0.2, "#1f4fbf"), "t": Pen(0.2, "#b35900")})

MARKS_NOTE = "marks: R-peaks blue bars; onset and offset of P green, QRS blue, T orange"


def signal_area(
    strips: Sequence[Strip],
    leads: DrawnLeads,
    offsets_mv: Mapping[str, float],
    sheet: Sheet,
    options: PageOptions,
) -> Iterator[Item]:
    """Everything within the grid but marks; leads are moved by their offsets, where they have any."""
    yield from sheet.grid()
    for y in dict.fromkeys(strip.y_mm for strip in strips):
        yield sheet.pulse(y, options.gain_mm_per_mv)
    inner = [strip for strip in strips if strip.x_mm > sheet.trace_left]
    ticks = [(s.x_mm, s.y_mm + near, s.x_mm, s.y_mm + far) for s in inner for near, far in _TICKS_MM]
    yield lines(ticks, SEPARATOR)
    for strip in strips:
        yield from _signal(strip, leads, offsets_mv.get(strip.lead, 0.0), options)
    for strip in strips:
        yield Text(strip.x_mm + 1, strip.label_y_mm, _label(strip, leads, options), _NAME_MM)


def _signal(strip: Strip, leads: DrawnLeads, offset_mv: float, options: PageOptions) -> Iterator[Item]:
    drawn, lead_mv = False, leads.mv.get(strip.lead, np.empty(0)) + offset_mv
    scale = options.speed_mm_per_s, options.gain_mm_per_mv
    for points in curves(lead_mv, leads.sample_rate_hz, strip.window_s, scale):
        drawn = True
        yield Curve(points + np.array([strip.x_mm, strip.y_mm]), TRACE, strip.lead)
    if not drawn:
        yield Text(strip.x_mm + 1, strip.y_mm - 1, _absence(strip, leads), _ABSENT_MM, _GREY)


def _absence(strip: Strip, leads: DrawnLeads) -> str:
    if strip.lead not in leads.mv:
        return "not recorded"
    ended = strip.window_s[0] * leads.sample_rate_hz >= len(leads.mv[strip.lead])
    return "after the recording's end" if ended else "no signal"


def _label(strip: Strip, leads: DrawnLeads, options: PageOptions) -> str:
    """The lead's name, a star where it was computed, and its time where that is not the page's."""
    name = legible(strip.lead) + (" *" if leads.computed(strip.lead) else "")
    whole_line = strip.window_s[1] - strip.window_s[0] >= TRACE_MM / options.speed_mm_per_s
    return f"{name}   {strip.window_s[0]:g} s" if whole_line and strip.window_s[0] > options.start_s else name


def marks(
    strips: Sequence[Strip],
    r_peaks_s: NDArray[np.float64],
    waves: "Delineation | None",
    sample_rate_hz: float,
    speed_mm_per_s: float,
) -> Iterator[Item]:
    """R-peaks and the ends of waves, in the strips that are for them."""
    for strip in filter(lambda strip: strip.marked, strips):
        yield _upright(strip, r_peaks_s, speed_mm_per_s, _R_PEAK_MM, _R_PEAK)
        for wave, pen in _WAVES.items() if waves is not None else ():
            ends = np.concatenate([getattr(waves, f"{wave}_onset"), getattr(waves, f"{wave}_offset")])
            at_s = ends[ends >= 0] / sample_rate_hz
            yield _upright(strip, at_s, speed_mm_per_s, _WAVE_END_MM, pen)


def _upright(
    strip: Strip, at_s: NDArray[np.float64], speed_mm_per_s: float, reach_mm: tuple[float, float], pen: Pen
) -> Item:
    start, end = strip.window_s
    within = at_s[(at_s >= start) & (at_s < end)]
    x = strip.x_mm + (within - start) * speed_mm_per_s
    near, far = (strip.y_mm + reach for reach in reach_mm)
    return lines([(each, near, each, far) for each in x.tolist()], pen)
