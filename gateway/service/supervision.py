"""A task that outlives its own faults: what it raises is logged, and it starts again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.service.backoff import Backoff


async def supervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run for ever. One device's or destination's fault is never another's."""
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - the root of a task
            # the message may quote foreign bytes, so the log gets only where it happened
            structlog.get_logger().error("task failed, restarting", task=name, where=place_of(error))
        await asyncio.sleep(backoff.next())


def place_of(error: Exception) -> str:
    """Kind and place of an error, without its message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    return f"{type(error).__name__} at {place}"
