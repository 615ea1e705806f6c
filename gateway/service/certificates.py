"""X.509 certificates: read from PEM files, pinned, named, and how long they still hold.

A pin is the SHA-256 of the SubjectPublicKeyInfo (RFC 7469, section 2.4), not of the certificate: a
certificate is renewed every year or two, and with the same key its pin stays. The digits are those of
``openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum``.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from gateway.errors import Problem, TransportError

_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "DNS",
    x509.IPAddress: "IP",
    x509.UniformResourceIdentifier: "URI",
    x509.RFC822Name: "email",
}


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Those of a PEM file, at least one.

    Raises
    ------
    TransportError
        The file cannot be read, or holds none.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise TransportError(f"{path}: {error.strerror}; correct the path or its rights") from error
    except ValueError as error:
        raise TransportError(f"{path}: no certificate in PEM form; convert it with openssl") from error


def pin_of(certificate: x509.Certificate) -> str:
    """``sha256:`` and 64 hexadecimal digits, of the certificate's public key."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{sha256(key).hexdigest()}"


def subject_of(certificate: x509.Certificate) -> str:
    """Whom it names, as RFC 4514 writes it; its first alternative name where the subject is empty."""
    return certificate.subject.rfc4514_string() or next(_alternative_names(certificate), "no name")


def identifies(certificate: x509.Certificate, names: tuple[str, ...]) -> bool:
    """One of these pins, alternative names, common names or whole subjects is the certificate's."""
    common = (
        f"CN={part.value!s}" for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )
    own = {pin_of(certificate), certificate.subject.rfc4514_string(), *common}
    own.update(map(_folded, _alternative_names(certificate)))
    return not own.isdisjoint(map(_folded, names))


def _alternative_names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        if kind := _KINDS.get(type(name)):
            yield f"{kind}:{name.value}"


def _folded(name: str) -> str:
    """Host names are the same in capitals and small letters."""
    return name[:4] + name[4:].lower() if name.startswith("DNS:") else name


def expiry_problem(
    where: str, certificate: x509.Certificate, at: datetime, warning_days: float
) -> Problem | None:
    """What is to be said of a certificate that holds no longer, or only for `warning_days`."""
    end = certificate.not_valid_after_utc
    if end - at > timedelta(days=warning_days):
        return None
    verb = "has expired" if end <= at else f"expires in {(end - at).days} days"
    return Problem(
        where, f"the certificate of {subject_of(certificate)} {verb}, on {end:%Y-%m-%d}", "renew it"
    )
