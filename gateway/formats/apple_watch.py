"""The CSV of Apple Health's EKGs: label and value lines, then one value a line.

Labels and the decimal sign follow the phone's language and region, so lines are known by their values: the
rate by its hertz, the lead by the unit that stands below it.
"""

import re

import numpy as np

from gateway.formats.leads import lead_name
from gateway.formats.markup import head_text
from gateway.formats.measures import device, iso_time, present
from gateway.formats.scale import mv_per, positive
from gateway.formats.view import View
from gateway.model.ekg import EkgRecording

FORMAT = "Apple Watch CSV"
_RATE = re.compile(r'^[^,\n]+,\s*"?(\d{2,4}(?:[.,]\d+)?)\s*(?:hz|hertz)"?\s*$', re.IGNORECASE | re.MULTILINE)
_UNIT = re.compile(r"^[^,\n]+,\s*(µV|μV|mV)\s*$", re.MULTILINE)
_TIME = re.compile(r"^[^,\n]+,\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\s*$", re.MULTILINE)
_LEAD = re.compile(r"^[^,\n]+,\s*(?:[^,\n]*\s)?([IVavfrlR1-6]+)\s*\r?\n[^,\n]+,\s*(?:µV|μV|mV)", re.MULTILINE)
_WATCH = re.compile(r'"(Watch\d+,\d+)"')
_VALUES = re.compile(r"\s*+-?\d++(?:[.,]\d++)?+(?:\s++-?\d++(?:[.,]\d++)?+)*+\s*+")
_NAME_LINE, _CLASS_LINE = 0, 3


def matches(data: bytes) -> bool:
    """True where the first lines give a rate in hertz and a unit of voltage."""
    head = _head(data)
    return bool(_RATE.search(head) and _UNIT.search(head))


def _head(data: bytes) -> str:
    return data[:2048].decode("utf-8", "replace").removeprefix("\ufeff") if head_text(data, 16) else ""


def read(data: bytes) -> EkgRecording:
    """The recording in one export.

    Raises
    ------
    FormatError
    """
    view = View(data, FORMAT, "header")
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    rate_line, unit_line = _RATE.search(text), _UNIT.search(text)
    rate = positive(rate_line[1].replace(",", ".")) if rate_line else None
    unit_mv = mv_per(unit_line[1]) if unit_line else None
    if unit_line is None or rate is None or unit_mv is None:
        raise view.error("no rate in hertz, or no unit of voltage")
    body = text[unit_line.end() :]
    if _VALUES.fullmatch(body) is None or ("," in body and "." in body):
        raise View(data, FORMAT, "values").error("a line that is no number")
    values = np.array(list(map(float, body.replace(",", ".").split())))
    header = text[: unit_line.start()].split("\n")
    lead, started, watch = _LEAD.search(text), _TIME.search(text), _WATCH.search(text[: unit_line.start()])
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=(lead_name(lead[1]) if lead else "lead 1",),
        samples_mv=(values * float(unit_mv))[None, :],
        sample_rate_hz=float(rate),
        started_at=iso_time(started[1]) if started else None,
        device=device(model=watch[1]) if watch else device(),
        patient_fields=present({"name": _field(header, _NAME_LINE)}),
        statements=tuple(filter(None, [_field(header, _CLASS_LINE)])),
    )


def _field(header: list[str], n: int) -> str:
    return header[n].partition(",")[2].strip() if n < len(header) else ""
