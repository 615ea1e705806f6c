"""Receivers of other makes take what a lane sends."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hl7apy.mllp import AbstractErrorHandler, AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

GOT: list[str] = []


_read: Callable[[str], Any] = parse_message


class _Result(AbstractHandler):
    """Acknowledges with a message that hl7apy builds."""

    def reply(self) -> str:
        header = _read(self.incoming_message).msh
        control_id = header.msh_10.to_er7()
        GOT.append(control_id)
        answer = (
            f"MSH|^~\\&|HL7APY||GATEWAY||20260302091411||ACK^R01|A{control_id}|P|2.5.1\rMSA|AA|{control_id}\r"
        )
        return str(_read(answer).to_mllp())


class _Unknown(AbstractErrorHandler):
    def reply(self) -> str:
        raise self.exc


@pytest.fixture
def hl7apy_port() -> Iterator[int]:
    """hl7apy's own server: it closes the connection after each answer."""
    GOT.clear()
    handlers = {"ORU^R01": (_Result,), "ORU^R01^ORU_R01": (_Result,), "ERR": (_Unknown,)}
    with _serving(MLLPServer("127.0.0.1", 0, handlers)) as port:  # type: ignore[no-untyped-call] # has no types
        yield port


@contextmanager
def _serving(server) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@pytest.mark.parametrize("window", [1, 3])
def test_hl7apys_server_gets_every_message(outbound, hl7apy_port: int, window: int):
    sent = [outbound.queue(f"patient {number}") for number in range(6)]
    asyncio.run(outbound.settle(outbound.lane(hl7apy_port, window=window, ack_timeout_s=20), *sent))
    assert {outbound.state(control_id)[0] for control_id in sent} == {"acknowledged"}
    assert list(dict.fromkeys(GOT)) == sent
