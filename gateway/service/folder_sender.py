"""GDT files into a practice system's folder: each whole, under its name at once, and none over another.

A file is written under a hidden name, flushed, read back, and renamed; then a hidden mark says that it was
placed, so that a message that is handed over again after a crash makes no second file though the practice
system has taken the first. One window stays: a kill between renaming and mark, and the file taken in it.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway.errors import TransportError
from gateway.hl7.acknowledgement import Verdict
from gateway.service.destinations import GdtTable
from gateway.store import durable_files
from gateway.store.outbox import OutboxMessage

T = TypeVar("T")
_LOOK_S = 0.25
_PATIENCE = 0.8
_LAST_NUMBER = 999


@dataclass(slots=True)
class FolderSender:
    """Places one file after the other. A file that nobody has taken keeps the next one waiting.

    With numbers the names are ``NAME.001`` to ``NAME.999``, each beyond those that are there, so that a
    practice system that goes by them keeps the order; only a full folder waits. Without, there is one name.

    Parameters
    ----------
    table : GdtTable
    """

    table: GdtTable
    _place: Path | None = None
    # one thread: what a slow share has not finished in time is not begun anew beside it
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gdt"), repr=False)

    async def prepare(self, message: OutboxMessage) -> None:
        """Wait for a free name.

        Raises
        ------
        OSError, TransportError
            There is no such folder, nobody may write there, or no name is free.
        """
        self._place = None
        if await self._do(lambda: _exists(self._mark(message))):
            return
        await self._do(lambda: self._clear(message))
        await self._wait(lambda: self._find_place() is not None, "the file before is not taken yet")

    async def send(self, message: OutboxMessage) -> Verdict:
        """Place the file; where it is so configured, wait until it is taken."""
        if (place := self._place) is not None:
            await self._do(lambda: self._write(message, place))
        if not self.table.wait_until_taken:
            return Verdict("accepted", code="placed")
        await self._wait(lambda: not self._is_there(message), "the file is placed, and not taken yet")
        return Verdict("accepted", code="taken")

    async def close(self) -> None:
        """Nothing is held open."""

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _wait(self, is_so: Callable[[], bool], otherwise: str) -> None:
        """Look again and again for most of the time that the lane gives."""
        now = asyncio.get_running_loop().time
        until = now() + self.table.ack_timeout_s * _PATIENCE
        while not await self._do(is_so):
            if now() >= until:
                raise TransportError(f"{self.table.folder}: {otherwise}")
            await asyncio.sleep(min(_LOOK_S, self.table.ack_timeout_s / 10))

    def _hidden(self, message: OutboxMessage, suffix: str) -> Path:
        return self.table.folder / f".{message.control_id}.{suffix}"

    def _mark(self, message: OutboxMessage) -> Path:
        return self._hidden(message, "placed")

    def _clear(self, message: OutboxMessage) -> None:
        """Remove what messages before left hidden: they are settled."""
        installation = message.control_id.partition("-")[0]
        for left in self.table.folder.glob(f".{installation}-*"):
            with suppress(FileNotFoundError):
                left.unlink()

    def _find_place(self) -> Path | None:
        self._place = self._free()
        return self._place

    def _free(self) -> Path | None:
        name = self.table.file_name
        if not self.table.numbered:
            fixed = self.table.folder / f"{name}.GDT"
            return None if _exists(fixed) else fixed
        with os.scandir(self.table.folder) as found:
            suffixes = [
                entry.name.removeprefix(f"{name}.") for entry in found if entry.name.startswith(f"{name}.")
            ]
        last = max((int(suffix) for suffix in suffixes if suffix.isdecimal() and len(suffix) == 3), default=0)
        return self.table.folder / f"{name}.{last + 1:03}" if last < _LAST_NUMBER else None

    def _write(self, message: OutboxMessage, place: Path) -> None:
        hidden = self._hidden(message, "part")
        durable_files.write(hidden, message.body)
        if hidden.read_bytes() != message.body:
            raise TransportError(
                f"{self.table.folder}: what was written is read back otherwise; check the disk"
            )
        if _exists(place):
            raise TransportError(f"{place.name} has appeared meanwhile; nobody else may write that name")
        hidden.rename(place)
        durable_files.write(self._mark(message), place.name.encode())
        durable_files.sync_folder(self.table.folder)

    def _is_there(self, message: OutboxMessage) -> bool:
        return _exists(self.table.folder / self._mark(message).read_text(encoding="utf-8"))


def _exists(path: Path) -> bool:
    """Whether the name is taken. Raises OSError where the folder cannot be looked into."""
    try:
        path.lstat()
    except FileNotFoundError:
        path.parent.lstat()
        return False
    return True
