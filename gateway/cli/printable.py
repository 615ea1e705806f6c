"""Foreign text on a terminal: what a file or a peer says must not move the cursor or look like markup."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text


def printable(text: str) -> str:
    """The text with every control character and line break shown by its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_WIDTH_ELSEWHERE = 160  # a file or a pipe has no width of its own, and lines in it should not break


def print_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table of plain text, on standard output."""
    table = Table(*headings)
    _fill(table, rows)


def print_grid(rows: Iterable[Iterable[str]]) -> None:
    """Rows in columns without rules or headings, on standard output."""
    _fill(Table.grid(padding=(0, 2)), rows)


def _fill(table: Table, rows: Iterable[Iterable[str]]) -> None:
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE).print(table)
