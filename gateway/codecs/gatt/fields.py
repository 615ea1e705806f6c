"""Reading the fields of a characteristic one after the other."""

from dataclasses import dataclass

from gateway.codecs.ieee11073 import Number, sfloat
from gateway.errors import DecodeError


@dataclass(slots=True)
class Fields:
    """A place in a value. Each method takes the next field.

    Raises
    ------
    DecodeError
        The field is cut off; names it, with the offset of its first byte.
    """

    value: bytes
    offset: int = 0

    def take(self, name: str, size: int) -> bytes:
        taken = self.value[self.offset : self.offset + size]
        if len(taken) < size:
            raise DecodeError(
                "length", f"{name} is cut off: {len(taken)} of {size} bytes", offset=self.offset
            )
        self.offset += size
        return taken

    def unsigned(self, name: str, size: int) -> int:
        return int.from_bytes(self.take(name, size), "little")

    def sfloat(self, name: str) -> Number:
        return sfloat(self.take(name, 2))

    def rest(self) -> bytes:
        """What no field claims."""
        return self.value[self.offset :]
