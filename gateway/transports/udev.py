"""The udev rules that give one group the right to the devices that the drivers declare, and to no others.

A device is named by its ids; a class that says what its devices are (personal healthcare) stands for all of
its devices. A HID interface does not tell its usage to udev, so that a scale of unknown ids needs a line of
its own. Ports of a maker's own cable are named too, and left alone by ModemManager, which would type at them.
"""

from collections.abc import Iterable, Iterator

from gateway.drivers import Driver, SerialLink, UsbLink

GROUP = "gateway"

_DEVICE = 'SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
_GRANT = f'MODE="0660", GROUP="{GROUP}"'
_HEAD = f"""\
# Written by docs/reference/generate.py from what the drivers declare; change the drivers, not this file.
# The right to these USB devices, and to no others, for members of the group {GROUP}.
ACTION=="remove", GOTO="gateway_end"
"""
_END = 'LABEL="gateway_end"\n'


def rules(drivers: Iterable[Driver]) -> str:
    """The content of a rules file, in the order of the drivers' ids."""
    lines = (line for driver in sorted(drivers, key=lambda each: each.id) for line in _of_driver(driver))
    return "\n".join((_HEAD, *lines, _END))


def _of_driver(driver: Driver) -> Iterator[str]:
    granted = list(dict.fromkeys(line for link in driver.links for line in _of_link(link)))
    if granted:
        yield f"# {driver.id}"
        yield from granted
        yield ""


def _of_link(link: object) -> Iterator[str]:
    match link:
        case UsbLink(vendor=int(vendor), product=product):
            named = f', ATTR{{idProduct}}=="{product:04x}"' if product is not None else ""
            yield f'{_DEVICE}ATTR{{idVendor}}=="{vendor:04x}"{named}, {_GRANT}'
        case UsbLink(interface_class=int(interface_class), usage=None):
            yield f'{_DEVICE}ENV{{ID_USB_INTERFACES}}=="*:{interface_class:02x}????:*", {_GRANT}'
        case SerialLink(usb_ids=usb_ids):
            for vendor, product in usb_ids:
                ids = f'ATTRS{{idVendor}}=="{vendor:04x}", ATTRS{{idProduct}}=="{product:04x}"'
                yield f'SUBSYSTEM=="tty", {ids}, {_GRANT}, ENV{{ID_MM_DEVICE_IGNORE}}="1"'
        case _:
            return
