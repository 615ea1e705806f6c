"""What a clinic can rely on from personal health devices."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.codecs.phd import apdus
from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.mder import encode_block, u16, u32
from gateway.codecs.phd.observations import Observation, Value
from gateway.drivers import ClockRead, Events, Fault, Identified, Measured, Progress, Send, load
from gateway.drivers.phd_readings import _MEANINGS, _UNIT_OF_CODE, EMITS, readings_of
from gateway.drivers.phdc import Frames, Session
from gateway.model import Device, Reading
from gateway.model.serialised import reading_json
from gateway.model.vocabulary import TERMS, UNITS
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_SYSTEM_ID = "1122334455667707"
_STAMP = bytes.fromhex("2026030209080000")


def associate(configuration_id: int) -> bytes:
    return bytes.fromhex(
        "e200003280000000 0001002a50790026 80000000a0008000 0000400000000080"
        f"00000008{_SYSTEM_ID}{configuration_id:04x}848001010000 0000"
    )


def event(event_type: int, info: bytes, *, handle: int = 0, confirmed: bool = True) -> bytes:
    choice = apdus.CONFIRMED_EVENT if confirmed else apdus.EVENT
    return apdus.encode_data(7, choice, u16(handle) + u32(0xFFFFFFFF) + u16(event_type) + encode_block(info))


def listed(*items: bytes) -> bytes:
    return u16(len(items)) + encode_block(b"".join(items))


def attribute(number: int, value: bytes) -> bytes:
    return u16(number) + encode_block(value)


def numeric(handle: int, code: int, unit: int, *more: bytes) -> bytes:
    kind, said = u16(n.NUMERIC), attribute(n.TYPE, u16(n.SCADA) + u16(code))
    return kind + u16(handle) + listed(said, attribute(n.UNIT, u16(unit)), *more)


def configuration(*objects: bytes) -> bytes:
    return event(n.CONFIGURATION_EVENT, u16(0x4000) + listed(*objects))


def report(handle: int, *attributes: bytes, confirmed: bool = True) -> bytes:
    entry = u16(handle) + listed(*attributes)
    return event(0x0D1E, u16(0xF000) + u16(0) + listed(entry), confirmed=confirmed)


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def frames(*messages: bytes) -> Events:
    session = Frames()
    return tuple(event for message in messages for event in session.received(message, "0x81", _AT))


def live(*messages: bytes) -> Events:
    session = Session("measure")
    return tuple(event for message in messages for event in session.received(message, "0x81", _AT))


THERMOMETER = configuration(numeric(1, n.TEMPERATURE, n.CELSIUS))


@pytest.mark.parametrize(
    ("form", "value"),
    [
        *((n.BASIC_VALUE, special) for special in ("07FF", "0800", "07FE", "0802", "0801")),
        *(
            (n.SIMPLE_VALUE, special)
            for special in ("007FFFFF", "00800000", "007FFFFE", "00800002", "00800001")
        ),
    ],
)
def test_a_special_value_is_rejected_without_a_number(form: int, value: str) -> None:
    (reading,) = readings(frames(THERMOMETER, report(1, attribute(form, bytes.fromhex(value)))))
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes


@pytest.mark.parametrize("bit", range(16))
def test_each_status_bit_is_heeded(bit: int) -> None:
    said = report(1, attribute(n.BASIC_VALUE, u16(37)), attribute(n.MEASUREMENT_STATUS, u16(1 << bit)))
    (reading,) = readings(frames(THERMOMETER, said))
    statuses = dict.fromkeys((15, 13, 11, 10), "rejected") | dict.fromkeys((14, 12, 6, 5), "questionable")
    assert reading.status == statuses.get(bit, "final")
    assert bool(reading.observations) == (reading.status != "rejected")
    assert bool(reading.notes) == (bit != 7)


@pytest.mark.parametrize("code", [0, 0x0220, 0x0F20, 0x17A1, 0xFFFF])
def test_a_unit_that_does_not_fit_is_a_fault_and_no_reading(code: int) -> None:
    said = report(1, attribute(n.UNIT, u16(code)), attribute(n.BASIC_VALUE, u16(37)))
    events = frames(THERMOMETER, said)
    assert readings(events) == []
    assert [event.code for event in events if isinstance(event, Fault)] == ["unit"]


def test_every_code_and_unit_means_what_the_vocabulary_says() -> None:
    by_code = {term.mdc: term.name for term in TERMS if term.mdc}
    for code, meanings in _MEANINGS.items():
        name = by_code.get(str(n.SCADA << 16 | code), "glucose")
        assert name in {meaning.name for meaning in meanings}, hex(code)
    for code, unit in _UNIT_OF_CODE.items():
        assert UNITS[unit].mdc == str(4 << 16 | code)
    assert {unit for units in EMITS.values() for unit in units} <= set(_UNIT_OF_CODE.values())


def test_a_failed_saturation_leaves_the_pulse_and_a_failed_cuff_nothing() -> None:
    oximeter = associate(0x0190)
    entries = (u16(1) + encode_block(u16(0x7FF)), u16(10) + encode_block(u16(72)))
    said = event(0x0D1D, u16(0xF000) + u16(0) + listed(*entries))
    failed, pulse = readings(frames(oximeter, said))
    assert (failed.status, failed.notes[0][:11]) == ("rejected", "spo2 is NaN")
    assert [(o.name, str(o.value)) for o in pulse.observations] == [("pulse-rate", "72")]
    pressures = u16(3) + encode_block(u16(0x7FF) * 3) + _STAMP
    entries = (u16(1) + encode_block(pressures), u16(2) + encode_block(u16(72) + _STAMP))
    (cuff,) = readings(frames(associate(0x02BC), event(0x0D1D, u16(0xF000) + u16(0) + listed(*entries))))
    assert (cuff.status, cuff.observations) == ("rejected", ())


def test_a_reading_is_on_disk_before_the_device_is_told() -> None:
    events = live(associate(0x0320), report(1, attribute(n.BASIC_VALUE, u16(37))))
    kinds = [type(event) for event in events if isinstance(event, Measured | Send)]
    assert kinds == [Send, Send, Measured, Send]


def test_persons_and_times_are_not_mixed() -> None:
    scale = configuration(numeric(1, n.WEIGHT, n.KILOGRAM), numeric(2, 0xE14C, n.PERCENT))

    def entry(handle: int, value: int, stamp: bytes = _STAMP) -> bytes:
        return u16(handle) + listed(attribute(n.BASIC_VALUE, u16(value)), attribute(n.TIME_STAMP, stamp))

    earlier = bytes.fromhex("2026030107300000")
    persons = (
        u16(1) + listed(entry(1, 72), entry(2, 25), entry(1, 71, earlier)),
        u16(2) + listed(entry(1, 64)),
    )
    said = readings(frames(scale, event(0x0D20, u16(0xF000) + u16(0) + listed(*persons))))
    values = [[str(o.value) for o in reading.observations] for reading in said]
    assert values == [["72", "25"], ["71"], ["64"]]
    assert [reading.notes[0] for reading in said] == [
        "person 1 of the device",
        "person 1 of the device",
        "person 2 of the device",
    ]


def test_a_relative_stamp_is_counted_back_from_what_the_clock_showed() -> None:
    told = attribute(n.RELATIVE_TIME, u32(80_000))
    description = apdus.encode_data(1, apdus.GET_ANSWER, u16(0) + listed(told))
    said = report(1, attribute(n.BASIC_VALUE, u16(37)), attribute(n.TIME_STAMP_RELATIVE, u32(16_000)))
    (reading,) = readings(frames(THERMOMETER, description, said))
    assert (reading.taken_at, reading.time_source) == (_AT - timedelta(seconds=8), "gateway")


@pytest.mark.parametrize(
    ("is_stored", "taken_at"), [(True, None), (False, None), (True, _AT.replace(tzinfo=None))]
)
def test_a_stored_observation_without_a_time_waits_for_a_person(
    is_stored: bool, taken_at: datetime | None
) -> None:
    value = Value((n.SCADA, n.TEMPERATURE), Decimal("36.6"), n.CELSIUS, 0)
    ((reading,), _) = readings_of((Observation((value,), is_stored=is_stored, taken_at=taken_at),), _AT, None)
    assert (reading.doubt is not None) == (is_stored and taken_at is None)


def test_what_a_device_has_and_nobody_reads_is_said_once() -> None:
    enumeration = u16(n.ENUMERATION) + u16(2) + listed(attribute(n.TYPE, u16(n.SCADA) + u16(19512)))
    own = numeric(3, n.PRIVATE_CODES, n.CELSIUS)
    sent = configuration(numeric(1, n.TEMPERATURE, n.CELSIUS), enumeration, own)
    told = report(2, attribute(0x0A4B, u16(0x8000)))
    said = [each.text for each in live(associate(0x4000), sent, told) if isinstance(each, Progress)]
    assert [text for text in said if "not read" in text] == [
        "object 2 is not read: an enumeration",
        "object 3 is not read: a code of the maker's own",
    ]


def test_a_base_offset_stamp_is_told_and_not_guessed_at() -> None:
    stamp = attribute(n.TIME_STAMP_BASE_OFFSET, bytes.fromhex("ED4FA5D8 0000 FED4"))
    sent = report(1, attribute(n.SIMPLE_VALUE, bytes.fromhex("FF000175")), stamp)
    (reading,) = readings(live(associate(0x4000), THERMOMETER, sent))
    assert (reading.taken_at, reading.time_source) == (_AT, "gateway")
    assert "the time stamp of the device is of a kind that is not read" in reading.notes


def test_a_device_says_who_it_is_and_what_its_clock_shows() -> None:
    described = apdus.encode_data(
        1,
        apdus.GET_ANSWER,
        u16(0)
        + listed(
            attribute(n.MODEL, encode_block(b"Maker\0") + encode_block(b"M1")),
            attribute(n.SYSTEM_ID, encode_block(bytes.fromhex(_SYSTEM_ID))),
            attribute(n.ABSOLUTE_TIME, _STAMP),
        ),
    )
    events = live(associate(0x02BC), described)
    assert Identified(Device(vendor="Maker", model="M1", id=_SYSTEM_ID)) in events
    assert ClockRead(datetime.fromisoformat("2026-03-02T09:08:00")) in events
    assert not any(isinstance(event, ClockRead) for event in Frames("off").received(described, "", _AT))


def streamed(spo2: int) -> bytes:
    entries = (u16(1) + encode_block(u16(spo2)), u16(10) + encode_block(u16(72)))
    return event(0x0D1D, u16(0xF000) + u16(0) + listed(*entries), confirmed=False)


def test_a_stream_is_one_reading_when_it_is_steady_and_one_when_it_stops() -> None:
    session = Session("off")
    session.received(associate(0x0190), "", _AT)
    taken = [reading for _ in range(20) for reading in readings(session.received(streamed(97), "", _AT))]
    assert [str(reading.value("spo2")) for reading in taken] == ["97"]
    assert readings(session.timer("finger", _AT)) == []
    assert readings(session.received(streamed(95), "", _AT)) == []
    (last,) = readings(session.timer("finger", _AT))
    assert str(last.value("spo2")) == "95"


def test_a_confirmed_oximetry_is_a_reading_at_once_since_the_device_may_forget_it() -> None:
    session = Session("off")
    session.received(associate(0x0190), "", _AT)
    entries = (u16(1) + encode_block(u16(97)), u16(10) + encode_block(u16(72)))
    confirmed = event(0x0D1D, u16(0xF000) + u16(0) + listed(*entries))
    assert len(readings(session.received(confirmed, "", _AT))) == 1


def test_a_message_cut_short_is_given_up_after_a_while() -> None:
    session = Session("off")
    assert session.received(associate(0x02BC)[:30], "", _AT)[-1:] != ()
    (fault,) = session.timer("frame", _AT)
    assert isinstance(fault, Fault)
    assert fault.code == "cut-off"
    assert any(isinstance(event, Send) for event in session.received(associate(0x02BC), "", _AT))


def _mapped(form: int, size: int) -> bytes:
    return attribute(n.VALUE_MAP, listed(u16(form) + u16(size), u16(n.TIME_STAMP) + u16(8)))


_SIMPLE, _BASIC = _mapped(n.SIMPLE_VALUE, 4), _mapped(n.BASIC_VALUE, 2)
_GROUP = listed(
    *(u16(handle) + listed(u16(n.BASIC_VALUE) + u16(2), u16(n.TIME_STAMP) + u16(8)) for handle in (1, 10))
)
_SPO2 = (numeric(1, n.SPO2, n.PERCENT, _BASIC), numeric(10, n.PULSE_BY_OXIMETER, n.PER_MINUTE, _BASIC))
# What has to come before a sample, by a part of its source and name.
_BEFORE: Mapping[str, bytes] = {
    "H241_ID_02BC": associate(0x02BC),
    "H241_ID_0190": associate(0x0190),
    "config 0x0190": associate(0x0190),
    "vector H241 ": configuration(
        numeric(1, n.WEIGHT, n.KILOGRAM, _SIMPLE), numeric(2, 0xE14C, n.PERCENT, _SIMPLE)
    ),
    "weighing_scale/data_report": configuration(
        numeric(1, n.WEIGHT, n.KILOGRAM, _SIMPLE),
        numeric(2, n.HEIGHT, n.CENTIMETRE, _SIMPLE),
        numeric(3, n.BMI, n.KILOGRAM_PER_M2, _SIMPLE),
        numeric(4, 0xE14C, n.PERCENT, _SIMPLE),
        *(numeric(handle, 0xF000 + handle, 0x0200) for handle in range(5, 11)),
    ),
    "unbuf_scan_report_grouped": configuration(
        *_SPO2, u16(n.EPISODIC_SCANNER) + u16(55) + listed(attribute(n.SCANNER_MAP, _GROUP))
    ),
    "kPa": configuration(
        numeric(
            1,
            n.BLOOD_PRESSURE,
            0x0F03,
            attribute(n.METRIC_IDS, listed(u16(n.SYSTOLIC), u16(n.DIASTOLIC), u16(n.MEAN))),
            _mapped(n.COMPOUND_BASIC_VALUES, 10),
        )
    ),
}
_QUANTITIES = set(EMITS)


def _differences(sample: Mapping[str, Any]) -> Iterator[str]:
    told = f"{sample['source']} {sample.get('name', '')}"
    before = next((message for part, message in _BEFORE.items() if part in told), b"")
    outcome = decode(load("phdc"), before + bytes.fromhex(sample["hex"]))
    if "fault" in sample:
        yield from () if outcome.errors else ("no fault",)
        yield from (f"{reading} came" for reading in outcome.readings)
        return
    yield from (f"{error}" for error in outcome.errors)
    shown = [reading_json(reading) for reading in outcome.readings]
    values = {o["name"]: o["value"] for reading in shown for o in reading["observations"]}
    units = {o["name"]: o["unit"] for reading in shown for o in reading["observations"]}
    times = {reading["taken_at"] for reading in shown}
    expected = {name: value for name, value in sample["expect"].items() if name in _QUANTITIES}
    if (values, units) != (expected, sample.get("expect_units", {})):
        yield f"{values} {units}, expected {expected}"
    if expected and times != {sample["expect"]["taken_at"]}:
        yield f"taken at {times}"
    if ("rejected" in sample) != any(reading["status"] == "rejected" for reading in shown):
        yield "rejected, or not, against the document"


def test_every_documented_message_decodes_to_what_its_document_says(
    sample_bytes: tuple[dict[str, Any], ...],
) -> None:
    mine = [sample for sample in sample_bytes if sample["driver"] == "phdc"]
    assert len(mine) > 10
    assert {sample["hex"]: found for sample in mine if (found := list(_differences(sample)))} == {}
