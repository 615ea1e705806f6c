"""Certificates that will expire, said weeks before: those in files, and those that peers were seen with."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509

from gateway.errors import Problem, TransportError
from gateway.service import tls
from gateway.service.certificates import expiry_problem, pin_of, read_certificates
from gateway.service.tls_settings import ClientTls, ServerTls

_DAY_S = 86400.0

Tables = Mapping[str, ClientTls | ServerTls]


def file_problems(tables: Tables) -> Iterator[Problem]:
    """What of each table's files cannot be used at all, by the tables' key paths."""
    for where, table in tables.items():
        try:
            if isinstance(table, ServerTls):
                tls.server_context(table)
            else:
                tls.client_context(table)
        except TransportError as error:
            what, _, fix = str(error).partition("; ")
            yield Problem(where, what, fix)


def expiring_files(tables: Tables, at: datetime) -> Iterator[Problem]:
    """The certificates in files that expire soon, or have; a file that cannot be read has none."""
    for where, table in tables.items():
        for key, path in (("certificate", table.certificate), ("ca", table.ca)):
            for certificate in _readable(path):
                if problem := expiry_problem(f"{where}.{key}", certificate, at, table.expiry_warning_days):
                    yield problem


def _readable(path: Path | None) -> tuple[x509.Certificate, ...]:
    try:
        return () if path is None else read_certificates(path)
    except TransportError:
        return ()


@dataclass(slots=True, kw_only=True)
class CertificateWatch:
    """Says in the log what is to be renewed: at start, daily, and when a peer shows a new certificate.

    Parameters
    ----------
    tables : mapping
        By key path in the configuration.
    now : callable
    """

    tables: Tables
    now: Callable[[], datetime]
    _peers: dict[tuple[str, str], x509.Certificate] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            for problem in file_problems(self.tables):
                structlog.get_logger().error("no TLS", where=problem.where, reason=problem.what)
            peers = ((where, peer) for (where, _), peer in self._peers.items())
            for problem in (*expiring_files(self.tables, self.now()), *self._expiring(peers)):
                _say(problem)
            await asyncio.sleep(_DAY_S)

    def seen(self, where: str, peer: x509.Certificate | None) -> None:
        """A peer of the table at `where` showed this certificate; with the same key it replaces one."""
        if peer is None:
            return
        key = where, pin_of(peer)
        if self._peers.get(key) != peer:
            self._peers[key] = peer
            for problem in self._expiring([(where, peer)]):
                _say(problem)

    def _expiring(self, peers: Iterable[tuple[str, x509.Certificate]]) -> Iterator[Problem]:
        for where, peer in peers:
            days = self.tables[where].expiry_warning_days
            if problem := expiry_problem(f"{where}, its peer", peer, self.now(), days):
                yield problem


def _say(problem: Problem) -> None:
    structlog.get_logger().warning("certificate to be renewed", where=problem.where, reason=problem.what)
