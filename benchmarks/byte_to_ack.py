"""From a device's byte to the EHR's acknowledgement: readings a second, and the latency of one.

The gateway runs as a process of its own; device and EHR are sockets of this one. What the disk allows is
measured beside it: each reading costs two commits that wait for the disk (accepted, acknowledged).
"""

import asyncio
import contextlib
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.hl7 import mllp, parse
from gateway.hl7.acknowledgement import build_acknowledgement
from gateway.store.database import connect
from gateway.testing.gateway_process import GatewayProcess
from gateway.testing.talking_scale import write_site

_BURST = 2000
_PACED = 300
_PACE_S = 0.02

_ARRIVAL = (
    b"MSH|^~\\&|REG|N|GATEWAY|N|20260302084112-0500||ADT^A04^ADT_A01|REG1|P|2.5.1\r"
    b"PID|1||1^^^NORTH^MR||TEST^BENCH\rPV1|1|O|X^EXAM3\r"
)


@dataclass
class _Bench:
    """Both ends of the gateway, with the time at which each weight left and arrived."""

    left: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)
    scale: asyncio.StreamWriter | None = None
    plugged: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def ehr(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = mllp.Decoder()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                for event in decoder.feed(data):
                    if isinstance(event, mllp.Received):
                        self._acknowledge(event.message, writer)
        writer.close()

    def _acknowledge(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        message = parse(data)
        self.arrived[message.get("OBX-5")] = time.perf_counter()
        answer = build_acknowledgement(message, "accept", control_id="E", at=datetime.now(UTC))
        writer.write(mllp.frame(answer))
        self.news.set()

    async def device(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.scale = writer
        self.plugged.set()
        await reader.read()
        writer.close()

    async def weigh(self, first: int, count: int, pace_s: float) -> None:
        """Send so many weights, and wait until all are with the EHR."""
        assert self.scale is not None
        for number in range(first, first + count):
            text = f"{number / 100:.2f}"
            self.left[text] = time.perf_counter()
            self.scale.write(f"{text}\n".encode())
            if pace_s:
                await asyncio.sleep(pace_s)
        while len(self.arrived) < len(self.left):
            self.news.clear()
            await self.news.wait()


def _commits_per_second(path: Path) -> float:
    connection = connect(path)
    started = time.perf_counter()
    for _ in range(300):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO journal (source, channel, data, at) VALUES ('', '', ?, '')",
            (sqlite3.Binary(bytes(2000)),),
        )
        connection.execute("COMMIT")
    rate = 300 / (time.perf_counter() - started)
    connection.close()
    return rate


async def _measure(folder: Path) -> tuple[float, list[float]]:
    bench = _Bench()
    ehr = await asyncio.start_server(bench.ehr, "127.0.0.1", 0)
    scale = await asyncio.start_server(bench.device, "127.0.0.1", 0)
    free = await asyncio.start_server(bench.ehr, "127.0.0.1", 0)
    ports = {
        name: s.sockets[0].getsockname()[1] for name, s in (("ehr", ehr), ("scale", scale), ("inbound", free))
    }
    free.close()
    await free.wait_closed()
    gateway = GatewayProcess(write_site(folder, **ports))
    await gateway.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", ports["inbound"])
    writer.write(mllp.frame(_ARRIVAL))
    await reader.readuntil(b"\x1c\r")
    await bench.plugged.wait()
    started = time.perf_counter()
    await bench.weigh(1, _BURST, 0)
    rate = _BURST / (time.perf_counter() - started)
    await bench.weigh(_BURST + 1, _PACED, _PACE_S)
    latencies = [bench.arrived[text] - left for text, left in bench.left.items()][_BURST:]
    writer.close()
    await gateway.stop()
    ehr.close()
    scale.close()
    return rate, latencies


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate, latencies = asyncio.run(_measure(folder))
        commits = _commits_per_second(folder / "commits.db")
    cuts = statistics.quantiles(latencies, n=100)
    print(f"  readings from byte to ACK        {rate:8.0f} /s")
    print(f"  commits that the disk allows     {commits:8.0f} /s   readings per commit {rate / commits:.2f}")
    print(f"  latency of one, paced            p50 {1e3 * cuts[49]:.1f} ms   p99 {1e3 * cuts[98]:.1f} ms")
    print(f"  p99 in commits                   {cuts[98] * commits:8.1f}")
