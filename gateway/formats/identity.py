"""An identifier of a recording that is made from its content, so that the same recording has the same one."""

import uuid
from hashlib import sha256

import numpy as np

from gateway.model.ekg import EkgRecording


def identifier(recording: EkgRecording, *more: str) -> uuid.UUID:
    """A UUID of samples, leads, time and any texts besides, by the rules of version 8 (RFC 9562)."""
    digest = sha256(repr((recording.leads, recording.sample_rate_hz, recording.started_at, *more)).encode())
    digest.update(np.ascontiguousarray(recording.samples_mv).tobytes())
    octets = bytearray(digest.digest()[:16])
    octets[6], octets[8] = octets[6] & 0x0F | 0x80, octets[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(octets))
