"""Bluetooth adapters by the name that they have in a configuration, each made once."""

import re
from pathlib import Path
from weakref import WeakValueDictionary

from gateway.errors import TransportError
from gateway.transports.bluetooth_adapter import BluetoothAdapter, Radio, SystemRadio

_BLUEZ_NAME = re.compile(r"hci\d+")
_adapters: WeakValueDictionary[str, BluetoothAdapter] = WeakValueDictionary()


def adapter_named(name: str, bonds: Path | None = None) -> BluetoothAdapter:
    """The adapter, the same for all who ask while any of them has it: it connects one device at a time.

    Parameters
    ----------
    name : str
        ``system``, ``hci1``, or bumble's name of a controller.
    bonds : Path, optional
        The folder in which a controller's pairings outlive the program. The first who asks decides.

    Raises
    ------
    TransportError
        A controller is named, and bumble is not installed.
    """
    adapter = _adapters.get(name)
    if adapter is None:
        adapter = _adapters[name] = BluetoothAdapter(_radio(name, bonds))
    return adapter


def _radio(name: str, bonds: Path | None) -> Radio:
    if name == "system":
        return SystemRadio()
    if _BLUEZ_NAME.fullmatch(name):
        return SystemRadio(name)
    try:
        from gateway.transports.hci import HciRadio  # noqa: PLC0415  # bumble is an extra
    except ModuleNotFoundError as error:
        raise TransportError(
            f"{name}: driving a Bluetooth controller needs the package {error.name}; "
            "install gateway[demo], or use the system's adapter"
        ) from error
    return HciRadio(name, bonds)
