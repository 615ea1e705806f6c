"""What the fake EHR keeps: each message a file, on disk before its acknowledgement, known after a restart.

``NNNNNN-<control id>.hl7`` in the order of arrival; what was refused lies in ``refused``. Two messages are
one where sending application, sending facility and control id (MSH-3, MSH-4, MSH-10) are the same.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from gateway.errors import Hl7Error
from gateway.hl7 import Message, parse
from gateway.store import durable_files

Novelty = Literal["new", "repeated", "conflict"]
_Key = tuple[str, str, str]


@dataclass(slots=True)
class Archive:
    """Messages by what identifies them; in memory alone where there is no directory.

    Parameters
    ----------
    directory : Path, optional
        Made where it is not there. What it holds already is known from the start.
    """

    directory: Path | None = None
    _digests: dict[_Key, bytes] = field(default_factory=dict)
    _last_number: int = 0

    def __post_init__(self) -> None:
        if self.directory is None:
            return
        (self.directory / "refused").mkdir(parents=True, exist_ok=True)
        for path in _kept(self.directory):
            self._last_number = max(self._last_number, _number(path))
        for path in sorted(self.directory.glob("*.hl7")):
            with suppress(Hl7Error):
                data = path.read_bytes()
                self._digests[_key(parse(data))] = sha256(data).digest()

    def novelty(self, message: Message) -> Novelty:
        """Whether it is new, the very same again, or another message under a control id that is taken."""
        known = self._digests.get(_key(message))
        if known is None:
            return "new"
        return "repeated" if known == sha256(message.data).digest() else "conflict"

    def keep(self, message: Message) -> None:
        """The message is taken: its file is on disk when this returns.

        Raises
        ------
        OSError
            It cannot be written.
        """
        self._write(message.control_id, message.data, self.directory)
        self._digests[_key(message)] = sha256(message.data).digest()

    def keep_refused(self, control_id: str, data: bytes) -> None:
        """What was not taken, for a person to look at; its control id stays free."""
        self._write(control_id, data, self.directory and self.directory / "refused")

    def _write(self, control_id: str, data: bytes, folder: Path | None) -> None:
        if folder is None:
            return
        self._last_number += 1
        name = f"{self._last_number:06}-{quote(control_id, safe='')[:100]}"
        unfinished = folder / f"{name}.part"
        durable_files.write(unfinished, data)
        unfinished.rename(folder / f"{name}.hl7")
        durable_files.sync_folder(folder)


def _kept(directory: Path) -> Iterator[Path]:
    for folder in (directory, directory / "refused"):
        for abandoned in folder.glob("*.part"):
            abandoned.unlink()
        yield from folder.glob("*.hl7")


def _number(path: Path) -> int:
    number = path.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _key(message: Message) -> _Key:
    return message.get("MSH-3"), message.get("MSH-4"), message.control_id
