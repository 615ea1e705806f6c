"""What a clinic can rely on from a SureTemp module."""

import struct
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.checksum import sum8
from gateway.drivers import Events, Fault, Measured, Send, SetTimer
from gateway.drivers.suretemp import Frames, Session, parse_record
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_KELVIN = 310.15


def record(
    kelvin: float, state: int, *, method: int = 0, algorithm: int = 0, error: int = 0, size: int = 19
) -> bytes:
    data = struct.pack("<ffIBBBHBB", kelvin, 309.9, 60, method, algorithm, state, error, 1, 0)
    return data.ljust(size, b"\x07")


def answer(data: bytes, *, code: bytes = b"\x94\x1c", kind: int = 2) -> bytes:
    block = b"\x03\x02\x10" + code + bytes((kind,)) + len(data).to_bytes(2, "little") + data
    return block + bytes((-sum8(block) & 0xFF,))


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def codes(events: Events) -> list[str]:
    return [event.code for event in events if isinstance(event, Fault)]


@pytest.mark.parametrize("state", [6, 7])
@pytest.mark.parametrize("size", [19, 33])
def test_a_final_temperature_is_celsius_and_keeps_the_kelvin(state: int, size: int) -> None:
    (observation,) = parse_record(record(_KELVIN, state, size=size)).reading.observations
    assert (str(observation.value), observation.unit, observation.site) == ("37.0", "Cel", "oral")
    assert observation.as_sent is not None
    assert (observation.as_sent.value, observation.as_sent.unit) == (Decimal("310.149993896484375"), "K")


@pytest.mark.parametrize(
    ("algorithm", "site", "notes"),
    [
        (0, "oral", ("method: predictive",)),
        (1, "rectal", ("method: predictive",)),
        (2, "axillary", ("method: predictive", "paediatric")),
        (4, "axillary", ("method: predictive",)),
    ],
)
def test_the_site_is_that_of_the_algorithm(algorithm: int, site: str, notes: tuple[str, ...]) -> None:
    reading = parse_record(record(_KELVIN, 6, algorithm=algorithm)).reading
    assert (reading.observations[0].site, reading.notes) == (site, notes)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (record(316.5, 8), "over range"),
        (record(316.5, 9), "over range"),
        (record(299.0, 10), "under range"),
        (record(299.0, 11), "under range"),
        (record(_KELVIN, 20, error=5), "error of the module (state 20), error 5"),
        (record(_KELVIN, 6, error=3), "error 3"),
        (record(_KELVIN, 6, algorithm=3), "calibration key"),
        (record(0.0, 6), "no final temperature"),
        *((record(_KELVIN, state), "no final temperature") for state in (0, 1, 2, 3, 4, 5, 12, 13)),
    ],
)
def test_a_record_without_a_result_has_no_number_whatever_its_floats(data: bytes, reason: str) -> None:
    reading = parse_record(data).reading
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes[0].startswith(reason)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (record(_KELVIN, 6)[:18], "size"),
        (record(_KELVIN, 6, size=34), "size"),
        (record(_KELVIN, 14), "state"),
        (record(_KELVIN, 6, algorithm=9), "site"),
        (record(_KELVIN, 6, method=9), "site"),
        (record(float("nan"), 6), "value"),
        (record(float("inf"), 6), "value"),
        (record(3.4e38, 6), "value"),
        (record(37.0, 6), "value"),
        (record(-310.15, 6), "value"),
    ],
)
def test_a_record_that_does_not_hold_is_refused_by_name(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_record(data)
    assert caught.value.code == code


@given(st.floats(274, 373, width=32))
def test_every_temperature_is_rounded_once(kelvin: float) -> None:
    value = parse_record(record(kelvin, 6)).reading.value("temperature")
    assert value is not None
    assert abs(value - (Decimal(kelvin) - Decimal("273.15"))) <= Decimal("0.05")


def test_a_damaged_block_says_which_checksum_belongs_there() -> None:
    frames, damaged = Frames(), bytearray(answer(record(_KELVIN, 6)))
    damaged[9] ^= 4
    events = frames.received(bytes(damaged), "", _AT) + frames.timer("silence", _AT)
    assert (readings(events), codes(events)) == ([], ["checksum"])


def test_a_refusal_is_a_fault_and_another_answer_is_passed_over() -> None:
    assert codes(Frames().received(answer(b"", kind=3), "", _AT)) == ["refused"]
    assert codes(Frames().received(answer(bytes(4), code=b"\x94\x01"), "", _AT)) == []


def test_the_module_is_asked_twice_a_second() -> None:
    ask = Send(bytes.fromhex("03 02 10 94 1C 01 00 00 3A"))
    assert Session().timer("poll", _AT) == (ask, SetTimer("poll", 0.5))


def test_a_result_counts_once_for_each_time_that_the_module_comes_to_it() -> None:
    session = Session()
    course = [answer(record(kelvin, state)) for kelvin, state in ((0, 2), (0, 3), (_KELVIN, 6), (_KELVIN, 7))]
    events = session.received(b"".join(course) + course[-1] * 5, "", _AT)
    assert [reading.value("temperature") for reading in readings(events)] == [Decimal("37.0")]
    assert len(readings(session.received(b"".join(course), "", _AT))) == 1


def test_what_stood_there_at_the_first_look_is_not_taken() -> None:
    assert readings(Session().received(answer(record(_KELVIN, 6)) * 3, "", _AT)) == []
