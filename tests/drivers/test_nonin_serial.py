"""What a clinic can rely on from a Nonin oximeter on a serial line."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.checksum import sum8
from gateway.codecs.nonin_stream import FORMATS
from gateway.drivers import ClockRead, ClockSet, Conversation, Event, Events, Fault, Measured, Progress, Send
from gateway.drivers.nonin_serial import DRIVER, Session, select_format
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)


def packet(spo2: int, pulse: int, *, status: int = 0x80, second_status: int = 0, wide: bool = False) -> bytes:
    """25 frames of DF2, or of DF7 where `wide`, that show these values."""
    value = {8: second_status, 9: spo2, 20: pulse >> 7, 21: pulse & 0x7F}
    lead = b"" if wide else b"\x01"
    frames = (
        lead + bytes((status | (number == 1), *((0x13, 0x88) if wide else (0x40,)), value.get(number, 0)))
        for number in range(1, 26)
    )
    return b"".join(frame + bytes((sum8(frame),)) for frame in frames)


def df8(spo2: int, pulse: int, *, status: int = 0x80, second_status: int = 0) -> bytes:
    return bytes((status | pulse >> 7, pulse & 0x7F, spo2, second_status))


def line(spo2: int, pulse: int) -> bytes:
    return f"SPO2={spo2:03} HR={pulse:03}\r\n".encode()


def record(year: int = 24, status: int = 0x0200) -> bytes:
    fields = bytes((20, year, 5, 17, 8, 41, 12, 0)) + status.to_bytes(2, "big") + bytes((0, 66, 0, 98))
    return b"\x00\x02\x00\x0d\x00\x0e" + fields + bytes((sum8(fields), 3))


def session(**given: str) -> Session:
    started = Conversation.start(DRIVER, given).session
    assert isinstance(started, Session)
    return started


def played(stream: bytes, *, every: float = 1.0, size: int = 4, **given: str) -> list[Event]:
    """The events of a stream that comes `size` bytes at a time, `every` so many seconds."""
    talking = session(**given)
    pieces = (stream[start : start + size] for start in range(0, len(stream), size))
    moments = ((_AT + timedelta(seconds=every * count), piece) for count, piece in enumerate(pieces))
    return [event for at, piece in moments for event in talking.received(piece, "", at)]


def readings(events: list[Event] | Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def shown(events: list[Event] | Events) -> list[tuple[int, int]]:
    pairs = ((reading.value("spo2"), reading.value("pulse-rate")) for reading in readings(events))
    return [(int(spo2 or 0), int(pulse or 0)) for spo2, pulse in pairs]


_STEADY = {
    "df2": packet(96, 174) * 20,
    "df7": packet(96, 174, wide=True) * 20,
    "df8": df8(96, 174) * 12,
    "df1": df8(96, 174)[:3] * 12,
    "ascii": line(96, 174) * 12,
}


@pytest.mark.parametrize("data_format", _STEADY)
@pytest.mark.parametrize("stated", [True, False])
def test_a_steady_finger_is_one_reading_in_every_format_stated_or_found(
    data_format: str, stated: bool
) -> None:
    given = {"data_format": data_format} if stated else {}
    assert shown(session(**given).received(_STEADY[data_format], "", _AT)) == [(96, 174)]


@pytest.mark.parametrize("data_format", _STEADY)
def test_garbage_before_a_stream_is_a_fault_and_does_not_cost_the_reading(data_format: str) -> None:
    events = session(data_format=data_format).received(
        b"\x00\x99\xfe\x07\r\n" + _STEADY[data_format], "", _AT
    )
    assert shown(events) == [(96, 174)]
    assert any(isinstance(event, Fault) for event in events)


@settings(max_examples=40)
@given(st.sampled_from(sorted(_STEADY)), st.binary(max_size=40), st.integers(1, 7))
def test_how_the_bytes_arrive_changes_nothing(data_format: str, garbage: bytes, size: int) -> None:
    stream = garbage + _STEADY[data_format]
    whole, split = played(stream, size=len(stream), every=0), played(stream, size=size, every=0)
    assert shown(split) == shown(whole)


@settings(max_examples=100)
@given(st.sampled_from(["auto", *FORMATS]), st.lists(st.binary(max_size=40)))
def test_no_bytes_make_a_session_raise(data_format: str, pieces: list[bytes]) -> None:
    talking = session(data_format=data_format)
    for piece in pieces:
        talking.received(piece, "", _AT)
    talking.disconnected(_AT)


def test_bytes_that_are_no_nonin_format_are_reported_now_and_then() -> None:
    faults = [event for event in played(b"\x7f" * 3000, size=100) if isinstance(event, Fault)]
    assert [(fault.code, fault.offset) for fault in faults] == [("sync", 0), ("sync", 1024)]


def test_a_value_is_taken_when_it_was_steady_for_as_long_as_is_wanted() -> None:
    assert shown(played(df8(97, 70) * 9, data_format="df8", settle_s="10")) == []
    assert shown(played(df8(97, 70) * 10, data_format="df8", settle_s="10")) == [(97, 70)]


def test_a_value_that_wanders_is_waited_out() -> None:
    wandering = b"".join(df8(spo2, 70) for spo2 in (90, 93, 96, 90, 93, 96, 90))
    assert shown(played(wandering, data_format="df8")) == []
    assert shown(played(wandering + df8(97, 71) * 5, data_format="df8")) == [(97, 71)]


def test_an_artifact_starts_the_wait_again() -> None:
    stream = df8(97, 70) * 4 + df8(97, 70, status=0x84) + df8(97, 70) * 4
    assert shown(played(stream, data_format="df8")) == []


def test_smartpoint_takes_the_place_of_waiting() -> None:
    assert shown(played(df8(97, 70, second_status=0x20), data_format="df8")) == [(97, 70)]


def test_the_same_finger_is_read_again_only_on_a_change_or_after_a_while() -> None:
    assert len(shown(played(df8(97, 70) * 59, data_format="df8", repeat_s="60"))) == 1
    assert len(shown(played(df8(97, 70) * 70, data_format="df8", repeat_s="60"))) == 2
    assert len(shown(played(df8(97, 70) * 70, data_format="df8", repeat_s="never"))) == 1
    changed = df8(97, 70) * 6 + df8(93, 70) * 5
    assert shown(played(changed, data_format="df8")) == [(97, 70), (93, 70)]


def test_the_next_finger_is_a_reading_of_its_own() -> None:
    stream = df8(97, 70) * 5 + df8(127, 511, status=0xA0) + df8(97, 70) * 5
    assert len(shown(played(stream, data_format="df8"))) == 2


@pytest.mark.parametrize("status", [0xC0, 0xA0])
def test_digits_that_stand_while_there_is_no_finger_are_never_read(status: int) -> None:
    events = played(df8(97, 70, status=status) * 20, data_format="df8")
    assert readings(events) == []
    assert len([event for event in events if isinstance(event, Progress)]) == 1


def test_low_perfusion_is_in_doubt() -> None:
    (reading,) = readings(played(df8(97, 70, status=0x90) * 5, data_format="df8"))
    assert (reading.status, reading.notes) == ("questionable", ("low perfusion",))


def test_a_packet_with_one_bad_checksum_is_dropped_whole() -> None:
    bad = bytearray(packet(96, 70))
    bad[62] ^= 1
    events = session(data_format="df2", settle_s="3").received(bytes(bad) * 20, "", _AT)
    assert readings(events) == []


def test_a_stored_spot_check_has_its_own_time_and_is_acknowledged_after_it() -> None:
    measured, acknowledged = session().received(record(), "", _AT)
    assert isinstance(measured, Measured)
    assert measured.reading.taken_at == datetime(2024, 5, 17, 8, 41, 12)  # noqa: DTZ001 - no zone is stated
    assert acknowledged == Send(b"\x06")


def test_a_spot_check_that_is_sent_again_is_acknowledged_and_not_read_again() -> None:
    assert session().received(record() * 2, "", _AT)[2:] == (Send(b"\x06"),)


def test_a_spot_check_with_an_impossible_date_keeps_its_values_with_our_time() -> None:
    wrong = record()[:8] + bytes((13,)) + record()[9:]
    wrong = wrong[:-2] + bytes((sum8(wrong[6:-2]), 3))
    (reading,) = readings(session().received(wrong, "", _AT))
    assert (reading.taken_at, reading.time_source, reading.value("spo2")) == (_AT, "gateway", Decimal(98))
    assert "no such date" in reading.notes[0]


def test_a_device_is_set_to_a_format_only_where_that_is_asked_for() -> None:
    assert session(data_format="df8").connected(_AT) == ()
    assert session(data_format="df8", select="yes").connected(_AT) == (Send(select_format("df8")),)
    assert select_format("df13") == bytes.fromhex("02 70 02 02 0d 03")


@pytest.mark.parametrize(
    "stream",
    [df8(0, 72) * 8, df8(98, 0) * 8, df8(101, 72) * 8, packet(0, 0) * 20, line(0, 0) * 8],
    ids=["no spo2", "no pulse", "beyond 100 %", "packet", "line"],
)
def test_zeros_and_what_no_blood_can_hold_are_no_values(stream: bytes) -> None:
    assert readings(played(stream)) == []


_CLOCK_SHOWS = bytes.fromhex("02 F2 06 1A 03 02 09 0A 05 03")


def test_the_clock_is_left_alone_unless_the_configuration_says_otherwise() -> None:
    assert session().connected(_AT) == ()


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_the_clock_is_read_among_records_however_its_answer_is_cut(size: int) -> None:
    events = played(record() + _CLOCK_SHOWS + record(25), size=size, clock="measure")
    assert [event.shown for event in events if isinstance(event, ClockRead)] == [
        datetime(2026, 3, 2, 9, 10, 5)  # noqa: DTZ001 - no zone is stated
    ]
    assert len(readings(events)) == 2
    assert not any(isinstance(event, Fault) for event in events)


def test_the_clock_is_set_only_after_it_was_read() -> None:
    talking = session(clock="set")
    assert talking.connected(_AT) == (Send(bytes.fromhex("02 72 00 03")),)
    read, said, was_set = talking.received(_CLOCK_SHOWS, "", _AT)
    assert isinstance(read, ClockRead)
    assert said == Send(bytes.fromhex("02 72 06 1A 03 02 0E 0A 00 03"))
    assert isinstance(was_set, ClockSet)


def test_a_clock_that_shows_no_time_is_not_read() -> None:
    talking = session(clock="measure")
    assert talking.received(bytes.fromhex("02 F2 06 00 00 00 00 00 00 03"), "", _AT) == ()
