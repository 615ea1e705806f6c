"""MDER, the encoding rules of IEEE 11073-20601: big-endian fields, and blocks that state their length."""

from collections.abc import Iterator
from datetime import datetime

from gateway.codecs.ieee11073 import Number, float32, sfloat
from gateway.errors import DecodeError

_ABSOLUTE_TIME_SIZE = 8


class Fields:
    """Bytes read from front to back; offsets of errors count from the start of the whole message.

    Every method raises :class:`gateway.errors.DecodeError` where the bytes end before the field does.
    """

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self._at = 0
        self._offset = offset

    @property
    def offset(self) -> int:
        """Of the next byte."""
        return self._offset + self._at

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def unsigned(self, size: int, name: str) -> int:
        return int.from_bytes(self.take(size, name), "big")

    def u16(self, name: str) -> int:
        return self.unsigned(2, name)

    def u32(self, name: str) -> int:
        return self.unsigned(4, name)

    def take(self, size: int, name: str) -> bytes:
        if self.left < size:
            raise DecodeError(
                "length", f"{name}: {size} bytes announced, {self.left} left", offset=self.offset
            )
        self._at += size
        return self._data[self._at - size : self._at]

    def sfloat(self, name: str) -> Number:
        return sfloat(self.take(2, name)[::-1])

    def float32(self, name: str) -> Number:
        return float32(self.take(4, name)[::-1])

    def block(self, name: str) -> "Fields":
        """The bytes that a 16-bit length announces."""
        size = self.u16(f"length of {name}")
        start = self.offset
        return Fields(self.take(size, name), start)

    def items(self, name: str) -> Iterator["Fields"]:
        """A list: its count and length, then as many items; the caller reads one at each step."""
        count = self.u16(f"count of {name}")
        listed = self.block(name)
        for _ in range(count):
            yield listed
        listed.end(name)

    def rest(self) -> bytes:
        return self.take(self.left, "rest")

    def end(self, name: str) -> None:
        """Nothing is left, or the lengths inside and outside disagree."""
        if self.left:
            raise DecodeError("length", f"{self.left} bytes more than {name} holds", offset=self.offset)


def absolute_time(data: bytes) -> datetime | None:
    """Eight pairs of BCD digits: century, year, month, day, hour, minute, second, hundredths; no zone.

    None where they are no date and time.
    """
    digits = data.hex()
    if len(data) != _ABSOLUTE_TIME_SIZE or not digits.isdecimal():
        return None
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    hour, minute, second, hundredths = (int(digits[at : at + 2]) for at in (8, 10, 12, 14))
    try:
        return datetime(year, month, day, hour, minute, second, hundredths * 10_000)  # noqa: DTZ001 - no zone
    except ValueError:
        return None


def encode_absolute_time(at: datetime) -> bytes:
    """The same the other way, of the local fields of `at`."""
    return bytes.fromhex(f"{at:%Y%m%d%H%M%S}{at.microsecond // 10_000:02d}")


def encode_block(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")
