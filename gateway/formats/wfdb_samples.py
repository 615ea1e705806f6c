"""The storage formats of WFDB signal files (signal(5) of the WFDB manual), bytes to counts."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from gateway.formats.view import View

Counts = NDArray[np.signedinteger]


@dataclass(frozen=True, slots=True)
class Storage:
    """One storage format.

    Parameters
    ----------
    decode : callable
        Bytes to counts, of the narrowest type that holds them; bytes that are no whole sample at the end are
        padding.
    missing : int, optional
        The count that stands for a sample that is not there.
    bits : tuple of int
        Bits and samples of one packed unit, for the number of samples in a file.
    """

    decode: Callable[[bytes], Counts]
    missing: int | None
    bits: tuple[int, int]


def _plain(kind: str) -> Callable[[bytes], Counts]:
    size = np.dtype(kind).itemsize

    def decode(data: bytes) -> Counts:
        counts: Counts = np.frombuffer(data, kind, len(data) // size)
        return counts

    return decode


def _offset(kind: str, zero: int) -> Callable[[bytes], Counts]:
    """Unsigned samples; the count 0 is stored as `zero`."""
    size = np.dtype(kind).itemsize

    def decode(data: bytes) -> Counts:
        return np.frombuffer(data, kind, len(data) // size).astype(np.int32) - zero

    return decode


def _padded(data: bytes, unit: int) -> bytes:
    return data + bytes(-len(data) % unit)


def _signed(values: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    spare = 32 - bits
    return values << spare >> spare


def _format_24(data: bytes) -> Counts:
    octets = np.frombuffer(data, np.uint8, len(data) // 3 * 3).reshape(-1, 3).astype(np.int32)
    return _signed(octets[:, 0] | octets[:, 1] << 8 | octets[:, 2] << 16, 24)


def _format_212(data: bytes) -> Counts:
    """Two samples in three bytes: twelve bits each, put at the top of 16 and shifted back with their sign."""
    padded = _padded(data, 3)
    pairs = len(padded) // 3
    first, second = (np.ndarray((pairs,), "<u2", padded, at, (3,)) for at in (0, 1))
    counts = np.empty((pairs, 2), np.uint16)
    for start in range(0, pairs, _BLOCK):
        block = slice(start, start + _BLOCK)
        np.left_shift(first[block], 4, out=counts[block, 0])
        words = second[block].copy()
        np.bitwise_or(words >> 8 << 4, (words & 0xF0) << 8, out=counts[block, 1])
    return counts.view(np.int16).ravel() >> 4


def _format_310(data: bytes) -> Counts:
    words = np.frombuffer(_padded(data, 4), "<u2").reshape(-1, 2).astype(np.int32)
    one, two = words[:, 0], words[:, 1]
    three = one >> 11 | (two >> 11) << 5
    return _signed(np.stack([one >> 1, two >> 1, three], axis=1).ravel(), 10)


def _format_311(data: bytes) -> Counts:
    words = np.frombuffer(_padded(data, 4), "<i4")
    return _signed(np.stack([words, words >> 10, words >> 20], axis=1).ravel(), 10)


STORAGES = {
    8: Storage(_plain("i1"), None, (8, 1)),
    16: Storage(_plain("<i2"), -(1 << 15), (16, 1)),
    24: Storage(_format_24, -(1 << 23), (24, 1)),
    32: Storage(_plain("<i4"), -(1 << 31), (32, 1)),
    61: Storage(_plain(">i2"), -(1 << 15), (16, 1)),
    80: Storage(_offset("u1", 128), -128, (8, 1)),
    160: Storage(_offset("<u2", 1 << 15), -(1 << 15), (16, 1)),
    212: Storage(_format_212, -(1 << 11), (12, 1)),
    310: Storage(_format_310, -(1 << 9), (32, 3)),
    311: Storage(_format_311, -(1 << 9), (32, 3)),
}
FLAC = {508: 8, 516: 16, 524: 24}
_BLOCK = 1 << 15  # what stays in a processor's cache, so that a long record is read from memory once
_SMALL_SAMPLES = 4_000_000
_MOST_A_BYTE = 64


def samples_in(storage: Storage, size: int) -> int:
    """Samples that so many bytes hold."""
    bits, samples = storage.bits
    units, rest = divmod(size * 8, bits)
    return units * samples + (rest * samples // bits if samples == 1 else rest // 16)


def decode_flac(view: View, bits: int) -> Counts:
    """Counts (frames, channels) of a FLAC stream, by the soundfile package.

    Raises
    ------
    FormatError
        The package is not there, the stream does not hold, or a few bytes claim millions of samples.
    """
    try:
        soundfile = import_module("soundfile")
    except (ImportError, OSError):
        raise view.error("FLAC needs the package soundfile") from None
    try:
        about = soundfile.info(BytesIO(view.data))
        claimed = about.frames * about.channels
        if claimed > max(_SMALL_SAMPLES, _MOST_A_BYTE * len(view)):
            raise view.error(f"{len(view)} bytes claim {claimed} samples")
        counts, _ = soundfile.read(BytesIO(view.data), dtype="int32", always_2d=True)
    except (RuntimeError, TypeError, ValueError):
        raise view.error("not a FLAC stream") from None
    return np.asarray(counts, np.int32) >> (32 - bits)
