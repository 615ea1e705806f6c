"""HL7 version 2: messages read, built, framed, acknowledged and checked, without any I/O."""

from gateway.errors import Hl7Error
from gateway.hl7.message import Message, parse

__all__ = ["Hl7Error", "Message", "parse"]
