"""Checksums of device frames."""

from functools import reduce
from operator import xor


def xor8(data: bytes) -> int:
    """Exclusive-or of all bytes; 0 for none."""
    return reduce(xor, data, 0)


def sum8(data: bytes) -> int:
    """Sum of all bytes, modulo 256."""
    return sum(data) & 0xFF


def sum16(data: bytes) -> int:
    """Sum of all bytes, modulo 65536."""
    return sum(data) & 0xFFFF


def crc16_ccitt(data: bytes) -> int:
    """CRC of polynomial 0x1021, start 0xFFFF, not reflected."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def crc8(data: bytes) -> int:
    """CRC of polynomial 0x07, start 0, not reflected."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
