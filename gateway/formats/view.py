"""Bytes of a file with their bounds: reading past the end is a `FormatError` that says where."""

import struct
from dataclasses import dataclass, replace
from typing import Self

from gateway.errors import FormatError


@dataclass(frozen=True, slots=True)
class View:
    """A stretch of a file, in the words of its format.

    Parameters
    ----------
    data : bytes
    file_format : str
        For errors: ``SCP-ECG``.
    section : str
        What the stretch is, for errors: ``section 6``.
    start : int
        Where in the file it begins.
    """

    data: bytes
    file_format: str
    section: str
    start: int = 0

    def __len__(self) -> int:
        return len(self.data)

    def error(self, message: str, at: int = 0) -> FormatError:
        """A `FormatError` about the byte `at` of this stretch, for the caller to raise."""
        return FormatError(self.file_format, self.section, message, offset=self.start + at)

    def take(self, at: int, length: int) -> bytes:
        """Exactly `length` bytes from `at` on.

        Raises
        ------
        FormatError
            They are not all there.
        """
        if at < 0 or length < 0 or at + length > len(self.data):
            left = max(0, len(self.data) - max(at, 0))
            raise self.error(f"{length} bytes needed, {left} are there", at)
        return self.data[at : at + length]

    def unpack(self, layout: str, at: int) -> tuple[int, ...]:
        """Integers by a `struct` layout, little-endian where it does not say."""
        layout = layout if layout[0] in "<>" else "<" + layout
        return struct.unpack(layout, self.take(at, struct.calcsize(layout)))

    def u8(self, at: int) -> int:
        return self.unpack("B", at)[0]

    def u16(self, at: int) -> int:
        return self.unpack("H", at)[0]

    def i16(self, at: int) -> int:
        return self.unpack("h", at)[0]

    def u32(self, at: int) -> int:
        return self.unpack("I", at)[0]

    def i32(self, at: int) -> int:
        return self.unpack("i", at)[0]

    def text(self, at: int, length: int, encoding: str = "latin-1") -> str:
        """Text up to its first NUL, without blanks at its ends."""
        return self.take(at, length).split(b"\0", 1)[0].decode(encoding, "replace").strip()

    def part(self, at: int, length: int, section: str | None = None) -> Self:
        """A stretch of this stretch, under its own name."""
        return replace(
            self, data=self.take(at, length), section=section or self.section, start=self.start + at
        )
