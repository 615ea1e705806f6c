"""What a clinic can rely on from a SunTech module."""

from datetime import UTC, datetime

import pytest

from gateway.codecs.checksum import sum8
from gateway.drivers import Events, Fault, Measured, Progress, Send
from gateway.drivers.suntech import CuffPressure, Frames, Session, parse_pressure, parse_result

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_ASK_PRESSURE, _ASK_RESULT = Send(bytes.fromhex("3A 79 05 00 48")), Send(bytes.fromhex("3A 79 03 00 4A"))
_RESULT = bytes.fromhex("3E 18 73 00 4A 00 1E 01 00 00 00 00 00 00 31 07 55 00 58 00 00 00 00 E9")


def reply(*content: int) -> bytes:
    frame = bytes((0x3E, len(content) + 3, *content))
    return frame + bytes((-sum8(frame) & 0xFF,))


def failed(code: int) -> bytes:
    return reply(*_RESULT[2:20], code, 0, 0)


def measured(events: Events) -> int:
    return sum(isinstance(event, Measured) for event in events)


def test_a_result_is_little_endian_in_millimetres_of_mercury() -> None:
    values = [(o.name, str(o.value), o.unit) for o in parse_result(_RESULT).observations]
    assert values == [
        ("systolic", "115", "mm[Hg]"),
        ("diastolic", "74", "mm[Hg]"),
        ("mean-arterial-pressure", "88", "mm[Hg]"),
        ("pulse-rate", "85", "/min"),
    ]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 85, 86, 87, 88, 89, 90, 91, 97, 99, 200])
def test_every_error_code_rejects_whatever_digits_stand_beside_it(code: int) -> None:
    reading = parse_result(failed(code))
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes[0].startswith(f"error {code}: ")


def test_a_cuff_pressure_of_minus_one_is_none() -> None:
    assert parse_pressure(reply(0xFF, 0xFF)) == CuffPressure(None)
    assert parse_pressure(reply(0x02, 0x01)) == CuffPressure(258)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (reply(0xFF, 0xFF), "no cuff pressure"),
        (reply(0, 0), "cuff at 0 mmHg"),
        (reply(*bytes(0x43 - 3)), "data of the module"),
        (reply(ord("B")), "module busy"),
    ],
)
def test_every_other_reply_is_for_the_screen(frame: bytes, text: str) -> None:
    assert Progress(text) in Frames().received(frame, "", _AT)


def test_a_damaged_result_says_which_checksum_belongs_there() -> None:
    frames, damaged = Frames(), _RESULT.replace(b"\x73", b"\x72")
    events = (*frames.received(damaged, "", _AT), *frames.timer("silence", _AT))
    assert [(e.code, e.offset) for e in events if isinstance(e, Fault)] == [("checksum", 23)]


def test_a_result_of_before_is_not_taken() -> None:
    assert measured(Session().received(_RESULT, "", _AT)) == 0


@pytest.mark.parametrize(
    "course",
    [reply(ord("O")) + reply(ord("K")), reply(120, 0) + reply(4, 0), reply(120, 0) + reply(0xFF, 0xFF)],
)
def test_the_result_is_asked_for_and_taken_once_when_a_measurement_is_over(course: bytes) -> None:
    session = Session()
    assert _ASK_PRESSURE in session.timer("poll", _AT)
    session.received(course, "", _AT)
    assert _ASK_RESULT in session.timer("poll", _AT)
    assert measured(session.received(_RESULT * 2, "", _AT)) == 1


def test_an_aborted_measurement_has_no_result() -> None:
    session = Session()
    session.received(reply(ord("O")) + reply(120, 0) + reply(ord("A")) + reply(2, 0), "", _AT)
    assert measured(session.received(_RESULT, "", _AT)) == 0
