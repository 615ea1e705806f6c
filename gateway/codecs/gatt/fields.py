"""Reading the fields of a characteristic one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.codecs.gatt import date_time
from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.ieee11073 import Number, float32, sfloat
from gateway.errors import DecodeError

_NO_VALUE = 0xFFFF


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

    def signed(self, name: str, size: int) -> int:
        return int.from_bytes(self.take(name, size), "little", signed=True)

    def sfloat(self, name: str) -> Number:
        return sfloat(self.take(name, 2))

    def float32(self, name: str) -> Number:
        return float32(self.take(name, 4))

    def steps(self, name: str, step: Decimal) -> Decimal | None:
        """A uint16 that counts steps; None where it is 0xFFFF, which stands for no value."""
        count = self.unsigned(name, 2)
        return None if count == _NO_VALUE else count * step

    def stamp(self, name: str = "time-stamp") -> Stamp:
        """A Date Time. One that is no time does not cost the fields after it."""
        at = self.offset
        return date_time.read_stamp(self.take(name, date_time.SIZE), at)

    def rest(self) -> bytes:
        """What no field claims."""
        return self.value[self.offset :]


def names_of(bits: int, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the bits that are set, lowest first; an empty name is a reserved bit."""
    return tuple(name for bit, name in enumerate(names) if name and bits >> bit & 1)
