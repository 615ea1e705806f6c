"""SCP-ECG 2.0 (EN 1064): the writer.

Sections 0, 1, 3 and 6 always; 2 (the default Huffman table) where second differences fit its codes, plain
16-bit values otherwise; 4 and 5 for a median beat; 7 and 8 for what the machine measured and said. One
multiplier, a whole number of nanovolts, serves all leads, and a sample lasts a whole number of microseconds.
Of intervals, section 7 holds where waves begin and end, which a recording does not state: only rate, RR and
QTc have a place in it.
"""

import math
import struct
from binascii import crc_hqx
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.fitting import (
    Fitted,
    Held,
    as_read,
    held_date,
    held_device,
    held_fields,
    held_measurements,
    held_start,
    on_given_steps,
)
from gateway.formats.huffman import DEFAULT_CODES
from gateway.formats.leads import SCP_LEADS, scp_lead
from gateway.formats.resolution import counts_of, lsb_mv
from gateway.formats.scale import NV_MV
from gateway.formats.scp import FORMAT
from gateway.formats.scp_text import AGE_UNITS, HEIGHT_UNITS, WEIGHT_UNITS
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording

_PROTOCOL = 20
_POINTERS = 12
_MOST_COUNTS = 32767
_MOST_NV = 65535
_ROUND_NV = 50_000
_MOST_US = 65535
_MOST_BYTES = 65534
_MOST_LEADS = 255
_LONGEST_TEXT = 64
_LONGEST_STATEMENT = 255
_MODEL = 6
_UNKNOWN = 29999
_CODES = {lead: code for code, lead in SCP_LEADS.items()}
_SEX = {"male": 1, "female": 2}
_MAINS = {"60": 1, "50": 2}
_GLOBAL = {"rr-interval": "ms", "heart-rate": "/min", "qtc-interval": "ms"}
_SMALL = {code.value: code for code in DEFAULT_CODES if code.prefix_bits == code.total_bits}
_BYTE, _WORD = (code for code in DEFAULT_CODES if code.prefix_bits < code.total_bits)
_SECOND_DIFFERENCES = 2
Rows = Sequence[NDArray[np.float64]] | NDArray[np.float64]


def fit(recording: EkgRecording) -> Fitted:
    """The recording with what such a record holds of it; samples without signal as 0 mV.

    Raises
    ------
    FormatError
        Voltages beyond two volts, a rate below 15.3 Hz, or more samples than a lead has room for.
    """
    recording = as_read(recording)
    rhythm = EkgGroup("", recording.leads, recording.samples_mv, recording.sample_rate_hz)
    beats = tuple(_beat(group) for group in recording.groups if _is_beat(group, recording.leads))[:1]
    held = EkgRecording(
        format=FORMAT,
        format_version=f"{_PROTOCOL // 10}.{_PROTOCOL % 10}",
        leads=_leads(recording.leads),
        samples_mv=recording.samples_mv,
        sample_rate_hz=1_000_000 / _interval_us(recording.sample_rate_hz),
        started_at=held_start(recording.started_at, zone=True, resolution=timedelta(seconds=1)),
        device=held_device(recording.device, {"vendor": _text, "serial": _text, "model": _model}),
        filters=held_fields(recording.filters, _FILTERS),
        patient_fields=_patient(recording.patient_fields),
        device_measurements=held_measurements(recording, _is_global),
        statements=tuple(filter(_is_statement, recording.statements))[:_MOST_LEADS],
        groups=beats,
    )
    steps, *beat_steps = (
        (nanovolts * NV_MV,) * len(recording.leads) for nanovolts in _multipliers((rhythm, *beats))
    )
    fitted = on_given_steps(held, steps, tuple(beat_steps), gaps=False)
    _streams(fitted)
    return fitted


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The recording as one SCP-ECG record."""
    recording = fitted.recording
    huffman, streams = _streams(fitted)
    sections = {1: _about(recording), 3: _lead_rows(recording), 6: streams[0]}
    if huffman:
        sections[2] = struct.pack("<H", 19999)
    if recording.groups:
        beat = recording.groups[0]
        duration_ms = beat.samples_mv.shape[1] * _interval_us(beat.sample_rate_hz) // 1000
        sections |= {4: struct.pack("<HHH", duration_ms, 0, 0), 5: streams[1]}
    if recording.device_measurements:
        sections[7] = _measurements(recording.device_measurements)
    if recording.statements:
        sections[8] = _statements(recording)
    return {name: _record(sections)}


def _record(sections: Mapping[int, bytes]) -> bytes:
    """CRC, length, and sections, the pointers to them first."""
    bodies = {number: _section(number, body) for number, body in sorted(sections.items())}
    first = 16 + 10 * _POINTERS
    pointers, at = struct.pack("<HII", 0, first, 7), 6 + first
    for number in range(1, _POINTERS):
        size = len(bodies.get(number, b""))
        pointers += struct.pack("<HII", number, size, at + 1 if size else 0)
        at += size
    tail = struct.pack("<I", at) + _section(0, pointers) + b"".join(bodies.values())
    return struct.pack("<H", crc_hqx(tail, 0xFFFF)) + tail


def _section(number: int, body: bytes) -> bytes:
    """A section of an even length with its header."""
    body += bytes(len(body) % 2)
    word = b"SCPECG" if number == 0 else bytes(6)
    tail = struct.pack("<HIBB", number, 16 + len(body), _PROTOCOL, _PROTOCOL) + word + body
    return struct.pack("<H", crc_hqx(tail, 0xFFFF)) + tail


def _interval_us(rate_hz: float) -> int:
    interval = round(1_000_000 / rate_hz)
    if not 0 < interval <= _MOST_US:
        raise FormatError(FORMAT, "section 6", f"no sample interval for {rate_hz:g} Hz")
    return interval


def _leads(leads: tuple[str, ...]) -> tuple[str, ...]:
    """Leads by the names of their codes; one that has none is code 0."""
    if len(leads) > _MOST_LEADS:
        raise FormatError(FORMAT, "section 3", f"no room for {len(leads)} leads")
    return tuple(scp_lead(_CODES.get(lead, 0)) for lead in leads)


def _is_beat(group: EkgGroup, leads: tuple[str, ...]) -> bool:
    """True for a median of the rhythm's leads that lasts a whole number of milliseconds."""
    if (
        group.label != "median"
        or group.leads != leads
        or not 0 < 1_000_000 / group.sample_rate_hz <= _MOST_US
    ):
        return False
    duration_us = group.samples_mv.shape[1] * _interval_us(group.sample_rate_hz)
    return bool(duration_us % 1000 == 0 and 0 < duration_us // 1000 <= _MOST_US)


def _beat(group: EkgGroup) -> EkgGroup:
    return replace(
        group, leads=_leads(group.leads), sample_rate_hz=1_000_000 / _interval_us(group.sample_rate_hz)
    )


def _multipliers(parts: Sequence[EkgGroup]) -> list[int]:
    """Nanovolts of a count in each part: the same where that keeps every step, for some readers expect it.

    Raises
    ------
    FormatError
        No multiplier is large enough.
    """
    together = _exact_multiplier([row for part in parts for row in part.samples_mv])
    if together is not None:
        return [together] * len(parts)
    return [_exact_multiplier(part.samples_mv) or _least_multiplier(part.samples_mv) for part in parts]


def _exact_multiplier(rows: Rows) -> int | None:
    """A part of all rows' steps with which counts fit into 16 bits."""
    own = _common_step_nv(rows)
    return own if own is not None and own >= _least_multiplier(rows) else None


def _least_multiplier(rows: Rows) -> int:
    """The finest with which counts fit."""
    lowest_nv, highest_nv = (
        float(1e6 * extreme(np.nan_to_num(np.concatenate(list(rows)), posinf=0, neginf=0)))
        for extreme in (np.min, np.max)
    )
    counts = max(highest_nv / _MOST_COUNTS, -lowest_nv / (_MOST_COUNTS + 1))
    least = max(1, math.ceil(counts - 1e-6))
    if least > _MOST_NV:
        raise FormatError(FORMAT, "section 6", "voltages beyond what 16 bits of 65535 nV can state")
    return least


def _common_step_nv(rows: Rows) -> int | None:
    """A whole number of nanovolts of which every row's step is a multiple, or so near that counts stay."""
    steps = [lsb_mv(row) for row in rows if np.nan_to_num(row).any()]
    steps_nv = [float(step) * 1e6 for step in steps if step is not None]
    if len(steps_nv) < len(steps) or not steps_nv:
        return None
    whole = [round(step_nv) for step_nv in steps_nv]
    drift = max(abs(step - near) / step for step, near in zip(steps_nv, whole, strict=True))
    if min(whole) < 1 or drift * _MOST_COUNTS > 0.25:
        return None
    common = math.gcd(*whole)
    return common if common <= _MOST_NV else math.gcd(common, _ROUND_NV)


def _streams(fitted: Fitted) -> tuple[bool, tuple[bytes, ...]]:
    """Sections 6 and 5, Huffman coded where both can be.

    Raises
    ------
    FormatError
        A lead is longer than its section can say.
    """
    recording = fitted.recording
    samples = recording.samples_mv.shape[1]
    too_long = FormatError(FORMAT, "section 6", f"no room for {samples} samples of a lead")
    if samples > 8 * _MOST_BYTES:
        raise too_long
    rhythm = EkgGroup("", recording.leads, recording.samples_mv, recording.sample_rate_hz)
    parts = ((rhythm, fitted.steps_mv), *zip(recording.groups, fitted.group_steps_mv, strict=True))
    counts = [
        [counts_of(row, step) for row, step in zip(group.samples_mv, steps, strict=True)]
        for group, steps in parts
    ]
    differences = [[_second_differences(row) for row in rows] for rows in counts]
    huffman = all(np.abs(row).max() <= _MOST_COUNTS for rows in differences for row in rows)
    coded = [[_huffman(row) for row in rows] for rows in differences] if huffman else []
    if not huffman or any(len(row) > _MOST_BYTES for rows in coded for row in rows):
        huffman, coded = False, [[row.astype("<i2").tobytes() for row in rows] for rows in counts]
    if max(len(row) for rows in coded for row in rows) > _MOST_BYTES:
        raise too_long
    return huffman, tuple(
        _stream(rows, steps[0], group.sample_rate_hz, _SECOND_DIFFERENCES if huffman else 0)
        for rows, (group, steps) in zip(coded, parts, strict=True)
    )


def _stream(rows: list[bytes], step_mv: Decimal, rate_hz: float, differences: int) -> bytes:
    """Section 5 or 6."""
    head = struct.pack("<HHBB", int(step_mv / NV_MV), _interval_us(rate_hz), differences, 0)
    return head + struct.pack(f"<{len(rows)}H", *map(len, rows)) + b"".join(rows)


def _second_differences(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first two samples, then how far each is from the line through the two before it."""
    return np.concatenate([counts[:2], np.diff(counts, 2)])


def _huffman(values: NDArray[np.int64]) -> bytes:
    """Values in the codes of the default table, an even number of bytes."""
    small = np.abs(values) <= max(_SMALL)
    escape = np.where(np.abs(values) < 128, 8, 16)
    prefix = np.where(escape == 8, _BYTE.prefix, _WORD.prefix)
    codes = prefix << escape | values & (1 << escape) - 1
    lengths = escape + _BYTE.prefix_bits
    table = np.array([(_SMALL[n].prefix, _SMALL[n].total_bits) for n in range(-8, 9)])
    codes[small], lengths[small] = table[values[small] + 8].T
    places = lengths[:, None] - 1 - np.arange(lengths.max())
    bits = codes[:, None] >> np.maximum(places, 0) & 1
    packed = np.packbits(bits[places >= 0].astype(np.uint8)).tobytes()
    return packed + bytes(len(packed) % 2)


def _lead_rows(recording: EkgRecording) -> bytes:
    """Section 3: all leads recorded at once."""
    leads, samples = recording.samples_mv.shape
    rows = (struct.pack("<IIB", 1, samples, _CODES.get(lead, 0)) for lead in recording.leads)
    return struct.pack("<BB", leads, 4 | min(leads, 31) << 3) + b"".join(rows)


def _text(text: str, longest: int = _LONGEST_TEXT) -> str | None:
    held = text.isprintable() and len(text) <= longest and text == text.strip()
    try:
        return text if held and text.encode("latin-1") else None
    except UnicodeEncodeError:
        return None


def _model(text: str) -> str | None:
    return _text(text, _MODEL)


def _quantity(units: Mapping[int, str]) -> Held:
    def held(text: str) -> str | None:
        value, _, unit = text.partition(" ")
        whole = value.isascii() and value.isdecimal() and 0 < int(value) <= _MOST_US
        return f"{int(value)} {unit}" if whole and unit in units.values() else None

    return held


def _hundredths(text: str) -> int:
    try:
        return min(max(round(float(text) * 100), 0), _MOST_US)
    except (ValueError, OverflowError):
        return 0


_FILTERS: dict[str, Held] = {
    "high_pass_hz": lambda text: f"{_hundredths(text) / 100:g}" if _hundredths(text) else None,
    "low_pass_hz": lambda text: str(_hundredths(text) // 100) if _hundredths(text) >= 100 else None,
    "mains_hz": lambda text: text if text in _MAINS else None,
}
_PATIENT: dict[str, Held] = {
    "id": _text,
    "family_name": _text,
    "given_name": _text,
    "second_family_name": _text,
    "sex": lambda text: text if text in _SEX else None,
    "birth_date": held_date,
    "age": _quantity(AGE_UNITS),
    "height": _quantity(HEIGHT_UNITS),
    "weight": _quantity(WEIGHT_UNITS),
}
_TEXT_TAGS = {0: "family_name", 1: "given_name", 2: "id", 3: "second_family_name"}
_QUANTITY_TAGS = {4: ("age", AGE_UNITS), 6: ("height", HEIGHT_UNITS), 7: ("weight", WEIGHT_UNITS)}


def _patient(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields held; a name of one piece becomes the last name."""
    whole = {"family_name": fields["name"]} if "name" in fields else {}
    return held_fields({**whole, **fields}, _PATIENT)


def _is_global(name: str, measurement: DeviceMeasurement) -> bool:
    value = measurement.value
    return _GLOBAL.get(name) == measurement.unit and value == int(value) and 0 < value < 19999


def _is_statement(text: str) -> bool:
    return bool(text) and _text(text, _LONGEST_STATEMENT) is not None


def _about(recording: EkgRecording) -> bytes:
    """Section 1: what is known, tag by tag; the four that must be there, empty where they are not."""
    tags = {2: b"", 14: _device(recording), 25: b"", 26: b""}
    tags |= dict(_patient_tags(recording.patient_fields))
    tags |= dict(_filter_tags(recording.filters))
    if recording.started_at is not None:
        tags |= dict(_time_tags(recording.started_at))
    body = b"".join(struct.pack("<BH", tag, len(value)) + value for tag, value in sorted(tags.items()))
    return body + b"\xff\0\0"


def _terminated(text: str) -> bytes:
    return text.encode("latin-1") + b"\0"


def _patient_tags(fields: Mapping[str, str]) -> Iterator[tuple[int, bytes]]:
    for tag, name in _TEXT_TAGS.items():
        if name in fields:
            yield tag, _terminated(fields[name])
    for tag, (name, units) in _QUANTITY_TAGS.items():
        if name in fields:
            value, unit = fields[name].split(" ")
            yield tag, struct.pack("<HB", int(value), next(n for n, known in units.items() if known == unit))
    if "birth_date" in fields:
        yield 5, struct.pack("<HBB", *map(int, fields["birth_date"].split("-")))
    if "sex" in fields:
        yield 8, bytes([_SEX[fields["sex"]]])


def _device(recording: EkgRecording) -> bytes:
    """Tag 14: a cart of no institution's number, its maker named by the last text."""
    device = recording.device
    model = (device.model or "").encode("latin-1").ljust(_MODEL, b"\0")
    fixed = struct.pack("<HHHBB", 0, 0, 0, 0, 255) + model + bytes([_PROTOCOL, 0xC0, 0, 0, 0]) + bytes(16)
    texts = ("", device.serial or "", "", "", device.vendor or "")
    return fixed + b"\x01" + b"".join(map(_terminated, texts))


def _filter_tags(filters: Mapping[str, str]) -> Iterator[tuple[int, bytes]]:
    if "high_pass_hz" in filters:
        yield 27, struct.pack("<H", _hundredths(filters["high_pass_hz"]))
    if "low_pass_hz" in filters:
        yield 28, struct.pack("<H", int(filters["low_pass_hz"]))
    if "mains_hz" in filters:
        yield 29, bytes([_MAINS[filters["mains_hz"]]])


def _time_tags(started: datetime) -> Iterator[tuple[int, bytes]]:
    yield 25, struct.pack("<HBB", started.year, started.month, started.day)
    yield 26, struct.pack("<BBB", started.hour, started.minute, started.second)
    offset = started.utcoffset()
    if offset is not None:
        yield 34, struct.pack("<hH", offset // timedelta(minutes=1), 0) + b"\0"


def _measurements(measured: Mapping[str, DeviceMeasurement]) -> bytes:
    """Section 7 without a measured beat: only what is of the whole recording."""
    rr_ms, rate, qtc_ms = (int(measured[name].value) if name in measured else _UNKNOWN for name in _GLOBAL)
    return struct.pack("<BBHH", 0, 0, rr_ms, _UNKNOWN) + struct.pack(
        "<HHHHBH", 0, rate, _UNKNOWN, qtc_ms, 0, 0
    )


def _statements(recording: EkgRecording) -> bytes:
    """Section 8: the machine's statements, not confirmed by anybody, at the time of the recording."""
    started = recording.started_at
    moment = (*started.timetuple()[:6],) if started else (0,) * 6
    texts = [_terminated(text) for text in recording.statements]
    head = struct.pack("<BHBBBBBB", 0, *moment, len(texts))
    return head + b"".join(struct.pack("<BH", n, len(text)) + text for n, text in enumerate(texts, 1))
