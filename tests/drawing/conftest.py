"""Recordings that are drawn: the synthetic EKG, with a patient who is invented."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from gateway.model import DeviceMeasurement, EkgRecording
from gateway.testing.synthetic_ekg import synthetic_recording


@pytest.fixture(scope="session")
def resting() -> EkgRecording:
    return replace(
        synthetic_recording(sample_rate_hz=500),
        started_at=datetime.fromisoformat("2026-03-02T09:14:05-05:00"),
        filters={"high_pass_hz": "0.05", "low_pass_hz": "150"},
        patient_fields={
            "id": "P-17",
            "family_name": "Testpatient",
            "given_name": "Alma",
            "birth_date": "1961-04-17",
            "sex": "female",
        },
        device_measurements={
            "heart-rate": DeviceMeasurement(Decimal("76"), "/min"),
            "qtc-interval": DeviceMeasurement(Decimal("431"), "ms"),
        },
        statements=("Sinus rhythm", "Normal EKG"),
    )
