"""A recorded session without its patient, which says otherwise what it said before.

What looks like an identifier may be a measurement, and only the driver knows. So the session is replayed with
each text replaced, and compared with the original in all but the patient: its readings with their values,
units, times, states and devices, and its faults.

=========  =====================================================================================
replaced   nothing else changed
measured   the driver reads something else out of it: it stays. A subject never counts as this
breaking   frames around it no longer hold, and what the driver reads there cannot be told
hidden     the driver calls it the patient's, and the bytes do not hold it as it stands
=========  =====================================================================================
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from gateway.drivers import Driver
from gateway.model import EkgRecording, Reading
from gateway.testing.replay import Outcome, replay
from gateway.testing.scrub import Scrubber, occurrences
from gateway.testing.session_fixture import Connection, Direction, Exchange, SessionFixture

Stream = tuple[int, Direction, str]
_MOST_REPLAYS = 2000
_WITHIN = re.compile(rb"[0-9.][0-9]|[0-9][0-9.]|[A-Za-z][A-Za-z]")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of what one connection carried one way on one channel."""

    stream: Stream
    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        return self.stream == other.stream and self.start < other.end and other.start < self.end


Edits = Mapping[Span, bytes]


@dataclass(frozen=True, slots=True)
class Examined:
    """What is to become of the texts in a session that look like a patient's."""

    session: SessionFixture
    edits: Mapping[bytes, Edits]
    measured: tuple[bytes, ...]
    breaking: tuple[bytes, ...]
    hidden: tuple[str, ...]

    @property
    def replaced(self) -> tuple[bytes, ...]:
        return tuple(text for text in self.edits if text not in self.breaking)

    def scrubbed(self, *, keep: Collection[bytes] = ()) -> SessionFixture:
        """The session with everything replaced that can be, but for what is to be kept."""
        chosen = (edits for text, edits in self.edits.items() if text not in keep)
        return edited(self.session, {span: by for edits in chosen for span, by in edits.items()})


def examine(session: SessionFixture, driver: Driver, scrubber: Scrubber) -> Examined:
    """Try on `session` what `scrubber` and `driver` hold for a patient's.

    Parameters
    ----------
    session : SessionFixture
        As it was recorded.
    driver : Driver
    scrubber : Scrubber
        Has the replacements; those that are missing are made up.
    """
    trial = _Trial(session, driver)
    subjects = sorted(_subjects(trial.original), key=len, reverse=True)
    for data in trial.said.values():
        scrubber.found_in(data)
    for subject in subjects:
        scrubber.replace(subject, known=True)
    others = sorted(scrubber.replacements.keys() - set(subjects), key=len, reverse=True)
    for text in (*subjects, *others):
        trial.place(text, scrubber.replacements[text], known=text in subjects)
    return trial.examined(scrubber.replacements)


def edited(session: SessionFixture, edits: Edits) -> SessionFixture:
    """The session with other bytes of the same length in the places of `edits`."""
    streams = {stream: bytearray(data) for stream, data in _streams(session).items()}
    for span, by in edits.items():
        streams[span.stream][span.start : span.end] = by
    connections = (_cut(number, one, streams) for number, one in enumerate(session.connections))
    return replace(session, connections=tuple(connections))


def _streams(session: SessionFixture) -> dict[Stream, bytes]:
    joined: dict[Stream, bytearray] = {}
    for number, connection in enumerate(session.connections):
        for exchange in connection.exchanges:
            stream = (number, exchange.direction, exchange.channel)
            joined.setdefault(stream, bytearray()).extend(exchange.data)
    return {stream: bytes(data) for stream, data in joined.items()}


def _cut(number: int, connection: Connection, streams: Mapping[Stream, bytearray]) -> Connection:
    """The connection with its exchanges as long as they were."""
    passed: Counter[Stream] = Counter()

    def taken(exchange: Exchange) -> Exchange:
        stream = (number, exchange.direction, exchange.channel)
        start = passed[stream]
        passed[stream] += len(exchange.data)
        return replace(exchange, data=bytes(streams[stream][start : passed[stream]]))

    return replace(connection, exchanges=tuple(map(taken, connection.exchanges)))


def _subjects(outcome: Outcome) -> set[bytes]:
    return {reading.subject.encode("latin-1", "replace") for reading in outcome.readings if reading.subject}


def _essence(reading: Reading) -> tuple[Reading, object]:
    """All of a reading but the patient and the number of the record, which may be the patient's sample's."""
    bare = replace(reading, subject=None, patient_id=None, sequence=None, provenance=b"", ekg=None)
    return bare, reading.ekg and _waves(reading.ekg)


def _waves(ekg: EkgRecording) -> object:
    return ekg.leads, ekg.sample_rate_hz, ekg.started_at, ekg.samples_mv.tobytes()


def _faults(outcome: Outcome) -> list[tuple[str, int | None]]:
    return [(fault.code, fault.offset) for fault in outcome.errors]


def _alike(one: Outcome, other: Outcome) -> bool:
    return _shape(one) == _shape(other) and all(
        _essence(a) == _essence(b) for a, b in zip(one.readings, other.readings, strict=True)
    )


def _shape(outcome: Outcome) -> tuple[int, list[tuple[str, int | None]]]:
    return len(outcome.readings), _faults(outcome)


def _probes(text: bytes) -> Iterator[bytes]:
    """`text` with the least changes: neighbours exchanged, which keeps its sum; one digit another."""
    for at, (one, two) in enumerate(pairwise(text)):
        if one != two:
            yield text[:at] + bytes((two, one)) + text[at + 2 :]
    for at, byte in enumerate(text):
        if chr(byte).isdigit():
            yield text[:at] + (b"0" if byte == ord("9") else bytes((byte + 1,))) + text[at + 1 :]


@dataclass(slots=True)
class _Trial:
    """The session, replayed with one change after the other."""

    session: SessionFixture
    driver: Driver
    original: Outcome = field(init=False)
    said: dict[Stream, bytes] = field(init=False)
    _edits: dict[bytes, dict[Span, bytes]] = field(default_factory=dict)
    _measured: list[bytes] = field(default_factory=list)
    _breaking: dict[bytes, dict[Span, bytes]] = field(default_factory=dict)
    _replays: int = 0

    def __post_init__(self) -> None:
        self.original = replay(self.session, self.driver)
        self.said = {stream: data for stream, data in _streams(self.session).items() if stream[1] == "<"}

    def place(self, text: bytes, by: bytes, *, known: bool) -> None:
        """Put `by` where `text` stands, as far as that changes nothing else.

        What is `known` to be a patient's, and still called so by the driver after that, is breaking.
        """
        spans = self._free(text)
        whole = [span for span in spans if self._is_whole(span)]
        refused = self._settle(text, whole or spans, by)
        if known and whole and text in _subjects(self._replayed({})):
            self._settle(text, [span for span in spans if span not in whole], by)
        if not refused:
            return
        if (known and text in _subjects(self._replayed({}))) or not self._is_read(text, refused):
            self._breaking[text] = dict.fromkeys(refused, by)
        elif not known:
            self._measured.append(text)

    def _settle(self, text: bytes, spans: list[Span], by: bytes) -> list[Span]:
        """Replace where that is harmless; the other places."""
        taken = self._harmless(spans, by)
        self._edits.setdefault(text, {}).update(dict.fromkeys(taken, by))
        return [span for span in spans if span not in taken]

    def _is_whole(self, span: Span) -> bool:
        """Whether it is no part of a longer number or word."""
        data = self.said[span.stream]
        return not any(
            _WITHIN.fullmatch(data[at : at + 2]) for at in (span.start - 1, span.end - 1) if at >= 0
        )

    def examined(self, replacements: Mapping[bytes, bytes]) -> Examined:
        outcome = self._replayed({})
        named = (text for text in _subjects(outcome) if text in _subjects(self.original))
        hidden = sorted(text.decode("latin-1") for text in named if text not in self._breaking)
        files = sorted({name for r in outcome.readings if r.ekg for name in r.ekg.patient_fields})
        texts = [text.decode("latin-1") for text, spans in self._edits.items() if spans]
        channels = {stream[2] for stream in self.said if "." in stream[2]}
        files += sorted(f"file {name}" for name in channels if any(text in name for text in texts))
        edits = {text: spans | self._breaking.get(text, {}) for text, spans in self._edits.items()}
        edits = {text: spans for text, spans in edits.items() if spans}
        for text in edits:
            edits[text] |= dict.fromkeys(self._asked(text, outcome), replacements[text])
        return Examined(self.session, edits, tuple(self._measured), tuple(self._breaking), (*hidden, *files))

    def _asked(self, text: bytes, scrubbed: Outcome) -> Iterator[Span]:
        """Where the host said it after the device, unless the driver says it of its own accord."""
        if not any(text in sent.data for sent in scrubbed.sent):
            for stream, data in _streams(self.session).items():
                if stream[1] == ">":
                    yield from (Span(stream, *place) for place in occurrences(text, data))

    def _free(self, text: bytes) -> list[Span]:
        """Where `text` stands and nothing is replaced yet."""
        taken = [span for edits in (*self._edits.values(), *self._breaking.values()) for span in edits]
        spans = (Span(stream, *at) for stream, data in self.said.items() for at in occurrences(text, data))
        return [span for span in spans if not any(span.overlaps(other) for other in taken)]

    def _harmless(self, spans: list[Span], by: bytes, beside: Iterable[Span] = ()) -> list[Span]:
        """The most of `spans` that can be replaced, found by halves; `beside` are replaced already."""
        if not spans:
            return []
        edits = dict.fromkeys((*beside, *spans), by)
        if _alike(self._replayed(edits), self.original):
            return spans
        if len(spans) == 1:
            return []
        middle = len(spans) // 2
        first = self._harmless(spans[:middle], by, beside)
        return first + self._harmless(spans[middle:], by, (*beside, *first))

    def _is_read(self, text: bytes, spans: list[Span]) -> bool:
        """Whether another text there is another reading, and no broken frame."""
        for probe in _probes(text):
            outcome = self._replayed(dict.fromkeys(spans, probe))
            if _shape(outcome) == _shape(self.original) and not _alike(outcome, self.original):
                return True
        return False

    def _replayed(self, edits: Edits) -> Outcome:
        """With what is settled and `edits`; past all patience, nothing comes of it."""
        self._replays += 1
        if self._replays > _MOST_REPLAYS and edits:
            return Outcome()
        settled = {span: by for spans in self._edits.values() for span, by in spans.items()}
        return replay(edited(self.session, settled | dict(edits)), self.driver)
