"""A maker's protocol in blocks that comes through one characteristic, cut into notifications anywhere."""

from datetime import datetime

from gateway.codecs.framing import Blocks
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import Events
from gateway.drivers.gatt_session import GattFrames


class GattStream(BlockFrames):
    """Every block for itself, and what every Bluetooth device says of itself.

    Subclasses say what a block means.

    Parameters
    ----------
    noun : str
        What events call the device.
    channel : str
        The characteristic of the stream; it is meant where none is named.
    blocks : Blocks
    """

    def __init__(self, noun: str, channel: str, blocks: Blocks) -> None:
        super().__init__(blocks)
        self._values = GattFrames(noun, {channel: self._piece}, clock="off")

    def inquiries(self) -> Events:
        """What every device is asked first."""
        return self._values.inquiries()

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return self._values.received(data, channel, at)

    def _piece(self, data: bytes, at: datetime) -> Events:
        return super().received(data, "", at)
