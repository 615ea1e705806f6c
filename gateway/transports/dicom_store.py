"""DICOM objects to an archive: a C-STORE service user (PS3.7) over pynetdicom."""

import re
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Self

from pydicom import dcmread

from gateway.errors import TransportError

_ADDRESS = re.compile(r"(?P<title>[ -?A-\[\]-~]{1,16})@\[?(?P<host>[^@\]]+)\]?:(?P<port>\d{1,5})")
_TIMEOUT_S = 30
_WARNINGS = range(0xB000, 0xC000)  # stored, with something to remark


@dataclass(frozen=True, slots=True)
class Archive:
    """Where objects are stored.

    Parameters
    ----------
    title : str
        Its application entity title.
    host : str
    port : int
    """

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The archive of ``TITLE@HOST:PORT``.

        Raises
        ------
        ValueError
            The text is none.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or not 0 < int(match["port"]) < 65536:
            raise ValueError(f"{text!r} is not TITLE@HOST:PORT")
        return cls(match["title"], match["host"], int(match["port"]))

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


def store(data: bytes, archive: Archive, *, calling: str = "GATEWAY") -> bool:
    """Stores one object and waits for the archive's answer.

    Parameters
    ----------
    data : bytes
        A DICOM file, sent as it is.
    archive : Archive
    calling : str
        The title by which the archive knows this gateway.

    Returns
    -------
    bool
        False where the archive stored it with a warning: it altered an element, or dropped some.

    Raises
    ------
    TransportError
        No pynetdicom, no connection, the archive takes no such object, or it did not store it.
    """
    try:
        network = import_module("pynetdicom")
    except ImportError:
        raise TransportError("pynetdicom is not there; install gateway with the extra dicom-store") from None
    dataset = dcmread(BytesIO(data))
    entity = network.AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = (
        _TIMEOUT_S
    )
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate(archive.host, archive.port, ae_title=archive.title)
    if not association.is_established:
        why = "refuses us" if association.is_rejected else "no connection, or it is no DICOM archive"
        raise TransportError(f"{archive}: {why}; check its title, host and port, and that it knows {calling}")
    try:
        if not association.accepted_contexts:
            raise TransportError(f"{archive}: takes no objects of the class {dataset.SOPClassUID.name}")
        status = association.send_c_store(dataset).get("Status")
    finally:
        if association.is_established:
            association.release()
    if status is None:
        raise TransportError(f"{archive}: did not answer; whether it stored the object is not known")
    if status and status not in _WARNINGS:
        raise TransportError(f"{archive}: refused to store the object, status 0x{status:04X}")
    return not status
