"""What is shown while a command takes longer than a moment, where a terminal is there to show it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

T = TypeVar("T")


def waiting(what: str) -> AbstractContextManager[object]:
    """A turning sign beside `what` on standard error, for as long as the context lasts."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console  # noqa: PLC0415 - a pipe does not wait for it

    return Console(stderr=True).status(what)


def counted(things: Sequence[T], what: str) -> Iterator[T]:
    """The things one by one, with a bar on standard error that says how many are done."""
    if not sys.stderr.isatty() or len(things) < 2:
        yield from things
        return
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import track  # noqa: PLC0415

    yield from track(things, what, console=Console(stderr=True), transient=True)
