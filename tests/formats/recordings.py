"""Invented recordings, and the bytes of small files that hold them."""

import struct
from binascii import crc_hqx
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.formats import aecg_writer
from gateway.model import Device, DeviceMeasurement, EkgGroup, EkgRecording

LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")


def twelve_leads(samples: int = 100, step_mv: float = 0.005) -> EkgRecording:
    """Counts that walk at random, with limb leads that obey their equations."""
    counts = np.cumsum(np.random.default_rng(7).integers(-6, 7, (8, samples)), axis=1) * 2.0
    one, two = counts[:2]
    limb = (one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    samples_mv: NDArray[np.float64] = np.stack([*limb, *counts[2:]]) * step_mv
    return EkgRecording(
        format="HL7 aECG",
        format_version="",
        leads=(*LIMB, *(f"V{n}" for n in range(1, 7))),
        samples_mv=samples_mv,
        sample_rate_hz=500.0,
        started_at=datetime.fromisoformat("2026-03-02T09:14:05-05:00"),
        device=Device(vendor="Invented", model="E12", serial="0042"),
        filters={"high_pass_hz": "0.05", "low_pass_hz": "150", "mains_hz": "60"},
        patient_fields={
            "id": "P-17",
            "family_name": "Muster",
            "given_name": "Erika",
            "sex": "female",
            "birth_date": "1964-08-12",
            "age": "61 a",
        },
        device_measurements={
            "heart-rate": DeviceMeasurement(Decimal(72), "/min"),
            "qrs-axis": DeviceMeasurement(Decimal(-61), "deg"),
        },
        statements=("Sinus rhythm", "Normal EKG"),
        groups=(EkgGroup("median", LIMB[:2], samples_mv[:2, :20], 1000.0),),
    )


def aecg_bytes(recording: EkgRecording) -> bytes:
    """The recording as an aECG document."""
    return aecg_writer.write(aecg_writer.fit(recording), "ekg.xml")["ekg.xml"]


def scp_section(number: int, body: bytes, protocol: int = 20) -> bytes:
    reserved = b"SCPECG" if number == 0 else bytes(6)
    tail = struct.pack("<HIBB", number, 16 + len(body), protocol, protocol) + reserved + body
    return struct.pack("<H", crc_hqx(tail, 0xFFFF)) + tail


def scp_file(sections: dict[int, bytes]) -> bytes:
    """An SCP-ECG record of the bodies of its sections, pointers and CRCs in order."""
    at, pointers, bodies = 6 + 16 + 120, b"", b""
    for number in range(1, 12):
        body = scp_section(number, sections[number]) if number in sections else b""
        pointers += struct.pack("<HII", number, len(body), at + 1 if body else 0)
        bodies += body
        at += len(body)
    record = scp_section(0, struct.pack("<HII", 0, 136, 7) + pointers) + bodies
    tail = struct.pack("<I", 6 + len(record)) + record
    return struct.pack("<H", crc_hqx(tail, 0xFFFF)) + tail


def scp_leads(codes: tuple[int, ...], samples: int, *, flags: int = 4, first: int = 1) -> bytes:
    rows = b"".join(struct.pack("<IIB", first, samples, code) for code in codes)
    return bytes([len(codes), flags]) + rows


def scp_stream(
    leads: tuple[bytes, ...],
    *,
    nv: int = 2500,
    interval_us: int = 2000,
    differences: int = 0,
    bimodal: int = 0,
) -> bytes:
    sizes = b"".join(struct.pack("<H", len(lead)) for lead in leads)
    return struct.pack("<HHBB", nv, interval_us, differences, bimodal) + sizes + b"".join(leads)


def bits(text: str) -> bytes:
    """Bytes of a bit string, padded with zeros; blanks are for the reader's eye."""
    stream = text.replace(" ", "")
    stream += "0" * (-len(stream) % 8)
    return int(stream, 2).to_bytes(len(stream) // 8, "big") if stream else b""
