"""Held readings that state an identifier: the EHR is asked over a socket, and nothing is guessed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from gateway.hl7 import Message, parse
from gateway.hl7.profiles import PROFILES
from gateway.model import UNKNOWN_TIME, Encounter, Identifier, Observation, Patient, Reading, rejected
from gateway.service import load_configuration
from gateway.service.acceptance import Acceptance
from gateway.service.app import run_service
from gateway.service.configuration import PatientQueryTable, Site
from gateway.service.filing import Filing
from gateway.service.outgoing import Outgoing
from gateway.service.patient_queries import PatientQueries, asked_identifier, query_form
from gateway.service.tls_settings import ServerTls
from gateway.store import Database, audit, encounters, outbox, patients, readings
from gateway.store.readings import StoredReading
from gateway.testing import FakeEhr
from gateway.testing.ehr_faults import Fault
from gateway.testing.talking_scale import write_site

from .conftest import at_work

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", birth_date="19610417")
BEN = Patient((Identifier("77", "NORTH", "MR"),), "TESTPATIENT", "BEN")
SCANNED = Reading(
    kind="weight", observations=(Observation("weight", Decimal("72.40"), "kg"),), subject=" 8834021 "
)
OUTGOING = Outgoing(
    profiles={"ehr": PROFILES["loinc-2.5.1"].between("NORTHCLINIC", ("EHR", "NORTH"))},
    zone=ZoneInfo("America/New_York"),
    now=lambda: NOW,
)
NOBODY = "no patient was in EXAM4 at that time"


@dataclass
class Bench:
    """A store, and queries to an EHR on a port of this machine."""

    database: Database

    def accept(self, reading: Reading = SCANNED, room: str = "EXAM4", at: datetime = NOW) -> int:
        acceptance = Acceptance(
            database=self.database,
            outgoing=OUTGOING,
            longest_encounter=timedelta(hours=2),
            queued=lambda: None,
        )
        accepted = asyncio.run(acceptance.accept("scale", reading, room=room, at=at))
        assert accepted.reading_id is not None
        return accepted.reading_id

    def find(self, reading_id: int) -> StoredReading:
        stored = self.database.do(lambda db: readings.find(db, reading_id))
        assert stored is not None
        return stored

    def held(self, reading_id: int) -> str | None:
        return self.find(reading_id).held

    def waiting(self) -> list[Message]:
        return [parse(m.body) for m in self.database.do(outbox.unsettled)]

    def queries(
        self, port: int, queued: Callable[[], None] = lambda: None, **settings: Any
    ) -> PatientQueries:
        table = PatientQueryTable.model_validate(
            {
                "address": f"127.0.0.1:{port}",
                "authority": "NORTH",
                "answer_timeout_s": 20,
                "longest_backoff_s": 0.02,
                **settings,
            }
        )
        site = Site.model_validate({"name": "NORTHCLINIC", "zone": "America/New_York"})
        return PatientQueries(
            table=table,
            form=query_form(table, site),
            database=self.database,
            outgoing=OUTGOING,
            queued=queued,
        )

    @asynccontextmanager
    async def running(self, queries: PatientQueries) -> AsyncIterator[Callable[..., Any]]:
        """The queries at work; gives a function that waits for something to hold."""
        try:
            async with at_work(queries.run()) as until:
                yield until
        finally:
            await asyncio.sleep(0.05)  # the EHR may not have seen yet that it was connected to, and left

    def settle(self, ehr: FakeEhr, reading_id: int, **settings: Any) -> str | None:
        """Why the reading is held when the EHR was asked; None where it is filed."""
        before = self.held(reading_id)
        told: list[bool] = []

        def is_settled() -> bool:
            held = self.held(reading_id)
            return bool(told) if held is None else held != before

        async def run() -> None:
            async with ehr:
                queries = self.queries(ehr.port, queued=lambda: told.append(True), **settings)
                async with self.running(queries) as until:
                    await until(is_settled)

        asyncio.run(run())
        return self.held(reading_id)


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


def _ehr(*known: Patient, faults: Sequence[str] = (), **settings: Any) -> FakeEhr:
    return FakeEhr(patients=known, faults=tuple(map(Fault.parse, faults)), **settings)


def test_the_patient_whom_the_ehr_names_gets_the_reading_as_if_a_person_had_assigned_it(bench: Bench):
    number = bench.accept()
    ehr = _ehr(ALMA, BEN)
    assert bench.settle(ehr, number) is None
    assert [(d.verdict, d.message and d.message.type) for d in ehr.deliveries] == [("taken", "QBP")]
    (message,) = bench.waiting()
    assert [message.get(path) for path in ("PID-3.1", "PID-3.4", "PID-5.1", "OBX-5")] == [
        "8834021", "NORTH", "TESTPATIENT", "72.40"
    ]  # fmt: skip
    assert bench.database.do(lambda db: patients.known(db, ALMA.id)) == ALMA
    (entry,) = bench.database.do(audit.entries)
    assert (entry.actor, entry.action) == ("PDQ", "reading assigned")


def test_a_patient_whom_adt_has_named_keeps_the_particulars_and_the_visit_of_adt(bench: Bench):
    named = replace(ALMA, given_name="ALMA R")
    visit = Encounter(room="EXAM3", location="FAM^EXAM3", patient=named, opened_at=NOW - timedelta(hours=1))
    bench.database.do(lambda db: encounters.open_encounter(db, visit))
    assert bench.settle(_ehr(ALMA), bench.accept()) is None
    (message,) = bench.waiting()
    assert (message.get("PID-5.2"), message.get("PV1-3.2")) == ("ALMA R", "EXAM3")


@pytest.mark.parametrize(
    ("known", "faults", "why"),
    [
        ((BEN,), (), "the EHR knows no patient of the identifier"),
        ((ALMA, replace(BEN, identifiers=ALMA.identifiers)), (), "the EHR names several patients"),
        ((replace(ALMA, identifiers=(Identifier("8834021", "SOUTH"),)),), (), "the EHR knows no patient"),
        ((ALMA,), ("nak",), "the EHR answered AE"),
        ((ALMA,), ("reject",), "the EHR answered AR"),
        ((ALMA,), ("wrong-id",), "the answer is to another query"),
    ],
)
def test_without_the_one_patient_the_reading_stays_held_and_says_why(bench: Bench, known, faults, why):
    number = bench.accept()
    held = bench.settle(_ehr(*known, faults=faults), number)
    assert held is not None
    assert held.startswith(f"{NOBODY}; PDQ: {why}")
    assert bench.waiting() == []


@pytest.mark.parametrize("seed", range(6))
def test_garbage_is_never_a_patient(bench: Bench, seed):
    number = bench.accept()
    held = bench.settle(_ehr(ALMA, faults=["garbage"], seed=seed), number, answer_timeout_s=0.3)
    assert held is not None
    assert held.startswith(f"{NOBODY}; PDQ: the ")
    assert bench.waiting() == []


@pytest.mark.parametrize(
    ("fault", "timeout_s", "why"),
    [("silent", 0.5, "silence for 0.5 s"), ("close", 60, "the receiver closed the connection")],
)
def test_an_ehr_that_does_not_answer_is_asked_again_until_it_does(bench: Bench, fault, timeout_s, why):
    number = bench.accept()
    reasons: set[str | None] = set()
    silent, answering = _ehr(ALMA, faults=[fault], check=lambda _: None), _ehr(ALMA)

    def was_asked_again() -> bool:
        reasons.add(bench.held(number))
        return len(silent.deliveries) > 2 and f"{NOBODY}; PDQ: the EHR gave no answer: {why}" in reasons

    async def run() -> None:
        async with silent:
            queries = bench.queries(silent.port, answer_timeout_s=timeout_s)
            async with bench.running(queries) as until:
                await until(was_asked_again)
        async with answering, bench.running(bench.queries(answering.port)) as until:
            await until(lambda: bench.held(number) is None)

    asyncio.run(run())
    tags = [d.message.get("QPD-2") for d in silent.deliveries if d.message]
    assert len(set(tags)) == len(tags)
    assert len(bench.waiting()) == 1


def test_an_ehr_that_is_away_is_asked_when_it_is_back_and_the_lanes_are_told(bench: Bench):
    number = bench.accept()
    told: list[bool] = []

    async def run() -> None:
        async with _ehr() as gone:
            port = gone.port
        async with bench.running(bench.queries(port, queued=lambda: told.append(True))) as until:
            await until(lambda: "gave no answer" in (bench.held(number) or ""))
            async with _ehr(ALMA, port=port):
                await until(lambda: bool(told))

    asyncio.run(run())
    assert bench.held(number) is None


def test_one_query_that_is_never_answered_is_in_nobody_elses_way(bench: Bench):
    never, soon = bench.accept(), bench.accept(replace(SCANNED, subject="77"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            data = await reader.readuntil(b"\x1c\r")
            if b"^77" in data:
                async with _ehr(BEN) as ehr:
                    answered = await ehr.send(data[1:-2], "127.0.0.1", ehr.port)
                writer.write(b"\x0b" + answered.encode() + b"\x1c\r")
            await reader.read()
        finally:
            writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with bench.running(bench.queries(port, answer_timeout_s=0.5)) as until:
                await until(lambda: bench.held(soon) is None)

    asyncio.run(run())
    held = bench.held(never)
    assert held is not None
    assert held.startswith(f"{NOBODY}; PDQ: the EHR gave no answer: ")


def test_a_reading_that_comes_while_the_gateway_runs_is_asked_about(bench: Bench):
    number = bench.accept()

    async def run() -> None:
        async with _ehr(ALMA) as ehr:
            queries = bench.queries(ehr.port, at_start=0)
            async with bench.running(queries) as until:
                queries.ask(number)
                queries.ask(number)
                await until(lambda: bench.held(number) is None)
                queries.ask(number)
                await asyncio.sleep(0.05)
            assert len(ehr.deliveries) == 1

    asyncio.run(run())


def test_only_so_many_of_those_held_before_are_asked_about_at_the_start(bench: Bench):
    first, last = bench.accept(), bench.accept(replace(SCANNED, sequence="2"))
    assert bench.settle(_ehr(ALMA), last, at_start=1) is None
    assert bench.held(first) == NOBODY


def test_what_a_person_decides_while_the_ehr_is_asked_stands(bench: Bench):
    number = bench.accept()
    ehr = _ehr(ALMA, faults=["slow"], slow_s=0.3)

    def withdraw(db: sqlite3.Connection) -> None:
        Filing(outgoing=OUTGOING, actor="nurse").withdraw(db, number, "wrong cuff")

    async def run() -> None:
        async with ehr, bench.running(bench.queries(ehr.port)) as until:
            await until(lambda: bool(ehr.deliveries))
            bench.database.do(withdraw)
            await asyncio.sleep(0.5)

    asyncio.run(run())
    assert bench.find(number).withdrawn == "wrong cuff"
    assert bench.waiting() == []


@pytest.mark.parametrize(
    "reading",
    [
        replace(SCANNED, subject=None),
        replace(SCANNED, subject="  "),
        replace(SCANNED, doubt=UNKNOWN_TIME),
        replace(rejected("weight", "it moved"), subject="8834021"),
        SCANNED.taken(NOW + timedelta(hours=1), by="device"),
    ],
)
def test_nobody_is_asked_about_what_only_a_person_can_settle(bench: Bench, reading):
    assert asked_identifier(bench.find(bench.accept(reading))) is None


def test_a_reading_that_its_room_gives_a_patient_is_not_asked_about(bench: Bench):
    here = Encounter(room="EXAM4", patient=BEN, opened_at=NOW - timedelta(minutes=5))
    bench.database.do(lambda db: encounters.open_encounter(db, here))
    assert asked_identifier(bench.find(bench.accept())) is None


def test_nobody_is_asked_where_the_room_names_a_patient_who_is_not_beyond_doubt(bench: Bench):
    long_here = Encounter(room="EXAM4", patient=BEN, opened_at=NOW - timedelta(hours=5))
    bench.database.do(lambda db: encounters.open_encounter(db, long_here))
    stored = bench.find(bench.accept())
    assert stored.held == "the identifier that was entered at the device is not this patient's"
    assert asked_identifier(stored) is None


def test_the_log_names_nothing_of_the_patient(bench: Bench):
    with capture_logs() as logs:
        bench.settle(_ehr(ALMA), bench.accept())
        bench.settle(_ehr(BEN), bench.accept(replace(SCANNED, sequence="2")))
        bench.settle(_ehr(ALMA, faults=["nak"]), bench.accept(replace(SCANNED, sequence="3")))
    assert {entry["event"] for entry in logs} >= {
        "reading filed by patient query", "patient query without a patient"
    }  # fmt: skip
    assert all(word not in str(logs) for word in ("8834021", "TESTPATIENT", "ALMA", "19610417"))


def test_a_query_goes_over_tls_and_to_no_stranger(bench: Bench, certificates):
    server = ServerTls(ca=certificates.ca, certificate=certificates.issue("ehr", "127.0.0.1"))
    own = {"ca": certificates.ca, "certificate": certificates.issue("gateway", "gateway")}
    first = bench.accept()
    assert bench.settle(_ehr(ALMA, security=server), first, tls=own) is None
    ehr = _ehr(ALMA, security=server)
    second = bench.accept(replace(SCANNED, sequence="2"))
    held = bench.settle(ehr, second, tls={**own, "pins": ["sha256:" + 64 * "0"]})
    assert held is not None
    assert "gave no answer" in held
    assert ehr.deliveries == []


def _scanning_site(folder: Path, ehr: int, scale: int) -> Path:
    """A site whose scale states the scanned identifier, in a room where nobody was registered."""
    configuration = write_site(folder, inbound=0, ehr=ehr, scale=scale)
    driver = folder / "drivers" / "talking_scale.py"
    driver.write_text(driver.read_text().replace("sequence=text", 'sequence=text, subject="8834021"'))
    with configuration.open("a") as file:
        file.write(f'[patients.query]\naddress = "127.0.0.1:{ehr}"\nauthority = "NORTH"\n')
    return configuration


def test_the_running_gateway_asks_for_what_its_devices_say(tmp_path: Path):
    async def weigh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"72.40\n")
        await reader.read()
        writer.close()

    async def run() -> list[Message]:
        stop = asyncio.Event()
        async with _ehr(ALMA) as ehr, await asyncio.start_server(weigh, "127.0.0.1", 0) as scale:
            port = scale.sockets[0].getsockname()[1]
            site = _scanning_site(tmp_path, ehr.port, port)
            gateway = asyncio.create_task(run_service(load_configuration(site), stop))
            await ehr.wait_for(2, timeout_s=100)
            stop.set()
            await gateway
            return ehr.received

    query, result = asyncio.run(run())
    assert (query.type, query.get("QPD-3[1].2")) == ("QBP", "8834021")
    assert (result.type, result.get("PID-3.1"), result.get("OBX-5")) == ("ORU", "8834021", "72.40")
