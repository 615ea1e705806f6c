"""BerryMed's finger oximeters by Bluetooth: BM1000, BM100E and their kin.

They stream frames of five bytes without being asked, cut anywhere into notifications:
:mod:`gateway.codecs.oximeter_sample`, whose flags are

=====  =========================================================================
byte   bits
=====  =========================================================================
0      6 beep, 5 probe unplugged, 4 signal; the latter's sense is not documented
2      5 searching, 4 no finger
=====  =========================================================================

The service is that of a chip which printers and other goods have too, so that the name decides. What the
chip says of its maker is not the oximeter's, and is not asked for.

==================================================  ==========================================
what a frame says                                   what becomes of it
==================================================  ==========================================
no SpO2 (127), no pulse rate (255)                  no reading
probe unplugged, searching, no finger               no reading, even where digits are sent
==================================================  ==========================================

One reading comes when the values have been valid and steady for `settle_s` seconds, more of the same finger
only when they change or after `repeat_s`: :class:`gateway.drivers.steadiness.OneFinger`.

Source: the driver that Adafruit publishes for a BM1000C. Evidence: one implementation.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.codecs.framing import Blocks, Frame, unchecked
from gateway.codecs.oximeter_sample import Sample, parse_five
from gateway.drivers.contract import BleLink, Driver, Events, Measured, Setting, Subscribe
from gateway.drivers.finger_samples import concluded, reading_of, unusable
from gateway.drivers.gatt_stream import GattStream
from gateway.drivers.steadiness import REPEAT, OneFinger, repeat_after

SERVICE = "49535343-fe7d-4ae5-8fa9-9fafd205e455"
STREAM = "49535343-1e4d-4bd9-ba61-23c647249616"

_LENGTH = 5
_FIRST_FLAGS = ((0x20, "probe unplugged"),)
_THIRD_FLAGS = ((0x20, "searching"), (0x10, "no finger"))
_A_SECOND = timedelta(seconds=1)


def _blocks() -> Blocks:
    starts = re.compile(rb"[\x80-\xff][\x00-\x7f]{4}")
    return Blocks(starts, _LENGTH, lambda _: _LENGTH, unchecked, longest=_LENGTH)


class Frames(GattStream):
    """Every frame for itself."""

    def __init__(self, **_concluding: str) -> None:
        super().__init__("oximeter", STREAM, _blocks())

    def block(self, frame: Frame, at: datetime) -> Events:
        return self._sampled(parse_five(frame.data, first=_FIRST_FLAGS, third=_THIRD_FLAGS), frame.data, at)

    def _sampled(self, sample: Sample, content: bytes, at: datetime) -> Events:
        reading = replace(reading_of(sample), provenance=content)
        return (Measured(reading.taken(at, by="gateway")),)


class Session(Frames):
    """The finger that is in it: one good frame a second counts, and a bad one always does."""

    def __init__(self, settle_s: str, repeat_s: str) -> None:
        super().__init__()
        self._finger = OneFinger(int(settle_s), repeat_after(repeat_s))
        self._counted_at: datetime | None = None

    def connected(self, at: datetime) -> Events:
        return (Subscribe(STREAM),)

    def _sampled(self, sample: Sample, content: bytes, at: datetime) -> Events:
        if unusable(sample):
            self._counted_at = None
        elif self._counted_at is not None and at - self._counted_at < _A_SECOND:
            return ()
        else:
            self._counted_at = at
        return concluded(self._finger, sample, content, at)


DRIVER = Driver(
    id="berrymed-oximeter",
    vendor="BerryMed",
    models=("BM1000", "BM1000B", "BM1000C", "BM1000E", "BM100E"),
    kind="pulse-oximeter",
    emits={"spo2": ("%",), "pulse-rate": ("/min",)},
    links=(BleLink((SERVICE,), r"(BerryMed|BM100.*)"),),
    evidence="one-implementation",
    settings=(
        Setting("settle_s", ("3", "5", "10", "20"), "5", "seconds that values must be steady"),
        REPEAT,
    ),
    specials=("SpO2 127", "pulse rate 255", "no finger", "searching", "probe unplugged", "zeros"),
    session=Session,
    frames=Frames,
)
