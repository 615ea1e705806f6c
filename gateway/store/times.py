"""Instants as the database holds them: ISO 8601, UTC, microseconds, so that text order is time order."""

from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """`at`, which must know its zone, as text."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be ordered")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
