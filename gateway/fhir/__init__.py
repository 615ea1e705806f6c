"""FHIR R4: readings as transactions, and what a server's answers mean, without any I/O."""

from gateway.fhir.profile import FhirProfile
from gateway.fhir.transaction import build_transaction

__all__ = ["FhirProfile", "build_transaction"]
