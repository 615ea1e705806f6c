"""Why the fake EHR does not take a message."""

from gateway.hl7 import Message
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.independent_check import structure_faults

_SEGMENT_SEQUENCE = 100  # table 0357


def validated(message: Message) -> Refusal | None:
    """The first thing that is wrong with the message, or None. Takes tens of milliseconds."""
    fault = next(iter(structure_faults(message)), None)
    return None if fault is None else Refusal(_SEGMENT_SEQUENCE, fault)
