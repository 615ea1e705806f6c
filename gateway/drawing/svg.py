"""Pages as SVG: one unit is one millimetre, and the picture states its size in them."""

from collections.abc import Iterator, Sequence
from functools import singledispatch
from xml.sax.saxutils import escape, quoteattr

from gateway.drawing.lettering import legible
from gateway.drawing.page import Curve, Item, Lines, Page, Pen, Text

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_STYLE = (
    "font-family=\"'DejaVu Sans Condensed', 'Liberation Sans', Arial, Helvetica, sans-serif\""
    ' fill="none" stroke-linejoin="round" stroke-linecap="round"'
)


def svg(pages: Sequence[Page]) -> str:
    """The pages, one below the other, as one SVG document. The same pages give the same text.

    Raises
    ------
    ValueError
        No page.
    """
    if not pages:
        raise ValueError("no page to write")
    width, height = max(page.width_mm for page in pages), sum(page.height_mm for page in pages)
    size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
    parts = [_DECLARATION, f'<svg xmlns="http://www.w3.org/2000/svg" {size} {_STYLE}>', "<title>EKG</title>"]
    down = 0.0
    for page in pages:
        parts += _page(page, down)
        down += page.height_mm
    return "\n".join((*parts, "</svg>", ""))


def _page(page: Page, down_mm: float) -> Iterator[str]:
    moved = f' transform="translate(0 {down_mm:g})"' if down_mm else ""
    yield f"<g{moved}>"
    yield f'<rect width="{page.width_mm:g}" height="{page.height_mm:g}" fill="#ffffff"/>'
    yield from map(_element, page.items)
    yield "</g>"


@singledispatch
def _element(item: Item) -> str:
    raise TypeError(f"{type(item).__name__} is nothing that a page holds")


@_element.register
def _(item: Lines) -> str:
    path = "".join(f"M{x1:.2f} {y1:.2f}L{x2:.2f} {y2:.2f}" for x1, y1, x2, y2 in item.ends_mm.tolist())
    return f'<path{_stroke(item.pen)} d="{path}"/>'


@_element.register
def _(item: Curve) -> str:
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in item.points_mm.tolist())
    return f'<polyline{_stroke(item.pen)} data-lead={quoteattr(legible(item.name))} points="{points}"/>'


@_element.register
def _(item: Text) -> str:
    anchor = ' text-anchor="end"' if item.anchor == "end" else ""
    return (
        f'<text x="{item.x_mm:.2f}" y="{item.y_mm:.2f}" font-size="{item.size_mm:.2f}"{anchor}'
        f' fill="{item.colour}">{escape(legible(item.text))}</text>'
    )


def _stroke(pen: Pen) -> str:
    return f' stroke="{pen.colour}" stroke-width="{pen.width_mm:g}"'
