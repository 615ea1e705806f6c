"""Below the grid: speed, gain, filters, and what a reader of this page has to know."""

from collections.abc import Iterator, Sequence

from gateway import __version__
from gateway.drawing.lettering import fitted, legible
from gateway.drawing.options import PageOptions
from gateway.drawing.page import Text
from gateway.drawing.paper import Sheet
from gateway.model import EkgRecording

_LINE_MM, _SIZE_MM, _ROOM_MM = 3.0, 2.4, 265.0
_NOTE_LINES, _REMARKS = 2, ""
_FILTERS = (
    ("high_pass_hz", "high-pass {} Hz"),
    ("low_pass_hz", "low-pass {} Hz"),
    ("mains_hz", "mains {} Hz"),
)


def footer(
    recording: EkgRecording, options: PageOptions, notes: Sequence[str], sheet: Sheet, page: tuple[int, int]
) -> Iterator[Text]:
    """The line of settings, the notes, and last, still empty, where a writer says what it could not draw."""
    y = sheet.bottom + 3.5
    scale = f"{options.speed_mm_per_s:g} mm/s · {options.gain_mm_per_mv:g} mm/mV"
    settings = f"{scale} · {_drawn(options)} · device's filters: {_devices_filters(recording)}"
    yield Text(sheet.left, y, legible(settings), _SIZE_MM)
    form = f"{recording.format} {recording.format_version}".rstrip()
    made = f"{form}, {recording.sample_rate_hz:g} Hz · Gateway {__version__} · page {page[0]} of {page[1]}"
    yield Text(sheet.right, y, legible(made), _SIZE_MM, anchor="end")
    told = fitted(["; ".join(notes)], _SIZE_MM, _ROOM_MM, _NOTE_LINES)
    for number, text in enumerate((*told, _REMARKS), 1):
        yield Text(sheet.left, y + number * _LINE_MM, text, _SIZE_MM, room_mm=_ROOM_MM)


def _drawn(options: PageOptions) -> str:
    if options.band_hz is None:
        return "drawn as recorded"
    low, high = (f"{edge:g}" if edge else "open" for edge in options.band_hz)
    return f"drawn filtered: {low} to {high} Hz, mains hum removed"


def _devices_filters(recording: EkgRecording) -> str:
    known = [text.format(recording.filters[name]) for name, text in _FILTERS if name in recording.filters]
    known += [recording.filters["text"]] if "text" in recording.filters else []
    return ", ".join(known) or "not stated"
