"""Device Information Service, 0x180A, and Battery Level, 0x2A19.

Texts are UTF-8 without terminator by the specification; many devices pad them with NUL or blanks.
Source: Device Information Service 1.2; Battery Service 1.0.
"""

from gateway.errors import DecodeError

MANUFACTURER = "2A29"
MODEL = "2A24"
SERIAL = "2A25"
BATTERY_LEVEL = "2A19"


def decode_text(value: bytes) -> str | None:
    """A device's name for itself, None where it is blank. What is no UTF-8 is shown as a replacement."""
    return value.decode("utf-8", "replace").strip("\0 \t\r\n") or None


def decode_battery_level(value: bytes) -> int:
    """Percent.

    Raises
    ------
    DecodeError
        No byte, or one above 100, which is reserved.
    """
    if not value:
        raise DecodeError("length", "battery level is cut off", offset=0)
    if value[0] > 100:
        raise DecodeError("value", f"battery level {value[0]}, at most 100 expected", offset=0)
    return value[0]
