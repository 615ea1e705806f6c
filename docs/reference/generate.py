"""Writes the pages of this folder that are read off the code: ``python docs/reference/generate.py``."""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import click

from gateway import gdt
from gateway.cli import COMMANDS, cli
from gateway.drivers import contract, registry
from gateway.fhir import FhirProfile, build_transaction, terminology
from gateway.fhir.observations import STATUS
from gateway.hl7 import Message, extra_segments, oru, parse, pcd01
from gateway.hl7.profiles import PROFILES, Profile
from gateway.model import Device, Encounter, Identifier, Observation, Patient, Reading, rejected
from gateway.model.terms import TERMS
from gateway.model.vocabulary import UNITS, Term
from gateway.testing import session_fixture
from gateway.transports import udev

HERE = Path(__file__).parent
_WRITTEN = "<!-- Written by docs/reference/generate.py; change the code, not this page. -->\n"
_WIDTH = 100


def commands() -> str:
    """Every command with its help, as a terminal shows it."""
    overview = "\n".join(f"- [`{path}`](#{path.replace(' ', '-')})" for path, _ in _commands())
    details = "\n".join(f"\n## `{path}`\n\n```text\n{help_text}\n```" for path, help_text in _commands())
    return (
        f"# Commands\n\n{_WRITTEN}\n"
        "Data goes to standard output, errors as one line each to standard error. Exit code 0: done; "
        "1: what was checked does not hold; 2: bad usage or input; 130: interrupted.\n"
        f"\n{overview}\n{details}\n"
    )


def _commands() -> Iterator[tuple[str, str]]:
    root = click.Context(cli, info_name="gateway", **{**cli.context_settings, "terminal_width": _WIDTH})
    yield "gateway", cli.get_help(root)
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        yield from _with_children(command, name, root)


def _with_children(command: click.Command, name: str, parent: click.Context) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, parent=parent)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from _with_children(child, child_name, context)


def vocabulary() -> str:
    """Every name of an observation, with its codes, units and limits of plausibility."""
    rows = "\n".join(_row(term) for term in TERMS)
    units = "\n".join(f"| `{code}` | {unit.text} | {unit.mdc or ''} |" for code, unit in UNITS.items())
    return (
        f"# Vocabulary\n\n{_WRITTEN}\n"
        "What an observation can be called, and what the name means in LOINC and IEEE 11073. Where a name "
        "has several rows, the kind of reading, the site or the unit decides. A value beyond its limits is "
        "stored and sent as it was measured, marked questionable.\n\n"
        "| name | only in | LOINC | MDC | units and limits |\n|---|---|---|---|---|\n"
        f"{rows}\n\n## Units\n\n| UCUM | in words | MDC |\n|---|---|---|\n{units}\n"
    )


def _row(term: Term) -> str:
    only_in = ", ".join((*term.kinds, *term.sites))
    loinc = f"{term.loinc} {term.loinc_name}" if term.loinc else ""
    mdc = f"{term.mdc} `{term.mdc_ref}`" if term.mdc else ""
    return f"| `{term.name}` | {only_in} | {loinc} | {mdc} | {'; '.join(map(_limited(term), term.units))} |"


def _limited(term: Term) -> Callable[[str], str]:
    def unit_with_limits(unit: str) -> str:
        limits = term.limits.get(unit)
        code = f"`{unit}`" if unit else "no unit"
        return f"{code} {limits.low} to {limits.high}" if limits else code

    return unit_with_limits


_CONTRACT: Mapping[str, tuple[object, ...]] = {
    "Declaration": (contract.Driver, contract.Setting),
    "Links": (
        contract.SerialLink,
        contract.TcpLink,
        contract.BleLink,
        contract.UsbLink,
        contract.FolderLink,
    ),
    "Session": (contract.Session,),
    "Events": (
        contract.Measured,
        contract.Fault,
        contract.Progress,
        contract.Identified,
        contract.Send,
        contract.Unfinished,
        contract.SetTimer,
        contract.Subscribe,
        contract.Read,
        contract.Close,
    ),
    "Clocks": (contract.clock_setting, contract.ClockRead, contract.ClockSet),
    "Readings": (Reading, Observation, Device, rejected),
}


def driver_contract() -> str:
    """What a driver is made of, by the docstrings of the contract."""
    parts = "\n".join(
        f"\n## {heading}\n" + "".join(map(_described, things)) for heading, things in _CONTRACT.items()
    )
    return (
        f"# Driver contract\n\n{_WRITTEN}\n"
        "What a driver may be made of; all of it is imported from `gateway.drivers` and `gateway.model`. "
        "How to write one: [the tutorial](../tutorial/write-a-driver.md).\n\n"
        f"{inspect.getdoc(contract)}\n{parts}"
    )


def _described(thing: object) -> str:
    assert isinstance(thing, type) or inspect.isfunction(thing)
    return f"\n### `{thing.__name__}`\n\n```python\n{_signature(thing)}\n```\n\n{_prose(thing)}\n"


def _signature(thing: Callable[..., object]) -> str:
    if not isinstance(thing, type):
        return f"{thing.__name__}{inspect.signature(thing)}"
    if not hasattr(thing, "__dataclass_fields__"):
        return f"class {thing.__name__}(Protocol)"
    stated = ",\n    ".join(map(_field, fields(thing)))
    return f"{thing.__name__}(\n    {stated},\n)" if stated else f"{thing.__name__}()"


def _field(field: Field[object]) -> str:
    kind = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
    kind = re.sub(r"\b(?:\w+\.)+(\w)", r"\1", kind)
    return f"{field.name}: {kind}" + ("" if _is_needed(field) else f" = {_default(field)}")


def _is_needed(field: Field[object]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _default(field: Field[object]) -> str:
    return repr(field.default) if field.default_factory is MISSING else f"{field.default_factory.__name__}()"


def _prose(thing: object) -> str:
    """A docstring in Markdown: what it says first, its parameters as a list."""
    text = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", inspect.getdoc(thing) or "").replace("``", "`")
    first, _, rest = text.partition("\n\nParameters\n----------\n")
    if not rest:
        return first
    parameters, _, examples = rest.partition("\n\nExamples\n--------\n")
    items = re.sub(r"^(\S[^:\n]*?)(?: : (.*))?$", r"- `\1` (\2)", parameters, flags=re.MULTILINE)
    return "\n\n".join(part for part in (first, items.replace(" ()", ""), examples) if part)


def fixture_format() -> str:
    """The format of session fixtures, by the docstring of the module that reads it."""
    return (
        f"# Session fixtures\n\n{_WRITTEN}\n"
        "One readable file holds who, what, when, every byte in each direction, and what is to come of it. "
        "It feeds `gateway replay`, `check` and `simulate`, and the tests of a driver; `gateway record` "
        f"writes it.\n\n```text\n{inspect.getdoc(session_fixture)}\n```\n"
    )


def udev_rules() -> str:
    """The rules file beside the configuration."""
    return udev.rules(registry.values())


_MEANINGS: Mapping[tuple[str, int], str] = {
    ("MSH", 1): "field separator",
    ("MSH", 2): "encoding characters",
    ("MSH", 3): "sending application",
    ("MSH", 4): "sending facility: `site.name` of the configuration",
    ("MSH", 5): "receiving application: the destination's `application`",
    ("MSH", 6): "receiving facility: the destination's `facility`",
    ("MSH", 7): "when the message was made, in the site's zone; the same at every sending",
    ("MSH", 9): "message type",
    ("MSH", 10): "control id: at most 20 characters, unique for ever; the same at every sending",
    ("MSH", 11): "processing id",
    ("MSH", 12): "version",
    ("MSH", 15): "accept acknowledgement; empty is original mode",
    ("MSH", 16): "application acknowledgement",
    ("MSH", 18): "character set; a character that it lacks is never replaced, the reading is held",
    ("MSH", 21): "profile",
    ("PID", 1): "set id",
    ("PID", 3): "every identifier as the EHR gave it, the one that results are filed by first",
    ("PID", 5): "family, given and middle name",
    ("PID", 7): "birth date, as stated",
    ("PID", 8): "sex, as stated",
    ("PV1", 1): "set id; the segment is left out where no visit covers the reading",
    ("PV1", 2): "patient class, `U` where nobody stated one",
    ("PV1", 3): "location, exactly as received",
    ("PV1", 19): "visit number",
    ("ORC", 1): "a result; the segment is left out where nobody ordered it",
    ("ORC", 2): "the placer's number of [the order](../how-to/connect-an-ehr.md#orders-in), as received",
    ("ORC", 3): "as OBR-3",
    ("OBR", 1): "set id",
    ("OBR", 2): "as ORC-2; without an order in `pcd-01` the filler number again",
    ("OBR", 3): "filler number: the same in every correction of the reading",
    ("OBR", 4): "the panel of the kind of reading, below; without one the first result's own code",
    ("OBR", 7): "when it was measured, as the device states it",
    ("OBR", 22): "as MSH-7",
    ("OBR", 25): "status, below",
    ("OBX", 1): "set id",
    ("OBX", 2): "`NM` a number, `SN` a limit such as `>^600`, `ST` words; empty where there is no value",
    ("OBX", 3): "code from [the vocabulary](vocabulary.md); local (`L`) where it has none",
    ("OBX", 4): "what it is contained in",
    ("OBX", 5): "the digits that the device sent",
    ("OBX", 6): "unit",
    ("OBX", 8): "`QUES` questionable, `INV` no value",
    ("OBX", 11): "status, below",
    ("OBX", 14): "when it was measured, as the device states it",
    ("OBX", 17): "method: automatic",
    (
        "OBX",
        18,
    ): "serial number or address, then maker and model; in `pcd-01` the first OBX alone, an EUI-64 as such",
    ("NTE", 1): "set id",
    ("NTE", 2): "source: `L`",
    ("NTE", 3): "what the device or the gateway says besides, one note a segment",
}
_TAKEN = datetime(2026, 3, 2, 9, 14, 5, tzinfo=timezone(timedelta(hours=-5)))
_ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", "R", "19610417", "F")
_VISIT = Encounter(
    room="EXAM3",
    patient=_ALMA,
    location="FAMMED^EXAM3^^NORTH",
    patient_class="O",
    visit=Identifier("V00991822", "NORTH", "VN"),
    opened_at=_TAKEN,
)
_EXAMPLE = Reading(
    kind="blood-pressure",
    observations=(Observation("systolic", Decimal(121), "mm[Hg]"),),
    status="questionable",
    notes=("irregular pulse detected",),
    taken_at=_TAKEN,
    clock_drift=timedelta(seconds=40),
    device=Device("Exemplar", "C1", "5171100234"),
)


def hl7_profiles() -> str:
    """Each field of each profile, with what one reading makes of it, and the codes of the tables."""
    messages = {name: _example(profile) for name, profile in PROFILES.items()}
    fields = "\n".join(_field_rows(messages))
    panels = "\n".join(f"| {kind} | `{code}` {text} |" for kind, (code, text) in oru.PANELS.items())
    devices = "\n".join(f"| {kind} | `{c}` `{ref}` |" for kind, (c, ref) in pcd01.SPECIALISATIONS.items())
    statuses = "\n".join(
        f"| {status} | `{oru.REPORT_STATUS[status]}` | `{result}` |"
        for status, result in oru.RESULT_STATUS.items()
        if status != "withdrawn"
    )
    heading = " | ".join(f"`{name}`" for name in PROFILES)
    return (
        f"# HL7 profiles\n\n{_WRITTEN}\n"
        "What each profile that a destination may choose puts into each field of ORU^R01. The examples "
        "are one questionable blood pressure that was ordered, by a device whose clock was read; of "
        "`pcd-01` the last OBX. Fields that are not listed are never sent.\n\n"
        f"| field | what it holds | {heading} |\n|---|---|{'---|' * len(PROFILES)}\n{fields}\n\n"
        "## Status\n\nA result without a value has OBX-11 `X`. A correction has OBR-25 `C`, and `C` in "
        "OBX-11 of each final result; what takes a reading back has OBR-25 `C` and OBX-11 `W`, or `D` where "
        "a deletion was asked for, with the value that is taken back.\n\n"
        f"| reading | OBR-25 | OBX-11 |\n|---|---|---|\n{statuses}\n\n"
        f"## OBR-4 of the LOINC profiles\n\n| kind | panel |\n|---|---|\n{panels}\n\n"
        "## OBX-3 of the device in `pcd-01`\n\nThe first OBX, with OBX-4 `1.0.0.0`; what the device "
        "measured is `1.0.0.1` and on. Where the device's clock was read, the first of these is `67975` "
        "`MDC_ATTR_TIME_ABS`: what that clock showed (OBX-5) at a moment of the gateway's clock (OBX-14). "
        "A kind that is not listed is named as it is, as a local code.\n\n"
        f"| kind | device |\n|---|---|\n{devices}\n\n"
        "A quantity without an IEEE 11073 code keeps its LOINC code, a unit without one its UCUM code; "
        "[the vocabulary](vocabulary.md) shows which.\n\n"
        f"{_profile_options()}"
    )


_OPTIONS: Mapping[str, str] = {
    "sending_application": "MSH-3.1",
    "sending_application_id": "MSH-3.2, with its type in MSH-3.3: sixteen hexadecimal digits are an EUI-64, "
    "as `pcd-01` wants one, digits with points an OID (`ISO`)",
    "sending_facility": "MSH-4",
    "application`, `facility": "MSH-5, MSH-6",
    "codes": "OBX-3 and OBR-4: the site's own code by the one that would stand there, which follows as the "
    "alternate",
    "units": "OBX-6, likewise",
    "times": "every time: `offset` with its own offset from UTC, `utc`, or `local` without one, in `zone` or "
    "else the site's zone; then an hour in autumn comes twice. `pcd-01` states offsets",
    "zone": "of local times",
    "withdrawn_value": 'OBX-5 of what takes a result back: the value, or with `null` HL7\'s null `""`',
    "observation_site": "`true`: OBX-20 is the place on the body, and no note says so. Reserved in v2.5.1 "
    "for what v2.6 has there",
    "sites": "OBX-20: the site's own code by the place's name here",
    "time_sync": "`pcd-01`: a first OBX `68220` `MDC_TIME_SYNC_PROTOCOL` that says how this machine's clock "
    "is kept, `ntp` or `none`",
    "segments": "segments of the site's own, below",
    "ekg": "what of an EKG is sent, below: several of `measures`, `statements`, `waveform`, `aecg`, `pdf`",
    "plain_pdf": "`true`: the type of a PDF is `^^PDF`, for receivers that take no other",
    "largest_value": "how many characters OBX-5 may have; what of an EKG is longer is left out, with a note",
}


def _profile_options() -> str:
    options = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in _OPTIONS.items())
    names = ", ".join(f"`{{{name}}}`" for name in extra_segments.NAMES)
    sites = ", ".join(f"`{name}` is `{code}`" for name, (code, *_) in oru.SITES.items())
    return (
        "## What a destination may want otherwise\n\nKeys of `[destinations.NAME]`; "
        "`gateway config check` says what does not go together.\n\n"
        f"| key | what it changes |\n|---|---|\n{options}\n\n"
        f"In OBX-20 {sites} of table 0163; any other place is a local code.\n\n"
        "A segment of the site's own stands behind the segments of the kind in `after` (`MSH`, `PID`, `PV1`, "
        "`OBR` or `OBX`, the end), in the order given. A field has its number or, by components, "
        '`"FIELD.COMPONENT"`; its text is escaped, and a name in braces stands for what is known by it: '
        f"{names}. What is not known leaves nothing.\n\n"
        '```toml\n[[destinations.ehr.segments]]\nname = "ZRD"\nafter = "PID"\n'
        'fields = { 1 = "Room {room}", "2.1" = "{vendor}", "2.2" = "{model}" }\n```\n\n'
        "## EKG\n\n| `ekg` | OBX-2 | OBX-3 | OBX-5 |\n|---|---|---|---|\n"
        "| `measures`, which alone is sent where nothing is configured | `NM` "
        "| [the vocabulary](vocabulary.md) | what the machine reported, and what the gateway measured "
        "besides |\n"
        "| `statements` | `TX` | `18844-1` EKG impression | the machine's interpretation, each statement one "
        "result; otherwise they are notes |\n"
        "| `waveform` | `NA` | a lead, `131329` `MDC_ECG_ELEC_POTL_I` and so on, any other as a local code "
        "| every sample as a whole number; none where there was no signal. Before it, as its facets in "
        "OBX-4, `MDC_ATTR_SAMP_RATE` in hertz and `MDC_ATTR_NU_MSMT_RES`: the millivolts of one count. Their "
        "product is the sample that was recorded, without loss |\n"
        "| `aecg` | `ED` | `11524-6` EKG study | the recording as an HL7 aECG document, `^text^xml^Base64^` "
        "and Base64 without line breaks |\n"
        "| `pdf` | `ED` | `11524-6` EKG study | the EKG as a cart prints it, with whose it is, the machine's "
        "measures and the gateway's, `^application^pdf^Base64^` likewise |\n\n"
        "Whatever patient the machine's file names is left out. What takes an EKG back states the measures "
        "as ever, and of the rest HL7's null.\n"
    )


def _example(profile: Profile) -> Message:
    built = oru.build_oru(
        _EXAMPLE,
        _ALMA,
        _VISIT,
        control_id="G7ABCDEF-0000000001",
        filler_number="G7ABCDEF-R1",
        sent_at=_TAKEN + timedelta(seconds=6),
        profile=profile.between("EXAM", ("EHR", "NORTHCLINIC")),
        placer_number="ORD7762^OE",
    )
    return parse(built)


def _field_rows(messages: Mapping[str, Message]) -> Iterator[str]:
    """A row a field; one that a message holds and nobody has described is an error."""
    held = {
        name: {segment.name: segment for segment in message.segments} for name, message in messages.items()
    }
    sent = {
        (segment, number)
        for segments in held.values()
        for segment, found in segments.items()
        for number, text in enumerate(found, start=1)
        if text
    }
    if undescribed := sent - _MEANINGS.keys():
        raise LookupError(f"nobody has described {sorted(undescribed)}")
    for (segment, number), meaning in _MEANINGS.items():
        examples = (segments[segment].raw(number).replace("|", "\\|") for segments in held.values())
        cells = " | ".join(f"`{text}`" if text else "" for text in examples)
        yield f"| {segment}-{number} | {meaning} | {cells} |"


_ELEMENTS: Mapping[str, str] = {
    "Bundle.identifier": "the message: as MSH-10, unique for ever; the same at every sending",
    "Bundle.type": "all of it is filed, or nothing",
    "Bundle.timestamp": "when the message was made; the same at every sending",
    "Bundle.entry.fullUrl": "made of the identifier; references within the transaction lead to it",
    "Bundle.entry.request": "what is new is created where no resource has its identifier (`ifNoneExist`); "
    "a correction or withdrawal is `PUT` to `Observation?identifier=...`",
    "Device.identifier": "hardware address (EUI-64 or Bluetooth) by its own system; maker, model and "
    "serial number by the gateway's. A device that states none of them has no resource",
    "Device.status": "",
    "Device.manufacturer": "as the device or the configuration states it",
    "Device.serialNumber": "as the device or the configuration states it",
    "Device.deviceName": "model",
    "Device.type": "IEEE 11073 specialisation of the kind of reading, where it has one",
    "Observation.meta.profile": "of the vital sign, below; only where the unit is one that it allows",
    "Observation.identifier": "the reading, the encounter that it was filed with, the place in the "
    "reading: the same in every correction with this patient",
    "Observation.basedOn": "placer number of the order that it carries out, where there is one",
    "Observation.status": "below",
    "Observation.category": "`vital-signs`, or by kind: `laboratory`, `procedure` (EKG), `survey` (pain), "
    "`exam`",
    "Observation.code": "LOINC, the profile's code first, a more exact one beside it; IEEE 11073 where "
    "there is one; `text` is the name in [the vocabulary](vocabulary.md)",
    "Observation.subject": "the first identifier of the patient whose authority is in "
    '`identifier_systems`; without `reference` where `patient_reference = "logical"`',
    "Observation.encounter": "visit number, where its authority is in `identifier_systems`",
    "Observation.effectiveDateTime": "when it was measured, with offset, as the device states it",
    "Observation.issued": "as `Bundle.timestamp`",
    "Observation.valueQuantity.value": "the digits that the device sent: `36.60` stays `36.60`",
    "Observation.valueQuantity.comparator": "where the device sent a limit",
    "Observation.valueQuantity.unit": "as people write it",
    "Observation.valueQuantity.system": "",
    "Observation.valueQuantity.code": "UCUM; nothing is converted",
    "Observation.valueString": "words in place of a number",
    "Observation.dataAbsentReason": "`error` of a failed measurement, `unknown` where a value is missing",
    "Observation.note": "what the device or the gateway says besides; value and unit as sent, where the "
    "driver converted them; a site that is none of the body",
    "Observation.bodySite": "SNOMED CT",
    "Observation.method": "",
    "Observation.device": "the Device of this transaction",
    "Observation.component": "systolic, diastolic and mean pressure, each with code and value as above",
    "DiagnosticReport.identifier": "as of an Observation, without its place. EKG, urinalysis, hearing and "
    "vision have a report",
    "DiagnosticReport.basedOn": "as of an Observation",
    "DiagnosticReport.status": "below",
    "DiagnosticReport.category": "section of HL7 table 0074",
    "DiagnosticReport.code": "LOINC panel, as OBR-4 of [the LOINC profiles](hl7-profiles.md)",
    "DiagnosticReport.subject": "as of an Observation",
    "DiagnosticReport.encounter": "as of an Observation",
    "DiagnosticReport.effectiveDateTime": "as of an Observation",
    "DiagnosticReport.issued": "as of an Observation",
    "DiagnosticReport.result": "every Observation of the reading",
    "DiagnosticReport.conclusion": "what the device and the gateway say of it, a note a line",
    "Provenance.meta.tag": "the message; a Provenance has no identifier by which to be found. None is sent "
    "where `provenance = false`",
    "Provenance.target": "every Observation, and the report",
    "Provenance.occurredDateTime": "when it was measured",
    "Provenance.recorded": "as `Bundle.timestamp`",
    "Provenance.activity": "`CREATE`; `UPDATE` of a correction, `NULLIFY` of a withdrawal",
    "Provenance.agent": "who measured, and who made the message",
}
_TAKEN_APART = {"meta", "valueQuantity"}
_EXAMPLES = (
    Reading(
        kind="blood-pressure",
        observations=(
            Observation("systolic", Decimal(121), "mm[Hg]", site="left-arm"),
            Observation("diastolic", Decimal(79), "mm[Hg]", site="left-arm"),
        ),
        notes=("irregular pulse detected",),
        taken_at=_TAKEN,
        device=Device("Exemplar", "C1", "5171100234", "EC:21:E5:00:00:01"),
    ),
    Reading(
        kind="glucose",
        observations=(
            Observation("glucose", Decimal("33.30"), "mmol/L", ">"),
            Observation("marker", text="meal"),
        ),
        taken_at=_TAKEN,
    ),
    Reading(
        kind="ekg",
        observations=(Observation("pr-interval"),),
        notes=("Sinus rhythm",),
        taken_at=_TAKEN,
    ),
)


def fhir_profile() -> str:
    """Each element of a transaction, with what readings make of it; the vital signs, the statuses."""
    examples: dict[str, str] = {}
    for reading in _EXAMPLES:
        for path, text in _stated(_transaction(reading)):
            examples.setdefault(path, text)
    if undescribed := examples.keys() - _ELEMENTS.keys():
        raise LookupError(f"nobody has described {sorted(undescribed)}")
    elements = "\n".join(f"| {path} | {text} | `{examples[path]}` |" for path, text in _ELEMENTS.items())
    vital_signs = "\n".join(map(_vital_sign_row, (terminology.BLOOD_PRESSURE, *_VITAL_SIGNS)))
    statuses = "\n".join(f"| {ours} | `{theirs}` |" for ours, theirs in STATUS.items() if ours != "withdrawn")
    return (
        f"# FHIR profile\n\n{_WRITTEN}\n"
        "What the profile `fhir-r4` puts into each element. A reading is one transaction of FHIR R4 (4.0.1): "
        "the device, an Observation for each quantity or blood pressure, a DiagnosticReport for some kinds, "
        "and a Provenance. The patient is referred to, never created. The examples are a blood pressure, a "
        "glucose beyond the meter's range, and an EKG. Elements that are not listed are never sent.\n\n"
        f"| element | what it holds | example |\n|---|---|---|\n{elements}\n\n"
        "## Vital signs\n\nBy the profiles `http://hl7.org/fhir/StructureDefinition/...`. A value in another "
        "unit is sent as it was measured and does not claim the profile. A blood pressure of which one value "
        "is missing says so by `dataAbsentReason`.\n\n"
        f"| code | profile | units |\n|---|---|---|\n{vital_signs}\n\n"
        "## Status\n\nA correction makes `final` `corrected`. What takes a reading back, deleted or not, has "
        "`entered-in-error` everywhere. A reading that moves to another patient is `entered-in-error` with "
        "the first and a new Observation with the second.\n\n"
        f"| reading | status |\n|---|---|\n{statuses}\n\n"
        "A waveform and the picture of an EKG are not sent.\n"
    )


_VITAL_SIGNS = tuple(dict.fromkeys(terminology.VITAL_SIGNS.values()))


def _vital_sign_row(vital: terminology.VitalSign) -> str:
    units = " ".join(f"`{unit}`" for unit in sorted(vital.units))
    return f"| `{vital.loinc}` {vital.display} | `{vital.profile}` | {units} |"


def _transaction(reading: Reading) -> bytes:
    systems = {"NORTH": "https://north.example.org/mrn"}
    return build_transaction(
        reading,
        _ALMA,
        _VISIT,
        control_id="G7ABCDEF-0000000001",
        record="G7ABCDEF-R1-E1",
        sent_at=_TAKEN + timedelta(seconds=6),
        placer_number="ORD7762^OE",
        profile=FhirProfile(identifier_systems=systems, own_system="https://north.example.org/gateway"),
    )


def _stated(data: bytes) -> Iterator[tuple[str, str]]:
    bundle = json.loads(data, parse_float=str)
    for entry in bundle.pop("entry"):
        resource = entry.pop("resource")
        yield from _leaves("Bundle.entry", entry)
        yield from _leaves(resource.pop("resourceType"), resource)
    bundle.pop("resourceType")
    yield from _leaves("Bundle", bundle)


def _leaves(path: str, value: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, element in value.items():
        if isinstance(element, dict) and name in _TAKEN_APART:
            yield from _leaves(f"{path}.{name}", element)
        else:
            first = element[0] if isinstance(element, list) else element
            text = first if isinstance(first, str) else json.dumps(first, ensure_ascii=False)
            yield f"{path}.{name}", text.replace("|", "\\|")


def gdt_fields() -> str:
    """Each field of a GDT file, by the docstring of the module that writes it, and one file."""
    profile = gdt.GdtProfile(patient_authority="NORTH")
    sent_at = _TAKEN + timedelta(seconds=6)
    data = gdt.build_examination(
        _EXAMPLE, _ALMA, control_id="G7ABCDEF-0000000001", sent_at=sent_at, profile=profile
    )
    kinds = "\n".join(f"| {kind} | `{code}` |" for kind, code in gdt.EXAMINATIONS.items())
    return (
        f"# GDT fields\n\n{_WRITTEN}\n"
        "What a destination with the profile `gdt-2.1` gets for each reading.\n\n"
        f"```text\n{inspect.getdoc(gdt)}\n```\n\n"
        "## Field 8402\n\nUnless the destination's `examinations` say otherwise; "
        f"`{gdt.OTHER_EXAMINATION}` for any other kind.\n\n| kind | 8402 |\n|---|---|\n{kinds}\n\n"
        f"## A file\n\n```text\n{data.decode('cp437').replace(chr(13), '')}```\n"
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands,
    "vocabulary.md": vocabulary,
    "driver-contract.md": driver_contract,
    "session-fixture.md": fixture_format,
    "hl7-profiles.md": hl7_profiles,
    "fhir-profile.md": fhir_profile,
    "gdt-fields.md": gdt_fields,
    "../../config/60-gateway.rules": udev_rules,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
