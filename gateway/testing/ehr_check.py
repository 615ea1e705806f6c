"""Why the fake EHR does not take a message: by the gateway's own validation, and by hl7apy's as well."""

from gateway.hl7 import Message
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.independent_check import place_of, structure_faults
from gateway.hl7.validation import validate
from gateway.hl7.validation.faults import MessageFault, Rule

_CODES: dict[Rule, int] = {
    "encoding": 102,
    "structure": 100,
    "required": 101,
    "cardinality": 102,
    "length": 102,
    "type": 102,
    "table": 103,
    "profile": 102,
}
"""Table 0357, by the rule that is broken."""


def validated(message: Message, profile: str | None = None) -> Refusal | None:
    """The first thing that is wrong with the message, or None. Takes tens of milliseconds.

    Parameters
    ----------
    message : Message
    profile : str, optional
        Of ``gateway hl7 validate``: its rules count as well.
    """
    for fault in validate(message.data, profile):
        return _refusal(fault)
    for text in structure_faults(message):
        segment, field, _ = place_of(text)
        return Refusal(_CODES["structure"], text, segment, field)
    return None


def _refusal(fault: MessageFault) -> Refusal:
    return Refusal(_CODES[fault.rule], str(fault), fault.segment, fault.field)
