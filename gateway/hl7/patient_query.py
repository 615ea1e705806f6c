"""Asking the EHR whose an identifier is: Patient Demographics Query (IHE ITI-21; HL7 v2.5 chapter 5).

QBP^Q22 asks by the identifier alone, never by a name, and RSP^K22 answers. Only an answer to that very query
with exactly one patient, who has that identifier of that authority, is a patient; anything else says why not.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.errors import Hl7Error
from gateway.hl7.acknowledgement import Acknowledgement, Refusal, read_acknowledgement
from gateway.hl7.building import Component, Field, build
from gateway.hl7.demographics import person
from gateway.hl7.message import Message, Segment, parse
from gateway.hl7.timestamps import hl7_time
from gateway.model import Patient

QUERY_NAME = "Q22^Find Candidates^HL7"

Unresolved = Literal["none", "several", "mismatch", "error", "garbage"]

_QUERY_FAILED = {"AE", "AR"}


@dataclass(frozen=True, slots=True)
class Authority:
    """Who gave an identifier, as CX.4 names them.

    Parameters
    ----------
    namespace : str
        ``NORTH``.
    oid : str
        The universal identifier, where the EHR is to be told that too.
    """

    namespace: str
    oid: str = ""

    @property
    def parts(self) -> tuple[str, str, str]:
        return (self.namespace, self.oid, "ISO" if self.oid else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryForm:
    """How one EHR wants to be asked.

    Parameters
    ----------
    authority : Authority
        Of the identifiers that are scanned or typed at the devices.
    domains : tuple of str
        QPD-8, the authorities whose identifiers are to be in the answer; none for all that there are.
    name : str
        QPD-1 with its components.
    sending_facility, receiving_application, receiving_facility : str
        MSH-4 to MSH-6.
    """

    authority: Authority
    domains: tuple[str, ...] = ()
    name: str = QUERY_NAME
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class PatientQuery:
    """One question. Its repr shows nothing of the patient.

    Parameters
    ----------
    identifier : str
        As it was scanned or typed.
    authority : Authority
    control_id : str
        MSH-10, and QPD-2 as the query's tag.
    """

    identifier: str
    authority: Authority
    control_id: str

    def __repr__(self) -> str:
        return f"<PatientQuery {self.control_id}>"

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """QPD-3, each repetition: a part of PID-3, and what is to be there."""
        places = (f"@PID.3.4.{number}" for number in range(1, 4))
        named = ((place, part) for place, part in zip(places, self.authority.parts, strict=True) if part)
        return (("@PID.3.1", self.identifier), *named)


@dataclass(frozen=True, slots=True)
class Unfound:
    """Why an answer gives no patient.

    Parameters
    ----------
    kind : {"none", "several", "mismatch", "error", "garbage"}
    reason : str
        For the person who then has to say. An EHR's own words can be in it: it is for no log.
    """

    kind: Unresolved
    reason: str


def build_query(query: PatientQuery, form: QueryForm, at: datetime) -> bytes:
    """The question as QBP^Q22^QBP_Q21, to be answered at once (RCP-1 ``I``).

    Raises
    ------
    Hl7Error
        `at` has no zone.
    """
    header: dict[int, Field] = {
        3: "GATEWAY",
        4: form.sending_facility,
        5: form.receiving_application,
        6: form.receiving_facility,
        7: hl7_time(at),
        9: ("QBP", "Q22", "QBP_Q21"),
        10: query.control_id,
        11: "P",
        12: "2.5",
        18: "UNICODE UTF-8",
    }
    name: tuple[Component, ...] = tuple(form.name.split("^"))
    domains: Field = [("", "", "", domain) for domain in form.domains]
    parameters: dict[int, Field] = {1: name, 2: query.control_id, 3: list(query.parameters), 8: domains}
    return build([("MSH", header), ("QPD", parameters), ("RCP", {1: "I"})])


def read_answer(data: bytes, query: PatientQuery) -> Patient | Unfound:
    """The patient whom the bytes name in answer to the query, or why they name none. Never raises."""
    try:
        message = parse(data)
        acknowledged = read_acknowledgement(message)
    except Hl7Error:
        return Unfound("garbage", "the answer is no message that answers anything")
    if acknowledged.control_id != query.control_id:
        return Unfound("garbage", "the answer is to another query")
    return _failed(message, acknowledged) or _misdirected(message, query) or _only_patient(message, query)


def _failed(message: Message, acknowledged: Acknowledgement) -> Unfound | None:
    status = message.get("QAK-2")
    if acknowledged.code in _QUERY_FAILED or status in _QUERY_FAILED:
        code = acknowledged.code if acknowledged.code in _QUERY_FAILED else status
        said = f": {acknowledged.reason}" if acknowledged.reason else ""
        return Unfound("error", f"the EHR answered {code}{said}")
    return None


def _misdirected(message: Message, query: PatientQuery) -> Unfound | None:
    """Why what is no error is not the whole answer to this query."""
    if (message.type, message.trigger) != ("RSP", "K22") or message.get("MSA-1") != "AA":
        return Unfound("garbage", "the answer is no accepting RSP^K22")
    echo = message.segment("QPD")
    tags = {message.get("QAK-1"), message.get("QPD-2")}
    if echo is None or tags != {query.control_id} or _parameters(echo) != set(query.parameters):
        return Unfound("garbage", "the answer does not repeat the query")
    if message.get("QAK-2") not in ("OK", "NF"):
        return Unfound("garbage", "QAK-2 is neither OK, NF, AE nor AR")
    return None


def _parameters(segment: Segment) -> set[tuple[str, str]]:
    return {query_parameter(segment, n) for n in range(1, len(segment.repetitions(3)) + 1)}


def query_parameter(segment: Segment, repetition: int) -> tuple[str, str]:
    """One repetition of a QPD-3: the part of a PID, and what is asked to be there."""
    return segment.get(3, repetition, 1), segment.get(3, repetition, 2)


def _only_patient(message: Message, query: PatientQuery) -> Patient | Unfound:
    found = [segment for segment in message.segments if segment.name == "PID"]
    if not found:
        return Unfound("none", "the EHR knows no patient of the identifier")
    if len(found) > 1 or message.segment("DSC") is not None:
        return Unfound("several", "the EHR names several patients")
    who = person(found[0])
    is_asked = message.get("QAK-2") == "OK" and _carries(found[0], query)
    if isinstance(who, Refusal) or not is_asked:
        return Unfound("mismatch", "the patient in the EHR's answer does not have the identifier")
    return who.patient


def _carries(segment: Segment, query: PatientQuery) -> bool:
    """One of the patient's identifiers is the asked one, of the asked authority."""
    return any(
        segment.get(3, n) == query.identifier
        and segment.get(3, n, 4) == query.authority.namespace
        and segment.get(3, n, 4, 2) in ("", query.authority.oid or segment.get(3, n, 4, 2))
        for n in range(1, len(segment.repetitions(3)) + 1)
    )
