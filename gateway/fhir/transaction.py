"""A reading with its patient as one transaction (R4, 3.1.0.11.2): all of it is filed, or nothing.

Everything that is created carries an identifier of the gateway's own and is created only where no resource
has it (``ifNoneExist``), so that the same bytes sent again change nothing. What corrects or takes back is an
update of what has that identifier. The identifier names the reading and the encounter that it was filed with:
a reading that moves to another patient is a new Observation there, and stays, entered in error, where it was.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import NAMESPACE_URL, uuid5

from gateway.errors import UnsendableError
from gateway.fhir import terminology as t
from gateway.fhir.json_text import JsonObject, JsonValue, json_text
from gateway.fhir.observations import concept, notes, observations, ordered, status
from gateway.fhir.profile import FhirProfile, search
from gateway.hl7.oru import Amendment
from gateway.hl7.pcd01 import SPECIALISATIONS
from gateway.model import Device, Encounter, Identifier, Patient, Reading

ACTIVITIES: Mapping[Amendment, str] = MappingProxyType(
    {"": "CREATE", "C": "UPDATE", "W": "NULLIFY", "D": "NULLIFY"}
)
_DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_PAIRS = re.compile(r"(?:[0-9A-F]{2}[:-]?){5,7}[0-9A-F]{2}")
_HARDWARE_SYSTEMS = {8: t.EUI_64, 6: t.BLUETOOTH}


def build_transaction(
    reading: Reading,
    patient: Patient,
    encounter: Encounter | None,
    *,
    control_id: str,
    record: str,
    sent_at: datetime,
    profile: FhirProfile,
    amendment: Amendment = "",
    placer_number: str = "",
) -> bytes:
    """The Bundle that files `reading` with `patient`, corrects it there, or takes it back.

    Parameters
    ----------
    reading : Reading
        With its time; every number leaves with the digits that it has.
    patient : Patient
    encounter : Encounter, optional
        Named by its visit number, where the system of that is known.
    control_id : str
        Of this message, unique for ever.
    record : str
        Of what was measured: the same in every later correction with this patient.
    sent_at : datetime
    profile : FhirProfile
    amendment : {"", "C", "W", "D"}
        ``C`` corrects; ``W`` and ``D`` both mean ``entered-in-error``, for FHIR knows one way to take back.
    placer_number : str
        The order that it carries out, as ORC-2 had it.

    Raises
    ------
    UnsendableError
        No identifier system of the patient is configured; or the reading has no time, a time without a zone,
        or a value that is no number.
    """
    if reading.taken_at is None or reading.taken_at.tzinfo is None:
        raise UnsendableError("effectiveDateTime: nobody said when it was measured, with its zone")
    entries = _Entries(reading, control_id, record, sent_at, profile, amendment, placer_number)
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "identifier": {"system": profile.own_system, "value": control_id},
        "type": "transaction",
        "timestamp": _instant(sent_at),
        "entry": list(entries.made(patient, encounter)),
    }
    try:
        return json_text(bundle).encode()
    except ValueError as error:
        raise UnsendableError(f"valueQuantity: {error}") from None


@dataclass(frozen=True, slots=True)
class _Entries:
    """What the entries of one transaction have in common."""

    reading: Reading
    control_id: str
    record: str
    sent_at: datetime
    profile: FhirProfile
    amendment: Amendment
    placer_number: str

    def made(self, patient: Patient, encounter: Encounter | None) -> Iterator[JsonObject]:
        device = device_resource(self.reading, self.profile)
        if device is not None:
            yield self._created(device)
        common = self._common(patient, encounter)
        measured_by = self._measured_by(device)
        results: list[str] = []
        for number, measured in enumerate(observations(self.reading), start=1):
            identifier = self._own(f"{self.record}-{number}")
            results.append(_full_url(identifier))
            head = {"resourceType": "Observation", **identified(identifier)}
            yield self._filed({**head, **common, **measured, **measured_by})
        targets = list(results)
        if self.reading.kind in t.SERVICES:
            report = self._report(common, results)
            targets.append(_full_url(self._own(self.record)))
            yield self._filed(report)
        if self.profile.provenance:
            yield self._provenance(targets, device)

    def _common(self, patient: Patient, encounter: Encounter | None) -> dict[str, JsonValue]:
        assert self.reading.taken_at is not None
        visit = encounter.visit if encounter else None
        visited = self.profile.identifier(visit) if visit else None
        return {
            **({"basedOn": [self._order()]} if self.placer_number else {}),
            "status": status(self.reading, self.amendment),
            "subject": self.profile.subject(patient),
            **({"encounter": {"type": "Encounter", "identifier": visited}} if visited else {}),
            "effectiveDateTime": self.reading.taken_at.isoformat(),
            "issued": _instant(self.sent_at),
        }

    def _order(self) -> JsonObject:
        number, _, authority = self.placer_number.partition("^")
        placed = Identifier(number, authority.partition("^")[0])
        return {"type": "ServiceRequest", "identifier": self.profile.identifier(placed) or {"value": number}}

    def _measured_by(self, device: JsonObject | None) -> dict[str, JsonValue]:
        return {"device": {"reference": _full_url(_first_identifier(device))}} if device else {}

    def _report(self, common: Mapping[str, JsonValue], results: Sequence[str]) -> JsonObject:
        said = notes(self.reading)
        return {
            "resourceType": "DiagnosticReport",
            **identified(self._own(self.record)),
            **common,
            "category": [concept(t.SERVICE, *t.SERVICES[self.reading.kind])],
            "code": ordered(self.reading),
            "result": [{"reference": result} for result in results],
            **({"conclusion": "\n".join(said)} if said else {}),
        }

    def _provenance(self, targets: Sequence[str], device: JsonObject | None) -> JsonObject:
        assert self.reading.taken_at is not None
        tag = {"system": self.profile.own_system, "code": self.control_id}
        agents = [_agent("assembler", {"type": "Device", "display": "Gateway"})]
        if device is not None:
            agents.insert(0, _agent("performer", {"reference": _full_url(_first_identifier(device))}))
        resource: JsonObject = {
            "resourceType": "Provenance",
            "meta": {"tag": [tag]},
            "target": [{"reference": target} for target in targets],
            "occurredDateTime": self.reading.taken_at.isoformat(),
            "recorded": _instant(self.sent_at),
            "activity": {"coding": [{"system": _DATA_OPERATION, "code": ACTIVITIES[self.amendment]}]},
            "agent": agents,
        }
        # the one resource of these that has no identifier to be found by
        named = {"system": self.profile.own_system, "value": self.control_id}
        return _entry(_full_url(named), resource, _create("Provenance", search(named, "_tag")))

    def _own(self, value: str) -> dict[str, str]:
        return {"system": self.profile.own_system, "value": value}

    def _created(self, resource: JsonObject) -> JsonObject:
        identifier = _first_identifier(resource)
        request = _create(str(resource["resourceType"]), search(identifier))
        return _entry(_full_url(identifier), resource, request)

    def _filed(self, resource: JsonObject) -> JsonObject:
        if not self.amendment:
            return self._created(resource)
        identifier = _first_identifier(resource)
        url = f"{resource['resourceType']}?{search(identifier)}"
        return _entry(_full_url(identifier), resource, {"method": "PUT", "url": url})


def device_resource(reading: Reading, profile: FhirProfile) -> JsonObject | None:
    """The device by its identity; None where it has none by which it could be found again."""
    device = reading.device
    identifiers = list(_device_identifiers(device, profile))
    if not identifiers:
        return None
    kind = SPECIALISATIONS.get(reading.kind)
    stated = {"manufacturer": device.vendor, "serialNumber": device.serial}
    return {
        "resourceType": "Device",
        "identifier": identifiers,
        "status": "active",
        **{name: value for name, value in stated.items() if value},
        **({"deviceName": [{"name": device.model, "type": "model-name"}]} if device.model else {}),
        **({"type": concept(t.MDC, *kind)} if kind else {}),
    }


def _device_identifiers(device: Device, profile: FhirProfile) -> Iterator[JsonObject]:
    """Hardware addresses by their own systems; a serial number means something only with maker and model."""
    hardware = (device.id or "").upper()
    if _PAIRS.fullmatch(hardware):
        digits = re.sub("[:-]", "", hardware)
        pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
        if len(pairs) in _HARDWARE_SYSTEMS:
            yield {"system": _HARDWARE_SYSTEMS[len(pairs)], "value": "-".join(pairs)}
    if device.serial:
        made = " ".join(filter(None, (device.vendor, device.model, device.serial)))
        yield {"system": profile.own_system, "value": made}
    elif device.id and not _PAIRS.fullmatch(hardware):
        yield {"system": profile.own_system, "value": device.id}


def identified(identifier: Mapping[str, str]) -> JsonObject:
    return {"identifier": [identifier]}


def _first_identifier(resource: JsonObject) -> Mapping[str, str]:
    found = resource["identifier"]
    assert isinstance(found, list)
    first: Mapping[str, str] = found[0]
    return first


def _agent(role: str, who: JsonObject) -> JsonObject:
    return {"type": {"coding": [{"system": t.PARTICIPANT, "code": role}]}, "who": who}


def _full_url(identifier: Mapping[str, str]) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, '|'.join((identifier['system'], identifier['value'])))}"


def _create(kind: str, if_none_exist: str) -> JsonObject:
    return {"method": "POST", "url": kind, "ifNoneExist": if_none_exist}


def _entry(full_url: str, resource: JsonObject, request: JsonObject) -> JsonObject:
    return {"fullUrl": full_url, "resource": resource, "request": request}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
