"""How a connection is secured: the tables ``tls`` of a destination and of the inbound door.

A peer's certificate holds by a chain to one of `ca` or by standing there itself, and a server's by its name
too (IHE ITI TF-2, ITI-19: chain of trust, direct comparison, FQDN validation after RFC 6125). Pins and
`clients` then say which of those that hold may talk: a CA signs for more machines than this one.
"""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"(?:DNS|IP|URI|email):\S+|\w+=.+")


def _pin(text: object) -> object:
    if not isinstance(text, str) or not _PIN.fullmatch(text.lower()):
        raise ValueError("not a pin")
    return text.lower()


def _client(text: object) -> object:
    if isinstance(text, str) and _NAME.fullmatch(text):
        return text
    try:
        return _pin(text)
    except ValueError as error:
        raise ValueError("not the name of a client") from error


Pin = Annotated[str, BeforeValidator(_pin)]
ClientName = Annotated[str, BeforeValidator(_client)]


class TlsTable(BaseModel):
    """What both sides have: own certificate with its chain, its key, and whom to trust.

    Files are PEM and relative to the configuration file. Without `key` the key stands in `certificate`; where
    it is encrypted, `key_passphrase_env` names the environment variable that holds its passphrase.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_passphrase_env: str | None = Field(default=None, min_length=1)
    expiry_warning_days: float = Field(default=30.0, ge=0)

    @model_validator(mode="after")
    def _has_certificate(self) -> Self:
        if self.certificate is None and (self.key or self.key_passphrase_env):
            raise ValueError("a key without its certificate")
        return self

    def relative_to(self, folder: Path) -> Self:
        """The same with its paths made absolute."""
        paths = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return self.model_copy(update={name: folder / path for name, path in paths.items() if path})


class ClientTls(TlsTable):
    """Of a connection that the gateway opens.

    Without `ca` the system's authorities are trusted, without `certificate` none is shown. Of `pins` the
    server's certificate must have one; `server_name` is the name in it, where it is not the address's host.
    """

    pins: tuple[Pin, ...] = ()
    server_name: str | None = Field(default=None, min_length=1)
    check_name: bool = True


class ServerTls(TlsTable):
    """Of connections that are taken. With `ca`, a client without a certificate of it is refused.

    `clients` are the only ones that are let in: a pin, a name in the certificate (``DNS:reg.example.org``,
    ``CN=reg``), or its whole subject as RFC 4514 writes it.
    """

    certificate: Path
    clients: tuple[ClientName, ...] = ()

    @model_validator(mode="after")
    def _can_tell_clients_apart(self) -> Self:
        if self.clients and self.ca is None:
            raise ValueError("clients are named, and no ca that vouches for them")
        return self


class InboundTls(ServerTls):
    """Of the inbound door: clients always have to show a certificate (mutual authentication)."""

    ca: Path
