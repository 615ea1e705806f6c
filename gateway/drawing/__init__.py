"""An EKG on paper: a recording becomes a page in millimetres, and the page SVG or PDF of true size.

``pdf(draw_pages(recording, measured))`` are the bytes of a document.
"""

from gateway.drawing.ekg_page import draw_pages
from gateway.drawing.options import PageOptions
from gateway.drawing.page import Curve, Lines, Page, Pen, Text
from gateway.drawing.svg import svg

__all__ = ["Curve", "Lines", "Page", "PageOptions", "Pen", "Text", "draw_pages", "svg"]
