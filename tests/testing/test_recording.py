"""What may be relied on from a recording: whole at every moment, and no patient in it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drivers import Conversation, load
from gateway.errors import GatewayError
from gateway.model import Device
from gateway.testing import SessionFixture, load_fixture
from gateway.testing.recorder import Recorder, RecordingFile
from gateway.testing.scrub import Scrubber, suspects
from gateway.testing.scrub_session import examine
from gateway.testing.session_fixture import Connection
from gateway.transports import Received
from gateway.transports.stream import Stream

START = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
HEAD = SessionFixture(
    name="out.toml",
    driver="exemplar-scale",
    started_at=START,
    origin="capture",
    device=Device(serial="9912345"),
    connections=(Connection(0.0, ()),),
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"PATIENT 8834021\r\n", [b"8834021"]),
        (b"PID|||0012345^^^NORTH||DOE^JANE^Q", [b"0012345", b"DOE^JANE^Q"]),
        (b"ST,+00065.40 kg\r\n", []),
        (b"1234567.5 and 0.1234567", []),
        (b"OL,+9999999E+19\r\n", []),
        (b"20260302 20260302091405", []),
        (b"20261302", [b"20261302"]),
        (b"NA1000060130067086", []),
        (b"P118076090;R068", []),
        (b"+0000120", []),
        (b"EXC=000800", []),
        (b"MRN8834021", [b"8834021"]),
        (b"\x023P|1|8834021||X7|DOE^JANE||19610417|F|||ELM ST 1\r", [b"8834021", b"X7", b"DOE", b"JANE"]),
        (b"01380006310\r\n0133101Meier\r\n", [b"Meier"]),
    ],
)
def test_what_looks_like_a_patient_is_found(data: bytes, found: list[bytes]):
    assert set(found) <= set(suspects(data))
    assert found or not list(suspects(data))


@settings(max_examples=50)
@given(st.from_regex(rb"[0-9]{6,12}|[A-Z][a-z]{5,9}", fullmatch=True))
def test_a_replacement_fits_in_the_place_of_what_it_replaces(text: bytes):
    scrubber = Scrubber()
    scrubber.replace(text)
    replacement = scrubber.replacements[text]
    assert len(replacement) == len(text)
    assert [chr(byte).isdigit() for byte in replacement] == [chr(byte).isdigit() for byte in text]
    assert [chr(byte).isupper() for byte in replacement] == [chr(byte).isupper() for byte in text]


def test_a_replacement_keeps_simple_checksums():
    scrubber = Scrubber()
    scrubber.replace(b"8834021")
    replacement = scrubber.replacements[b"8834021"]
    assert replacement != b"8834021"
    assert (sum(replacement), reduce(xor, replacement)) == (sum(b"8834021"), reduce(xor, b"8834021"))


@given(st.text(st.sampled_from("0123456789"), min_size=6, max_size=20))
def test_a_replacement_keeps_the_checksums_of_any_number_that_has_another_of_its_kind(text: str):
    number = text.encode() + b"05"
    scrubber = Scrubber()
    scrubber.replace(number)
    replacement = scrubber.replacements[number]
    assert replacement != number
    assert (sum(replacement), reduce(xor, replacement)) == (sum(number), reduce(xor, number))


def test_a_recording_that_was_killed_says_so_itself(tmp_path: Path):
    path = tmp_path / "out.toml"
    with RecordingFile(path, HEAD) as file:
        file.add("<", b"8834021", "", after(0))
        file.write_out()
        assert "the recorder was killed" in load_fixture(path).note
    assert file.recorded().note == ""


def test_the_same_text_is_replaced_the_same_way_everywhere():
    scrubber = Scrubber()
    scrubber.found_in(b"A 8834021 B 8834021 C 7712345")
    first, second = scrubber.replacements[b"8834021"], scrubber.replacements[b"7712345"]
    assert scrubber.scrubbed(b"7712345,8834021") == second + b"," + first
    assert first != second


def test_the_devices_own_number_is_nobodys():
    scrubber = Scrubber(innocent={b"SN-9912345"})
    scrubber.found_in(b"SN-9912345 9912345")
    assert scrubber.replacements == {}


def test_a_recording_is_a_fixture_after_every_exchange(tmp_path: Path):
    path = tmp_path / "out.toml"
    with RecordingFile(path, HEAD) as file:
        for number in range(3):
            file.add("<", b"72.35\r\n", "", after(number))
            file.write_out()
            assert len(load_fixture(path).exchanges) == number + 1
        file.ended(after(4.0004))
    assert load_fixture(path).connections[0].closed_at == 4.0


def test_an_identifier_torn_between_two_pieces_never_reaches_the_disk(tmp_path: Path):
    path = tmp_path / "out.toml"
    with RecordingFile(path, HEAD) as file:
        file.add("<", b"PATIENT 883", "", after(0))
        assert "883" not in path.read_text(encoding="utf-8")
        file.add("<", b"4021\r\n", "", after(0.1))
        file.write_out()
        file.add("<", b"PATIENT 8834021\r\n", "", after(1))
    first, second, third = (exchange.data for exchange in load_fixture(path).exchanges)
    assert b"8834021" not in first + second + third
    assert first + second == third
    assert len(first) == len(b"PATIENT 883")


def test_what_a_person_wants_to_keep_comes_back(tmp_path: Path):
    path = tmp_path / "out.toml"
    with RecordingFile(path, HEAD) as file:
        file.add("<", b"8834021 7712345", "", after(0))
    driver = load("exemplar-scale", folder=Path(__file__).parent / "drivers")
    file.rewrite(examine(file.recorded(), driver, file.scrubber).scrubbed(keep=[b"7712345"]))
    (exchange,) = load_fixture(path).exchanges
    assert exchange.data.endswith(b" 7712345")
    assert not exchange.data.startswith(b"8834021")


def test_what_the_driver_calls_the_patient_is_replaced_whatever_it_looks_like(tmp_path: Path):
    path = tmp_path / "out.toml"
    with RecordingFile(path, HEAD) as file:
        file.add("<", b"X7;", "", after(0))
        file.scrubber.replace(b"X7")
    (exchange,) = load_fixture(path).exchanges
    assert exchange.data != b"X7;"


class QuickDevice(Stream):
    """It answers before the gateway has noted that it asked, and its transport says so."""

    def __init__(self, said: list[bytes]) -> None:
        self._said = said

    @property
    def device(self) -> Device:
        return Device()

    async def receive(self) -> Received | None:
        earlier = datetime.now(UTC) - timedelta(seconds=5)
        return Received(self._said.pop(0), "", earlier) if self._said else None

    async def send(self, data: bytes, channel: str) -> None: ...

    async def close(self) -> None: ...


def test_a_recording_is_in_the_order_in_which_the_driver_saw_it(tmp_path: Path):
    path = tmp_path / "out.toml"
    driver = load("exemplar-scale", folder=Path(__file__).parent / "drivers")
    head = replace(HEAD, started_at=datetime.now(UTC) - timedelta(seconds=10))
    with RecordingFile(path, head) as file:
        device = QuickDevice([b"M72.10,2026-01-15T08:00\r\n", b"M72.15,2026-01-15T08:01\r\n"])
        asyncio.run(Recorder(Conversation.start(driver, {}), device, file, lambda _: None).run())
    fixture = load_fixture(path)
    assert [exchange.direction for exchange in fixture.exchanges] == [">", "<", "<"]
    times = [exchange.at for exchange in fixture.exchanges]
    assert times == sorted(times)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path):
    path = tmp_path / "out.toml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(GatewayError, match="File exists; choose another name"), RecordingFile(path, HEAD):
        pass
    assert path.read_text(encoding="utf-8") == "mine"
