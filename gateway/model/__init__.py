"""The words of the project: readings, devices, patients, EKGs, and the vocabulary of what is measured."""

from gateway.model.ekg import STANDARD_LEADS, DeviceMeasurement, EkgGroup, EkgRecording
from gateway.model.order import Order
from gateway.model.patient import Encounter, Identifier, Patient
from gateway.model.reading import UNKNOWN_TIME, Device, Observation, Reading, Sent, Status, rejected
from gateway.model.vocabulary import ReadingKind

__all__ = [
    "STANDARD_LEADS",
    "UNKNOWN_TIME",
    "Device",
    "DeviceMeasurement",
    "EkgGroup",
    "EkgRecording",
    "Encounter",
    "Identifier",
    "Observation",
    "Order",
    "Patient",
    "Reading",
    "ReadingKind",
    "Sent",
    "Status",
    "rejected",
]
