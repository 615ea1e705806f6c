"""What is there, as a technician asks for it: a simulated cuff on the air, no USB, no other adapter."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import run_command

TESTING = Path(__file__).parents[1] / "testing"
CUFF = TESTING / "sessions" / "cuff.toml"
CONFIGURATION = """
[site]
name = "NORTHCLINIC"
zone = "America/New_York"

[store]
path = "gateway.db"

[bluetooth]
controller = "{controller}"

[destinations.ehr]
address = "127.0.0.1:2575"

[devices.cuff-3]
driver = "gatt-blood-pressure"
port = "ble://C1"
"""

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def controller() -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "gateway", "simulate", str(CUFF), "--ble", "--hci-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate()


def test_a_device_on_the_air_is_listed_with_the_driver_that_fits_it(controller: str, capsys: Captured):
    assert run_command(["devices", "--json", "--seconds", "2", "--controller", controller]) == 0
    document = json.loads(capsys.readouterr().out)
    (cuff,) = [one for one in document["devices"] if one["transport"] == "ble"]
    assert cuff["port"] == "ble://F0:F0:F0:00:00:07"
    assert (cuff["name"], cuff["driver"]) == ("C1", "gatt-blood-pressure")


def test_a_bound_device_is_marked_and_its_configurations_controller_is_used(
    controller: str, tmp_path: Path, capsys: Captured
):
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIGURATION.format(controller=controller), encoding="utf-8")
    assert run_command(["devices", "--seconds", "2", "--config", str(file)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "ble://" in line]
    assert "gatt-blood-pressure" in line
    assert "cuff-3" in line


def test_what_cannot_be_looked_at_is_a_line_and_no_failure(capsys: Captured):
    assert run_command(["devices", "--seconds", "0.1", "--controller", "tcp-client:127.0.0.1:1"]) == 0
    err = capsys.readouterr().err
    assert "gateway: ble not looked at: Bluetooth controller tcp-client:127.0.0.1:1" in err
    assert "Traceback" not in err
