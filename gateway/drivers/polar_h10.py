"""Polar H10: a chest strap that tells heart rate and RR intervals, and streams an EKG.

Heart rate is Bluetooth's own service (:mod:`gateway.drivers.gatt_heart_rate`). The EKG comes by the maker's
service, whose bytes are in :mod:`gateway.codecs.polar_pmd`: one lead across the chest, about lead I, 24-bit
microvolts, 73 samples a frame. At each connection one recording of ``ekg_s`` seconds is made; the first
seconds are left out, for they are off the baseline. Then the stream is stopped, or the strap would stay on
until its battery is empty.

**The rate is measured, never assumed.** It is nominally 130 Hz, off by two percent or more, and each frame
has the strap's own time of its last sample: samples between two such times, divided by the difference, is
the rate. A step that is longer than its samples is a frame that was lost; its samples are not a number, so
that nothing is closed up. A rate off by more than five percent makes no recording.

The strap's clock counts from an arbitrary day, so the recording begins when its first frame arrived, less the
time that the frame took to be measured.

==================================  ==============================================================
what the strap says                 what becomes of it
==================================  ==============================================================
settings that it offers             those are started with
already in that state               a stream of an earlier connection: it is taken
any other error                     a fault; heart rate goes on
the stream has stopped by itself,   a recording of what has come, of ten seconds or more
or the link has ended
a step back, or of ten seconds      the recording begins anew
==================================  ==============================================================

Source: Polar SDK documents, August 2024; frames of an H10 by the project h10_ecg. Evidence: capture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.codecs import polar_pmd as pmd
from gateway.codecs.gatt.heart_rate import SERVICE
from gateway.drivers import gatt_heart_rate as heart
from gateway.drivers.contract import (
    BleLink,
    Driver,
    Events,
    Fault,
    Measured,
    Progress,
    Send,
    Setting,
    Subscribe,
)
from gateway.model import EkgRecording, Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAD = "chest"
_NOMINAL_HZ, _FARTHEST_OFF = 130.0, 0.05
_NS = 1_000_000_000
_OFF_BASELINE_NS = 3 * _NS
_LONGEST_STEP_NS = 10 * _NS
_SHORTEST_S = 10
_LOST_FROM = 1.5  # times the usual step between two frames
_STOP = bytes((pmd.STOP, pmd.EKG))


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame as it came; its samples are read again when the recording is made."""

    data: bytes
    at: datetime
    last_ns: int
    samples: int


class Recording:
    """Frames of one stream, until there are enough of them.

    Parameters
    ----------
    seconds : int
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._begun_ns: int | None = None
        self._frames: list[_Frame] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds from the last sample of the first frame to that of the latest."""
        return (self._frames[-1].last_ns - self._frames[0].last_ns) / _NS if self._frames else 0.0

    @property
    def fraction(self) -> float:
        return min(1.0, self.elapsed_s / self._seconds)

    def add(self, data: bytes, at: datetime) -> None:
        """One more notification.

        Raises
        ------
        DecodeError
            It is no frame of the EKG.
        """
        frame = pmd.decode_ekg(data)
        if self._frames and not 0 < frame.last_ns - self._frames[-1].last_ns < _LONGEST_STEP_NS:
            self._frames.clear()
            self._begun_ns = None
        if self._begun_ns is None:
            self._begun_ns = frame.last_ns
        if frame.last_ns - self._begun_ns >= _OFF_BASELINE_NS and frame.microvolts:
            self._frames.append(_Frame(data, at, frame.last_ns, len(frame.microvolts)))

    def reading(self) -> Reading | Fault | None:
        """What has been recorded, why it is no recording, or None for too little."""
        if self.elapsed_s < min(_SHORTEST_S, self._seconds):
            return None
        rate = _rate(self._frames)
        if abs(rate / _NOMINAL_HZ - 1) > _FARTHEST_OFF:
            return Fault("rate", f"the stamps of the EKG make {rate:.1f} Hz, {_NOMINAL_HZ:.0f} expected")
        first = self._frames[0]
        samples_mv, lost = _samples(self._frames, rate)
        notes = (f"{lost} samples were lost on the way",) if lost else ()
        return Reading(
            kind="ekg",
            notes=("one lead across the chest, about lead I: not for judging ST", *notes),
            ekg=EkgRecording(
                format="Polar PMD",
                format_version="",
                leads=(_LEAD,),
                samples_mv=samples_mv,
                sample_rate_hz=rate,
            ),
            provenance=b"".join(frame.data for frame in self._frames),
        ).taken(first.at - timedelta(seconds=first.samples / rate), by="gateway")


def _rate(frames: Sequence[_Frame]) -> float:
    """Samples a second by the strap's clock, over all steps in which nothing was lost."""
    steps = [(later.last_ns - frame.last_ns, later.samples) for frame, later in pairwise(frames)]
    usual = sorted(step / samples for step, samples in steps)[len(steps) // 2]
    whole = [(step, samples) for step, samples in steps if step < _LOST_FROM * usual * samples]
    return sum(samples for _, samples in whole) * _NS / sum(step for step, _ in whole)


def _samples(frames: Sequence[_Frame], rate: float) -> tuple["NDArray[np.float64]", int]:
    """One lead in mV, not a number where frames were lost, and how many samples that is."""
    import numpy as np  # noqa: PLC0415 - whoever lists drivers need not wait for NumPy

    parts = [np.array(pmd.decode_ekg(frames[0].data).microvolts, dtype=np.float64)]
    lost = 0
    for frame, later in pairwise(frames):
        missing = round((later.last_ns - frame.last_ns) / _NS * rate) - later.samples
        if missing > later.samples * (_LOST_FROM - 1):
            parts.append(np.full(missing, np.nan))
            lost += missing
        parts.append(np.array(pmd.decode_ekg(later.data).microvolts, dtype=np.float64))
    return np.concatenate(parts)[np.newaxis] / 1000, lost


class Frames(heart.Frames):
    """Every value for itself."""

    def __init__(self, **_concluding: str) -> None:
        super().__init__({pmd.CONTROL_POINT: self._control, pmd.DATA: self._data})

    def _control(self, data: bytes, at: datetime) -> Events:
        return (Progress(_said(pmd.decode_control(data))),)

    def _data(self, data: bytes, at: datetime) -> Events:
        frame = pmd.decode_ekg(data)
        samples = f"{len(frame.microvolts)} samples, the last at {frame.last_ns} ns"
        return (Progress(f"EKG: {samples}, in microvolts: {' '.join(map(str, frame.microvolts))}"),)


class Session(heart.Session):
    """Heart rate for as long as the strap is worn, and one recording of its EKG."""

    def __init__(self, ekg_s: str, settle_s: str, repeat_s: str) -> None:
        super().__init__(settle_s, repeat_s, {pmd.CONTROL_POINT: self._control, pmd.DATA: self._data})
        self._recording = None if ekg_s == "off" else Recording(int(ekg_s))

    def connected(self, at: datetime) -> Events:
        if self._recording is None:
            return super().connected(at)
        return (
            *super().connected(at),
            Subscribe(pmd.CONTROL_POINT),
            Subscribe(pmd.DATA),
            Send(bytes((pmd.GET_SETTINGS, pmd.EKG)), pmd.CONTROL_POINT),
        )

    def disconnected(self, at: datetime) -> Events:
        return self._ended()

    def _control(self, data: bytes, at: datetime) -> Events:
        said = pmd.decode_control(data)
        match said:
            case pmd.Answer(pmd.GET_SETTINGS, pmd.EKG, pmd.SUCCESS, settings):
                chosen = {kind: values[0] for kind, values in settings.items() if values}
                return (Send(pmd.start(pmd.EKG, chosen), pmd.CONTROL_POINT),)
            case pmd.Answer(pmd.START, pmd.EKG, pmd.ALREADY_IN_STATE):
                return (Progress("the EKG has been running since before"),)
            case pmd.Answer(error=error) if error != pmd.SUCCESS:
                return (Fault("refused", _said(said)),)
            case pmd.Stopped(measurements) if pmd.EKG in measurements:
                return (Progress(_said(said)), *self._ended())
        return (Progress(_said(said)),)

    def _data(self, data: bytes, at: datetime) -> Events:
        if self._recording is None:
            return ()
        self._recording.add(data, at)
        if self._recording.fraction < 1:
            return (Progress("recording the EKG", self._recording.fraction),)
        return (*self._ended(), Send(_STOP, pmd.CONTROL_POINT))

    def _ended(self) -> Events:
        """The recording, if it has come to be one; there is no second in a connection."""
        recording, self._recording = self._recording, None
        made = None if recording is None else recording.reading()
        return () if made is None else (made if isinstance(made, Fault) else Measured(made),)


_COMMANDS = {pmd.GET_SETTINGS: "settings", pmd.START: "start", pmd.STOP: "stop"}
_SETTINGS = {pmd.SAMPLE_RATE: "Hz", pmd.RESOLUTION: "bit"}


def _said(said: pmd.Answer | pmd.Features | pmd.Stopped) -> str:
    match said:
        case pmd.Features(measurements):
            return f"the strap measures: {', '.join(measurements) or 'nothing'}"
        case pmd.Stopped(measurements):
            return f"the strap has stopped: {', '.join(map(str, measurements))}"
    offered = (
        f"{'/'.join(map(str, values))} {_SETTINGS.get(kind, f'of setting {kind}')}"
        for kind, values in said.settings.items()
    )
    command = _COMMANDS.get(said.op, f"command {said.op}")
    return "; ".join((f"{command} of measurement {said.measurement}: {said.text}", *offered))


DRIVER = Driver(
    id="polar-h10",
    vendor="Polar",
    models=("H10",),
    kind="ekg",
    emits={"heart-rate": ("/min",)},
    links=(BleLink((SERVICE,), r"Polar H10 .*"),),
    evidence="capture",
    settings=(
        Setting("ekg_s", ("30", "10", "60", "300", "off"), "30", "seconds of EKG at each connection"),
        *heart.SETTINGS,
    ),
    specials=(
        *heart.DRIVER.specials,
        *(text for error, text in pmd.ERRORS.items() if error),
        "stopped by itself",
    ),
    session=Session,
    frames=Frames,
)
