"""The persistent-metric store of IEEE 11073-20601: what a device kept while nobody listened.

A store has segments; each says in a map what its entries are: times (absolute 8 bytes, relative 4,
high-resolution 8, as the bits of its header say), then the values of its elements in order. Entries come in
segment events, each of which has to be confirmed before the next one comes. A store is never cleared here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.mder import Fields, u16, u32
from gateway.codecs.phd.objects import DeviceObject, Objects, ValueMap, attributes, value_map
from gateway.codecs.phd.observations import Observation, by_map, interpret, is_known
from gateway.errors import DecodeError

ALL_SEGMENTS = u16(1) + u16(2) + u16(0)

_TIMES = ((0x8000, n.TIME_STAMP, 8), (0x4000, n.TIME_STAMP_RELATIVE, 4), (0x2000, n.TIME_STAMP_HI_RES, 8))
_LAST, _DEVICE_ABORTS, _CONFIRMED, _HOST_ABORTS = 0x4000, 0x0800, 0x0080, 0x0008
_NOT_TRANSFERRED = {1: "no such segment", 2: "try later", 3: "the segment is empty", 512: "it failed"}


@dataclass(frozen=True, slots=True)
class Element:
    """One value of an entry: what it is, and its layout."""

    kind: int
    code: tuple[int, int]
    handle: int
    layout: ValueMap


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: how its entries are laid out, and whose they are.

    Parameters
    ----------
    instance : int
    times : ValueMap
    elements : tuple of Element
    person : int, optional
    units : mapping of (int, int) to int
        By what is measured, where the segment states them.
    """

    instance: int
    times: ValueMap
    elements: tuple[Element, ...]
    person: int | None
    units: Mapping[tuple[int, int], int]

    @property
    def entry_size(self) -> int:
        layouts = (self.times, *(element.layout for element in self.elements))
        return sum(size for each in layouts for _, size in each)


@dataclass(frozen=True, slots=True)
class SegmentData:
    """Some entries of a segment."""

    instance: int
    index: int
    count: int
    status: int
    entries: Fields

    @property
    def is_last(self) -> bool:
        return bool(self.status & (_LAST | _DEVICE_ABORTS))

    @property
    def is_broken_off(self) -> bool:
        return bool(self.status & _DEVICE_ABORTS)

    def answer(self, *, taken: bool) -> bytes:
        """What the device waits for: that it may go on, or that it shall stop."""
        status = _CONFIRMED if taken else _HOST_ABORTS
        return u16(self.instance) + u32(self.index) + u32(self.count) + u16(status)


def segments(info: Fields) -> tuple[Segment, ...]:
    """The segments in an answer to the action that asks for them.

    Raises
    ------
    DecodeError
        Lengths do not agree, or a segment has no map.
    """
    return tuple(_segment(item) for item in info.items("segments"))


def segment_data(info: Fields) -> SegmentData:
    """A segment event.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return SegmentData(
        info.u16("segment"),
        info.u32("index of the first entry"),
        info.u32("count of entries"),
        info.u16("status"),
        info.block("entries"),
    )


def transfer_refusal(info: Fields) -> str | None:
    """Why a segment will not be sent; None where it will."""
    info.u16("segment")
    code = info.u16("result")
    return _NOT_TRANSFERRED.get(code, f"result {code}") if code else None


def stored(data: SegmentData, segment: Segment, objects: Objects) -> tuple[Observation, ...]:
    """The observations in some entries.

    Raises
    ------
    DecodeError
        Their number, their length and the segment's map do not agree.
    """
    if not segment.entry_size or data.entries.left != data.count * segment.entry_size:
        what = f"{data.count} entries of {segment.entry_size} bytes do not fill {data.entries.left}"
        raise DecodeError("length", what, offset=data.entries.offset)
    return tuple(
        replace(observation, person=segment.person, is_stored=True)
        for _ in range(data.count)
        for observation in _entry(data.entries, segment, objects)
    )


def _segment(item: Fields) -> Segment:
    instance = item.u16("segment")
    found = attributes(item)
    if n.SEGMENT_MAP not in found:
        raise DecodeError("layout", f"segment {instance} has no map", offset=item.offset)
    map_ = found[n.SEGMENT_MAP]
    header = map_.u16("entry header")
    person = found[n.SEGMENT_PERSON].u16("person") if n.SEGMENT_PERSON in found else n.NO_PERSON
    return Segment(
        instance=instance,
        times=tuple((attribute, size) for bit, attribute, size in _TIMES if header & bit),
        elements=tuple(_elements(map_)),
        person=None if person == n.NO_PERSON else person,
        units=dict(_units(found.get(n.SEGMENT_STATIC_ATTRIBUTES))),
    )


def _elements(map_: Fields) -> Iterator[Element]:
    for item in map_.items("elements"):
        kind = item.u16("class")
        code = (item.u16("partition"), item.u16("code"))
        yield Element(kind, code, item.u16("object handle"), value_map(item))


def _units(fields: Fields | None) -> Iterator[tuple[tuple[int, int], int]]:
    for item in fields.items("static attributes") if fields else ():
        item.u16("class")
        code = (item.u16("partition"), item.u16("code"))
        found = attributes(item)
        if n.UNIT in found:
            yield code, found[n.UNIT].u16("unit")


def _entry(entries: Fields, segment: Segment, objects: Objects) -> Iterator[Observation]:
    start = entries.offset
    raw = entries.take(segment.entry_size, "entry")
    fields = Fields(raw, start)
    times = {attribute: data.rest() for attribute, data in by_map(fields, segment.times).items()}
    for element in segment.elements:
        found = by_map(fields, element.layout)
        known = objects.get(element.handle, DeviceObject(element.kind, element.handle))
        unit = segment.units.get(element.code, known.unit)
        described = replace(known, kind=element.kind, code=element.code, unit=unit)
        if is_known(described):
            at = {attribute: Fields(data, start) for attribute, data in times.items()}
            yield interpret(described, {**at, **found}, raw, start)
