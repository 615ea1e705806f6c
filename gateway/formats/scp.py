"""SCP-ECG (EN 1064, ISO/IEEE 11073-91064), protocol 1.0 to 3.0: records, sections, and the recording in them.

A record is a CRC, a length, and sections; section 0 points to the others, counting bytes from 1. Each
section has a header of 16 bytes: CRC, number, length, section version, protocol version. The CRC is
CRC-CCITT, started with 0xFFFF. One that does not hold is a warning; so is a fault in a section without which
the signal is whole (1, 7, 8).
"""

from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.huffman import Table, read_tables
from gateway.formats.leads import stacked
from gateway.formats.scp_signal import (
    Beats,
    Bimodal,
    Leads,
    add_reference_beats,
    decoded,
    read_beats,
    read_leads,
    read_stream,
)
from gateway.formats.scp_text import About, global_measurements, read_about, statements
from gateway.formats.view import View
from gateway.model.ekg import EkgGroup, EkgRecording

FORMAT = "SCP-ECG"
_HEADER = 16
_MOST_SECTIONS = 256
_MOST_FACTOR = 16
_T = TypeVar("_T")


@dataclass(slots=True)
class _Record:
    """The sections of a file by number, and what is wrong without making them unreadable."""

    sections: dict[int, View] = field(default_factory=dict)
    protocol: int = 0
    warnings: list[str] = field(default_factory=list)

    def need(self, number: int) -> View:
        if number not in self.sections:
            raise FormatError(FORMAT, f"section {number}", "is missing")
        return self.sections[number]

    def attempt(self, number: int, read: Callable[[View], _T], otherwise: _T) -> _T:
        """What `read` makes of a section that the signal does not need; a fault in it becomes a warning."""
        if number not in self.sections:
            return otherwise
        try:
            return read(self.sections[number])
        except FormatError as error:
            self.warnings.append(f"{error.section} was left out: {error.message}")
            return otherwise


def read(data: bytes) -> EkgRecording:
    """The recording in one SCP-ECG file.

    Raises
    ------
    FormatError
    """
    record = _sections(View(data, FORMAT, "record"))
    leads = read_leads(record.need(3))
    tables = read_tables(record.sections[2]) if 2 in record.sections else ()
    beats = read_beats(record.sections[4]) if 4 in record.sections else Beats(0, 0, (), ())
    beat = _reference_beat(record, leads, beats, tables)
    samples_mv, rate_hz = _rhythm(record, leads, beats, beat, tables)
    if leads.beat_subtracted:
        if beat is None:
            raise FormatError(FORMAT, "section 5", "is missing, and its beat was subtracted from the rhythm")
        if beat.sample_rate_hz != rate_hz or any(leads.late):
            raise FormatError(
                FORMAT, "section 5", "its beat was subtracted from a rhythm of another rate or start"
            )
        add_reference_beats(samples_mv, beat.samples_mv, beats, record.need(4))
    about = record.attempt(1, read_about, About())
    return EkgRecording(
        format=FORMAT,
        format_version=f"{record.protocol // 10}.{record.protocol % 10}" if record.protocol else "",
        leads=leads.names,
        samples_mv=samples_mv,
        sample_rate_hz=rate_hz,
        started_at=about.started_at,
        device=about.device,
        filters=about.filters,
        patient_fields=about.patient_fields,
        device_measurements=record.attempt(7, global_measurements, {}),
        statements=record.attempt(8, statements, ()),
        groups=() if beat is None else (beat,),
        warnings=tuple(record.warnings),
    )


def _sections(file: View) -> _Record:
    record = _Record()
    length = file.u32(2)
    if length > len(file):
        record.warnings.append(f"the record claims {length} bytes, the file has {len(file)}")
    elif file.u16(0) != crc_hqx(file.data[2:length], 0xFFFF):
        record.warnings.append("the CRC of the record does not hold")
    pointers = _section(file, 6, 0, record)
    sizes = [pointers.u32(at + 2) for at in range(0, len(pointers) - 9, 10)]
    if len(sizes) > _MOST_SECTIONS or sum(sizes) > 2 * len(file) + 65536:
        raise pointers.error(f"{len(sizes)} sections of {sum(sizes)} bytes in a file of {len(file)}")
    record.protocol = file.u8(6 + 9)
    for at in range(0, len(pointers) - 9, 10):
        number, size, index = pointers.unpack("HII", at)
        if size and number:
            _add(record, file, number, size, index - 1)
    return record


def _add(record: _Record, file: View, number: int, size: int, at: int) -> None:
    """A section by its pointer; where it claims more than there is, what there is of it."""
    if size <= _HEADER or at < 0 or at + _HEADER >= len(file):
        record.warnings.append(f"the pointer to section {number} leads nowhere")
        return
    if at + size > len(file):
        record.warnings.append(f"section {number} ends behind the file's end")
    record.sections[number] = _section(file, at, number, record)


def _section(file: View, at: int, number: int, record: _Record) -> View:
    """The body of a section. Its own length stands; where it does not fit, the rest of the file is taken."""
    name = f"section {number}"
    crc, found, size = file.part(at, _HEADER, name).unpack("HHI", 0)
    if found != number:
        raise FormatError(FORMAT, name, f"the header there says section {found}", offset=at + 2)
    if size <= _HEADER or at + size > len(file):
        if number == 0:
            raise FormatError(FORMAT, name, f"a length of {size} bytes", offset=at + 4)
        record.warnings.append(f"{name} claims {size} bytes")
        size = len(file) - at
    elif crc != crc_hqx(file.take(at + 2, size - 2), 0xFFFF):
        record.warnings.append(f"the CRC of {name} does not hold")
    return file.part(at + _HEADER, size - _HEADER, name)


def _reference_beat(
    record: _Record, leads: Leads, beats: Beats, tables: tuple[Table, ...]
) -> EkgGroup | None:
    """Section 5 as the group ``median``; None where it is absent, or unreadable and not needed."""
    if 5 not in record.sections:
        return None

    def read_beat(view: View) -> EkgGroup:
        stream = read_stream(view, len(leads.leads))
        count = beats.beat_ms * 1000 // stream.interval_us
        rows = decoded(stream, [count] * len(leads.leads), tables)
        if any(row.size != count for row in rows):
            raise view.error(f"{min(row.size for row in rows)} of {count} samples of the reference beat")
        beat_mv, _ = stacked([stream.millivolts(row) for row in rows], FORMAT)
        return EkgGroup("median", leads.names, beat_mv, 1_000_000 / stream.interval_us)

    if leads.beat_subtracted:
        return read_beat(record.sections[5])
    return record.attempt(5, read_beat, None)


def _rhythm(
    record: _Record, leads: Leads, beats: Beats, beat: EkgGroup | None, tables: tuple[Table, ...]
) -> tuple[NDArray[np.float64], float]:
    """Section 6 at its full rate, in mV, before the reference beat is added; and that rate."""
    view = record.need(6)
    stream = read_stream(view, len(leads.leads))
    rate_hz = 1_000_000 / stream.interval_us
    counts = [lead.samples for lead in leads.leads]
    if not stream.bimodal:
        rows = decoded(stream, counts, tables)
        short = min(row.size for row in rows)
        if any(row.size != count for row, count in zip(rows, counts, strict=True)):
            record.warnings.append(f"section 3 claims {max(counts)} samples a lead, section 6 holds {short}")
        placed = [_placed(stream.millivolts(row), late) for row, late in zip(rows, leads.late, strict=True)]
        samples_mv, notes = stacked(placed, FORMAT)
        record.warnings.extend(notes)
        return samples_mv, rate_hz
    if beat is None or beat.sample_rate_hz % rate_hz:
        raise view.error("bimodal compression without the full rate in section 5")
    factor = int(beat.sample_rate_hz // rate_hz)
    if factor > _MOST_FACTOR:
        raise view.error(f"{factor} samples in place of one")
    plans = [Bimodal.of(count, factor, beats.protected) for count in counts]
    rows = decoded(stream, [plan.stored for plan in plans], tables)
    if any(row.size != plan.stored for row, plan in zip(rows, plans, strict=True)):
        raise view.error(f"{min(row.size for row in rows)} of {plans[0].stored} values of a lead")
    restored = [stream.millivolts(plan.restored(row)) for plan, row in zip(plans, rows, strict=True)]
    samples_mv, notes = stacked(restored, FORMAT)
    record.warnings.extend(notes)
    return samples_mv, beat.sample_rate_hz


def _placed(row: NDArray[np.float64], late: int) -> NDArray[np.float64]:
    """A lead that begins later than the first one, with no signal before it."""
    return np.concatenate([np.full(late, np.nan), row]) if late else row
