"""Transactions to a FHIR server over HTTPS: posted once each, and judged by the answer."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import aiohttp

from gateway.fhir.answer import judge, refuses_login, retry_after_s
from gateway.hl7.acknowledgement import Verdict
from gateway.service.destinations import FhirTable
from gateway.service.http_login import Login
from gateway.service.tls import client_context, explain
from gateway.service.tls_settings import ClientTls
from gateway.store.outbox import OutboxMessage

_MEDIA_TYPE = "application/fhir+json"
_HEADERS = {
    "Accept": _MEDIA_TYPE,
    "Content-Type": f"{_MEDIA_TYPE}; charset=utf-8",
    "Prefer": "return=minimal",
}
LARGEST_ANSWER = 8_000_000


@dataclass(slots=True)
class FhirSender:
    """Posts to one server. Certificates are always verified, redirects never followed.

    Parameters
    ----------
    table : FhirTable
    """

    table: FhirTable
    _session: aiohttp.ClientSession | None = None
    _login: Login | None = None
    _headers: dict[str, str] = field(default_factory=dict, repr=False)

    async def prepare(self, message: OutboxMessage) -> None:  # noqa: ARG002 - any message goes the same way
        if self._session is None:
            # made anew with each session, so that a renewed certificate needs no restart
            connector = aiohttp.TCPConnector(ssl=client_context(self.table.tls or ClientTls()), limit=1)
            # the lane has a timeout of its own, for all of a step
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout())
        if self.table.login is not None:
            self._login = self._login or Login(self.table.login)
            token = await self._login.token(self._session)
            self._headers = {"Authorization": f"Bearer {token}"}

    async def send(self, message: OutboxMessage) -> Verdict:
        assert self._session is not None
        entries = len(json.loads(message.body)["entry"])
        try:
            async with self._session.post(
                self.table.address,
                data=message.body,
                headers=_HEADERS | self._headers,
                server_hostname=self.table.tls.server_name if self.table.tls else None,
                allow_redirects=False,
            ) as response:
                body = await _whole(response)
        except aiohttp.ClientError as error:
            raise _explained(error) from error
        verdict = judge(response.status, body, entries)
        if refuses_login(verdict) and self._login is not None:
            self._login.refused()
        pause_s = retry_after_s(response.headers.get("Retry-After", ""), datetime.now(UTC))
        return replace(verdict, retry_after_s=pause_s)

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The answer, as far as one can be so long: what is cut is no answer."""
    parts, size = [], 0
    async for part in response.content.iter_chunked(65536):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            break
    return b"".join(parts)


def _explained(error: aiohttp.ClientError) -> OSError:
    """Why there was no answer, in words that are ours: a server's may name a patient."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            said = explain(cause) if isinstance(cause, OSError) else "its certificate does not hold"
            return ConnectionError(f"{error.host}:{error.port}: {said}")
        case aiohttp.ClientConnectorError():
            return ConnectionError(f"{error.host}:{error.port}: {explain(error.os_error)}")
        case aiohttp.ServerDisconnectedError():
            return ConnectionError("the server closed the connection")
    return ConnectionError(f"the answer is no HTTP, or broke off: {type(error).__name__}")
