"""A device recorded by a technician, with a simulated one in its place."""

import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gateway.cli import run_command
from gateway.codecs.checksum import sum8
from gateway.testing import Exchange, SessionFixture, load_fixture

TESTING = Path(__file__).parents[1] / "testing"
SESSIONS = TESTING / "sessions"
FIXTURES = TESTING.parent / "fixtures"
WEIGHED = """
[session]
driver = "exemplar-scale"
started_at = 2026-03-02T09:10:00-05:00
origin = "constructed"

[[exchange]]
at = 0.0
dir = ">"
text = "W\\r\\n"

[[exchange]]
at = 0.0
dir = "<"
text = "ID 9912345\\r\\nPATIENT 8834021\\r\\nM72.10,2026-01-15T08:00\\r\\n"

[[exchange]]
at = 0.0
link = "disconnected"
"""

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _invented_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DRIVERS", str(TESTING / "drivers"))


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    path = tmp_path / "weighed.toml"
    path.write_text(WEIGHED, encoding="utf-8")
    return path


@contextmanager
def simulated(session: Path, *options: str) -> Iterator[str]:
    """The port of a simulated device."""
    command = [sys.executable, "-u", "-m", "gateway", "simulate", str(session), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2].removesuffix(";")
    finally:
        process.terminate()
        process.communicate()


def recorded(port: str, out: Path, *options: str, driver: str = "exemplar-scale") -> SessionFixture:
    assert run_command(["record", "--driver", driver, "--port", port, str(out), *options]) == 0
    return load_fixture(out)


def test_a_recording_holds_both_sides_and_passes_its_own_check(scale: Path, tmp_path: Path, capsys: Captured):
    out = tmp_path / "out.toml"
    with simulated(scale, "--tcp", "127.0.0.1:0") as port:
        fixture = recorded(port, out, "--zone", "America/New_York")
    assert (fixture.origin, fixture.zone) == ("capture", "America/New_York")
    assert fixture.exchanges[0] == Exchange(fixture.exchanges[0].at, ">", b"W\r\n")
    assert b"M72.10,2026-01-15T08:00\r\n" in b"".join(e.data for e in fixture.exchanges)
    assert fixture.connections[0].closed_at is not None
    assert run_command(["check", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "weight 72.10 kg | 2026-01-15 08:00:00-05:00 by the device's clock | Exemplar 9912345" in lines


def test_a_recording_has_no_patient_in_it(scale: Path, tmp_path: Path, capsys: Captured):
    out = tmp_path / "out.toml"
    with simulated(scale, "--tcp", "127.0.0.1:0") as port:
        recorded(port, out, "--scrub")
    text = out.read_text(encoding="utf-8")
    assert "8834021" not in text
    assert "9912345" in text
    assert "1 texts that look like a patient's were replaced" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("driver", "session", "readings"), [("nibp-par", "measured", 1), ("tanita-serial", "comma", 5)]
)
def test_a_scrubbed_recording_still_reads_as_the_device_meant(
    driver: str, session: str, readings: int, tmp_path: Path
):
    out, original = tmp_path / "out.toml", FIXTURES / driver / f"{session}.toml"
    closing = tmp_path / "session.toml"
    text = original.read_text(encoding="utf-8")
    closing.write_text(_ended(text), encoding="utf-8")
    with simulated(closing, "--tcp", "127.0.0.1:0", "--speed", "50") as port:
        fixture = recorded(port, out, "--scrub", "--zone", "America/New_York", driver=driver)
    assert len(fixture.expectation.readings) == readings
    assert b"0000004711" not in b"".join(exchange.data for exchange in fixture.exchanges)


def test_a_recording_that_scrubbing_breaks_is_told_and_marked(tmp_path: Path, capsys: Captured):
    body = b'{0,16,~0,1,~1,1,~2,1,MO,"SC-330",ID,"7",Wk,77.7,'
    session, out = tmp_path / "session.toml", tmp_path / "out.toml"
    session.write_text(
        '[session]\ndriver = "tanita-serial"\nstarted_at = 2026-03-02T09:10:00Z\norigin = "constructed"\n'
        f'[[exchange]]\nat = 0.0\ndir = "<"\nhex = "{(b"%sCS,%02X" % (body, sum8(body))).hex()}0D0A"\n'
        '[[exchange]]\nat = 0.1\nlink = "disconnected"\n',
        encoding="utf-8",
    )
    with simulated(session, "--tcp", "127.0.0.1:0") as port:
        arguments = ["record", "--driver", "tanita-serial", "--port", port, str(out), "--scrub"]
        assert run_command(arguments) == 1
    assert "1 of the texts replaced are in frames that no longer read as they did" in capsys.readouterr().err
    fixture = load_fixture(out)
    assert "these read otherwise now" in fixture.note
    assert [fault.code for fault in fixture.expectation.faults] == ["checksum"]


def _ended(session: str) -> str:
    """A session whose device hangs up after its last exchange."""
    before, mark, after = session.partition("[[expect")
    return f'{before}[[exchange]]\nat = 1000.0\nlink = "disconnected"\n\n{mark}{after}'


def test_a_serial_device_is_recorded_until_it_is_unplugged(tmp_path: Path, capsys: Captured):
    out, link = tmp_path / "out.toml", tmp_path / "port"
    session = tmp_path / "session.toml"
    text = (SESSIONS / "ear_temperature.toml").read_text(encoding="utf-8")
    session.write_text(text + '[[exchange]]\nat = 5.0\nlink = "disconnected"\n', encoding="utf-8")
    with simulated(session, "--pty", "--link", str(link), "--speed", "100") as port:
        fixture = recorded(port, out, driver="exemplar-x1")
    assert [reading["kind"] for reading in fixture.expectation.readings] == ["temperature", "temperature"]
    assert [fault.code for fault in fixture.expectation.faults] == ["checksum"]
    assert "unplugged" in capsys.readouterr().err


def test_a_bluetooth_device_is_recorded_by_its_characteristics(tmp_path: Path, capsys: Captured):
    command = [sys.executable, "-u", "-m", "gateway", "simulate", str(SESSIONS / "cuff.toml"), "--ble"]
    process = subprocess.Popen(
        [*command, "--hci-port", "0", "--speed", "100"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    radio = process.stdout.readline().split()[-1]
    try:
        fixture = recorded("ble://C1", tmp_path / "out.toml", "--radio", radio, driver="exemplar-cuff")
    finally:
        process.terminate()
        process.communicate()
    assert [(e.channel, e.data) for e in fixture.exchanges] == [("2A25", b"C1-0007"), ("2A35", b"\x79\x4e")]
    assert len(fixture.expectation.readings) == 1


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("/none/ttyUSB0", "/none/ttyUSB0: no such port; check that the device is plugged in"),
        ("ble://C1", "this driver's devices are not reached by ble://"),
    ],
)
def test_a_port_that_cannot_be_opened_is_told(port: str, said: str, tmp_path: Path, capsys: Captured):
    out = tmp_path / "out.toml"
    assert run_command(["record", "--driver", "exemplar-scale", "--port", port, str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2400", "'2400': not the settings of a serial line; write it as 9600 8N1"),
        ("2400 7E1", "is no serial port that could be set to 2400 7E1; remove it"),
    ],
)
def test_a_line_that_cannot_be_set_is_told(line: str, said: str, tmp_path: Path, capsys: Captured):
    port = ("--port", "socket://127.0.0.1:9", "--line", line)
    assert run_command(["record", "--driver", "exemplar-scale", *port, str(tmp_path / "out.toml")]) == 2
    assert said in capsys.readouterr().err


def test_a_serial_device_is_recorded_on_its_own_line(tmp_path: Path, capsys: Captured):
    device, port = pty.openpty()
    try:
        name = os.ttyname(port)
        options = ["--port", name, "--line", "2400 7E1", "--seconds", "0.1"]
        assert run_command(["record", "--driver", "exemplar-x1", *options, str(tmp_path / "out.toml")]) == 2
        assert termios.tcgetattr(port)[4] == termios.B2400
    finally:
        os.close(device)
        os.close(port)
    assert "2400 7E1 is none of the lines that this driver's devices are known for" in capsys.readouterr().err


def test_a_device_that_says_nothing_leaves_no_file(tmp_path: Path, capsys: Captured):
    out = tmp_path / "out.toml"
    silent = ("--tcp", "127.0.0.1:0", "--fault", "stall")
    with simulated(SESSIONS / "ear_temperature.toml", *silent) as port:
        arguments = ["record", "--driver", "exemplar-x1", "--port", port, str(out), "--seconds", "0.1"]
        assert run_command(arguments) == 2
    assert "neither side said anything; check the cable" in capsys.readouterr().err
    assert not out.exists()


class Streaming:
    """A device server that sends its frames to whoever connects, and waits."""

    def __init__(self, data: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._data = data
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Streaming":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        client, _ = self._server.accept()
        with client:
            client.sendall(self._data)
            with suppress(OSError):
                while client.recv(4096):
                    pass


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_nothing_that_was_decoded_is_lost_however_the_recording_ends(ending: signal.Signals, tmp_path: Path):
    out, data = (
        tmp_path / "out.toml",
        b"".join(b"%d.25\r\nM70.%02d,2026-01-15T08:00\r\n" % (n, n) for n in range(92, 99)),
    )
    with Streaming(data) as device:
        command = [sys.executable, "-u", "-m", "gateway", "record", "--driver", "exemplar-scale"]
        process = subprocess.Popen(
            [*command, "--port", device.url, str(out), "--scrub"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert any("weight 70.98 kg" in line for line in process.stdout)
        process.send_signal(ending)
        process.communicate(timeout=60)
    fixture = load_fixture(out)
    assert b"".join(e.data for e in fixture.exchanges if e.direction == "<") == data
    assert len(fixture.expectation.readings) == (8 if ending is signal.SIGINT else 0)
