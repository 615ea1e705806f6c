"""SCP-ECG's sections 1, 7 and 8: who and when, the cart's measurements, and its statements (EN 1064)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from gateway.formats.measures import date_of, device, measurements, moment_of, present
from gateway.formats.view import View
from gateway.model.ekg import DeviceMeasurement
from gateway.model.reading import Device

_ENDED = 255
AGE_UNITS = {1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h"}
HEIGHT_UNITS = {1: "cm", 2: "[in_i]", 3: "mm"}
WEIGHT_UNITS = {1: "kg", 2: "g", 3: "[lb_av]", 4: "[oz_av]"}
_SEX = {1: "male", 2: "female"}
_MAINS = ((1, "60"), (2, "50"))
_UNKNOWN_ZONE = 0x7FFF


@dataclass(frozen=True, slots=True)
class About:
    """What section 1 says."""

    started_at: datetime | None = None
    device: Device = field(default_factory=Device)
    filters: Mapping[str, str] = field(default_factory=dict)
    patient_fields: Mapping[str, str] = field(default_factory=dict)


def read_about(view: View) -> About:
    """Section 1: tag, length, value, until tag 255."""
    tags = dict(_tags(view))
    return About(
        _started(tags),
        _device(tags[14]) if 14 in tags else Device(),
        _filters(tags),
        present({name: read(tags[tag]) for tag, (name, read) in _PATIENT.items() if tag in tags}),
    )


def _tags(view: View) -> Iterator[tuple[int, View]]:
    at = 0
    while at + 3 <= len(view) and (tag := view.u8(at)) != _ENDED:
        length = view.u16(at + 1)
        if length:
            yield tag, view.part(at + 3, length, f"section 1, tag {tag}")
        at += 3 + length


def _text(view: View) -> str:
    return view.text(0, len(view))


def _date(view: View) -> str | None:
    return date_of(*view.unpack("HBB", 0))


def _quantity(units: Mapping[int, str]) -> Callable[[View], str | None]:
    def read(view: View) -> str | None:
        value, unit = view.unpack("HB", 0)
        return f"{value} {units[unit]}" if value and unit in units else None

    return read


_PATIENT: dict[int, tuple[str, Callable[[View], str | None]]] = {
    2: ("id", _text),
    0: ("family_name", _text),
    1: ("given_name", _text),
    3: ("second_family_name", _text),
    5: ("birth_date", _date),
    8: ("sex", lambda view: _SEX.get(view.u8(0))),
    4: ("age", _quantity(AGE_UNITS)),
    6: ("height", _quantity(HEIGHT_UNITS)),
    7: ("weight", _quantity(WEIGHT_UNITS)),
}


def _started(tags: Mapping[int, View]) -> datetime | None:
    if 25 not in tags:
        return None
    time = tags[26].unpack("BBB", 0) if 26 in tags else (0, 0, 0)
    moment = moment_of(*tags[25].unpack("HBB", 0), *time)
    if moment is None or 34 not in tags:
        return moment
    minutes = tags[34].i16(0)
    if minutes == _UNKNOWN_ZONE or abs(minutes) >= 24 * 60:
        return moment
    return moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))


def _device(view: View) -> Device:
    """Tag 14. The five texts stand behind a fixed part that some writers shorten."""
    model = view.text(8, min(6, max(0, len(view) - 8)))
    texts = [part.decode("latin-1") for part in view.data[36:].split(b"\0")]
    _, serial, _, _, vendor = [*texts, "", "", "", "", ""][:5]
    return device(vendor=vendor, model=model, serial=serial)


def _filters(tags: Mapping[int, View]) -> dict[str, str]:
    found = {}
    if 27 in tags and (hundredths := tags[27].u16(0)):
        found["high_pass_hz"] = f"{hundredths / 100:g}"
    if 28 in tags and (low_pass := tags[28].u16(0)):
        found["low_pass_hz"] = str(low_pass)
    if 29 in tags:
        notches = [hz for bit, hz in _MAINS if tags[29].u8(0) & bit]
        if len(notches) == 1:
            found["mains_hz"] = notches[0]
    return found


def global_measurements(view: View) -> dict[str, DeviceMeasurement]:
    """Section 7: of the first reference beat that has a QRS, and of the whole recording."""
    beats, spikes, rr_ms = view.unpack("BBH", 0)
    rows = (view.unpack("5H3h", 6 + 16 * n) for n in range(beats))
    found = measurements([("rr-interval", rr_ms, "ms")])
    for p_on, p_off, qrs_on, qrs_off, t_off, p_axis, qrs_axis, t_axis in rows:
        if not _there(qrs_on) or not _there(qrs_off):
            continue
        found |= measurements(
            (
                ("p-duration", _span(p_on, p_off), "ms"),
                ("pr-interval", _span(p_on, qrs_on), "ms"),
                ("qrs-duration", _span(qrs_on, qrs_off), "ms"),
                ("qt-interval", _span(qrs_on, t_off), "ms"),
                ("p-axis", _axis(p_axis), "deg"),
                ("qrs-axis", _axis(qrs_axis), "deg"),
                ("t-axis", _axis(t_axis), "deg"),
            )
        )
        break
    at = 6 + 16 * beats + 10 * spikes
    if len(view) < at + 2 or len(view) < (at := at + 2 + view.u16(at)) + 6:
        return found
    rate, _, qtc_ms = view.unpack("HHH", at)
    return found | measurements((("heart-rate", rate, "/min"), ("qtc-interval", qtc_ms, "ms")))


def _there(ms: int) -> bool:
    return 0 < ms < 19999


def _span(start: int, end: int) -> int | None:
    return end - start if start < end < 19999 and _there(end) else None


def _axis(degrees: int) -> int | None:
    return degrees if -360 < degrees <= 360 else None


def statements(view: View) -> tuple[str, ...]:
    """Section 8: the report's texts, in their order."""
    at, texts = 9, []
    for _ in range(view.u8(8)):
        length = view.u16(at + 1)
        texts.append(view.text(at + 3, length))
        at += 3 + length
    return tuple(filter(None, texts))
