"""From a recording to its pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.drawing.footer import footer
from gateway.drawing.header import PatientRows, header, patient_rows
from gateway.drawing.leads import DrawnLeads, drawn_leads
from gateway.drawing.options import PageOptions
from gateway.drawing.page import Curve, Item, Page
from gateway.drawing.paper import Sheet
from gateway.drawing.signal_area import MARKS_NOTE, marks, signal_area
from gateway.drawing.strips import Strip, pages_of_strips
from gateway.model import EkgRecording, Patient

if TYPE_CHECKING:  # what was measured comes from outside
    from gateway.signal import Delineation, Measurements

_AS_PRINTED = PageOptions()
_A_SAMPLE_OR_SO_S = 0.05


def draw_pages(
    recording: EkgRecording,
    measured: "Measurements | None" = None,
    waves: "Delineation | None" = None,
    options: PageOptions = _AS_PRINTED,
    *,
    filed_under: Patient | None = None,
) -> tuple[Page, ...]:
    """The EKG as a cardiologist expects it on paper.

    The signal is drawn as it was recorded, not filtered, not clipped and not resampled: each point of a curve
    is a sample. A stretch without signal is a gap. A lead that was not recorded is named as such, and a limb
    lead that the gateway computed from others bears a star.

    Parameters
    ----------
    recording : EkgRecording
    measured : Measurements, optional
        Of the same recording; its values stand beside the machine's, never in their place.
    waves : Delineation, optional
        Of the same recording, for `PageOptions.marks`.
    options : PageOptions
    filed_under : Patient, optional
        Whose the EKG is known to be. Named in place of the patient in the recording; an identifier that the
        recording holds stays, as the one that was entered at the device.

    Returns
    -------
    tuple of Page
        One for twelve leads, one more for each six lines of others; `svg` and `pdf` write them.

    Raises
    ------
    ValueError
        There is no lead, the page would begin after the recording's end, or the band is none.
    """
    if not recording.leads:
        raise ValueError("no lead to draw")
    if options.start_s >= recording.duration_s:
        raise ValueError(
            f"a page from {options.start_s:g} s on, and the recording is {recording.duration_s:g} s long"
        )
    leads, sheet = drawn_leads(recording, options), Sheet.of(options)
    drawing = _Drawing(recording, measured, waves, options, filed_under, leads, sheet)
    pages = pages_of_strips(leads, recording.duration_s, sheet, options)
    return tuple(drawing.page(strips, number, pages) for number, strips in enumerate(pages, 1))


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What all pages of one recording share."""

    recording: EkgRecording
    measured: "Measurements | None"
    waves: "Delineation | None"
    options: PageOptions
    filed_under: Patient | None
    leads: DrawnLeads
    sheet: Sheet

    def page(self, strips: Sequence[Strip], number: int, pages: Sequence[Sequence[Strip]]) -> Page:
        sheet, options = self.sheet, self.options
        offsets = self._offsets_mv(strips)
        area = tuple(signal_area(strips, self.leads, offsets, sheet, options))
        notes = (*self._notes(strips, pages, offsets), *_runaways(area, sheet), *self.recording.warnings)
        items = (
            *header(self.recording, self.measured, sheet, self._patient_rows()),
            *area,
            *self._marks(strips),
        )
        *below, remarks_at = footer(self.recording, options, notes, sheet, (number, len(pages)))
        return Page(sheet.width, sheet.height, (*items, *below), remarks_at)

    def _offsets_mv(self, strips: Sequence[Strip]) -> Mapping[str, float]:
        starts, ends = zip(*(strip.window_s for strip in strips), strict=True)
        drawn = (strip.lead for strip in strips if strip.lead in self.leads.mv)
        return {lead: self.leads.offset_mv(lead, (min(starts), max(ends))) for lead in drawn}

    def _patient_rows(self) -> PatientRows | None:
        return patient_rows(self.recording, self.filed_under) if self.options.patient else None

    def _marks(self, strips: Sequence[Strip]) -> Iterator[Item]:
        if self.options.marks and self.measured is not None:
            peaks_s, fs = self.measured.r_peaks.seconds, self.recording.sample_rate_hz
            yield from marks(strips, peaks_s, self.waves, fs, self.options.speed_mm_per_s)

    def _notes(
        self, strips: Sequence[Strip], pages: Sequence[Sequence[Strip]], offsets_mv: Mapping[str, float]
    ) -> Iterator[str]:
        end_s = max(strip.window_s[1] for page in pages for strip in page)
        start_s, duration_s = self.options.start_s, self.recording.duration_s
        if start_s or end_s < duration_s:
            yield f"shown: {start_s:g} to {min(end_s, duration_s):g} s of a recording of {duration_s:g} s"
        elif duration_s < end_s - _A_SAMPLE_OR_SO_S:
            yield f"the recording is {duration_s:g} s long"
        if any(self.leads.computed(strip.lead) for strip in strips):
            yield "* computed by Gateway from the other limb leads"
        for lead, offset in offsets_mv.items():
            if offset:
                yield f"{lead} moved by {offset:+g} mV to its line"
        if self.options.marks and self.measured is not None:
            yield MARKS_NOTE


def _runaways(area: Sequence[Item], sheet: Sheet) -> Iterator[str]:
    """Leads of which the paper cannot hold everything; nothing is clipped to hide it."""
    off = {
        curve.name: None
        for curve in area
        if isinstance(curve, Curve)
        and not (curve.points_mm[:, 1].min() >= 0 and curve.points_mm[:, 1].max() <= sheet.height)
    }
    if off:
        yield f"runs off the paper: {', '.join(off)}; draw at a lower gain"
