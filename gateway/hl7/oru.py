"""ORU^R01: a reading with its patient as an unsolicited result (HL7 v2.5.1 chapter 7, section 7.3.1)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from gateway.errors import Hl7Error
from gateway.hl7 import pcd01
from gateway.hl7.building import DELETE, Er7, Field, SegmentValues, build
from gateway.hl7.ekg_results import EkgParts, ekg_results
from gateway.hl7.extra_segments import Facts, with_extra
from gateway.hl7.profiles import Code, Profile
from gateway.model import Encounter, Observation, Patient, Reading
from gateway.model.vocabulary import UNITS, ReadingKind, Term, term

# LOINC panels; a kind without one is ordered by its first observation's own code.
PANELS: Mapping[ReadingKind, tuple[str, str]] = MappingProxyType(
    {
        "blood-pressure": ("85354-9", "Blood pressure panel with all children optional"),
        "body-composition": ("85353-1", "Vital signs panel"),
        "pulse-oximetry": ("85353-1", "Vital signs panel"),
        "temperature": ("85353-1", "Vital signs panel"),
        "weight": ("85353-1", "Vital signs panel"),
        "height": ("85353-1", "Vital signs panel"),
        "heart-rate": ("85353-1", "Vital signs panel"),
        "respiration": ("85353-1", "Vital signs panel"),
        "ekg": ("11524-6", "EKG study"),
        "urinalysis": ("24357-6", "Urinalysis macro panel"),
        "hearing": ("89015-2", "Pure tone audiometry panel"),
        "vision": ("98497-1", "Visual acuity panel"),
    }
)
# Table 0163; a site that it lacks is a local code.
SITES: Mapping[str, Code] = MappingProxyType(
    {"left-arm": ("LA", "Left arm", "HL70163"), "right-arm": ("RA", "Right arm", "HL70163")}
)
Amendment = Literal["", "C", "W", "D"]
"""What a message does to an earlier one of its filler number: nothing, correct, take back, delete."""

_TAKING_BACK = frozenset({"W", "D"})

RESULT_STATUS = {"final": "F", "questionable": "R", "rejected": "X", "withdrawn": "W"}
REPORT_STATUS = {"final": "F", "questionable": "R", "rejected": "X", "withdrawn": "C"}


def build_oru(
    reading: Reading,
    patient: Patient,
    encounter: Encounter | None,
    *,
    control_id: str,
    filler_number: str,
    sent_at: datetime,
    profile: Profile,
    amendment: Amendment = "",
    placer_number: str = "",
    ekg: EkgParts | None = None,
) -> bytes:
    """The message that files `reading` with `patient`, or takes it back.

    Parameters
    ----------
    reading : Reading
        With its time; every number leaves with the digits that it has.
    patient : Patient
    encounter : Encounter, optional
    control_id : str
        MSH-10.
    filler_number : str
        OBR-3, the same in every later correction of this reading.
    sent_at : datetime
    profile : Profile
    amendment : {"", "C", "W", "D"}
        A correction says ``C`` in OBR-25, and in OBX-11 of every result that is final; what takes back
        says ``W`` or ``D`` in every OBX-11, with the value that it takes back.
    placer_number : str
        ORC-2 and OBR-2, encoded, of the order that the reading carries out; without one there is no ORC.
    ekg : EkgParts, optional
        Of the reading's recording; the profile says what is sent.

    Raises
    ------
    Hl7Error
        A name or note holds a character that the profile's character set has no code for, or the reading
        has no time, or a time no zone.
    """
    if reading.taken_at is None:
        raise Hl7Error("nobody said when it was measured", segment="OBR", field=7)
    measured_at = profile.time(reading.taken_at)
    segments: list[SegmentValues] = [_header(control_id, sent_at, profile), patient_segment(patient)]
    if encounter is not None:
        segments.append(_visit(encounter))
    placer = Er7(placer_number)
    if placer:
        segments.append(("ORC", {1: "RE", 2: placer, 3: (filler_number, "GATEWAY")}))
    report = _order(reading, filler_number, measured_at, sent_at, profile, amendment)
    segments.append(("OBR", {**report, 2: placer}) if placer else ("OBR", report))
    lines = pcd01.device(reading, profile) if profile.nomenclature == "MDC" else []
    wants_measures = ekg is None or "measures" in profile.ekg
    for number, observation in enumerate(reading.observations if wants_measures else (), len(lines) + 1):
        lines.append(_result(number, observation, reading, measured_at, profile, amendment))
    notes = [*_notes(reading, profile)]
    if ekg is not None:
        found = ekg_results(ekg, profile, first=len(lines) + 1)
        notes = [note for note in notes if note not in found.told] + [*found.notes]
        for number, fields in enumerate(found.results, len(lines) + 1):
            lines.append(_of_recording(number, fields, reading, measured_at, profile, amendment))
    segments += lines
    if reading.status == "rejected" and not lines:
        segments.append(("OBX", {1: 1, 3: _ordered(reading), 11: "X", 14: measured_at}))
    segments += [("NTE", {1: n, 2: "L", 3: note}) for n, note in enumerate(notes, start=1)]
    facts = Facts(reading, patient, encounter, filler_number, placer_number, lambda: measured_at)
    return build(with_extra(segments, profile.extra_segments, facts))


def _header(control_id: str, sent_at: datetime, profile: Profile) -> SegmentValues:
    return (
        "MSH",
        {
            3: profile.sender,
            4: profile.sending_facility,
            5: profile.receiving_application,
            6: profile.receiving_facility,
            7: profile.time(sent_at),
            9: profile.message_type,
            10: control_id,
            11: profile.processing_id,
            12: profile.version,
            15: profile.accept_ack,
            16: profile.application_ack,
            18: profile.character_set,
            21: profile.profile_id,
        },
    )


def patient_segment(patient: Patient, number: int = 1) -> SegmentValues:
    """The patient's PID; `number` is its PID-1."""
    identifiers: Field = [(i.value, "", "", i.authority, i.type) for i in patient.identifiers]
    name = (patient.family_name, patient.given_name, patient.middle_name)
    return ("PID", {1: number, 3: identifiers, 5: name, 7: patient.birth_date, 8: patient.sex})


def _visit(encounter: Encounter) -> SegmentValues:
    visit = encounter.visit
    number: Field = (visit.value, "", "", visit.authority, visit.type) if visit else ""
    return ("PV1", {1: 1, 2: encounter.patient_class or "U", 3: Er7(encounter.location), 19: number})


def _order(
    reading: Reading,
    filler_number: str,
    measured_at: str,
    sent_at: datetime,
    profile: Profile,
    amendment: Amendment,
) -> dict[int, Field]:
    is_pcd = profile.nomenclature == "MDC"
    number = (filler_number, "GATEWAY")
    return {
        1: 1,
        2: number if is_pcd else "",
        3: number,
        4: _own(pcd01.ORDERED if is_pcd else _ordered(reading), profile.codes),
        7: measured_at,
        22: profile.time(sent_at),
        25: "C" if amendment else REPORT_STATUS[reading.status],
    }


def _ordered(reading: Reading) -> tuple[str, str, str]:
    if reading.kind in PANELS:
        return (*PANELS[reading.kind], "LN")
    if reading.observations:
        return _code(reading.observations[0], _term(reading.observations[0], reading))
    return (reading.kind, reading.kind, "L")


def _result(
    number: int,
    observation: Observation,
    reading: Reading,
    measured_at: str,
    profile: Profile,
    amendment: Amendment,
) -> SegmentValues:
    known = _term(observation, reading)
    kind, value = _value(observation)
    fields: dict[int, Field] = {
        1: number,
        2: kind,
        3: _code(observation, known),
        5: DELETE if kind and profile.null_withdrawn and amendment in _TAKING_BACK else value,
        6: _unit(observation),
        11: _status(reading, amendment, has_value=bool(kind)),
        14: measured_at,
        17: ("AMEAS", "Automatic", "HL70259"),
    }
    if profile.nomenclature == "MDC":
        fields |= {
            3: pcd01.code(known) or fields[3],
            4: f"1.0.0.{number - 1}",
            6: pcd01.unit(observation, known) or fields[6],
            8: pcd01.flags(reading, has_value=bool(kind)),
            17: pcd01.AUTOMATIC,
        }
    elif profile.equipment:
        fields[18] = pcd01.instance(reading.device)
    if profile.observation_site and observation.site:
        fields[20] = profile.site_codes.get(observation.site) or _site(observation.site)
    fields[3], fields[6] = _own(fields[3], profile.codes), _own(fields[6], profile.units)
    return ("OBX", fields)


def _of_recording(
    number: int,
    fields: Mapping[int, Field],
    reading: Reading,
    measured_at: str,
    profile: Profile,
    amendment: Amendment,
) -> SegmentValues:
    """A result of an EKG's recording; what takes it back does not repeat it."""
    value = DELETE if amendment in _TAKING_BACK else fields[5]
    status = _status(reading, amendment, has_value=True)
    coded = _own(fields[3], profile.codes)
    return ("OBX", {**fields, 1: number, 3: coded, 5: value, 11: status, 14: measured_at})


def _own(coded: Field, table: Mapping[str, Code]) -> Field:
    """The site's code before the one that it stands for, where the site has one."""
    if isinstance(coded, tuple) and isinstance(coded[0], str) and coded[0] in table:
        return (*table[coded[0]], *coded)
    return coded


def _status(reading: Reading, amendment: Amendment, *, has_value: bool) -> str:
    if amendment in _TAKING_BACK:
        return amendment
    if not has_value:
        return "X"
    status = RESULT_STATUS[reading.status]
    return amendment if amendment and status == "F" else status


def _term(observation: Observation, reading: Reading) -> Term | None:
    return term(observation.name, kind=reading.kind, unit=observation.unit, site=observation.site)


def _code(observation: Observation, known: Term | None) -> tuple[str, str, str]:
    if known is None or known.loinc is None:
        return (observation.name, observation.name, "L")
    return (known.loinc, known.loinc_name or observation.name, "LN")


def _value(observation: Observation) -> tuple[str, Field]:
    if observation.value is None:
        return ("ST", observation.text) if observation.text else ("", "")
    if observation.comparator is None:
        return ("NM", observation.value)
    return ("SN", (observation.comparator, observation.value))


def _unit(observation: Observation) -> Field:
    if not observation.unit:
        return ""
    known = UNITS.get(observation.unit)
    return (observation.unit, known.text if known else "", "UCUM")


def _site(name: str) -> Code:
    return SITES.get(name) or (name, name.replace("-", " "), "L")


def _notes(reading: Reading, profile: Profile) -> Iterator[str]:
    """What the device said besides, and a site that no code expresses."""
    yield from reading.notes
    if profile.observation_site:
        return
    for observation in reading.observations:
        known = _term(observation, reading)
        if observation.site and (known is None or observation.site not in known.sites):
            yield f"{observation.name}: {observation.site}"
