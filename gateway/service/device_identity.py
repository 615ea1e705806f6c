"""By which names a device is known: to the configuration, to itself, and to whoever speaks of it."""

import re
import sqlite3
from collections.abc import Collection, Mapping

from gateway.model import Device
from gateway.store import readings

_HARDWARE_ADDRESS = re.compile(r"([0-9A-F]{12}|[0-9A-F]{16})", re.ASCII)


def identity(text: str) -> str:
    """An identifier as it is compared: an EUI-48 or EUI-64 by its digits alone, any other as it stands."""
    bare = text.replace(":", "").replace("-", "").upper()
    return bare if _HARDWARE_ADDRESS.fullmatch(bare) else text


def identities(name: str, device: Device) -> frozenset[str]:
    """The device's name in the configuration, its serial number and its address."""
    return frozenset(identity(text) for text in (name, device.serial, device.id) if text)


def meant(
    db: sqlite3.Connection, devices: Mapping[str, Device], stated: Collection[str]
) -> Mapping[str, frozenset[str]]:
    """The devices that are known by one of the stated identifiers, each with those by which it is.

    Parameters
    ----------
    db : sqlite3.Connection
        Its latest reading tells what a device says of itself.
    devices : mapping of str to Device
        As the configuration has them, by name.
    stated : collection of str
    """
    wanted = frozenset(map(identity, stated))
    found = {}
    for name, configured in devices.items():
        known = identities(name, configured) | identities(name, readings.latest_device(db, name))
        if shared := wanted & known:
            found[name] = shared
    return found
