"""Bluetooth devices that behave badly, the whole gateway, and the EHR's copy beside what the devices sent."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway.codecs.gatt.date_time import encode_date_time
from gateway.drivers.berrymed_oximeter import SERVICE, STREAM
from gateway.hl7 import Message
from gateway.model import Encounter, Identifier, Patient
from gateway.service.app import run_service
from gateway.service.configuration import load_configuration
from gateway.store import Database, journal, readings
from gateway.testing import FakeEhr
from gateway.testing.adt import adt_a04
from gateway.testing.ble_plan import PeripheralPlan, VirtualCharacteristic, VirtualService
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.fake_ehr import send
from gateway.testing.gateway_process import GatewayProcess
from gateway.testing.virtual_ble import VirtualPeripheral
from gateway.testing.virtual_device import until

from .test_killed_gateway import free_port

ZONE = ZoneInfo("America/New_York")
COUNT = 8
_SITE = """
[site]
name = "NORTHCLINIC"
zone = "America/New_York"
[store]
path = "gateway.db"
[inbound]
listen = "127.0.0.1:{inbound}"
[bluetooth]
controller = "tcp-client:127.0.0.1:{radio}"
hold_off_s = 0.0
[destinations.ehr]
address = "127.0.0.1:{ehr}"
longest_backoff_s = 0.2
"""
_DEVICE = """
[devices.{name}]
driver = "{driver}"
port = "ble://{name}"
room = "EXAM3"
"""
Values = dict[str, str]


@dataclass(frozen=True)
class Kind:
    """A sort of device: its driver, where it sends, what it sends as record `number` of a moment."""

    driver: str
    service: str
    characteristic: str
    record: Callable[[int, datetime], tuple[bytes, Values]]
    has_clock: bool = False

    def plan(self, name: str, address: str) -> PeripheralPlan:
        sends = VirtualCharacteristic(self.characteristic, ("indicate",), encrypted=self.has_clock)
        clock = VirtualCharacteristic("2A08", ("read", "write"), bytes(7))
        characteristics = (sends, clock) if self.has_clock else (sends,)
        return PeripheralPlan(name, (VirtualService(self.service, characteristics),), address)


def _stamp(number: int, begun: datetime) -> bytes:
    """After the patient came; a second or two ahead is within what any clock may be off."""
    return encode_date_time((begun + timedelta(seconds=number + 1)).astimezone(ZONE))


def _pressure(number: int, begun: datetime) -> tuple[bytes, Values]:
    pressures = (120 + number, 70 + number, 90 + number)
    value = b"\x02" + b"".join(p.to_bytes(2, "little") for p in pressures) + _stamp(number, begun)
    return value, {"8480-6": str(120 + number), "8462-4": str(70 + number), "8478-0": str(90 + number)}


def _temperature(number: int, begun: datetime) -> tuple[bytes, Values]:
    value = b"\x02" + (360 + number).to_bytes(3, "little") + b"\xff" + _stamp(number, begun)
    return value, {"8310-5": f"{(360 + number) / 10:.1f}"}


def _weight(number: int, begun: datetime) -> tuple[bytes, Values]:
    value = b"\x02" + (14000 + 200 * number).to_bytes(2, "little") + _stamp(number, begun)
    return value, {"29463-7": f"{70 + number}.000"}


CUFF = Kind("gatt-blood-pressure", "1810", "2A35", _pressure)
THERMOMETER = Kind("gatt-thermometer", "1809", "2A1C", _temperature)
SCALE = Kind("and-ble", "181D", "2A9D", _weight, has_clock=True)
KINDS = {"CUFF": CUFF, "EAR": THERMOMETER, "A&D_UC-352BLE_01": SCALE}


@dataclass
class Clinic:
    """A room, an EHR, and a patient."""

    room: BluetoothRoom
    ehr: FakeEhr
    configuration: Path
    inbound: int

    async def patient_arrives(self) -> None:
        now = datetime.now(UTC)
        alma = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
        encounter = Encounter(room="EXAM3", patient=alma, opened_at=now)
        await send(adt_a04(encounter, control_id="REG1", sent_at=now), "127.0.0.1", self.inbound)

    async def everything_has_arrived(self, count: int) -> None:
        await self.ehr.wait_for(count, timeout_s=60)
        await asyncio.sleep(0.5)  # whatever is too many would come now

    @property
    def received(self) -> list[Values]:
        """What the EHR has, a message each."""
        return sorted(map(_values, self.ehr.received), key=str)


def _values(message: Message) -> Values:
    found: Values = {}
    number = 1
    while code := message.get(f"OBX[{number}]-3.1"):
        found[code] = message.get(f"OBX[{number}]-5")
        number += 1
    return found


@asynccontextmanager
async def clinic(folder: Path, *names: str, devices: str = "") -> AsyncIterator[Clinic]:
    """Everything but the gateway."""
    inbound = await free_port()
    async with BluetoothRoom() as room, FakeEhr(directory=folder / "ehr") as ehr:
        text = _SITE.format(inbound=inbound, radio=room.port, ehr=ehr.port) + devices
        text += "".join(_DEVICE.format(name=name, driver=KINDS[name].driver) for name in names)
        configuration = folder / "gateway.toml"
        configuration.write_text(text.replace("[devices.A&D_UC-352BLE_01]", '[devices."A&D_UC-352BLE_01"]'))
        yield Clinic(room, ehr, configuration, inbound)


@asynccontextmanager
async def running(place: Clinic) -> AsyncIterator[None]:
    """The gateway, in this process."""
    stop = asyncio.Event()
    gateway = asyncio.create_task(run_service(load_configuration(place.configuration), stop))
    try:
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError):
                    await place.patient_arrives()
                    break
                await asyncio.sleep(0.05)
        yield
    finally:
        stop.set()
        await gateway


@dataclass
class Memory:
    """The records of a device, which forgets each one that was confirmed."""

    kind: Kind
    name: str
    room: BluetoothRoom
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    left: list[int] = field(default_factory=lambda: list(range(COUNT)))
    sent: dict[int, Values] = field(default_factory=dict)
    lives: int = 0

    async def wake(self, *, new_address: bool = False) -> VirtualPeripheral:
        """A peripheral that advertises."""
        self.lives += new_address or not self.lives
        tail = f"{sum(self.name.encode()) % 256:02X}:{self.lives:02X}"
        device = await self.room.add(self.kind.plan(self.name, f"F0:F1:F2:F3:{tail}"))
        await device.advertise()
        return device

    def value(self, number: int) -> bytes:
        value, self.sent[number] = self.kind.record(number, self.begun)
        return value

    async def tell(self, device: VirtualPeripheral, number: int) -> bool:
        """Indicate one record, and forget it if it was confirmed."""
        confirmed = await device.indicate(self.kind.characteristic, self.value(number))
        if confirmed and number in self.left:
            self.left.remove(number)
        return confirmed

    async def asked(self, device: VirtualPeripheral) -> None:
        await device.subscribed(self.kind.characteristic)


Misbehaviour = Callable[[Memory], Awaitable[None]]


async def hangs_up_after_every_third(memory: Memory) -> None:
    device = await memory.wake()
    while memory.left:
        await memory.asked(device)
        for number in tuple(memory.left[:3]):
            await memory.tell(device, number)
        await device.disconnect()


async def says_everything_twice(memory: Memory) -> None:
    device = await memory.wake()
    await memory.asked(device)
    for number in tuple(memory.left):
        await memory.tell(device, number)
        await memory.tell(device, number)
    await device.disconnect()
    await memory.asked(device)
    for number in range(COUNT):  # and all of it again at the next connection
        await memory.tell(device, number)
    await device.disconnect()


async def sends_wrong_lengths_between(memory: Memory) -> None:
    device = await memory.wake()
    await memory.asked(device)
    for number in tuple(memory.left):
        whole = memory.value(number)
        for wrong in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1]):
            await device.indicate(memory.kind.characteristic, wrong)
        await memory.tell(device, number)
    await device.disconnect()


async def changes_its_address(memory: Memory) -> None:
    while memory.left:
        device = await memory.wake(new_address=True)
        await memory.asked(device)
        for number in tuple(memory.left[:4]):
            await memory.tell(device, number)
        await device.power_off()


async def loses_its_power_while_it_sends(memory: Memory) -> None:
    """At once, a moment later, or just when it is confirmed: every third life gets a record across."""
    while memory.left:
        device = await memory.wake(new_address=True)
        await memory.asked(device)
        telling = asyncio.ensure_future(memory.tell(device, memory.left[0]))
        moment = memory.lives % 3
        await asyncio.wait({telling}, timeout=0.02 * moment if moment < 2 else None)
        await device.power_off()
        await telling


async def does_all_of_it(memory: Memory) -> None:
    dice = random.Random(memory.name)
    device = await memory.wake()
    while memory.left:
        await memory.asked(device)
        for _ in range(dice.randint(1, 3)):
            number = dice.choice(memory.left) if memory.left else dice.randrange(COUNT)
            if dice.random() < 0.3:
                await device.indicate(memory.kind.characteristic, memory.value(number)[: dice.randint(0, 8)])
            await memory.tell(device, number)
            if dice.random() < 0.3:
                await memory.tell(device, dice.randrange(COUNT))
        if dice.random() < 0.3:
            await device.power_off()
            device = await memory.wake(new_address=True)
        elif dice.random() < 0.6:
            await device.disconnect()
    await device.disconnect()


MISBEHAVIOURS: tuple[Misbehaviour, ...] = (
    hangs_up_after_every_third,
    says_everything_twice,
    sends_wrong_lengths_between,
    changes_its_address,
    loses_its_power_while_it_sends,
    does_all_of_it,
)


@pytest.mark.parametrize("misbehaves", MISBEHAVIOURS, ids=lambda each: each.__name__)
def test_the_ehr_has_each_record_of_a_badly_behaving_device_once(
    tmp_path: Path, misbehaves: Misbehaviour
) -> None:
    async def run() -> None:
        async with clinic(tmp_path, *KINDS) as place, running(place):
            memories = [Memory(kind, name, place.room) for name, kind in KINDS.items()]
            async with asyncio.timeout(90):
                await asyncio.gather(*map(misbehaves, memories))
            sent = [values for memory in memories for values in memory.sent.values()]
            await place.everything_has_arrived(len(sent))
            assert place.received == sorted(sent, key=str)
            assert len(sent) == COUNT * len(KINDS)

    asyncio.run(run())


def test_a_memory_without_times_waits_for_a_person_once_and_a_single_record_goes_out(tmp_path: Path) -> None:
    dump = [bytes.fromhex(value) for value in ("00 7900 5000 5E00", "00 8200 5500 6400")]
    single = bytes.fromhex("00 7000 4600 5000")

    async def run() -> None:
        async with clinic(tmp_path, "CUFF") as place, running(place):
            device = await place.room.add(CUFF.plan("CUFF", "F0:F1:F2:F3:AA:01"))
            await device.advertise()
            async with asyncio.timeout(60):
                for records in (dump, dump, [single]):
                    await device.subscribed("2A35")
                    for record in records:
                        assert await device.indicate("2A35", record)
                    await device.disconnect()
            await place.everything_has_arrived(1)
            assert place.received == [{"8480-6": "112", "8462-4": "70", "8478-0": "80"}]

    asyncio.run(run())
    with Database(tmp_path / "gateway.db") as database:
        held = database.do(lambda db: readings.latest(db, 10, held=True))
    assert [stored.reading.value("systolic") for stored in held] == [121, 130]


def test_what_a_device_has_forgotten_arrives_though_the_gateway_is_killed_meanwhile(tmp_path: Path) -> None:
    dice = random.Random(7)

    async def sends(memory: Memory) -> None:
        device = await memory.wake()
        while memory.left:
            await memory.asked(device)
            await memory.tell(device, memory.left[0])

    async def run() -> None:
        async with clinic(tmp_path, "CUFF") as place:
            gateway = GatewayProcess(place.configuration)
            await gateway.start()
            await place.patient_arrives()
            memory = Memory(CUFF, "CUFF", place.room)
            sending = asyncio.create_task(sends(memory))
            for _ in range(4):
                before = len(memory.left)
                async with asyncio.timeout(30):
                    await until(lambda before=before: len(memory.left) < before or sending.done())  # type: ignore[misc] # lambda default
                await asyncio.sleep(dice.uniform(0, 0.02))
                await gateway.kill()
                await gateway.start()
            async with asyncio.timeout(60):
                await sending
            await place.everything_has_arrived(COUNT)
            await gateway.stop()
            assert place.received == sorted(memory.sent.values(), key=str)

    asyncio.run(run())


def test_what_an_older_gateway_left_behind_without_its_sender_is_acknowledged_too(tmp_path: Path) -> None:
    name = "A&D_UC-352BLE_01"
    now = datetime.now(UTC)
    value, values = SCALE.record(0, now)

    async def run() -> None:
        async with clinic(tmp_path, name) as place:
            async with running(place):
                pass
            with Database(tmp_path / "gateway.db") as database:
                database.do(lambda db: journal.keep(db, name, SCALE.characteristic, value, now))
            async with running(place):
                await place.everything_has_arrived(1)
            assert place.received == [values]

    asyncio.run(run())


_METER = """
[devices.meter]
driver = "gatt-glucose"
port = "ble://meter"
room = "EXAM3"
"""


def _meter_plan() -> PeripheralPlan:
    return PeripheralPlan(
        "meter",
        (
            VirtualService(
                "1808",
                (
                    VirtualCharacteristic("2A18", ("notify",)),
                    VirtualCharacteristic("2A34", ("notify",)),
                    VirtualCharacteristic("2A52", ("write", "indicate"), encrypted=True),
                ),
            ),
        ),
        "F0:F1:F2:F3:AA:01",
    )


def _glucose(number: int, begun: datetime) -> tuple[bytes, Values]:
    concentration = (0xB000 | (100 + number)).to_bytes(2, "little")
    flags = b"\x12" if number % 3 == 0 else b"\x02"
    value = flags + number.to_bytes(2, "little") + _stamp(number, begun) + concentration + b"\x11"
    return value, {"41653-7": str(100 + number)}


async def _hands_over(device: VirtualPeripheral, begun: datetime, numbers: Sequence[int]) -> list[Values]:
    """Send records, each third with its context; what they say."""
    sent = []
    for number in numbers:
        value, values = _glucose(number, begun)
        await device.notify("2A18", value)
        if number % 3 == 0:
            await device.notify("2A34", b"\x02" + number.to_bytes(2, "little") + b"\x03")
        sent.append(values)
    return sent


def test_a_meter_that_breaks_off_hands_over_all_of_its_records_the_next_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with clinic(tmp_path, devices=_METER) as place, running(place):
            begun = datetime.now(UTC)
            meter = await place.room.add(_meter_plan())
            await meter.advertise()
            sent: list[Values] = []
            for asked, numbers in enumerate((range(3), range(7), range(COUNT)), start=1):
                async with asyncio.timeout(30):
                    await meter.writes(asked)
                assert meter.written[-1] == ("2A52", b"\x01\x01")
                sent = await _hands_over(meter, begun, numbers)
                if asked == 3:
                    await meter.indicate("2A52", b"\x06\x00\x01\x01")
                await meter.disconnect()
            await place.everything_has_arrived(COUNT)
            assert place.received == sorted(sent, key=str)

    asyncio.run(run())


_BODY_SCALE = """
[devices.body]
driver = "gatt-body-composition"
port = "ble://body"
room = "EXAM3"
"""


def test_the_first_of_two_parts_outlives_a_gateway_that_is_killed_before_the_second(tmp_path: Path) -> None:
    plan = PeripheralPlan(
        "body",
        (VirtualService("181B", (VirtualCharacteristic("2A9C", ("indicate",)),)),),
        "F0:F1:F2:F3:AA:02",
    )

    async def run() -> None:
        async with clinic(tmp_path, devices=_BODY_SCALE) as place:
            gateway = GatewayProcess(place.configuration)
            await gateway.start()
            await place.patient_arrives()
            scale = await place.room.add(plan)
            await scale.advertise()
            await scale.subscribed("2A9C")
            assert await scale.indicate("2A9C", bytes.fromhex("0014 C800 B036"))
            await gateway.kill()
            await gateway.start()
            await place.everything_has_arrived(1)
            await gateway.stop()
            assert place.received == [{"41982-0": "20.0", "29463-7": "70.000"}]
            assert place.ehr.received[0].get("OBX[1]-11") == "R"

    asyncio.run(run())


def test_a_paired_device_that_changes_its_address_is_known_by_a_gateway_that_was_restarted(
    tmp_path: Path,
) -> None:
    name = "A&D_UC-352BLE_01"

    async def run() -> None:
        async with clinic(tmp_path, name) as place:
            gateway = GatewayProcess(place.configuration)
            await gateway.start()
            await place.patient_arrives()
            memory = Memory(SCALE, name, place.room)
            scale = await place.room.add(replace(SCALE.plan(name, "F0:F1:F2:F3:AA:04"), private=True))
            await scale.advertise()
            async with asyncio.timeout(90):
                for number, restarts in enumerate((False, True, False)):
                    await memory.asked(scale)
                    assert await memory.tell(scale, number)
                    await scale.disconnect()
                    if restarts:
                        await gateway.stop()
                    await scale.change_address()
                    if restarts:
                        await gateway.start()
            await place.everything_has_arrived(3)
            await gateway.stop()
            assert place.received == sorted(memory.sent.values(), key=str)
            assert scale.pairings == 1

    asyncio.run(run())


def test_a_device_that_wants_a_passkey_is_one_warning_that_names_what_to_do(tmp_path: Path) -> None:
    name = "A&D_UC-352BLE_01"

    async def run() -> list[EventDict]:
        async with clinic(tmp_path, name) as place:
            with capture_logs() as logged:
                async with running(place), asyncio.timeout(60):
                    plan = replace(SCALE.plan(name, "F0:F1:F2:F3:AA:05"), passkey=123456)
                    scale = await place.room.add(plan)
                    await scale.advertise()
                    await until(lambda: sum("passkey" in str(entry) for entry in logged) >= 2)
                    assert scale.pairings == 0
            return [entry for entry in logged if entry["log_level"] == "warning"]

    (warning,) = asyncio.run(run())
    assert warning["event"] == "connection lost"
    assert "pair it once with the system's own tool" in warning["reason"]


def test_a_device_that_has_hung_up_is_left_alone_for_its_own_time(tmp_path: Path) -> None:
    """For an hour, as all are, but one that is not."""

    async def run() -> None:
        async with clinic(tmp_path, "CUFF", "EAR") as place:
            text = place.configuration.read_text().replace("hold_off_s = 0.0", "hold_off_s = 3600.0")
            own = 'port = "ble://CUFF"\nhold_off_s = 0.0'
            place.configuration.write_text(text.replace('port = "ble://CUFF"', own))
            async with running(place), asyncio.timeout(60):
                cuff, ear = (Memory(KINDS[name], name, place.room) for name in ("CUFF", "EAR"))
                tried = [(await memory.wake(), memory) for memory in (ear, cuff)]
                for device, memory in tried:
                    await memory.asked(device)
                    await device.disconnect()
                (left_alone, _), (asked_again, _) = tried
                await cuff.asked(asked_again)
                assert await cuff.tell(asked_again, 0)
                assert not left_alone.is_connected

    asyncio.run(run())


def test_a_fault_of_a_bluetooth_stream_says_nothing_of_a_serial_line(tmp_path: Path) -> None:
    finger = _DEVICE.format(name="finger", driver="berrymed-oximeter")
    stream = VirtualService(SERVICE, (VirtualCharacteristic(STREAM, ("notify",)),))

    async def run() -> list[EventDict]:
        async with clinic(tmp_path, devices=finger) as place:
            with capture_logs() as logged:
                async with running(place), asyncio.timeout(60):
                    device = await place.room.add(PeripheralPlan("finger", (stream,), "F0:F1:F2:F3:AA:06"))
                    await device.advertise()
                    await device.subscribed(STREAM)
                    await device.notify(STREAM, bytes(300))
                    await until(lambda: any(entry["event"] == "fault" for entry in logged))
            return [entry for entry in logged if entry["event"] == "fault"]

    fault, *_ = asyncio.run(run())
    assert (fault["code"], "line" in fault["message"]) == ("sync", False)
    assert fault["advice"] == "check that the device is one of the driver's models if this goes on"


def test_devices_of_two_adapters_are_served_at_the_same_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with clinic(tmp_path, "CUFF", "EAR") as place:
            text = place.configuration.read_text()
            second = f'adapter = "tcp-client:localhost:{place.room.port}"\nport = "ble://EAR"'
            place.configuration.write_text(text.replace('port = "ble://EAR"', second))
            async with running(place):
                async with asyncio.timeout(20):
                    await until(lambda: len(place.room.clients) == 2)
                memories = [Memory(KINDS[name], name, place.room) for name in ("CUFF", "EAR")]
                await asyncio.gather(*map(hangs_up_after_every_third, memories))
                sent = [values for memory in memories for values in memory.sent.values()]
                await place.everything_has_arrived(len(sent))
                assert place.received == sorted(sent, key=str)

    asyncio.run(run())


def test_a_device_that_refuses_what_is_only_useful_still_delivers(tmp_path: Path) -> None:
    """A cuff whose clock is not to be read and whose name is only told to whom it is paired with."""

    async def run() -> None:
        async with clinic(tmp_path, "CUFF") as place, running(place):
            memory = Memory(CUFF, "CUFF", place.room)
            plan = CUFF.plan("CUFF", "F0:F1:F2:F3:AA:03")
            silent = VirtualService("180A", (VirtualCharacteristic("2A24", ("write",)),), advertised=False)
            device = await place.room.add(replace(plan, services=(*plan.services, silent)))
            device.refuse("2A24")
            await device.advertise()
            await memory.asked(device)
            assert await memory.tell(device, 0)
            await place.everything_has_arrived(1)
            assert place.received == list(memory.sent.values())

    asyncio.run(run())
