"""Which lead stands where on which page, and which seconds of it.

Twelve leads in columns are simultaneous within a column and continuous from one column to the next, as the
recommendations for EKG displays ask [1]_: the strip below the columns runs at the same time as they do.

References
----------
.. [1] Kligfield et al., Circulation 115:1306-1324, 2007, section on lead presentation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.drawing.leads import CABRERA_LEADS, DrawnLeads
from gateway.drawing.options import PageOptions
from gateway.drawing.paper import TRACE_MM, Sheet
from gateway.model import STANDARD_LEADS

MOST_PAGES = 10
_MOST_LINES = 6  # of a page
_LABEL_ABOVE_MM = 14.0


@dataclass(frozen=True, slots=True)
class Strip:
    """One lead in one place.

    Parameters
    ----------
    lead : str
    x_mm, y_mm : float
        Where its first moment is at 0 mV.
    label_y_mm : float
    window_s : (float, float)
        From the start of the recording.
    marked : bool
        Whether it is one to mark beats in.
    """

    lead: str
    x_mm: float
    y_mm: float
    label_y_mm: float
    window_s: tuple[float, float]
    marked: bool = False


@dataclass(frozen=True, slots=True)
class _Columns:
    rows: int
    columns: int
    rhythm: bool


_COLUMNS = MappingProxyType({"3x4": _Columns(3, 4, rhythm=True), "6x2": _Columns(6, 2, rhythm=False)})


def pages_of_strips(
    leads: DrawnLeads, duration_s: float, sheet: Sheet, options: PageOptions
) -> list[tuple[Strip, ...]]:
    """The strips of each page.

    Leads beside the twelve standard ones follow on pages of their own. Of a recording that is longer than
    `MOST_PAGES`, the first pages.
    """
    span_s = TRACE_MM / options.speed_mm_per_s
    window = options.start_s, options.start_s + span_s
    layout = options.layout or ("3x4" if leads.make_a_grid else "lines")
    if layout == "lines":
        return list(_lines(leads.recorded, options.start_s, duration_s, span_s, sheet))[:MOST_PAGES]
    order = CABRERA_LEADS if options.cabrera else STANDARD_LEADS
    wanted = options.rhythm_lead, *leads.recorded
    rhythm = next((lead for lead in wanted if lead in leads.mv), options.rhythm_lead)
    twelve = tuple(_columns(_COLUMNS[layout], order, rhythm, window, sheet))
    others = [lead for lead in leads.recorded if lead not in {*STANDARD_LEADS, *order}]
    return [twelve, *_lines(others, options.start_s, min(duration_s, window[1]), span_s, sheet)]


def _columns(
    layout: _Columns, order: Sequence[str], rhythm: str, window_s: tuple[float, float], sheet: Sheet
) -> Iterator[Strip]:
    start, end = window_s
    each_s, each_mm = (end - start) / layout.columns, TRACE_MM / layout.columns
    baselines = sheet.baselines(layout.rows + layout.rhythm)
    for place, lead in enumerate(order):
        column, row = divmod(place, layout.rows)
        first = start + column * each_s
        yield _strip(
            sheet,
            baselines,
            row,
            lead,
            (first, first + each_s),
            x_mm=column * each_mm,
            marked=not layout.rhythm and row == layout.rows - 1,
        )
    if layout.rhythm:
        yield _strip(sheet, baselines, layout.rows, rhythm, window_s, marked=True)


def _lines(
    leads: Sequence[str], start_s: float, end_s: float, span_s: float, sheet: Sheet
) -> Iterator[tuple[Strip, ...]]:
    """Pages of whole lines; the leads of one time stand together."""
    if not leads:
        return
    times = max(1, -int(-(end_s - start_s - 1e-6) // span_s))
    groups = [(lead, start_s + time * span_s, lead == leads[-1]) for time in range(times) for lead in leads]
    together = _MOST_LINES // len(leads) * len(leads) or _MOST_LINES
    for first in range(0, min(len(groups), MOST_PAGES * together), together):
        page = groups[first : first + together]
        baselines = sheet.baselines(len(page) if len(groups) <= together else together)
        yield tuple(
            _strip(sheet, baselines, row, lead, (start, start + span_s), marked=marked)
            for row, (lead, start, marked) in enumerate(page)
        )


def _strip(
    sheet: Sheet,
    baselines: Sequence[float],
    row: int,
    lead: str,
    window_s: tuple[float, float],
    *,
    x_mm: float = 0.0,
    marked: bool = False,
) -> Strip:
    y = baselines[row]
    pitch = sheet.bottom - baselines[-1] if len(baselines) == 1 else baselines[1] - baselines[0]
    return Strip(
        lead,
        sheet.trace_left + x_mm,
        y,
        y - min(_LABEL_ABOVE_MM, pitch / 2 - 3),
        window_s,
        marked,
    )
