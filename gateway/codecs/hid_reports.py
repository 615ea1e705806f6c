"""Bytes that a USB HID device carries in reports of one size, each of which says how many of them count."""

from gateway.errors import DecodeError


def counted_content(reports: bytes, *, size: int, mask: int = 0xFF) -> bytes:
    """What reports of `size` bytes carry, without counts and what is left of an earlier report.

    Parameters
    ----------
    reports : bytes
    size : int
    mask : int
        Bits of a report's first byte that count.

    Raises
    ------
    DecodeError
        One is cut short, or counts more than it can hold.
    """
    said = b""
    for at in range(0, len(reports), size):
        report = reports[at : at + size]
        count = report[0] & mask
        if count >= size or len(report) <= count:
            raise DecodeError("length", f"a report of {len(report)} bytes that counts {count}", offset=at)
        said += report[1 : 1 + count]
    return said
