"""Above the grid: whose EKG, when and on what, and what was measured and stated, by the machine and by us."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from gateway.drawing.lettering import fitted, width_mm, wrapped
from gateway.drawing.page import Text
from gateway.drawing.paper import Sheet
from gateway.model import EkgRecording, Patient

if TYPE_CHECKING:  # what was measured comes from outside
    from gateway.signal import Measurements

_FIRST_LINE_MM, _LINE_MM = 9.0, 3.3
_LINES = 9  # under a heading
_BODY_MM, _NAME_MM = 2.6, 3.8
_BLACK, _GREY = "#000000", "#505050"
_ABSENT = "–"

# Where each block begins, from the grid's left edge, and how wide it is.
_PATIENT, _MEASURES, _STATEMENTS, _FINDINGS = (0.0, 76.0), (80.0, 66.0), (151.0, 59.0), (214.0, 51.0)
_VALUE_MM, _OURS_MM, _DEVICES_MM = 15.0, 44.0, 65.0

_INTERVALS = (
    ("Rate /min", "heart_rate_bpm", "heart-rate"),
    ("P ms", "intervals_ms.p", "p-duration"),
    ("PR ms", "intervals_ms.pr", "pr-interval"),
    ("QRS ms", "intervals_ms.qrs", "qrs-duration"),
    ("QT ms", "intervals_ms.qt", "qt-interval"),
    ("QTc Bazett ms", "intervals_ms.qtc_bazett", "qtc-bazett"),
    ("QTc Fridericia ms", "intervals_ms.qtc_fridericia", "qtc-fridericia"),
)
_AXES = (("axes_deg.p", "p-axis"), ("axes_deg.qrs", "qrs-axis"), ("axes_deg.t", "t-axis"))
_OWN_QTC = "qtc-interval"  # by a formula that the machine does not name
_TABLE = {name for _, _, name in _INTERVALS} | {name for _, name in _AXES} | {_OWN_QTC}
_ROW_UNITS = ("/min", "ms", "deg")

_PATIENT_ROWS = (("ID", "id"), ("Born", "birth_date"), ("Sex", "sex"), ("Age", "age"))


@dataclass(frozen=True, slots=True, repr=False)
class PatientRows:
    """A patient's name, and what else is said of them by its label."""

    name: str
    rows: tuple[tuple[str, str], ...]


def patient_rows(recording: EkgRecording, filed_under: Patient | None) -> PatientRows:
    """The patient as known, else as the recording names them."""
    fields = recording.patient_fields
    if filed_under is None:
        names = _name(fields.get("family_name"), fields.get("given_name")) or fields.get("name", "")
        return PatientRows(names, tuple((label, fields.get(key, "")) for label, key in _PATIENT_ROWS))
    rows = (
        ("ID", filed_under.id),
        ("Born", filed_under.birth_date),
        ("Sex", filed_under.sex),
        ("ID entered", fields.get("id", "")),
    )
    return PatientRows(_name(filed_under.family_name, filed_under.given_name), rows)


def _name(family: str | None, given: str | None) -> str:
    return ", ".join(filter(None, (family, given)))


def header(
    recording: EkgRecording, measured: "Measurements | None", sheet: Sheet, patient: PatientRows | None
) -> Iterator[Text]:
    """The four blocks above the grid; the patient is left off where None."""
    yield from _patient(recording, sheet, patient)
    yield from _measures(recording, measured, sheet)
    yield from _column("Stated by the device, unconfirmed", _stated(recording), _STATEMENTS, sheet)
    yield from _column("Found by Gateway, for review", _found(measured), _FINDINGS, sheet)


def _line(sheet: Sheet, number: float) -> float:
    return sheet.top - 40 + _FIRST_LINE_MM + number * _LINE_MM


def _patient(recording: EkgRecording, sheet: Sheet, patient: PatientRows | None) -> Iterator[Text]:
    x, room = sheet.left + _PATIENT[0], _PATIENT[1]
    name = patient.name if patient else ""
    absence = "name not in the recording" if patient else "patient not shown"
    size = max(_BODY_MM, min(_NAME_MM, _NAME_MM * room / width_mm(name, _NAME_MM))) if name else _BODY_MM
    names = fitted([name or absence], size, room, most=2)
    for place, text in enumerate(names):
        yield Text(x, _line(sheet, place + 0.2), text, size, _BLACK if name else _GREY, room_mm=room)
    rows = (
        *(patient.rows if patient else ()),
        ("Recorded", _time(recording)),
        ("Device", _device(recording)),
    )
    number: float = len(names) + 0.5
    for label, value in rows:
        if value:
            yield Text(x, _line(sheet, number), label, _BODY_MM, _GREY)
            for text in fitted([value], _BODY_MM, room - _VALUE_MM, most=2):
                yield Text(x + _VALUE_MM, _line(sheet, number), text, _BODY_MM, room_mm=room - _VALUE_MM)
                number += 1


def _time(recording: EkgRecording) -> str:
    at = recording.started_at
    if at is None:
        return "time not in the recording"
    zone = "" if at.tzinfo else " (zone not stated)"
    return at.isoformat(" ", "milliseconds" if at.microsecond else "seconds") + zone


def _device(recording: EkgRecording) -> str:
    device = recording.device
    return " ".join(filter(None, (device.vendor, device.model, device.serial))) or "not in the recording"


def _measures(recording: EkgRecording, measured: "Measurements | None", sheet: Sheet) -> Iterator[Text]:
    x = sheet.left + _MEASURES[0]
    for number, (label, ours, devices) in enumerate(_rows(recording, measured)):
        colour = _GREY if number == 0 else _BLACK
        yield Text(x, _line(sheet, number), label, _BODY_MM, _GREY)
        yield Text(x + _OURS_MM, _line(sheet, number), ours, _BODY_MM, colour, "end")
        yield Text(x + _DEVICES_MM, _line(sheet, number), devices, _BODY_MM, colour, "end")


def _rows(recording: EkgRecording, measured: "Measurements | None") -> Iterator[tuple[str, str, str]]:
    yield "", "Gateway", "Device"
    for label, place, name in _INTERVALS:
        yield label, _ours(measured, place), _devices(recording, name)
    if _OWN_QTC in recording.device_measurements:
        yield "QTc ms, unnamed formula", _ABSENT, _devices(recording, _OWN_QTC)
    ours = " / ".join(_ours(measured, place) for place, _ in _AXES)
    yield "Axis P / QRS / T °", ours, " / ".join(_devices(recording, name) for _, name in _AXES)


def _ours(measured: "Measurements | None", place: str) -> str:
    value: float | None = None if measured is None else attrgetter(place)(measured)
    return _ABSENT if value is None else f"{value:.0f}"


def _devices(recording: EkgRecording, name: str) -> str:
    """As the machine states it; with its unit where that is not the row's."""
    found = recording.device_measurements.get(name)
    if found is None:
        return _ABSENT
    return f"{found.value:f}" + ("" if found.unit in _ROW_UNITS else f" {found.unit}")


def _stated(recording: EkgRecording) -> list[str]:
    others = [
        f"{name} {m.value:f} {m.unit}"
        for name, m in recording.device_measurements.items()
        if name not in _TABLE
    ]
    return [*recording.statements, *others] or ["nothing"]


def _found(measured: "Measurements | None") -> list[str]:
    """With their evidence where there is room for it."""
    if measured is None:
        return ["not analysed"]
    findings = measured.rhythm.findings
    whole = [f"{finding.text} ({finding.evidence})" for finding in findings]
    lines = sum(len(wrapped(text, _BODY_MM, _FINDINGS[1])) for text in whole)
    return (whole if lines <= _LINES else [finding.text for finding in findings]) or ["nothing"]


def _column(heading: str, texts: Sequence[str], block: tuple[float, float], sheet: Sheet) -> Iterator[Text]:
    x, room = sheet.left + block[0], block[1]
    yield Text(x, _line(sheet, 0), heading, _BODY_MM, _GREY)
    for number, text in enumerate(fitted(texts, _BODY_MM, room, _LINES), 1):
        yield Text(x, _line(sheet, number), text, _BODY_MM, room_mm=room)
