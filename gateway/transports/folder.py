"""Folders that devices drop files in: ``folder://PATH``.

A file is taken when its size and time have stood still for a while, since most machines write under the
final name. What came of it decides where it goes: ``done/`` inside the folder once its readings are on
disk, ``rejected/`` with the reason in a file beside it. Nothing is ever overwritten or deleted. A file that
the gateway had read but not yet put away when it stopped is read again, which the store notices.

File names often hold a patient's name, so no message here repeats one.
"""

import asyncio
import contextlib
import errno
import fnmatch
import os
import shutil
import stat
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from gateway.errors import TransportError
from gateway.model import Device
from gateway.transports.contract import Received
from gateway.transports.stream import Stream

DONE = "done"
REJECTED = "rejected"
REASON = ".reason.txt"

_UNFINISHED_PREFIXES = (".", "~")
_UNFINISHED_SUFFIXES = (".part", ".tmp", ".filepart", ".crdownload", "~")
# A machine that has opened its file and not begun to write looks like one that has written nothing.
_EMPTY_WAITS_TIMES = 30


class Stamp(NamedTuple):
    """A file as it stands: when any of this changes, somebody has written."""

    mtime_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        return cls(found.st_mtime_ns, found.st_size, found.st_ino)


def wanted(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a file of that name is a finished one that fits a pattern, in capitals or not."""
    lowered = name.lower()
    if lowered.startswith(_UNFINISHED_PREFIXES) or lowered.endswith(_UNFINISHED_SUFFIXES):
        return False
    return any(fnmatch.fnmatchcase(lowered, pattern.lower()) for pattern in patterns)


@dataclass(slots=True)
class Settling:
    """Which files have stood still long enough, from one look at the folder to the next."""

    settle_s: float
    _since: dict[str, tuple[Stamp, float]] = field(default_factory=dict)
    _given: dict[str, Stamp] = field(default_factory=dict)

    def look(self, files: Mapping[str, Stamp], now: float) -> list[str]:
        """The names that are ready and have not been given out yet, oldest first.

        Parameters
        ----------
        files : mapping of str to Stamp
            Everything that stands in the folder now.
        now : float, s
            Of a clock that never goes back.
        """
        self._since = {name: self._noted(name, stamp, now) for name, stamp in files.items()}
        self._given = {name: stamp for name, stamp in self._given.items() if files.get(name) == stamp}
        ready = [name for name in files if name not in self._given and self._stood_still(name, now)]
        return sorted(ready, key=lambda name: (files[name], name))

    def give(self, name: str) -> Stamp:
        """Note that the file is being read; it is not named again unless it changes."""
        stamp, _ = self._since[name]
        self._given[name] = stamp
        return stamp

    def _noted(self, name: str, stamp: Stamp, now: float) -> tuple[Stamp, float]:
        before = self._since.get(name)
        return before if before is not None and before[0] == stamp else (stamp, now)

    def _stood_still(self, name: str, now: float) -> bool:
        stamp, since = self._since[name]
        return now - since >= self.settle_s * (1 if stamp.size else _EMPTY_WAITS_TIMES)


@dataclass(frozen=True, slots=True)
class FolderTransport:
    """A folder to be watched.

    Parameters
    ----------
    url : str
    folder : Path
    patterns : tuple of str
        Shell patterns of the file names wanted.
    settle_s : float
        How long a file's size and time must stand still before it is read.
    poll_s : float
        Time between two looks at the folder.
    largest : int
        Bytes; a larger file is rejected unread.
    """

    url: str
    folder: Path
    patterns: tuple[str, ...]
    settle_s: float = 1.0
    poll_s: float = 0.25
    largest: int = 64 * 2**20

    async def open(self) -> "FolderConnection":
        """The folder, with the two that files are moved to.

        Raises
        ------
        TransportError
            No such folder, or no permission to write in it.
        """
        await asyncio.to_thread(self._prepare)
        return FolderConnection(self)

    def _prepare(self) -> None:
        if not self.folder.is_dir():
            raise TransportError(f"{self.url}: no such folder; create it, or mount the share that it is on")
        for name in (DONE, REJECTED):
            place = self.folder / name
            try:
                place.mkdir(exist_ok=True)
                usable = stat.S_ISDIR(place.lstat().st_mode)
            except OSError as error:
                raise TransportError(
                    f"{self.url}: {name}/ cannot be made in it, {error.strerror}; "
                    "allow this user to write there"
                ) from error
            if not usable:
                raise TransportError(f"{self.url}: {name} is a link; put a real folder in its place")


class FolderConnection(Stream):
    """A folder being watched. Each file is one ``Received``, its name the channel."""

    def __init__(self, transport: FolderTransport) -> None:
        self._transport = transport
        self._settling = Settling(transport.settle_s)
        self._ready: deque[str] = deque()
        self._open_files: dict[str, tuple[Received, Stamp]] = {}
        self._closing = asyncio.Event()
        self._looking: asyncio.Future[Received | None] | None = None

    @property
    def device(self) -> Device:
        return Device()

    async def receive(self) -> Received | None:
        while not self._closing.is_set():
            # Kept over a cancellation: a file that was read for one who no longer waits is the next one's.
            self._looking = self._looking or asyncio.ensure_future(asyncio.to_thread(self._next))
            await asyncio.wait((self._looking,))
            looked, self._looking = self._looking, None
            received = looked.result()
            if received is not None:
                return received
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._transport.poll_s):
                    await self._closing.wait()
        return None

    async def send(self, data: bytes, channel: str) -> None:  # noqa: ARG002  # nothing can be sent to a folder
        raise KeyError(channel)

    async def settle(self, received: Received, refusal: str | None) -> None:
        """Move the file that `received` came from to where it belongs.

        Raises
        ------
        TransportError
            It cannot be moved. It will be read again when the folder is next opened.
        """
        try:
            await asyncio.to_thread(self._put_away, received, refusal)
        except OSError as error:
            raise self._broken("a file cannot be put away", error) from error

    async def close(self) -> None:
        self._closing.set()
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)

    def _next(self) -> Received | None:
        if not self._ready:
            self._ready.extend(self._look())
        while self._ready:
            name = self._ready.popleft()
            received = self._taken(name, self._settling.give(name))
            if received is not None:
                return received
        return None

    def _look(self) -> list[str]:
        try:
            return self._settling.look(dict(self._files()), time.monotonic())
        except OSError as error:
            raise self._broken("the folder cannot be read", error) from error

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        with os.scandir(self._transport.folder) as entries:
            for entry in entries:
                # A file may go between being listed and being asked about.
                with contextlib.suppress(FileNotFoundError):
                    if wanted(entry.name, self._transport.patterns) and entry.is_file(follow_symlinks=False):
                        yield entry.name, Stamp.of(entry.stat(follow_symlinks=False))

    def _taken(self, name: str, stamp: Stamp) -> Received | None:
        """The file, or None when it is gone, is being written again, or has been rejected unread."""
        if stamp.size > self._transport.largest:
            self._reject(name, f"{stamp.size} bytes; at most {self._transport.largest} are read")
            return None
        try:
            data, found = _contents(self._transport.folder / name)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._reject(name, f"it cannot be read: {error.strerror}")
            return None
        if found != stamp:
            return None
        received = Received(data, name, datetime.now(UTC))
        self._open_files[name] = (received, stamp)
        return received

    def _reject(self, name: str, reason: str) -> None:
        try:
            self._move_to_rejected(name, reason)
        except OSError as error:
            raise self._broken("a file cannot be put away", error) from error

    def _put_away(self, received: Received, refusal: str | None) -> None:
        name = received.channel
        taken, stamp = self._open_files.get(name, (None, None))
        if taken is not received:
            return
        del self._open_files[name]
        source = self._transport.folder / name
        # A machine that uses one name for every file may have written the next one over it.
        with contextlib.suppress(FileNotFoundError):
            if Stamp.of(source.lstat()) == stamp:
                if refusal is None:
                    move(source, self._transport.folder / DONE)
                else:
                    self._move_to_rejected(name, refusal)

    def _move_to_rejected(self, name: str, reason: str) -> None:
        moved = move(self._transport.folder / name, self._transport.folder / REJECTED)
        with reserve(moved.parent, moved.name + REASON).open("w", encoding="utf-8") as beside:
            beside.write(reason + "\n")

    def _broken(self, what: str, error: OSError) -> TransportError:
        return TransportError(f"{self._transport.url}: {what}, {error.strerror or type(error).__name__}")


def _contents(path: Path) -> tuple[bytes, Stamp]:
    """A file's bytes and its stamp after they were read; a link is not followed."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123  # it is a descriptor
        data = file.read()
        return data, Stamp.of(os.fstat(descriptor))


def reserve(folder: Path, name: str) -> Path:
    """An empty new file of that name, with a number before its suffix where the name is taken."""
    for count in range(1, 1_000_000):
        path = folder / (name if count == 1 else f"{Path(name).stem}-{count}{Path(name).suffix}")
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def move(source: Path, folder: Path) -> Path:
    """Put a file in `folder`, over nothing that is there, and say where; across file systems too."""
    place = reserve(folder, source.name)
    try:
        source.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            place.unlink()
            raise
        _copy_over(source, place)
    return place


def _copy_over(source: Path, place: Path) -> None:
    shutil.copy2(source, place, follow_symlinks=False)
    with place.open("rb") as copied:
        os.fsync(copied.fileno())
    source.unlink()
