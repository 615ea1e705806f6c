"""What a careful EHR holds against a message, to be given to :class:`~gateway.testing.fake_ehr.FakeEhr`."""

from gateway.hl7 import Message
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.independent_check import structure_faults


def well_built(message: Message) -> Refusal | None:
    """Refuse what an independent reader cannot make sense of."""
    faults = structure_faults(message)
    return Refusal(100, faults[0]) if faults else None
