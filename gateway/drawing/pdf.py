"""Pages as PDF, by fpdf2: vectors and embedded fonts, in true size.

DejaVu Sans Condensed comes with the package and covers the scripts of Europe and the Near East; other fonts
are given as files. A character that none of them has is named by its code point, and the page says so.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from fpdf import FPDF, ViewerPreferences
from fpdf.fonts import TTFFont

from gateway.drawing.lettering import JOINERS, code_point, legible
from gateway.drawing.page import Curve, Item, Lines, Page, Pen, Text
from gateway.errors import GatewayError

_FONT = Path(__file__).with_name("fonts") / "DejaVuSansCondensed.ttf"
_FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
_FAMILY = "page"
_PT_PER_MM = 72 / 25.4
_BASELINE = 0.3  # of the em, below the middle of a cell
_SIMPLE_SCRIPTS_END = 0x0530  # Latin, Greek and Cyrillic: one glyph a character, from left to right
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_DRAWN = "‹U+…› stands for a character that no font at hand has; give a font that has it"


def pdf(pages: Sequence[Page], fonts: Sequence[Path] = ()) -> bytes:
    """The pages as one PDF document. The same pages give the same bytes; it names no date and no person.

    Parameters
    ----------
    pages : sequence of Page
    fonts : sequence of Path
        TrueType or OpenType files for what the package's own font lacks, the first that has it.

    Raises
    ------
    GatewayError
        A font cannot be read.
    ValueError
        No page.
    """
    if not pages:
        raise ValueError("no page to write")
    for path in fonts:
        _check_font(path)
    writer = _Writer(fonts)
    for page in pages:
        writer.add(page)
    return writer.document()


def _check_font(path: Path) -> None:
    try:
        with path.open("rb") as file:
            characters = TTFont(file, fontNumber=0).getBestCmap()
    except (OSError, KeyError, ValueError, TTLibError) as error:
        raise GatewayError(f"{path}: no usable font; give a TrueType or OpenType file") from error
    if not characters or path.suffix.lower() not in _FONT_SUFFIXES:
        raise GatewayError(f"{path}: no font with Unicode characters; give a .ttf, .otf or .ttc file")


class _Writer:
    """One document in the making."""

    def __init__(self, fonts: Sequence[Path]) -> None:
        self._pdf = FPDF(unit="mm")
        self._pdf.set_auto_page_break(False)
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.set_title("EKG")
        self._pdf.set_creation_date(_NO_DATE)
        self._pdf.viewer_preferences = ViewerPreferences(print_scaling="None")
        families = [f"{_FAMILY}{number}" for number in range(1 + len(fonts))]
        self._fonts = [
            self._add_font(family, path) for family, path in zip(families, (_FONT, *fonts), strict=True)
        ]
        self._pdf.set_fallback_fonts(families[1:])
        self._drawable = frozenset(code for font in self._fonts for code in font.cmap)
        self._not_drawn = False

    def _add_font(self, family: str, path: Path) -> TTFFont:
        self._pdf.add_font(family, fname=path)
        font = self._pdf.fonts[family]
        assert isinstance(font, TTFFont)
        return font

    def add(self, page: Page) -> None:
        self._pdf.add_page(format=(page.width_mm, page.height_mm))
        self._not_drawn = False
        # Mitred joins would draw a steep R-peak up to a millimetre higher than it is.
        with self._pdf.local_context(stroke_join_style="round", stroke_cap_style="round"):
            for item in page.items:
                self._item(item)
            if self._not_drawn:
                self._text(replace(page.remarks_at, text=_NOT_DRAWN))

    def _item(self, item: Item) -> None:
        match item:
            case Text():
                self._text(item)
            case Curve():
                self._use(item.pen)
                self._pdf.polyline(item.points_mm.tolist())
            case Lines():
                self._use(item.pen)
                for ends in item.ends_mm.tolist():
                    self._pdf.line(*ends)

    def document(self) -> bytes:
        document = bytes(self._pdf.output())
        for font in self._fonts:
            font.ttfont.close()
        return document

    def _use(self, pen: Pen) -> None:
        self._pdf.set_draw_color(pen.colour)
        self._pdf.set_line_width(pen.width_mm)

    def _text(self, item: Text) -> None:
        text = "".join(map(self._shown, legible(item.text)))
        self._pdf.set_font(f"{_FAMILY}0", size=item.size_mm * _PT_PER_MM)
        self._pdf.set_text_color(item.colour)
        simple = all(ord(c) < _SIMPLE_SCRIPTS_END and not unicodedata.combining(c) for c in text)
        self._pdf.set_text_shaping(not simple)
        width = self._pdf.get_string_width(text)
        narrower = item.room_mm is not None and width > item.room_mm
        self._pdf.set_stretching(100 * item.room_mm / width if item.room_mm and narrower else 100)
        x = item.x_mm - (self._pdf.get_string_width(text) if item.anchor == "end" else 0)
        if simple:
            self._pdf.text(x, item.y_mm, text)
        else:
            self._pdf.set_xy(x, item.y_mm - _BASELINE * item.size_mm)
            self._pdf.cell(None, 0, text)

    def _shown(self, character: str) -> str:
        if ord(character) in self._drawable or character in JOINERS:
            return character
        self._not_drawn = True
        return code_point(character)
