"""What sessions of scales have in common that send each weight as a line, stable or moving."""

from dataclasses import dataclass
from decimal import Decimal

from gateway.drivers.contract import Events, Measured, Progress
from gateway.drivers.line_session import LineFrames
from gateway.model import Reading


@dataclass(frozen=True, slots=True)
class Moving:
    """A weight that is not stable: for the screen only."""

    weight: Decimal


class WeighingFrames(LineFrames):
    """Every line for itself. A frame is recognised whole: a torn one before it may look like its start."""

    frame_fills_line = True

    def stable(self, reading: Reading) -> Events:
        if reading.value("weight") == 0:
            return (Progress("nothing on the scale"),)
        return (Measured(reading),)

    def moving(self, moving: Moving) -> Events:
        return (Progress("weighing" if moving.weight else "nothing on the scale"),)
