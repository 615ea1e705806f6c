"""Whether a message holds: its structure, its fields, their types and tables, and a profile's rules."""

from gateway.hl7.validation.faults import MessageFault
from gateway.hl7.validation.profile_rules import VALIDATED_PROFILES
from gateway.hl7.validation.validator import validate

__all__ = ["VALIDATED_PROFILES", "MessageFault", "validate"]
