"""Checksums of device frames."""

from functools import reduce
from operator import xor


def xor8(data: bytes) -> int:
    """Exclusive-or of all bytes; 0 for none."""
    return reduce(xor, data, 0)


def sum8(data: bytes) -> int:
    """Sum of all bytes, modulo 256."""
    return sum(data) & 0xFF
