"""Files outside the database that are on disk when they are said to be."""

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file; its content is on disk when this returns, its name once its folder is synced.

    Raises
    ------
    OSError
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk, without which a file that is can still be lost.

    Raises
    ------
    OSError
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
