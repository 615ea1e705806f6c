"""A technician records a device and has a fixture that replays as it was."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from gateway.testing import load_fixture
from gateway.testing.virtual_tcp import VirtualTcp

SCALE = Path(__file__).parents[2] / "gateway" / "testing" / "room_sessions" / "scale.toml"
GATEWAY = (sys.executable, "-m", "gateway")


def _record(out: Path, *options: str) -> tuple[int | None, str, str]:
    """Record the room's scale for as long as its session lasts."""

    async def run() -> tuple[int | None, str, str]:
        async with VirtualTcp(load_fixture(SCALE)) as scale:
            command = (*GATEWAY, "record", "--driver", "mt-sics", "--port", scale.url, *options, str(out))
            recording = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
            await scale.play()
            await scale.hang_up()
            output, errors = await recording.communicate()
            return recording.returncode, output.decode(), errors.decode()

    return asyncio.run(run())


def test_what_was_decoded_is_shown_and_stands_in_a_fixture_that_holds(tmp_path: Path):
    out = tmp_path / "weight.toml"
    code, output, errors = _record(out, "--scrub")
    assert code == 0, errors
    assert "weight 72.45 kg" in output
    fixture = load_fixture(out)
    assert (fixture.driver, fixture.origin) == ("mt-sics", "capture")
    assert b"S S      72.45 kg\r\n" in {exchange.data for exchange in fixture.exchanges}
    checked = subprocess.run([*GATEWAY, "check", str(out)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_port_that_is_not_there_is_named(tmp_path: Path):
    command = [
        *GATEWAY,
        "record",
        "--driver",
        "mt-sics",
        "--port",
        "/dev/nothing-here",
        str(tmp_path / "x.toml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gateway: /dev/nothing-here: ")
