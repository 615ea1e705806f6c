"""What the pages show is what happens: their commands are run, what they print compared, links followed."""

import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.parent != REFERENCE)
GENERATED = runpy.run_path(str(REFERENCE / "generate.py"))["PAGES"]

NOT_RUN_HERE = {
    "make": "runs this suite, or sets up an environment from the network",
    "git": "needs the network",
    "sudo": "changes the machine",
    "apt": "changes the machine",
}
KEEPS_RUNNING = ("gateway run", "gateway hl7 listen", "gateway simulate")
PORTS = ("2575", "2576", "2577", "2578", "2579")

_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)")


@dataclass(frozen=True)
class Shown:
    """One command of a page, and the lines that it is said to print."""

    command: str
    output: tuple[str, ...]

    @property
    def keeps_running(self) -> bool:
        return self.command.startswith(KEEPS_RUNNING)

    def missing_from(self, printed: str) -> list[str]:
        """The lines that are shown and were not printed, in this order; ``...`` stands for anything."""
        lines = iter(" ".join(line.split()) for line in printed.splitlines())
        return [line for line in self.output if not any(_pattern(line).fullmatch(text) for text in lines)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _pattern(line: str) -> re.Pattern[str]:
    words = re.escape(" ".join(line.split()))
    return re.compile(words.replace(r"\.\.\.", ".*"))


def _commands(block: str) -> Iterator[Shown]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *output = part.splitlines()
        while command.endswith("\\"):
            command = command[:-1] + output.pop(0).lstrip("> ")
        yield Shown(command.partition("  #")[0].strip(), tuple(line for line in output if line.strip(". ")))


def _blocks(page: Path) -> list[tuple[str, str, str]]:
    return _FENCE.findall(_with_free_ports(page.read_text(encoding="utf-8")))


def _with_free_ports(text: str) -> str:
    with ExitStack() as held:
        for port in PORTS:
            probe = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            text = text.replace(f":{port}", f":{probe.getsockname()[1]}")
            text = text.replace(f"--port {port}", f"--port {probe.getsockname()[1]}")
    return text


def _shows_commands(page: Path) -> bool:
    return any(
        shown.command.split()[0] not in NOT_RUN_HERE
        for language, _, block in _FENCE.findall(page.read_text(encoding="utf-8"))
        if language == "console"
        for shown in _commands(block)
    )


def _workspace(folder: Path) -> None:
    """A folder like a fresh clone, in which a command may write."""
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "tests").symlink_to(ROOT / "tests")


def _environment() -> dict[str, str]:
    commands = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join((commands, os.environ["PATH"])),
        "COLUMNS": "200",
        "PYTHONUNBUFFERED": "1",
    }


def _printed(shown: Shown, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", shown.command],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{shown.command}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


@contextmanager
def _running(shown: Shown, folder: Path) -> Iterator[None]:
    """The command until the end of the page, then Ctrl-C; it must print what is shown, and end well."""
    log = folder / f"{abs(hash(shown.command))}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {shown.command}"],
            cwd=folder,
            env=_environment(),
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 30
        while shown.missing_from(log.read_text()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert shown.missing_from(log.read_text()) == [], log.read_text()
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(600)  # the tutorial runs a driver's whole conformance kit, several times over
@pytest.mark.parametrize("page", [page for page in PAGES if _shows_commands(page)], ids=_name)
def test_every_command_of_a_page_does_what_the_page_shows(page: Path, tmp_path: Path):
    _workspace(tmp_path)
    with ExitStack() as running:
        for language, name, block in _blocks(page):
            if name:
                (tmp_path / name).write_text(block, encoding="utf-8")
            for shown in _commands(block) if language == "console" else ():
                if shown.command.split()[0] in NOT_RUN_HERE:
                    continue
                if shown.keeps_running:
                    running.enter_context(_running(shown, tmp_path))
                    continue
                printed = _printed(shown, tmp_path)
                assert shown.missing_from(printed) == [], f"{shown.command} printed:\n{printed}"


@pytest.mark.parametrize("name", GENERATED)
def test_the_reference_is_what_the_code_says(name: str):
    stands = (REFERENCE / name).read_text(encoding="utf-8")
    assert stands == GENERATED[name](), "run: python docs/reference/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path):
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file = page.parent / target
        assert file.exists(), f"{target} is not there"
        assert not anchor or anchor in _anchors(file), f"{target} has no heading {anchor}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
