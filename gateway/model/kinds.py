"""Every kind of reading and of device, by its one name."""

from typing import Literal

ReadingKind = Literal[
    "blood-pressure",
    "temperature",
    "weight",
    "height",
    "body-composition",
    "pulse-oximetry",
    "heart-rate",
    "respiration",
    "glucose",
    "urinalysis",
    "pregnancy-test",
    "laboratory",
    "vision",
    "hearing",
    "ekg",
    "pain",
]
DeviceKind = Literal[
    "blood-pressure-monitor",
    "thermometer",
    "scale",
    "stadiometer",
    "pulse-oximeter",
    "heart-rate-monitor",
    "glucose-meter",
    "urinalysis-reader",
    "analyser",
    "vision-screener",
    "audiometer",
    "ekg",
]
