"""TLS on MLLP through real sockets: who is let in, who is not and why, in both directions."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from structlog.testing import capture_logs

from gateway.cli import run_command
from gateway.errors import TransportError
from gateway.hl7 import parse
from gateway.service import tls
from gateway.service.certificate_watch import CertificateWatch, expiring_files
from gateway.service.certificates import pin_of, read_certificates, subject_of
from gateway.service.configuration import Address, InboundTable
from gateway.service.inbound import InboundServer
from gateway.service.intake import Intake
from gateway.service.mllp_connection import MllpConnection
from gateway.service.tls_settings import ClientTls, ServerTls
from gateway.testing import FakeEhr
from gateway.testing.fake_ehr import send
from gateway.testing.gateway_process import GatewayProcess, LogEvent

STRANGER = trustme.CA(organization_name="Stranger")
ADT = (
    b"MSH|^~\\&|REG|NORTHCLINIC|GATEWAY|EXAM|20260302084112-0500||ADT^A04^ADT_A01|REG1|P|2.5.1\r"
    b"EVN|A04|20260302084112-0500\rPID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA\rPV1|1|O|FAMMED^EXAM3\r"
)


def _ehr(certificates, server: Path | None = None, **more: Any) -> FakeEhr:
    """An EHR that asks its clients for a certificate."""
    own = server or certificates.issue("ehr", "127.0.0.1")
    return FakeEhr(check=lambda _: None, security=ServerTls(ca=certificates.ca, certificate=own, **more))


def _attempt(outbound, ehr: FakeEhr, security: dict[str, Any], timeout_s: float = 20) -> tuple[str, str]:
    """Let a lane send one message until it is acknowledged or was tried twice; its state and the reason."""
    control_id = outbound.queue()

    def is_over() -> bool:
        message = outbound.message(control_id)
        return bool(message.state != "pending" or message.attempts > 1)

    async def run() -> None:
        async with ehr:
            lane = outbound.lane(ehr.port, tls=security, ack_timeout_s=timeout_s)
            async with outbound.running(lane) as until:
                await until(is_over)

    asyncio.run(run())
    state, reason = outbound.state(control_id)
    return str(state), reason.removeprefix("silence: ")


def _mutual(certificates, **more: Any) -> dict[str, Any]:
    return {"ca": certificates.ca, "certificate": certificates.issue("gateway", "gateway.example"), **more}


def _pin(file: Path) -> str:
    return pin_of(read_certificates(file)[0])


def test_both_sides_show_a_certificate_and_the_message_arrives(outbound, certificates):
    ehr = _ehr(certificates)
    assert _attempt(outbound, ehr, _mutual(certificates)) == ("acknowledged", "")
    assert len(ehr.received) == 1


def test_nothing_older_than_tls_1_2_and_only_forward_secrecy(certificates):
    contexts = (
        tls.client_context(ClientTls()),
        tls.server_context(ServerTls(certificate=certificates.issue("ehr"))),
    )
    for context in contexts:
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert all(
            cipher["name"].startswith(("TLS_", "ECDHE-")) and cipher["aead"]
            for cipher in context.get_ciphers()
        )


Prepare = Callable[[Any], tuple[FakeEhr, dict[str, Any]]]
_REFUSALS: dict[str, tuple[Prepare, str]] = {
    "expired": (
        lambda c: (_ehr(c, c.issue("ehr", "127.0.0.1", days=-1)), _mutual(c)),
        "TLS: its certificate has expired",
    ),
    "wrong name": (
        lambda c: (_ehr(c, c.issue("ehr", "other.example")), _mutual(c)),
        "TLS: IP address mismatch, certificate is not valid for '127.0.0.1'",
    ),
    "unknown CA": (
        lambda c: (_ehr(c, c.issue("ehr", "127.0.0.1", authority=STRANGER)), _mutual(c)),
        "TLS: its certificate is of a CA that is not in `ca`",
    ),
    "another key than the pinned one": (
        lambda c: (_ehr(c), _mutual(c, pins=["sha256:" + "0" * 64])),
        ": none of `pins`",
    ),
    "own certificate missing": (
        lambda c: (_ehr(c), {"ca": c.ca}),
        "the receiver closed the connection before any answer; does it take our certificate?",
    ),
    "own certificate of another CA": (
        lambda c: (_ehr(c), {"ca": c.ca, "certificate": c.issue("gateway", authority=STRANGER)}),
        "the receiver closed the connection before any answer; does it take our certificate?",
    ),
    "not among the receiver's clients": (
        lambda c: (_ehr(c, clients=("CN=somebody-else",)), _mutual(c)),
        "the receiver closed the connection before any answer; does it take our certificate?",
    ),
    "a file that is not there": (
        lambda c: (_ehr(c), {"ca": c.folder / "nowhere.pem"}),
        "nowhere.pem: No such file or directory",
    ),
}


@pytest.mark.parametrize("case", _REFUSALS)
def test_a_connection_that_does_not_hold_carries_nothing_and_is_tried_again(
    outbound, certificates, case: str
):
    prepare, line = _REFUSALS[case]
    ehr, security = prepare(certificates)
    state, reason = _attempt(outbound, ehr, security)
    assert (state, ehr.received) == ("pending", [])
    assert line in reason
    assert "\n" not in reason


def test_a_receiver_that_does_not_speak_tls_gets_nothing(outbound, certificates):
    plain = FakeEhr(check=lambda _: None)
    assert _attempt(outbound, plain, _mutual(certificates), 0.2) == ("pending", "no connection within 0.2 s")
    assert plain.received == []


def test_a_lane_that_was_refused_delivers_when_the_certificate_is_renewed_on_disk(outbound, certificates):
    ehr = _ehr(certificates)
    security = _mutual(certificates)
    certificates.issue("gateway", days=-1)
    control_id = outbound.queue()

    async def run() -> None:
        async with ehr, outbound.running(outbound.lane(ehr.port, tls=security, ack_timeout_s=20)) as until:
            await until(lambda: outbound.message(control_id).attempts > 1)
            assert ehr.received == []
            certificates.issue("gateway")
            await until(lambda: outbound.state(control_id)[0] == "acknowledged")

    asyncio.run(run())


@pytest.mark.parametrize(
    "more",
    [{"server_name": "ehr.example"}, {"check_name": False}],
    ids=["the name in the certificate", "no check"],
)
def test_a_server_of_another_name_than_its_address_can_be_configured(
    outbound, certificates, more: dict[str, Any]
):
    ehr = _ehr(certificates, certificates.issue("ehr", "ehr.example"))
    assert _attempt(outbound, ehr, _mutual(certificates, **more))[0] == "acknowledged"


def test_a_certificate_can_be_trusted_by_itself_without_its_authority(outbound, certificates):
    own = certificates.issue("ehr", "127.0.0.1", authority=STRANGER)
    alone = certificates.folder / "alone.pem"
    alone.write_bytes(read_certificates(own)[0].public_bytes(Encoding.PEM))
    assert _attempt(outbound, _ehr(certificates, own), _mutual(certificates, ca=alone))[0] == "acknowledged"


def test_a_pin_outlives_a_renewal_with_the_same_key(outbound, certificates):
    own = certificates.issue("ehr", "127.0.0.1")
    pin = _pin(own)
    _renew(own, certificates.authority)
    assert _attempt(outbound, _ehr(certificates, own), _mutual(certificates, pins=[pin]))[0] == "acknowledged"


def _renew(file: Path, authority: trustme.CA) -> None:
    """Another certificate, of another authority's signature and serial number, for the same key."""
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    (old,) = read_certificates(file)
    signer = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    builder = x509.CertificateBuilder(
        issuer_name=old.issuer,
        subject_name=old.subject,
        public_key=old.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=old.not_valid_before_utc,
        not_valid_after=old.not_valid_after_utc + timedelta(days=90),
        extensions=list(old.extensions),
    )
    renewed = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type] # trustme's keys are EC
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + renewed.public_bytes(Encoding.PEM))
    assert read_certificates(file)[0] != old


def _with_passphrase(file: Path, passphrase: str) -> None:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    certificate = file.read_bytes()[file.read_bytes().index(b"-----BEGIN CERTIFICATE") :]
    secret = BestAvailableEncryption(passphrase.encode())
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret) + certificate)


@pytest.mark.parametrize(
    ("given", "named", "line"),
    [
        ("correct horse", "TLS_PASSPHRASE", None),
        ("wrong horse", "TLS_PASSPHRASE", "the passphrase is wrong"),
        (None, "TLS_PASSPHRASE", "the environment has no TLS_PASSPHRASE"),
        (None, None, "no key that could be read"),
    ],
)
def test_the_passphrase_of_a_key_is_in_the_environment_variable_that_is_named(
    certificates, monkeypatch, given: str | None, named: str | None, line: str | None
):
    file = certificates.issue("gateway")
    _with_passphrase(file, "correct horse")
    if given:
        monkeypatch.setenv("TLS_PASSPHRASE", given)
    table = ClientTls(certificate=file, key_passphrase_env=named)
    if line is None:
        tls.client_context(table)
        return
    with pytest.raises(TransportError, match=line) as refused:
        tls.client_context(table)
    assert "horse" not in str(refused.value)


def test_a_key_of_another_certificate_is_named(certificates):
    table = ClientTls(certificate=certificates.issue("gateway"), key=certificates.issue("other"))
    with pytest.raises(TransportError, match=r"other\.pem: the key is not that of .*gateway\.pem"):
        tls.client_context(table)


@contextmanager
def _other_server(context: ssl.SSLContext | None):
    """A server of another make, which tells a client by an alert why it turns it away; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with suppress(OSError), connection:
            if context is None:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(65536)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join(30)
        listening.close()


def _refused(certificates, context: ssl.SSLContext | None, client: ClientTls) -> str:
    async def run(port: int) -> str:
        with pytest.raises(OSError) as refused:
            await tls.connect("127.0.0.1", port, client)
        return tls.explain(refused.value)

    with _other_server(context) as port:
        return asyncio.run(run(port))


def test_a_server_that_says_why_it_turns_us_away_is_quoted(certificates):
    server = ServerTls(ca=certificates.ca, certificate=certificates.issue("ehr", "127.0.0.1"))
    context = tls.server_context(server)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    own = ClientTls(ca=certificates.ca, certificate=certificates.issue("gateway", authority=STRANGER))
    assert _refused(certificates, context, own) == "TLS: it does not know the CA of our certificate"


def test_a_server_without_modern_ciphers_is_not_talked_to(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.issue("ehr", "127.0.0.1"))
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    line = _refused(certificates, context, ClientTls(ca=certificates.ca))
    assert line == "TLS: it finds no version and cipher in common, or asks for a certificate"


def test_a_server_of_another_protocol_is_named(certificates):
    assert _refused(certificates, None, ClientTls(ca=certificates.ca)) == "TLS: it does not speak TLS"


@asynccontextmanager
async def _door(database, certificates, **more: Any) -> AsyncIterator[InboundServer]:
    """The inbound door, which asks its clients for a certificate."""
    secured = {"ca": certificates.ca, "certificate": certificates.issue("door", "127.0.0.1"), **more}
    server = InboundServer(
        table=InboundTable.model_validate({"listen": "127.0.0.1:0", "tls": secured}),
        database=database,
        intake=Intake(zone=ZoneInfo("America/New_York")),
        now=lambda: datetime.now(UTC),
    )
    await server.open()
    try:
        yield server
    finally:
        await server.close()


def _admit(database, certificates, client: ClientTls | None, **more: Any) -> tuple[str, list[str]]:
    """What a registration desk hears that sends one ADT, and what the log says of it."""

    async def run() -> str:
        async with _door(database, certificates, **more) as door:
            try:
                return (await send(ADT, "127.0.0.1", door.port, security=client)).get("MSA-1")
            except OSError as error:
                return tls.explain(error)

    with capture_logs() as logs:
        heard = asyncio.run(run())
    return heard, [entry["reason"] for entry in logs if entry["event"] == "inbound connection closed"]


def _desk(certificates, *names: str, **more: Any) -> ClientTls:
    return ClientTls(ca=certificates.ca, certificate=certificates.issue("desk", *names, **more))


@pytest.mark.parametrize(
    "clients",
    [
        lambda _: (),
        lambda file: (_pin(file),),
        lambda _: ("DNS:Desk.Example",),
        lambda _: ("CN=desk",),
        lambda file: ("CN=nobody", subject_of(read_certificates(file)[0])),
    ],
    ids=["any of the CA", "by pin", "by alternative name", "by common name", "by whole subject"],
)
def test_a_client_that_is_expected_is_let_in(
    database, certificates, clients: Callable[[Path], tuple[str, ...]]
):
    desk = _desk(certificates, "desk.example")
    assert desk.certificate is not None
    assert _admit(database, certificates, desk, clients=clients(desk.certificate)) == ("AA", [])


@pytest.mark.parametrize(
    ("client", "line"),
    [
        (lambda _: None, "TLS: it does not speak TLS"),
        (lambda c: ClientTls(ca=c.ca), "TLS: it shows no certificate"),
        (lambda c: _desk(c, days=-1), "TLS: its certificate has expired"),
        (lambda c: _desk(c, authority=STRANGER), "TLS: its certificate is of a CA that is not in `ca`"),
    ],
    ids=["plain", "without a certificate", "expired", "unknown CA"],
)
def test_a_client_that_does_not_hold_is_refused_in_one_line(database, certificates, client, line: str):
    heard, refused = _admit(database, certificates, client(certificates))
    assert "receiver closed the connection" in heard or heard == line
    assert refused == [line]


def test_a_client_that_is_not_on_the_list_is_refused_by_its_names(database, certificates):
    desk = _desk(certificates, "desk.example")
    assert desk.certificate is not None
    heard, (line,) = _admit(database, certificates, desk, clients=("CN=somebody-else",))
    assert "does it take our certificate?" in heard
    assert ("CN=desk" in line, _pin(desk.certificate) in line, "none of `clients`" in line) == (
        True,
        True,
        True,
    )


def test_a_client_that_says_nothing_holds_nobody_up(database, certificates):
    async def run() -> str:
        async with _door(database, certificates) as door:
            _, silent = await asyncio.open_connection("127.0.0.1", door.port)
            answer = await send(ADT, "127.0.0.1", door.port, security=_desk(certificates))
            silent.close()
        return answer.get("MSA-1")

    assert asyncio.run(run()) == "AA"


def test_a_message_of_many_records_goes_through_whole(certificates):
    """A TLS record holds 16 kB; a message with a picture does not care."""

    async def run() -> list[str]:
        async with _ehr(certificates) as ehr:
            address = Address(host="127.0.0.1", port=ehr.port)
            connection = await MllpConnection.open(address, 20, ClientTls(**_mutual(certificates)))
            picture = b"A" * 3_000_000
            for number in (1, 2):
                await connection.send(ADT.replace(b"REG1", b"REG%d" % number) + b"NTE|||" + picture + b"\r")
            answers = [parse(await connection.receive()).get("MSA-2") for _ in range(2)]
            await connection.close()
            assert len(ehr.received[1].get("NTE-3")) == len(picture)
            return answers

    assert asyncio.run(run()) == ["REG1", "REG2"]


def test_a_certificate_that_expires_is_named_weeks_before(certificates):
    own = certificates.issue("gateway", days=20.5)
    at = datetime.now(UTC)

    def said(days: float) -> list[str]:
        table = ClientTls(ca=certificates.ca, certificate=own, expiry_warning_days=days)
        return list(map(str, expiring_files({"destinations.ehr.tls": table}, at)))

    (line,) = said(30)
    assert line.startswith("destinations.ehr.tls.certificate: the certificate of ")
    assert "CN=gateway" in line
    assert "expires in 20 days" in line
    assert said(10) == []


def test_the_watch_logs_own_and_peers_certificates_at_start_daily_and_when_a_new_one_comes(certificates):
    own, peer = certificates.issue("gateway", days=5), certificates.issue("ehr", days=3)
    clock = [datetime.now(UTC)]
    table = ClientTls(ca=certificates.ca, certificate=own, key=certificates.folder / "gone.pem")
    watch = CertificateWatch(tables={"destinations.ehr.tls": table}, now=lambda: clock[0])
    (certificate,) = read_certificates(peer)

    async def one_round() -> None:
        running = asyncio.create_task(watch.run())
        await asyncio.sleep(0)
        running.cancel()

    def logged(work: Callable[[], object]) -> list[tuple[str, str]]:
        with capture_logs() as logs:
            work()
        return [(entry["where"], entry["reason"]) for entry in logs]

    (broken, (where, reason)) = logged(lambda: asyncio.run(one_round()))
    assert "gone.pem" in broken[1]
    assert (where, "expires in 4 days" in reason) == ("destinations.ehr.tls.certificate", True)
    ((where, reason),) = logged(lambda: watch.seen("destinations.ehr.tls", certificate))
    assert (where, "CN=ehr" in reason) == ("destinations.ehr.tls, its peer", True)
    assert logged(lambda: watch.seen("destinations.ehr.tls", certificate)) == []
    clock[0] += timedelta(days=4)
    assert [where for where, _ in logged(lambda: asyncio.run(one_round()))] == [
        "destinations.ehr.tls",
        "destinations.ehr.tls.certificate",
        "destinations.ehr.tls, its peer",
    ]


def test_a_lane_tells_the_watch_whom_it_has_met(outbound, certificates):
    ehr, met = _ehr(certificates), list[x509.Certificate | None]()
    control_id = outbound.queue()

    async def run() -> None:
        async with ehr:
            security = _mutual(certificates)
            lane = outbound.lane(ehr.port, tls=security, ack_timeout_s=20, peer_seen=met.append)
            await outbound.settle(lane, control_id)

    asyncio.run(run())
    assert met == [read_certificates(certificates.folder / "ehr.pem")[0]]


def test_checking_the_configuration_reads_the_certificates(certificates, tmp_path: Path, capsys):
    own, file = certificates.issue("gateway", days=12.5), tmp_path / "gateway.toml"
    text = (
        '[site]\nname = "NORTHCLINIC"\nzone = "Europe/Berlin"\n[store]\npath = "gateway.db"\n'
        '[destinations.ehr]\naddress = "127.0.0.1:2575"\n'
        f'[destinations.ehr.tls]\ncertificate = "{own}"\nca = "{certificates.ca}"\n'
    )
    file.write_text(text)
    assert run_command(["config", "check", str(file)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}: destinations.ehr.tls.certificate: the certificate of ")
    assert "expires in 12 days" in line
    file.write_text(text.replace("/ca.pem", "/none.pem"))
    assert run_command(["config", "check", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gateway: {file}: destinations.ehr.tls: ")
    assert line.endswith("none.pem: No such file or directory; correct the path or its rights")


def test_the_running_gateway_speaks_tls_both_ways_and_names_what_expires(certificates, tmp_path: Path):
    """A whole process: its log, its inbound door, and an EHR that asks who it is."""
    own, log = certificates.issue("gateway", "127.0.0.1", days=3.5), list[LogEvent]()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (tmp_path / "gateway.toml").write_text(
        '[site]\nname = "NORTHCLINIC"\nzone = "Europe/Berlin"\n[store]\npath = "gateway.db"\n'
        f'[inbound]\nlisten = "127.0.0.1:{port}"\n'
        f'tls = {{ ca = "{certificates.ca}", certificate = "{own}" }}\n'
        '[destinations.ehr]\naddress = "127.0.0.1:2575"\n'
    )

    async def run() -> tuple[str, str]:
        gateway = GatewayProcess(tmp_path / "gateway.toml", log.append)
        await gateway.start()
        taken = await send(ADT, "127.0.0.1", port, security=_desk(certificates, days=2))
        with pytest.raises(OSError) as plain:
            await send(ADT, "127.0.0.1", port)
        await gateway.stop()
        return taken.get("MSA-1"), tls.explain(plain.value)

    assert asyncio.run(run()) == ("AA", "the receiver closed the connection")
    said = [
        (entry["where"], entry["reason"]) for entry in log if entry["event"] == "certificate to be renewed"
    ]
    assert [where for where, _ in said] == ["inbound.tls.certificate", "inbound.tls, its peer"]
    assert [("expires in 3 days" in said[0][1]), ("CN=desk" in said[1][1])] == [True, True]
    assert [entry["reason"] for entry in log if entry["event"] == "inbound connection closed"] == [
        "TLS: it does not speak TLS"
    ]
