"""The gateway as a process of its own, so that it can be killed like one."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LogEvent = Mapping[str, Any]


@dataclass(slots=True)
class GatewayProcess:
    """Runs ``gateway run`` on a configuration, and hands on what it logs.

    The process ends when this one does, however this one ends: it watches its standard input.

    Parameters
    ----------
    configuration : Path
    on_event : callable
        Called with each log line as a mapping; ``event`` says what happened.
    """

    configuration: Path
    on_event: Callable[[LogEvent], None] = lambda _: None
    _process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None
    _running: asyncio.Event = field(default_factory=asyncio.Event)
    _unread: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Start it and wait until it runs.

        Raises
        ------
        RuntimeError
            It ended instead; the message is what it said.
        """
        self._running.clear()
        self._unread.clear()
        command = (
            "-m",
            "gateway",
            "run",
            "--config",
            str(self.configuration),
            "--log",
            "json",
            "--with-parent",
        )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            limit=2**20,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        running = asyncio.create_task(self._running.wait())
        await asyncio.wait({running, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        if not self._running.is_set():
            running.cancel()
            raise RuntimeError(" ".join(self._unread) or f"gateway run ended with {self._process.returncode}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def ended(self) -> int:
        """Wait for its end; its exit status, negative for the signal that killed it."""
        assert self._process is not None
        assert self._reading is not None
        await asyncio.shield(self._reading)
        return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: no time to finish anything."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and wait until it has closed everything."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        await self.ended()
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                self._unread.append(line.decode(errors="replace").strip())
                continue
            if event.get("event") == "gateway running":
                self._running.set()
            self.on_event(event)
