"""Devices with services of their makers' own: A&D's family, Nonin 3230, Polar H10, O2Ring, BerryMed."""

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.checksum import crc8
from gateway.codecs.polar_pmd import CONTROL_POINT, DATA, decode_ekg
from gateway.drivers import (
    ClockSet,
    Close,
    Conversation,
    Events,
    Fault,
    Measured,
    Progress,
    Read,
    Send,
    SetTimer,
    Subscribe,
    load,
)
from gateway.drivers.and_ble import COMMANDS, OLD_SCALE, command_text
from gateway.drivers.berrymed_oximeter import STREAM
from gateway.drivers.nonin_3230 import OXIMETRY
from gateway.drivers.viatom_o2ring import ANSWERS
from gateway.drivers.viatom_o2ring import COMMANDS as COMMANDS_OF_THE_RING
from gateway.errors import DecodeError
from gateway.model import EkgRecording, Reading

AT = datetime(2026, 3, 2, 9, 14, 5, tzinfo=UTC)
RATE = 130.17
CHANNELS = (
    *("2A35", "2A1C", "2A9D", "2A37", "2A5E", "2A52"),
    *(COMMANDS, OLD_SCALE, OXIMETRY, CONTROL_POINT, DATA, ANSWERS, STREAM),
)


def conversation(driver: str, **settings: str) -> Conversation:
    return Conversation.start(load(driver), settings, zone=UTC)


def received(talk: Conversation, channel: str, value: str | bytes, at: datetime = AT) -> Events:
    return talk.received(bytes.fromhex(value) if isinstance(value, str) else value, channel, at)


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


# A&D


def test_a_device_of_a_and_d_has_its_clock_set_before_its_records_are_asked_for() -> None:
    talk = conversation("and-ble")
    *reads, pause = talk.connected(AT)
    assert {Read("2A29"), Read("2A24"), Read("2A25")} <= set(reads)
    assert Read("2A08") not in reads
    assert pause == SetTimer("clock", 0.15)
    send, set_, pause = talk.timer("clock", AT)
    assert send == Send(bytes.fromhex("EA070302090E05"), "2A08")
    assert (set_, pause) == (ClockSet(), SetTimer("records", 0.1))
    *asked, silence = talk.timer("records", AT)
    assert asked == [Subscribe(uuid, optional=True) for uuid in ("2A35", "2A1C", "2A9D", OLD_SCALE)]
    assert silence == SetTimer("silence", 8.0)


def test_a_clock_that_is_not_to_be_set_is_left_alone() -> None:
    assert conversation("and-ble", clock="off").timer("clock", AT) == (SetTimer("records", 0.1),)


def test_a_device_that_has_no_more_to_tell_is_hung_up_on() -> None:
    talk = conversation("and-ble")
    first = received(talk, "2A9D", "02F839E9070B03080F2A")
    again = received(talk, "2A9D", "02F839E9070B03080F2A")
    assert [type(event) for event in first] == [Measured, SetTimer]
    assert again == (Progress("record sent again"), SetTimer("silence", 8.0))
    assert talk.timer("silence", AT) == (Close("the device has no more to tell"),)


def test_a_record_that_does_not_hold_keeps_the_line_open_for_the_next() -> None:
    talk = conversation("and-ble")
    (fault,) = received(talk, "2A35", "16800050")
    assert isinstance(fault, Fault)
    assert readings(received(talk, "2A35", "16800050006000DD07081A090A143C000000"))


def test_a_pulse_that_the_cuff_shows_as_e_is_left_out_and_makes_the_pressures_doubtful() -> None:
    (reading,) = readings(received(conversation("and-ble"), "2A35", "168E005A006B00E9070B0308152800080800"))
    assert reading.status == "questionable"
    assert reading.value("systolic") == 142
    assert reading.value("pulse-rate") is None


def test_the_older_scale_counts_tenths() -> None:
    (reading,) = readings(received(conversation("and-ble"), OLD_SCALE, "02E302E9070B03080F2A"))
    assert (str(reading.value("weight")), reading.observations[0].unit) == ("73.9", "kg")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("02 01 03", "write: disconnect"),
        ("02 01 03 00 00 00 00", "write: disconnect"),
        ("08 01 01 0E 03 0B 13 0C 22", "write: set time 0e 03 0b 13 0c 22"),
        ("03 02 D6 01", "answer: size of the memory 01"),
        ("02 00 DB", "read: command 0xDB"),
    ],
)
def test_commands_and_answers_of_the_family_are_shown_in_words(value: str, text: str) -> None:
    assert command_text(bytes.fromhex(value)) == text


@pytest.mark.parametrize(("value", "offset"), [("", 0), ("03 01", 1), ("02 03 01", 1), ("01 01", 1)])
def test_a_command_that_does_not_hold_is_refused(value: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        command_text(bytes.fromhex(value))
    assert caught.value.offset == offset


# Nonin


def oximetry(status: int, counter: int, spo2: int = 98, pulse_rate: int = 72, index: int = 400) -> bytes:
    return struct.pack(">3B2HBH", 10, status, 30, index, counter, spo2, pulse_rate)


def test_numbers_of_the_maker_s_own_value_have_the_high_byte_first() -> None:
    (reading,) = readings(received(conversation("nonin-3230"), OXIMETRY, oximetry(0x54, 1, 97, 259, 255)))
    assert [str(o.value) for o in reading.observations] == ["97", "259", "2.55"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (oximetry(0x40, 1), "no finger"),
        (oximetry(0x58, 1), "searching for pulses"),
        (oximetry(0x54, 1, 127), "no SpO2"),
        (oximetry(0x54, 1, 101), "SpO2 of 101 is not a patient's"),
        (oximetry(0x54, 1, 98, 511), "no pulse rate"),
        (oximetry(0x54, 1, 98, 322), "a pulse rate of 322 is not a patient's"),
        (oximetry(0x54, 1, 98, 0), "a pulse rate of 0 is not a patient's"),
    ],
)
def test_a_value_without_a_finger_or_a_number_is_no_reading(value: bytes, why: str) -> None:
    driver = load("nonin-3230")
    frames = Conversation.start(driver, {}, frames=True)
    (event,) = frames.received(value, OXIMETRY, AT)
    assert isinstance(event, Measured)
    assert (event.reading.status, event.reading.notes) == ("rejected", (why,))
    assert received(conversation("nonin-3230"), OXIMETRY, value) == (Progress(why),)


def test_smartpoint_is_one_reading_and_what_follows_it_none() -> None:
    talk = conversation("nonin-3230")
    said = [
        received(talk, OXIMETRY, oximetry(status, n)) for n, status in enumerate((0x50, 0x54, 0x54, 0x54))
    ]
    assert [len(readings(events)) for events in said] == [0, 1, 0, 0]


def test_values_that_were_lost_on_the_way_begin_the_measurement_anew() -> None:
    talk = conversation("nonin-3230", settle_s="5")
    counters = [*range(65532, 65536), 0, 2, 3, 4, 5, 6]
    said = [received(talk, OXIMETRY, oximetry(0x50, n)) for n in counters]
    assert [len(readings(events)) for events in said] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert Progress("values were lost") in said[5]


def test_only_what_is_asked_for_is_taken_for_else_a_finger_would_be_two_readings() -> None:
    finger = conversation("nonin-3230").connected(AT)
    stored = conversation("nonin-3230", take="stored").connected(AT)
    assert [event for event in finger if isinstance(event, Subscribe)] == [Subscribe(OXIMETRY)]
    assert Subscribe(OXIMETRY) not in stored
    assert Subscribe("2A5E", optional=True) in stored


# Polar


def frame(number: int, *, rate: float = RATE, begun_ns: int = 599_616_005 * 10**9) -> bytes:
    last = begun_ns + round(((number + 1) * 73 - 1) / rate * 1e9)
    samples = b"".join((number * 73 + n).to_bytes(3, "little", signed=True) for n in range(73))
    return struct.pack("<BQB", 0, last, 0) + samples


def arrival(number: int) -> datetime:
    return AT + timedelta(seconds=number * 73 / RATE)


def streaming(
    numbers: list[int], *, ekg_s: str = "10", rate: float = RATE
) -> tuple[Conversation, list[Events]]:
    talk = conversation("polar-h10", ekg_s=ekg_s)
    return talk, [received(talk, DATA, frame(n, rate=rate), arrival(n)) for n in numbers]


def recorded(said: list[Events]) -> EkgRecording:
    (reading,) = (reading for events in said for reading in readings(events))
    assert reading.ekg is not None
    return reading.ekg


def test_an_ekg_is_started_with_the_settings_that_the_strap_offers() -> None:
    talk = conversation("polar-h10")
    assert talk.connected(AT)[-3:] == (
        Subscribe(CONTROL_POINT),
        Subscribe(DATA),
        Send(b"\x01\x00", CONTROL_POINT),
    )
    answer = received(talk, CONTROL_POINT, "F0010000000001820001010E00")
    assert answer == (Send(bytes.fromhex("02000001820001010E00"), CONTROL_POINT),)


def test_the_rate_of_an_ekg_is_that_of_the_strap_s_own_clock() -> None:
    _, said = streaming(list(range(30)))
    recording = recorded(said)
    assert recording.sample_rate_hz == pytest.approx(RATE, abs=1e-6)
    assert recording.leads == ("chest",)
    assert recording.duration_s == pytest.approx(10.66, abs=0.01)


def test_an_ekg_is_in_millivolts_and_without_its_first_seconds() -> None:
    _, said = streaming(list(range(30)))
    samples = recorded(said).samples_mv[0]
    assert samples[0] == pytest.approx(6 * 73 / 1000)
    assert np.diff(samples) == pytest.approx(np.full(len(samples) - 1, 0.001))


def test_the_stream_is_stopped_when_the_recording_is_whole_and_there_is_no_second() -> None:
    _, said = streaming(list(range(60)))
    (whole,) = (events for events in said if readings(events))
    assert whole[-1] == Send(b"\x03\x00", CONTROL_POINT)


def test_an_ekg_begins_when_its_first_frame_had_arrived_less_what_it_took_to_measure() -> None:
    _, said = streaming(list(range(30)))
    (reading,) = (reading for events in said for reading in readings(events))
    assert reading.time_source == "gateway"
    assert reading.taken_at is not None
    assert abs(reading.taken_at - arrival(5)) < timedelta(milliseconds=1)


@pytest.mark.parametrize("lost", [[10], [10, 11, 12], [8, 15, 16, 20]])
def test_frames_that_were_lost_are_no_numbers_and_close_nothing_up(lost: list[int]) -> None:
    _, said = streaming([n for n in range(40) if n not in lost])
    recording = recorded(said)
    samples = recording.samples_mv[0]
    assert recording.sample_rate_hz == pytest.approx(RATE, abs=1e-6)
    assert np.isnan(samples).sum() == 73 * len(lost)
    there = ~np.isnan(samples)
    assert samples[there] == pytest.approx((6 * 73 + np.flatnonzero(there)) / 1000)


def test_a_strap_whose_clock_restarts_is_recorded_anew() -> None:
    talk, said = streaming(list(range(15)))
    later = [received(talk, DATA, frame(n, begun_ns=599_616_000 * 10**9), arrival(n + 15)) for n in range(40)]
    assert not any(readings(events) for events in said)
    assert recorded(later).samples_mv[0][0] == pytest.approx(6 * 73 / 1000)


def test_a_rate_that_no_strap_has_makes_no_recording() -> None:
    _, said = streaming(list(range(60)), rate=100.0)
    faults = [event for events in said for event in events if isinstance(event, Fault)]
    assert [fault.code for fault in faults] == ["rate"]
    assert not any(readings(events) for events in said)


@pytest.mark.parametrize("ends", ["link", "strap"])
def test_what_came_before_the_end_is_a_recording_if_it_is_ten_seconds(ends: str) -> None:
    for count, expected in ((20, 0), (30, 1)):
        talk, said = streaming(list(range(count)), ekg_s="60")
        assert not any(readings(events) for events in said)
        events = talk.disconnected(AT) if ends == "link" else received(talk, CONTROL_POINT, "0100")
        assert len(readings(events)) == expected


def test_a_stream_of_an_earlier_connection_is_taken_and_other_refusals_are_faults() -> None:
    talk = conversation("polar-h10")
    assert received(talk, CONTROL_POINT, "F0020006") == (Progress("the EKG has been running since before"),)
    (fault,) = received(talk, CONTROL_POINT, "F000010A")
    assert isinstance(fault, Fault)
    assert "the MTU is too small" in fault.message


def test_a_strap_may_be_asked_for_heart_rate_alone() -> None:
    events = conversation("polar-h10", ekg_s="off").connected(AT)
    assert not any(isinstance(event, Send) for event in events)


def test_samples_have_their_sign_and_all_their_bits() -> None:
    value = bytes.fromhex("000000A4399343520800000000010000FFFFFFFFFF7F0000806AFFFF204E00E0B1FF")
    assert decode_ekg(value).microvolts == (0, 1, -1, 8388607, -8388608, -150, 20000, -20000)
    assert decode_ekg(value).last_ns == 599_616_000 * 10**9


# O2Ring and BerryMed


def numbers(reading: Reading) -> list[Decimal | None]:
    return [observation.value for observation in reading.observations]


def asked(events: Events) -> list[bytes]:
    return [event.data for event in events if isinstance(event, Send)]


def ring_answer(spo2: int, pulse_rate: int, *, finger: int = 1) -> bytes:
    data = bytes((spo2, pulse_rate, 0, 0, 0, 0, 0, 0x61, 0, 0x92, 0x0A, finger, 0))
    answer = bytes.fromhex("55 00 FF 00 00 0D 00") + data
    return answer + bytes((crc8(answer),))


def test_a_ring_is_asked_every_two_seconds_and_never_reset() -> None:
    talk = conversation("viatom-o2ring")
    first = talk.connected(AT)
    assert asked(first) == [bytes.fromhex("AA 17 E8 00 00 00 00 1B")]
    assert first.index(Subscribe(ANSWERS)) < first.index(Send(asked(first)[0], COMMANDS_OF_THE_RING))
    assert first[-1] == SetTimer("ask", 2)
    assert asked(talk.timer("ask", AT)) == asked(first)


def test_a_ring_gives_one_reading_when_its_values_are_steady() -> None:
    talk = conversation("viatom-o2ring", settle_s="6", repeat_s="never")
    values = ((98, 66), (97, 67), (98, 66), (98, 66))
    found = [readings(received(talk, ANSWERS, ring_answer(*value))) for value in values]
    assert [[numbers(reading) for reading in each] for each in found] == [[], [], [[98, 66]], []]


@pytest.mark.parametrize("cut", range(1, 21))
def test_an_answer_of_the_ring_may_come_in_two_pieces_and_after_a_lost_one(cut: int) -> None:
    talk = conversation("viatom-o2ring", settle_s="4", repeat_s="never")
    answer = ring_answer(98, 66)
    received(talk, ANSWERS, answer)
    received(talk, ANSWERS, ring_answer(20, 20)[:cut])  # its rest was lost
    talk.timer("silence", AT)
    (reading,) = readings((*received(talk, ANSWERS, answer[:cut]), *received(talk, ANSWERS, answer[cut:])))
    assert numbers(reading) == [98, 66]


def test_of_a_stream_of_five_bytes_one_good_frame_a_second_counts() -> None:
    talk = conversation("berrymed-oximeter", settle_s="3", repeat_s="never")
    good = bytes.fromhex("85 28 46 02 61") * 50
    found = [readings(received(talk, STREAM, good, AT + timedelta(seconds=s / 2))) for s in range(8)]
    assert [len(each) for each in found] == [0, 0, 0, 0, 1, 0, 0, 0]
    assert numbers(found[4][0]) == [97, 130]


def test_a_finger_that_leaves_for_a_single_frame_is_another_finger() -> None:
    talk = conversation("berrymed-oximeter", settle_s="3", repeat_s="never")
    good, gone = bytes.fromhex("85 28 06 46 61"), bytes.fromhex("85 28 16 46 61")
    at = [AT + timedelta(seconds=second) for second in range(8)]
    assert not readings(received(talk, STREAM, good, at[0]) + received(talk, STREAM, good + gone, at[1]))
    found = [readings(received(talk, STREAM, good, moment)) for moment in at[2:5]]
    assert [len(each) for each in found] == [0, 0, 1]


# All of them


@pytest.mark.parametrize(
    "driver", ["and-ble", "nonin-3230", "polar-h10", "viatom-o2ring", "berrymed-oximeter"]
)
@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(CHANNELS),
            st.one_of(
                st.binary(max_size=40),
                st.integers(0, 60).map(frame),
                st.binary(min_size=9, max_size=9).map(lambda rest: b"\x0a" + rest),
            ),
        ),
        max_size=40,
    )
)
def test_no_value_makes_a_session_raise_or_a_rejected_reading_hold_numbers(
    driver: str, values: list[tuple[str, bytes]]
) -> None:
    talk = conversation(driver)
    events = [*talk.connected(AT)]
    for channel, data in values:
        events += talk.received(data, channel, AT)
    for reading in readings((*events, *talk.disconnected(AT))):
        assert reading.status != "rejected" or reading.observations == ()
        assert all(o.value is None or o.value.is_finite() for o in reading.observations)
