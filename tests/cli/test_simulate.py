"""A simulated device, as a technician switches it on."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from gateway.cli import run_command
from gateway.drivers import BleLink
from gateway.testing.ble_room import BluetoothRoom
from gateway.transports import open_transport

SESSIONS = Path(__file__).parents[1] / "testing" / "sessions"
EAR = b"T,0042,36.8,C,E*47\r\n\x00\xffT,\r\nB\r\nT,0043,LO,C,E*56\r\n"


@contextmanager
def simulated(session: str, *options: str) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-u", "-m", "gateway", "simulate", str(SESSIONS / session), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_device_on_a_serial_port_plays_and_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "thermometer"
    with simulated("ear_temperature.toml", "--pty", "--link", str(path), "--speed", "1000") as process:
        assert line(process) == f"exemplar-x1 at {path}; Ctrl-C ends it\n"
        with serial.Serial(str(path), timeout=20) as port:
            assert port.read(len(EAR)) == EAR
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not path.is_symlink()


def test_a_device_behind_a_tcp_port_plays_once_and_ends():
    with simulated("ear_temperature.toml", "--tcp", "127.0.0.1:0", "--once", "--speed", "1000") as process:
        port = int(line(process).split(";")[0].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
            assert connected.makefile("rb").read(len(EAR)) == EAR
            out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[0] == r'    0.000 < "T,0042,36.8,C,E*47\r\n"'
    assert out.splitlines()[-1] == "the host has taken everything"


async def value(radio: str) -> bytes:
    """What the cuff says to a gateway with that controller."""
    link = BleLink(services=("1810",))
    connection = await open_transport("ble://C1", (link,), radio=radio).open()
    await connection.subscribe("2A35")
    received = await connection.receive()
    await connection.close()
    assert received is not None
    return received.data


def test_a_bluetooth_device_is_found_behind_its_controller():
    with simulated("cuff.toml", "--ble", "--hci-port", "0", "--once", "--speed", "10") as process:
        radio = line(process).removeprefix("controller at ").strip()
        assert line(process).startswith("exemplar-cuff at ble://F0:F0:F0:00:00:07")
        assert asyncio.run(value(radio)) == b"\x79\x4e"
        assert process.wait(20) == 0


def test_a_bluetooth_device_is_on_the_air_with_a_controller_of_its_own():
    """Two controllers in reach of each other, of which each process drives one over HCI."""

    async def through_the_air() -> bytes:
        async with BluetoothRoom() as room:
            options = ("--ble", "--controller", room.name, "--once", "--speed", "10")
            with simulated("cuff.toml", *options) as process:
                assert await asyncio.to_thread(line, process) == f"controller at {room.name}\n"
                assert (await asyncio.to_thread(line, process)).startswith("exemplar-cuff at ble://F0:F0:F0")
                said = await asyncio.wait_for(value(room.name), 60)
                assert await asyncio.to_thread(process.wait, 20) == 0
            return said

    assert asyncio.run(through_the_air()) == b"\x79\x4e"


def test_a_controller_that_is_pulled_out_ends_the_device_and_says_so():
    async def pulled() -> tuple[int, str]:
        async with BluetoothRoom() as room:
            with simulated("cuff.toml", "--ble", "--controller", room.name) as process:
                await asyncio.to_thread(line, process)
                await asyncio.to_thread(line, process)
                room.drop_clients()
                _, err = await asyncio.to_thread(process.communicate, timeout=60)
                return process.returncode, err

    code, err = asyncio.run(pulled())
    assert code == 2
    assert err.startswith("gateway: Bluetooth controller tcp-client:")
    assert "is gone" in err


POLLED = """
[session]
driver = "exemplar-scale"
started_at = 2026-03-02T09:10:00-05:00
origin = "constructed"

[[exchange]]
at = 0.0
dir = ">"
text = "W\\r\\n"

[[exchange]]
at = 0.1
dir = "<"
text = "~\\r\\n"

[[exchange]]
at = 1.0
dir = ">"
text = "W\\r\\n"

[[exchange]]
at = 1.1
dir = "<"
text = "72.35\\r\\n"
"""


def test_a_host_that_goes_on_asking_is_answered_as_it_was_the_last_time(tmp_path: Path):
    session = tmp_path / "polled.toml"
    session.write_text(POLLED, encoding="utf-8")
    with simulated(str(session), "--tcp", "127.0.0.1:0", "--speed", "1000") as process:
        port = int(line(process).split(";")[0].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
            replies, heard = connected.makefile("rb"), []
            for _ in range(4):
                connected.sendall(b"W\r\n")
                heard.append(replies.readline())
    assert heard == [b"~\r\n", b"72.35\r\n", b"72.35\r\n", b"72.35\r\n"]


def test_a_fault_is_played_on_demand():
    options = ("--tcp", "127.0.0.1:0", "--once", "--speed", "1000", "--fault", "drop@2")
    with simulated("ear_temperature.toml", *options) as process:
        port = int(line(process).split(";")[0].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
            assert connected.makefile("rb").read(len(EAR) - 4) == EAR[:20] + EAR[24:]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say where: one of --pty"),
        (["--pty", "--ble"], "say where: one of --pty"),
        (["--tcp", "2575"], "'2575' is not HOST:PORT"),
        (["--pty", "--fault", "explode"], "'explode' is no fault"),
        (["--pty", "--speed", "0"], "0.0 is not in the range x>0"),
        (["--ble"], "session.gatt: there is none"),
        (["--ble", "--controller", "tcp-client:127.0.0.1:9"], "tcp-client:127.0.0.1:9: not to be had"),
        (["--pty", "--controller", "usb:0"], "--controller is for --ble"),
        (["--pty", "--link", "/none/port"], "/none/port: cannot be opened"),
    ],
)
def test_a_device_that_cannot_be_simulated_says_why(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert run_command(["simulate", str(SESSIONS / "ear_temperature.toml"), *options]) == 2
    assert said in capsys.readouterr().err
