"""What a machine measured and whom, by the project's names.

A code that stands for "not computed" never becomes a number, and an absent value never a field.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from gateway.formats.scale import number
from gateway.model.ekg import DeviceMeasurement
from gateway.model.reading import Device

_UNITS = {
    "bpm": "/min", "bmp": "/min", "1/min": "/min", "{beats}/min": "/min", "{h.b.}/min": "/min",
    "ms": "ms", "s": "s", "us": "us", "deg": "deg", "degree": "deg", "degrees": "deg", "mv": "mV", "uv": "uV",
}  # fmt: skip
_NOT_COMPUTED = {Decimal(code) for code in (29999, 29998, 19999, 32767, -32768)}
_NOTHING = {"", "unknown", "unspecified", "n/a", "none", "null", "-", "x"}
_SEX = {
    "m": "male", "male": "male", "1": "male", "mann": "male", "maschile": "male",
    "f": "female", "female": "female", "2": "female", "frau": "female", "femminile": "female",
}  # fmt: skip
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.(\d+))?)?)?([+-]\d{4})?")


def ucum(unit: str) -> str:
    """The UCUM code of a unit as files spell it; as it is where it is none of those known."""
    return _UNITS.get(unit.strip().lower(), unit.strip())


def measured(name: str, value: str | Decimal | int | None, unit: str) -> dict[str, DeviceMeasurement]:
    """One entry for `device_measurements`, or none where the machine did not compute the value.

    Zero is a value of an angle only: no wave lasts 0 ms, and no rate is 0.
    """
    decimal = number(str(value)) if value is not None else None
    if decimal is None or decimal in _NOT_COMPUTED or (decimal == 0 and unit != "deg"):
        return {}
    return {name: DeviceMeasurement(decimal, unit)}


def measurements(
    values: Iterable[tuple[str, str | Decimal | int | None, str]],
) -> dict[str, DeviceMeasurement]:
    """`device_measurements` from (name, value, unit)."""
    found: dict[str, DeviceMeasurement] = {}
    for name, value, unit in values:
        found |= measured(name, value, unit)
    return found


def present(fields: Mapping[str, str | None]) -> dict[str, str]:
    """The fields that hold something: not empty, and not a word for "not known"."""
    cleaned = {name: " ".join((value or "").replace("\0", " ").split()) for name, value in fields.items()}
    return {name: value for name, value in cleaned.items() if value.lower() not in _NOTHING}


def device(vendor: str | None = None, model: str | None = None, serial: str | None = None) -> Device:
    """A device of the texts that a file gives; words for "not known" and unprintable ones are left out."""
    texts = {"vendor": vendor, "model": model, "serial": serial}
    return Device(**{name: text for name, text in present(texts).items() if text.isprintable()})


def without_patient(statements: Iterable[str], fields: Mapping[str, str]) -> tuple[str, ...]:
    """The statements that do not name the patient: some machines print the report's heading among them."""
    names = [value.lower() for name, value in fields.items() if "name" in name or name == "id"]
    return tuple(one for one in statements if not any(name in one.lower() for name in names if len(name) > 2))


def sex(text: str | None) -> str | None:
    """``male`` or ``female``; None for every other code."""
    return _SEX.get((text or "").strip().lower())


def date_of(year: int, month: int, day: int) -> str | None:
    """ISO date; None where the numbers are no date."""
    moment = moment_of(year, month, day)
    return moment.date().isoformat() if moment else None


def moment_of(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0
) -> datetime | None:
    """A time without a zone; None where the numbers are no time of a calendar."""
    try:
        return datetime.fromisoformat(
            f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}"
        )
    except ValueError:
        return None


def iso_time(text: str) -> datetime | None:
    """An ISO 8601 time, with a zone where it states one, set apart or not; None where it is none."""
    try:
        return datetime.fromisoformat(text.strip().replace(" +", "+").replace(" -", "-"))
    except ValueError:
        return None


def hl7_time(text: str | None) -> datetime | None:
    """An HL7 time stamp of 8 to 17 digits, with a zone where it states one; None where it is none."""
    match = _STAMP.fullmatch((text or "").strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups(default="")
    moment = moment_of(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
        int(fraction[:6].ljust(6, "0")),
    )  # fmt: skip
    if moment is None or not zone:
        return moment
    offset = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))
    return moment.replace(tzinfo=timezone(offset)) if abs(offset) < timedelta(hours=24) else None
