"""A simulated Bluetooth LE device as it shall be: services, characteristics, and how it is advertised."""

from dataclasses import dataclass
from typing import Literal

from bumble.core import UUID, AdvertisingData

Property = Literal["read", "write", "write-without-response", "notify", "indicate"]

_UUID_LISTS = {
    2: AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    16: AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
}
_LEGACY_ADVERTISEMENT = 31


@dataclass(frozen=True, slots=True)
class VirtualCharacteristic:
    """One value of a device. An `encrypted` one answers only on a paired link."""

    uuid: str
    properties: tuple[Property, ...]
    value: bytes = b""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class VirtualService:
    """A service; one that is not `advertised` is found only after connecting."""

    uuid: str
    characteristics: tuple[VirtualCharacteristic, ...]
    advertised: bool = True


@dataclass(frozen=True, slots=True)
class PeripheralPlan:
    """A device as it shall be: its name, address and services.

    A `private` one is seen under addresses that change, and tells whom it pairs with which it really has.
    One with a `passkey` on its label asks whoever can type for it.
    """

    name: str
    services: tuple[VirtualService, ...]
    address: str = "F0:F1:F2:F3:F4:F5"
    private: bool = False
    passkey: int | None = None


def advertisement(plan: PeripheralPlan) -> bytes:
    """Flags, the advertised services and the name, however long; UUIDs have the low byte first."""
    return bytes(AdvertisingData([*_services(plan), _name(plan)]))


def legacy_advertisement(plan: PeripheralPlan) -> tuple[bytes, bytes]:
    """What is advertised, and what the answer to a scan adds: the name, where all is more than 31 bytes."""
    whole = advertisement(plan)
    if len(whole) <= _LEGACY_ADVERTISEMENT:
        return whole, b""
    return bytes(AdvertisingData(_services(plan))), bytes(AdvertisingData([_name(plan)]))


def _services(plan: PeripheralPlan) -> list[tuple[int, bytes]]:
    uuids = [UUID(service.uuid).to_bytes() for service in plan.services if service.advertised]
    lists = [(_UUID_LISTS[len(uuid)], uuid) for uuid in uuids]
    merged = [(kind, b"".join(uuid for k, uuid in lists if k == kind)) for kind in dict(lists)]
    return [(AdvertisingData.FLAGS, b"\x06"), *merged]


def _name(plan: PeripheralPlan) -> tuple[int, bytes]:
    return AdvertisingData.COMPLETE_LOCAL_NAME, plan.name.encode()
