"""Every fault of a message, in the order of its segments: none is hidden by another."""

from collections import Counter
from collections.abc import Iterator

from gateway.errors import Hl7Error
from gateway.hl7 import independent_check
from gateway.hl7.building import DELETE
from gateway.hl7.message import Message, Segment, parse
from gateway.hl7.validation.datatypes import value_faults
from gateway.hl7.validation.faults import MessageFault, Rule
from gateway.hl7.validation.fields import FIELDS, V2_5, Field, Version, version_of
from gateway.hl7.validation.profile_rules import profile_faults
from gateway.hl7.validation.structures import structure_faults, structure_name


def validate(data: bytes, profile: str | None = None) -> tuple[MessageFault, ...]:
    """Everything that does not hold in one message.

    Parameters
    ----------
    data : bytes
        One message, without transport framing. Any bytes have an answer.
    profile : str, optional
        One of ``VALIDATED_PROFILES``: its rules count as well.
    """
    try:
        message = parse(data)
    except Hl7Error as error:
        return (MessageFault(error.segment or "", error.field, None, "encoding", error.message),)
    places = _places(message)
    found = [*_structural(message, places)]
    version = version_of(message.version)
    for index, segment in enumerate(message.segments):
        found += ((index, fault) for fault in _segment_faults(message, segment, places[index], version))
    if profile is not None:
        found += (
            (index, MessageFault(places[index], field, component, "profile", reason))
            for index, (_, field, component, reason) in profile_faults(message, profile)
        )
    return tuple(fault for _, fault in sorted(found, key=lambda entry: entry[0]))


def _places(message: Message) -> tuple[str, ...]:
    """Each segment's name, with its occurrence where there are several."""
    names = [line[:3] for line in message.lines]
    total, seen = Counter(names), Counter[str]()
    places = []
    for name in names:
        seen[name] += 1
        places.append(f"{name}[{seen[name]}]" if total[name] > 1 else name)
    return tuple(places)


def _structural(message: Message, places: tuple[str, ...]) -> Iterator[tuple[int, MessageFault]]:
    structure = structure_name(message.type, message.trigger)
    if structure is None:
        for text in independent_check.structure_faults(message):
            yield 0, MessageFault(*independent_check.place_of(text), "structure", text)
        return
    stated = message.header.get(9, component=3)
    if stated and stated != structure:
        yield 0, MessageFault("MSH", 9, 3, "structure", f"this type of message has {structure}")
    for index, name, reason in structure_faults([place[:3] for place in places], structure):
        place = name if index is None else places[index]
        yield len(places) if index is None else index, MessageFault(place, None, None, "structure", reason)


def _segment_faults(
    message: Message, segment: Segment, place: str, version: Version
) -> Iterator[MessageFault]:
    for field in FIELDS.get(segment.name, ()):
        if field.holds_in(version):
            yield from _field_faults(segment, place, field, version)
    if segment.name == "OBX":
        yield from _result_faults(segment, place)
    if segment.name == "OBR" and message.type == "ORU":
        yield from _report_faults(segment, place)
    if segment.name == "ERR" and version < V2_5 and not segment.raw(1):
        yield MessageFault(place, 1, None, "required", "empty; it says what was wrong and where")


def _field_faults(segment: Segment, place: str, field: Field, version: Version) -> Iterator[MessageFault]:
    repetitions = segment.repetitions(field.number)
    if not any(_says_something(segment, text) for text in repetitions):
        if field.required:
            yield MessageFault(place, field.number, None, "required", "empty")
        return
    if len(repetitions) > 1 and not field.repeats:
        yield MessageFault(place, field.number, None, "cardinality", "repeats, and must not")
    longest = field.longest_in(version)
    if longest is not None and len(segment.get(field.number)) > longest:
        yield MessageFault(place, field.number, None, "length", f"longer than {longest} characters")
    yield from _typed(segment, place, field.number, field.type, field.table)


def _typed(segment: Segment, place: str, number: int, kind: str, table: str = "") -> Iterator[MessageFault]:
    """What is wrong with the values of one field, each repetition by its components."""
    repetitions = segment.repetitions(number)
    for repetition, text in enumerate(repetitions, start=1):
        if not _says_something(segment, text) or text == DELETE:
            continue
        shown = repetition if len(repetitions) > 1 else None
        for component, of_table, reason in value_faults(_parts(segment, text), kind, table):
            rule: Rule = "table" if of_table else "type"
            yield MessageFault(place, number, component, rule, reason, shown)


def _parts(segment: Segment, text: str) -> tuple[str, ...]:
    """The components of one repetition, each by its first subcomponent."""
    delimiters = segment.syntax.delimiters
    return tuple(
        segment.syntax.plain(part.split(delimiters.subcomponent, 1)[0])
        for part in text.split(delimiters.component)
    )


def _says_something(segment: Segment, text: str) -> bool:
    """There is more than delimiters in it."""
    delimiters = segment.syntax.delimiters
    return bool(text.strip(delimiters.component + delimiters.subcomponent))


def _result_faults(result: Segment, place: str) -> Iterator[MessageFault]:
    kind = result.get(2)
    if not result.raw(5):
        return
    if not kind:
        yield MessageFault(place, 2, None, "required", "empty, while OBX-5 has a value")
    else:
        yield from _typed(result, place, 5, kind)


def _report_faults(report: Segment, place: str) -> Iterator[MessageFault]:
    """Fields that an order may leave empty, and a result may not."""
    if not (report.get(2) or report.get(3)):
        yield MessageFault(place, 3, None, "required", "neither placer's nor filler's number is stated")
    for number, what in ((7, "when it was observed"), (22, "when it was reported"), (25, "its status")):
        if not report.get(number):
            yield MessageFault(place, number, None, "required", f"a result states {what}")
