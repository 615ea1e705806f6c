"""A lane through a socket: whatever the receiver does, a message arrives once or waits where it is seen."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pytest
from structlog.testing import capture_logs

from gateway.hl7 import mllp, parse
from gateway.hl7.building import build

Answer = Callable[[str], bytes] | Literal["silence", "close"]
NOW = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)


def _ack(code: str, named: Callable[[str], str] = str, text: str = "") -> Answer:
    def answer(control_id: str) -> bytes:
        header = {3: "EHR", 5: "GATEWAY", 7: "20260302091411-0500", 9: "ACK", 10: "E1", 11: "P", 12: "2.5.1"}
        segments: list[tuple[str, dict[int, object]]] = [
            ("MSH", {**header}),
            ("MSA", {1: code, 2: named(control_id)}),
        ]
        if text:
            segments.append(("ERR", {3: ("102", "Data type error", "HL70357"), 4: "E", 8: text}))
        return mllp.frame(build(segments))  # type: ignore[arg-type] # plain values, as the builder takes them

    return answer


@dataclass
class Receiver:
    """Gives the answers that it was told, in order; AA when they are used up."""

    answers: list[Answer]
    got: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        decoder = mllp.Decoder()
        with suppress(OSError):
            while data := await reader.read(65536):
                for event in decoder.feed(data):
                    assert isinstance(event, mllp.Received)
                    if not await self._answer(event.message, writer):
                        writer.close()
                        return
        writer.close()

    async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> bool:
        self.got.append(message)
        answer = self.answers.pop(0) if self.answers else _ack("AA")
        if answer == "close":
            return False
        if callable(answer):
            writer.write(answer(parse(message).control_id))
            await writer.drain()
        return True


def _deliver(outbound, receiver: Receiver, *control_ids: str, **settings: object) -> None:
    """Run a lane until none of those messages is pending."""

    def are_settled() -> bool:
        return all(outbound.state(control_id)[0] != "pending" for control_id in control_ids)

    _run_until(are_settled, outbound, receiver, **settings)


def _run_until(holds: Callable[[], bool], outbound, receiver: Receiver, **settings: object) -> None:
    async def run() -> None:
        server = await asyncio.start_server(receiver, "127.0.0.1", 0)
        lane = outbound.lane(server.sockets[0].getsockname()[1], **settings)
        async with outbound.running(lane) as until:
            await until(holds)
        server.close()
        await server.wait_closed()

    asyncio.run(run())


def test_messages_arrive_in_order_on_one_connection(outbound):
    receiver = Receiver([])
    sent = [outbound.queue() for _ in range(5)]
    _deliver(outbound, receiver, *sent)
    assert [parse(message).control_id for message in receiver.got] == sent
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        "silence",
        "close",
        _ack("AA", lambda _: "SOMETHING-ELSE"),
        _ack("AA", lambda _: ""),
        lambda _: mllp.frame(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5.1\r"),
        lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda _: mllp.frame(b"<html>no</html>"),
        _ack("ZZ"),
    ],
    ids=["silence", "closed", "foreign", "unnamed", "echo", "http", "html", "unknown-code"],
)
def test_anything_but_an_answer_closes_the_socket_and_the_same_bytes_go_again(outbound, answer: Answer):
    receiver = Receiver([answer])
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id)
    assert outbound.state(control_id)[0] == "acknowledged"
    assert receiver.got[0] == receiver.got[1]
    assert (len(receiver.got), receiver.connections) == (2, 2)


def test_an_application_error_is_tried_a_few_times_and_then_parked_with_its_reason(outbound):
    receiver = Receiver([_ack("AE", text="OBX-5 is not a number")] * 3)
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id, tries=3)
    assert outbound.state(control_id) == ("parked", "error: 102 OBX-5 is not a number")
    assert (len(receiver.got), receiver.connections) == (3, 1)


@pytest.mark.parametrize("code", ["AE", "AR"])
def test_a_receivers_own_words_reach_the_queue_and_never_the_log(outbound, code: str):
    receiver = Receiver([_ack(code, text="ALMA TESTPATIENT is unknown")] * 3)
    control_id = outbound.queue()
    with capture_logs() as logs:  # what is logged last stands in the database first
        _run_until(lambda: any("parked" in entry["event"] for entry in logs), outbound, receiver, tries=3)
    assert "ALMA" in outbound.state(control_id)[1]
    assert [entry["code"] for entry in logs if "parked" in entry["event"]] == [code]
    assert "ALMA" not in str(logs)


@pytest.mark.parametrize("code", ["AR", "CR"])
def test_a_rejection_is_parked_at_once(outbound, code: str):
    receiver = Receiver([_ack(code)])
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id)
    assert (outbound.state(control_id)[0], len(receiver.got)) == ("parked", 1)


def test_a_receiver_that_keeps_naming_another_message_gets_it_parked(outbound):
    receiver = Receiver([_ack("AA", lambda _: "OTHER")] * 3)
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id, tries=3)
    assert outbound.state(control_id) == ("parked", "mismatch: the answer names another message")


def test_silence_alone_never_parks_a_message(outbound):
    receiver = Receiver(["close"] * 12)
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id, tries=2)
    assert (outbound.state(control_id)[0], len(receiver.got)) == ("acknowledged", 13)


def test_the_lane_goes_on_past_a_parked_message_but_not_past_its_own_stream(outbound):
    receiver = Receiver([_ack("AR")])
    parked, behind, other = (
        outbound.queue("ann scale"),
        outbound.queue("ann scale"),
        outbound.queue("bob scale"),
    )
    _deliver(outbound, receiver, parked, other)
    assert [parse(message).control_id for message in receiver.got] == [parked, other]
    assert outbound.state(behind)[0] == "pending"


def test_a_commit_accept_ends_a_message_that_asked_for_no_more(outbound):
    receiver = Receiver([_ack("CA")])
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id)
    assert (outbound.state(control_id)[0], len(receiver.got)) == ("acknowledged", 1)


def test_a_commit_accept_is_not_the_end_where_an_application_answers_too(outbound):
    both = [_ack("CA"), _ack("AE")]

    def commit_then_error(control_id: str) -> bytes:
        return b"".join(answer(control_id) for answer in both if callable(answer))

    receiver = Receiver([commit_then_error] * 2)
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id, tries=2, application_ack=True)
    assert outbound.state(control_id)[0] == "parked"


@pytest.mark.parametrize(("match", "named"), [("prefix20", lambda c: c[:20]), ("any", lambda _: "")])
def test_a_receiver_that_cuts_or_omits_the_control_id_can_be_configured(
    outbound, match: str, named: Callable[[str], str]
):
    receiver = Receiver([_ack("AA", named)])
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id, msa2=match)
    assert (outbound.state(control_id)[0], len(receiver.got)) == ("acknowledged", 1)


def test_a_receiver_that_closes_after_each_answer_gets_every_message_in_order(outbound):
    class OneEach(Receiver):
        async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> bool:
            await super()._answer(message, writer)
            return False

    receiver = OneEach([])
    sent = [outbound.queue() for _ in range(5)]
    _deliver(outbound, receiver, *sent)
    arrived = [parse(message).control_id for message in receiver.got]
    assert list(dict.fromkeys(arrived)) == sent
    assert {outbound.state(control_id)[0] for control_id in sent} == {"acknowledged"}


def test_an_answer_in_pieces_is_one_answer(outbound):
    class Slow(Receiver):
        async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> bool:
            self.got.append(message)
            whole = _ack("AA")
            assert callable(whole)
            for byte in whole(parse(message).control_id):
                writer.write(bytes([byte]))
                await writer.drain()
            return True

    receiver = Slow([])
    control_id = outbound.queue()
    _deliver(outbound, receiver, control_id, ack_timeout_s=30)
    assert (outbound.state(control_id)[0], len(receiver.got)) == ("acknowledged", 1)


def test_a_message_begins_with_its_first_byte_and_not_with_a_refused_connection(outbound):
    control_id = outbound.queue()

    async def nobody_listens() -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        async with outbound.running(outbound.lane(port)) as until:
            await until(lambda: outbound.message(control_id).attempts)

    asyncio.run(nobody_listens())
    assert outbound.message(control_id).begun_at is None
    _deliver(outbound, Receiver([]), control_id)
    assert outbound.message(control_id).begun_at is not None
