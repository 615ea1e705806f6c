"""What one destination may want otherwise: its times, names, nulls, sites and segments."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Hl7Error
from gateway.hl7 import Message, parse
from gateway.hl7.extra_segments import NAMES, ExtraSegment
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.oru import Amendment, build_oru
from gateway.hl7.profiles import PROFILES, Profile
from gateway.hl7.validation import validate
from gateway.model import Device, Encounter, Identifier, Observation, Patient, Reading

TAKEN = datetime(2026, 7, 2, 9, 14, 5, tzinfo=timezone(timedelta(hours=-5)))
SENT = datetime(2026, 7, 2, 14, 14, 11, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TEST|PATIENT", "ALMA")
VISIT = Encounter(
    room="EXAM3",
    patient=ALMA,
    location="FAMMED^EXAM3",
    visit=Identifier("V7", "NORTH", "VN"),
    opened_at=SENT,
)
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(Observation("systolic", Decimal(121), "mm[Hg]", site="left-arm"),),
    notes=("irregular pulse detected",),
    taken_at=TAKEN,
    clock_drift=timedelta(minutes=3),
    device=Device("A&D", "UA-651BLE", "5171100234"),
)
LOINC, PCD = PROFILES["loinc-2.5.1"], PROFILES["pcd-01"]


def _built(
    profile: Profile,
    reading: Reading = PRESSURE,
    *,
    encounter: Encounter | None = VISIT,
    amendment: Amendment = "",
    placer_number: str = "",
) -> Message:
    return parse(
        build_oru(
            reading,
            ALMA,
            encounter,
            control_id="G7-1",
            filler_number="G7-R1",
            sent_at=SENT,
            profile=profile,
            amendment=amendment,
            placer_number=placer_number,
        )
    )


@pytest.mark.parametrize(
    ("options", "measured", "sent"),
    [
        ({}, "20260702091405-0500", "20260702141411+0000"),
        ({"times": "utc"}, "20260702141405+0000", "20260702141411+0000"),
        ({"times": "local", "zone": ZoneInfo("Europe/Berlin")}, "20260702161405", "20260702161411"),
    ],
)
def test_every_time_has_the_form_that_the_receiver_wants(options, measured, sent):
    message = _built(replace(LOINC, **options))
    found = [message.get(path) for path in ("OBR-7", "OBX-14", "MSH-7", "OBR-22")]
    assert found == [measured, measured, sent, sent]


@pytest.mark.parametrize("times", ["utc", "local"])
def test_a_time_that_has_no_other_zone_is_not_sent(times):
    last = PRESSURE.taken(datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=5))), by="device")
    with pytest.raises(Hl7Error, match="end of the calendar"):
        _built(replace(LOINC, times=times, zone=UTC), last)


@pytest.mark.parametrize(("amendment", "value"), [("W", '""'), ("D", '""'), ("C", "121"), ("", "121")])
def test_what_takes_back_has_a_null_where_the_receiver_asks_for_it(amendment: Amendment, value: str):
    message = _built(replace(LOINC, null_withdrawn=True), amendment=amendment)
    assert (message.get("OBX-2"), message.get("OBX-5")) == ("NM", value)
    assert validate(message.encode()) == ()


@pytest.mark.parametrize(
    ("site", "own", "code"),
    [
        ("left-arm", {}, "LA^Left arm^HL70163"),
        ("left-wrist", {}, "left-wrist^left wrist^L"),
        ("left-arm", {"left-arm": ("ARM-L", "", "99NORTH")}, "ARM-L^^99NORTH"),
    ],
)
@pytest.mark.parametrize("profile", [LOINC, PCD])
def test_the_place_on_the_body_stands_in_obx_20_and_in_no_note(profile, site, own, code):
    measured = replace(PRESSURE, observations=(replace(PRESSURE.observations[0], site=site),), notes=())
    message = _built(replace(profile, observation_site=True, site_codes=own), measured)
    *_, result = (segment for segment in message.segments if segment.name == "OBX")
    assert result.raw(20) == code
    assert message.segment("NTE") is None
    assert structure_faults(message) == ()


def test_pcd_01_names_its_sender_by_an_eui_64_and_says_how_its_clock_is_kept():
    named = replace(PCD, sending_application_id=("0003B1FFFE00A1C2", "EUI-64"), time_sync="ntp")
    message = _built(named)
    assert message.header.raw(3) == "GATEWAY^0003B1FFFE00A1C2^EUI-64"
    kept, device, clock, result = (segment for segment in message.segments if segment.name == "OBX")
    assert (kept.get(3), kept.get(4), kept.raw(5)) == ("68220", "0.0.0.1", "532226^MDC_TIME_SYNC_NTPV4^MDC")
    assert [segment.get(4) for segment in (device, clock, result)] == ["1.0.0.0", "1.0.0.2", "1.0.0.3"]
    assert [segment.get(1) for segment in (kept, device, clock, result)] == ["1", "2", "3", "4"]
    assert structure_faults(message) == ()
    assert validate(message.encode()) == ()


def test_a_sites_own_segments_stand_where_they_are_wanted_and_are_escaped():
    own = (
        ExtraSegment("ZPD", "PID", {(1, 1): "Room {room}", (3, 2): "{family_name}", (3, 4): "x^y"}),
        ExtraSegment("ZVN", "PV1", {(2, 1): "{visit}"}),
        ExtraSegment("ZVO", "PV1", {(1, 1): "second"}),
        ExtraSegment("ZRD", "OBX", {(1, 1): "{kind}", (2, 1): "{time}", (3, 1): "{filler_number}"}),
    )
    message = _built(replace(LOINC, extra_segments=own), placer_number="ORD1^OE")
    names = [segment.name for segment in message.segments]
    assert names == ["MSH", "PID", "ZPD", "PV1", "ZVN", "ZVO", "ORC", "OBR", "OBX", "NTE", "NTE", "ZRD"]
    assert [line for line in message.lines if line.startswith("Z")] == [
        r"ZPD|Room EXAM3||^TEST\F\PATIENT^^x\S\y",
        "ZVN||V7",
        "ZVO|second",
        "ZRD|blood-pressure|20260702091405-0500|G7-R1",
    ]
    assert structure_faults(message) == ()
    assert validate(message.encode()) == ()


def test_a_segment_behind_one_that_is_missing_stands_where_that_would_be():
    own = (ExtraSegment("ZVN", "PV1", {(1, 1): "[{visit}]"}),)
    message = _built(replace(LOINC, extra_segments=own), encounter=None)
    assert message.lines[2] == "ZVN|[]"


_TEXT = st.text('|^~&\\\r\n{}a"', max_size=6)
_NAMED = st.sampled_from([f"{{{name}}}" for name in NAMES])


@given(template=st.lists(_TEXT | _NAMED, max_size=5).map("".join), family=st.text(max_size=10))
def test_whatever_stands_in_a_template_is_one_value_of_one_field(template, family):
    own = ExtraSegment("ZZZ", "OBX", {(2, 1): template})
    if own.unknown_names:
        return
    named = replace(ALMA, family_name=family.encode("utf-8", "ignore").decode())
    data = build_oru(
        PRESSURE,
        named,
        None,
        control_id="G",
        filler_number="R",
        sent_at=SENT,
        profile=replace(LOINC, extra_segments=(own,)),
    )
    last = parse(data).segments[-1]
    assert (last.name, last.raw(1), len(list(last)) <= 2) == ("ZZZ", "", True)
    assert "^" not in last.raw(2)
