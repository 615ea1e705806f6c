"""How one FHIR server is spoken to: the identifier systems that it knows, and what it can resolve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from gateway.errors import UnsendableError
from gateway.fhir.json_text import JsonObject
from gateway.model import Identifier, Patient

OWN_SYSTEM = "urn:uuid:6f1d7a3c-94f0-5b0e-9c55-0b7f6f2f7d10"
"""Names the identifiers that gateways give, where a site has no URI of its own for them."""

_SPECIAL_IN_TOKEN = str.maketrans({special: f"\\{special}" for special in "\\$,|"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirProfile:
    """One way to say a reading in FHIR R4.

    Parameters
    ----------
    identifier_systems : mapping of str to str
        URI by assigning authority, as the authority stands in PID-3.4 of what the EHR sends.
    own_system : str
        URI of the identifiers that this gateway gives to what it creates.
    patient_reference : {"conditional", "logical"}
        The server looks for the patient (``Patient?identifier=...``) and refuses what it does not find; or
        takes the identifier as it is, for those that resolve no references.
    provenance : bool
        A Provenance goes with each message.
    """

    identifier_systems: Mapping[str, str] = field(default_factory=dict)
    own_system: str = OWN_SYSTEM
    patient_reference: Literal["conditional", "logical"] = "conditional"
    provenance: bool = True

    def subject(self, patient: Patient) -> JsonObject:
        """The patient, by the first identifier whose system is known.

        Raises
        ------
        UnsendableError
            None is: an identifier without its system may be another's.
        """
        for identifier in patient.identifiers:
            if stated := self.identifier(identifier):
                reference = {"reference": f"Patient?{search(stated)}"}
                found = reference if self.patient_reference == "conditional" else {}
                return {**found, "type": "Patient", "identifier": stated}
        authorities = ", ".join(repr(identifier.authority) for identifier in patient.identifiers)
        raise UnsendableError(
            f"no system is configured for the assigning authority {authorities}; add it to identifier_systems"
        )

    def identifier(self, of: Identifier) -> dict[str, str] | None:
        """The identifier with its system; None where nobody has configured one."""
        system = self.identifier_systems.get(of.authority)
        return {"system": system, "value": of.value} if system else None


def search(identifier: Mapping[str, str], parameter: str = "identifier") -> str:
    """The search for that identifier, with what is special in a token or a URL escaped (R4, 3.1.1.5.8.1)."""
    system, value = identifier["system"], identifier["value"]
    token = "|".join(quote(part.translate(_SPECIAL_IN_TOKEN), safe=":/") for part in (system, value))
    return f"{parameter}={token}"
