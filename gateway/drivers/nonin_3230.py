"""Nonin 3230 and 3240 oximeters by Bluetooth: the maker's own service beside that of Bluetooth.

Oximetry Measurement 0AAD7EA0-... (notified once a second), **big-endian**:

======  ====  ==================================================================
offset  size  field
======  ====  ==================================================================
0       1     length, counting itself; 10 or more
1       1     status
2       1     battery, 0.1 V
3       2     pulse amplitude index, 0.01 %, to 20.00 %; above that left out, noted
5       2     counter, one more each second; a gap means lost values
7       1     SpO2, %, average of four beats; 127 no value
8       2     pulse rate, /min, average of four beats, to 321; 511 no value
10            reserved
======  ====  ==================================================================

==========  ==========================================  =================================
status bit  meaning                                     what becomes of the value
==========  ==========================================  =================================
6           link encrypted                              nothing
5           battery low                                 noted
4           the sensor is placed correctly              without it rejected: finger out
3           searching for pulses                        rejected
2           SmartPoint: a good spot value               without it questionable
1           weak signal                                 questionable
==========  ==========================================  =================================

It streams: one reading comes with SmartPoint, or when the values have been steady, more of the same finger
only when they change or after a while (:class:`gateway.drivers.steadiness.OneFinger`). Spot checks that the
oximeter has stored come by Bluetooth's own service, with ``take = "stored"``: the same finger would otherwise
be two readings. Its clock restarts at 2016-01-01 when the batteries were out.

Source: Nonin's OEM byte table as a hospital gateway quotes it; three other programs that agree with it.
Evidence: manual.
"""

import struct
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt.fields import names_of
from gateway.drivers import gatt_pulse_oximeter as standard
from gateway.drivers.contract import BleLink, Driver, Events, Measured, Setting, Subscribe
from gateway.drivers.gatt_session import CLOCK_SETTING
from gateway.drivers.steadiness import REPEAT
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

SERVICE = "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b"
OXIMETRY = "0aad7ea0-0d60-11e2-8e3c-0002a5d5c51b"

_LAYOUT = struct.Struct(">3B2HBH")
_SMARTPOINT = "smartpoint"
_STATUSES = ("", "weak-signal", _SMARTPOINT, "searching", "correctly-placed", "low-battery", "encrypted")
_NO_SPO2, _NO_PULSE_RATE = 127, 511
_FULL, _FASTEST = 100, 321
_LARGEST_AMPLITUDE = Decimal(20)
_COUNTERS = 0x10000


@dataclass(frozen=True, slots=True)
class Oximetry:
    """One value of the maker's own characteristic.

    Parameters
    ----------
    statuses : tuple of str
        Lowest bit first.
    amplitude_index : Decimal
        Percent.
    counter : int
    spo2, pulse_rate : int, optional
        None where the oximeter says that there is none.
    """

    statuses: tuple[str, ...]
    amplitude_index: Decimal
    counter: int
    spo2: int | None
    pulse_rate: int | None


def decode_oximetry(value: bytes) -> Oximetry:
    """The fields of a value.

    Raises
    ------
    DecodeError
        It is cut off, or not as long as it says (``length``).
    """
    if len(value) < _LAYOUT.size:
        raise DecodeError("length", f"the record is cut off: {len(value)} of 10 bytes", offset=len(value))
    length, status, _, amplitude, counter, spo2, pulse_rate = _LAYOUT.unpack_from(value)
    if length != len(value):
        raise DecodeError("length", f"{length} bytes stated, {len(value)} there", offset=0)
    return Oximetry(
        statuses=names_of(status, _STATUSES),
        amplitude_index=Decimal(amplitude).scaleb(-2),
        counter=counter,
        spo2=None if spo2 == _NO_SPO2 else spo2,
        pulse_rate=None if pulse_rate == _NO_PULSE_RATE else pulse_rate,
    )


def reading_of(measured: Oximetry) -> Reading:
    """What a value says when it is taken for itself, without a time."""
    if reason := unusable(measured):
        return rejected("pulse-oximetry", reason)
    assert measured.spo2 is not None, "none would be unusable"
    assert measured.pulse_rate is not None, "none would be unusable"
    doubts = (
        *(("weak signal",) if "weak-signal" in measured.statuses else ()),
        *(() if _SMARTPOINT in measured.statuses else ("SmartPoint not reached",)),
    )
    amplitude = measured.amplitude_index
    has_amplitude = amplitude <= _LARGEST_AMPLITUDE
    return Reading(
        kind="pulse-oximetry",
        observations=(
            Observation("spo2", Decimal(measured.spo2), "%"),
            Observation("pulse-rate", Decimal(measured.pulse_rate), "/min"),
            *((Observation("pulse-amplitude-index", amplitude, "%"),) if has_amplitude else ()),
        ),
        status="questionable" if doubts else "final",
        notes=(
            *doubts,
            *(() if has_amplitude else (f"a pulse amplitude index of {amplitude} % is not a patient's",)),
            *(("low battery",) if "low-battery" in measured.statuses else ()),
        ),
    )


def unusable(measured: Oximetry) -> str:
    """Why a value is no measurement; empty where it is one."""
    if "correctly-placed" not in measured.statuses:
        return "no finger"
    if "searching" in measured.statuses:
        return "searching for pulses"
    if measured.spo2 is None or not 0 < measured.spo2 <= _FULL:
        return "no SpO2" if measured.spo2 is None else f"SpO2 of {measured.spo2} is not a patient's"
    if measured.pulse_rate is None or not 0 < measured.pulse_rate <= _FASTEST:
        rate = measured.pulse_rate
        return "no pulse rate" if rate is None else f"a pulse rate of {rate} is not a patient's"
    return ""


class Frames(standard.Frames):
    """Every value for itself."""

    def __init__(self, **_concluding: str) -> None:
        super().__init__(besides={OXIMETRY: self._oximetry})

    def _oximetry(self, data: bytes, at: datetime) -> Events:
        return (Measured(_taken(decode_oximetry(data), data, at)),)


class Session(standard.Session):
    """The finger that is in it, or the spot checks that it has stored."""

    def __init__(self, take: str, settle_s: str, repeat_s: str, clock: str) -> None:
        super().__init__(settle_s, repeat_s, clock, besides={OXIMETRY: self._oximetry})
        self._takes_stored = take == "stored"
        self._counter: int | None = None

    def connected(self, at: datetime) -> Events:
        if self._takes_stored:
            return super().connected(at)
        return (*self.inquiries(), Subscribe(OXIMETRY))

    def _oximetry(self, data: bytes, at: datetime) -> Events:
        measured = decode_oximetry(data)
        lost = self._counter not in {None, (measured.counter - 1) % _COUNTERS}
        self._counter = measured.counter
        before = self._finger.disturbed("values were lost") if lost else ()
        if reason := unusable(measured):
            removed = "correctly-placed" not in measured.statuses
            return (*before, *(self._finger.gone if removed else self._finger.disturbed)(reason))
        settled = _SMARTPOINT in measured.statuses
        return (*before, *self._finger.valid(_taken(measured, data, at), settled=settled))


def _taken(measured: Oximetry, data: bytes, at: datetime) -> Reading:
    return replace(reading_of(measured).taken(at, by="gateway"), provenance=data)


DRIVER = Driver(
    id="nonin-3230",
    vendor="Nonin",
    models=("3230", "3240"),
    kind="pulse-oximeter",
    emits={"spo2": ("%",), "pulse-rate": ("/min",), "pulse-amplitude-index": ("%",)},
    links=(BleLink((SERVICE,), deletes_confirmed=True),),
    evidence="manual",
    settings=(
        Setting("take", ("finger", "stored"), "finger", "what is measured now, or what it has stored"),
        Setting("settle_s", ("5", "10", "20"), "10", "seconds that values without SmartPoint must be steady"),
        REPEAT,
        CLOCK_SETTING,
    ),
    specials=("SpO2 127", "pulse rate 511", "no finger", "searching for pulses", "amplitude above 20 %"),
    session=Session,
    frames=Frames,
)
