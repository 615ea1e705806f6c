"""What a session fixture may say, and what is said of one that is wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import printable
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.model import Device
from gateway.testing import Exchange, SessionFixture, load_fixture
from gateway.testing.expectation import Expectation, ExpectedEvent, ExpectedFault
from gateway.testing.fixture_writer import exchange_text, fixture_text
from gateway.testing.session_fixture import (
    Characteristic,
    Connection,
    Gatt,
    Property,
    parse_fixture,
    uuid_name,
)

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.toml"))
SESSION = """
[session]
driver = "exemplar-x1"
started_at = 2026-03-02T09:10:00-05:00
origin = "constructed"
"""


def parsed(text: str, folder: Path = Path()) -> SessionFixture:
    return parse_fixture(SESSION + text, name="here.toml", folder=folder)


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_fixture(text, name="here.toml", folder=Path())
    return {problem.where: problem.what for problem in caught.value.problems}


def test_bytes_may_be_written_as_hex_or_as_text():
    fixture = parsed("""
        [[exchange]]
        at = 0
        dir = "<"
        hex = "00 FF 0d0A"
        [[exchange]]
        at = 1.5
        dir = ">"
        channel = "81"
        text = "\\u0002µ\\r\\n"
    """)
    assert fixture.exchanges == (
        Exchange(0.0, "<", b"\x00\xff\r\n"),
        Exchange(1.5, ">", b"\x02\xb5\r\n", channel="81"),
    )


def test_a_file_beside_the_fixture_is_read_and_names_the_channel(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"height=1.72")
    fixture = parsed('[[exchange]]\nat = 0\ndir = "<"\nfile = "a.txt"', tmp_path)
    assert fixture.exchanges == (Exchange(0.0, "<", b"height=1.72", channel="a.txt", file="a.txt"),)


def test_a_characteristic_has_one_name_however_it_is_written():
    full = "00002a35-0000-1000-8000-00805f9b34fb"
    assert {uuid_name(text) for text in ("2A35", "2a35", "00002A35", full, full.upper())} == {"2A35"}
    assert uuid_name("0000FE40-CC7A-482A-984A-7F2ED5B3E58F") == "0000fe40-cc7a-482a-984a-7f2ed5b3e58f"


def test_a_session_may_have_several_connections():
    fixture = parsed("""
        [[exchange]]
        at = 0
        dir = "<"
        text = "a"
        [[exchange]]
        at = 2
        link = "disconnected"
        [[exchange]]
        at = 60
        link = "connected"
        [[exchange]]
        at = 61
        dir = "<"
        text = "b"
    """)
    assert fixture.connections == (
        Connection(0.0, (Exchange(0.0, "<", b"a"),), 2.0),
        Connection(60.0, (Exchange(61.0, "<", b"b"),), None),
    )


def test_a_start_without_an_offset_is_in_the_zone_of_the_session():
    fixture = parse_fixture(
        SESSION.replace("-05:00", "") + 'zone = "Europe/Berlin"\n[[exchange]]\nat = 0\ndir = "<"\nhex = "00"',
        name="here.toml",
        folder=Path(),
    )
    assert fixture.started_at.isoformat() == "2026-03-02T09:10:00+01:00"


def test_every_mistake_is_named_at_once_with_its_key_path():
    assert problems("""
        [session]
        started_at = 2026-03-02T09:10:00
        origin = "dreamt"
        zone = "Mars/Olympus"
        settings = { date_order = 4 }
        colour = "red"
        [session.gatt]
        name = "C1"
        characteristics = [{ service = "180", uuid = "2A35", properties = ["shout"] }]
        [[exchange]]
        at = -1
        dir = "="
        hex = "0G"
        text = ""
        [[exchange]]
        at = 3
        dir = "<"
        hex = "0G"
        [[exchange]]
        at = 2
        dir = "<"
        text = "€"
        [[exchange]]
        at = 4
        link = "connected"
        [[exchange]]
        at = 5
        dir = "<"
        file = "../secret"
        [[expect.reading]]
        kind = "mood"
        observations = [{ name = "temperature", value = 36.8 }, { value = "LO" }]
        [[expect.fault]]
        offset = "4"
    """) == {
        "session.driver": "is missing",
        "session.started_at": "has no offset",
        "session.origin": "'dreamt' is not a choice",
        "session.zone": "no zone is called 'Mars/Olympus'",
        "session.settings.date_order": "4 is not a text",
        "session.colour": "no such key here",
        "session.gatt.characteristics[1].service": "'180' is not a UUID",
        "session.gatt.characteristics[1].properties[1]": "'shout' does not fit",
        "exchange[1].at": "-1 is not a time",
        "exchange[1].dir": "'=' is not a choice",
        "exchange[1].hex": "one of hex and text is wanted",
        "exchange[2].hex": "is not hexadecimal: non-hexadecimal number found in fromhex() arg at position 1",
        "exchange[3].at": "2.0 comes after 3.0",
        "exchange[3].text": "'€' is no single byte",
        "exchange[4].link": "that is so already",
        "exchange[5].file": "'../secret' is not beside the fixture",
        "expect.reading[1].kind": "'mood' is not a choice",
        "expect.reading[1].observations[1].value": "36.8 does not keep the digits",
        "expect.reading[1].observations[2].name": "is missing",
        "expect.reading[1].observations[2].value": "'LO' is not a decimal number",
        "expect.fault[1].code": "is missing",
        "expect.fault[1].offset": "'4' is not a whole number",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "exchange"),
        ("driver = ", "TOML"),
        ('exchange = "none"', "exchange"),
        (
            '[[exchange]]\nat = 0\nlink = "connected"\n[[exchange]]\nat = 1\nlink = "connected"',
            "exchange[2].link",
        ),
        (
            '[[exchange]]\nat = 1\nlink = "disconnected"\n[[exchange]]\nat = 2\ndir = "<"\nhex = ""',
            "exchange[2].at",
        ),
    ],
)
def test_a_fixture_that_cannot_be_played_says_where(text: str, where: str):
    assert where in problems(SESSION + text)


def test_a_fixture_that_is_not_there_is_a_mistake_like_any_other(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"cannot be read.*; give the path"):
        load_fixture(tmp_path / "none.toml")


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_what_is_written_reads_back_the_same(path: Path):
    fixture = load_fixture(path)
    again = parse_fixture(fixture_text(fixture), name=fixture.name, folder=path.parent)
    assert again == fixture


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"S S     72.35 kg\r\n", r'text = "S S     72.35 kg\r\n"'),
        (b"\x021H\\^&\x03", r'text = "\u00021H\\^&\u0003"'),
        (b"\x81\x48\x62", 'hex = "81 48 62"'),
        (bytes(range(0x80, 0x91)), 'hex = """\n80 81 82 83 84 85 86 87 88 89 8A 8B 8C 8D 8E 8F\n90"""'),
    ],
)
def test_bytes_are_written_as_a_person_would_read_them(data: bytes, written: str):
    assert exchange_text(Exchange(4.2, "<", data)) == f'[[exchange]]\nat = 4.2\ndir = "<"\n{written}\n'


texts = st.text(st.characters(codec="utf-8"), max_size=12)
words = st.text(printable, min_size=1, max_size=12)
times = st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000)
uuids = st.integers(0, 0xFFFF).map(lambda number: uuid_name(f"{number:04x}"))
characteristics = st.builds(
    Characteristic,
    service=uuids,
    uuid=uuids,
    properties=st.lists(st.sampled_from(get_args(Property)), max_size=2).map(tuple),
    value=st.binary(max_size=20),
    encrypted=st.booleans(),
)


@st.composite
def connections(draw: st.DrawFn) -> tuple[Connection, ...]:
    made = []
    moments = iter(sorted(draw(st.lists(times, min_size=24, max_size=24))))
    for _ in range(draw(st.integers(1, 3))):
        opened_at = next(moments)
        exchanges = tuple(
            Exchange(next(moments), draw(st.sampled_from("<>")), draw(st.binary(max_size=40)), draw(words))
            for _ in range(draw(st.integers(0, 5)))
        )
        made.append(Connection(opened_at, exchanges, next(moments)))
    return tuple(made)


fixtures = st.builds(
    SessionFixture,
    name=st.just("here.toml"),
    driver=words,
    started_at=st.integers(0, 2**40).map(
        lambda ms: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    ),
    origin=st.sampled_from(["capture", "manual", "constructed"]),
    device=st.builds(Device, vendor=st.none() | words, serial=st.none() | words),
    zone=st.sampled_from([None, "UTC", "America/New_York", "+05:30"]),
    settings=st.dictionaries(words, texts, max_size=2),
    source=texts,
    note=texts,
    gatt=st.none()
    | st.builds(
        Gatt,
        name=words,
        address=st.none() | words,
        advertises=st.lists(uuids, min_size=1, max_size=2).map(tuple),
        characteristics=st.lists(characteristics, max_size=3).map(tuple),
    ),
    connections=connections(),
    expectation=st.builds(
        Expectation,
        readings=st.lists(
            st.just({"kind": "weight", "notes": ["a", "b"], "device": {"id": "x"}}), max_size=2
        ).map(tuple),
        faults=st.lists(
            st.builds(ExpectedFault, words, st.none() | st.integers(0, 99), texts), max_size=2
        ).map(tuple),
        events=st.lists(st.builds(ExpectedEvent, st.just("progress"), words), max_size=2).map(tuple),
    ),
)


@settings(max_examples=60, deadline=None)
@given(fixtures)
def test_any_fixture_that_is_written_reads_back_the_same(fixture: SessionFixture):
    assert parse_fixture(fixture_text(fixture), name=fixture.name, folder=Path()) == fixture
