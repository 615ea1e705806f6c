"""An outcome against what a fixture expects of it: every difference as a line that names what differs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest

from gateway.drivers import Fault
from gateway.model import Reading
from gateway.model.serialised import reading_json
from gateway.testing.expectation import Expectation, ExpectedEvent, ExpectedFault, Json, Stated
from gateway.testing.replay import Notice, Outcome


def differences(outcome: Outcome, expectation: Expectation) -> tuple[str, ...]:
    """Empty where the outcome is as expected."""
    return (
        *_readings(outcome.readings, expectation.readings),
        *_faults(outcome.errors, expectation.faults),
        *_events(outcome.events, expectation.events),
    )


def _readings(found: Sequence[Reading], expected: Sequence[Stated]) -> Iterator[str]:
    for number, (reading, stated) in enumerate(zip_longest(found, expected), start=1):
        where = f"reading {number}"
        if reading is None:
            yield f"{where}: {_summary(stated)} expected, none came"
        elif stated is None:
            yield f"{where}: {_summary(_comparable(reading))} came, none expected"
        else:
            yield from _stated(where, stated, _comparable(reading))


def _comparable(reading: Reading) -> dict[str, Json]:
    shown = {"sequence": reading.sequence, **reading_json(reading)}
    if (ekg := reading.ekg) is not None:
        shown["ekg"] = {
            "format": ekg.format,
            "leads": list(ekg.leads),
            "sample_rate_hz": ekg.sample_rate_hz,
            "samples": int(ekg.samples_mv.shape[-1]),
        }
    return shown


def _stated(where: str, stated: Stated, found: Mapping[str, Json]) -> Iterator[str]:
    for key, value in stated.items():
        there = found.get(key)
        if key == "observations":
            yield from _observations(where, _by_name(value), _by_name(there))
        elif isinstance(value, dict) and isinstance(there, dict):
            yield from _stated(f"{where}: {key}", value, there)
        elif _comparison(key, there) != _comparison(key, value):
            yield f"{where}: {key} is {_shown(there)}, expected {_shown(value)}"


def _observations(
    where: str, expected: Mapping[str, dict[str, Json]], found: Mapping[str, dict[str, Json]]
) -> Iterator[str]:
    for name, stated in expected.items():
        if name in found:
            yield from _stated(f"{where}: {name}", stated, found[name])
        else:
            yield f"{where}: {name} expected, none came"
    for name, observation in found.items():
        if name not in expected:
            yield f"{where}: {_observation_summary(observation)} came, none expected"


def _by_name(observations: Json) -> dict[str, dict[str, Json]]:
    """Observations by name; the second of one name is called ``name (2)``."""
    seen: Counter[str] = Counter()
    named = {}
    for observation in observations if isinstance(observations, list) else []:
        if isinstance(observation, dict):
            name = str(observation.get("name"))
            seen[name] += 1
            named[name if seen[name] == 1 else f"{name} ({seen[name]})"] = observation
    return named


def _comparison(key: str, value: Json) -> Json | Decimal:
    """What is compared: a drift is a measure of ours, and no digits of a device's."""
    if key == "taken_at" and isinstance(value, str):
        return datetime.fromisoformat(value).isoformat()
    return Decimal(value) if key == "clock_drift_s" and isinstance(value, str) else value


def _shown(value: Json) -> str:
    return "absent" if value is None else repr(value) if isinstance(value, str) else str(value)


def _summary(reading: Stated) -> str:
    observations = _by_name(reading.get("observations")).values()
    words = "; ".join(_observation_summary(observation) for observation in observations)
    status = reading.get("status", "final")
    kind = str(reading.get("kind", "a reading"))
    return " ".join(
        part
        for part in ("" if status == "final" else str(status), kind, f"({words})" if words else "")
        if part
    )


def _observation_summary(observation: Mapping[str, Json]) -> str:
    parts = (observation.get(key) for key in ("name", "comparator", "value", "text", "unit"))
    return " ".join(str(part) for part in parts if part)


def _faults(found: Sequence[Fault], expected: Sequence[ExpectedFault]) -> Iterator[str]:
    for number, (fault, stated) in enumerate(zip_longest(found, expected), start=1):
        where = f"fault {number}"
        if fault is None:
            yield f"{where}: {stated.code} expected, none came"
        elif stated is None:
            yield f"{where}: {fault.code} at byte {fault.offset} came, none expected: {fault.message}"
        else:
            yield from _fault(where, fault, stated)


def _fault(where: str, fault: Fault, stated: ExpectedFault) -> Iterator[str]:
    if fault.code != stated.code:
        yield f"{where}: code is {fault.code!r}, expected {stated.code!r}: {fault.message}"
    if stated.offset is not None and fault.offset != stated.offset:
        yield f"{where}: offset is {fault.offset}, expected {stated.offset}"
    if stated.message not in fault.message:
        yield f"{where}: message is {fault.message!r}, expected {stated.message!r} in it"


def _events(found: Sequence[Notice], expected: Sequence[ExpectedEvent]) -> Iterator[str]:
    """Each expected event has to come after the one before it; others between them do no harm."""
    coming = iter(found)
    for number, stated in enumerate(expected, start=1):
        if not any((event.kind, event.text) == (stated.kind, stated.text) for event in coming):
            yield f"event {number}: {stated.kind} {stated.text!r} expected, none came in its place"
