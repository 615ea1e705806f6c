"""``--plot`` of ``gateway ekg analyze``: the options of a page, and the file that it is written to."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gateway.errors import GatewayError
from gateway.model import EkgRecording

if TYPE_CHECKING:  # NumPy and fpdf2 are for those who draw
    from gateway.drawing import Page, PageOptions
    from gateway.drawing.options import Layout, Paper
    from gateway.signal import Measurements


@dataclass(frozen=True, slots=True)
class Plot:
    """A page that was asked for.

    Parameters
    ----------
    out : Path
        ``.svg`` or ``.pdf``.
    options : PageOptions
    fonts : sequence of Path
    """

    out: Path
    options: "PageOptions"
    fonts: Sequence[Path]

    def write(self, recording: EkgRecording, measured: "Measurements") -> int:
        """Draw the recording and say on how many pages.

        Raises
        ------
        GatewayError
            The options do not fit the recording, a font cannot be used, or the file cannot be written.
        """
        from gateway.drawing import draw_pages  # noqa: PLC0415 - for those who draw
        from gateway.signal import delineate  # noqa: PLC0415 - SciPy takes half a second to load

        peaks = measured.r_peaks.samples
        waves = (
            delineate(recording.samples_mv, recording.sample_rate_hz, peaks) if self.options.marks else None
        )
        try:
            pages = draw_pages(recording, measured, waves, self.options)
        except ValueError as error:
            raise GatewayError(f"{self.out}: cannot be drawn: {error}") from error
        document = _WRITERS[self.out.suffix.lower()](pages, self.fonts)
        try:
            self.out.write_bytes(document)
        except OSError as error:
            raise GatewayError(f"{self.out}: {error.strerror}; choose another place") from error
        return len(pages)


def _svg(pages: "Sequence[Page]", _fonts: Sequence[Path]) -> bytes:
    from gateway.drawing import svg  # noqa: PLC0415 - as above

    return svg(pages).encode()


def _pdf(pages: "Sequence[Page]", fonts: Sequence[Path]) -> bytes:
    from gateway.drawing.pdf import pdf  # noqa: PLC0415 - as above

    return pdf(pages, fonts)


_WRITERS = MappingProxyType({".svg": _svg, ".pdf": _pdf})


def _out(_context: click.Context, _option: click.Parameter, out: Path | None) -> Path | None:
    if out is not None and out.suffix.lower() not in _WRITERS:
        raise click.BadParameter(f"{str(out)!r} is no page; choose a name that ends in .svg or .pdf")
    return out


def _band(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[float | None, float | None] | None:
    if text is None:
        return None
    low, dash, high = text.partition("-")
    try:
        band = float(low) if low else None, float(high) if high else None
    except ValueError:
        band = None, None
    if not dash or band == (None, None):
        raise click.BadParameter(f"{text!r} is no band; write it as 0.5-40, in Hz")
    return band


_PAGE = (
    "layout", "paper", "speed", "gain", "cabrera", "band", "start", "marks", "no_patient", "fonts"
)  # fmt: skip
_OPTIONS = (
    click.option(
        "--plot",
        "out",
        metavar="OUT",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_out,
        help="Draw the EKG to OUT, .svg or .pdf.",
    ),
    click.option(
        "--layout",
        type=click.Choice(["3x4", "6x2", "lines"]),
        help="Of the page; 3x4 with a rhythm strip where most of twelve leads are there, otherwise lines.",
    ),
    click.option(
        "--paper", type=click.Choice(["a4", "letter"]), default="a4", help="Landscape; a4 by default."
    ),
    click.option("--speed", type=click.Choice(["25", "50"]), default="25", help="In mm/s; 25 by default."),
    click.option(
        "--gain", type=click.Choice(["5", "10", "20"]), default="10", help="In mm/mV; 10 by default."
    ),
    click.option("--cabrera", is_flag=True, help="The limb leads as aVL, I, -aVR, II, aVF, III."),
    click.option(
        "--band",
        metavar="LOW-HIGH",
        callback=_band,
        help="Draw what lies within, in Hz, without mains hum; by default the signal as recorded.",
    ),
    click.option(
        "--from",
        "start",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        default=0.0,
        help="Where to begin.",
    ),
    click.option("--marks", is_flag=True, help="Mark R-peaks, and onset and offset of P, QRS and T."),
    click.option("--no-patient", is_flag=True, help="Leave the patient off the page."),
    click.option(
        "--font",
        "fonts",
        metavar="FILE",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A font for characters that the PDF's own lacks; may be given several times.",
    ),
)


def plot_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a page; it takes them together, as `plot`, or None."""

    @functools.wraps(command)
    def with_plot(*, out: Path | None, **given: Any) -> None:
        page = {name: given.pop(name) for name in _PAGE}
        if out is None:
            _refuse_options_of_no_page(click.get_current_context())
        command(plot=None if out is None else _plot(out, **page), **given)

    for option in reversed(_OPTIONS):
        with_plot = option(with_plot)
    return with_plot


def _refuse_options_of_no_page(context: click.Context) -> None:
    for option in context.command.params:
        name = option.name or ""
        if name in _PAGE and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option.opts[0]} is for a page; add --plot OUT.svg or OUT.pdf", context)


def _plot(
    out: Path,
    *,
    layout: "Layout | None",
    paper: "Paper",
    speed: str,
    gain: str,
    cabrera: bool,
    band: tuple[float | None, float | None] | None,
    start: float,
    marks: bool,
    no_patient: bool,
    fonts: Sequence[Path],
) -> Plot:
    from gateway.drawing import PageOptions  # noqa: PLC0415 - for those who draw

    options = PageOptions(
        layout=layout,
        paper=paper,
        speed_mm_per_s=float(speed),
        gain_mm_per_mv=float(gain),
        cabrera=cabrera,
        band_hz=band,
        start_s=start,
        patient=not no_patient,
        marks=marks,
    )
    return Plot(out, options, fonts)
