"""What a clinic can rely on from cuffs that keep their measurements: Visomat and Beurer BM65."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import Events, Fault, Identified, Measured, Send, SetTimer, beurer_bm65, visomat
from gateway.errors import DecodeError
from gateway.model import Device, Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_BEURER = bytes.fromhex("AC 5F 37 48 0A 1A 15 05 0D")
_VISOMAT = b"\x02M1001M20115110321300134097083\x03"


def values(reading: Reading) -> list[str]:
    return [f"{o.name} {o.value} {o.unit}" for o in reading.observations]


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def sent(events: Events) -> list[bytes]:
    return [event.data for event in events if isinstance(event, Send)]


def test_a_filler_stands_behind_an_empty_memory() -> None:
    (reading,) = visomat.parse_memory(_VISOMAT)
    assert values(reading) == ["systolic 134 mm[Hg]", "diastolic 97 mm[Hg]", "pulse-rate 83 /min"]
    assert reading.taken_at == datetime(2015, 11, 3, 21, 30)  # noqa: DTZ001 - the cuff states no zone
    assert "user 2" in reading.notes[0]


def test_two_empty_memories_hold_nothing() -> None:
    assert visomat.parse_memory(b"\x02M1001M2001\x03") == ()


@pytest.mark.parametrize("date", [b"4412312359", b"0013012359", b"1502300000"])
def test_a_clock_that_was_never_set_leaves_the_values(date: bytes) -> None:
    (reading,) = visomat.parse_memory(b"\x02M101" + date + b"0134097083\x03")
    assert (reading.taken_at, len(reading.observations)) == (None, 3)
    assert "no date" in reading.notes[1]


def test_a_record_by_a_clock_that_was_never_set_waits_for_a_person() -> None:
    packets = (b"\x02M10144123123590134097083\x03", _VISOMAT)
    events = [visomat.Frames().received(packet, "", _AT) for packet in packets]
    assert [reading.doubt for found in events for reading in readings(found)] == [
        "a record of the past, of unknown time",
        None,
    ]


@pytest.mark.parametrize(
    "packet",
    [
        b"\x02M10215110321300134097083\x03",
        b"\x02M1011511032130013409708\x03",
        b"\x02M100\x03",
        b"\x02M10115110321300134097083X\x03",
        b"\x02M1011511032130013409708 \x03",
        b"\x02R00\x03",
    ],
)
def test_a_memory_that_does_not_fill_its_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(DecodeError):
        visomat.parse_memory(packet)


def test_visomat_is_asked_at_once_and_every_minute_and_each_record_counts_once() -> None:
    session = visomat.Session()
    ask = (Send(b"\x02R00\x03"), SetTimer("ask", 60.0))
    assert session.connected(_AT) == session.timer("ask", _AT) == ask
    assert [len(readings(session.received(_VISOMAT, "0x82", _AT))) for _ in range(3)] == [1, 0, 0]


def test_the_pressures_of_a_beurer_are_less_25() -> None:
    reading = beurer_bm65.parse_record(_BEURER)
    assert values(reading) == ["systolic 120 mm[Hg]", "diastolic 80 mm[Hg]", "pulse-rate 72 /min"]
    assert reading.taken_at == datetime(2013, 10, 26, 21, 5)  # noqa: DTZ001 - the cuff states no zone


@pytest.mark.parametrize(
    ("place", "value", "offset"),
    [(1, 0x30, 1), (4, 13, 4), (5, 32, 5), (6, 24, 6), (7, 60, 7), (8, 100, 8), (0, 0x55, 0)],
)
def test_a_record_whose_fields_cannot_be_is_refused(place: int, value: int, offset: int) -> None:
    record = bytearray(_BEURER)
    record[place] = value
    with pytest.raises(DecodeError) as caught:
        beurer_bm65.parse_record(bytes(record))
    assert caught.value.offset == offset


@given(st.integers(1, 255), st.integers(1, 255), st.integers(1, 255))
def test_every_pressure_of_a_beurer_comes_back_or_is_refused(high: int, low: int, pulse: int) -> None:
    record = bytes((0xAC, high, low, pulse, 10, 26, 21, 5, 13))
    if high > low:
        found = [o.value for o in beurer_bm65.parse_record(record).observations]
        assert found == [high + 25, low + 25, pulse]
    else:
        with pytest.raises(DecodeError):
            beurer_bm65.parse_record(record)


def test_a_beurer_is_asked_for_one_thing_after_the_other() -> None:
    session = beurer_bm65.Session()
    answers = (b"\x55", b"BM65".ljust(32), b"\x01", _BEURER)
    asked = [sent(session.connected(_AT)), *(sent(session.received(each, "", _AT)) for each in answers)]
    assert asked == [[b"\xaa"], [b"\xa4"], [b"\xa2"], [b"\xa3\x01"], []]
    assert sent(session.timer("again", _AT)) == [b"\xaa"]


def test_a_beurer_says_who_it_is() -> None:
    session = beurer_bm65.Session()
    session.connected(_AT)
    session.received(b"\x55", "", _AT)
    assert Identified(Device(model="BM65")) in session.received(b"BM65".ljust(32), "", _AT)


def test_a_beurer_that_gives_no_name_is_read_all_the_same() -> None:
    session = beurer_bm65.Session()
    session.connected(_AT)
    for answer in (b"\x55", b"\x01"):
        session.received(answer, "", _AT)
    assert len(readings(session.received(_BEURER, "", _AT))) == 1


def test_records_are_given_by_their_times_when_the_last_has_come() -> None:
    session = beurer_bm65.Session()
    session.connected(_AT)
    for answer in (b"\x55", b"BM65".ljust(32), b"\x02"):
        session.received(answer, "", _AT)
    earlier = _BEURER[:4] + b"\x09" + _BEURER[5:]
    assert readings(session.received(_BEURER, "", _AT)) == []
    months = [r.taken_at and r.taken_at.month for r in readings(session.received(earlier, "", _AT))]
    assert months == [9, 10]


def test_what_does_not_come_is_asked_for_three_times_and_then_given_up() -> None:
    session = beurer_bm65.Session()
    session.connected(_AT)
    asked = [sent(session.timer("answer", _AT)) for _ in range(3)]
    assert asked == [[b"\xaa"], [b"\xaa"], []]


def test_a_record_cut_off_is_said_to_be_and_asked_for_again() -> None:
    session = beurer_bm65.Session()
    session.connected(_AT)
    for answer in (b"\x55", b"BM65".ljust(32), b"\x01", _BEURER[:3]):
        session.received(answer, "", _AT)
    events = session.timer("answer", _AT)
    assert [event.message for event in events if isinstance(event, Fault)] == ["3 of 9 bytes, then silence"]
    assert sent(events) == [b"\xa3\x01"]
