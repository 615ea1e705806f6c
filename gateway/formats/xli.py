"""XLI, the compression of Philips' EKG carts.

Base64 bytes are one chunk a lead: compressed size i32, i16 (1), start value i16, data. LZW with codes of ten
bits, highest first, whose table grows from 256 to 1022 entries and is never cleared, gives all high bytes and
then all low bytes of 16-bit values; these are second differences, offset by 64 and one sample late. Leads
III, aVR, aVL and aVF are what is left after their prediction from I and II.

Source: published reverse engineering (one implementation); checked against the calibration pulse of 1 mV that
these carts put behind every lead.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.formats.view import View

_HEADER = 8
_CODE_BITS = 10
_END = 1023
_PREDICTED = ("III", "aVR", "aVL", "aVF")


def decompress(view: View, leads: tuple[str, ...], longest: int) -> list[NDArray[np.int64]]:
    """The counts of each lead.

    Parameters
    ----------
    view : View
        All chunks; those behind the last lead are left alone.
    leads : tuple of str
        In the order of their chunks. Where the first six are the limb leads, four of them are predicted.
    longest : int
        Samples that no lead may exceed.

    Raises
    ------
    FormatError
        A chunk is cut off, holds an unknown code or more than `longest` samples.
    """
    rows = [_second_sums(part, start, longest) for part, start in _chunks(view, len(leads))]
    if leads[2:6] == _PREDICTED:
        if len({row.size for row in rows[:6]}) > 1:
            raise view.error("limb leads of different lengths")
        _add_predictions(rows)
    return rows


def _chunks(view: View, count: int) -> Iterator[tuple[View, int]]:
    at = 0
    for number in range(1, count + 1):
        size, _, start = view.unpack("ihh", at)
        if size <= 0:
            raise view.error(f"chunk {number} of {size} bytes", at)
        yield view.part(at + _HEADER, size, f"{view.section}, chunk {number}"), start
        at += _HEADER + size


def _lzw(view: View, longest: int) -> bytes:
    table = [bytes([n]) for n in range(256)]
    out: list[bytes] = []
    length, previous = 0, b""
    for code in _codes(view.data):
        if code == _END:
            break
        if code < len(table):
            entry = table[code]
        elif code == len(table) and previous:
            entry = previous + previous[:1]
        else:
            raise view.error(f"code {code} where the table has {len(table)} entries")
        out.append(entry)
        length += len(entry)
        if length > longest:
            raise view.error(f"more than {longest} bytes")
        if previous and len(table) < _END:
            table.append(previous + entry[:1])
        previous = entry
    return b"".join(out)


def _codes(data: bytes) -> list[int]:
    """Whole codes of ten bits; bits that are left over are padding."""
    octets = np.unpackbits(np.frombuffer(data, np.uint8))
    codes = octets[: octets.size // _CODE_BITS * _CODE_BITS].reshape(-1, _CODE_BITS)
    return list(map(int, codes.astype(np.int64) @ (1 << np.arange(_CODE_BITS - 1, -1, -1))))


def _second_sums(view: View, start: int, longest: int) -> NDArray[np.int64]:
    data = _lzw(view, 2 * longest + 2)
    half = len(data) // 2
    octets = np.frombuffer(data, np.uint8)
    values = (
        (octets[:half].astype(np.uint16) << 8 | octets[half : 2 * half]).astype(np.int16).astype(np.int64)
    )
    if values.size < 2:
        raise view.error(f"{values.size} samples")
    steps = np.empty(values.size, np.int64)
    steps[:2] = values[0], values[1] - values[0]
    if values.size > 2:
        steps[2] = -start
        steps[3:] = 64 - values[2:-1]
        steps[1:] = np.cumsum(steps[1:])
    return np.cumsum(steps)


def _add_predictions(rows: list[NDArray[np.int64]]) -> None:
    one, two = rows[:2]
    rows[2] = two - one - rows[2]
    rows[3] = -rows[3] - _half(one + two)
    rows[4] = _half(one - rows[2]) - rows[4]
    rows[5] = _half(two + rows[2]) - rows[5]


def _half(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rounded down, as the one other decoder that could be compared does; toward zero is a count apart."""
    return values >> 1
