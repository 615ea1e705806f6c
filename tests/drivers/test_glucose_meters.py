"""What a clinic can rely on from glucose meters on a cable: OneTouch, Contour, FreeStyle."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs import astm_records, lifescan
from gateway.drivers import Driver, Events, Measured, Send, load
from gateway.drivers.contour_usb import reading_of, unwrapped, wrapped
from gateway.drivers.freestyle_serial import Session as FreeStyle
from gateway.drivers.onetouch_serial import session as onetouch
from gateway.errors import DecodeError
from gateway.model import Reading
from gateway.model.serialised import reading_json
from gateway.store.readings import record_key
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
METERS = ("onetouch-serial", "contour-usb", "freestyle-serial")


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def record(value: int, prefix: int = lifescan.ULTRA_MINI, tail: str = "") -> bytes:
    size = 4 if prefix == lifescan.ULTRA_MINI else 2
    message = bytes((prefix, 0x06)) + bytes.fromhex("30 80 FD 51") + value.to_bytes(size, "little")
    return lifescan.encode_packet(0, message + bytes.fromhex(tail))


def in_line(text: str) -> bytes:
    return f"{text} {sum(text.encode()) & 0xFFFF:04X}\r\n".encode()


def decoded(driver: str, data: bytes, **given: str) -> tuple[Reading, ...]:
    return decode(load(driver), data, settings=given).readings


@pytest.mark.parametrize("driver_id", METERS)
def test_every_documented_answer_decodes_to_what_its_document_says(
    driver_id: str, sample_bytes: tuple[dict[str, Any], ...]
) -> None:
    mine = [s for s in sample_bytes if s["driver"] == driver_id and s.get("dir") != ">"]
    assert mine
    assert {
        str(s.get("name", s["format"])): wrong for s in mine if (wrong := _wrong(load(driver_id), s))
    } == {}


def _wrong(driver: Driver, sample: Mapping[str, Any]) -> list[str]:
    data = bytes.fromhex(sample["hex"]) if "hex" in sample else str(sample["text"]).encode("latin-1")
    outcome = decode(driver, data)
    if "fault" in sample:
        return [] if outcome.errors and not outcome.readings else [f"{outcome}"]
    shown = [reading_json(reading) for reading in outcome.readings]
    said = [each["observations"][0] for each in shown if each["observations"]]
    expected, units = sample.get("expect", {}), sample.get("expect_units", {})
    values = expected.get("glucose", [])
    wrong = [str(error) for error in outcome.errors]
    if [each["value"] for each in said] != ([values] if isinstance(values, str) else values):
        wrong.append(f"values {said}")
    if {each["unit"] for each in said} - {units.get("glucose")}:
        wrong.append(f"units {said}")
    times = expected.get("taken_at", [])
    stated = {
        datetime.fromisoformat(time).isoformat() for time in ([times] if isinstance(times, str) else times)
    }
    if not stated <= {each["taken_at"] for each in shown}:
        wrong.append(f"times {shown}")
    if ("rejected" in sample or "control" in expected) and expected.get("control") != "no":
        wrong += [] if any(each["status"] == "rejected" for each in shown) else ["nothing rejected"]
    return wrong


@pytest.mark.parametrize(
    ("driver", "data"),
    [
        ("onetouch-serial", record(0xFFFF)),
        ("onetouch-serial", record(0xFFFE)),
        ("onetouch-serial", record(601)),
        ("onetouch-serial", record(19)),
        ("onetouch-serial", record(0)),
        ("onetouch-serial", record(0xFFFF, lifescan.VERIO_IQ, "00 00 00 00")),
        ("onetouch-serial", record(110, lifescan.VERIO_IQ, "01 00 00 00")),
        ("onetouch-serial", in_line('P "SAT","08/03/13","22:12:00   ","C 110 ","N","00", 00')),
        ("onetouch-serial", in_line('P "SAT","08/03/13","22:12:00   ","  110?","N","00", 00')),
        ("onetouch-serial", in_line('P "SAT","08/03/13","22:12:00   ","  000 ","N","00", 00')),
    ],
)
def test_what_is_no_patient_s_number_is_rejected_with_its_reason(driver: str, data: bytes) -> None:
    (reading,) = decoded(driver, data)
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes


@pytest.mark.parametrize("model", ["ultra-mini", "verio-iq", "ultra-2"])
@pytest.mark.parametrize("clock", ["measure", "set", "off"])
def test_no_command_erases_a_memory(model: str, clock: str) -> None:
    session = onetouch(model, clock)
    said = [event.data for event in session.connected(_AT) if isinstance(event, Send)]
    for _ in range(8):
        for answer in (lifescan.encode_packet(0x0C), record(98), record(98, lifescan.VERIO_IQ, "00000000")):
            said += [e.data for e in session.received(answer, "", _AT) if isinstance(e, Send)]
        said += [e.data for e in session.received(in_line('@ "A"'), "", _AT) if isinstance(e, Send)]
    assert said
    assert not [each for each in said if b"\x05\x1a" in each or b"\x03\x1a" in each or b"DMZ" in each]


def test_a_packet_is_acknowledged_when_its_record_is_on_disk() -> None:
    session = onetouch("ultra-mini", "off")
    session.connected(_AT)
    session.received(lifescan.encode_packet(0x0C), "", _AT)
    session.received(lifescan.encode_packet(0x02, b"\x05\x06SERIAL"), "", _AT)
    session.received(lifescan.encode_packet(0x01, b"\x05\x0f\x01\x00"), "", _AT)
    answer = lifescan.encode_packet(0x02, b"\x05\x06" + bytes.fromhex("30 80 FD 51 62 00 00 00"))
    kinds = [type(event) for event in session.received(answer, "", _AT)]
    assert kinds[:2] == [Measured, Send]


def test_a_clock_is_set_to_the_local_time() -> None:
    seconds = lifescan.seconds_of(lifescan.ULTRA_MINI, _AT)
    shown = lifescan.time_of(b"\x05\x06" + seconds)
    assert shown == _AT.replace(tzinfo=None)


def test_a_block_whose_sum_is_wrong_gives_no_result() -> None:
    text = "\r\nABCD123-X1\r\n0.22\r\n001\r\n098  July 10 2013 08:15 G 0x00\r\n"
    for wrong in (0, 1):
        block = f"{text}0x{(sum(text.encode()) + wrong) & 0xFFFF:04X}  END\r\n".encode()
        assert len(decoded("freestyle-serial", block)) == 1 - wrong


@pytest.mark.parametrize(("flags", "is_held"), [("00", False), ("02", True)])
def test_a_record_of_a_meter_that_had_lost_its_clock_waits_for_a_person(flags: str, is_held: bool) -> None:
    text = f"\r\nABCD123-X1\r\n0.22\r\n001\r\n098  July 10 2013 08:15 G 0x{flags}\r\n"
    block = f"{text}0x{sum(text.encode()) & 0xFFFF:04X}  END\r\n".encode()
    (reading,) = decoded("freestyle-serial", block)
    assert (reading.doubt is not None) == is_held


def test_the_meter_is_asked_again_when_it_does_not_answer() -> None:
    session = FreeStyle("precision", "measure")
    assert session.connected(_AT) == session.timer("answer", _AT + timedelta(seconds=3))


@settings(max_examples=100)
@given(st.integers(0, 255), st.binary(max_size=60))
def test_every_packet_comes_back(link: int, message: bytes) -> None:
    (frame,) = lifescan.packets().feed(lifescan.encode_packet(link, message))
    assert lifescan.packet_in(frame.data) == lifescan.Packet(link, message)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_every_report_comes_back(data: bytes) -> None:
    assert unwrapped(wrapped(data)) == data


@settings(max_examples=200)
@given(st.binary(max_size=40))
def test_a_packet_behind_garbage_is_found(garbage: bytes) -> None:
    packet = record(98)
    framer = lifescan.packets()
    found = [frame.content for frame in (*framer.feed(garbage + packet + bytes(255)), *framer.flush())]
    assert packet in found


@settings(max_examples=200)
@given(st.sampled_from(METERS), st.binary(max_size=200))
def test_no_bytes_do_harm(driver: str, data: bytes) -> None:
    decode(load(driver), data)


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_no_line_raises_anything_else(line: bytes) -> None:
    for parse in (lifescan.line_text, lifescan.result_in_line):
        try:
            parse(line)
        except DecodeError:
            continue


def test_a_contour_result_is_the_same_record_wherever_it_stands_in_the_dump() -> None:
    fields = (("", "", "", "Glucose"), "133", ("mg/dL", "P"), "", "B", "", "202603020910")
    one, other = (reading_of(astm_records.record("R", place, *fields)) for place in ("1", "17"))
    assert one is not None
    assert other is not None
    assert record_key("glucose-1", one) == record_key("glucose-1", other)
