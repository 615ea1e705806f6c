"""What can go wrong on a link, on demand."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.errors import GatewayError

Kind = Literal["drop", "garble", "split", "stall", "disconnect"]

_ONCE = ("stall", "disconnect")
_NOTATION = re.compile(rf"({'|'.join(get_args(Kind))})(?:@([1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Impairment:
    """What happens to what the device says.

    Parameters
    ----------
    kind : str
        ``drop`` loses it, ``garble`` alters a byte, ``split`` sends it byte by byte, ``stall`` says nothing
        from there on, ``disconnect`` ends the link in the middle of it.
    number : int, optional
        Which of the things that the device says it happens to, counted from 1. None for each of them.
    """

    kind: Kind
    number: int | None = None

    def strikes(self, number: int) -> bool:
        return self.number in {None, number}

    def pieces(self, data: bytes) -> tuple[bytes, ...]:
        """What still arrives of `data`, in the pieces in which it does."""
        match self.kind:
            case "garble":
                middle = len(data) // 2
                return (
                    data[:middle]
                    + bytes(byte ^ 0x15 for byte in data[middle : middle + 1])
                    + data[middle + 1 :],
                )
            case "split":
                return tuple(data[index : index + 1] for index in range(len(data)))
            case "disconnect":
                return (data[: len(data) // 2],)
            case _:
                return ()


def parse_impairment(text: str) -> Impairment:
    """An impairment as written on the command line: ``garble@3``.

    What can happen only once, happens to the first thing said where no number is given.

    Raises
    ------
    GatewayError
        It is none.
    """
    match = _NOTATION.fullmatch(text)
    if match is None:
        raise GatewayError(
            f"{text!r} is no fault; use one of {', '.join(get_args(Kind))}, with @N for the Nth"
        )
    kind: Kind = next(kind for kind in get_args(Kind) if kind == match[1])
    return Impairment(kind, int(match[2]) if match[2] else 1 if kind in _ONCE else None)
