"""Exemplar kiosk, an invented one: leaves files ``height=1.72`` in a folder, metres."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.drivers import Driver, Events, Fault, FolderLink, Measured
from gateway.model import Observation, Reading


@dataclass(slots=True)
class Session:
    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        match = re.fullmatch(rb"height=(\d\.\d\d)\s*", data)
        if match is None:
            return (Fault("layout", f"{channel} holds no height", 0),)
        observation = Observation("height", Decimal(match[1].decode()), "m")
        return (Measured(Reading(kind="height", observations=(observation,)).taken(at, by="gateway")),)


DRIVER = Driver(
    id="exemplar-kiosk",
    vendor="Exemplar",
    models=("K1",),
    kind="stadiometer",
    emits={"height": ("m",)},
    links=(FolderLink(patterns=("*.txt",)),),
    evidence="manual",
    session=Session,
)
