"""How a destination wants its results: version, codes, names. One row a profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Literal, TypeAlias

from gateway.errors import Hl7Error
from gateway.hl7.building import Repetition
from gateway.hl7.extra_segments import ExtraSegment
from gateway.hl7.timestamps import hl7_time

Code: TypeAlias = tuple[str, str, str]
"""A code, what it means in words, and the system that it is of."""

EkgForm = Literal["measures", "statements", "waveform", "aecg", "pdf"]
"""What of an EKG a message can hold."""

TimeForm = Literal["offset", "local", "utc"]
"""A time with its own offset from UTC; without one, in a zone that both sides know of; in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way to say a reading in HL7 v2.

    Parameters
    ----------
    name : str
    version : str
        MSH-12.
    message_type : tuple of str
        MSH-9.
    character_set : str
        MSH-18.
    equipment : bool
        The version has OBX-18, the equipment's identity.
    accept_ack, application_ack : str
        MSH-15 and MSH-16; empty for original mode.
    sending_application, sending_facility, receiving_application, receiving_facility : str
        MSH-3 to MSH-6.
    processing_id : str
        MSH-11.
    nomenclature : {"LN", "MDC"}
        The codes of OBX-3 and OBX-6: LOINC with UCUM, or IEEE 11073. With the latter a first OBX is the
        device, and OBX-4 says what each result is contained in.
    profile_id : tuple of str
        MSH-21.
    codes, units : mapping of str to (code, text, system)
        The site's own, by the code that would stand in OBX-3.1 or OBR-4.1, and in OBX-6.1. That one follows
        as the alternate.
    sending_application_id : tuple of str
        Universal identifier and its type, for MSH-3.
    site_codes : mapping of str to (code, text, system)
        The site's own codes of places on the body, by their names here.
    times : {"offset", "local", "utc"}
    zone : tzinfo, optional
        Of local times.
    null_withdrawn : bool
        What takes a result back has HL7's null in OBX-5, not the value.
    observation_site : bool
        The place on the body stands in OBX-20.
    time_sync : {"none", "ntp"}, optional
        How the gateway's own clock is kept, where the receiver is to be told.
    extra_segments : tuple of ExtraSegment
    ekg : frozenset of str
        What of an EKG is sent.
    plain_pdf : bool
        A PDF's type is ``^^PDF`` in place of ``^application^pdf``.
    largest_value : int, optional
        Characters that OBX-5 may have; what of an EKG is longer is left out, with a note.
    """

    name: str
    version: str
    message_type: tuple[str, ...]
    character_set: str
    equipment: bool
    accept_ack: str = ""
    application_ack: str = ""
    sending_application: str = "GATEWAY"
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    processing_id: str = "P"
    nomenclature: Literal["LN", "MDC"] = "LN"
    profile_id: tuple[str, ...] = ()
    codes: Mapping[str, Code] = field(default_factory=dict)
    units: Mapping[str, Code] = field(default_factory=dict)
    sending_application_id: tuple[str, ...] = ()
    site_codes: Mapping[str, Code] = field(default_factory=dict)
    times: TimeForm = "offset"
    zone: tzinfo | None = None
    null_withdrawn: bool = False
    observation_site: bool = False
    time_sync: Literal["none", "ntp"] | None = None
    extra_segments: tuple[ExtraSegment, ...] = ()
    ekg: frozenset[EkgForm] = frozenset({"measures"})
    plain_pdf: bool = False
    largest_value: int | None = None

    @property
    def waits_for_application(self) -> bool:
        """A commit accept alone does not end a message; an application's answer does."""
        return self.application_ack != "NE"

    @property
    def sender(self) -> Repetition:
        """MSH-3."""
        return (self.sending_application, *self.sending_application_id)

    def time(self, at: datetime) -> str:
        """A moment to the second, in the form that the receiver wants.

        Raises
        ------
        Hl7Error
            It has no zone, or is at the end of the calendar.
        """
        stated = hl7_time(at)
        if self.times == "offset":
            return stated
        try:
            if self.times == "utc":
                return hl7_time(at.astimezone(UTC))
            return hl7_time(at.astimezone(self.zone))[:14]
        except OverflowError as error:
            raise Hl7Error("a time at the end of the calendar has no other zone") from error

    def between(self, facility: str, receiver: tuple[str, str]) -> "Profile":
        """The same profile with the names of this site and of its receiver (application, facility)."""
        return replace(
            self, sending_facility=facility, receiving_application=receiver[0], receiving_facility=receiver[1]
        )


_ROWS = (
    Profile(
        name="loinc-2.5.1",
        version="2.5.1",
        message_type=("ORU", "R01", "ORU_R01"),
        character_set="UNICODE UTF-8",
        equipment=True,
    ),
    Profile(
        name="loinc-2.3",
        version="2.3",
        message_type=("ORU", "R01"),
        character_set="8859/1",
        equipment=False,
    ),
    Profile(
        name="pcd-01",
        version="2.6",
        message_type=("ORU", "R01", "ORU_R01"),
        character_set="UNICODE UTF-8",
        equipment=True,
        accept_ack="AL",
        application_ack="NE",
        nomenclature="MDC",
        profile_id=("IHE_PCD_001", "IHE PCD", "1.3.6.1.4.1.19376.1.6.1.1.1", "ISO"),
    ),
)
PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in _ROWS})
