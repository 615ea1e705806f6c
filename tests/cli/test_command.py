"""What holds for every command: help with an example, errors as one line, exit codes, a quick start."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

import gateway.cli
from gateway.cli import COMMANDS, cli, run_command
from gateway.errors import DecodeError, GatewayError


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


ALL = dict(commands(cli, "gateway"))
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[click.Command]:
    """A command ``fail`` that raises whatever is put in ``fail.error``."""

    class Fail(click.Command):
        error: BaseException

        def invoke(self, ctx: click.Context) -> None:
            raise self.error

    monkeypatch.setitem(COMMANDS, "fail", ("gateway.cli", "fail"))
    monkeypatch.setattr(gateway.cli, "fail", Fail("fail"), raising=False)
    return Fail


def failed_with(
    error: BaseException, failing: type, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    failing.error = error  # type: ignore[attr-defined]  # set on the class made above
    code = run_command(["fail"])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("path", LEAVES, ids=str)
def test_every_command_shows_an_example_of_itself(path: str):
    assert f"Example: {path}" in (LEAVES[path].epilog or "")
    assert LEAVES[path].help


@pytest.mark.parametrize("path", ALL, ids=str)
def test_every_command_explains_itself(path: str, capsys: pytest.CaptureFixture[str]):
    assert run_command([*path.split()[1:], "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {path}")


def test_bad_usage_is_one_line_that_says_where_to_look(capsys: pytest.CaptureFixture[str]):
    assert run_command(["drivers", "--colour"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "gateway: No such option '--colour'; `gateway drivers --help` shows how\n")


def test_bad_input_is_told_in_its_own_words(failing: type, capsys: pytest.CaptureFixture[str]):
    error = GatewayError("scale.toml: driver: is missing\nscale.toml: origin: is missing")
    assert failed_with(error, failing, capsys) == (
        2, "", "gateway: scale.toml: driver: is missing\ngateway: scale.toml: origin: is missing\n",
    )  # fmt: skip


def test_what_did_not_hold_has_an_exit_code_of_its_own(failing: type, capsys: pytest.CaptureFixture[str]):
    error = DecodeError("checksum", "4F, computed 51", offset=12)
    assert failed_with(error, failing, capsys) == (
        1, "", "gateway: checksum: 4F, computed 51, at byte 12\n",
    )  # fmt: skip


def test_what_nobody_expected_is_no_traceback_but_kept_in_a_file(
    failing: type,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = failed_with(ZeroDivisionError("secret"), failing, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"gateway: unexpected ZeroDivisionError; the detail is in {tmp_path}")
    assert "secret" not in err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_ends_a_command_quietly(
    error: BaseException, failing: type, capsys: pytest.CaptureFixture[str]
):
    code, out, err = failed_with(error, failing, capsys)
    assert (code, out, err.strip()) == (130, "", "")


def test_a_reader_that_has_had_enough_is_no_error():
    command = f"{sys.executable} -m gateway --help | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("U", "")


@pytest.mark.parametrize("heavy", ["numpy", "scipy", "bleak", "hl7apy", "bumble", "pydicom"])
def test_listing_drivers_does_not_wait_for_libraries_that_it_does_not_need(heavy: str):
    program = (
        f"import sys, gateway.cli; gateway.cli.run_command(['drivers']); sys.exit({heavy!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0
