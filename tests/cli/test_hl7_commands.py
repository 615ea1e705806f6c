"""What an interface engineer gets from `gateway hl7`: an EHR to test against, a sender, a validator."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hl7.client import MLLPClient

PATIENT = b"PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA||19610417|F\r"
PULSE = (
    b"MSH|^~\\&|GATEWAY|EXAM|EHR|NORTH|20260302091411-0500||ORU^R01^ORU_R01|P1|P|2.5.1\r"
    + PATIENT
    + b"OBR|1||R1^GATEWAY|8867-4^Heart rate^LN|||20260302091405-0500|||||||||||||||20260302091411-0500|||F\r"
    b"OBX|1|NM|8867-4^Heart rate^LN||66|/min^per minute^UCUM|||||F\r"
    b"OBX|2|NM|59408-5^Oxygen saturation^LN||97|%^percent^UCUM|||||F\r"
)


@dataclass
class Listener:
    process: subprocess.Popen[str]
    port: int

    def send(self, message: bytes) -> bytes:
        with MLLPClient("127.0.0.1", self.port) as client:  # type: ignore[no-untyped-call]  # has no types
            answer: bytes = client.send_message(message)
        return answer

    def interrupted(self) -> tuple[int, str]:
        """Ctrl-C; the exit code, and what it printed after its first line."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        assert err == ""
        return self.process.returncode, out


@contextmanager
def listening(*options: object) -> Iterator[Listener]:
    command = [sys.executable, "-m", "gateway", "hl7", "listen", "--port", "0", *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = re.search(r":(\d+);", process.stdout.readline())
        assert port is not None
        yield Listener(process, int(port[1]))
    finally:
        process.kill()
        process.communicate()


def gateway(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "hl7", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def pulse(tmp_path: Path) -> Path:
    (tmp_path / "pulse.hl7").write_bytes(PULSE)
    return tmp_path / "pulse.hl7"


def test_listening_prints_a_line_a_message_and_a_table_at_the_end():
    with listening() as ehr:
        assert b"MSA|AA|P1" in ehr.send(PULSE)
        assert b"MSA|AA|P1" in ehr.send(PULSE)
        code, out = ehr.interrupted()
    first, second, *table = out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d +ORU\^R01 +P1 +2 observations +taken +AA", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d +ORU\^R01 +P1 +2 observations +repeated +AA", second)
    rows = [tuple(cell.strip() for cell in row.split("│")[1:4]) for row in table if "ORU" in row]
    assert (code, rows) == (0, [("ORU^R01", "repeated", "1"), ("ORU^R01", "taken", "1")])


def test_listening_shows_nothing_of_the_patient():
    with listening() as ehr:
        ehr.send(PULSE)
        ehr.send(PULSE.replace(b"|NM|", b"||"))
        _, out = ehr.interrupted()
    assert not [word for word in ("TESTPATIENT", "ALMA", "8834021", "19610417", "66") if word in out]


def test_what_was_received_is_in_the_folder(tmp_path: Path):
    with listening("--dir", tmp_path / "received") as ehr:
        ehr.send(PULSE)
        ehr.interrupted()
    assert (tmp_path / "received" / "000001-P1.hl7").read_bytes() == PULSE


def test_a_fault_is_shown_where_it_strikes():
    with listening("--fault", "nak@100%", "--fault", "split") as ehr:
        with MLLPClient("127.0.0.1", ehr.port) as client:  # type: ignore[no-untyped-call]  # has no types
            client.send_message(PULSE)
        _, out = ehr.interrupted()
    assert re.search(r"refused +AE +\[nak split\]", out)


def test_a_fault_that_is_not_known_is_bad_usage():
    done = gateway("listen", "--fault", "sleepy@10%")
    assert (done.returncode, "choose from silent" in done.stderr) == (2, True)


def test_a_port_that_is_taken_is_one_line():
    with listening() as ehr:
        done = gateway("listen", "--port", ehr.port)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"127.0.0.1:{ehr.port}" in done.stderr


def test_sending_prints_the_acknowledgement(pulse: Path):
    with listening() as ehr:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "MSA|AA|P1"


def test_sending_says_when_it_was_not_accepted(pulse: Path):
    with listening("--fault", "reject") as ehr:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1] == "MSA|AR|P1"
    assert done.stderr.startswith("gateway: P1 is not accepted: 207")


def test_an_acknowledgement_of_another_message_is_no_acceptance(pulse: Path):
    with listening("--fault", "wrong-id") as ehr:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}")
    assert (done.returncode, "names another message" in done.stderr) == (1, True)


def test_a_file_with_line_feeds_is_sent_with_carriage_returns(pulse: Path, tmp_path: Path):
    pulse.write_bytes(PULSE.replace(b"\r", b"\n"))
    with listening("--dir", tmp_path / "received") as ehr:
        gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}")
    assert (tmp_path / "received" / "000001-P1.hl7").read_bytes() == PULSE


def test_the_messages_of_a_batch_are_sent_one_by_one(pulse: Path):
    envelope = b"FHS|^~\\&|GATEWAY\rBHS|^~\\&|GATEWAY\r"
    pulse.write_bytes(envelope + PULSE + PULSE.replace(b"|P1|", b"|P2|") + b"BTS|2\rFTS|1\r")
    with listening() as ehr:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}")
    assert [line for line in done.stdout.splitlines() if line.startswith("MSA")] == ["MSA|AA|P1", "MSA|AA|P2"]


def test_a_receiver_that_is_not_there_is_one_line(pulse: Path):
    with listening() as ehr:
        ehr.interrupted()
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "Connection refused" in done.stderr


def test_a_receiver_that_does_not_answer_is_given_up(pulse: Path):
    with listening("--fault", "silent") as ehr:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}", "--timeout", "0.2")
    assert (done.returncode, "no answer within 0.2 s" in done.stderr) == (2, True)


def test_an_answer_that_is_no_message_is_one_line(pulse: Path):
    with listening("--fault", "garbage", "--seed", "1") as ehr:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{ehr.port}", "--timeout", "0.5")
    assert (done.returncode in {1, 2}, done.stderr.count("\n")) == (True, 1)


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":2575", "localhost:66000", "localhost:mllp"])
def test_an_address_is_a_host_and_a_port(pulse: Path, address: str):
    done = gateway("send", pulse, "--to", address)
    assert (done.returncode, "is not HOST:PORT" in done.stderr) == (2, True)


def test_a_message_that_holds_has_no_faults(pulse: Path):
    done = gateway("validate", pulse)
    assert (done.returncode, done.stdout) == (0, f"{pulse}: 1 messages, no faults\n")


def test_a_result_that_lacks_a_required_field_is_named_by_segment_and_field(pulse: Path):
    pulse.write_bytes(PULSE.replace(b"|8867-4^Heart rate^LN|||2026", b"||||2026"))
    done = gateway("validate", pulse, "--json")
    (fault,) = json.loads(done.stdout)["faults"]
    assert done.returncode == 1
    assert [fault[key] for key in ("message", "segment", "field", "rule")] == [1, "OBR", 4, "required"]


def test_a_message_that_cannot_be_read_is_named_by_segment_and_field(pulse: Path):
    pulse.write_bytes(PULSE.replace(b"|P|2.5.1", b"|P|2.5.1||||||KLINGON"))
    done = gateway("validate", pulse)
    assert (done.returncode, done.stdout.startswith("message 1: MSH-18: encoding: ")) == (1, True)


def test_a_profile_adds_its_rules(pulse: Path):
    pulse.write_bytes(PULSE.replace(b"/min^per minute^UCUM", b""))
    done = gateway("validate", pulse, "--profile", "loinc-2.5.1")
    assert (done.returncode, "OBX[1]-6: profile: a number without its unit" in done.stdout) == (1, True)


def test_a_profile_without_rules_is_bad_usage(pulse: Path):
    assert gateway("validate", pulse, "--profile", "loinc-9").returncode == 2


def test_validating_shows_nothing_of_the_patient(pulse: Path):
    pulse.write_bytes(PULSE.replace(b"OBR|", b"ZZZ|").replace(b"|NM|", b"||"))
    done = gateway("validate", pulse)
    assert done.returncode == 1
    assert not [word for word in ("TESTPATIENT", "ALMA", "8834021", "19610417") if word in done.stdout]


def test_both_commands_speak_tls_and_each_proves_who_it_is(pulse: Path, certificates):
    ehr = certificates.issue("ehr", "127.0.0.1")
    ours = certificates.issue("gateway", "gateway.example")
    trust = ("--tls-ca", certificates.ca)
    with listening("--tls-certificate", ehr, *trust, "--tls-client", "DNS:gateway.example") as listener:
        to = ("send", pulse, "--to", f"127.0.0.1:{listener.port}", *trust)
        taken = gateway(*to, "--tls-certificate", ours)
        anonymous = gateway(*to)
        stranger = gateway(*to, "--tls-certificate", certificates.issue("stranger", "stranger.example"))
        plain = gateway("send", pulse, "--to", f"127.0.0.1:{listener.port}")
        _, out = listener.interrupted()
    assert (taken.returncode, taken.stdout.splitlines()[1]) == (0, "MSA|AA|P1")
    for refused in (anonymous, stranger, plain):
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "does it take our certificate?" in anonymous.stderr
    lines = [line for line in out.splitlines() if line.startswith("client refused: ")]
    assert lines[0] == "client refused: TLS: it shows no certificate"
    assert "CN=stranger" in lines[1]
    assert lines[2] == "client refused: TLS: it does not speak TLS"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--tls",), "its certificate is of a CA that is not in `ca`"),
        (("--tls-pin", "sha256:" + "0" * 64), "its certificate is of a CA that is not in `ca`"),
        (("--tls-ca", "{ca}", "--tls-pin", "sha256:" + "0" * 64), "none of `pins`"),
        (("--tls-ca", "{ca}", "--tls-server-name", "other.example"), "not valid for 'other.example'"),
    ],
)
def test_a_server_that_does_not_hold_is_one_line(
    pulse: Path, certificates, options: tuple[str, ...], line: str
):
    given = [option.format(ca=certificates.ca) for option in options]
    with listening("--tls-certificate", certificates.issue("ehr", "127.0.0.1")) as listener:
        done = gateway("send", pulse, "--to", f"127.0.0.1:{listener.port}", *given)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert line in done.stderr


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("send", "{file}", "--to", "127.0.0.1:2575", "--tls-pin", "abc"), "--tls-pins: not a pin"),
        (("listen", "--tls-ca", "{file}"), "--tls-certificate: field required"),
        (("listen", "--tls-certificate", "{file}", "--tls-client", "CN=a"), "no ca that vouches for them"),
    ],
)
def test_options_that_do_not_fit_are_bad_usage(pulse: Path, command: tuple[str, ...], line: str):
    done = gateway(*(part.format(file=pulse) for part in command))
    assert (done.returncode, line in done.stderr) == (2, True), done.stderr


def test_a_certificate_that_cannot_be_used_ends_listening_before_it_begins(pulse: Path):
    done = gateway("listen", "--port", "0", "--tls-certificate", pulse)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no certificate in PEM form" in done.stderr


def test_the_registration_desk_sends_its_messages_and_tells_each_acknowledgement(tmp_path: Path):
    arrival = (
        b"MSH|^~\\&|REG|NORTH|GATEWAY|NORTH|20260302084112-0500||ADT^A04^ADT_A01|REG1|P|2.5.1\r"
        b"EVN|A04|20260302084112-0500\rPID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA\rPV1|1|O|FAMMED^EXAM3\r"
    )
    (tmp_path / "1.hl7").write_bytes(arrival)
    (tmp_path / "2.hl7").write_bytes(arrival.replace(b"REG1", b"REG2").replace(b"8834021", b""))
    with listening() as door:
        with listening("--adt", tmp_path, "--to", f"127.0.0.1:{door.port}", "--every", "0.01") as desk:
            assert desk.process.stdout is not None
            lines = [desk.process.stdout.readline() for _ in range(2)]
            desk.interrupted()
        door.interrupted()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  sent  ADT\^A04  REG1 +accepted  AA\n", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d  sent  ADT\^A04  REG2 +refused  AE .*PID-3.*\n", lines[1])
    assert "TESTPATIENT" not in "".join(lines)


def test_a_feed_needs_to_know_where_it_goes(pulse: Path):
    done = gateway("listen", "--port", "0", "--adt", pulse)
    assert (done.returncode, "--adt needs --to" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "code"), [((), "AE"), (("--no-check",), "AA"), (("--profile", "loinc-2.5.1"), "AE")]
)
def test_how_strict_the_ehr_is_can_be_chosen(options: tuple[str, ...], code: str):
    unit = PULSE.replace(b"/min^per minute^UCUM", b"" if options else b"/min^per minute^UCUM")
    message = unit if "--profile" in options else unit.replace(b"|66|", b"|fast|")
    with listening(*options) as ehr:
        assert f"MSA|{code}|P1".encode() in ehr.send(message)
