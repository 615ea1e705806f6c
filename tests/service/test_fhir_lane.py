"""A lane to a FHIR server: whatever the server does, a reading is filed once or waits where it is seen."""

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs

from gateway.fhir import FhirProfile
from gateway.service.destinations import FhirTable
from gateway.service.fhir_sender import FhirSender
from gateway.store import Database, outbox
from gateway.testing.ehr_faults import Fault
from gateway.testing.fake_fhir import FakeFhirServer

from .lane_rig import BEN, Rig

MRN = "https://north.example.org/mrn"
PATIENTS = ((MRN, "8834021"), (MRN, "77"))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Database(tmp_path / "gateway.db") as database:
        yield Rig(database, FhirProfile(identifier_systems={"NORTH": MRN}))


def _table(address: str, **settings: object) -> FhirTable:
    return FhirTable.model_validate(
        {
            "address": address,
            "profile": "fhir-r4",
            "identifier_systems": {"NORTH": MRN},
            "longest_backoff_s": 0.02,
            **settings,
        }
    )


def _deliver(
    rig: Rig, server: FakeFhirServer, done: Callable[[], bool] | None = None, **settings: object
) -> None:
    async def run() -> None:
        async with server:
            table = _table(server.address, **settings)
            await rig.run(table, FhirSender(table), done)

    asyncio.run(run())


def _server(*faults: str, **settings: Any) -> FakeFhirServer:
    return FakeFhirServer(patients=PATIENTS, faults=tuple(map(Fault.parse, faults)), **settings)


def _values(server: FakeFhirServer) -> list[str]:
    return [str(resource["valueQuantity"]["value"]) for resource in server.of_type("Observation")]


def test_readings_are_filed_with_their_digits_in_order(rig: Rig):
    for weight in ("72.40", "72.5", "72"):
        rig.accept(weight)
    server = _server()
    _deliver(rig, server)
    assert _values(server) == ["72.40", "72.5", "72"]
    assert {o["subject"]["reference"] for o in server.of_type("Observation")} == {"Patient/1"}
    assert rig.states() == []


@pytest.mark.parametrize("fault", ["silent", "close", "garbage", "wrong-id", "late", "nak"])
def test_whatever_is_no_answer_the_same_bytes_go_again_and_are_filed_once(rig: Rig, fault: str):
    rig.accept("72.40")
    server = _server(f"{fault}@50", seed=1, late_s=4.0)
    _deliver(rig, server, tries=50, ack_timeout_s=2.0)
    assert len(server.bodies) > 1
    assert len(set(server.bodies)) == 1
    assert _values(server) == ["72.40"]
    assert len(server.of_type("Provenance")) == 1


def test_a_refusal_is_tried_a_few_times_and_parked_with_its_reason(rig: Rig):
    number = rig.accept("72.40")
    server = _server("reject")
    _deliver(rig, server, tries=3)
    (message,) = rig.messages(number)
    assert (message.state, len(server.bodies)) == ("parked", 3)
    assert message.reason == "error: processing refused by a fault that was asked for"
    assert server.of_type("Observation") == []


def test_a_patient_whom_the_server_does_not_have_parks_the_message_and_no_log_names_it(rig: Rig):
    number = rig.accept("72.40")
    with capture_logs() as logs:
        server = FakeFhirServer(patients=())
        _deliver(rig, server, lambda: any(str(e["event"]).startswith("parked") for e in logs), tries=2)
    (message,) = rig.messages(number)
    assert message.state == "parked"
    assert "8834021" in message.reason
    assert "8834021" not in str(logs)
    assert any(entry.get("code") == "404" for entry in logs)


def test_a_parked_message_can_be_sent_again_by_a_person(rig: Rig):
    number = rig.accept("72.40")
    _deliver(rig, FakeFhirServer(patients=()), tries=1)
    (message,) = rig.messages(number)
    rig.database.do(lambda db: outbox.retry(db, message, message.created_at, "nurse"))
    server = _server()
    _deliver(rig, server)
    assert _values(server) == ["72.40"]


def test_a_withdrawal_finds_what_was_filed_and_marks_it_in_error(rig: Rig):
    number, server = rig.accept("72.40"), _server()
    _deliver(rig, server)
    kept = server.resources
    rig.database.do(lambda db: rig.filing.withdraw(db, number, "wrong scale"))
    again = _server()

    async def run() -> None:
        async with again:
            again.resources = kept
            table = _table(again.address)
            await rig.run(table, FhirSender(table))

    asyncio.run(run())
    (observation,) = again.of_type("Observation")
    assert observation["status"] == "entered-in-error"
    assert observation["valueQuantity"]["value"] == Decimal("72.40")
    assert len(again.of_type("Provenance")) == 2


def test_a_reading_of_another_patient_is_in_error_with_the_first_and_new_with_the_second(rig: Rig):
    number, server = rig.accept("72.40"), _server()
    first_of_all = []

    async def run() -> None:
        async with server:
            table = _table(server.address)
            await rig.run(table, FhirSender(table))
            first_of_all.extend(server.of_type("Observation"))
            await asyncio.to_thread(rig.database.do, lambda db: rig.filing.assign(db, number, BEN))
            await rig.run(table, FhirSender(table))

    asyncio.run(run())
    assert [(o["status"], o["subject"]["reference"]) for o in server.of_type("Observation")] == [
        ("entered-in-error", "Patient/1"),
        ("corrected", "Patient/2"),
    ]
    assert [o["status"] for o in first_of_all] == ["final"]


def test_a_server_that_asks_for_a_pause_gets_it(rig: Rig):
    number = rig.accept("72.40")

    async def run() -> None:
        async with _server("nak", retry_after="600") as server:
            table = _table(server.address)
            await rig.run(table, FhirSender(table), done=lambda: rig.messages(number)[0].attempts > 0)

    asyncio.run(run())
    (message,) = rig.messages(number)
    assert message.not_before is not None
    attempt = rig.database.do(lambda db: outbox.attempts(db, message.id))[0]
    assert (message.not_before - attempt.at).total_seconds() == 600


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405, 500])
def test_what_is_no_fhir_server_keeps_the_message_waiting_and_is_not_followed(rig: Rig, status: int):
    number, asked = rig.accept("72.40"), list[str]()

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/stolen"})

    async def run() -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", elsewhere)
        async with _site(application) as port:
            table = _table(f"http://127.0.0.1:{port}/fhir")
            await rig.run(table, FhirSender(table), done=lambda: rig.messages(number)[0].attempts > 4)

    asyncio.run(run())
    (message,) = rig.messages(number)
    assert message.state == "pending"
    assert set(asked) == {"/fhir"}
    assert message.reason.startswith(f"silence: HTTP {status}")


def test_a_server_that_is_not_there_is_waited_for(rig: Rig):
    number = rig.accept("72.40")
    table = _table("http://127.0.0.1:9/fhir")
    asyncio.run(rig.run(table, FhirSender(table), done=lambda: rig.messages(number)[0].attempts > 1))
    assert rig.messages(number)[0].reason == "silence: 127.0.0.1:9: Connection refused"


class _Site:
    def __init__(self, application: web.Application) -> None:
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)

    async def __aenter__(self) -> int:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        port: int = self.runner.addresses[0][1]
        return port

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


def _site(application: web.Application) -> _Site:
    return _Site(application)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_certificate_is_verified_or_nothing_is_sent(rig: Rig, tmp_path: Path, is_trusted: bool):
    number, authority = rig.accept("72.40"), trustme.CA()
    security = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(security)
    (authority if is_trusted else trustme.CA()).cert_pem.write_to_path(tmp_path / "ca.pem")
    server = _server(security=security)

    async def run() -> None:
        async with server:
            table = _table(server.address, tls={"ca": tmp_path / "ca.pem"})
            sender = FhirSender(table)
            await rig.run(table, sender, done=lambda: rig.messages(number)[0].attempts > 0)

    asyncio.run(run())
    (message,) = rig.messages(number)
    assert message.state == ("acknowledged" if is_trusted else "pending")
    assert len(server.bodies) == is_trusted
    assert is_trusted or message.reason.endswith("TLS: its certificate is of a CA that is not in `ca`")


def test_a_token_is_read_from_the_environment_each_time(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    number, server = rig.accept("72.40"), _server(token="s3cret")
    monkeypatch.setenv("EHR_TOKEN", "outdated")

    async def run() -> None:
        async with server:
            table = _table(server.address, login={"token_env": "EHR_TOKEN"})
            sender = FhirSender(table)
            await rig.run(table, sender, done=lambda: rig.messages(number)[0].attempts > 4)
            assert rig.messages(number)[0].reason == "silence: HTTP 401: the login is refused"
            os.environ["EHR_TOKEN"] = "s3cret"
            await rig.run(table, sender)

    asyncio.run(run())
    assert _values(server) == ["72.40"]


@dataclass
class Authority:
    """Gives each client that proves itself another token, and tells the FHIR server which is the latest."""

    server: FakeFhirServer
    lives_s: int = 3600
    proofs: list[dict[str, str]] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.proofs.append(form)
        self.logins.append(request.headers.get("Authorization"))
        if form.get("scope") == "refused":
            return web.json_response({"error": "invalid_scope", "error_description": "ALMA"}, status=400)
        self.server.token = f"token-{len(self.proofs)}"
        return web.json_response({"access_token": self.server.token, "expires_in": self.lives_s})


def _log_in(
    rig: Rig,
    server: FakeFhirServer,
    authority: Authority,
    login: dict[str, str],
    rounds: int = 1,
    done: Callable[[], bool] | None = None,
) -> None:
    async def run() -> None:
        application = web.Application()
        application.router.add_post("/token", authority.answer)
        async with server, _site(application) as port:
            url = f"http://127.0.0.1:{port}/token"
            table = _table(server.address, login={"token_url": url, "client_id": "gateway", **login})
            sender = FhirSender(table)
            await rig.run(table, sender, done)
            for _ in range(rounds - 1):
                server.token = "another: the one that was given is revoked"
                await asyncio.to_thread(rig.accept, "72.5")
                await rig.run(table, sender, done)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EHR_SECRET", "hush")
        asyncio.run(run())


def test_a_token_is_asked_for_once_and_again_when_it_is_refused(rig: Rig):
    rig.accept("72.40")
    rig.accept("72.41")
    server = _server(token="none yet")
    authority = Authority(server)
    _log_in(rig, server, authority, {"secret_env": "EHR_SECRET", "scope": "system/*.cruds"}, rounds=2)
    assert _values(server) == ["72.40", "72.41", "72.5"]
    assert len(authority.proofs) == 2
    assert authority.proofs[0] == {"grant_type": "client_credentials", "scope": "system/*.cruds"}
    assert authority.logins[0] == "Basic Z2F0ZXdheTpodXNo"


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_client_with_a_key_proves_itself_by_an_assertion(rig: Rig, tmp_path: Path, kind: str):
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP384R1())
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    rig.accept("72.40")
    server = _server(token="none yet")
    authority = Authority(server)
    _log_in(rig, server, authority, {"key_file": str(file), "key_id": "2026"})
    (proof,) = authority.proofs
    assert proof["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    header = jwt.get_unverified_header(proof["client_assertion"])
    assert (header["kid"], header["alg"]) == ("2026", "RS384" if kind == "rsa" else "ES384")
    audience = jwt.decode(proof["client_assertion"], options={"verify_signature": False})["aud"]
    claims = jwt.decode(proof["client_assertion"], key.public_key(), [header["alg"]], audience=audience)
    assert (claims["iss"], claims["sub"]) == ("gateway", "gateway")
    assert claims["exp"] - claims["iat"] <= 300
    assert audience.endswith("/token")
    assert _values(server) == ["72.40"]


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"secret_env": "EHR_SECRET", "scope": "refused"}, "no token, HTTP 400 invalid_scope"),
        ({"secret_env": "NOT_THERE"}, "no secret of one line in the environment variable NOT_THERE"),
        ({"secret_file": "/nowhere"}, "/nowhere cannot be read"),
        ({"key_file": "/nowhere"}, "/nowhere: No such file or directory"),
    ],
)
def test_a_login_that_fails_sends_nothing_and_says_why_without_the_servers_words(
    rig: Rig, login: dict[str, str], reason: str
):
    number, server = rig.accept("72.40"), _server()
    done = partial(_has_tried, rig, number)
    _log_in(rig, server, Authority(server), login, done=done)
    (message,) = rig.messages(number)
    assert message.reason.startswith(f"silence: login: {reason}")
    assert "ALMA" not in message.reason
    assert message.begun_at is None
    assert server.bodies == []


def _has_tried(rig: Rig, number: int) -> bool:
    return rig.messages(number)[0].attempts > 0
