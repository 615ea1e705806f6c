"""What a device says that it is: its attributes, and the configuration of its objects.

A configuration lists objects with their attributes: what is measured, in what unit, and in which order a
fixed report gives the values. Those of the specialisations 10404 (oximeter), 10407 (blood pressure), 10408
(thermometer), 10415 (scale) and 10417 (glucose) are known by heart, and a device need not send them:

======  ==================================================================
id      objects by handle
======  ==================================================================
0x0190  1 SpO2, 10 pulse rate; with or without a time stamp
0x0191  the same of a spot check, with a time stamp
0x02BC  1 systolic, diastolic and mean pressure, 2 pulse rate
0x0320  1 body temperature
0x05DC  1 weight, 2 height, 3 body mass index
0x06A4  1 glucose in capillary whole blood, mg/dL
======  ==================================================================

The value of a standard object may come as SFLOAT or as FLOAT; the length of its entry tells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.mder import Fields, absolute_time
from gateway.errors import DecodeError

ValueMap = tuple[tuple[int, int], ...]
"""Attribute ids and their lengths, in order."""

_SERIAL_NUMBER = 1


@dataclass(frozen=True, slots=True)
class DeviceObject:
    """One object of a configuration.

    Parameters
    ----------
    kind : int
        Its class.
    handle : int
    code : tuple of int, optional
        Partition and code of what it is.
    unit : int, optional
    value_maps : tuple of ValueMap
        The layouts that a fixed entry may have; no two have the same length.
    metric_ids : tuple of int
        Of a compound value, in its order.
    supplemental : tuple of (int, int)
        More types: the modality of an oximeter.
    scanned : tuple of (int, ValueMap)
        Of a scanner: the objects whose values it sends, and their layouts.
    """

    kind: int
    handle: int
    code: tuple[int, int] | None = None
    unit: int | None = None
    value_maps: tuple[ValueMap, ...] = ()
    metric_ids: tuple[int, ...] = ()
    supplemental: tuple[tuple[int, int], ...] = ()
    scanned: tuple[tuple[int, ValueMap], ...] = ()


Objects = Mapping[int, DeviceObject]
"""By handle."""


@dataclass(frozen=True, slots=True)
class Configuration:
    id: int
    objects: Objects


@dataclass(frozen=True, slots=True)
class Description:
    """What the device says of itself. A field that it leaves out is None.

    Parameters
    ----------
    vendor, model, serial : str, optional
    system_id : bytes, optional
    clock : datetime, optional
        What its clock shows, without a zone.
    ticks : int, optional
        What its relative clock shows, in 125 µs.
    microseconds : int, optional
        What its high-resolution clock shows.
    can_set_clock : bool
    """

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    system_id: bytes | None = None
    clock: datetime | None = None
    ticks: int | None = None
    microseconds: int | None = None
    can_set_clock: bool = False


def attributes(fields: Fields) -> dict[int, Fields]:
    """An attribute list, by id.

    Raises
    ------
    DecodeError
        Its lengths do not agree.
    """
    found = {}
    for item in fields.items("attributes"):
        attribute = item.u16("attribute id")
        found[attribute] = item.block(f"attribute 0x{attribute:04X}")
    return found


def configuration(info: Fields) -> Configuration:
    """The configuration in a configuration event.

    Raises
    ------
    DecodeError
        Its lengths do not agree.
    """
    configuration_id = info.u16("configuration id")
    objects = [_object(item) for item in info.items("objects")]
    info.end("configuration")
    return Configuration(configuration_id, MappingProxyType({each.handle: each for each in objects}))


def value_map(fields: Fields) -> ValueMap:
    """Attribute ids and lengths, as a map of values lists them."""
    return tuple(
        (item.u16("attribute id"), item.u16("attribute length")) for item in fields.items("value map")
    )


def described(found: Mapping[int, Fields]) -> Description:
    """What the attributes of the device itself say.

    Raises
    ------
    DecodeError
        One is cut off.
    """
    vendor, model = _model(found.get(n.MODEL))
    system_id, clock, ticks, precise, capable = (
        found.get(attribute)
        for attribute in (n.SYSTEM_ID, n.ABSOLUTE_TIME, n.RELATIVE_TIME, n.HI_RES_TIME, n.TIME_INFORMATION)
    )
    return Description(
        vendor=vendor,
        model=model,
        serial=_serial(found.get(n.PRODUCTION_SPECIFICATION)),
        system_id=system_id.block("system id").rest() if system_id else None,
        clock=absolute_time(clock.rest()) if clock else None,
        ticks=ticks.u32("relative time") if ticks else None,
        microseconds=precise.unsigned(8, "high-resolution time") if precise else None,
        can_set_clock=bool(capable and capable.u16("time capabilities") & n.SET_CLOCK_CAPABLE),
    )


def _object(fields: Fields) -> DeviceObject:
    kind, handle = fields.u16("object class"), fields.u16("object handle")
    found = attributes(fields)
    return DeviceObject(
        kind=kind,
        handle=handle,
        code=_code(found.get(n.TYPE)),
        unit=_optional_u16(found.get(n.UNIT), "unit"),
        value_maps=tuple(value_map(map_) for map_ in (found.get(n.VALUE_MAP),) if map_),
        metric_ids=_metric_ids(found.get(n.METRIC_IDS)),
        supplemental=tuple(_types(found.get(n.SUPPLEMENTAL_TYPES))),
        scanned=tuple(_scanned(found.get(n.SCANNER_MAP))),
    )


def _code(fields: Fields | None) -> tuple[int, int] | None:
    return None if fields is None else (fields.u16("partition"), fields.u16("code"))


def _optional_u16(fields: Fields | None, name: str) -> int | None:
    return None if fields is None else fields.u16(name)


def _metric_ids(fields: Fields | None) -> tuple[int, ...]:
    return () if fields is None else tuple(item.u16("metric id") for item in fields.items("metric ids"))


def _types(fields: Fields | None) -> Iterator[tuple[int, int]]:
    for item in fields.items("supplemental types") if fields else ():
        yield item.u16("partition"), item.u16("code")


def _scanned(fields: Fields | None) -> Iterator[tuple[int, ValueMap]]:
    for item in fields.items("scanner map") if fields else ():
        yield item.u16("object handle"), value_map(item)


def _model(fields: Fields | None) -> tuple[str | None, str | None]:
    if fields is None:
        return None, None
    return _text(fields.block("manufacturer")), _text(fields.block("model"))


def _serial(fields: Fields | None) -> str | None:
    found = None
    for item in fields.items("production specification") if fields else ():
        kind = item.u16("kind of specification")
        item.u16("component")
        text = _text(item.block("specification"))
        if kind == _SERIAL_NUMBER and text:
            found = text.removeprefix("serial-number:").strip()
    return found


def _text(fields: Fields) -> str | None:
    return fields.rest().decode("latin-1").strip("\0 ") or None


def _numeric(
    handle: int, code: int, unit: int, *maps: ValueMap, metric_ids: tuple[int, ...] = (), spot: bool = False
) -> DeviceObject:
    return DeviceObject(
        kind=n.NUMERIC,
        handle=handle,
        code=(n.SCADA, code),
        unit=unit,
        value_maps=maps,
        metric_ids=metric_ids,
        supplemental=((n.SCADA, n.SPOT),) if spot else (),
    )


_STAMP = (n.TIME_STAMP, 8)
_BASIC: ValueMap = ((n.BASIC_VALUE, 2),)
_BASIC_AT: ValueMap = (*_BASIC, _STAMP)
_SIMPLE_AT: ValueMap = ((n.SIMPLE_VALUE, 4), _STAMP)
_COMPOUND_AT: ValueMap = ((n.COMPOUND_BASIC_VALUES, 10), _STAMP)

STANDARD: Mapping[int, tuple[DeviceObject, ...]] = MappingProxyType(
    {
        0x0190: (
            _numeric(1, n.SPO2, n.PERCENT, _BASIC, _BASIC_AT),
            _numeric(10, n.PULSE_BY_OXIMETER, n.PER_MINUTE, _BASIC, _BASIC_AT),
        ),
        0x0191: (
            _numeric(1, n.SPO2, n.PERCENT, _BASIC_AT, spot=True),
            _numeric(10, n.PULSE_BY_OXIMETER, n.PER_MINUTE, _BASIC_AT, spot=True),
        ),
        0x02BC: (
            _numeric(1, n.BLOOD_PRESSURE, n.MMHG, _COMPOUND_AT, metric_ids=(n.SYSTOLIC, n.DIASTOLIC, n.MEAN)),
            _numeric(2, n.PULSE_BY_CUFF, n.PER_MINUTE, _BASIC_AT),
        ),
        0x0320: (_numeric(1, n.TEMPERATURE, n.CELSIUS, _SIMPLE_AT, _BASIC_AT),),
        0x05DC: (
            _numeric(1, n.WEIGHT, n.KILOGRAM, _SIMPLE_AT, _BASIC_AT),
            _numeric(2, n.HEIGHT, n.CENTIMETRE, _SIMPLE_AT, _BASIC_AT),
            _numeric(3, n.BMI, n.KILOGRAM_PER_M2, _SIMPLE_AT, _BASIC_AT),
        ),
        0x06A4: (_numeric(1, n.GLUCOSE_CAPILLARY_BLOOD, n.MG_PER_DL, _BASIC_AT, _SIMPLE_AT),),
    }
)


def standard_configuration(configuration_id: int) -> Configuration | None:
    """A configuration known by heart, or None."""
    objects = STANDARD.get(configuration_id)
    if objects is None:
        return None
    return Configuration(configuration_id, MappingProxyType({each.handle: each for each in objects}))


def layout(device_object: DeviceObject, size: int, offset: int) -> ValueMap:
    """The layout of a fixed entry of that size.

    Raises
    ------
    DecodeError
        The object has none.
    """
    for candidate in device_object.value_maps:
        if sum(length for _, length in candidate) == size:
            return candidate
    raise DecodeError(
        "length", f"object {device_object.handle}: its values do not fill {size} bytes", offset=offset
    )
