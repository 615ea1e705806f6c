"""One SQLite file, one thread that writes it, and commits that are on the disk when they return.

Whoever has something to write hands over a function; functions that wait together share one commit,
each in a savepoint of its own, so that a failing one takes nothing of the others with it.
"""

import fcntl
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from gateway.errors import StoreError
from gateway.store.schema import migrate

T = TypeVar("T")
_LARGEST_BATCH = 64


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive a power cut.

    Raises
    ------
    StoreError
        The file cannot be opened, or is no database of ours.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}; check the path, its rights and the disk's free space") from error
    return connection


class _Job:
    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(connection)
        except sqlite3.Error as error:
            self.error = _not_written(error)
            connection.execute("ROLLBACK TO job")
        except BaseException as error:  # noqa: BLE001 - raised again where the future is waited for
            self.error = error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def settle(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Database:
    """The writer of one database file.

    Parameters
    ----------
    path : Path
    exclusive : bool
        Refuse to open while another process has it open this way: two gateways must not share a queue.

    Raises
    ------
    StoreError
        The file cannot be opened, or is held by another gateway.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self._lock = _held(path) if exclusive else None
        self._connection = connect(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Run `work` in a transaction; the future is done when the commit is on disk."""
        job = _Job(work)
        self._jobs.put(job)
        return job.future

    def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The same, waited for here."""
        return self.submit(work).result()

    def close(self) -> None:
        """Everything submitted before is written, then the file is closed."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < _LARGEST_BATCH and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    self._jobs.put(None)
                    break
                batch.append(following)
            self._commit(batch)

    def _commit(self, batch: list[_Job]) -> None:
        batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                job.run(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for job in batch:
                job.error = _not_written(error)
        for job in batch:
            job.settle()


def _not_written(error: sqlite3.Error) -> StoreError:
    return StoreError(f"nothing was written: {error}; check the disk's free space")


def _held(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(path.suffix + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(f"{path}: another gateway has it open; stop that one first") from error
    return lock
