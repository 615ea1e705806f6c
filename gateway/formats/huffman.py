"""SCP-ECG's Huffman coding (EN 1064, section 2 and annex C), decoded without a loop over bits.

At every bit position the code that starts there is found at once, by a binary search in the codes sorted by
their leftmost bits; then the chain of positions that are really used is followed from the first bit on.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.formats.view import View

_WINDOW = 32


class Code(NamedTuple):
    """One code word.

    Parameters
    ----------
    prefix_bits : int
    total_bits : int
        Where larger than `prefix_bits`, the rest is the value in two's complement.
    switches : bool
        `value` is the number of the table to go on with, from 1.
    value : int
    prefix : int
        Its first bit highest.
    """

    prefix_bits: int
    total_bits: int
    switches: bool
    value: int
    prefix: int

    @property
    def first_window(self) -> int:
        """The smallest 32 bits that begin with this code."""
        return self.prefix << (_WINDOW - self.prefix_bits)

    @property
    def windows(self) -> int:
        """How many 32 bits begin with this code."""
        return 1 << (_WINDOW - self.prefix_bits)


def _unary(bits: int) -> list[Code]:
    """The pair of codes for plus and minus `bits - 2`: ones, a zero, the sign."""
    stem = (1 << bits) - 4
    return [Code(bits, bits, False, bits - 2, stem), Code(bits, bits, False, 2 - bits, stem + 1)]


DEFAULT_CODES = (
    Code(1, 1, False, 0, 0),
    *(code for bits in range(3, 11) for code in _unary(bits)),
    Code(10, 18, False, 0, 0b1111111110),
    Code(10, 26, False, 0, 0b1111111111),
)


@dataclass(frozen=True, slots=True)
class Table:
    """Codes sorted by their bits, as arrays of one entry a code."""

    starts: NDArray[np.uint32]
    prefix_bits: NDArray[np.int64]
    total_bits: NDArray[np.int64]
    switches: NDArray[np.bool_]
    values: NDArray[np.int64]

    @classmethod
    def of(cls, codes: tuple[Code, ...], view: View) -> "Table":
        """The table of some codes.

        Raises
        ------
        FormatError
            A code is longer than 32 bits, or one begins with another.
        """
        ordered = sorted(
            codes, key=lambda code: (code.prefix << (_WINDOW - code.prefix_bits), code.prefix_bits)
        )
        starts = [code.first_window for code in ordered]
        ends = [
            start + (1 << (_WINDOW - code.prefix_bits)) for start, code in zip(starts, ordered, strict=True)
        ]
        if not starts or any(end > start for end, start in zip(ends, starts[1:], strict=False)):
            raise view.error("codes that begin with each other" if starts else "a table without codes")
        return cls(
            np.array(starts, np.uint32),
            np.array([code.prefix_bits for code in ordered], np.int64),
            np.array([code.total_bits for code in ordered], np.int64),
            np.array([code.switches for code in ordered], np.bool_),
            np.array([code.value for code in ordered], np.int64),
        )

    def codes_at(self, windows: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Index of the code with which each window of 32 bits begins; -1 where it is none."""
        found = np.searchsorted(self.starts, windows, "right") - 1
        shift = (_WINDOW - self.prefix_bits[found]).astype(np.uint32)
        same = (windows >> shift) == (self.starts[found] >> shift)
        return np.where((found >= 0) & same, found, -1)


def read_tables(view: View) -> tuple[Table, ...]:
    """The tables of section 2; 19999 names the default table.

    Programs disagree on the order of the two length bytes. A prefix is never longer than the whole code, so
    the smaller one is the prefix.

    Raises
    ------
    FormatError
    """
    count = view.u16(0)
    if count == 19999:
        return (Table.of(DEFAULT_CODES, view),)
    at = 2
    tables: list[Table] = []
    for _ in range(count):
        size = view.u16(at)
        part = view.part(at + 2, size * 9, f"{view.section}, Huffman table {len(tables) + 1}")
        tables.append(Table.of(tuple(_code(part, 9 * n) for n in range(size)), part))
        at += 2 + 9 * size
    if not tables:
        raise view.error("no Huffman table")
    return tuple(tables)


def _code(view: View, at: int) -> Code:
    one, other, mode, value, base = view.unpack("BBBhI", at)
    prefix_bits, total_bits = min(one, other), max(one, other)
    if not 1 <= prefix_bits <= _WINDOW or total_bits - prefix_bits > _WINDOW:
        raise view.error(f"a code of {prefix_bits} and {total_bits} bits", at)
    reversed_prefix = int(f"{base & ((1 << prefix_bits) - 1):0{prefix_bits}b}"[::-1], 2)
    return Code(prefix_bits, total_bits, mode == 0, value, reversed_prefix)


def decode(data: bytes, tables: tuple[Table, ...], count: int) -> NDArray[np.int64]:
    """The first `count` values of a bit stream; fewer where it ends or holds no code before that.

    Parameters
    ----------
    data : bytes
        Bits are read from the highest of each byte on.
    tables : tuple of Table
        The first is the one to begin with.
    count : int
        Values after it are padding.

    Returns
    -------
    (at most count,) array of int64
    """
    bits = 8 * len(data)
    windows = _windows(data)
    codes = [table.codes_at(windows[:bits]) for table in tables]
    if len(tables) == 1 and not tables[0].switches.any():
        used = _chain(np.where(codes[0] < 0, 0, tables[0].total_bits[codes[0]]), count)
        return _values(tables[0], codes[0][used], used, windows)
    return _decode_switching(tables, codes, windows, count)


def _windows(data: bytes) -> NDArray[np.uint32]:
    """The 32 bits that begin at each bit of the data and of the 72 zero bytes that are added to it."""
    octets = np.frombuffer(data + bytes(76), np.uint8).astype(np.uint64)
    words = np.zeros(octets.size - 4, np.uint64)
    for n in range(5):
        words |= octets[n : n + words.size] << np.uint64(8 * (4 - n))
    shifts = np.arange(8, 0, -1, dtype=np.uint64)
    return (words[:, None] >> shifts).astype(np.uint32).ravel()


def _chain(steps: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Positions reached from 0 by the step that stands at each, as long as it is not 0 and stays inside."""
    end = steps.size
    following = (np.arange(end) + steps).tolist()
    used: list[int] = []
    at = 0
    while len(used) < count and at < end:
        next_at = following[at]
        if next_at == at or next_at > end:
            break
        used.append(at)
        at = next_at
    return np.array(used, np.int64)


def _values(
    table: Table, codes: NDArray[np.int64], at: NDArray[np.int64], windows: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """The value of each code: that of the table, or the bits that follow the prefix."""
    prefix = table.prefix_bits[codes]
    extra = table.total_bits[codes] - prefix
    raw = windows[at + prefix].astype(np.int64) >> (_WINDOW - extra)
    signed = raw - ((raw >> np.maximum(extra - 1, 0)) << extra)
    return np.where(extra > 0, signed, table.values[codes])


def _decode_switching(
    tables: tuple[Table, ...], codes: list[NDArray[np.int64]], windows: NDArray[np.uint32], count: int
) -> NDArray[np.int64]:
    """The same with several tables, where a code may name the table to go on with."""
    out: list[int] = []
    at, current, end = 0, 0, codes[0].size
    while len(out) < count and at < end:
        table, code = tables[current], codes[current][at]
        if code < 0 or at + table.total_bits[code] > end:
            break
        if not table.switches[code]:
            out.append(int(_values(table, np.array([code]), np.array([at]), windows)[0]))
        elif 1 <= table.values[code] <= len(tables):
            current = int(table.values[code]) - 1
        else:
            break
        at += int(table.total_bits[code])
    return np.array(out, np.int64)
