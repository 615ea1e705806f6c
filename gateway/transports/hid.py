"""What a HID interface is for, from its report descriptor: the usages of its top-level collections.

A descriptor is a row of items: a prefix (two bits of size, two of type, four of tag) and 0, 1, 2 or 4 bytes
of data, low byte first. A usage page is kept until it changes, a usage belongs to the collection after it.

Source: USB-IF, Device Class Definition for HID 1.11, section 6.2.2.
"""

from collections.abc import Iterator

_LONG_ITEM = 0xFE
_USAGE_PAGE, _PUSH, _POP = 0x04, 0xA4, 0xB4
_USAGE, _COLLECTION, _END_COLLECTION = 0x08, 0xA0, 0xC0
_TAG_AND_TYPE = 0xFC
_MAIN = 0x00
_SIZES = (0, 1, 2, 4)


def top_usages(descriptor: bytes) -> frozenset[tuple[int, int]]:
    """(page, usage) of each top-level collection. What is cut off is left out."""
    found = set()
    page, usage, depth = 0, (0, 0), 0
    pages: list[int] = []
    for tag, size, value in _items(descriptor):
        if tag == _USAGE_PAGE:
            page = value
        elif tag == _PUSH:
            pages.append(page)
        elif tag == _POP:
            page = pages.pop() if pages else page
        elif tag == _USAGE:
            usage = (value >> 16, value & 0xFFFF) if size == _SIZES[-1] else (page, value)
        elif tag == _COLLECTION:
            if depth == 0:
                found.add(usage)
            depth += 1
        elif tag == _END_COLLECTION:
            depth -= 1
        if tag & 0x0C == _MAIN:
            usage = (0, 0)
    return frozenset(found)


def _items(descriptor: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag with type, size and value of each item."""
    at = 0
    while at < len(descriptor):
        prefix = descriptor[at]
        if prefix == _LONG_ITEM:
            at += 3 + int.from_bytes(descriptor[at + 1 : at + 2], "little")
            continue
        size = _SIZES[prefix & 3]
        yield prefix & _TAG_AND_TYPE, size, int.from_bytes(descriptor[at + 1 : at + 1 + size], "little")
        at += 1 + size
