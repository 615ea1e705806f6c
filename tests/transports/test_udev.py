"""The udev rules in config/: a right to what the drivers declare, and to nothing else."""

import re
from pathlib import Path

from gateway.drivers import SerialLink, UsbLink, registry
from gateway.transports.udev import GROUP, rules

_RULES = Path(__file__).parents[2] / "config" / "60-gateway.rules"
_IDS = re.compile(r'ATTRS?\{idVendor\}=="([0-9a-f]{4})", ATTRS?\{idProduct\}=="([0-9a-f]{4})"')
_CLASS = re.compile(r'ENV\{ID_USB_INTERFACES\}=="\*:([0-9a-f]{2})\?{4}:\*"')


def granting() -> list[str]:
    """The lines that give a right."""
    lines = _RULES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "MODE=" in line and not line.startswith("#")]


def test_the_file_is_what_the_drivers_declare() -> None:
    assert _RULES.read_text(encoding="utf-8") == rules(registry.values())


def test_every_declared_id_is_granted_and_no_other() -> None:
    links = [link for driver in registry.values() for link in driver.links]
    devices = {(link.vendor, link.product) for link in links if isinstance(link, UsbLink) and link.vendor}
    cables = {ids for link in links if isinstance(link, SerialLink) for ids in link.usb_ids}
    found = {(int(match[1], 16), int(match[2], 16)) for line in granting() if (match := _IDS.search(line))}
    assert found == devices | cables


def test_every_class_that_says_what_it_is_is_granted_and_no_other() -> None:
    found = {int(match[1], 16) for line in granting() if (match := _CLASS.search(line))}
    assert found == {0x0F}


def test_no_line_gives_a_right_without_saying_to_what_and_none_to_everybody() -> None:
    for line in granting():
        assert _IDS.search(line) or _CLASS.search(line), line
        assert f'MODE="0660", GROUP="{GROUP}"' in line
