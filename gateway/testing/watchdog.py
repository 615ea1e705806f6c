"""An end to what does not end: a limit of computing time, whatever else the machine has to do meanwhile."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(BaseException):
    """The limit is over. No ``except Exception`` on the way swallows it."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TookTooLong` inside the context once the process has computed for so long.

    Time in which other processes run does not count. Without effect outside the main thread and where the
    system has no such timer.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"no end after {seconds:g} s of computing")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
