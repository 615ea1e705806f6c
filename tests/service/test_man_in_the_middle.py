"""A man in the middle delays, loses, doubles, swaps and tears what passes: everything arrives, in order."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pytest

from gateway.hl7 import mllp
from gateway.hl7.mllp import Received
from gateway.service.mllp_connection import hang_up
from gateway.testing import FakeEhr

Trick = Literal["pass", "delay", "lose", "double", "swap", "tear", "cut"]
TRICKS: tuple[Trick, ...] = ("delay", "lose", "double", "swap", "tear", "cut")
HONEST = 14
"""So many parts in twenty pass as they are."""


@dataclass
class ManInTheMiddle:
    """Stands between a sender and a receiver, on both ways, and plays the tricks that the dice say."""

    receiver: int
    dice: random.Random
    played: set[Trick] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._stand_between(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _stand_between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.receiver)
        ways = [asyncio.create_task(self._pass(*way)) for way in ((reader, back), (there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, hang_up(writer), hang_up(back), return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        decoder, kept = mllp.Decoder(), b""
        while data := await source.read(65536):
            for event in decoder.feed(data):
                assert isinstance(event, Received)
                trick = self._trick()
                block = mllp.frame(event.message)
                if trick == "swap" and not kept:
                    kept = block  # until the next has passed, or for good where none comes
                    continue
                if not await _PLAYED[trick](sink, block):
                    return
                sink.write(kept)
                kept = b""

    def _trick(self) -> Trick:
        trick: Trick = "pass" if self.dice.randrange(20) < HONEST else self.dice.choice(TRICKS)
        self.played.add(trick)
        return trick


async def _whole(sink: asyncio.StreamWriter, block: bytes) -> bool:
    sink.write(block)
    return True


async def _late(sink: asyncio.StreamWriter, block: bytes) -> bool:
    await asyncio.sleep(0.02)
    return await _whole(sink, block)


async def _never(sink: asyncio.StreamWriter, block: bytes) -> bool:
    return True


async def _twice(sink: asyncio.StreamWriter, block: bytes) -> bool:
    return await _whole(sink, block * 2)


async def _in_pieces(sink: asyncio.StreamWriter, block: bytes) -> bool:
    for at in range(0, len(block), 7):
        sink.write(block[at : at + 7])
        await asyncio.sleep(0)
    return True


async def _half_and_no_more(sink: asyncio.StreamWriter, block: bytes) -> bool:
    sink.write(block[: len(block) // 2])
    return False


_PLAYED: dict[Trick, Callable[[asyncio.StreamWriter, bytes], Awaitable[bool]]] = {
    "pass": _whole,
    "delay": _late,
    "lose": _never,
    "double": _twice,
    "swap": _whole,
    "tear": _in_pieces,
    "cut": _half_and_no_more,
}


def _through_his_hands(outbound, seed: int, sent: list[str], window: int) -> tuple[FakeEhr, set[Trick]]:
    async def run() -> tuple[FakeEhr, set[Trick]]:
        async with FakeEhr(check=lambda _: None) as ehr:
            man = ManInTheMiddle(ehr.port, random.Random(seed))
            server = await asyncio.start_server(man, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            await outbound.settle(outbound.lane(port, window=window, tries=1000, ack_timeout_s=0.5), *sent)
            server.close()
            for task in tuple(man.tasks):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*man.tasks, return_exceptions=True)
            await server.wait_closed()
            return ehr, man.played

    return asyncio.run(run())


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_every_message_arrives_once_whole_and_a_patients_in_their_order(outbound, seed: int, window: int):
    sent = [outbound.queue(f"patient {number % 3}") for number in range(24)]
    ehr, played = _through_his_hands(outbound, seed, sent, window)
    arrived = [message.control_id for message in ehr.received]
    assert {outbound.state(control_id)[0] for control_id in sent} == {"acknowledged"}
    assert sorted(arrived) == sent
    assert ehr.conflicts == ()
    assert {m.control_id: m.data for m in ehr.received} == {c: outbound.message(c).body for c in sent}
    for patient in range(3):
        assert [c for c in arrived if c in sent[patient::3]] == sent[patient::3]
    if window == 1:
        assert arrived == sent
    assert len(played) > 3
