"""What receivers answer in the field, each through a socket, and what becomes of the message."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from gateway.hl7 import mllp, parse
from gateway.hl7.mllp import Received
from gateway.service.mllp_connection import hang_up

HEADER = "MSH|^~\\&|EHR|NORTH|GATEWAY|NORTH|20260302091411-0500||ACK|E1|P|"


def ack(code: str, control_id: str, *more: str, version: str = "2.5.1") -> bytes:
    return mllp.frame("\r".join((HEADER + version, f"MSA|{code}|{control_id}", *more, "")).encode())


@dataclass
class Wire:
    """A receiver's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decoder: mllp.Decoder = field(default_factory=mllp.Decoder)
    arrived: list[bytes] = field(default_factory=list)

    async def next(self) -> bytes:
        """The next message; the end of the connection ends the script."""
        while not self.arrived:
            data = await self.reader.read(65536)
            if not data:
                raise ConnectionError
            events = self.decoder.feed(data)
            self.arrived += [event.message for event in events if isinstance(event, Received)]
        return self.arrived.pop(0)

    async def next_id(self) -> str:
        return parse(await self.next()).control_id

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            yield await self.next_id()

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


Script = Callable[[Wire], Awaitable[None]]


async def accept_all(wire: Wire) -> None:
    async for control_id in wire:
        await wire.say(ack("AA", control_id))


@dataclass
class Receiver:
    """Follows one script a connection, the last one for all that follow."""

    scripts: list[Script]
    got: list[str] = field(default_factory=list)
    connections: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._follow(Recording(reader, writer, self.got)))
        self.tasks.add(task)

    async def _follow(self, wire: Wire) -> None:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            with suppress(OSError):
                await script(wire)
        finally:
            await hang_up(wire.writer)


class Recording(Wire):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: list[str]) -> None:
        super().__init__(reader, writer)
        self.got = got

    async def next(self) -> bytes:
        message = await super().next()
        self.got.append(parse(message).control_id)
        return message


def deliver(outbound, receiver: Receiver, *control_ids: str, small_buffer: bool = False, **settings: object):
    """Let a lane send until none of those messages is pending."""

    async def run() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        if small_buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        server = await asyncio.start_server(receiver, sock=listening)
        await outbound.settle(outbound.lane(listening.getsockname()[1], **settings), *control_ids)
        for task in receiver.tasks:
            task.cancel()
        await asyncio.gather(*receiver.tasks, return_exceptions=True)
        server.close()
        await server.wait_closed()

    asyncio.run(run())


def states(outbound, control_ids: list[str]) -> set[str]:
    return {outbound.state(control_id)[0] for control_id in control_ids}


def test_a_commit_and_then_the_application_on_the_same_connection(outbound):
    async def script(wire: Wire) -> None:
        async for control_id in wire:
            await wire.say(ack("CA", control_id))
            await wire.say(ack("AA", control_id))

    receiver, sent = Receiver([script]), [outbound.queue(), outbound.queue()]
    deliver(outbound, receiver, *sent, application_ack=True, ack_timeout_s=30)
    assert (receiver.got, receiver.connections, states(outbound, sent)) == (sent, 1, {"acknowledged"})


def test_a_commit_after_the_application_is_not_taken_for_the_next_messages(outbound):
    async def script(wire: Wire) -> None:
        async for control_id in wire:
            await wire.say(ack("AA", control_id) + ack("CA", control_id))

    receiver, sent = Receiver([script]), [outbound.queue() for _ in range(4)]
    deliver(outbound, receiver, *sent, application_ack=True, ack_timeout_s=30)
    assert (receiver.got, receiver.connections, states(outbound, sent)) == (sent, 1, {"acknowledged"})


def test_a_commit_that_no_application_follows_is_sent_again_and_the_answer_then_counts(outbound):
    async def commit_and_hang_up(wire: Wire) -> None:
        await wire.say(ack("CA", await wire.next_id()))

    async def commit_and_be_late(wire: Wire) -> None:
        control_id = await wire.next_id()
        await wire.say(ack("CA", control_id))
        await wire.reader.read()  # the lane gives up
        await wire.say(ack("AA", control_id))

    receiver = Receiver([commit_and_hang_up, commit_and_be_late, accept_all])
    control_id = outbound.queue()
    deliver(outbound, receiver, control_id, application_ack=True)
    assert (receiver.got, states(outbound, [control_id])) == ([control_id] * 3, {"acknowledged"})


def test_an_application_that_refuses_what_was_committed_is_said_in_the_log(outbound, capsys):
    async def script(wire: Wire) -> None:
        first = await wire.next_id()
        await wire.say(ack("CA", first))
        second = await wire.next_id()
        await wire.say(ack("AR", first) + ack("CA", second))
        await wire.next()

    sent = [outbound.queue(), outbound.queue()]
    deliver(outbound, Receiver([script]), *sent, ack_timeout_s=30)
    assert states(outbound, sent) == {"acknowledged"}
    assert any(
        "answered again" in line and "code=AR" in line for line in capsys.readouterr().out.splitlines()
    )


@pytest.mark.parametrize(
    ("version", "segments", "reason"),
    [
        ("2.3", ("ERR|PID^1^3^101&Required field missing&HL70357",), "PID-3 101 Required field missing"),
        (
            "2.5.1",
            ("ERR||PID^1^3|101^Required field missing^HL70357|E||||no patient identifier",),
            "PID-3 101 no patient identifier",
        ),
        (
            "2.5.1",
            ("ERR||PID^1^3|101^^HL70357|E", "ERR||OBX^2^5|102^Data type error^HL70357|E"),
            "PID-3 101; OBX-5 102 Data type error",
        ),
    ],
)
def test_an_err_of_either_form_becomes_one_reason(
    outbound, version: str, segments: tuple[str, ...], reason: str
):
    async def script(wire: Wire) -> None:
        async for control_id in wire:
            await wire.say(ack("AR", control_id, *segments, version=version))

    control_id = outbound.queue()
    deliver(outbound, Receiver([script]), control_id)
    assert outbound.state(control_id) == ("parked", f"refused: {reason}")


def test_every_acknowledgement_doubled_is_still_one_each(outbound):
    async def script(wire: Wire) -> None:
        async for control_id in wire:
            await wire.say(ack("AA", control_id) * 2)

    receiver, sent = Receiver([script]), [outbound.queue() for _ in range(5)]
    deliver(outbound, receiver, *sent, ack_timeout_s=30)
    assert (receiver.got, receiver.connections) == (sent, 1)


def test_noise_around_an_acknowledgement_is_not_part_of_it(outbound):
    async def script(wire: Wire) -> None:
        async for control_id in wire:
            for byte in b"220 ready\r\n" + ack("AA", control_id) + b"\r\n\x00\xff":
                await wire.say(bytes([byte]))

    receiver, sent = Receiver([script]), [outbound.queue() for _ in range(3)]
    deliver(outbound, receiver, *sent, ack_timeout_s=30)
    assert (receiver.got, receiver.connections, states(outbound, sent)) == (sent, 1, {"acknowledged"})


@pytest.mark.parametrize(
    ("greeting", "settings"),
    [(ack("AA", ""), {"msa2": "any"}), (ack("AA", "E0"), {}), (mllp.frame(b"<html>"), {})],
    ids=["an empty one", "of nobody's message", "a web page"],
)
def test_an_answer_before_anything_was_sent_counts_for_nothing(outbound, greeting: bytes, settings):
    silent: list[str] = []

    async def greet_and_be_silent(wire: Wire) -> None:
        await wire.say(greeting)
        silent.append(await wire.next_id())
        await wire.next()

    receiver = Receiver([greet_and_be_silent, accept_all])
    first, second = outbound.queue(), outbound.queue()
    deliver(outbound, receiver, first, second, **settings)
    assert states(outbound, [first, second]) == {"acknowledged"}
    assert list(dict.fromkeys(receiver.got)) == [first, second]
    assert receiver.got.count(first) >= 1 + len(silent)


def test_a_receiver_that_hangs_up_on_everybody_parks_nothing(outbound):
    async def hang_up(_: Wire) -> None:
        return

    receiver = Receiver([hang_up] * 6 + [accept_all])
    control_id = outbound.queue()
    deliver(outbound, receiver, control_id, tries=2)
    assert (outbound.state(control_id)[0], receiver.connections) == ("acknowledged", 7)


LARGE = "A" * 6_000_000


async def answer_after_the_header(wire: Wire) -> None:
    begin = await wire.reader.readuntil(b"\r")
    await wire.say(ack("AA", parse(begin[1:]).control_id))
    await asyncio.sleep(60)


def test_an_acknowledgement_before_the_end_of_the_message_is_no_proof(outbound):
    """The receiver never reads the rest: what it acknowledged is not what was measured."""
    receiver = Receiver([answer_after_the_header, accept_all])
    control_id = outbound.queue(note=LARGE)
    deliver(outbound, receiver, control_id, small_buffer=True, ack_timeout_s=30)
    assert (receiver.got, receiver.connections) == ([control_id], 2)
    assert outbound.attempts(control_id) == ["mismatch", "accepted"]


def test_a_receiver_that_stops_reading_does_not_stop_the_lane(outbound):
    async def read_no_more(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r")
        await asyncio.sleep(60)

    receiver = Receiver([read_no_more, accept_all])
    control_id = outbound.queue(note=LARGE)
    deliver(outbound, receiver, control_id, small_buffer=True, ack_timeout_s=4)
    assert outbound.attempts(control_id)[0] == "silence"
    assert outbound.state(control_id)[0] == "acknowledged"


def test_a_window_fills_and_its_answers_come_in_any_order_and_in_one_piece(outbound):
    async def three_at_a_time(wire: Wire) -> None:
        while True:
            ids = [await wire.next_id() for _ in range(3)]
            with pytest.raises(TimeoutError):  # a fourth does not come before one is answered
                async with asyncio.timeout(0.1):
                    await wire.next()
            await wire.say(b"".join(ack("AA", control_id) for control_id in reversed(ids)))

    receiver, sent = Receiver([three_at_a_time]), [outbound.queue(f"patient {n}") for n in range(9)]
    deliver(outbound, receiver, *sent, window=3, ack_timeout_s=30)
    assert (receiver.got, receiver.connections, states(outbound, sent)) == (sent, 1, {"acknowledged"})


def test_a_message_is_sent_while_others_are_still_unanswered(outbound):
    """The window is no batch: what comes in joins what is under way."""
    later: list[str] = []

    async def script(wire: Wire) -> None:
        first = await wire.next_id()
        later.append(outbound.queue("bob scale"))
        second = await wire.next_id()
        await wire.say(ack("AA", second) + ack("AA", first))
        await wire.next()

    receiver, first = Receiver([script]), outbound.queue("ann scale")
    deliver(outbound, receiver, first, window=2, ack_timeout_s=30)
    assert receiver.got == [first, *later]


def test_after_a_break_all_that_is_unanswered_goes_again_in_its_order(outbound):
    async def answer_the_second_and_break(wire: Wire) -> None:
        ids = [await wire.next_id() for _ in range(4)]
        await wire.say(ack("AA", ids[1]))

    receiver = Receiver([answer_the_second_and_break, accept_all])
    sent = [outbound.queue(f"patient {n}") for n in range(5)]
    deliver(outbound, receiver, *sent, window=4, ack_timeout_s=30)
    again = [control_id for control_id in receiver.got[4:] if control_id != sent[1]]
    assert (receiver.got[:4], again) == (sent[:4], [sent[0], *sent[2:]])
    assert states(outbound, sent) == {"acknowledged"}


def test_a_window_holds_one_message_of_a_patient_and_device(outbound):
    """Otherwise the second would be filed though the first is refused."""

    async def refuse_ann(wire: Wire) -> None:
        ann, bob = await wire.next_id(), await wire.next_id()
        await wire.say(ack("AR", ann) + ack("AA", bob))
        await wire.next()

    receiver = Receiver([refuse_ann])
    ann, behind, bob = (outbound.queue(stream) for stream in ("ann scale", "ann scale", "bob scale"))
    deliver(outbound, receiver, ann, bob, window=3, ack_timeout_s=30)
    assert receiver.got == [ann, bob]
    assert [outbound.state(control_id)[0] for control_id in (ann, behind, bob)] == [
        "parked",
        "pending",
        "acknowledged",
    ]


def test_a_window_holds_a_patients_messages_together_where_order_is_not_asked_for(outbound):
    async def two_at_a_time(wire: Wire) -> None:
        ids = [await wire.next_id(), await wire.next_id()]
        await wire.say(b"".join(ack("AA", control_id) for control_id in ids))
        await wire.next()

    receiver, sent = Receiver([two_at_a_time]), [outbound.queue(), outbound.queue()]
    deliver(outbound, receiver, *sent, window=2, past_parked=True, ack_timeout_s=30)
    assert (receiver.got, states(outbound, sent)) == (sent, {"acknowledged"})


def test_an_error_within_a_window_is_tried_again_and_parked_alone(outbound):
    async def dislike_the_first(wire: Wire) -> None:
        async for control_id in wire:
            await wire.say(ack("AE" if control_id == sent[0] else "AA", control_id))

    sent = [outbound.queue(f"patient {n}") for n in range(4)]
    receiver = Receiver([dislike_the_first])
    deliver(outbound, receiver, *sent, window=2, tries=3, ack_timeout_s=30)
    assert (receiver.got.count(sent[0]), receiver.connections) == (3, 1)
    assert [outbound.state(control_id)[0] for control_id in sent] == ["parked", *["acknowledged"] * 3]
