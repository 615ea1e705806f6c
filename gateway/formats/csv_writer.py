"""CSV: one column a lead, in mV, named by the lead; a sample without signal is an empty field.

The sample rate has no place in it.
"""

import numpy as np

from gateway.model.ekg import EkgRecording


def write(recording: EkgRecording) -> bytes:
    """The leads as UTF-8 text, CRLF at line ends (RFC 4180), values of twelve significant digits."""
    rows = np.char.mod("%.12g", recording.samples_mv.T)
    body = "\r\n".join(",".join(row) for row in rows.tolist()).replace("nan", "")
    return f"{','.join(map(_quoted, recording.leads))}\r\n{body}\r\n".encode()


def _quoted(lead: str) -> str:
    return '"' + lead.replace('"', '""') + '"' if set(lead) & set(',"\r\n') else lead
