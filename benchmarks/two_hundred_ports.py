"""Two hundred serial devices on one gateway: oximeters that stream without end, cuffs that send results.

The devices are pseudo-terminals, half of them oximeters in Nonin's DF2 (375 bytes a second each, a finger put
in every few seconds), half of them A&D cuffs. The gateway runs as a process of its own, with an EHR that
acknowledges. A cuff's latency runs from the write of its last byte to the log line that follows the commit of
its row. What is in the database is compared with what was sent: nothing may be missing, twice or altered.

``python -m benchmarks.two_hundred_ports [PORTS] [SECONDS]`` runs it in another size.
"""

import asyncio
import contextlib
import heapq
import json
import os
import pty
import sqlite3
import statistics
import sys
import tempfile
import time
import tty
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.hl7 import mllp, parse
from gateway.hl7.acknowledgement import build_acknowledgement
from gateway.testing import load_fixture
from gateway.testing.gateway_process import GatewayProcess, LogEvent

_FINGER = Path(__file__).parents[1] / "tests" / "fixtures" / "nonin-serial" / "df2_finger.toml"
_PACKET_S = 1 / 3
_WORN, _BARE = 12, 3  # packets with a finger in, and without
_CUFF_S = 3.0
_CONFIGURATION = """
[site]
name = "BENCH"
zone = "UTC"
[store]
path = "gateway.db"
[inbound]
listen = "127.0.0.1:{inbound}"
[destinations.ehr]
address = "127.0.0.1:{ehr}"
"""
_DEVICE = """
[devices.{name}]
driver = "{driver}"
port = "{port}"
room = "EXAM3"
"""
_ARRIVAL = (
    b"MSH|^~\\&|REG|N|GATEWAY|N|20260302084112-0500||ADT^A04^ADT_A01|REG1|P|2.5.1\r"
    b"PID|1||1^^^NORTH^MR||TEST^BENCH\rPV1|1|O|X^EXAM3\r"
)


@dataclass
class _Port:
    """The device's end of a pseudo-terminal, and what it is to say when."""

    name: str
    driver: str
    device: int
    path: str
    held: int
    sent: list[float] = field(default_factory=list)
    cycles: int = 0

    def say(self, data: bytes) -> None:
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.device, data) :]


def _plugged_in(name: str, driver: str) -> _Port:
    device, port = pty.openpty()
    tty.setraw(port)
    os.set_blocking(device, False)
    return _Port(name, driver, device, os.ttyname(port), port)


def _packets() -> tuple[bytes, bytes]:
    """A packet with a finger in, and one without."""
    said = [exchange.data for exchange in load_fixture(_FINGER).exchanges if len(exchange.data) == 125]
    return said[0], said[-1]


def _values(number: int) -> tuple[str, str]:
    """Systolic and diastolic of a cuff's result of that number, no two alike."""
    return str(100 + number % 100), str(60 + number // 100)


def _result(number: int, at: datetime) -> bytes:
    stamp, (systolic, diastolic) = at.strftime("%y%m%d%H%M"), _values(number)
    fields = ("TM2655P", stamp, "00", "00", "E00", f"S{systolic:>3}", "M 93", f"D{diastolic:>3}", "P 66")
    return b"\x02" + "\x1e".join((*fields, "L180", "A 12")).encode() + b"\x03"


class _Room:
    """All the devices, played from one thread of this process."""

    def __init__(self, ports: int) -> None:
        half = ports // 2
        self.oximeters = [_plugged_in(f"oximeter-{n}", "nonin-serial") for n in range(half)]
        self.cuffs = [_plugged_in(f"cuff-{n}", "and-bp-serial") for n in range(ports - half)]
        self._worn, self._bare = _packets()

    def configuration(self) -> str:
        return "".join(
            _DEVICE.format(name=port.name, driver=port.driver, port=port.path)
            + ('settings = { settle_s = "3" }\n' if port.driver == "nonin-serial" else "")
            for port in (*self.oximeters, *self.cuffs)
        )

    def play(self, seconds: float) -> float:
        """Everything that the devices say within so long; the most that it was late, in seconds."""
        began = time.monotonic()
        whole = (_WORN + _BARE) * _PACKET_S
        rounds, late = max(1, int(seconds // whole)), 0.0
        for at, say in heapq.merge(*self._turns(rounds, whole), key=lambda turn: turn[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))
            late = max(late, time.monotonic() - began - at)
            say()
        return late

    def _turns(self, rounds: int, whole: float) -> Iterator[Iterator[tuple[float, Any]]]:
        for number, port in enumerate(self.oximeters):
            yield self._oximeter(port, rounds, number * _PACKET_S / len(self.oximeters))
        for number, port in enumerate(self.cuffs):
            yield self._cuff(port, int(rounds * whole / _CUFF_S), number * _CUFF_S / len(self.cuffs))

    def _oximeter(self, port: _Port, rounds: int, first: float) -> Iterator[tuple[float, Any]]:
        for number in range(rounds * (_WORN + _BARE)):
            worn = number % (_WORN + _BARE) < _WORN
            port.cycles += number % (_WORN + _BARE) == 0
            packet = self._worn if worn else self._bare
            yield first + number * _PACKET_S, lambda packet=packet: port.say(packet)

    def _cuff(self, port: _Port, results: int, first: float) -> Iterator[tuple[float, Any]]:
        def say(number: int) -> None:
            result = _result(number, datetime.now(UTC))
            port.say(result[:-1])
            port.sent.append(time.time())
            port.say(result[-1:])

        for number in range(results):
            yield first + number * _CUFF_S, lambda number=number: say(number)

    def unplug(self) -> None:
        for port in (*self.oximeters, *self.cuffs):
            os.close(port.device)
            os.close(port.held)


async def _acknowledge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    decoder = mllp.Decoder()
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            for event in decoder.feed(data):
                if isinstance(event, mllp.Received):
                    answer = build_acknowledgement(
                        parse(event.message), "accept", control_id="E", at=datetime.now(UTC)
                    )
                    writer.write(mllp.frame(answer))
    writer.close()


@dataclass
class _Heard:
    """What the gateway logged."""

    connected: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    stored: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    others: Counter[str] = field(default_factory=Counter)

    def __call__(self, event: LogEvent) -> None:
        match event["event"]:
            case "connected":
                self.connected.release()
            case "reading stored":
                at = datetime.fromisoformat(event["timestamp"]).timestamp()
                self.stored[event["device"]].append(at)
            case other:
                self.others[other] += 1

    async def all_connected(self, ports: int) -> None:
        for _ in range(ports):
            await self.connected.acquire()

    async def no_more(self) -> None:
        """Wait until two seconds have brought no reading."""
        before, now = -1, 0
        while before != now:
            await asyncio.sleep(2.0)
            before, now = now, sum(map(len, self.stored.values()))


@dataclass(frozen=True)
class _Usage:
    cpu_s: float
    memory_kib: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "_Usage":
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        ticks = int(fields[11]) + int(fields[12])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), int(status["VmRSS"].split()[0]), int(status["Threads"]))


async def _measure(folder: Path, ports: int, seconds: float) -> dict[str, float]:
    room, heard = _Room(ports), _Heard()
    ehr = await asyncio.start_server(_acknowledge, "127.0.0.1", 0)
    free = await asyncio.start_server(_acknowledge, "127.0.0.1", 0)
    numbers = {name: s.sockets[0].getsockname()[1] for name, s in (("ehr", ehr), ("inbound", free))}
    free.close()
    await free.wait_closed()
    empty = folder / "empty.toml"
    empty.write_text(_CONFIGURATION.format(**numbers))
    idle = await _idle_memory(empty)
    configuration = folder / "gateway.toml"
    configuration.write_text(_CONFIGURATION.format(**numbers) + room.configuration())
    gateway = GatewayProcess(configuration, heard)
    await gateway.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", numbers["inbound"])
    writer.write(mllp.frame(_ARRIVAL))
    await reader.readuntil(b"\x1c\r")
    await heard.all_connected(ports)
    before, began = _Usage.of(gateway.pid), time.monotonic()
    late = await asyncio.to_thread(room.play, seconds)
    after, took = _Usage.of(gateway.pid), time.monotonic() - began
    await heard.no_more()
    await gateway.stop()
    writer.close()
    ehr.close()
    room.unplug()
    return {
        "seconds": took,
        "late": late,
        "cpu": (after.cpu_s - before.cpu_s) / took,
        "memory": (after.memory_kib - idle) / ports,
        "threads": after.threads,
        **_compared(room, heard, folder / "gateway.db"),
    }


async def _idle_memory(configuration: Path) -> int:
    gateway = GatewayProcess(configuration)
    await gateway.start()
    await asyncio.sleep(0.5)
    memory = _Usage.of(gateway.pid).memory_kib
    await gateway.stop()
    return memory


def _compared(room: _Room, heard: _Heard, database: Path) -> dict[str, float]:
    rows = _rows(database)
    said = {port.name: port.cycles or len(port.sent) for port in (*room.oximeters, *room.cuffs)}
    altered = (set(map(_values, range(said[port.name]))) - set(rows[port.name]) for port in room.cuffs)
    delays = [
        stored - sent
        for port in room.cuffs
        for sent, stored in zip(port.sent, heard.stored[port.name], strict=False)
    ]
    cuts = statistics.quantiles(delays, n=100)
    return {
        "said": sum(said.values()),
        "missing": sum(max(0, count - len(rows[name])) for name, count in said.items()),
        "extra": sum(max(0, len(rows[name]) - count) for name, count in said.items()),
        "altered": sum(map(len, altered)),
        "faults": heard.others["fault"] + heard.others["connection lost"],
        "p50": cuts[49],
        "p99": cuts[98],
    }


def _rows(database: Path) -> dict[str, list[tuple[str, ...]]]:
    """The values of each device's readings."""
    rows: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    with contextlib.closing(sqlite3.connect(database)) as db:
        for source, body in db.execute("SELECT source, body FROM reading"):
            values = {o["name"]: o["value"] for o in json.loads(body)["observations"]}
            rows[source].append((values.get("systolic", ""), values.get("diastolic", "")))
    return rows


def main(ports: int = 200, seconds: float = 30.0) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(_measure(Path(name), ports, seconds))
    cpu = found["cpu"]
    print(
        f"  {ports} ports for {found['seconds']:.0f} s; the devices were late by {1e3 * found['late']:.0f} ms"
    )
    print("  readings: " + ", ".join(f"{found[k]:.0f} {k}" for k in ("said", "missing", "extra", "altered")))
    print(f"  faults and lost connections {found['faults']:.0f}")
    print(f"  CPU {100 * cpu:.0f} % of one core, {1e3 * cpu / ports:.2f} ms a second for each device")
    print(f"  memory {found['memory']:.0f} KiB a device, {found['threads']:.0f} threads")
    print(f"  last byte to stored row: p50 {1e3 * found['p50']:.1f} ms, p99 {1e3 * found['p99']:.1f} ms")


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, float), sys.argv[1:], strict=False)))
