"""Blocking calls in a thread of their own.

The event loop's own pool has few threads for the whole program. Ports that cannot be reached block for
seconds; a handful of them in the pool would keep every other port from being written to.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_own_thread(name: str, function: Callable[[], T]) -> "asyncio.Future[T]":
    """The result of `function` to come. Cancelling it does not stop the thread."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(function())
        except Exception as error:  # noqa: BLE001  # handed on to whoever waits
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return asyncio.wrap_future(outcome)
