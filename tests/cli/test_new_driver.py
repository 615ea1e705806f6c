"""A driver to begin with runs as it is written."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import run_command

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("protocol", ["text", "binary"])
def test_a_new_driver_passes_its_own_tests(protocol: str, tmp_path: Path, capsys: Captured):
    assert run_command(["new-driver", "acme-scale", "--into", str(tmp_path), "--protocol", protocol]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        f"{tmp_path}/drivers/acme_scale.py",
        f"{tmp_path}/tests/fixtures/acme-scale/measurements.toml",
        f"{tmp_path}/tests/test_acme_scale.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert run_command(["check", str(tmp_path), "--drivers", str(tmp_path / "drivers")]) == 0


@pytest.mark.parametrize("protocol", ["text", "binary"])
def test_a_new_driver_is_written_as_the_projects_own_are(protocol: str, tmp_path: Path, capsys: Captured):
    run_command(["new-driver", "acme-scale", "--into", str(tmp_path), "--protocol", protocol])
    configuration = str(Path(__file__).parents[2] / "pyproject.toml")
    ruff = [sys.executable, "-m", "ruff"]
    ours = ["--config", configuration, str(tmp_path / "drivers")]
    for command in (["format", "--check"], ["check", "--extend-ignore", "ARG002,INP001"]):
        done = subprocess.run([*ruff, *command, *ours], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_nothing_that_is_there_is_written_over(tmp_path: Path, capsys: Captured):
    assert run_command(["new-driver", "acme-scale", "--into", str(tmp_path)]) == 0
    module = tmp_path / "drivers" / "acme_scale.py"
    module.write_text("mine", encoding="utf-8")
    assert run_command(["new-driver", "acme-scale", "--into", str(tmp_path)]) == 2
    assert "there already; choose another id or folder" in capsys.readouterr().err
    assert module.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("driver_id", ["acme", "Acme-Scale", "acme_scale", "../acme-scale", "acme-", ""])
def test_an_id_names_vendor_and_family(driver_id: str, tmp_path: Path, capsys: Captured):
    assert run_command(["new-driver", driver_id, "--into", str(tmp_path)]) == 2
    assert "is no id; write the vendor, a hyphen, the family" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
