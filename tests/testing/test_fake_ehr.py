"""What a sender of messages can rely on from the fake EHR, over real sockets."""

import asyncio
import re
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hl7.client import MLLPClient

from gateway.errors import GatewayError, TransportError
from gateway.hl7 import Message, parse
from gateway.hl7.acknowledgement import Refusal
from gateway.model import Encounter, Identifier, Patient
from gateway.testing import FakeEhr
from gateway.testing.adt import adt_a04
from gateway.testing.ehr_faults import MEANINGS, Fault, FaultKind

EASTERN = timezone(timedelta(hours=-5))
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=EASTERN)
ALMA = Patient(
    (Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", "R", birth_date="19610417", sex="F"
)


def weight(control_id: str, kilograms: str = "72.35") -> bytes:
    return (
        f"MSH|^~\\&|GATEWAY|EXAM|EHR|NORTH|20260302091411-0500||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
        "PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA\r"
        "OBR|1||R1^GATEWAY|29463-7^Body weight^LN|||20260302091405-0500"
        "|||||||||||||||20260302091411-0500|||F\r"
        f"OBX|1|NM|29463-7^Body weight^LN||{kilograms}|kg^kilogram^UCUM|||||F\r"
    ).encode()


def faulty(*faults: str) -> tuple[Fault, ...]:
    return tuple(map(Fault.parse, faults))


def with_ehr(ehr: FakeEhr, talk: Callable[[], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), ehr:
            await talk()

    asyncio.run(run())


def conversation(ehr: FakeEhr, *messages: bytes) -> list[Message]:
    """The acknowledgement of each message, every one sent over a connection of its own."""
    answers: list[Message] = []

    async def talk() -> None:
        answers.extend([await ehr.send(message, ehr.host, ehr.port) for message in messages])

    with_ehr(ehr, talk)
    return answers


def test_a_message_is_acknowledged_by_its_control_id():
    ehr = FakeEhr()
    (answer,) = conversation(ehr, weight("W1"))
    assert (answer.type, answer.get("MSA-1"), answer.get("MSA-2")) == ("ACK", "AA", "W1")
    assert [message.get("OBX-5") for message in ehr.received] == ["72.35"]


def test_an_independent_sender_is_understood():
    answers: list[bytes] = []

    async def talk() -> None:
        def send() -> None:
            with MLLPClient(ehr.host, ehr.port) as client:  # type: ignore[no-untyped-call]  # has no types
                answers.extend((client.send_message(weight("W1")), client.send_message(weight("W2"))))

        await asyncio.to_thread(send)

    ehr = FakeEhr()
    with_ehr(ehr, talk)
    assert [message.control_id for message in ehr.received] == ["W1", "W2"]
    assert [b"MSA|AA|W1" in answers[0], b"MSA|AA|W2" in answers[1]] == [True, True]


def test_waiting_ends_when_so_many_messages_are_taken():
    async def talk() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ehr.wait_for(2))
            for message in (weight("W1"), weight("W1"), weight("W2")):
                await ehr.send(message, ehr.host, ehr.port)

    ehr = FakeEhr()
    with_ehr(ehr, talk)
    assert len(ehr.received) == 2


def test_waiting_for_what_does_not_come_ends_in_time():
    async def talk() -> None:
        with pytest.raises(TimeoutError):
            await ehr.wait_for(1, timeout_s=0.01)

    ehr = FakeEhr()
    with_ehr(ehr, talk)


def test_each_message_is_a_file_of_the_bytes_that_came(tmp_path: Path):
    conversation(FakeEhr(directory=tmp_path), weight("W1"), weight("W/2"))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.hl7")} == {
        "000001-W1.hl7": weight("W1"),
        "000002-W%2F2.hl7": weight("W/2"),
    }


def test_a_message_is_on_disk_before_it_is_decided_and_answered(tmp_path: Path):
    on_disk: list[list[str]] = []
    ehr = FakeEhr(
        directory=tmp_path, on_delivery=lambda _: on_disk.append([p.name for p in tmp_path.glob("*.hl7")])
    )
    conversation(ehr, weight("W1"))
    assert on_disk == [["000001-W1.hl7"]]


def test_the_same_message_again_is_acknowledged_again_and_kept_once(tmp_path: Path):
    ehr = FakeEhr(directory=tmp_path)
    answers = conversation(ehr, weight("W1"), weight("W1"))
    assert [answer.get("MSA-1") for answer in answers] == ["AA", "AA"]
    assert (len(ehr.received), ehr.repeated, len(list(tmp_path.glob("*.hl7")))) == (1, 1, 1)


def test_a_restart_goes_on_numbering_and_still_knows_what_it_has(tmp_path: Path):
    conversation(FakeEhr(directory=tmp_path), weight("W1"), weight("W2"))
    ehr = FakeEhr(directory=tmp_path)
    conversation(ehr, weight("W2"), weight("W3"))
    assert [delivery.verdict for delivery in ehr.deliveries] == ["repeated", "taken"]
    assert max(path.name for path in tmp_path.glob("*.hl7")) == "000003-W3.hl7"


def test_a_file_that_a_crash_left_unfinished_is_no_message(tmp_path: Path):
    (tmp_path / "000001-W1.part").write_bytes(weight("W1")[:40])
    ehr = FakeEhr(directory=tmp_path)
    conversation(ehr, weight("W1"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["000001-W1.hl7"]
    assert ehr.repeated == 0


def test_another_message_under_a_control_id_that_is_taken_is_refused_loudly(tmp_path: Path):
    ehr = FakeEhr(directory=tmp_path)
    _, answer = conversation(ehr, weight("W1"), weight("W1", kilograms="99.99"))
    assert [answer.get(path) for path in ("MSA-1", "ERR-2.1", "ERR-2.3", "ERR-3.1")] == [
        "AR",
        "MSH",
        "10",
        "205",
    ]
    assert [delivery.message for delivery in ehr.conflicts] == [parse(weight("W1", kilograms="99.99"))]
    assert [path.name for path in (tmp_path / "refused").iterdir()] == ["000002-W1.hl7"]


def test_the_same_control_id_of_another_sender_is_another_message():
    ehr = FakeEhr()
    conversation(ehr, weight("W1"), weight("W1").replace(b"|EXAM|", b"|LAB|"))
    assert [delivery.verdict for delivery in ehr.deliveries] == ["taken", "taken"]


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(Refusal(101, "the patient is missing", "PID", 3), "AE"), (Refusal(200, "not ORU", "MSH", 9), "AR")],
)
def test_a_message_that_does_not_validate_is_refused_with_the_place(refusal: Refusal, code: str):
    ehr = FakeEhr(check=lambda _: refusal)
    (answer,) = conversation(ehr, weight("W1"))
    assert (answer.get("MSA-1"), answer.get("ERR-2.1"), answer.get("ERR-8")) == (
        code,
        refusal.segment,
        refusal.text,
    )
    assert (ehr.received, ehr.deliveries[0].verdict) == ([], "invalid")


def test_a_result_without_its_order_is_refused_by_structure():
    ehr = FakeEhr()
    (answer,) = conversation(ehr, re.sub(rb"OBR[^\r]*\r", b"", weight("W1")))
    assert (answer.get("MSA-1"), answer.get("ERR-3.1")) == ("AE", "100")
    assert not [word for word in ("TESTPATIENT", "8834021", "72.35") if word in ehr.deliveries[0].reason]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ((b"|72.35|", b"|seventy|"), ["OBX", "1", "5", "102"]),
        ((b"|||||F\r", b"|||||Q\r"), ["OBX", "1", "11", "103"]),
        ((b"PID|1||8834021^^^NORTH^MR|", b"PID|1|||"), ["PID", "1", "3", "101"]),
        (
            (b"|||||F\r", b"|||||F\rOBX|2|NM|8302-2^Height^LN||tall|cm|||||F\r"),
            ["OBX", "2", "5", "102"],
        ),
    ],
    ids=["type", "table", "required", "second result"],
)
def test_a_wrong_type_or_table_is_refused_by_segment_and_field(change: tuple[bytes, bytes], error: list[str]):
    ehr = FakeEhr()
    message = weight("W1").replace(*change)
    assert message != weight("W1")
    (answer,) = conversation(ehr, message)
    assert answer.get("MSA-1") == "AE"
    assert [answer.get(path) for path in ("ERR-2.1", "ERR-2.2", "ERR-2.3", "ERR-3.1")] == error
    assert not [word for word in ("seventy", "tall", "TESTPATIENT") if word in answer.get("ERR-8")]


def test_bytes_that_are_no_message_are_refused():
    ehr = FakeEhr()
    (answer,) = conversation(ehr, b"PID|1||8834021")
    assert (answer.get("MSA-1"), ehr.deliveries[0].verdict, ehr.deliveries[0].message) == (
        "AR",
        "unreadable",
        None,
    )


def test_a_commit_accept_is_given_to_senders_that_ask_for_one():
    enhanced = weight("W1").replace(b"|W1|P|2.5.1", b"|W1|P|2.5.1|||AL|NE")
    (answer,) = conversation(FakeEhr(), enhanced)
    assert answer.get("MSA-1") == "CA"


@pytest.mark.parametrize(("fault", "code"), [("nak", "AE"), ("reject", "AR")])
def test_a_refusing_fault_takes_nothing_and_the_same_message_can_come_again(fault: str, code: str):
    ehr = FakeEhr(faults=faulty(fault))
    first, second = conversation(ehr, weight("W1"), weight("W1"))
    assert [answer.get("MSA-1") for answer in (first, second)] == [code, code]
    assert (ehr.received, ehr.repeated) == ([], 0)


def test_silent_takes_the_message_and_keeps_the_connection():
    async def talk() -> None:
        reader, writer = await asyncio.open_connection(ehr.host, ehr.port)
        writer.write(b"\x0b" + weight("W1") + b"\x1c\r")
        await ehr.wait_for(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read()
        writer.close()
        await writer.wait_closed()

    ehr = FakeEhr(faults=faulty("silent"))
    with_ehr(ehr, talk)


def test_close_takes_the_message_and_hangs_up_without_an_answer():
    async def talk() -> None:
        with pytest.raises(ConnectionError):
            await ehr.send(weight("W1"), ehr.host, ehr.port)

    ehr = FakeEhr(faults=faulty("close"))
    with_ehr(ehr, talk)
    assert [message.control_id for message in ehr.received] == ["W1"]


def test_wrong_id_acknowledges_the_message_before():
    ehr = FakeEhr(faults=faulty("wrong-id"))
    first, second = conversation(ehr, weight("W1"), weight("W2"))
    assert [answer.get("MSA-1") for answer in (first, second)] == ["AA", "AA"]
    assert first.get("MSA-2") != "W1"
    assert second.get("MSA-2") == "W1"


def _exchange(ehr: FakeEhr, data: bytes, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """What comes back, piece by piece as a plain socket gets it, until it is enough."""
    pieces: list[bytes] = []

    async def talk() -> None:
        def blocking() -> None:
            with socket.create_connection((ehr.host, ehr.port), timeout=10) as connection:
                connection.sendall(data)
                while not enough(pieces):
                    pieces.append(connection.recv(4096))

        await asyncio.to_thread(blocking)

    with_ehr(ehr, talk)
    return pieces


def block(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


def test_split_sends_a_whole_acknowledgement_in_pieces():
    def is_whole(got: list[bytes]) -> bool:
        return b"".join(got).endswith(b"\x1c\r")

    # What left in pieces is read as one where the reader comes late, and never the other way round.
    tries = (_exchange(FakeEhr(faults=faulty("split")), block(weight("W1")), is_whole) for _ in range(100))
    pieces = next((got for got in tries if len(got) > 2), [])
    assert len(pieces) > 2
    assert parse(b"".join(pieces)[1:-2]).get("MSA-2") == "W1"


@pytest.mark.parametrize("seed", range(8))
def test_garbage_is_never_an_acknowledgement(seed: int):
    pieces = _exchange(FakeEhr(faults=faulty("garbage"), seed=seed), block(weight("W1")), bool)
    assert b"MSA|" not in b"".join(pieces)
    assert pieces != [b""]


def test_late_answers_the_next_message_first():
    pieces = _exchange(
        FakeEhr(faults=faulty("late@60%"), seed=_seed_where_late_strikes_only_first(), late_s=0.3),
        block(weight("W1")) + block(weight("W2")),
        lambda got: b"".join(got).count(b"\x1c\r") == 2,
    )
    first, second = b"".join(pieces).split(b"\x1c\r")[:2]
    assert [b"MSA|AA|W2" in first, b"MSA|AA|W1" in second] == [True, True]


def _seed_where_late_strikes_only_first() -> int:
    from gateway.testing.ehr_faults import FaultDice

    def throws(seed: int) -> list[frozenset[FaultKind]]:
        dice = FaultDice(faulty("late@60%"), seed)
        return [dice.throw(), dice.throw()]

    return next(seed for seed in range(100) if throws(seed) == [{FaultKind.LATE}, frozenset()])


def test_slow_keeps_the_order():
    pieces = _exchange(
        FakeEhr(faults=faulty("slow"), slow_s=0.05),
        block(weight("W1")) + block(weight("W2")),
        lambda got: b"".join(got).count(b"\x1c\r") == 2,
    )
    first, second = b"".join(pieces).split(b"\x1c\r")[:2]
    assert [b"MSA|AA|W1" in first, b"MSA|AA|W2" in second] == [True, True]


def test_several_faults_strike_at_once():
    ehr = FakeEhr(faults=faulty("nak", "split", "slow"), slow_s=0.01)
    (answer,) = conversation(ehr, weight("W1"))
    assert answer.get("MSA-1") == "AE"
    assert ehr.deliveries[0].faults == {FaultKind.NAK, FaultKind.SPLIT, FaultKind.SLOW}


def test_the_same_seed_gives_the_same_faults():
    def struck(seed: int) -> list[frozenset[FaultKind]]:
        ehr = FakeEhr(faults=faulty("nak@40%", "wrong-id@40%"), seed=seed)
        conversation(ehr, *(weight(f"W{n}") for n in range(12)))
        return [delivery.faults for delivery in ehr.deliveries]

    assert struck(7) == struck(7) != struck(8)


@pytest.mark.parametrize("kind", MEANINGS)
def test_every_fault_can_be_written_with_and_without_a_share(kind: FaultKind):
    assert Fault.parse(kind) == Fault(kind, 100.0)
    assert Fault.parse(f"{kind}@2.5%") == Fault.parse(f"{kind}@2.5") == Fault(kind, 2.5)


@pytest.mark.parametrize(
    "text", ["", "slowly", "nak@", "nak@0%", "nak@101%", "nak@-5", "nak@ten", "nak@nan", "@10%"]
)
def test_a_fault_that_is_none_is_refused_with_what_to_write(text: str):
    with pytest.raises(GatewayError, match=r"choose from|write it as"):
        Fault.parse(text)


def test_nothing_is_left_behind():
    async def run() -> None:
        before = _open_files()
        ehr = FakeEhr(faults=faulty("late"), late_s=3600)
        async with ehr:
            _, writer = await asyncio.open_connection(ehr.host, ehr.port)
            writer.write(block(weight("W1")))
            await ehr.wait_for(1, timeout_s=10)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert _open_files() == before
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(ehr.host, ehr.port)

    asyncio.run(run())


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_port_that_is_taken_is_named():
    async def talk() -> None:
        with pytest.raises(TransportError, match=str(ehr.port)):
            await FakeEhr(port=ehr.port).__aenter__()

    ehr = FakeEhr()
    with_ehr(ehr, talk)


def test_an_adt_puts_a_patient_into_a_room():
    from gateway.hl7.inbound import Arrived, meaning

    encounter = Encounter(
        room="EXAM3", patient=ALMA, patient_class="O", visit=Identifier("V1", "NORTH", "VN"), opened_at=NINE
    )
    message = parse(adt_a04(encounter, control_id="REG1", sent_at=NINE))
    arrived = meaning(message, NINE)
    assert isinstance(arrived, Arrived)
    assert arrived.encounter.patient == ALMA
    assert (arrived.encounter.room, arrived.encounter.visit) == ("EXAM3", encounter.visit)
    assert message.get("MSH-7") == "20260302090000-0500"
