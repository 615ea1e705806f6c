"""What a clinic can rely on from the memories of Omron and Microlife cuffs on USB."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.hid_reports import counted_content
from gateway.drivers import Events, Fault, Measured, Send, load, microlife_hid, omron_hid
from gateway.model import Reading
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_RECORD = bytes((26, 3, 2, 8, 45, 10, 0, 0, 126, 81, 64))


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def answered(data: bytes) -> bytes:
    return b"".join(omron_hid.report(data))


def test_every_documented_answer_of_an_omron_cuff_decodes_to_what_its_document_says(
    sample_bytes: tuple[dict[str, Any], ...],
) -> None:
    mine = [s for s in sample_bytes if s["driver"] == "omron-hid" and s.get("dir") != ">"]
    assert mine
    for sample in mine:
        outcome = decode(load("omron-hid"), bytes.fromhex(sample["hex"]))
        if "fault" in sample:
            assert (len(outcome.errors), outcome.readings) == (1, ())
            continue
        (reading,) = outcome.readings
        expected = dict(sample["expect"])
        assert reading.taken_at == datetime.fromisoformat(expected.pop("taken_at"))
        assert {o.name: str(o.value) for o in reading.observations} == expected
        assert {o.name: o.unit for o in reading.observations} == sample["expect_units"]


def test_what_a_report_does_not_count_is_garbage() -> None:
    report = bytes.fromhex("02 4F 4B FF FF FF FF FF")
    assert counted_content(report, size=8) == b"OK"
    assert counted_content(bytes.fromhex("F2 30 31 FF FF FF FF FF"), size=8, mask=0x0F) == b"01"


@pytest.mark.parametrize("report", ["08 4F 4B 00 00 00 00 00", "07 4F 4B", "03 4F"])
def test_a_report_that_counts_more_than_it_holds_is_a_fault(report: str) -> None:
    for driver in ("omron-hid", "microlife-hid"):
        outcome = decode(load(driver), bytes.fromhex(report))
        assert [fault.code for fault in outcome.errors] == ["length"]


def test_no_command_clears_the_memory_of_a_cuff() -> None:
    session = omron_hid.Session("measure")
    said = list(session.connected(_AT))
    for answer in (b"OK", b"OK\0" + bytes(6), b"OK\0\0\x02", b"OK\0" + _RECORD, b"OK\0" + _RECORD, b"OFF"):
        said += session.received(answered(answer), "0x81", _AT)
    commands = [counted_content(e.data, size=8) for e in said if isinstance(e, Send) and not e.channel]
    assert {command[:3] for command in commands} == {bytes(3), b"GCL", b"CNT", b"MES", b"END"}


def test_a_record_counts_once_and_a_cuff_that_says_no_is_asked_again() -> None:
    session = omron_hid.Session("off")
    session.connected(_AT)
    for answer in (b"OK", b"OK\0" + bytes(6), b"OK\0\0\x03"):
        session.received(answered(answer), "0x81", _AT)
    record = answered(b"OK\0" + _RECORD)
    again = session.received(answered(b"NO"), "0x81", _AT)
    assert [counted_content(e.data, size=8) for e in again if isinstance(e, Send)] == [b"MES\0\0\0\0"]
    assert len(readings(session.received(record, "0x81", _AT))) == 1
    assert len(readings(session.received(record, "0x81", _AT))) == 0


@settings(max_examples=60)
@given(st.integers(1, 1023), st.integers(1, 1023), st.integers(1, 1023))
def test_every_value_of_ten_bits_comes_back(systolic: int, diastolic: int, pulse: int) -> None:
    word = systolic | diastolic << 10 | pulse << 20
    reading = microlife_hid.parse_record(f"2603020845000000{word:08X}00000000".encode())
    assert [o.value for o in reading.observations] == [systolic, diastolic, pulse]
    assert reading.taken_at == datetime.fromisoformat("2026-03-02T08:45:00")


def test_a_memory_whose_sum_is_wrong_gives_no_reading() -> None:
    digits = b"0001" + b"0" * 28 + b"26030208450000000000147E00000000"
    for wrong in (0, 1):
        memory = b"\x06" + digits + b"%02X" % ((sum(digits) + wrong) & 0xFF)
        reports = b"".join(
            (bytes((len(part),)) + part).ljust(8, b"\0")
            for part in (memory[at : at + 7] for at in range(0, len(memory), 7))
        )
        outcome = decode(load("microlife-hid"), reports)
        assert (len(outcome.readings), len(outcome.errors)) == (1 - wrong, wrong)


@settings(max_examples=150)
@given(st.sampled_from(["omron-hid", "microlife-hid"]), st.lists(st.binary(max_size=16), max_size=8))
def test_no_reports_do_harm(driver: str, reports: list[bytes]) -> None:
    session = load(driver).session(**({"clock": "measure"} if driver == "omron-hid" else {}))
    for report in reports:
        events = session.received(report, "0x81", _AT)
        assert all(event.code for event in events if isinstance(event, Fault))
