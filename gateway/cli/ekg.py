"""`gateway ekg`: what an EKG file holds, what can be measured in it, and the same EKG in another format."""

from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.ekg_plot import Plot, plot_options
from gateway.cli.options import as_json
from gateway.cli.printable import print_grid, print_table, printable
from gateway.cli.printing import print_json
from gateway.errors import FormatError
from gateway.model import EkgRecording

if TYPE_CHECKING:  # SciPy is for `ekg analyze` alone
    from gateway.formats import Loss
    from gateway.signal import Measurements
    from gateway.transports.dicom_store import Archive

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))

_LABELS = {
    "heart-rate": "heart rate",
    "p-duration": "P",
    "pr-interval": "PR",
    "qrs-duration": "QRS",
    "qt-interval": "QT",
    "qtc-bazett": "QTc Bazett",
    "qtc-fridericia": "QTc Fridericia",
    "qtc-framingham": "QTc Framingham",
    "qtc-hodges": "QTc Hodges",
    "p-axis": "P axis",
    "qrs-axis": "QRS axis",
    "t-axis": "T axis",
}


@click.group(short_help="EKG files: what they hold, their measures, other formats")
def ekg() -> None:
    """Read, measure and convert EKG files."""


@ekg.command(epilog="Example: gateway ekg info resting.xml")
@_file
@as_json
def info(file: Path, as_json: bool) -> None:
    """Say what FILE holds. Patients' fields are named, never shown."""
    from gateway.cli import ekg_json  # noqa: PLC0415 - NumPy is for commands that need it
    from gateway.formats import read_ekg  # noqa: PLC0415 - as above

    recording = read_ekg(file)
    if as_json:
        print_json(ekg_json.info(recording))
    else:
        print_grid((label, text) for label, text in _info_rows(recording) if text)


@ekg.command(epilog="Example: gateway ekg analyze resting.xml --plot resting.pdf")
@_file
@as_json
@plot_options
def analyze(file: Path, as_json: bool, plot: Plot | None) -> None:
    """Find beats, rhythm, intervals and axes in FILE, and say how far the signal can be trusted.

    What could not be measured says why. The machine's own measurements stand beside ours. With --plot, the
    EKG is drawn as well, on paper of true size, with the patient as FILE names them.
    """
    from gateway.cli import ekg_json  # noqa: PLC0415 - NumPy is for commands that need it
    from gateway.formats import read_ekg  # noqa: PLC0415 - as above

    recording = read_ekg(file)
    measured = _measured(recording)
    pages = plot.write(recording, measured) if plot else 0
    if as_json:
        print_json(ekg_json.analysis(recording, measured))
        return
    print_grid(_signal_rows(recording, measured))
    print_table(("", "gateway", "device", "not measured because"), _measure_rows(recording, measured))
    print_grid((finding.text, finding.evidence) for finding in measured.rhythm.findings)
    print_grid(_other_rows(recording))
    if plot:
        click.echo(f"{plot.out}: {pages} page{'s' if pages > 1 else ''}")


def _archive(_context: click.Context, _option: click.Parameter, text: str) -> "Archive":
    from gateway.transports.dicom_store import Archive  # noqa: PLC0415 - pydicom is for this command

    try:
        return Archive.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write it as ARCHIVE@pacs.example.org:11112") from error


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time; write it as 2026-03-02T09:14:05-05:00") from error


_started_at = click.option(
    "--started-at",
    metavar="TIME",
    callback=_moment,
    help="When the EKG was taken, for a FILE that does not state it: 2026-03-02T09:14:05-05:00.",
)
_allow_loss = click.option(
    "--allow-loss", is_flag=True, help="Go on though the signal will not be the same in the new format."
)


@ekg.command(
    short_help="Write the EKG in FILE to OUT, in another format.",
    epilog="Example: gateway ekg convert resting.scp resting.dcm",
)
@_file
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@_allow_loss
@click.option("--no-patient", is_flag=True, help="Leave out who the patient is; the time of the EKG stays.")
@_started_at
@as_json
def convert(
    file: Path, out: Path, allow_loss: bool, no_patient: bool, started_at: datetime | None, as_json: bool
) -> None:
    r"""Write the EKG in FILE to OUT, in the format of OUT's suffix.

    \b
    .xml          HL7 aECG
    .dcm          DICOM waveform
    .scp          SCP-ECG
    .edf, .bdf    EDF+ and BDF+
    .hea          WFDB, with its .dat
    .csv          a column a lead, in mV
    .parquet      the same, with the extra parquet

    What the format cannot hold is named first. Where the signal itself would become another (rounded, at
    another rate, a gap filled), nothing is written without --allow-loss. OUT takes its name after it was
    read back and compared.
    """
    from gateway.cli.ekg_conversion import Conversion, opened  # noqa: PLC0415 - NumPy is for commands that need it

    conversion = Conversion.of(file, opened(file, started_at, patient=not no_patient), out)
    if as_json and conversion.refused(allow_loss):
        print_json(conversion.json(written=False))
    if not as_json:
        _say_losses(conversion.losses)
    conversion.write(allow_loss)
    if as_json:
        print_json(conversion.json(written=True))
    else:
        click.echo(f"{out}: {_signal(conversion.recording)}")


@ekg.command(
    short_help="Store the EKG in FILE in a DICOM archive.",
    epilog="Example: gateway ekg store resting.scp --to ARCHIVE@pacs.example.org:11112",
)
@_file
@click.option(
    "--to", "archive", metavar="TITLE@HOST:PORT", required=True, callback=_archive, help="The archive."
)
@click.option("--as", "calling", metavar="TITLE", default="GATEWAY", show_default=True, help="Our own title.")
@_allow_loss
@_started_at
def store(
    file: Path, archive: "Archive", calling: str, allow_loss: bool, started_at: datetime | None
) -> None:
    """Store the EKG in FILE in a DICOM archive, and wait for its answer.

    A DICOM file is sent as it is; another is converted first, as `gateway ekg convert` does. Needs the extra
    dicom-store.
    """
    from gateway.cli.ekg_conversion import as_dicom  # noqa: PLC0415 - NumPy is for commands that need it
    from gateway.transports.dicom_store import store as send  # noqa: PLC0415 - as above

    data, lost = as_dicom(file, started_at, allow_loss=allow_loss)
    _say_losses(lost)
    whole = send(data, archive, calling=calling)
    remark = "" if whole else "; it warns that it altered or dropped elements"
    click.echo(f"{file}: stored by {archive}{remark}")


def _say_losses(losses: "tuple[Loss, ...]") -> None:
    for loss in losses:
        click.echo(f"not kept: {printable(str(loss))}", err=True)


def _measured(recording: EkgRecording) -> "Measurements":
    from gateway.signal import measure_ekg  # noqa: PLC0415 - SciPy takes half a second to load

    try:
        return measure_ekg(recording.samples_mv, recording.sample_rate_hz, recording.leads)
    except ValueError as error:
        raise FormatError(recording.format, "signal", f"cannot be measured: {error}") from error


def _signal(recording: EkgRecording) -> str:
    leads = "1 lead" if len(recording.leads) == 1 else f"{len(recording.leads)} leads"
    return f"{leads} at {recording.sample_rate_hz:g} Hz, {recording.duration_s:g} s"


def _info_rows(recording: EkgRecording) -> Iterator[tuple[str, str]]:
    device = recording.device
    yield "format", f"{recording.format} {recording.format_version}".rstrip()
    yield "device", ", ".join(filter(None, (device.vendor, device.model, device.serial)))
    yield "started", recording.started_at.isoformat(" ") if recording.started_at else "not stated"
    yield "signal", f"{_signal(recording)}: {' '.join(recording.leads)}"
    yield "filters", ", ".join(f"{name} {value}" for name, value in recording.filters.items())
    yield "patient", ", ".join(sorted(recording.patient_fields))
    measurements = recording.device_measurements.items()
    yield "measured", ", ".join(f"{name} {m.value:f} {m.unit}" for name, m in measurements)
    for group in recording.groups:
        yield "group", f"{group.label}: {len(group.leads)} leads, {group.samples_mv.shape[-1]} samples"
    yield from (("statement", text) for text in recording.statements)
    yield from (("warning", text) for text in recording.warnings)


def _signal_rows(recording: EkgRecording, measured: "Measurements") -> Iterator[tuple[str, str]]:
    beats = len(measured.r_peaks.samples)
    yield "format", f"{recording.format} {recording.format_version}".rstrip()
    yield "signal", _signal(recording)
    yield "beats", f"{beats} in lead {measured.r_peaks.lead}" if beats else "none found"
    if "r_peaks" in measured.unmeasured:
        yield "", measured.unmeasured["r_peaks"]
    yield "quality", f"{measured.quality.overall:.2f} of 1"
    for lead, quality in zip(measured.leads, measured.quality.leads, strict=True):
        if quality.flags:
            yield "", f"{lead} {quality.score:.2f}: {', '.join(quality.flags)}"


def _measure_rows(recording: EkgRecording, measured: "Measurements") -> Iterator[tuple[str, str, str, str]]:
    from gateway.signal.measures import NAMED_MEASURES  # noqa: PLC0415 - NumPy is for commands that need it

    for place, name, unit in NAMED_MEASURES:
        value: float | None = attrgetter(place)(measured)
        device = recording.device_measurements.get(name)
        yield (
            _LABELS[name],
            "-" if value is None else f"{value:.0f} {unit}",
            f"{device.value:f} {device.unit}" if device else "",
            measured.unmeasured.get(place, ""),
        )


def _other_rows(recording: EkgRecording) -> Iterator[tuple[str, str]]:
    for name, measurement in recording.device_measurements.items():
        if name not in _LABELS:
            yield "device", f"{name} {measurement.value:f} {measurement.unit}"
    yield from (("device", text) for text in recording.statements)
    yield from (("warning", text) for text in recording.warnings)
