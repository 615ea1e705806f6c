"""What may be relied on from a scrubbed session: the patient is gone, and everything else is as it was."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.codecs.astm_frames import encode_frame
from gateway.codecs.checksum import sum8
from gateway.drivers import load
from gateway.model.serialised import reading_json
from gateway.testing import Exchange, SessionFixture, load_fixture, replay
from gateway.testing.scrub import Scrubber
from gateway.testing.scrub_session import Examined, examine
from gateway.testing.session_fixture import Connection

FIXTURES = Path(__file__).parents[1] / "fixtures"
DRIVERS = ("astm", "gdt", "health-o-meter", "nibp-par", "omron-hbp", "tanita-serial", "visomat")


def _sessions() -> Iterator[Path]:
    for driver in DRIVERS:
        yield from (path for path in sorted((FIXTURES / driver).glob("*.toml")) if path.stem != "specials")


def examined(session: SessionFixture) -> Examined:
    return examine(session, load(session.driver), Scrubber())


def said(session: SessionFixture) -> bytes:
    return b"".join(exchange.data for exchange in session.exchanges if exchange.direction == "<")


def measured(session: SessionFixture) -> str:
    outcome = replay(session, load(session.driver))
    faults = [(fault.code, fault.offset) for fault in outcome.errors]
    return json.dumps([[reading_json(reading) for reading in outcome.readings], faults])


def subjects(session: SessionFixture) -> set[str]:
    readings = replay(session, load(session.driver)).readings
    return {reading.subject for reading in readings if reading.subject}


def session_of(driver: str, *pieces: bytes) -> SessionFixture:
    exchanges = tuple(Exchange(float(at), "<", data) for at, data in enumerate(pieces))
    return SessionFixture(
        name="out.toml",
        driver=driver,
        started_at=datetime(2026, 3, 2, 14, 10, tzinfo=UTC),
        origin="capture",
        connections=(Connection(0.0, exchanges),),
    )


def tanita(fields: str) -> bytes:
    body = b'{0,16,~0,1,~1,1,~2,1,MO,"SC-330",%s,' % fields.encode()
    return b"%sCS,%02X\r\n" % (body, sum8(body))


def scale(subject: bytes, weight: bytes) -> bytes:
    return b"\x1bR\x1bI%s\x1bW%s\x1bH178.70\x1bT5.7\x1bB28\x1bNm\x1bE" % (subject, weight)


@pytest.mark.parametrize("path", [*_sessions()], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_but_the_patient_changes_in_a_real_session(path: Path):
    session = load_fixture(path)
    found = examined(session)
    scrubbed = found.scrubbed()
    assert measured(scrubbed) == measured(session)
    assert not subjects(scrubbed) & subjects(session)
    assert (found.breaking, found.hidden) == ((), ())


@pytest.mark.parametrize(
    ("path", "identifiers"),
    [
        ("tanita-serial/comma", [b"0000004711"]),
        ("health-o-meter/locked", [b"1234567890"]),
        ("omron-hbp/hbp_9030", [b"A-4711", b"00000000000000041877"]),
        ("astm/pentra_xlr", [b"Mohale^Rita", b"19771201"]),
        ("gdt/audiogram", [b"4711", b"09031961", b"J\xf6rg"]),
    ],
)
def test_who_the_patient_is_is_replaced(path: str, identifiers: list[bytes]):
    session = load_fixture(FIXTURES / f"{path}.toml")
    scrubbed = said(examined(session).scrubbed())
    for identifier in identifiers:
        assert identifier in said(session)
        assert identifier not in scrubbed


@pytest.mark.parametrize("path", ["nibp-par/measured", "nibp-par/failed", "visomat/memory"])
def test_long_runs_of_measured_digits_are_nobody_s_number(path: str):
    session = load_fixture(FIXTURES / f"{path}.toml")
    assert examined(session).scrubbed() == session


def test_a_number_out_of_which_the_driver_reads_the_device_stays():
    session = session_of("tanita-serial", tanita('SN,"73100256",ID,"0000000000",Wk,70.1'))
    found = examined(session)
    assert found.measured == (b"73100256",)
    assert found.scrubbed() == session


def test_a_short_identifier_is_replaced_only_where_it_is_one():
    session = session_of("health-o-meter", scale(b"72", b"72.72"))
    scrubbed = examined(session).scrubbed()
    assert b"\x1bW72.72\x1b" in said(scrubbed)
    assert subjects(scrubbed) not in ({"72"}, set())


def test_the_same_identifier_has_the_same_replacement_throughout():
    session = session_of("health-o-meter", scale(b"8834021", b"72.35"), scale(b"8834021", b"70.10"))
    assert len(subjects(examined(session).scrubbed())) == 1


def test_what_the_host_says_of_the_patient_is_replaced_too():
    session = session_of("health-o-meter", scale(b"8834021", b"72.35"))
    asked = Exchange(2.0, ">", b"who is 8834021?")
    (connection,) = session.connections
    session = replace(session, connections=(replace(connection, exchanges=(*connection.exchanges, asked)),))
    scrubbed = examined(session).scrubbed()
    (subject,) = subjects(scrubbed)
    assert scrubbed.exchanges[-1].data == f"who is {subject}?".encode()


def test_an_identifier_torn_between_two_exchanges_is_replaced_in_both():
    whole = scale(b"8834021", b"72.35")
    session = session_of("health-o-meter", whole[:6], whole[6:])
    scrubbed = examined(session).scrubbed()
    assert [len(exchange.data) for exchange in scrubbed.exchanges] == [6, len(whole) - 6]
    assert b"8834021" not in said(scrubbed)


def test_an_identifier_that_its_checksum_does_not_let_go_is_told():
    session = session_of("tanita-serial", tanita('ID,"7",Wk,77.7'), tanita('ID,"0",Wk,77.7'))
    found = examined(session)
    assert (found.breaking, found.replaced) == ((b"7",), ())
    assert found.scrubbed(keep=[b"7"]) == session
    lost = replay(found.scrubbed(), load("tanita-serial"))
    assert ([str(r.value("weight")) for r in lost.readings], len(lost.errors)) == (["77.7"], 1)


def test_an_identifier_that_lies_in_pieces_is_told_where_it_stays():
    """Replacements are random: one that keeps a frame's sum may take a piece of it away."""
    frames = (
        encode_frame(1, b"H|\\^&|||Analyser\rP|1||88", ends_message=False),
        encode_frame(2, b"34021\rO|1|S1||^^^GLU\rR|1|^^^GLU|5.1|mmol/L||||F\rL|1|N\r", ends_message=True),
    )
    session = session_of("astm", b"\x05", *frames, b"\x04")
    assert subjects(session) == {"8834021"}
    found = examined(session)
    assert found.hidden == ("8834021",) or "8834021" not in subjects(found.scrubbed())
