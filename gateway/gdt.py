"""A reading as a GDT 2.1 examination (6310, "Daten einer Untersuchung übermitteln"), for a practice system.

=========  ===============================================================================================
field      content
=========  ===============================================================================================
8000 8100  6310; length of the set
8315 8316  receiver, sender
9206       character set: 1 7-bit, 2 CP437, 3 CP1252
9218       02.10
3000       patient number of the configured authority
3101 3102  family name, given name
3103       birth date, DDMMYYYY, where the day is known
3110       1 male, 2 female; left out for any other
6200 6201  date and time of the examination, DDMMYYYY and HHMMSS in the site's zone
8402       kind of examination
6220       finding: what is taken back, in a withdrawal
6227       comment: notes, "Korrektur" in a correction, the message's number
8410 8411  result: test by its configured code or its name in the vocabulary; LOINC's name of it
8420 8421  number with the device's digits, unit
8432 8439  date and time of the result, as 6200 and 6201
8470       remark: questionable, site, value as sent
8480       result in words
=========  ===============================================================================================

GDT has no way to take back. A withdrawal is a set without results, whose finding says in words what does not
hold; a person strikes it out. GDT states no zone either: times are the site's.

Source: examples of the GDT 2.1 description of QMS, its list of examinations (field 8402) as carried in public
code. The texts are German, as the practice systems are. Evidence: manual.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from gateway.codecs.gdt import CHARACTER_SETS, encode_set
from gateway.codecs.laboratory_units import ucum
from gateway.errors import UnsendableError
from gateway.hl7.oru import Amendment
from gateway.model import Observation, Patient, Reading, ReadingKind
from gateway.model.vocabulary import UNITS, term

GdtLine: TypeAlias = tuple[str, str]

EXAMINATION, VERSION = "6310", "02.10"
EXAMINATIONS: Mapping[ReadingKind, str] = MappingProxyType(
    {"blood-pressure": "BDM00", "ekg": "EKG00", "hearing": "AUDI00", "vision": "OPTO00"}
)
"""Field 8402 by kind of reading."""
OTHER_EXAMINATION = "ALLG00"
NAME_LENGTH, EXAMINATION_LENGTH = 8, 6
"""The longest content of 8315 and 8316, and of 8402, in characters."""
_SEXES = {"M": "1", "F": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GdtProfile:
    """How one practice system wants its files.

    Parameters
    ----------
    patient_authority : str
        Whose patient number stands in field 3000, as PID-3.4 of what the practice system sends.
    sender, receiver : str
        Fields 8316 and 8315, at most eight characters.
    character_set : {"cp437", "cp1252", "ascii"}
    decimal_mark : {".", ","}
    examinations : mapping of ReadingKind to str
        Field 8402 by kind of reading, before the table's own.
    tests : mapping of str to str
        Field 8410 by the name of an observation.
    """

    patient_authority: str
    sender: str = "GATEWAY"
    receiver: str = "PRAX_EDV"
    character_set: Literal["cp437", "cp1252", "ascii"] = "cp437"
    decimal_mark: Literal[".", ","] = "."
    examinations: Mapping[ReadingKind, str] = field(default_factory=dict)
    tests: Mapping[str, str] = field(default_factory=dict)


def build_examination(
    reading: Reading,
    patient: Patient,
    *,
    control_id: str,
    sent_at: datetime,
    profile: GdtProfile,
    amendment: Amendment = "",
) -> bytes:
    """The file that hands `reading` over with `patient`, or says that it does not hold.

    Parameters
    ----------
    reading : Reading
        With its time; every number leaves with the digits that it has.
    patient : Patient
    control_id : str
        Of this message; it makes two files of equal readings differ.
    sent_at : datetime
        In the site's zone.
    profile : GdtProfile
    amendment : {"", "C", "W", "D"}

    Raises
    ------
    UnsendableError
        The patient has no number of that authority, the reading no time with its zone, or a field holds what
        GDT or the character set cannot; names the field.
    """
    if reading.taken_at is None or reading.taken_at.tzinfo is None:
        raise UnsendableError("field 6200: nobody said when it was measured, with its zone")
    taken_at = reading.taken_at.astimezone(sent_at.tzinfo)
    lines = [*_head(profile), *_person(patient, profile), *_moment("6200", "6201", taken_at)]
    lines.append(("8402", _examination(reading, profile)))
    withdraws = amendment in {"W", "D"}
    if withdraws:
        lines += [("6220", line) for line in _withdrawal(reading, taken_at, profile)]
    elif amendment:
        lines.append(("6227", "Korrektur"))
    lines += [("6227", line) for note in reading.notes for line in _lines(note)]
    lines.append(("6227", f"Nr. {control_id}"))
    for observation in () if withdraws else reading.observations:
        lines += _result(observation, reading, taken_at, profile)
    try:
        return encode_set(EXAMINATION, lines, version=VERSION, encoding=profile.character_set)
    except ValueError as error:
        raise UnsendableError(str(error)) from None


def _head(profile: GdtProfile) -> Iterator[GdtLine]:
    yield "8315", profile.receiver
    yield "8316", profile.sender
    yield "9206", CHARACTER_SETS[profile.character_set]
    yield "9218", VERSION


def _person(patient: Patient, profile: GdtProfile) -> Iterator[GdtLine]:
    authority = profile.patient_authority
    number = next((i.value for i in patient.identifiers if i.authority == authority), None)
    if not number:
        raise UnsendableError(
            f"field 3000: the patient has no number of {authority!r}; correct patient_authority"
        )
    yield "3000", number
    if patient.family_name:
        yield "3101", patient.family_name
    if patient.given_name:
        yield "3102", patient.given_name
    if len(day := patient.birth_date[:8]) == 8:
        yield "3103", day[6:] + day[4:6] + day[:4]
    if patient.sex in _SEXES:
        yield "3110", _SEXES[patient.sex]


def _moment(date: str, time: str, at: datetime) -> Iterator[GdtLine]:
    yield date, f"{at:%d%m%Y}"
    yield time, f"{at:%H%M%S}"


def _examination(reading: Reading, profile: GdtProfile) -> str:
    own = profile.examinations.get(reading.kind)
    return own or EXAMINATIONS.get(reading.kind, OTHER_EXAMINATION)


def _withdrawal(reading: Reading, taken_at: datetime, profile: GdtProfile) -> Iterator[str]:
    yield f"Storno: Messung vom {taken_at:%d.%m.%Y %H:%M:%S} gilt nicht"
    for observation in reading.observations:
        said = (
            _number(observation, profile),
            _unit(observation.unit),
            " ".join(_lines(observation.text or "")),
        )
        yield " ".join(filter(None, (_test(observation, profile), *said)))


def _result(
    observation: Observation, reading: Reading, taken_at: datetime, profile: GdtProfile
) -> Iterator[GdtLine]:
    known = term(observation.name, kind=reading.kind, unit=observation.unit, site=observation.site)
    yield "8410", _test(observation, profile)
    if known and known.loinc_name:
        yield "8411", known.loinc_name
    if observation.value is not None:
        yield "8420", _number(observation, profile)
    if observation.unit:
        yield "8421", _unit(observation.unit)
    yield from _moment("8432", "8439", taken_at)
    yield from (("8470", remark) for remark in _remarks(observation, reading, profile))
    yield from (("8480", line) for line in _lines(observation.text or ""))


def _test(observation: Observation, profile: GdtProfile) -> str:
    return profile.tests.get(observation.name, observation.name)


def _number(observation: Observation, profile: GdtProfile) -> str:
    if observation.value is None:
        return ""
    if not observation.value.is_finite():
        raise UnsendableError(f"field 8420: {observation.value} is not a number")
    digits = f"{observation.value:f}".replace(".", profile.decimal_mark)
    return f"{observation.comparator or ''}{digits}"


def _unit(code: str | None) -> str:
    """As people write it, where that is read back as the same unit; else by its UCUM code."""
    known = UNITS.get(code or "")
    return known.symbol if known and known.symbol and ucum(known.symbol) == code else code or ""


def _remarks(observation: Observation, reading: Reading, profile: GdtProfile) -> Iterator[str]:
    if reading.status == "questionable":
        yield "fraglich, nicht bestätigt"
    if observation.value is None and not observation.text:
        yield "kein Wert"
    if observation.site:
        yield f"Messort: {observation.site}"
    if sent := observation.as_sent:
        yield f"vom Gerät gesendet: {sent.value:f} {sent.unit}".replace(".", profile.decimal_mark)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]
