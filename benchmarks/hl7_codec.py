"""HL7 side by side with python-hl7 and hl7apy: a vital signs message and a waveform, built and parsed."""

import importlib
import time
import warnings
from collections.abc import Callable
from typing import Any

from gateway.hl7 import parse
from gateway.hl7.building import Field, SegmentValues, build, numeric_array

# Neither library is typed.
python_hl7: Any = importlib.import_module("hl7")
hl7apy_core: Any = importlib.import_module("hl7apy.core")
hl7apy_parser: Any = importlib.import_module("hl7apy.parser")

_OBSERVATIONS = 10
_CHANNELS, _SAMPLES = 12, 5000
_CODE = ("8480-6", "Systolic blood pressure", "LN")
_UNIT = ("mm[Hg]", "millimeter of mercury", "UCUM")
_AT = "20260302091405-0500"


def _segments() -> list[SegmentValues]:
    segments: list[SegmentValues] = [
        (
            "MSH",
            {
                3: "GATEWAY",
                4: "EXAM",
                5: "EHR",
                6: "NORTHCLINIC",
                7: _AT,
                9: ("ORU", "R01", "ORU_R01"),
                10: "G7-000001",
                11: "P",
                12: "2.5.1",
                18: "UNICODE UTF-8",
            },
        ),
        (
            "PID",
            {1: 1, 3: ("8834021", "", "", "NORTH", "MR"), 5: ("TESTPATIENT", "ALMA"), 7: "19610417", 8: "F"},
        ),
        (
            "PV1",
            {1: 1, 2: "O", 3: ("FAMMED", "EXAM3", "", "NORTH"), 19: ("V00991822", "", "", "NORTH", "VN")},
        ),
        (
            "OBR",
            {1: 1, 3: ("G7-R-000001", "GATEWAY"), 4: ("85353-1", "Vital signs panel", "LN"), 7: _AT, 25: "F"},
        ),
    ]
    device = ("5171100234", "A&D UA-651BLE")
    for n in range(1, _OBSERVATIONS + 1):
        fields: dict[int, Field] = {
            1: n,
            2: "NM",
            3: _CODE,
            5: str(110 + n),
            6: _UNIT,
            11: "F",
            14: _AT,
            18: device,
        }
        segments.append(("OBX", fields))
    return segments


_MESSAGE = tuple(_segments())


def _ours() -> str:
    return parse(build(_MESSAGE)).get("OBX[2]-5")


def _python_hl7() -> str:
    factory = python_hl7.Message("\r", ["MSH", "|", "^~\\&"])
    lines = []
    for name, fields in _MESSAGE:
        texts = [""] * (max(fields) + 1)
        for number, value in fields.items():
            parts = value if isinstance(value, tuple) else (value,)
            texts[number] = "^".join(factory.escape(str(part)) for part in parts)
        lines.append("|".join([name, "^~\\&", *texts[3:]] if name == "MSH" else [name, *texts[1:]]))
    return str(python_hl7.parse("\r".join(lines) + "\r").segments("OBX")[1][5])


def _hl7apy() -> str:
    message = hl7apy_core.Message("ORU_R01", version="2.5.1")
    group = message.add_group("ORU_R01_PATIENT_RESULT")
    order = group.add_group("ORU_R01_ORDER_OBSERVATION")
    parents = {
        "MSH": lambda: message.msh,
        "PID": lambda: group.add_group("ORU_R01_PATIENT").add_segment("PID"),
        "PV1": lambda: group.oru_r01_patient.add_group("ORU_R01_VISIT").add_segment("PV1"),
        "OBR": lambda: order.add_segment("OBR"),
        "OBX": lambda: order.add_group("ORU_R01_OBSERVATION").add_segment("OBX"),
    }
    for name, fields in _MESSAGE:
        segment = parents[name]()
        for number, value in fields.items():
            parts = value if isinstance(value, tuple) else (value,)
            text = "^".join(map(str, parts)).replace("&", "\\T\\")
            setattr(segment, f"{name}_{number}".lower(), text)
    parsed = hl7apy_parser.parse_message(message.to_er7(), find_groups=False)
    return str(parsed.obx[1].obx_5.value)


def _waveform(channels: list[list[int]]) -> str:
    data = build([("MSH", {9: ("ORU", "R01")}), ("OBX", {1: 1, 2: "NA", 5: numeric_array(channels)})])
    return parse(data).get(f"OBX-5[{_CHANNELS}].{_SAMPLES}")


def _joined(channels: list[list[int]]) -> str:
    return "~".join(["^".join(map(str, channel)) for channel in channels])


def _seconds(work: Callable[[], object], *, rounds: int) -> float:
    """Of one call, the best of five series."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(rounds):
            work()
        best = min(best, (time.perf_counter() - start) / rounds)
    return best


def main() -> None:
    assert _ours() == _python_hl7() == _hl7apy() == "112"
    ours = _seconds(_ours, rounds=1000)
    print(f"  {_OBSERVATIONS}-observation ORU built, parsed, one value read: {1 / ours:.0f}/s")
    print(f"    {_seconds(_python_hl7, rounds=50) / ours:.1f} times the rate of python-hl7")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(f"    {_seconds(_hl7apy, rounds=2) / ours:.0f} times the rate of hl7apy")
    channels = [[(37 * n + 11 * c) % 6000 - 3000 for n in range(_SAMPLES)] for c in range(_CHANNELS)]
    joined = _seconds(lambda: _joined(channels), rounds=5)
    waveform = _seconds(lambda: _waveform(channels), rounds=5)
    print(f"  {_CHANNELS} x {_SAMPLES} waveform built, parsed, one sample read: {waveform * 1000:.1f} ms")
    print(f"    {waveform / joined:.2f} times the time of joining the numbers")


if __name__ == "__main__":
    main()
