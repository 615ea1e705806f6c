"""From a recording to what a message can hold of it: counts, statements, documents."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.errors import FormatError
from gateway.hl7.ekg_results import EkgDocument, EkgParts, LeadCounts
from gateway.hl7.profiles import EkgForm
from gateway.model import EkgRecording, Patient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def parts_of(recording: EkgRecording, wanted: Collection[EkgForm], patient: Patient) -> EkgParts:
    """The parts that are wanted, each without loss.

    Takes up to some hundreds of milliseconds of CPU: not for the event loop.

    Parameters
    ----------
    recording : EkgRecording
        Whatever patient its file names is left out.
    wanted : collection of str
    patient : Patient
        Whose the EKG is.
    """
    recording = replace(recording, patient_fields={})
    documents: dict[EkgDocument, bytes] = {}
    missing: dict[EkgForm, str] = {}
    for form, write in _WRITERS.items():
        if form in wanted:
            try:
                documents[form] = write(recording, patient)
            except (FormatError, ValueError) as error:
                missing[form] = f"no {form} of the EKG: {error}"
    return EkgParts(
        statements=recording.statements,
        leads=_leads(recording) if "waveform" in wanted else (),
        sample_rate_hz=Decimal(str(recording.sample_rate_hz)),
        documents=documents,
        missing=missing,
    )


def withdrawn_parts(recording: EkgRecording, wanted: Collection[EkgForm]) -> EkgParts:
    """The same parts where they are to be taken back: which there are, without drawing or writing any."""
    documents: dict[EkgDocument, bytes] = {form: b"" for form in _WRITERS if form in wanted}
    return EkgParts(
        statements=recording.statements,
        leads=tuple(LeadCounts(name, (), Decimal(1)) for name in recording.leads),
        documents=documents,
    )


def _leads(recording: EkgRecording) -> tuple[LeadCounts, ...]:
    return tuple(
        _counts(name, samples) for name, samples in zip(recording.leads, recording.samples_mv, strict=True)
    )


def _counts(name: str, samples_mv: "NDArray[np.float64]") -> LeadCounts:
    import numpy as np  # noqa: PLC0415 - readings of scales and cuffs should not wait for NumPy

    from gateway.formats.resolution import PV_MV, counts_of, lsb_mv  # noqa: PLC0415 - as above

    is_there = np.isfinite(samples_mv)
    resolution = lsb_mv(samples_mv) or PV_MV
    counts = counts_of(samples_mv, resolution)
    texts: list[int | str] = [
        int(count) if there else "" for count, there in zip(counts.tolist(), is_there.tolist(), strict=True)
    ]
    return LeadCounts(name, texts, resolution.normalize())


def _aecg(recording: EkgRecording, _patient: Patient) -> bytes:
    from gateway.formats.conversion import encode  # noqa: PLC0415 - as above

    return encode(recording, "ekg.xml")["ekg.xml"]


def _pdf(recording: EkgRecording, patient: Patient) -> bytes:
    from gateway.drawing import draw_pages  # noqa: PLC0415 - as above
    from gateway.drawing.pdf import pdf  # noqa: PLC0415 - as above
    from gateway.signal import measure_ekg  # noqa: PLC0415 - as above

    measured = measure_ekg(recording.samples_mv, recording.sample_rate_hz, recording.leads)
    return pdf(draw_pages(recording, measured, filed_under=patient))


_WRITERS: Mapping[EkgDocument, Callable[[EkgRecording, Patient], bytes]] = MappingProxyType(
    {"aecg": _aecg, "pdf": _pdf}
)
