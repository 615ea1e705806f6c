"""Which driver fits a device that is there: by what its link says, and only where there is no doubt.

What a device says of itself ranges from much to nothing. A maker's USB ids or an advertised name tell the
device; a Bluetooth service or a USB class tells what it speaks; the ids of a USB-serial chip tell the cable,
which fits any device of any maker, and never the device at its end.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bleak.uuids import normalize_uuid_str

from gateway.drivers import BleLink, Driver, Link, SerialLink, UsbLink
from gateway.transports.presence import Present

USB_SERIAL_CHIPS = {
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6010): "FTDI FT2232",
    (0x0403, 0x6011): "FTDI FT4232",
    (0x0403, 0x6014): "FTDI FT232H",
    (0x0403, 0x6015): "FTDI FT-X",
    (0x067B, 0x2303): "Prolific PL2303",
    (0x067B, 0x23A3): "Prolific PL2303GC",
    (0x10C4, 0xEA60): "Silicon Labs CP210x",
    (0x10C4, 0xEA70): "Silicon Labs CP2105",
    (0x10C4, 0xEA71): "Silicon Labs CP2108",
    (0x1A86, 0x5523): "WCH CH341",
    (0x1A86, 0x7523): "WCH CH340",
    (0x1A86, 0x55D4): "WCH CH9102",
    (0x04D8, 0x00DD): "Microchip MCP2221",
    (0x0483, 0x5740): "STM32 virtual port",
    (0x0451, 0x3410): "TI TUSB3410",
}
# Human interface devices are keyboards first of all, and 0xFF is each vendor's own.
_CLASSES_OF_ANYTHING = {0x03, 0xFF}
_THE_DEVICE, _WHAT_IT_SPEAKS = 2, 1


@dataclass(frozen=True, slots=True)
class Match:
    """What fits a device.

    Parameters
    ----------
    driver : str, optional
        The one that fits, where no other fits as well.
    candidates : tuple of str
        All that may fit, the better first.
    note : str
        Why there is no single one.
    """

    driver: str | None
    candidates: tuple[str, ...]
    note: str


def match(present: Present, drivers: Iterable[Driver]) -> Match:
    """The driver for a device, if what it says of itself tells."""
    ranked = {
        driver.id: max((_rank(link, present) for link in driver.links), default=0) for driver in drivers
    }
    best = max(ranked.values(), default=0)
    candidates = tuple(sorted((d for d, rank in ranked.items() if rank), key=lambda d: (-ranked[d], d)))
    leading = [driver for driver in candidates if ranked[driver] == best]
    chip = USB_SERIAL_CHIPS.get(present.usb_ids or (0, 0))
    if chip is not None:
        return Match(None, candidates, f"{chip}: the cable's chip, which does not tell what hangs on it")
    if len(leading) == 1:
        return Match(leading[0], candidates, "")
    if leading:
        return Match(None, candidates, "several fit")
    if present.transport == "serial":
        return Match(None, (), "a serial port does not tell what hangs on it")
    return Match(None, (), "no driver fits")


def _rank(link: Link, present: Present) -> int:
    """How much of `present` the link describes; 0 where it is not this device, or could be any."""
    match link:
        case SerialLink() if present.transport == "serial":
            return _THE_DEVICE if present.usb_ids in link.usb_ids else 0
        case UsbLink() if present.transport == "usb":
            return _usb_rank(link, present)
        case BleLink() if present.transport == "ble":
            return _ble_rank(link, present)
        case _:
            return 0


def _usb_rank(link: UsbLink, present: Present) -> int:
    if link.interface_class not in {None, *present.interface_classes}:
        return 0
    if link.vendor is None:
        return 0 if link.interface_class in {None, *_CLASSES_OF_ANYTHING} else _WHAT_IT_SPEAKS
    assert present.usb_ids is not None
    vendor, product = present.usb_ids
    return _THE_DEVICE if link.vendor == vendor and link.product in {None, product} else 0


def _ble_rank(link: BleLink, present: Present) -> int:
    wanted = {normalize_uuid_str(uuid) for uuid in link.services}
    if not present.services >= wanted:
        return 0
    if link.name is not None:
        return _THE_DEVICE if re.fullmatch(link.name, present.name) else 0
    return _WHAT_IT_SPEAKS if wanted else 0
