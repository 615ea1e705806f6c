"""What a destination may want otherwise in its messages, as tables of the configuration."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.errors import Problem
from gateway.hl7.extra_segments import BUILT, NAMES, ExtraSegment
from gateway.hl7.profiles import Code, EkgForm, Profile, TimeForm
from gateway.hl7.validation.structures import structure_faults


def _zone(text: object) -> object:
    try:
        return ZoneInfo(str(text))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("not a time zone") from error


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
_PLACE = re.compile(r"([1-9][0-9]?)(?:\.([1-9][0-9]?))?", re.ASCII)
_EUI_64 = re.compile(r"[0-9A-F]{16}", re.ASCII)
OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+", re.ASCII)


class CodeTable(BaseModel):
    """A code of the site's own, for a code that the gateway would send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(min_length=1)
    text: str = ""
    system: str = Field(default="L", min_length=1)

    @property
    def triple(self) -> Code:
        return (self.code, self.text, self.system)


class ExtraSegmentTable(BaseModel):
    """A segment of the site's own: fields by number, or by ``"FIELD.COMPONENT"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Z][A-Z0-9]{2}$")
    after: Literal["MSH", "PID", "PV1", "OBR", "OBX"] = "OBX"
    fields: dict[str, str] = Field(min_length=1)

    @property
    def segment(self) -> ExtraSegment:
        places = {place: _PLACE.fullmatch(place) for place in self.fields}
        return ExtraSegment(
            self.name,
            self.after,
            {(int(p[1]), int(p[2] or 1)): self.fields[place] for place, p in places.items() if p},
        )


class MessageOptions(BaseModel):
    """How a destination's messages differ from those of its profile."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    sending_application: str | None = Field(default=None, min_length=1)
    sending_application_id: str | None = None
    sending_facility: str | None = Field(default=None, min_length=1)
    codes: dict[str, CodeTable] = Field(default_factory=dict)
    units: dict[str, CodeTable] = Field(default_factory=dict)
    sites: dict[str, CodeTable] = Field(default_factory=dict)
    times: TimeForm = "offset"
    zone: Zone | None = None
    withdrawn_value: Literal["stated", "null"] = "stated"
    observation_site: bool = False
    time_sync: Literal["none", "ntp"] | None = None
    segments: list[ExtraSegmentTable] = Field(default_factory=list)
    ekg: list[EkgForm] = Field(default=["measures"], min_length=1)
    plain_pdf: bool = False
    largest_value: int | None = Field(default=None, gt=0)

    def applied_to(self, profile: Profile, site_zone: ZoneInfo) -> Profile:
        """The profile as this destination has it."""
        return replace(
            profile,
            sending_application=self.sending_application or profile.sending_application,
            sending_application_id=self._universal_id(),
            codes=_triples(self.codes),
            units=_triples(self.units),
            site_codes=_triples(self.sites),
            times=self.times,
            zone=self.zone or site_zone,
            null_withdrawn=self.withdrawn_value == "null",
            observation_site=self.observation_site,
            time_sync=self.time_sync,
            ekg=frozenset(self.ekg),
            plain_pdf=self.plain_pdf,
            largest_value=self.largest_value,
            extra_segments=tuple(table.segment for table in self.segments),
        )

    def _universal_id(self) -> tuple[str, ...]:
        stated = self.sending_application_id
        return () if stated is None else (stated, "ISO" if OID.fullmatch(stated) else "EUI-64")

    def problems(self, where: str, profile: Profile) -> Iterator[Problem]:
        """What cannot be, each with its key path and the fix."""
        stated = self.sending_application_id
        if stated is not None and not (_EUI_64.fullmatch(stated) or OID.fullmatch(stated)):
            fix = "give sixteen hexadecimal digits in capitals, or an object identifier"
            yield Problem(f"{where}.sending_application_id", "neither an EUI-64 nor an OID", fix)
        if self.times == "local" and profile.nomenclature == "MDC":
            fix = "remove it, or use utc"
            yield Problem(f"{where}.times", f"{profile.name} states every time with its zone", fix)
        if self.zone is not None and self.times != "local":
            yield Problem(f"{where}.zone", "used only where times = 'local'", "remove it")
        if self.observation_site and not profile.equipment:
            what = f"{profile.name} has no OBX-20"
            yield Problem(f"{where}.observation_site", what, "remove it; the site stands in a note")
        if self.time_sync is not None and profile.nomenclature != "MDC":
            yield Problem(f"{where}.time_sync", f"{profile.name} has no place for it", "remove it")
        for number, table in enumerate(self.segments):
            yield from _segment_problems(f"{where}.segments.{number}", table, profile)

    def remarks(self, where: str, profile: Profile) -> Iterator[Problem]:
        """What may be right, but is worth a second look."""
        if profile.nomenclature == "MDC" and self.sending_application_id is None:
            what = f"{profile.name} identifies its sender by an EUI-64"
            yield Problem(f"{where}.sending_application_id", what, "give the one of this machine")


def _segment_problems(where: str, table: ExtraSegmentTable, profile: Profile) -> Iterator[Problem]:
    for place in table.fields:
        if _PLACE.fullmatch(place) is None:
            yield Problem(f"{where}.fields.{place}", "no field", 'write it as 3 or "3.2"')
    for name in table.segment.unknown_names:
        fix = f"use one of: {', '.join(NAMES)}"
        yield Problem(f"{where}.fields", f"nothing is known as {{{name}}}", fix)
    if table.name in BUILT:
        yield Problem(f"{where}.name", f"{table.name} is written by the gateway", "use another segment")
        return
    order = ["MSH", "PID", "PV1", "OBR", "OBX"]
    order.insert(order.index(table.after) + 1, table.name)
    if structure_faults(order, "ORU_R01"):
        what = f"{table.name} has no place in {profile.message_type[0]}^{profile.message_type[1]} there"
        yield Problem(f"{where}.after", what, "put it elsewhere, or use a Z-segment")


def _triples(tables: Mapping[str, CodeTable]) -> Mapping[str, Code]:
    return {standard: own.triple for standard, own in tables.items()}
