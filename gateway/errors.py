"""What can go wrong, as types. Every message says what was wrong, where, and what to do about it.

No message holds a patient's name, identifier or values: errors reach logs and screens.
"""

from dataclasses import dataclass
from typing import Self


class GatewayError(Exception):
    """Something that a person can act on; the command line prints it as it is."""


class DecodeError(GatewayError):
    """Bytes of a device that do not hold.

    Parameters
    ----------
    code : str
        What kind of fault: ``checksum``, ``layout``, ``value``, ``unit``, ``length``, ...
    message : str
        What was found and what was expected.
    offset : int
        Of the first wrong byte, from the start of the bytes that were given to the decoder.
    """

    def __init__(self, code: str, message: str, *, offset: int) -> None:
        super().__init__(f"{code}: {message}, at byte {offset}")
        self.code = code
        self.message = message
        self.offset = offset

    def moved(self, by: int) -> Self:
        """The same error with its offset counted from `by` bytes earlier."""
        return type(self)(self.code, self.message, offset=self.offset + by)


class FormatError(GatewayError):
    """An EKG file that cannot be read without guessing.

    Parameters
    ----------
    file_format : str
        ``SCP-ECG``, ``HL7 aECG``, ...; ``unknown`` where nothing was recognised.
    section : str
        The part of the file that does not hold, in the format's own words.
    message : str
    offset : int, optional
        Byte in the file, where the format counts in bytes.
    """

    def __init__(self, file_format: str, section: str, message: str, *, offset: int | None = None) -> None:
        where = section if offset is None else f"{section}, byte {offset}"
        super().__init__(f"{file_format}: {where}: {message}")
        self.file_format = file_format
        self.section = section
        self.message = message
        self.offset = offset


class Hl7Error(GatewayError):
    """An HL7 message, or a piece of one, that cannot be taken.

    Parameters
    ----------
    message : str
    segment : str, optional
        Its name and, where there are several, its occurrence: ``OBX[2]``.
    field : int, optional
        Counted from 1, as the standard does.
    """

    def __init__(self, message: str, *, segment: str | None = None, field: int | None = None) -> None:
        place = segment if segment is None or field is None else f"{segment}-{field}"
        super().__init__(message if place is None else f"{place}: {message}")
        self.message = message
        self.segment = segment
        self.field = field


class UnsendableError(GatewayError):
    """A reading that cannot be said as a destination wants it; names the element, and never its content."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend in a file that a person wrote.

    Parameters
    ----------
    where : str
        Key path: ``devices.scale-1.port``.
    what : str
    fix : str
    """

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.fix}"


class ConfigError(GatewayError):
    """A configuration, or a session fixture, with everything that is wrong in it."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.file = file
        self.problems = problems


class TransportError(GatewayError):
    """A port, adapter, socket or folder that is not there, is held by another, or went away."""


class RefusedError(TransportError):
    """The device did not do one thing that it was asked; the connection goes on."""


class StoreError(GatewayError):
    """The database cannot be opened or written; nothing is accepted until it can."""
