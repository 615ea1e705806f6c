"""Viatom's and Wellue's oximeters of the O2Ring kind by Bluetooth: O2Ring, Checkme O2, SleepU.

They say nothing by themselves: every two seconds the present values are asked for with command 17. Bytes,
sources and evidence are in :mod:`gateway.codecs.viatom_oximeter`. The service is also that of the maker's
cuffs and of foreign goods, so that the name decides; the newer O2Ring-S has another service and is not read.

====================================  ============================================================
what an answer says                   what becomes of it
====================================  ============================================================
no finger, no SpO2, no pulse rate     no reading
refusal                               an event
battery                               an event when it changes
====================================  ============================================================

A ring keeps measuring. One reading comes when the values have been valid and steady for `settle_s` seconds,
more of the same finger only when they change or after `repeat_s`:
:class:`gateway.drivers.steadiness.OneFinger`. What it has stored is not asked for, nothing is ever set, and
command 18, which resets it, is never sent.
"""

from dataclasses import replace
from datetime import datetime

from gateway.codecs.framing import Frame
from gateway.codecs.viatom_oximeter import (
    READ_SENSORS,
    Sensors,
    answers,
    command,
    parse_answer,
    parse_sensors,
)
from gateway.drivers.contract import (
    BleLink,
    Driver,
    Events,
    Measured,
    Progress,
    Send,
    SetTimer,
    Setting,
    Subscribe,
)
from gateway.drivers.finger_samples import concluded, reading_of
from gateway.drivers.gatt_stream import GattStream
from gateway.drivers.steadiness import REPEAT, OneFinger, repeat_after

SERVICE = "14839ac4-7d7e-415c-9a42-167340cf2339"
ANSWERS = "0734594a-a8e7-4b1a-a6b1-cd5243059a57"
COMMANDS = "8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3"

_ASK, _ASK_S = "ask", 2


class Frames(GattStream):
    """Every answer for itself."""

    def __init__(self, **_concluding: str) -> None:
        super().__init__("oximeter", ANSWERS, answers())
        self._battery: int | None = None

    def block(self, frame: Frame, at: datetime) -> Events:
        answer = parse_answer(frame.data)
        if not answer.data:
            return (Progress(f"answer of code 0x{answer.code:02X}, without values"),)
        sensors = parse_sensors(answer)
        changed = sensors.battery != self._battery
        self._battery = sensors.battery
        said = (Progress(f"battery of the oximeter at {sensors.battery} %"),) if changed else ()
        return (*said, *self._measured(sensors, frame.content, at))

    def _measured(self, sensors: Sensors, content: bytes, at: datetime) -> Events:
        reading = replace(reading_of(sensors.sample), provenance=content)
        return (Measured(reading.taken(at, by="gateway")),)


class Session(Frames):
    """Asks again and again."""

    def __init__(self, settle_s: str, repeat_s: str) -> None:
        super().__init__()
        self._finger = OneFinger(int(settle_s) // _ASK_S, repeat_after(repeat_s))

    def connected(self, at: datetime) -> Events:
        return (*self.inquiries(), Subscribe(ANSWERS), *self._ask())

    def timer(self, name: str, at: datetime) -> Events:
        return self._ask() if name == _ASK else super().timer(name, at)

    def _ask(self) -> Events:
        return Send(command(READ_SENSORS), COMMANDS), SetTimer(_ASK, _ASK_S)

    def _measured(self, sensors: Sensors, content: bytes, at: datetime) -> Events:
        return concluded(self._finger, sensors.sample, content, at)


DRIVER = Driver(
    id="viatom-o2ring",
    vendor="Viatom",
    models=("O2Ring", "Checkme O2", "SleepU"),
    kind="pulse-oximeter",
    emits={"spo2": ("%",), "pulse-rate": ("/min",)},
    links=(BleLink((SERVICE,), r"(O2Ring|Checkme O2|SleepU)( .*)?"),),
    evidence="capture",
    settings=(
        Setting("settle_s", ("4", "6", "10", "20"), "6", "seconds that values must be steady"),
        REPEAT,
    ),
    specials=("no finger", "SpO2 and pulse rate FF", "SpO2 127", "zeros", "refused"),
    session=Session,
    frames=Frames,
)
