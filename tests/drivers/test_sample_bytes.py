"""Every documented frame decodes to exactly what its document, or its device, says."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from gateway.drivers import load
from gateway.model.serialised import reading_json
from gateway.testing import Outcome, decode

Sample = Mapping[str, Any]

# Characteristics that carry no measurement, and replies that only identify: checked where they are decoded.
_NOT_READINGS = {
    *("233BF001-5A34-1B6D-975C-000D5690ABE4",),
    *("FB005C81-02E7-F387-1CAD-8ACD2D8DF0C8", "FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8"),
    *("2A08", "2A19", "2A1D", "2A1E", "2A21", "2A34", "2A36", "2A38", "2A49", "2A51", "2A52"),
    *("2A60", "2A9B", "2A9E", "2A9F"),
}
# Listed with what their bytes hold, which is no value: a counter that is full, the time of a clock that says
# it was never set.
_NO_VALUES = {"0E63FFFF", "1761006000E10701010122132000200000"}
_NOT_MEASURED = {"cuff-pressure", "record-count", "user", "present"}
_NOT_VALUES = {"taken_at", "patient-id", "mode", "site", "method", "user-1", "user-2"}

DRIVERS = (
    "and-ble",
    "and-bp-serial",
    "and-scale",
    "beurer-bm65",
    "contec-08a",
    "detecto",
    "dinamap",
    "gatt-blood-pressure",
    "gatt-body-composition",
    "gatt-glucose",
    "gatt-heart-rate",
    "gatt-pulse-oximeter",
    "gatt-thermometer",
    "gatt-weight-scale",
    "health-o-meter",
    "masimo-serial",
    "mt-sics",
    "nibp-par",
    "nonin-3230",
    "nonin-serial",
    "omron-hbp",
    "rice-lake",
    "suntech",
    "suretemp",
    "tanita-serial",
    "usb-hid-scale",
    "visomat",
)


def payload(sample: Sample) -> bytes:
    return bytes.fromhex(sample["hex"]) if "hex" in sample else str(sample["text"]).encode("latin-1")


def differences(sample: Sample, outcome: Outcome) -> Iterator[str]:
    if "expect_error" in sample or "fault" in sample:
        yield from () if outcome.errors else ("no fault",)
        offset = sample.get("error_offset")
        if offset is not None and outcome.errors and outcome.errors[0].offset != offset:
            yield f"offset {outcome.errors[0].offset}, expected {offset}"
        yield from (f"{reading} came" for reading in outcome.readings)
        return
    if outcome.errors:
        yield f"faults {outcome.errors}"
    if not measures(sample):
        yield from (f"{reading} came" for reading in outcome.readings)
        return
    if len(outcome.readings) != 1:
        yield f"{len(outcome.readings)} readings"
        return
    yield from reading_differences(sample, reading_json(outcome.readings[0]))


def measures(sample: Sample) -> bool:
    """Whether the frame is a measurement, done or failed, and not progress or an answer."""
    return "rejected" in sample or bool(set(sample.get("expect", {})) - _NOT_MEASURED)


def reading_differences(sample: Sample, reading: Mapping[str, Any]) -> Iterator[str]:
    values = {o["name"]: o["value"] for o in reading["observations"]}
    units = {o["name"]: o["unit"] for o in reading["observations"]}
    if "rejected" in sample:
        if (reading["status"], values) != ("rejected", {}):
            yield f"{reading['status']} with {values}, expected a rejected reading without values"
        if not reading["notes"]:
            yield "rejected without a reason"
        return
    status = "questionable" if "questionable" in {*sample, *sample.get("name", "").split()} else "final"
    if reading["status"] != status:
        yield f"status {reading['status']}, expected {status}"
    taken_at = sample["expect"].get("taken_at", sample.get("expect_time"))
    expected = {name: value for name, value in sample["expect"].items() if name not in _NOT_VALUES}
    if values != expected:
        yield f"values {values}, expected {expected}"
    if units != sample["expect_units"]:
        yield f"units {units}, expected {sample['expect_units']}"
    if taken_at is not None and datetime.fromisoformat(taken_at).isoformat() != reading["taken_at"]:
        yield f"taken at {reading['taken_at']}, expected {taken_at}"
    if {"expect_time_unknown", "expect_time_invalid"} & set(sample) and reading["taken_at"] is not None:
        yield f"taken at {reading['taken_at']}, which the device does not say"


@pytest.mark.parametrize("driver_id", DRIVERS)
def test_every_documented_frame_decodes_to_what_its_document_says(
    driver_id: str, sample_bytes: tuple[dict[str, Any], ...]
) -> None:
    mine = [
        sample
        for sample in sample_bytes
        if sample["driver"] == driver_id
        and sample.get("dir") != ">"
        and sample.get("characteristic") not in _NOT_READINGS
        and "serial" not in sample.get("expect", {})
        and "hexes" not in sample
        and sample.get("hex") not in _NO_VALUES
    ]
    assert mine
    wrong = {}
    for sample in mine:
        channel = sample.get("characteristic", "")
        outcome = decode(load(driver_id), payload(sample), channel=channel)
        if found := list(differences(sample, outcome)):
            wrong[str(payload(sample))] = found
    assert wrong == {}
