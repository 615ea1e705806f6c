"""An EKG's recording on its way: kept with its reading, the same in the first message and in later ones."""

import asyncio
import sqlite3
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from gateway.formats import parse as parse_ekg
from gateway.hl7 import Message, parse
from gateway.hl7.profiles import PROFILES, EkgForm
from gateway.model import (
    Device,
    DeviceMeasurement,
    EkgGroup,
    EkgRecording,
    Encounter,
    Identifier,
    Patient,
    Reading,
)
from gateway.service.acceptance import Acceptance
from gateway.service.ekg_parts import parts_of
from gateway.service.filing import Filing
from gateway.service.outgoing import Outgoing
from gateway.store import Database, encounters, outbox, recordings

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
COUNTS = np.random.default_rng(7).integers(-800, 800, (2, 400))
RECORDING = EkgRecording(
    format="test",
    format_version="1",
    leads=("I", "II"),
    samples_mv=np.multiply(COUNTS, 0.0025, dtype=np.float64),
    sample_rate_hz=500.0,
    started_at=NOW,
    device=Device("Exemplar", "E12", "7"),
    filters={"mains_hz": "60"},
    patient_fields={"id": "someone"},
    device_measurements={"qt-interval": DeviceMeasurement(Decimal("402"), "ms")},
    statements=("Sinus rhythm",),
    groups=(EkgGroup("median", ("I", "II"), np.multiply(COUNTS[:, :9], 0.005, dtype=np.float64), 250.0),),
    warnings=("checksum of section 6 is wrong",),
)
READING = Reading(
    kind="ekg",
    taken_at=NOW,
    time_source="device",
    ekg=RECORDING,
    notes=RECORDING.statements,
    provenance=b"file",
)


def _outgoing(*forms: EkgForm) -> Outgoing:
    profile = PROFILES["loinc-2.5.1"].between("NORTH", ("EHR", "NORTH"))
    return Outgoing(
        profiles={"ehr": replace(profile, ekg=frozenset(forms))},
        zone=ZoneInfo("America/New_York"),
        now=lambda: NOW,
    )


def _accept(database: Database, outgoing: Outgoing, *, room: str | None = "EXAM3") -> None:
    acceptance = Acceptance(
        database=database, outgoing=outgoing, longest_encounter=timedelta(hours=2), queued=lambda: None
    )
    asyncio.run(acceptance.accept("ekg", READING, room=room, at=NOW))


def _message(database: Database) -> Message:
    (message,) = database.do(lambda db: outbox.of_reading(db, 1))
    return parse(message.body)


def _alma_in_exam3(database: Database) -> None:
    alma = Encounter(room="EXAM3", patient=ALMA, location="F^EXAM3", opened_at=NOW - timedelta(minutes=5))
    database.do(lambda db: encounters.open_encounter(db, alma))


def _waveform(message: Message) -> dict[str, list[Decimal]]:
    """Millivolts by lead, as a receiver reads them."""
    found: dict[str, list[Decimal]] = {}
    resolution = Decimal(0)
    for segment in message.segments:
        if segment.name == "OBX" and segment.get(3, component=2) == "MDC_ATTR_NU_MSMT_RES":
            resolution = Decimal(segment.get(5))
        if segment.name == "OBX" and segment.get(2) == "NA":
            name = segment.get(3, component=2).removeprefix("MDC_ECG_ELEC_POTL_")
            found[name] = [Decimal(count) * resolution for count in segment.raw(5).split("^")]
    return found


def test_a_receiver_gets_every_sample_as_it_was_recorded(database: Database):
    _alma_in_exam3(database)
    _accept(database, _outgoing("measures", "waveform"))
    expected = {
        name: [Decimal(int(count)) * Decimal("0.0025") for count in counts]
        for name, counts in zip(("I", "II"), COUNTS, strict=True)
    }
    assert _waveform(_message(database)) == expected


def test_an_aecg_document_is_the_recording_and_names_no_patient_of_the_file(database: Database):
    _alma_in_exam3(database)
    _accept(database, _outgoing("aecg"))
    document = b64decode(_message(database).get("OBX-5.5"))
    read = parse_ekg({"ekg.xml": document}, "ekg.xml")
    np.testing.assert_allclose(read.samples_mv, RECORDING.samples_mv, atol=1e-9)
    assert b"someone" not in document


def test_an_ekg_that_is_put_to_its_patient_later_is_sent_just_the_same(database: Database):
    outgoing = _outgoing("measures", "statements", "waveform", "aecg")
    _accept(database, outgoing)
    database.do(lambda db: Filing(outgoing=outgoing, actor="nurse").assign(db, 1, ALMA))
    later = _message(database)
    with Database(database_path(database).with_name("other.db")) as other:
        _alma_in_exam3(other)
        _accept(other, outgoing)
        at_once = _message(other)
    results = [[line for line in m.lines if line.startswith("OBX")] for m in (later, at_once)]
    assert results[0] == results[1]
    assert len(results[0]) > 6


def test_what_takes_an_ekg_back_names_every_result_that_was_sent(database: Database):
    outgoing = _outgoing("measures", "statements", "waveform", "aecg")
    _alma_in_exam3(database)
    _accept(database, outgoing)

    def withdraw(db: sqlite3.Connection) -> None:
        message = outbox.next_pending(db, "ehr")
        assert message is not None
        assert outbox.begin(db, message.id, NOW)
        Filing(outgoing=outgoing, actor="nurse").withdraw(db, 1, "electrodes of another patient")

    database.do(withdraw)
    sent, taken_back = [parse(m.body) for m in database.do(lambda db: outbox.of_reading(db, 1))]
    named = [
        [(line.get(1), line.get(3), line.get(4)) for line in message.segments if line.name == "OBX"]
        for message in (sent, taken_back)
    ]
    assert named[0] == named[1]
    assert {line.get(11) for line in taken_back.segments if line.name == "OBX"} == {"W"}


def test_the_printed_ekg_is_a_pdf_that_names_whom_it_is_filed_under(database: Database):
    _alma_in_exam3(database)
    _accept(database, _outgoing("pdf"))
    data_type, value = _message(database).get("OBX-2"), _message(database).get("OBX-5.5")
    pages = PdfReader(BytesIO(b64decode(value, validate=True))).pages
    assert (data_type, len(pages)) == ("ED", 1)
    text = pages[0].extract_text()
    assert "TESTPATIENT, ALMA" in text
    assert "8834021@NORTH" in text
    assert "Sinus rhythm" in text
    assert "someone" not in text


def database_path(database: Database) -> Path:
    return Path(database.do(lambda db: db.execute("PRAGMA database_list").fetchone()["file"]))


def test_a_destination_that_wants_measures_alone_costs_no_more(database: Database):
    assert _outgoing("measures").ekg_parts(RECORDING, ALMA) is None


def test_a_recording_is_kept_whole_but_for_the_patient_of_its_file():
    read = recordings.unpacked(recordings.packed(RECORDING))
    np.testing.assert_array_equal(read.samples_mv, RECORDING.samples_mv)
    np.testing.assert_array_equal(read.groups[0].samples_mv, RECORDING.groups[0].samples_mv)
    empty = np.zeros((0, 0))
    bare = [
        replace(r, samples_mv=empty, groups=(), patient_fields={}, filters=dict(r.filters))
        for r in (RECORDING, read)
    ]
    assert repr(bare[0]) == repr(bare[1])
    assert (read.groups[0].label, read.groups[0].sample_rate_hz) == ("median", 250.0)


def test_a_lead_without_signal_here_and_there_has_gaps_and_no_aecg():
    samples = RECORDING.samples_mv.copy()
    samples[0, 3] = np.nan
    samples[1, :] = np.nan
    parts = parts_of(replace(RECORDING, samples_mv=samples), {"waveform", "aecg"}, ALMA)
    first, second = parts.leads
    assert [first.counts[2] == "", first.counts[3] == "", set(second.counts)] == [False, True, {""}]
    assert "aecg" not in parts.documents
    assert parts.missing["aecg"].startswith("no aecg of the EKG: ")


@given(
    st.lists(st.integers(-(2**23), 2**23), min_size=1, max_size=40),
    st.sampled_from([Decimal("0.001"), Decimal("0.0025"), Decimal("0.00488"), Decimal("0.000001")]),
)
def test_counts_times_resolution_are_the_samples(counts, step):
    samples = np.array([[float(step) * count for count in counts]])
    (lead,) = parts_of(
        replace(RECORDING, leads=("I",), samples_mv=samples, groups=()), {"waveform"}, ALMA
    ).leads
    assert [int(count) * lead.resolution_mv for count in lead.counts] == [count * step for count in counts]
