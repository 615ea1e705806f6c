"""The header of a WFDB record (header(5) of the WFDB manual): a record line, then signals or segments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.errors import FormatError
from gateway.formats.measures import moment_of, present, sex
from gateway.formats.scale import number

FORMAT = "WFDB"
_RECORD = re.compile(
    r"(?P<name>[^\s/]+)(?:/(?P<segments>\d{1,6}))?\s+(?P<signals>\d{1,4})"
    r"(?:\s+(?P<rate>[\d.eE+]+)(?:/[^\s(]*(?:\([^)\s]*\))?)?(?:\s+(?P<samples>\d{1,12})"
    r"(?:\s+(?P<time>[\d:.]+)(?:\s+(?P<date>\d{1,2}/\d{1,2}/\d{4}))?)?)?)?\s*"
)
_SIGNAL = re.compile(
    r"(?P<file>\S+)\s+(?P<format>\d{1,3})(?:x(?P<frame>\d{1,4}))?(?::(?P<skew>\d{1,6}))?(?:\+(?P<offset>\d{1,9}))?"
    r"(?:\s+(?P<gain>[-\d.eE+]+)(?:\((?P<baseline>-?\d{1,10})\))?(?:/(?P<units>\S+))?"
    r"(?:\s+(?P<bits>\d{1,3})(?:\s+(?P<zero>-?\d{1,10})(?:\s+(?P<first>-?\d{1,10})"
    r"(?:\s+(?P<checksum>-?\d{1,10})(?:\s+\S+(?:\s+(?P<text>.*))?)?)?)?)?)?)?\s*"
)
_COMMENT = re.compile(r"#\s*(age|sex|gender)\s*:?\s+(\w+)", re.IGNORECASE)
_PLAIN = re.compile(r"[\w.-]+")
_DEFAULT_RATE = Decimal(250)
_DEFAULT_GAIN = Decimal(200)


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal line.

    Parameters
    ----------
    file : str
    format : int
        Of storage: 16, 212, ...
    frame : int
        Samples of this signal in one frame.
    skew : int
        Frames by which the signal is late.
    offset : int
        Byte of the file at which samples begin.
    gain : Decimal
        Counts a unit.
    calibrated : bool
        False where the header states no gain.
    baseline, first : int
        Counts: of 0 units; of the sample before the first difference of format 8.
    checksum : int or None
    units, label : str
    """

    file: str
    format: int
    frame: int
    skew: int
    offset: int
    gain: Decimal
    calibrated: bool
    baseline: int
    first: int
    checksum: int | None
    units: str
    label: str


@dataclass(frozen=True, slots=True)
class Header:
    """A record: signals, or segments by name and length."""

    name: str
    rate_hz: Decimal
    samples: int | None
    started_at: datetime | None
    signals: tuple[Signal, ...]
    segments: tuple[tuple[str, int], ...]
    patient_fields: dict[str, str]


def is_header(data: bytes) -> bool:
    """True where the first line but for comments is a record line, and the next a signal or a segment."""
    if b"\0" in data[:512]:
        return False
    lines = [line for line in _lines(data[:4096]) if not line.startswith("#")]
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None or len(lines) < 2:
        return False
    return bool(re.fullmatch(r"\S+\s+\d+", lines[1]) if record["segments"] else _SIGNAL.fullmatch(lines[1]))


def _lines(data: bytes) -> list[str]:
    return [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]


def read_header(data: bytes, section: str) -> Header:
    """The header in the bytes of a ``.hea`` file.

    Raises
    ------
    FormatError
        A line that does not hold, a rate that is not above 0, a file outside the record's folder.
    """
    lines = _lines(data)
    body = [line for line in lines if not line.startswith("#")]
    record = _RECORD.fullmatch(body[0]) if body else None
    if record is None:
        raise FormatError(FORMAT, section, "the record line does not hold")
    rate = number(record["rate"]) if record["rate"] else _DEFAULT_RATE
    if rate is None or rate <= 0:
        raise FormatError(FORMAT, section, "the sampling frequency is not above 0")
    segments = int(record["segments"] or 0)
    count = segments or int(record["signals"])
    if len(body) <= count:
        raise FormatError(
            FORMAT, section, f"{count} lines needed after the record line, {len(body) - 1} are there"
        )
    return Header(
        name=record["name"],
        rate_hz=rate,
        samples=int(record["samples"]) or None if record["samples"] else None,
        started_at=_started(record["time"], record["date"]),
        signals=()
        if segments
        else tuple(_signal(line, n, section) for n, line in enumerate(body[1 : count + 1], 1)),
        segments=tuple(_segment(line, section) for line in body[1 : count + 1]) if segments else (),
        patient_fields=_patient(lines),
    )


def _signal(line: str, n: int, section: str) -> Signal:
    match = _SIGNAL.fullmatch(line)
    if match is None:
        raise FormatError(FORMAT, section, f"the line of signal {n} does not hold")
    _plain(match["file"], section)
    gain = number(match["gain"]) if match["gain"] else None
    return Signal(
        file=match["file"],
        format=int(match["format"]),
        frame=int(match["frame"] or 1) or 1,
        skew=int(match["skew"] or 0),
        offset=int(match["offset"] or 0),
        gain=gain or _DEFAULT_GAIN,
        calibrated=bool(gain),
        baseline=int(match["baseline"] or match["zero"] or 0),
        first=int(match["first"] or 0),
        checksum=int(match["checksum"]) if match["checksum"] else None,
        units=match["units"] or "mV",
        label=(match["text"] or "").strip() or f"signal {n}",
    )


def _segment(line: str, section: str) -> tuple[str, int]:
    words = line.split()
    if len(words) < 2 or not words[1].isdecimal() or len(words[1]) > 12:
        raise FormatError(FORMAT, section, "a segment line does not hold")
    _plain(words[0], section)
    return words[0], int(words[1])


def _plain(name: str, section: str) -> None:
    if name != "~" and (_PLAIN.fullmatch(name) is None or name.startswith(".")):
        raise FormatError(FORMAT, section, "a file name that leads out of the record's folder")


def _started(time: str | None, date: str | None) -> datetime | None:
    """Only with a date: a time alone is on no day."""
    if not time or not date:
        return None
    whole, _, fraction = time.partition(".")
    parts = whole.split(":")
    if not 1 <= len(parts) <= 3 or not all(part.isdecimal() for part in parts):
        return None
    hours, minutes, seconds = [0] * (3 - len(parts)) + list(map(int, parts))
    day, month, year = map(int, date.split("/"))
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction.isdecimal() else 0
    return moment_of(year, month, day, hours, minutes, seconds, microsecond)


def _patient(lines: list[str]) -> dict[str, str]:
    """Age and sex, where comments state them as the PhysioNet databases do."""
    return present(dict(_comments(lines)))


def _comments(lines: list[str]) -> Iterator[tuple[str, str | None]]:
    for match in filter(None, map(_COMMENT.match, lines)):
        if match[1].lower() == "age":
            yield "age", f"{match[2]} a" if match[2].isdecimal() else None
        else:
            yield "sex", sex(match[2])
