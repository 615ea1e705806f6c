"""Device Information Service, 0x180A, and Battery Service, 0x180F.

==================================  ===============================================================
value                               fields
==================================  ===============================================================
manufacturer, model, serial number  UTF-8 without terminator by the specification; many devices pad
and the revisions of firmware,      with NUL or blanks, some to an even length
hardware and software
System ID 0x2A23                    40 bits that the manufacturer gave, then its 24-bit identifier; the
                                    whole is little-endian, and often the address around FF FE
PnP ID 0x2A50                       source uint8 (1 Bluetooth SIG, 2 USB), then vendor, product and
                                    version, uint16 each
Battery Level 0x2A19                percent, above 100 reserved
==================================  ===============================================================

Source: Device Information Service 1.2; Battery Service 1.0. Evidence: specification, captures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.codecs.gatt.fields import Fields
from gateway.errors import DecodeError

MANUFACTURER = "2A29"
MODEL = "2A24"
SERIAL = "2A25"
SYSTEM_ID = "2A23"
PNP_ID = "2A50"
CERTIFICATION = "2A2A"
BATTERY_LEVEL = "2A19"
REVISIONS: Mapping[str, str] = MappingProxyType({"2A26": "firmware", "2A27": "hardware", "2A28": "software"})
"""Characteristics that hold a revision, and of what."""

_SYSTEM_ID_SIZE = 8
_VENDOR_SOURCES = {1: "Bluetooth SIG", 2: "USB"}


@dataclass(frozen=True, slots=True)
class PnpId:
    """A value of 0x2A50. `source` says who gave the vendor its number."""

    source: str
    vendor: int
    product: int
    version: int


def decode_text(value: bytes) -> str | None:
    """A device's name for itself, None where it is blank. What is no UTF-8 is shown as a replacement."""
    return value.decode("utf-8", "replace").strip("\0 \t\r\n") or None


def decode_system_id(value: bytes) -> str:
    """A value of 0x2A23 as an EUI-64 is written, the manufacturer's identifier first.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).take("system-id", _SYSTEM_ID_SIZE)[::-1].hex("-").upper()


def decode_pnp_id(value: bytes) -> PnpId:
    """A value of 0x2A50.

    Raises
    ------
    DecodeError
        A field is cut off.
    """
    fields = Fields(value)
    source = fields.unsigned("vendor-id-source", 1)
    return PnpId(
        _VENDOR_SOURCES.get(source, f"reserved source {source}"),
        *(fields.unsigned(name, 2) for name in ("vendor-id", "product-id", "product-version")),
    )


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
