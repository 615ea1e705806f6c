"""What IHE PCD-01 says otherwise than a laboratory's ORU: IEEE 11073 codes, containment, the device's clock.

A clinic's device is a personal health device without VMD and channel: its own OBX has OBX-4 ``1.0.0.0``, what
it measured ``1.0.0.1`` and on. A quantity or unit without an IEEE 11073 code keeps its LOINC or UCUM code; a
device without a specialisation is named by its kind, as a local code.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.hl7.building import Field, SegmentValues
from gateway.hl7.profiles import Profile
from gateway.model import Device, Observation, Reading
from gateway.model.vocabulary import UNITS, ReadingKind, Term

ORDERED = ("182777000", "monitoring of patient", "SCT")
AUTOMATIC = ("AMEAS", "", "MDC")

SPECIALISATIONS: Mapping[ReadingKind, tuple[str, str]] = MappingProxyType(
    {
        "blood-pressure": ("528391", "MDC_DEV_SPEC_PROFILE_BP"),
        "temperature": ("528392", "MDC_DEV_SPEC_PROFILE_TEMP"),
        "pulse-oximetry": ("528388", "MDC_DEV_SPEC_PROFILE_PULS_OXIM"),
        "weight": ("528399", "MDC_DEV_SPEC_PROFILE_SCALE"),
        "glucose": ("528401", "MDC_DEV_SPEC_PROFILE_GLUCOSE"),
        "ekg": ("528390", "MDC_DEV_SPEC_PROFILE_ECG"),
    }
)
TIME_SYNC: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"none": ("532224", "MDC_TIME_SYNC_NONE"), "ntp": ("532226", "MDC_TIME_SYNC_NTPV4")}
)
_SYNC_PROTOCOL = ("68220", "MDC_TIME_SYNC_PROTOCOL", "MDC")
_EUI_64 = re.compile(r"[0-9A-F]{16}")


def device(reading: Reading, profile: Profile) -> list[SegmentValues]:
    """The device, and where its clock was read what it showed (OBX-5) and when that was by ours (OBX-14).

    Before it, where the receiver is to be told, how the gateway's own clock is kept.
    """
    known = SPECIALISATIONS.get(reading.kind)
    code = (*known, "MDC") if known else (reading.kind, reading.kind, "L")
    lines: list[SegmentValues] = []
    if profile.time_sync is not None:
        kept = (*TIME_SYNC[profile.time_sync], "MDC")
        sync: dict[int, Field] = {1: 1, 2: "CWE", 3: _SYNC_PROTOCOL, 4: "0.0.0.1", 5: kept, 11: "R"}
        lines.append(("OBX", sync))
    number = len(lines) + 1
    equipment = _equipment(reading.device)
    lines.append(("OBX", {1: number, 3: code, 4: "1.0.0.0", 11: "X", 18: equipment}))
    if reading.clock_drift is not None and reading.taken_at is not None:
        shown, then = reading.taken_at, reading.taken_at - reading.clock_drift
        clock: dict[int, Field] = {
            1: number + 1,
            2: "DTM",
            3: ("67975", "MDC_ATTR_TIME_ABS", "MDC"),
            4: f"1.0.0.{number}",
            5: profile.time(shown),
            11: "R",
            14: profile.time(then),
        }
        lines.append(("OBX", clock))
    return lines


def code(known: Term | None) -> tuple[str, str, str] | None:
    return (known.mdc, known.mdc_ref or "", "MDC") if known and known.mdc else None


def unit(observation: Observation, known: Term | None) -> tuple[str, str, str] | None:
    """The unit by its code for this quantity: breaths and beats per minute are two."""
    ucum = observation.unit or ""
    found = (known and known.units.get(ucum)) or UNITS.get(ucum)
    return (found.mdc, found.mdc_ref or "", "MDC") if found and found.mdc else None


def flags(reading: Reading, *, has_value: bool) -> str:
    if not has_value:
        return "INV"
    return "QUES" if reading.status == "questionable" else ""


def _equipment(device: Device) -> Field:
    eui_64 = (device.id or "").replace(":", "").replace("-", "").upper()
    if _EUI_64.fullmatch(eui_64):
        return (eui_64, "", eui_64, "EUI-64")
    return instance(device)


def instance(device: Device) -> Field:
    """Serial number or address, then maker and model; these alone where the device states nothing of its own.

    An entity identifier without its first component would be none.
    """
    number, made = device.serial or device.id, " ".join(filter(None, (device.vendor, device.model)))
    return (number, made) if number else made
