"""Where results go, as tables of the configuration; the profile says which kind of destination one is."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.fhir.profile import OWN_SYSTEM
from gateway.gdt import EXAMINATION_LENGTH, NAME_LENGTH
from gateway.model import ReadingKind
from gateway.service.tls_settings import ClientTls

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s|]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _uri(text: object) -> object:
    if isinstance(text, str) and not _URI.fullmatch(text):
        raise ValueError("not a URI")
    return text


def _url(text: object) -> object:
    """A base address; without TLS only where nobody else can listen."""
    if not isinstance(text, str):
        return text
    try:
        parts = urlsplit(text)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        stated_port = parts.port != 0
    except ValueError:
        is_safe = stated_port = False
    if (
        not is_safe
        or not stated_port
        or not parts.hostname
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ValueError("not an https address")
    return text.rstrip("/")


Uri = Annotated[str, BeforeValidator(_uri)]
Url = Annotated[str, BeforeValidator(_url)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class DeliveryTable(_Strict):
    """How long a lane waits for an answer, how often it tries, and what it does behind a parked message."""

    ack_timeout_s: float = Field(default=10.0, gt=0)
    tries: int = Field(default=3, gt=0)
    longest_backoff_s: float = Field(default=60.0, gt=0)
    past_parked: bool = False


class LoginTable(_Strict):
    """How a FHIR server knows the gateway: a token, or OAuth 2 client credentials (SMART backend services).

    Secrets are in the environment or in files, which are relative to the configuration file. A client proves
    itself by its secret or, with `key_file`, by a signed assertion (RS384 or ES384, by the kind of key).
    """

    token_env: str | None = Field(default=None, min_length=1)
    token_file: Path | None = None
    token_url: Url | None = None
    client_id: str | None = Field(default=None, min_length=1)
    scope: str = ""
    secret_env: str | None = Field(default=None, min_length=1)
    secret_file: Path | None = None
    key_file: Path | None = None
    key_id: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if sum(map(bool, (self.token_env, self.token_file, self.token_url))) != 1:
            raise ValueError("not one way to log in")
        proofs = sum(map(bool, (self.secret_env, self.secret_file, self.key_file)))
        if self.token_url and (not self.client_id or proofs != 1):
            raise ValueError("no client with one proof")
        if not self.token_url and (self.client_id or proofs):
            raise ValueError("a client without its token_url")
        return self

    def relative_to(self, folder: Path) -> Self:
        """The same with its paths made absolute."""
        paths = {name: getattr(self, name) for name in ("token_file", "secret_file", "key_file")}
        return self.model_copy(update={name: folder / path for name, path in paths.items() if path})


class FhirTable(DeliveryTable):
    """A FHIR R4 server: its base address, the systems of its patients' identifiers, and the login."""

    address: Url
    profile: Literal["fhir-r4"]
    ack_timeout_s: float = Field(default=30.0, gt=0)
    identifier_systems: dict[str, Uri] = Field(min_length=1)
    own_system: Uri = OWN_SYSTEM
    patient_reference: Literal["conditional", "logical"] = "conditional"
    provenance: bool = True
    login: LoginTable | None = None
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _has_no_pins(self) -> Self:
        if self.tls and self.tls.pins:
            raise ValueError("pins are for MLLP")
        return self

    def relative_to(self, folder: Path) -> Self:
        """The same with its paths made absolute."""
        paths = {"login": self.login and self.login.relative_to(folder)}
        return self.model_copy(update={**paths, "tls": self.tls and self.tls.relative_to(folder)})


class GdtTable(DeliveryTable):
    """A practice system: the folder that it takes GDT files from, and how it wants them."""

    folder: Path
    profile: Literal["gdt-2.1"]
    patient_authority: str
    sender: str = Field(default="GATEWAY", min_length=1, max_length=NAME_LENGTH)
    receiver: str = Field(default="PRAX_EDV", min_length=1, max_length=NAME_LENGTH)
    character_set: Literal["cp437", "cp1252", "ascii"] = "cp437"
    decimal_mark: Literal[".", ","] = "."
    file_name: str = Field(default="PRAXGATE", pattern=r"^[A-Za-z0-9_-]{1,8}$")
    numbered: bool = True
    wait_until_taken: bool = False
    examinations: dict[ReadingKind, Annotated[str, Field(min_length=1, max_length=EXAMINATION_LENGTH)]] = (
        Field(default_factory=dict)
    )
    tests: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)

    def relative_to(self, folder: Path) -> Self:
        """The same with its paths made absolute."""
        return self.model_copy(update={"folder": folder / self.folder})


def kind_of(table: object) -> str:
    """Which kind of destination a table of the file, or a checked one, is: by its profile."""
    profile = table.get("profile") if isinstance(table, dict) else getattr(table, "profile", None)
    return f"{_KIND}{profile}" if profile in OTHER_PROFILES else HL7_KIND


_KIND = "profile="  # no key of a table can be that: it tells a kind from the keys in a key path
HL7_KIND, FHIR_KIND, GDT_KIND = f"{_KIND}hl7", f"{_KIND}fhir-r4", f"{_KIND}gdt-2.1"
OTHER_PROFILES = ("fhir-r4", "gdt-2.1")


def key_path(location: tuple[str | int, ...]) -> str:
    """Where a mistake is, as the file has it."""
    return ".".join(str(part) for part in location if not str(part).startswith(_KIND))
