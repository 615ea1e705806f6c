"""A FHIR server for tests: takes transactions as a careful one would, and misbehaves on request.

It knows its patients, resolves conditional references, creates and updates by identifier, files a transaction
whole or not at all, and keeps every number with its digits.
"""

import asyncio
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web

from gateway.errors import GatewayError
from gateway.testing.ehr_faults import Fault, FaultDice, FaultKind

Resource = dict[str, Any]

_MEDIA_TYPE = "application/fhir+json"
_GARBAGE = b"<html><body><h1>Welcome to the guest network</h1></body></html>"
_PATH = "/fhir"


class _RefusedError(GatewayError):
    """Why a transaction is not taken, with the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, kw_only=True)
class FakeFhirServer:
    """The server, as an asynchronous context manager.

    Parameters
    ----------
    patients : tuple of (str, str)
        System and value of the identifier of each patient that it has.
    token : str
        The bearer token that it asks for; empty for none. May be changed while it runs.
    faults : tuple of Fault
        ``nak`` answers 503 with `retry_after`, ``reject`` 422; the others as :class:`FakeEhr` does.
    seed : int
    retry_after : str
    late_s, slow_s : float
    port : int
        Port 0 is any that is free; `port` then says which.
    security : ssl.SSLContext, optional

    Attributes
    ----------
    resources : dict of str to list of dict
        What it has, by type, in the order of creation; numbers are Decimal.
    bodies : list of bytes
        All that came.
    """

    patients: tuple[tuple[str, str], ...] = ()
    token: str = ""
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    retry_after: str = ""
    late_s: float = 2.0
    slow_s: float = 0.25
    port: int = 0
    security: ssl.SSLContext | None = None
    resources: dict[str, list[Resource]] = field(default_factory=dict, init=False)
    bodies: list[bytes] = field(default_factory=list, init=False)
    _dice: FaultDice = field(init=False)
    _runner: web.AppRunner = field(init=False)

    async def __aenter__(self) -> Self:
        self._dice = FaultDice(self.faults, self.seed)
        self.resources["Patient"] = [
            {"resourceType": "Patient", "id": str(number), "identifier": [{"system": system, "value": value}]}
            for number, (system, value) in enumerate(self.patients, start=1)
        ]
        application = web.Application(client_max_size=8_000_000)
        application.router.add_post(_PATH, self._transaction)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.security)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def address(self) -> str:
        scheme, host = ("https", "localhost") if self.security else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}{_PATH}"

    def of_type(self, kind: str) -> list[Resource]:
        return self.resources.get(kind, [])

    async def _transaction(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.bodies.append(body)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        struck = self._dice.throw()
        if FaultKind.NAK in struck:
            headers = {"Retry-After": self.retry_after} if self.retry_after else None
            return web.Response(status=503, headers=headers)
        try:
            if FaultKind.REJECT in struck:
                raise _RefusedError(422, "refused by a fault that was asked for")
            answer = self._filed(request, body)
        except _RefusedError as refusal:
            return _answer(refusal.status, _outcome(str(refusal)))
        return await self._misbehaved(request, struck, answer)

    async def _misbehaved(
        self, request: web.Request, struck: frozenset[FaultKind], answer: list[Resource]
    ) -> web.StreamResponse:
        """The answer to a transaction that is filed, as far as the faults let it out."""
        if FaultKind.LATE in struck:
            await asyncio.sleep(self.late_s)
        if FaultKind.SLOW in struck:
            await asyncio.sleep(self.slow_s)
        if FaultKind.SILENT in struck:
            await asyncio.Event().wait()
        if FaultKind.CLOSE in struck and request.transport is not None:
            request.transport.close()
        if FaultKind.GARBAGE in struck:
            return web.Response(body=_GARBAGE, content_type="text/html")
        if FaultKind.WRONG_ID in struck:
            answer = answer[:-1]
        return _answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answer})

    def _filed(self, request: web.Request, body: bytes) -> list[Resource]:
        """File every entry, or none of them."""
        if request.content_type != _MEDIA_TYPE:
            raise _RefusedError(415, f"content type {request.content_type}")
        try:
            bundle = json.loads(body, parse_float=Decimal, parse_int=Decimal)
            entries = [(entry["fullUrl"], entry["resource"], entry["request"]) for entry in bundle["entry"]]
        except (ValueError, KeyError, TypeError) as error:
            raise _RefusedError(400, f"no transaction: {error!r}") from error
        after = {kind: list(kept) for kind, kept in self.resources.items()}
        filed = [_file(after, resource, request) for _, resource, request in entries]
        names = {
            url: f"{kind}/{found['id']}" for (url, _, _), (kind, found, _) in zip(entries, filed, strict=True)
        }
        for _, found, _ in filed:
            _resolve(found, names, after)
        self.resources = after
        return [{"response": {"status": status, "location": f"{k}/{f['id']}"}} for k, f, status in filed]


def _file(
    after: dict[str, list[Resource]], resource: Resource, request: Mapping[str, str]
) -> tuple[str, Resource, str]:
    """The type, the resource as it is kept, and the status of its entry."""
    kind = resource["resourceType"]
    kept = after.setdefault(kind, [])
    url, _, query = request["url"].partition("?")
    if url != kind:
        raise _RefusedError(400, f"a {kind} for {url}")
    search = request.get("ifNoneExist", "") if request["method"] == "POST" else query
    found = list(_found(kept, search)) if search else []
    if len(found) > 1:
        raise _RefusedError(412, f"{len(found)} match {kind}?{search}")
    if found and request["method"] == "POST":
        return kind, found[0], "200 OK"
    if found:
        place = kept.index(found[0])
        kept[place] = found[0] | resource
        return kind, kept[place], "200 OK"
    kept.append(resource | {"id": str(len(kept) + 1)})
    return kind, kept[-1], "201 Created"


def _found(kept: list[Resource], search: str) -> Iterator[Resource]:
    parameter, _, token = search.partition("=")
    system, _, value = token.partition("|")
    wanted = tuple(_unescaped(part) for part in (system, value))
    for resource in kept:
        if parameter == "_tag":
            stated = [(tag["system"], tag["code"]) for tag in resource.get("meta", {}).get("tag", ())]
        elif parameter == "identifier":
            stated = [(each["system"], each["value"]) for each in resource.get("identifier", ())]
        else:
            raise _RefusedError(400, f"no search by {parameter}")
        if wanted in stated:
            yield resource


def _unescaped(part: str) -> str:
    letters = iter(unquote(part))
    return "".join(next(letters) if letter == "\\" else letter for letter in letters)


def _resolve(value: object, names: Mapping[str, str], after: dict[str, list[Resource]]) -> None:
    """Put the name of a resource in place of each reference by search or within the transaction."""
    if isinstance(value, list):
        for each in value:
            _resolve(each, names, after)
    if not isinstance(value, dict):
        return
    reference = value.get("reference")
    if isinstance(reference, str) and "?" in reference:
        kind, _, search = reference.partition("?")
        found = list(_found(after.get(kind, []), search))
        if len(found) != 1:
            raise _RefusedError(404, f"{len(found)} match {reference}")
        value["reference"] = f"{kind}/{found[0]['id']}"
    elif isinstance(reference, str) and reference.startswith("urn:"):
        if reference not in names:
            raise _RefusedError(400, f"{reference} is none of the entries")
        value["reference"] = names[reference]
    for each in value.values():
        _resolve(each, names, after)


def _outcome(text: str) -> Resource:
    issue = {"severity": "error", "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _answer(status: int, resource: Resource) -> web.Response:
    return web.Response(status=status, body=json.dumps(resource).encode(), content_type=_MEDIA_TYPE)
