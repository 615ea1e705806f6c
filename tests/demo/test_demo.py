"""The first thing anyone runs: it ends well, survives a kill, and leaves nothing behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.testing.demo import Demo
from gateway.testing.demo_summary import Row

GATEWAY = [sys.executable, "-m", "gateway"]


def _processes_in(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and int(process.parent.name) != os.getpid():
            lines.append(line)
    return lines


def test_once_plays_the_room_and_everything_is_acknowledged(tmp_path: Path):
    done = subprocess.run(
        [*GATEWAY, "demo", "--once", "--dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 messages, every one acknowledged with the values that were measured" in done.stdout
    assert re.search(r"weight 72\.45 kg", done.stdout)
    assert len(list((tmp_path / "ehr").glob("*.hl7"))) == 4
    assert done.stderr == ""


def test_ctrl_c_ends_it_and_leaves_no_process_port_or_lock_behind(tmp_path: Path):
    demo = subprocess.Popen(
        [*GATEWAY, "demo", "--dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "the next patient comes" in line:
            break
    demo.send_signal(signal.SIGINT)
    output, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors) == (0, "")
    assert "4 messages, every one acknowledged" in output
    assert not (tmp_path / "scale-port").exists()
    assert _processes_in(tmp_path) == []


def test_a_killed_demo_takes_its_gateway_with_it(tmp_path: Path):
    demo = subprocess.Popen([*GATEWAY, "demo", "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "gateway running" in line:
            break
    demo.kill()
    demo.communicate()
    deadline = time.monotonic() + 60
    while _processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes_in(tmp_path) == []


@pytest.mark.parametrize("after", ["reading stored", "inbound message taken"])
def test_a_gateway_killed_in_the_middle_comes_back_and_everything_arrives(tmp_path: Path, after: str):
    async def run() -> tuple[Row, ...]:
        said: list[str] = []
        async with Demo(tmp_path, said.append) as demo:
            playing = asyncio.create_task(demo.play_round())
            async with asyncio.timeout(60):
                while not any(after in line for line in said):  # noqa: ASYNC110 - lines are only said
                    await asyncio.sleep(0.001)
            os.kill(demo.gateway_pid, signal.SIGKILL)
            await playing
            assert any("starting it again" in line for line in said)
            return demo.rows()

    rows = asyncio.run(run())
    assert {row.device for row in rows} == {"scale", "cuff", "oximeter", "ekg"}
    assert [fault for row in rows for fault in row.faults] == []
    assert {row.acknowledgement for row in rows} == {"AA"}


def test_what_a_killed_run_left_is_delivered_by_the_next(tmp_path: Path):
    first = subprocess.Popen([*GATEWAY, "demo", "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    for line in first.stdout:
        if "reading stored" in line:
            break
    first.kill()
    first.communicate()
    second = subprocess.run(
        [*GATEWAY, "demo", "--once", "--dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 0, second.stdout + second.stderr
    stored = {int(number) for number in re.findall(r"\(reading (\d+)", second.stdout)}
    kept = list((tmp_path / "ehr").glob("*.hl7"))
    assert len(kept) >= max(stored)


RECEIVER_OF_OTHERS = """
import asyncio

from hl7.mllp import start_hl7_server


async def serve(reader, writer):
    try:
        while True:
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def main():
    server = await start_hl7_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
"""


def test_the_receiver_of_others_can_take_the_place_of_the_demos_own(tmp_path: Path):
    other = subprocess.Popen([sys.executable, "-c", RECEIVER_OF_OTHERS], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    port = int(other.stdout.readline())
    command = [*GATEWAY, "demo", "--once", "--dir", str(tmp_path), "--ehr", f"127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    other.kill()
    other.communicate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "ehr").exists()
