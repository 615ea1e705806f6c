"""MFER (ISO 22077): a chain of tag, length and value that describes frames of samples.

Settings before the first channel definition (tag 3F) are defaults, a channel's own override them. In a frame,
channel after channel stands with its block of samples; channels of other intervals have other block lengths.
Values are big-endian until tag 01 says otherwise. Source: files of a Nihon Kohden monitor, and two public
programs that agree with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import SCP_LEADS, stacked
from gateway.formats.measures import date_of, device, moment_of, present
from gateway.formats.scale import millivolts
from gateway.formats.view import View
from gateway.model.ekg import EkgGroup, EkgRecording
from gateway.model.reading import Device

FORMAT = "MFER"
_PREAMBLE = 0x40
_ORDER, _CHARACTERS, _MAKER = 0x01, 0x03, 0x17
_BLOCK, _CHANNELS, _FRAMES, _LEAD, _TYPE, _INTERVAL, _SCALE = 0x04, 0x05, 0x06, 0x09, 0x0A, 0x0B, 0x0C
_OFFSET, _NULL, _DATA, _CHANNEL, _END = 0x0D, 0x12, 0x1E, 0x3F, 0x80
_NAME, _ID, _BIRTH, _SEX_TAG, _TIME = 0x81, 0x82, 0x83, 0x84, 0x85
_TYPES = {0: "i2", 1: "u2", 2: "i4", 3: "u1", 4: "u2", 5: "i1", 6: "u4", 7: "f4", 8: "f8"}
_SEX = {1: "male", 2: "female"}
_MOST_CHANNELS = 128
_VOLT, _HERTZ, _SECOND = 0, 0, 1


@dataclass(slots=True)
class _Channel:
    number: int
    settings: dict[int, View]


@dataclass(slots=True)
class _File:
    """What the chain of tags says, up to the first waveform data."""

    settings: dict[int, View] = field(default_factory=dict)
    channels: list[_Channel] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    data: View | None = None
    little: bool = False

    def integer(self, value: View) -> int:
        return int.from_bytes(value.data, "little" if self.little else "big")

    def scaled(self, value: View) -> tuple[int, Decimal]:
        """A unit, and a number given as a power of ten and a mantissa."""
        unit, power = value.unpack("Bb", 0)
        mantissa = int.from_bytes(
            value.take(2, len(value) - 2), "little" if self.little else "big", signed=True
        )
        return unit, Decimal(mantissa).scaleb(power)


def matches(data: bytes) -> bool:
    """True where the bytes begin with MFER's preamble."""
    return data[:5] == b"\x40\x20MFR"


def read(data: bytes) -> EkgRecording:
    """The EKG leads in one MFER file; leads of other rates than the first one's are in `groups`.

    Raises
    ------
    FormatError
    """
    file = _parsed(View(data, FORMAT, "tags"))
    warnings: list[str] = []
    groups = _groups(file, warnings)
    first = groups[0]
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=first.leads,
        samples_mv=first.samples_mv,
        sample_rate_hz=first.sample_rate_hz,
        started_at=_started(file),
        device=_device(file),
        patient_fields=_patient(file),
        groups=tuple(groups[1:]),
        warnings=tuple(warnings),
    )


def _tags(view: View) -> Iterator[tuple[int, int | None, View]]:
    """Tag, channel number where it has one, and value; length 80 alone runs until two zero bytes."""
    at = 0
    while at < len(view) and (tag := view.u8(at)) != _END:
        at += 1
        number = None
        if tag == _CHANNEL:
            number, at = view.u8(at), at + 1
            if number > 127:
                raise view.error("a channel number above 127", at - 1)
        length, at = view.u8(at), at + 1
        if length == 0x80:
            end = view.data.find(b"\0\0", at)
            if end < 0:
                raise view.error(f"tag {tag:02X} does not end", at)
            yield tag, number, view.part(at, end - at, f"tag {tag:02X}")
            at = end + 2
            continue
        if length > 0x80:
            count = length - 0x80
            length, at = int.from_bytes(view.take(at, count), "big"), at + count
        yield tag, number, view.part(at, length, f"tag {tag:02X}")
        at += length


def _parsed(view: View) -> _File:
    file = _File()
    characters = "latin-1"
    for tag, number, value in _tags(view):
        if tag == _ORDER:
            file.little = value.u8(0) == 1
        elif tag == _CHARACTERS:
            characters = "utf-16-le" if value.data.startswith(b"UTF-16LE") else "latin-1"
        elif tag in {_NAME, _ID, _MAKER}:
            file.texts[tag] = value.data.decode(characters, "replace").partition("\0")[0].strip()
        elif number is not None:
            file.channels.append(_Channel(number, {inner: part for inner, _, part in _tags(value)}))
            if len(file.channels) > _MOST_CHANNELS:
                raise value.error(f"more than {_MOST_CHANNELS} channels")
        elif tag == _DATA:
            if file.data is not None:
                raise value.error("a second block of waveform data, which is not read")
            file.data = value
        elif file.data is None or tag > _END:
            file.settings[tag] = value
    if file.data is None or not file.channels:
        raise view.error("no waveform data, or no channel")
    return file


def _groups(file: _File, warnings: list[str]) -> list[EkgGroup]:
    rows: dict[float, list[tuple[str, NDArray[np.float64]]]] = {}
    for channel, values in _values(file):
        settings = file.settings | channel.settings
        name = _lead(file, channel)
        unit, scale = file.scaled(settings[_SCALE]) if _SCALE in settings else (-1, Decimal(0))
        if unit != _VOLT or not scale or name is None:
            warnings.append(f"channel {channel.number + 1} is not an EKG lead in volts and was left out")
            continue
        if _OFFSET in settings and file.integer(settings[_OFFSET]):
            raise settings[_OFFSET].error("an offset, whose meaning is not known")
        samples_mv = millivolts(values, scale * 1000)
        if _NULL in settings:
            samples_mv[_null(settings[_NULL], values)] = np.nan
        rows.setdefault(_rate(file, settings), []).append((name, samples_mv))
    if not rows:
        raise View(b"", FORMAT, "channels").error("no EKG lead in volts")
    return [_group(rate, found) for rate, found in rows.items()]


def _group(rate_hz: float, rows: list[tuple[str, NDArray[np.float64]]]) -> EkgGroup:
    samples_mv, _ = stacked([row for _, row in rows], FORMAT)
    return EkgGroup(f"{rate_hz:g} Hz", tuple(lead for lead, _ in rows), samples_mv, rate_hz)


def _values(file: _File) -> Iterator[tuple[_Channel, NDArray[np.integer] | NDArray[np.floating]]]:
    """Each channel with its samples of all frames."""
    layouts = [_layout(file, channel) for channel in file.channels]
    size = sum(kind.itemsize * block for kind, block in layouts)
    view = file.data or View(b"", FORMAT, "tag 1E")
    frames = len(view) // size if size else 0
    if not frames:
        raise view.error(f"{len(view)} bytes are not one frame of {size}")
    body = np.frombuffer(view.data, np.uint8, frames * size).reshape(frames, size)
    at = 0
    for channel, (kind, block) in zip(file.channels, layouts, strict=True):
        width = kind.itemsize * block
        octets = np.ascontiguousarray(body[:, at : at + width])
        yield channel, octets.view(kind).ravel()
        at += width


def _layout(file: _File, channel: _Channel) -> tuple["np.dtype[np.generic]", int]:
    settings = file.settings | channel.settings
    name = f"channel {channel.number + 1}"
    if _BLOCK not in settings or file.integer(settings[_BLOCK]) == 0:
        raise View(b"", FORMAT, name).error("no block length")
    kind = file.integer(settings[_TYPE]) if _TYPE in settings else 0
    if kind not in _TYPES:
        raise settings[_TYPE].error(f"samples of type {kind}, which is not read")
    return np.dtype(("<" if file.little else ">") + _TYPES[kind]), file.integer(settings[_BLOCK])


def _rate(file: _File, settings: Mapping[int, View]) -> float:
    if _INTERVAL not in settings:
        raise View(b"", FORMAT, "tag 0B").error("no sampling interval")
    unit, value = file.scaled(settings[_INTERVAL])
    if unit not in {_HERTZ, _SECOND} or value <= 0:
        raise settings[_INTERVAL].error("a sampling interval that is no time and no rate")
    return float(value if unit == _HERTZ else 1 / value)


def _null(value: View, values: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.bool_]:
    raw = value.data[: values.dtype.itemsize]
    if len(raw) < values.dtype.itemsize:
        return np.zeros(values.shape, np.bool_)
    missing: NDArray[np.bool_] = values == np.frombuffer(raw, values.dtype)[0]
    return missing


def _lead(file: _File, channel: _Channel) -> str | None:
    """None where the code is none of the standard's EKG leads."""
    value = channel.settings.get(_LEAD)
    return SCP_LEADS.get(file.integer(value.part(0, min(2, len(value))))) if value else None


def _started(file: _File) -> datetime | None:
    value = file.settings.get(_TIME)
    if value is None or len(value) < 7:
        return None
    order = "<" if file.little else ">"
    return moment_of(*value.unpack(order + "HBBBBB", 0))


def _device(file: _File) -> Device:
    vendor, _, rest = file.texts.get(_MAKER, "").partition("^")
    return device(vendor=vendor, model=rest.partition("^")[0])


def _patient(file: _File) -> dict[str, str]:
    fields = {"id": file.texts.get(_ID), "name": file.texts.get(_NAME)}
    sex_value, birth = file.settings.get(_SEX_TAG), file.settings.get(_BIRTH)
    if sex_value is not None and len(sex_value):
        fields["sex"] = _SEX.get(sex_value.u8(0))
    if birth is not None and len(birth) >= 7:
        years, _, year, month, day = birth.unpack(("<" if file.little else ">") + "BHHBB", 0)
        fields["birth_date"] = date_of(year, month, day)
        fields["age"] = f"{years} a" if 0 < years < 255 else None
    return present(fields)
