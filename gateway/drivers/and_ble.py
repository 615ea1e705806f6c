"""A&D Medical's Bluetooth family: UA-651BLE and other cuffs, UC-352BLE scale, UT-201BLE thermometer.

Measurements are those of Bluetooth's own services (blood pressure 0x2A35, temperature 0x2A1C, weight 0x2A9D),
always indicated; the clock is Date Time 0x2A08 in the same service. An older scale, UC-355, has a service of
its own, in which the weight counts steps of 0.1 kg or 0.1 lb.

A device wakes after a measurement and advertises for a minute. Within five seconds of encryption it wants
its clock written and its measurements asked for, in this order and with a pause before each; then it sends
what it has stored, oldest first, and forgets each record that was confirmed. No message says that a record
was the last: the device hangs up, or stays silent and is hung up on. Records that it could not deliver come
the next time. Its clock does not read back, so the time of arrival stands beside each stamp.

==================================  ==============================================================
what the device sends               what becomes of it
==================================  ==============================================================
systolic NaN                        rejected: an error on the cuff, or a new cuff's factory test
pulse rate NRes ("E" on the cuff)   questionable: the pulse is outside the cuff's range
no time stamp                       the clock was not set since the batteries were changed
==================================  ==============================================================

Commands and answers on the family's own characteristic, ``size type command data``, size counting what
follows it, type 0 to read, 1 to write, 2 an answer; further bytes are padding:

=======  ===================================================================
command  meaning
=======  ===================================================================
03       disconnect and stand by
04 01    read, set the time: two-digit year, month, day, hour, minute, second
10       forget the bond; never sent
11       scale: display unit, 0 kg, 1 lb
12       delete all memory; never sent
A6 D6    set, read the size of the memory: 0 none, 1 small, 2 large
E1       send the stored data
=======  ===================================================================

Pairing: hold the button until the device shows that it is ready; it keeps one bond only, so pairing it with a
telephone takes it from the gateway.

Source: A&D's sample program; programs of a hospital gateway, of obniz and of others that agree with it; a
capture of a UT-201BLE. Evidence: capture (thermometer), manual at second hand (the others).
"""

from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt import blood_pressure, health_thermometer, weight_scale
from gateway.codecs.gatt.date_time import CHARACTERISTIC as DATE_TIME
from gateway.codecs.gatt.date_time import encode_date_time
from gateway.codecs.gatt.fields import Fields
from gateway.codecs.ieee11073 import Number, Special, special_values
from gateway.drivers import gatt_blood_pressure, gatt_thermometer, gatt_weight_scale
from gateway.drivers.contract import (
    BleLink,
    ClockSet,
    Close,
    Driver,
    Events,
    Measured,
    Progress,
    Send,
    SetTimer,
    Subscribe,
    clock_setting,
)
from gateway.drivers.gatt_session import Decoder, GattFrames
from gateway.drivers.pushed_records import PushedRecords
from gateway.errors import DecodeError

COMMANDS = "233bf001-5a34-1b6d-975c-000d5690abe4"
OLD_SCALE_SERVICE = "23434100-1fe4-1eff-80cb-00ff78297d8b"
OLD_SCALE = "23434101-1fe4-1eff-80cb-00ff78297d8b"

_MEASUREMENTS = (
    blood_pressure.MEASUREMENT,
    health_thermometer.MEASUREMENT,
    weight_scale.MEASUREMENT,
    OLD_SCALE,
)
_TENTHS = (Decimal("0.1"), Decimal("0.1"))
_TYPES = {0: "read", 1: "write", 2: "answer"}
_COMMANDS = {
    0x01: "set time",
    0x03: "disconnect",
    0x04: "time",
    0x10: "forget the bond",
    0x11: "display unit",
    0x12: "delete all memory",
    0xA6: "size of the memory",
    0xD6: "size of the memory",
    0xE1: "stored data",
}
# Longer than the longest pause that the maker's own program makes before a write, which depends on firmware.
_CLOCK_TIMER, _CLOCK_S = "clock", 0.15
_RECORDS_TIMER, _RECORDS_S = "records", 0.1
_SILENCE_TIMER, _SILENCE_S = "silence", 8.0


def command_text(value: bytes) -> str:
    """A command or answer on the family's own characteristic, in words.

    Raises
    ------
    DecodeError
        It is cut off (``length``), or of no known type (``value``).
    """
    fields = Fields(value)
    size = fields.unsigned("size", 1)
    frame = Fields(fields.take("frame", size))
    kind = frame.unsigned("type", 1)
    if kind not in _TYPES:
        raise DecodeError("value", f"type {kind}, 0 to 2 expected", offset=1)
    command = frame.unsigned("command", 1)
    named = _COMMANDS.get(command, f"command 0x{command:02X}")
    return " ".join(filter(None, (f"{_TYPES[kind]}: {named}", frame.rest().hex(" "))))


class Frames(GattFrames):
    """Every value for itself, whichever of the family sent it."""

    def __init__(self, **_concluding: str) -> None:
        self._cuff = gatt_blood_pressure.Frames()
        super().__init__(
            "device",
            {
                **self._cuff.decoders,
                **gatt_thermometer.Frames().decoders,
                **gatt_weight_scale.Frames().decoders,
                blood_pressure.MEASUREMENT: self._blood_pressure,
                OLD_SCALE: self._old_scale,
                COMMANDS: self._command,
            },
            clock="off",
        )

    def _blood_pressure(self, data: bytes, at: datetime) -> Events:
        pulse = blood_pressure.decode_blood_pressure(data).pulse_rate
        events = self._cuff.decoders[blood_pressure.MEASUREMENT](data, at)
        return tuple(_doubted(event, pulse) if isinstance(event, Measured) else event for event in events)

    def _old_scale(self, data: bytes, at: datetime) -> Events:
        return (Measured(gatt_weight_scale.parse_measurement(data, steps=_TENTHS, at=at)),)

    def _command(self, data: bytes, at: datetime) -> Events:
        return (Progress(command_text(data)),)


def _doubted(measured: Measured, pulse: Number | None) -> Measured:
    if pulse is not Special.NRES or measured.reading.status == "rejected":
        return measured
    return Measured(measured.reading.noted("the pulse is outside the cuff's range", status="questionable"))


class Session(Frames):
    """Sets the clock, asks for the records, takes each once, and hangs up when no more come."""

    def __init__(self, clock: str) -> None:
        super().__init__()
        self._sets_clock = clock == "set"
        self._records = PushedRecords()
        self._all_decoders |= {uuid: self._once(uuid, self.decoders[uuid]) for uuid in _MEASUREMENTS}

    def connected(self, at: datetime) -> Events:
        return (*self.inquiries(), SetTimer(_CLOCK_TIMER, _CLOCK_S))

    def timer(self, name: str, at: datetime) -> Events:
        if name == _CLOCK_TIMER:
            return (*self._clock_setting(at), SetTimer(_RECORDS_TIMER, _RECORDS_S))
        if name == _RECORDS_TIMER:
            asked = (Subscribe(uuid, optional=True) for uuid in _MEASUREMENTS)
            return (*asked, SetTimer(_SILENCE_TIMER, _SILENCE_S))
        if name != _SILENCE_TIMER:
            return self._records.timer(name)
        return (Close("the device has no more to tell"),)

    def disconnected(self, at: datetime) -> Events:
        return self._records.disconnected()

    def _clock_setting(self, at: datetime) -> Events:
        return (Send(encode_date_time(at), DATE_TIME), ClockSet()) if self._sets_clock else ()

    def _once(self, channel: str, decode: Decoder) -> Decoder:
        def taken(data: bytes, at: datetime) -> Events:
            events = self._records.once(channel, data, at, lambda: decode(data, at))
            return (*events, SetTimer(_SILENCE_TIMER, _SILENCE_S))

        return taken


DRIVER = Driver(
    id="and-ble",
    vendor="A&D",
    models=("UA-651BLE", "UA-656BLE", "UA-1200BLE", "UB-1100BLE", "UC-352BLE", "UC-355", "UT-201BLE"),
    kind="blood-pressure-monitor",
    emits={
        **gatt_blood_pressure.DRIVER.emits,
        **gatt_thermometer.DRIVER.emits,
        **gatt_weight_scale.DRIVER.emits,
    },
    links=(
        BleLink((blood_pressure.SERVICE,), r"(A&D_)?U[AB]-?\d+BLE_.*", deletes_confirmed=True),
        BleLink((health_thermometer.SERVICE,), r"(A&D_)?UT-?201BLE_.*", deletes_confirmed=True),
        BleLink((weight_scale.SERVICE,), r"(A&D_)?UC-?352BLE_.*", deletes_confirmed=True),
        BleLink((OLD_SCALE_SERVICE,), deletes_confirmed=True),
    ),
    evidence="capture",
    settings=(clock_setting("set", "off"),),
    specials=(
        "error on the cuff",
        "pulse rate outside the cuff's range",
        "weight 0xFFFF",
        "old scale: weight 0xFFFF",
        *special_values("temperature"),
    ),
    session=Session,
    frames=Frames,
)
