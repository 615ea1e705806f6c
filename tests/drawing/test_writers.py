"""SVG and PDF as others read them: size, points, words, bytes."""

import importlib
import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import ContentStream

from gateway.drawing import Curve, Page, PageOptions, Text, draw_pages, svg
from gateway.drawing.pdf import pdf
from gateway.errors import GatewayError
from gateway.model import EkgRecording

# Its builders are not typed.
font_builder: Any = importlib.import_module("fontTools.fontBuilder")
glyph_pen: Any = importlib.import_module("fontTools.pens.ttGlyphPen")

SVG = "{http://www.w3.org/2000/svg}"
MM = 72 / 25.4
PAPERS = {"a4": (297.0, 210.0), "letter": (279.4, 215.9)}


def pdf_page(document: bytes, number: int = 0) -> pypdf.PageObject:
    return pypdf.PdfReader(io.BytesIO(document)).pages[number]


def pdf_curves(page: pypdf.PageObject) -> list[np.ndarray]:
    """Every path of a page, in millimetres from its upper left corner."""
    content = page.get_contents()
    assert isinstance(content, ContentStream)
    paths: list[list[tuple[float, float]]] = []
    for operands, operator in content.operations:
        if operator == b"m":
            paths.append([])
        if operator in {b"m", b"l"}:
            x, y = map(float, operands)
            paths[-1].append((x / MM, (float(page.mediabox.height) - y) / MM))
    return [np.array(path) for path in paths]


def one_glyph_font(code: int, path: Path) -> Path:
    """A font of a single square."""
    pen = glyph_pen.TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    font = font_builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "square"])
    font.setupCharacterMap({code: "square"})
    font.setupGlyf({".notdef": square, "square": square})
    font.setupHorizontalMetrics({".notdef": (900, 0), "square": (900, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "One", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return path


def curves(page: Page) -> list[np.ndarray]:
    return [item.points_mm for item in page.items if isinstance(item, Curve)]


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_an_svg_states_its_size_in_millimetres(resting: EkgRecording, paper: str):
    root = ET.fromstring(svg(draw_pages(resting, options=PageOptions(paper=paper))))  # type: ignore[arg-type]
    width, height = PAPERS[paper]
    assert (root.get("width"), root.get("height")) == (f"{width:g}mm", f"{height:g}mm")
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"


def test_the_pages_of_an_svg_stand_below_each_other(resting: EkgRecording):
    root = ET.fromstring(svg(draw_pages(resting, options=PageOptions(layout="lines"))))
    assert root.get("height") == "420mm"
    assert [group.get("transform") for group in root.iter(f"{SVG}g")] == [None, "translate(0 210)"]


def test_an_svgs_curves_are_the_pages_to_a_hundredth_of_a_millimetre(resting: EkgRecording):
    pages = draw_pages(resting)
    lines = list(ET.fromstring(svg(pages)).iter(f"{SVG}polyline"))
    for line, points in zip(lines, curves(pages[0]), strict=True):
        written = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
        np.testing.assert_allclose(written, points, atol=0.00501)
    assert [line.get("data-lead") for line in lines].count("calibration 1 mV") == 4


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_a_pdf_page_has_the_size_of_the_paper_and_is_printed_in_it(resting: EkgRecording, paper: str):
    document = pdf(draw_pages(resting, options=PageOptions(paper=paper)))  # type: ignore[arg-type]
    box = pdf_page(document).mediabox
    assert (float(box.width) / MM, float(box.height) / MM) == pytest.approx(PAPERS[paper], abs=0.01)
    root = pypdf.PdfReader(io.BytesIO(document)).root_object
    assert root["/ViewerPreferences"]["/PrintScaling"] == "/None"  # type: ignore[index]


def test_a_pdfs_curves_are_the_pages_to_a_hundredth_of_a_millimetre(resting: EkgRecording):
    pages = draw_pages(resting)
    drawn = [path for path in pdf_curves(pdf_page(pdf(pages))) if len(path) > 2]
    for path, points in zip(drawn, curves(pages[0]), strict=True):
        np.testing.assert_allclose(path, points, atol=0.005)
    pulse = next(path for path in drawn if len(path) == 6)
    assert np.ptp(pulse[:, 1]) == pytest.approx(10, abs=0.01)
    assert pulse[3, 0] - pulse[2, 0] == pytest.approx(5, abs=0.01)


def test_grid_lines_of_a_pdf_are_a_millimetre_apart(resting: EkgRecording):
    straight = [path for path in pdf_curves(pdf_page(pdf(draw_pages(resting)))) if len(path) == 2]
    upright = sorted({round(path[0, 0], 2) for path in straight if np.ptp(path[:, 1]) > 150})
    np.testing.assert_allclose(np.diff(upright), 1, atol=0.011)
    assert len(upright) == 266


@pytest.mark.parametrize("layout", ["3x4", "6x2", "lines"])
def test_the_same_recording_gives_the_same_bytes(resting: EkgRecording, layout: str):
    options = PageOptions(layout=layout)  # type: ignore[arg-type]
    once, again = draw_pages(resting, options=options), draw_pages(resting, options=options)
    assert svg(once) == svg(again)
    assert pdf(once) == pdf(again)


def test_a_pdf_names_no_person_outside_its_page_and_no_day(resting: EkgRecording):
    information = pypdf.PdfReader(io.BytesIO(pdf(draw_pages(resting)))).metadata
    assert information is not None
    assert information.title == "EKG"
    assert information.creation_date is not None
    assert information.creation_date.timestamp() == 0
    assert "Testpatient" not in str(information)


def test_the_words_of_a_pdf_are_text(resting: EkgRecording):
    found = pdf_page(pdf(draw_pages(resting))).extract_text()
    for words in ("Testpatient, Alma", "aVR", "25 mm/s · 10 mm/mV", "2026-03-02 09:14:05-05:00"):
        assert words in found


@pytest.mark.parametrize(
    "name",
    ["Müller", "Łódź", "Ελένη", "Иванов", "כהן", "محمد", "Նարեկ"],
    ids=["latin", "polish", "greek", "cyrillic", "hebrew", "arabic", "armenian"],
)
def test_names_in_the_scripts_of_europe_and_the_near_east_are_drawn(resting: EkgRecording, name: str):
    named = replace(resting, patient_fields={"family_name": name})
    assert "U+" not in pdf_page(pdf(draw_pages(named))).extract_text()


def test_a_character_without_a_glyph_is_named_and_the_page_says_so(resting: EkgRecording):
    named = replace(resting, patient_fields={"family_name": "王"})
    found = pdf_page(pdf(draw_pages(named))).extract_text()
    assert "‹U+738B›" in found
    assert "a character that no font at hand has" in found
    assert "王" in svg(draw_pages(named))


def test_a_font_is_used_for_what_the_packages_own_lacks(resting: EkgRecording, tmp_path: Path):
    font = one_glyph_font(ord("王"), tmp_path / "one.ttf")
    named = replace(resting, patient_fields={"family_name": "王 Alma"})
    found = pdf_page(pdf(draw_pages(named), [font])).extract_text()
    assert "王" in found
    assert "U+" not in found


def test_a_file_that_is_no_font_is_refused(resting: EkgRecording, tmp_path: Path):
    (tmp_path / "notes.ttf").write_bytes(b"no font")
    for name in ("notes.ttf", "gone.ttf"):
        with pytest.raises(GatewayError, match=f"{name}: no usable font"):
            pdf(draw_pages(resting), [tmp_path / name])


def test_text_that_is_too_wide_is_set_narrower(resting: EkgRecording):
    named = replace(resting, statements=("王" * 12,))
    content = pdf_page(pdf(draw_pages(named))).get_contents()
    assert content is not None
    assert any(operator == b"Tz" and float(operands[0]) < 100 for operands, operator in content.operations)


_XML_CHARACTERS = st.text(st.characters(codec="utf-8"), max_size=60)


@settings(max_examples=25)
@given(name=_XML_CHARACTERS, statement=_XML_CHARACTERS, lead=st.text("<>&\"'\x00\n]", min_size=1))
def test_foreign_text_never_breaks_a_document(resting: EkgRecording, name: str, statement: str, lead: str):
    hostile = replace(
        resting,
        leads=(lead,),
        samples_mv=resting.samples_mv[:1, :50],
        patient_fields={"name": name, "id": "<script>alert(1)</script>"},
        statements=(statement, "]]>", "&lt;"),
        device=replace(resting.device, model='"><svg onload="x"'),
    )
    pages = draw_pages(hostile)
    root = ET.fromstring(svg(pages))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "title", "g", "rect", "path", "polyline", "text",
    }  # fmt: skip
    written = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert "<script>alert(1)</script>" in written
    assert pdf(pages).startswith(b"%PDF-")


def test_a_name_longer_than_the_page_stays_in_its_block(resting: EkgRecording):
    (page,) = draw_pages(replace(resting, patient_fields={"family_name": "Testpatient" * 20}))
    grid_left = (297 - 265) / 2
    blocks = sorted({item.x_mm for item in page.items if isinstance(item, Text) and item.y_mm < 40})
    for item in page.items:
        if isinstance(item, Text) and item.text.startswith("Testpatient"):
            assert item.x_mm == grid_left
            assert item.room_mm is not None
            assert item.x_mm + item.room_mm <= next(x for x in blocks if x > grid_left + 20)


def test_documents_without_pages_are_refused():
    for write in (svg, pdf):
        with pytest.raises(ValueError, match="no page"):
            write(())


def test_pages_of_one_document_keep_their_order(resting: EkgRecording):
    document = pdf(draw_pages(resting, options=PageOptions(layout="lines")))
    for number in (1, 2):
        assert f"page {number} of 2" in pdf_page(document, number - 1).extract_text()
