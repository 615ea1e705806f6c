"""How a serial line is set, as everybody writes it: ``9600 8N1``, ``2400 7E1``.

A driver declares the lines that its devices come with. A technician may have set the device's menu otherwise,
so that any line can be chosen; what is not in the notation (flow control, DTR and RTS) is then as in the
declared link that is most alike.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

from gateway.drivers.contract import Link, SerialLink

DataBits = Literal[7, 8]
Parity = Literal["N", "E", "O"]
StopBits = Literal[1, 2]

_NOTATION = re.compile(r"([0-9]+) ?([78])([NEO])([12])", re.IGNORECASE)
_SPEEDS = range(50, 4_000_001)


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Speed in baud, data bits, parity and stop bits."""

    baudrate: int
    bytesize: DataBits
    parity: Parity
    stopbits: StopBits

    @classmethod
    def parse(cls, text: str) -> Self:
        """The line that `text` says. Raises ValueError where it says none."""
        match = _NOTATION.fullmatch(text.strip())
        if match is None or int(match[1]) not in _SPEEDS:
            raise ValueError("not the settings of a serial line")
        bits, parity, stops = match[2], match[3].upper(), match[4]
        return cls(
            int(match[1]),
            next(each for each in get_args(DataBits) if str(each) == bits),
            next(each for each in get_args(Parity) if each == parity),
            next(each for each in get_args(StopBits) if str(each) == stops),
        )

    @classmethod
    def of(cls, link: SerialLink) -> Self:
        """The line of a declared link."""
        return cls(link.baudrate, link.bytesize, link.parity, link.stopbits)

    def __str__(self) -> str:
        return f"{self.baudrate} {self.bytesize}{self.parity}{self.stopbits}"


def declared_lines(links: Iterable[Link]) -> tuple[SerialLine, ...]:
    """The lines that a driver declares, the usual one first."""
    lines = (SerialLine.of(link) for link in links if isinstance(link, SerialLink))
    return tuple(dict.fromkeys(lines))


def on_line(links: tuple[Link, ...], line: SerialLine | None) -> tuple[Link, ...]:
    """`links` with the serial ones set as `line` says; all of them as declared where it is None."""
    serial = [link for link in links if isinstance(link, SerialLink)]
    if line is None or not serial:
        return links
    alike = max(serial, key=lambda link: sum(_agreements(SerialLine.of(link), line)))
    chosen = replace(
        alike,
        baudrate=line.baudrate,
        bytesize=line.bytesize,
        parity=line.parity,
        stopbits=line.stopbits,
    )
    return (chosen, *(link for link in links if not isinstance(link, SerialLink)))


def _agreements(one: SerialLine, other: SerialLine) -> Iterator[bool]:
    yield one.baudrate == other.baudrate
    yield one.bytesize == other.bytesize
    yield one.parity == other.parity
    yield one.stopbits == other.stopbits
