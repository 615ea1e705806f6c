"""What a clinic can rely on from a Contec CMS50, in whichever protocol it speaks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.contec_oximeter import (
    PROTOCOLS,
    command,
    parse_hid,
    parse_old,
    parse_v7,
    unpacked,
)
from gateway.codecs.oximeter_sample import Sample
from gateway.drivers import Events, Fault, Measured, Progress, Send, SerialLink, load
from gateway.drivers.contec_cms50d import DRIVER, Session
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_OLD = bytes.fromhex("85 28 06 4a 61")
_V7 = bytes.fromhex("01 e0 85 b3 96 c1 e1 ff ff")
_FINGER_OUT = bytes.fromhex("01 e9 90 80 80 ff ff ff ff")


def packed(kind: int, *data: int) -> bytes:
    """A v7 package."""
    head = 0x80 | sum((byte >> 7) << bit for bit, byte in enumerate(data))
    return bytes((kind, head, *(byte | 0x80 for byte in data)))


def message(*data: int) -> bytes:
    return bytes((*data, sum(data) & 0x7F))


def session(protocol: str = "auto") -> Session:
    return Session(protocol, settle_s="3", repeat_s="never")


def measured(events: Events) -> list[list[str]]:
    return [
        [str(o.value) for o in event.reading.observations] for event in events if isinstance(event, Measured)
    ]


def test_every_documented_frame_says_what_its_document_says(sample_bytes: tuple[dict[str, Any], ...]) -> None:
    frames = [s for s in sample_bytes if s["driver"] == "contec-cms50d" and s.get("dir") != ">"]
    assert frames
    for sample in frames:
        found = decode(load("contec-cms50d"), bytes.fromhex(sample["hex"]))
        assert found.errors == ()
        rejections = [r.status == "rejected" for r in found.readings]
        assert any(rejections) == ("rejected" in sample)
        for name, values in sample.get("expect", {}).items():
            assert [str(reading.value(name)) for reading in found.readings] == values.split()


@given(st.lists(st.integers(0, 255), min_size=7, max_size=7))
def test_every_byte_of_a_package_keeps_its_eighth_bit(data: list[int]) -> None:
    package = packed(0x01, *data)
    assert list(unpacked(package)) == data
    (frame,) = PROTOCOLS["v7"].framer().feed(package)
    assert (frame.content, frame.error) == (package, None)


@given(st.integers(1, 254), st.integers(1, 100))
def test_every_protocol_tells_a_pulse_rate_beyond_127(pulse: int, spo2: int) -> None:
    frames = (
        parse_old(bytes((0x85, 40, (pulse & 0x80) >> 1, pulse & 0x7F, spo2))),
        parse_v7(packed(0x01, 0, 40, 5, pulse, spo2, 0xFF, 0xFF)),
        parse_hid(message(0xEB, 1, 4 | (pulse & 0x80) >> 6, pulse & 0x7F, spo2, 0x7F, 0)),
    )
    assert all(said == (Sample(Decimal(spo2), Decimal(pulse)),) for said in frames)


@pytest.mark.parametrize(
    ("protocol", "frame"),
    [
        ("old", "90 00 00 4a 61"),
        ("old", "85 28 26 4a 61"),
        ("old", "85 28 16 4a 61"),
        ("old", "85 28 06 4a 7f"),
        ("old", "85 28 46 7f 61"),
        ("v7", packed(0x01, 0x80, 0, 0, 65, 97, 0xFF, 0xFF).hex()),
        ("v7", packed(0x01, 0x10, 0, 0, 65, 97, 0xFF, 0xFF).hex()),
        ("v7", packed(0x01, 0, 0x80, 0, 65, 97, 0xFF, 0xFF).hex()),
        ("v7", packed(0x01, 0, 0, 0, 0xFF, 97, 0xFF, 0xFF).hex()),
        ("v7", packed(0x01, 0, 0, 0, 65, 0x7F, 0xFF, 0xFF).hex()),
        ("v7", packed(0x01, 0, 0, 0, 0, 0, 0xFF, 0xFF).hex()),
        ("hid", message(0xEB, 1, 4, 65, 0x7F, 0x7F, 0).hex()),
        ("hid", message(0xEB, 1, 6, 0x7F, 97, 0x7F, 0).hex()),
    ],
)
def test_no_finger_and_no_value_never_give_a_number(protocol: str, frame: str) -> None:
    (reading,) = decode(DRIVER, bytes.fromhex(frame), settings={"protocol": protocol}).readings
    assert (reading.status, reading.observations) == ("rejected", ())


@pytest.mark.parametrize(
    ("stream", "values"),
    [
        (_V7 * 181, ["97", "65"]),
        (_OLD * 181, ["97", "74"]),
        (message(0xEB, 1, 4, 0x51, 0x5F, 0x2C, 0x02).ljust(64, b"\0") * 3, ["95", "81", "3.00"]),
    ],
    ids=["v7", "old", "hid"],
)
def test_the_protocol_shows_in_what_comes(stream: bytes, values: list[str]) -> None:
    assert measured(session().received(stream, "", _AT)) == [values]


def test_a_finger_that_leaves_in_between_is_no_steady_one() -> None:
    stream = (_V7 * 110 + _FINGER_OUT) * 3
    assert measured(session().received(stream, "", _AT)) == []


def test_stored_values_have_no_time_and_are_passed_over() -> None:
    events = session().received(packed(0x0F, 97, 70, 96, 71, 0, 0) * 400, "", _AT)
    assert [type(event) for event in events] == [Progress]


def test_the_stream_is_kept_while_it_comes_and_started_again_where_it_stopped() -> None:
    one = session("v7")
    assert Send(command(0xA1)) in one.connected(_AT)
    one.received(_V7, "", _AT)
    assert Send(command(0xAF)) in one.timer("keep-alive", _AT + timedelta(seconds=4))
    assert Send(command(0xA1)) in one.timer("keep-alive", _AT + timedelta(seconds=8))


def test_nothing_is_ever_deleted_or_set() -> None:
    said = [event for p in ("auto", "v7", "old", "hid") for event in session(p).connected(_AT)]
    codes = {event.data[2] for event in said if isinstance(event, Send) and event.data[0] == 0x7D}
    assert codes.isdisjoint({0xAE, 0xB1, 0xB2})


def test_a_line_that_was_broken_proves_nothing() -> None:
    assert measured(session().received(bytes(500) + _V7 * 181, "", _AT)) == [["97", "65"]]


def test_what_is_no_protocol_of_these_is_reported() -> None:
    events = session().received(b"\x7f" * 3000, "", _AT)
    assert [event.code for event in events if isinstance(event, Fault)] == ["sync", "sync"]


@pytest.mark.parametrize(("protocol", "baudrate"), [("auto", 115200), ("v7", 115200), ("old", 19200)])
def test_the_line_follows_the_protocol(protocol: str, baudrate: int) -> None:
    link = DRIVER.links_for({"protocol": protocol})[0]
    assert isinstance(link, SerialLink)
    assert link.baudrate == baudrate


@given(st.binary(max_size=300), st.sampled_from(["auto", "v7", "old", "hid"]))
def test_no_bytes_make_it_raise(noise: bytes, protocol: str) -> None:
    one = session(protocol)
    one.received(noise + _V7 * 3 + noise + _OLD * 6 + noise, "", _AT)
    one.disconnected(_AT)
    decode(DRIVER, noise, settings={"protocol": protocol})
