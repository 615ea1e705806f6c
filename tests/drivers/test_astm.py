"""What a clinic can rely on from an analyser that speaks ASTM."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.codecs.astm_frames import encode_frame
from gateway.drivers import Events, Fault, Identified, Measured, Send, load
from gateway.drivers.astm import Session
from gateway.model import Reading
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_NOT_VALUES = {"patient-id", "sample-id", "taken_at"}
_HEADER = "H|\\^&|||TEST^1.0^0001|||||||P|LIS2-A2|20240102030405\r"


def session(**settings: str) -> Session:
    chosen = {"reading_kind": "laboratory", "identity": "P", "encoding": "latin-1", "frame_numbers": "0-7"}
    return Session(**{**chosen, **settings})  # type: ignore[arg-type]


def events(*texts: str, **settings: str) -> Events:
    one = session(**settings)
    encoding = settings.get("encoding", "latin-1")
    frames = b"".join(
        encode_frame(number, text.encode(encoding), ends_message=number == len(texts))
        for number, text in enumerate(texts, start=1)
    )
    return one.received(b"\x05" + frames + b"\x04", "", _AT)


def readings(*texts: str, **settings: str) -> list[Reading]:
    return [event.reading for event in events(*texts, **settings) if isinstance(event, Measured)]


def result(rest: str, **settings: str) -> list[Reading]:
    return readings(f"{_HEADER}P|1|A17\rO|1|S9||^^^T\rR|1|^^^T|{rest}\rL|1|N\r", **settings)


def test_what_a_frame_completes_is_stored_before_the_frame_is_acknowledged() -> None:
    came = events(_HEADER + "P|1\rO|1|S9\rR|1|^^^GLU|5.4|mmol/L||||F\r", "L|1|N\r")
    kinds = [type(event) for event in came if isinstance(event, Measured | Send)]
    assert kinds == [Send, Send, Measured, Send]


def test_each_result_belongs_to_the_last_order_and_each_order_to_the_last_patient() -> None:
    found = readings(
        _HEADER,
        "P|1|A1\rO|1|S1\rR|1|^^^K|4.1|mmol/L||||F\r",
        "O|2|S2\rR|1|^^^K|4.2|mmol/L||||F\rP|2|A2\rO|1|S3\rR|1|^^^K|4.3|mmol/L||||F\rL|1|N\r",
    )
    assert [(r.subject, r.sequence, r.value("K")) for r in found] == [
        ("A1", "S1", Decimal("4.1")),
        ("A1", "S2", Decimal("4.2")),
        ("A2", "S3", Decimal("4.3")),
    ]


def test_results_completed_at_other_times_are_readings_of_their_own() -> None:
    found = readings(
        f"{_HEADER}O|1|S1\rR|1|^^^A|1|g/L||||F||||20240102030000\r"
        "R|2|^^^B|2|g/L||||F||||20240102040000\rL|1|N\r"
    )
    assert [(r.taken_at.hour if r.taken_at else None, len(r.observations)) for r in found] == [(3, 1), (4, 1)]


@pytest.mark.parametrize(
    ("identity", "subject"), [("P", "L2"), ("P-3", None), ("P-4", "L2"), ("P-5", "X3"), ("O-3", "S9")]
)
def test_the_patients_identifier_stands_where_the_configuration_says(
    identity: str, subject: str | None
) -> None:
    text = f"{_HEADER}P|1||  L2 |X3\rO|1|S9||^^^T\rR|1|^^^T|1|g/L\rL|1|N\r"
    assert [reading.subject for reading in readings(text, identity=identity)] == [subject]


@pytest.mark.parametrize(
    ("sent", "value", "comparator", "unit"),
    [
        ("  5.5|%", "5.5", None, "%"),
        ("173.|mg/dL", "173", None, "mg/dL"),
        ("<0.5|mg/L", "0.5", "<", "mg/L"),
        (">= 1000|ug/L", "1000", ">=", "ug/L"),
        ("0.5|mg/L||<", "0.5", "<", "mg/L"),
        ("^24.7|", "24.7", None, None),
        ("-1.2|mmol/L", "-1.2", None, "mmol/L"),
        ("8.13|x10^3/µL", "8.13", None, "10*3/uL"),
        ("5|mg/dL^P", "5", None, "mg/dL"),
    ],
)
def test_numbers_keep_digits_limit_and_unit(
    sent: str, value: str, comparator: str | None, unit: str | None
) -> None:
    ((observation,),) = (reading.observations for reading in result(sent))
    assert (str(observation.value), observation.comparator, observation.unit) == (value, comparator, unit)


@pytest.mark.parametrize("text", ["NOT DETECTED^", "Positive", "1:160", "A Rh neg", "+", "1+"])
def test_what_is_no_number_is_text(text: str) -> None:
    ((observation,),) = (reading.observations for reading in result(f"{text}|"))
    assert (observation.value, observation.text) == (None, text.rstrip("^"))


@pytest.mark.parametrize(
    "sent", ["-----|g/L", "*****|g/L", "5.5|g/L||||X", "INVALID^|", "|g/L||||X", "++++|g/L"]
)
def test_what_could_not_be_measured_is_rejected_without_a_number(sent: str) -> None:
    (reading,) = result(sent)
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes[0].startswith("T: no value")


@pytest.mark.parametrize("sent", ["5.5|furlong", "4,5|g/L", "5.5|G/L"])
def test_what_cannot_be_read_without_guessing_is_a_fault_and_the_rest_is_kept(sent: str) -> None:
    text = f"{_HEADER}O|1|S1\rR|1|^^^A|{sent}\rR|2|^^^B|2|g/L\rL|1|N\r"
    assert [event.code for event in events(text) if isinstance(event, Fault)] in (["unit"], ["value"])
    assert [[o.name for o in reading.observations] for reading in readings(text)] == [["B"]]


@pytest.mark.parametrize(
    ("status", "note"), [("P", "T: preliminary"), ("W", "T: of questionable validity"), ("S", "T: partial")]
)
def test_a_result_that_may_change_is_questionable(status: str, note: str) -> None:
    (reading,) = result(f"5|g/L||||{status}")
    assert (reading.status, reading.notes[0]) == ("questionable", note)


@pytest.mark.parametrize("processing", ["Q", "T", "D"])
def test_controls_are_no_patients(processing: str) -> None:
    header = _HEADER.replace("|P|", f"|{processing}|")
    (reading,) = readings(f"{header}O|1|S1\rR|1|^^^A|2|g/L\rL|1|N\r")
    assert (reading.status, reading.observations) == ("rejected", ())


def test_a_message_that_was_broken_off_gives_nothing_and_says_so() -> None:
    text = f"{_HEADER}O|1|S1\rR|1|^^^A|2|g/L\r"
    for end in ("", "L|1|T\r"):
        came = events(text + end)
        assert [event.code for event in came if isinstance(event, Fault)] == ["unfinished"]
        assert not any(isinstance(event, Measured) for event in came)


def test_without_a_time_of_its_own_a_result_has_the_messages_and_says_so() -> None:
    (reading,) = result("5|g/L")
    assert reading.taken_at == datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as it is stated
    assert "the time is the message's: the result states none" in reading.notes


def test_where_the_end_of_a_test_is_not_stated_its_beginning_is_the_time() -> None:
    (reading,) = result("5|g/L||||F|||20240102030000")
    assert reading.taken_at == datetime(2024, 1, 2, 3, 0)  # noqa: DTZ001 - as it is stated


def test_a_result_without_a_time_belongs_to_the_one_before_it() -> None:
    text = f"{_HEADER}O|1|S1\rR|1|^^^A|1|g/L||||F||||20240101120000\rR|2|^^^B|2|g/L\rL|1|N\r"
    (reading,) = readings(text)
    assert (reading.taken_at, len(reading.observations)) == (datetime(2024, 1, 1, 12), 2)  # noqa: DTZ001
    assert "a result states no time: it has that of the one before it" in reading.notes


def test_a_status_that_is_not_known_is_told() -> None:
    (reading,) = result("5|g/L||||Positif")
    assert "T: status POSITIF" in reading.notes


@pytest.mark.parametrize(
    ("sender", "serial"),
    [
        ("DCA VANTAGE^04.04.00.00^S067337", "S067337"),
        ("GeneXpert PC^GeneXpert^4.8", None),
        ("H500^910YOXH02826^2.2.2.2b", None),
        ("XN-550^00-24^22723^^^^BD634545", None),
    ],
)
def test_only_what_can_be_a_serial_number_is_taken_for_one(sender: str, serial: str | None) -> None:
    (found,) = [event.device for event in events(f"H|\\^&|||{sender}\r") if isinstance(event, Identified)]
    assert found.serial == serial


def test_texts_are_in_the_configured_encoding() -> None:
    (reading,) = result("5|µg/L", encoding="utf-8")
    assert reading.observations[0].unit == "ug/L"


@pytest.mark.parametrize(("sent", "said"), [("05", "ENQ"), ("06", "ACK"), ("15", "NAK"), ("04", "EOT")])
def test_a_signal_by_itself_is_explained(sent: str, said: str) -> None:
    found = decode(load("astm"), bytes.fromhex(sent))
    assert (found.errors, [event.text.partition(":")[0] for event in found.events]) == ((), [said])


def test_an_endless_order_is_not_kept() -> None:
    one = session()
    one.received(b"\x05" + encode_frame(1, _HEADER.encode() + b"O|1|S1\r", ends_message=False), "", _AT)
    text = b"R|1|^^^A|2|g/L\r" * 1200
    came = one.received(encode_frame(2, text, ends_message=True), "", _AT)
    assert {event.code for event in came if isinstance(event, Fault)} == {"length"}


def test_every_documented_message_says_what_its_document_says(
    sample_bytes: tuple[dict[str, Any], ...],
) -> None:
    messages = [s for s in sample_bytes if s["driver"] == "astm" and "taken_at" in s.get("expect", {})]
    assert messages
    for sample in messages:
        found = decode(load("astm"), bytes.fromhex(sample["hex"]))
        values = {o.name.lower(): str(o.value) for r in found.readings for o in r.observations}
        expected = {
            name.lower(): value for name, value in sample["expect"].items() if name not in _NOT_VALUES
        }
        assert expected.items() <= values.items()
        assert found.readings[0].taken_at == datetime.fromisoformat(sample["expect"]["taken_at"])
        assert {found.readings[0].subject} == {sample["expect"].get("patient-id")}
        assert ("rejected" in sample) == any(r.status == "rejected" for r in found.readings)
