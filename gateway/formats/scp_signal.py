"""SCP-ECG's sections 3 to 6 to a rhythm and a reference beat (EN 1064, 5.6 to 5.9).

Each lead is a stream of differences (none, first, second), plain or Huffman coded. With bimodal compression
the samples outside the protected areas are stored at a lower rate; with reference-beat subtraction the beat
of section 5 is added again at every QRS of type 0. All positions in the file count from 1, inclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.formats.huffman import Table, decode
from gateway.formats.leads import scp_lead
from gateway.formats.scale import NV_MV, millivolts
from gateway.formats.view import View

_LONGEST = 4_000_000  # samples in all leads together: five minutes of twelve leads at 1000 Hz


@dataclass(frozen=True, slots=True)
class Lead:
    """A row of section 3."""

    first: int
    last: int
    code: int

    @property
    def samples(self) -> int:
        """Some writers count from 0 and give the end of n samples as n."""
        return self.last - self.first + (1 if self.first else 0)


@dataclass(frozen=True, slots=True)
class Leads:
    """Section 3."""

    leads: tuple[Lead, ...]
    beat_subtracted: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(scp_lead(lead.code) for lead in self.leads)

    @property
    def late(self) -> tuple[int, ...]:
        """Samples by which each lead begins after the earliest: carts record some leads in turn."""
        start = min(lead.first for lead in self.leads)
        return tuple(lead.first - start for lead in self.leads)


@dataclass(frozen=True, slots=True)
class Qrs:
    """A QRS of section 4: where its reference beat was subtracted."""

    beat_type: int
    first: int
    fiducial: int
    last: int


@dataclass(frozen=True, slots=True)
class Beats:
    """Section 4."""

    beat_ms: int
    beat_fiducial: int
    qrs: tuple[Qrs, ...]
    protected: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """Section 5 or 6: how its values are scaled and the bytes of each lead."""

    nv: int
    interval_us: int
    differences: int
    bimodal: bool
    leads: tuple[View, ...]

    def millivolts(self, counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
        return millivolts(counts, self.nv * NV_MV)


def read_leads(view: View) -> Leads:
    """Section 3."""
    rows = [view.unpack("IIB", 2 + 9 * n) for n in range(view.u8(0))]
    leads = tuple(Lead(*row) for row in rows)
    for n, lead in enumerate(leads):
        if lead.last < lead.first:
            raise view.error(f"a lead from sample {lead.first} to {lead.last}", 2 + 9 * n)
    if not leads or sum(lead.last for lead in leads) > _LONGEST:
        raise view.error(f"{len(leads)} leads of {sum(lead.samples for lead in leads)} samples")
    return Leads(leads, bool(view.u8(1) & 1))


def read_beats(view: View) -> Beats:
    """Section 4; the protected areas stand behind the QRS where bytes of the section remain."""
    beat_ms, fiducial, count = view.unpack("HHH", 0)
    qrs = tuple(Qrs(*view.unpack("HIII", 6 + 14 * n)) for n in range(count))
    at = 6 + 14 * count
    areas = [view.unpack("II", at + 8 * n) for n in range(count)] if len(view) >= at + 8 * count else []
    return Beats(beat_ms, fiducial, qrs, tuple((first, last) for first, last in areas))


def read_stream(view: View, leads: int) -> Stream:
    """Section 5 or 6. A section that is cut off gives what it holds of its last leads.

    Raises
    ------
    FormatError
        No scale, no interval, or differences of an order that the standard does not have.
    """
    nv, interval_us, differences, bimodal = view.unpack("HHBB", 0)
    if not nv or not interval_us or differences > 2:
        raise view.error(f"{nv} nV a count, {interval_us} us a sample, differences of order {differences}")
    sizes = view.unpack(f"<{leads}H", 6)
    at, parts = 6 + 2 * leads, []
    for size in sizes:
        parts.append(view.part(min(at, len(view)), max(0, min(size, len(view) - at))))
        at += size
    return Stream(nv, interval_us, differences, bimodal == 1, tuple(parts))


def decoded(
    stream: Stream, counts: Sequence[int], tables: tuple[Table, ...]
) -> tuple[NDArray[np.int64], ...]:
    """The samples of each lead in counts; fewer than asked for where its bytes hold no more.

    Parameters
    ----------
    stream : Stream
    counts : sequence of int
        Samples that each lead should have: padding decodes as samples, too.
    tables : tuple of Table
        Empty where the values are plain 16-bit numbers.
    """
    return tuple(
        _integrated(_stored(view.data, count, tables), stream.differences)
        for view, count in zip(stream.leads, counts, strict=True)
    )


def _stored(data: bytes, count: int, tables: tuple[Table, ...]) -> NDArray[np.int64]:
    if tables:
        return decode(data, tables, count)
    return np.frombuffer(data, "<i2", count=min(count, len(data) // 2)).astype(np.int64)


def _integrated(values: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    """Samples of their differences; of second differences the first two values are samples themselves."""
    if order == 0 or values.size < 2:
        return values
    if order == 1:
        return np.cumsum(values)
    steps = values.copy()
    steps[1] -= values[0]
    steps[1:] = np.cumsum(steps[1:])
    return np.cumsum(steps)


@dataclass(frozen=True, slots=True)
class Bimodal:
    """Where full-rate and low-rate samples alternate in a lead of `samples` samples.

    Parameters
    ----------
    samples : int
    factor : int
        Full-rate samples that one low-rate value stands for.
    areas : tuple of (int, int)
        Protected areas, from 0, end exclusive, in order, not touching each other.
    """

    samples: int
    factor: int
    areas: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, samples: int, factor: int, protected: tuple[tuple[int, int], ...]) -> "Bimodal":
        merged: list[tuple[int, int]] = []
        for first, last in sorted(protected):
            start, end = max(first - 1, 0), min(last, samples)
            if end <= start:
                continue
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return cls(samples, factor, tuple(merged))

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """The stretches between the protected areas, from 0, end exclusive."""
        edges = [0, *(edge for area in self.areas for edge in area), self.samples]
        return tuple(zip(edges[::2], edges[1::2], strict=True))

    @property
    def stored(self) -> int:
        """Values that the file holds for one lead."""
        protected = sum(end - start for start, end in self.areas)
        return protected + sum(-(-(end - start) // self.factor) for start, end in self.gaps)

    def restored(self, values: NDArray[np.int64]) -> NDArray[np.float64]:
        """The lead at its full rate: protected samples as stored, the others by linear interpolation.

        A low-rate value is put on the second sample of its block. Against the raw data of an OpenECG test
        record this gave 8.7 to 13.4 µV rms, the middle of the block 8.8 to 14.9.
        """
        out = np.empty(self.samples)
        at = 0
        for gap, area in zip(self.gaps, (*self.areas, (self.samples, self.samples)), strict=True):
            length = gap[1] - gap[0]
            blocks = -(-length // self.factor)
            if blocks:
                seconds = np.arange(blocks) * self.factor + 1
                out[gap[0] : gap[1]] = np.interp(np.arange(length), seconds, values[at : at + blocks])
            at += blocks
            size = area[1] - area[0]
            out[area[0] : area[1]] = values[at : at + size]
            at += size
        return out


def add_reference_beats(
    rhythm_mv: NDArray[np.float64], beat_mv: NDArray[np.float64], beats: Beats, view: View
) -> None:
    """Adds the reference beat at every QRS from which it was subtracted, in place.

    Parameters
    ----------
    rhythm_mv : (leads, samples) array, mV
    beat_mv : (leads, samples of the beat) array, mV

    Raises
    ------
    FormatError
        A QRS reaches over the beat's or the rhythm's ends, or together they are longer than the rhythm.
    """
    samples = rhythm_mv.shape[1]
    subtracted = [qrs for qrs in beats.qrs if qrs.beat_type == 0]
    if sum(max(qrs.last - qrs.first + 1, 0) for qrs in subtracted) > 2 * samples:
        raise view.error("the subtracted beats are longer than the rhythm")
    for qrs in subtracted:
        start, end = qrs.first - 1, min(qrs.last, samples)
        shift = beats.beat_fiducial - qrs.fiducial
        if start < 0 or end <= start or start + shift < 0 or end + shift > beat_mv.shape[1]:
            raise view.error(
                f"a subtracted beat from sample {qrs.first} to {qrs.last} is not that of section 5"
            )
        rhythm_mv[:, start:end] += beat_mv[:, start + shift : end + shift]
