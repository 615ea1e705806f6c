"""Drivers: one module a device family, and what they are made of.

A driver turns bytes into readings and does nothing else. Start from :class:`Driver` and
:class:`Session`; :data:`registry` holds what is installed, by id.
"""

from gateway.drivers.contract import (
    CLOCK,
    BleLink,
    ClockRead,
    ClockSet,
    ClockUse,
    Close,
    Driver,
    Event,
    Events,
    Fault,
    FolderLink,
    Identified,
    Link,
    Measured,
    Progress,
    Read,
    Send,
    SerialLink,
    Session,
    SetTimer,
    Setting,
    Subscribe,
    TcpLink,
    Unfinished,
    UsbLink,
    clock_setting,
)
from gateway.drivers.conversation import Conversation
from gateway.drivers.registry import DriverError, load, registry
from gateway.drivers.serial_line import SerialLine, declared_lines, on_line

__all__ = [
    "CLOCK",
    "BleLink",
    "ClockRead",
    "ClockSet",
    "ClockUse",
    "Close",
    "Conversation",
    "Driver",
    "DriverError",
    "Event",
    "Events",
    "Fault",
    "FolderLink",
    "Identified",
    "Link",
    "Measured",
    "Progress",
    "Read",
    "Send",
    "SerialLine",
    "SerialLink",
    "Session",
    "SetTimer",
    "Setting",
    "Subscribe",
    "TcpLink",
    "Unfinished",
    "UsbLink",
    "clock_setting",
    "declared_lines",
    "load",
    "on_line",
    "registry",
]
