"""A virtual device that drops files in a folder, each growing under its final name as most machines write."""

from pathlib import Path

from gateway.testing.session_fixture import SessionFixture
from gateway.testing.virtual_device import VirtualDevice, until

_PIECES = 8
_BETWEEN_PIECES_S = 0.3


class VirtualFolder(VirtualDevice):
    """A device that writes into `folder`, which must be there.

    A file counts as taken when it is no longer there.
    """

    def __init__(self, fixture: SessionFixture, *, folder: Path, speed: float = 1.0) -> None:
        super().__init__(fixture, speed=speed)
        self._folder = folder
        self._written: list[Path] = []

    @property
    def url(self) -> str:
        return f"folder://{self._folder}"

    async def open(self) -> None:
        """Nothing to open: the folder is the host's."""

    async def close(self) -> None:
        """Nothing is held open between two pieces."""

    async def await_host(self) -> None:
        """A machine writes whether anybody looks or not."""

    async def send(self, data: bytes, channel: str) -> None:
        path = self._folder / channel
        self._written.append(path)
        piece = -(-len(data) // _PIECES) or 1
        path.write_bytes(data[:piece])
        for start in range(piece, len(data), piece):
            await self.pause(_BETWEEN_PIECES_S)
            with path.open("ab") as file:
                file.write(data[start : start + piece])

    async def all_taken(self) -> None:
        await until(lambda: not any(path.exists() for path in self._written))
        self._written.clear()

    async def hang_up(self) -> None:
        """Nothing to hang up."""
