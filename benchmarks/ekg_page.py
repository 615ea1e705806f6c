"""Twelve leads of ten seconds at 1000 Hz as SVG and as PDF, beside what has to be done before: measuring.

With the extra ``figures`` installed also beside matplotlib, which draws the same lines and no text.
"""

import functools
import importlib
import importlib.util
import io
import time
from collections.abc import Callable
from typing import Any

from gateway.drawing import Curve, Lines, Page, draw_pages, svg
from gateway.drawing.pdf import pdf
from gateway.signal import measure_ekg
from gateway.testing.synthetic_ekg import synthetic_recording

_ROUNDS = 5
_INCH_MM = 25.4


def _seconds(work: Callable[[], object]) -> float:
    """CPU time, the best of several calls after one that loads what is loaded once."""
    work()
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def _matplotlib(page: Page, suffix: str) -> bytes:
    figure_module: Any = importlib.import_module("matplotlib.figure")
    collections: Any = importlib.import_module("matplotlib.collections")
    figure = figure_module.Figure(figsize=(page.width_mm / _INCH_MM, page.height_mm / _INCH_MM))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, page.width_mm), ylim=(page.height_mm, 0))
    axes.set_axis_off()
    for item in page.items:
        if isinstance(item, Lines):
            axes.add_collection(collections.LineCollection(item.ends_mm.reshape(-1, 2, 2), linewidths=0.3))
        elif isinstance(item, Curve):
            axes.plot(*item.points_mm.T, linewidth=0.7, color=item.pen.colour)
    out = io.BytesIO()
    figure.savefig(out, format=suffix)
    return out.getvalue()


def main() -> None:
    recording = synthetic_recording(sample_rate_hz=1000)
    ekg = recording.samples_mv, recording.sample_rate_hz, recording.leads
    measuring = _seconds(lambda: measure_ekg(*ekg))
    pages = draw_pages(recording, measure_ekg(*ekg))
    writers: dict[str, Callable[[], bytes]] = {
        "svg": lambda: svg(draw_pages(recording)).encode(),
        "pdf": lambda: pdf(draw_pages(recording)),
    }
    for name, ours in writers.items():
        took = _seconds(ours)
        print(f"  {name}: {took * 1000:.0f} ms, {len(ours()) / 1024:.0f} KiB")
        print(f"    {took / measuring:.2f} times the time of measuring the recording")
        if importlib.util.find_spec("matplotlib"):
            theirs = _seconds(functools.partial(_matplotlib, pages[0], name))
            print(f"    matplotlib takes {theirs / took:.1f} times as long")


if __name__ == "__main__":
    main()
