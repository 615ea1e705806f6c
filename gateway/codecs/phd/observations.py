"""What a device measured, as its scan reports and its store give it: a value, and what is said of it.

A report holds entries. A fixed one has the values of an object in the order of the object's map, a variable
one names each attribute, a grouped one follows the map of the scanner that sent it; any of them may stand
under a person. The value is one of these attributes:

======  ===========================================================
id      value
======  ===========================================================
0A4C    SFLOAT
0A56    FLOAT
0A75    SFLOATs, in the order of the object's metric ids
0A74    the same of FLOATs
0950    metric id, status, unit, FLOAT
094B    a list of these
======  ===========================================================
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.ieee11073 import Number, resembles_special
from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.mder import Fields, absolute_time
from gateway.codecs.phd.objects import DeviceObject, Objects, ValueMap, attributes, layout
from gateway.errors import DecodeError

_TIME_STAMPS = (n.TIME_STAMP, n.ABSOLUTE_TIME)  # a Nonin 9560 names the clock where it means the stamp


@dataclass(frozen=True, slots=True)
class Value:
    """One number, or what stands for none.

    Parameters
    ----------
    code : tuple of int
        Partition and code.
    number : Decimal or Special
    unit : int, optional
    offset : int
        Of the entry that it is from, in the message.
    is_doubtful : bool
        It has the digits of a special SFLOAT, and an exponent that makes it a number.
    """

    code: tuple[int, int]
    number: Number
    unit: int | None
    offset: int
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """The values of one object that belong together.

    Parameters
    ----------
    values : tuple of Value
    status : int
        Measurement status, 0 where nothing is said.
    person : int, optional
        A slot of the device.
    taken_at : datetime, optional
        By its clock, without a zone.
    stamp_fault : str, optional
        Why a time stamp gives no time.
    ticks, microseconds : int, optional
        By its relative clocks: 125 µs, 1 µs.
    is_spot : bool
    is_stored : bool
        Whether it is from the device's store.
    raw : bytes
        The entry.
    """

    values: tuple[Value, ...]
    status: int = 0
    person: int | None = None
    taken_at: datetime | None = None
    stamp_fault: str | None = None
    ticks: int | None = None
    microseconds: int | None = None
    is_spot: bool = False
    is_stored: bool = False
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Scan:
    """What came of one report.

    Parameters
    ----------
    observations : tuple of Observation
    objects : Objects
        As they are now: a report may change a unit for good.
    errors : tuple of DecodeError
        Of entries that do not hold; the others are good.
    """

    observations: tuple[Observation, ...]
    objects: Objects
    errors: tuple[DecodeError, ...] = ()


def scan(event_type: int, info: Fields, scanner: int, objects: Objects) -> Scan:
    """The observations in a report.

    Parameters
    ----------
    event_type : int
        One of :data:`gateway.codecs.phd.nomenclature.SCANS`.
    info : Fields
    scanner : int
        The handle of the object that reports.
    objects : Objects
        The configuration.

    Raises
    ------
    DecodeError
        Lengths do not agree: nothing of the report is known for certain.
    """
    form, has_persons = n.SCANS[event_type]
    info.take(2 + 2, "data request id, report number")
    entries = list(_persons(info, form) if has_persons else ((None, entry) for entry in _entries(info, form)))
    info.end("scan report")
    return _observed(entries, form, scanner, dict(objects))


def is_known(device_object: DeviceObject) -> bool:
    """Whether it is a number that the standard names; makers add objects with codes of their own."""
    private = device_object.code is not None and device_object.code[1] >= n.PRIVATE_CODES
    return device_object.kind == n.NUMERIC and not private


def interpret(
    device_object: DeviceObject, found: Mapping[int, Fields], raw: bytes, offset: int
) -> Observation:
    """The observation in the attributes of one entry.

    Raises
    ------
    DecodeError
        An attribute is cut off, or the order of a compound value is not known.
    """
    unit = found[n.UNIT].u16("unit") if n.UNIT in found else device_object.unit
    known = replace(device_object, unit=unit)
    values, status = _values(known, found, offset)
    stamp = next((found[each].rest() for each in _TIME_STAMPS if each in found), None)
    return Observation(
        values=values,
        status=found[n.MEASUREMENT_STATUS].u16("status") if n.MEASUREMENT_STATUS in found else status,
        taken_at=absolute_time(stamp) if stamp else None,
        stamp_fault=_stamp_fault(stamp, found),
        ticks=found[n.TIME_STAMP_RELATIVE].u32("time stamp") if n.TIME_STAMP_RELATIVE in found else None,
        microseconds=(
            found[n.TIME_STAMP_HI_RES].unsigned(8, "time stamp") if n.TIME_STAMP_HI_RES in found else None
        ),
        is_spot=(n.SCADA, n.SPOT) in device_object.supplemental,
        raw=raw,
    )


def by_map(fields: Fields, map_: ValueMap) -> dict[int, Fields]:
    """Values without their ids, in the order of a map."""
    found = {}
    for attribute, size in map_:
        start = fields.offset
        found[attribute] = Fields(fields.take(size, f"attribute 0x{attribute:04X}"), start)
    return found


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry: whose it is, and its bytes; of a grouped report the handle is not said."""

    handle: int | None
    count: int
    fields: Fields


def _persons(info: Fields, form: str) -> Iterator[tuple[int | None, _Entry]]:
    for item in info.items("persons"):
        person = item.u16("person id")
        yield from ((None if person == n.NO_PERSON else person, entry) for entry in _entries(item, form))


def _entries(fields: Fields, form: str) -> Iterator[_Entry]:
    for item in fields.items("entries"):
        handle = None if form == "grouped" else item.u16("object handle")
        count = item.u16("count of attributes") if form == "variable" else 0
        yield _Entry(handle, count, item.block("entry"))


def _observed(
    entries: list[tuple[int | None, _Entry]], form: str, scanner: int, objects: dict[int, DeviceObject]
) -> Scan:
    observations, errors = [], []
    for person, entry in entries:
        try:
            found = list(_of_entry(entry, form, scanner, objects))
        except DecodeError as error:
            errors.append(error)
        else:
            observations += [replace(observation, person=person) for observation in found]
    return Scan(tuple(observations), objects, tuple(errors))


def _of_entry(
    entry: _Entry, form: str, scanner: int, objects: dict[int, DeviceObject]
) -> Iterator[Observation]:
    offset, raw = entry.fields.offset, entry.fields.rest()
    fields = Fields(raw, offset)
    if entry.handle is None:
        yield from _of_group(fields, scanner, objects)
        return
    device_object = objects.get(entry.handle)
    if device_object is None:
        raise DecodeError("object", f"no object {entry.handle} in the configuration", offset=offset)
    if not is_known(device_object):
        return
    if form == "variable":
        counted = Fields(entry.count.to_bytes(2, "big") + len(raw).to_bytes(2, "big") + raw, offset - 4)
        found = attributes(counted)
        _remember(device_object, found, objects)
    else:
        found = by_map(fields, layout(device_object, len(raw), offset))
    yield interpret(objects[entry.handle], found, raw, offset)


def _of_group(fields: Fields, scanner: int, objects: dict[int, DeviceObject]) -> Iterator[Observation]:
    device_object = objects.get(scanner)
    if device_object is None or not device_object.scanned:
        raise DecodeError("object", f"no map of scanner {scanner} in the configuration", offset=fields.offset)
    for handle, map_ in device_object.scanned:
        offset, size = fields.offset, sum(length for _, length in map_)
        raw = fields.take(size, f"values of object {handle}")
        measured = objects.get(handle)
        if measured is not None and is_known(measured):
            yield interpret(measured, by_map(Fields(raw, offset), map_), raw, offset)
    fields.end("scanner map")


def _remember(
    device_object: DeviceObject, found: dict[int, Fields], objects: dict[int, DeviceObject]
) -> None:
    """A unit or a type that a report states holds from now on."""
    changed = device_object
    if n.UNIT in found:
        changed = replace(changed, unit=found.pop(n.UNIT).u16("unit"))
    if n.TYPE in found:
        fields = found.pop(n.TYPE)
        changed = replace(changed, code=(fields.u16("partition"), fields.u16("code")))
    objects[device_object.handle] = changed


def _values(
    device_object: DeviceObject, found: Mapping[int, Fields], offset: int
) -> tuple[tuple[Value, ...], int]:
    """The values of an entry, and the status that stands beside them."""
    partition, code = device_object.code or (0, 0)
    if n.METRIC_ID in found:
        code = found[n.METRIC_ID].u16("metric id")
    own = (partition, code)
    if n.BASIC_VALUE in found:
        return (_basic(own, found[n.BASIC_VALUE].sfloat("value"), device_object.unit, offset),), 0
    if n.SIMPLE_VALUE in found:
        return (Value(own, found[n.SIMPLE_VALUE].float32("value"), device_object.unit, offset),), 0
    if n.COMPOUND_BASIC_VALUES in found:
        return _compound(device_object, found[n.COMPOUND_BASIC_VALUES], Fields.sfloat, offset), 0
    if n.COMPOUND_SIMPLE_VALUES in found:
        return _compound(device_object, found[n.COMPOUND_SIMPLE_VALUES], Fields.float32, offset), 0
    if n.OBSERVED_VALUE in found:
        value, status = _observed_value(found[n.OBSERVED_VALUE], partition, offset)
        return (value,), status
    if n.COMPOUND_OBSERVED_VALUES in found:
        items = found[n.COMPOUND_OBSERVED_VALUES].items("values")
        both = [_observed_value(item, partition, offset) for item in items]
        return tuple(value for value, _ in both), _all_bits(status for _, status in both)
    return (), 0


def _compound(
    device_object: DeviceObject,
    fields: Fields,
    number: Callable[[Fields, str], Number],
    offset: int,
) -> tuple[Value, ...]:
    numbers = [number(item, "value") for item in fields.items("values")]
    if len(numbers) != len(device_object.metric_ids):
        what = f"{len(numbers)} values, {len(device_object.metric_ids)} in the configuration"
        raise DecodeError("layout", f"object {device_object.handle}: {what}", offset=offset)
    partition, _ = device_object.code or (0, 0)
    made = _basic if number is Fields.sfloat else Value
    return tuple(
        made((partition, code), each, device_object.unit, offset)
        for code, each in zip(device_object.metric_ids, numbers, strict=True)
    )


def _stamp_fault(stamp: bytes | None, found: Mapping[int, Fields]) -> str | None:
    if stamp is not None and absolute_time(stamp) is None:
        return "is no date and time" if any(stamp) else "is empty: its clock is not set"
    return "is of a kind that is not read" if n.TIME_STAMP_BASE_OFFSET in found else None


def _basic(code: tuple[int, int], number: Number, unit: int | None, offset: int) -> Value:
    is_doubtful = isinstance(number, Decimal) and resembles_special(number)
    return Value(code, number, unit, offset, is_doubtful)


def _observed_value(fields: Fields, partition: int, offset: int) -> tuple[Value, int]:
    code, status, unit = fields.u16("metric id"), fields.u16("status"), fields.u16("unit")
    return Value((partition, code), fields.float32("value"), unit, offset), status


def _all_bits(statuses: Iterator[int]) -> int:
    both = 0
    for status in statuses:
        both |= status
    return both
