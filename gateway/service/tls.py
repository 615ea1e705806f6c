"""TLS on MLLP, both ways: TLS 1.2 or later, both sides authenticated, and one line for each way to fail.

BCP 195 (RFC 9325): no version before 1.2, forward secrecy and authenticated encryption only, which are the
cipher suites of its section 4.2 and of IHE ITI-19's option "TLS 1.2 Floor using BCP 195". Files are read at
each connection, so that a renewed certificate needs no restart. Revocation lists are not looked at.
"""

import asyncio
import os
import ssl
from dataclasses import dataclass

from cryptography import x509

from gateway.errors import GatewayError, TransportError
from gateway.service.certificates import identifies, pin_of, read_certificates, subject_of
from gateway.service.tls_settings import ClientTls, ServerTls, TlsTable

_CIPHERS = "@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all of this kind
_HANDSHAKE_S = 10.0

_VERIFICATION = {
    9: "its certificate is not valid yet; compare the clocks",
    10: "its certificate has expired",
    18: "its certificate is signed by itself and is not in `ca`",
    19: "its certificate is of a CA that is not in `ca`",
    20: "its certificate is of a CA that is not in `ca`",
    21: "its certificate is of a CA that is not in `ca`",
    23: "its certificate is revoked",
    26: "its certificate is not made for this side of a connection (extended key usage)",
}
"""By OpenSSL's verification code (x509_vfy.h); of the others its own words serve, as of a wrong name."""

_REASONS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate does not hold",
    "HTTP_REQUEST": "it does not speak TLS",
    "NO_SHARED_CIPHER": "no cipher in common",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses our certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it finds no version and cipher in common, or asks for a certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it cannot use our kind of certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate, and we have none to show",
    "TLSV1_ALERT_ACCESS_DENIED": "it refuses our certificate",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it has no TLS version in common with us; 1.2 is the oldest here",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the CA of our certificate",
    "UNSUPPORTED_PROTOCOL": "it has no TLS version in common with us; 1.2 is the oldest here",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
}
"""By OpenSSL's reason: what the peer is or says."""


def client_context(table: ClientTls) -> ssl.SSLContext:
    """What connections to a server are made with.

    Raises
    ------
    TransportError
        A file cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, table)
    context.check_hostname = table.check_name
    if table.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def server_context(table: ServerTls) -> ssl.SSLContext:
    """What connections of clients are taken with.

    Raises
    ------
    TransportError
        A file cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, table)
    context.verify_mode = ssl.CERT_REQUIRED if table.ca else ssl.CERT_NONE
    return context


def _context(protocol: int, table: TlsTable) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate in `ca` is trusted by itself
    if table.ca is not None:
        read_certificates(table.ca)  # says what is wrong with the file
        context.load_verify_locations(table.ca)
    if table.certificate is not None:
        read_certificates(table.certificate)
        _load_key(context, table)
    return context


def _load_key(context: ssl.SSLContext, table: TlsTable) -> None:
    assert table.certificate is not None
    file = table.key or table.certificate
    try:
        # without a passphrase OpenSSL would ask for one on the terminal
        context.load_cert_chain(table.certificate, table.key, password=_passphrase(table))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TransportError(f"{file}: the key is not that of {table.certificate}; pair them") from error
        what = "no key that could be read" if table.key_passphrase_env is None else "the passphrase is wrong"
        raise TransportError(f"{file}: {what}; give a PEM key and `key_passphrase_env`") from error
    except OSError as error:
        raise TransportError(f"{file}: {error.strerror}; correct the path or its rights") from error


def _passphrase(table: TlsTable) -> str:
    if table.key_passphrase_env is None:
        return ""
    try:
        return os.environ[table.key_passphrase_env]
    except KeyError:
        what = f"the environment has no {table.key_passphrase_env}, the passphrase of the key"
        raise TransportError(f"{what}; set it for the service") from None


@dataclass(frozen=True, slots=True)
class Secured:
    """A connection over TLS, and the certificate of the other side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: x509.Certificate | None


async def connect(host: str, port: int, table: ClientTls) -> Secured:
    """A connection to a server that has proved who it is.

    Raises
    ------
    OSError
        There is no connection.
    TransportError
        A file cannot be used, or the server's pin is none of those that are configured.
    """
    reader, writer = await asyncio.open_connection(
        host, port, ssl=client_context(table), server_hostname=table.server_name or host
    )
    peer = _peer(writer)
    if table.pins and (peer is None or pin_of(peer) not in table.pins):
        writer.transport.abort()
        raise TransportError(f"{_named(peer)}: none of `pins`")
    return Secured(reader, writer, peer)


async def accept(writer: asyncio.StreamWriter, table: ServerTls) -> Secured:
    """Go on with TLS on a connection on which nothing has been read.

    Nothing may be awaited between the connection and this call: what came before it would be lost. `writer`
    is to be kept for as long as the new one is used, since it closes the connection with itself.

    Raises
    ------
    OSError
        The handshake failed.
    TransportError
        A file cannot be used, or the client is none of those that are named.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = await loop.start_tls(
        writer.transport,
        protocol,
        server_context(table),
        server_side=True,
        ssl_handshake_timeout=_HANDSHAKE_S,
    )
    if transport is None:
        raise ConnectionResetError("the client went away at the end of the handshake")
    protocol.connection_made(transport)
    secured = asyncio.StreamWriter(transport, protocol, reader, loop)
    peer = _peer(secured)
    if table.clients and (peer is None or not identifies(peer, table.clients)):
        transport.abort()
        raise TransportError(f"{_named(peer)}: none of `clients`")
    return Secured(reader, secured, peer)


def _peer(writer: asyncio.StreamWriter) -> x509.Certificate | None:
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    try:
        return None if der is None else x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise TransportError(f"its certificate cannot be read: {error}") from error


def _named(peer: x509.Certificate | None) -> str:
    return "it shows no certificate" if peer is None else f"{subject_of(peer)} ({pin_of(peer)})"


def explain(error: OSError | GatewayError) -> str:
    """Why there is no connection, or no longer one, in one line."""
    if isinstance(error, GatewayError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {_VERIFICATION.get(error.verify_code) or error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return f"TLS: {_REASONS.get(reason) or reason.replace('_', ' ').lower() or 'the connection broke'}"
    number = error.errno or 0  # name look-ups count theirs below zero
    return os.strerror(number) if number > 0 else error.strerror or str(error)
