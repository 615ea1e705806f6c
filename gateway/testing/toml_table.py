"""A TOML table read key by key, with every mistake in it collected instead of the first one raised.

A method that finds a mistake notes it and returns a value of the right type, so that reading goes on;
what was read is used only when no mistake was noted. Elements of arrays are counted from 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from gateway.errors import Problem

TomlValue = (
    str | int | float | bool | datetime | date | time | Sequence["TomlValue"] | Mapping[str, "TomlValue"]
)

_MISSING = "is missing"


@dataclass(slots=True)
class Table:
    """One table.

    Parameters
    ----------
    values : mapping
    path : str
        Key path of the table itself, empty for the document.
    problems : list of Problem
        Shared by all tables of one document.
    """

    values: Mapping[str, TomlValue]
    path: str = ""
    problems: list[Problem] = field(default_factory=list)

    def where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def note(self, key: str, what: str, fix: str) -> None:
        self.problems.append(Problem(self.where(key), what, fix))

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def only(self, *known: str) -> None:
        """Note every key that is none of these."""
        for key in self.values:
            if key not in known:
                self.note(key, "no such key here", f"use one of: {', '.join(known)}")

    def text(self, key: str, default: str | None = None, *, choices: Sequence[str] = ()) -> str:
        """A string, one of `choices` where there are any; without a default it must be there."""
        value = self.values.get(key, default)
        wanted = f"one of: {', '.join(choices)}" if choices else "a text in quotes"
        if value is None:
            self.note(key, _MISSING, f"give {wanted}")
        elif not isinstance(value, str):
            self.note(key, f"{value!r} is not a text", f'write it in quotes: "{value}"')
        elif choices and value not in choices:
            self.note(key, f"{value!r} is not a choice", f"use {wanted}")
        else:
            return value
        return default or ""

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self else None

    def seconds(self, key: str) -> float:
        value = self.values.get(key)
        if value is None:
            self.note(key, _MISSING, "give the seconds since the start of the session")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            self.note(key, f"{value!r} is not a time", "give seconds since the start, as 4.2")
        else:
            return float(value)
        return 0.0

    def flag(self, key: str) -> bool:
        """True or false; false where the key is not there."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            self.note(key, f"{value!r} is neither true nor false", "write true or false, without quotes")
        return value is True

    def texts(self, key: str, *, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """An array of strings; empty where the key is not there."""
        found = []
        for index, value in self._elements(key):
            if isinstance(value, str) and (not choices or value in choices):
                found.append(value)
            else:
                wanted = f"one of: {', '.join(choices)}" if choices else "texts in quotes"
                self.note(f"{key}[{index}]", f"{value!r} does not fit", f"use {wanted}")
        return tuple(found)

    def table(self, key: str) -> "Table":
        """A table; an empty one where the key is not there."""
        value = self.values.get(key, {})
        if isinstance(value, Mapping):
            return Table(value, self.where(key), self.problems)
        self.note(key, f"{value!r} is not a table", f"write [{self.where(key)}] and its keys below")
        return Table({}, self.where(key), self.problems)

    def tables(self, key: str) -> tuple["Table", ...]:
        """An array of tables; empty where the key is not there."""
        found = []
        for index, value in self._elements(key):
            if isinstance(value, Mapping):
                found.append(Table(value, f"{self.where(key)}[{index}]", self.problems))
            else:
                self.note(f"{key}[{index}]", f"{value!r} is not a table", "write { key = value, ... }")
        return tuple(found)

    def text_table(self, key: str) -> dict[str, str]:
        """A table whose values are all strings."""
        table = self.table(key)
        return {name: table.text(name) for name in table.values}

    def _elements(self, key: str) -> Iterator[tuple[int, TomlValue]]:
        value = self.values.get(key, ())
        if isinstance(value, str) or not isinstance(value, Sequence):
            self.note(key, f"{value!r} is not a list", "write [ ..., ... ]")
            return
        yield from enumerate(value, start=1)
