"""The bench as a technician uses it, on invented devices."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import run_command

TESTING = Path(__file__).parents[1] / "testing"
SESSIONS = TESTING / "sessions"
FIXTURES = TESTING.parent / "fixtures"

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _invented_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DRIVERS", str(TESTING / "drivers"))


def document(arguments: list[str], capsys: Captured, *, code: int = 0) -> Any:
    assert run_command([*arguments, "--json"]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_drivers_lists_what_each_driver_is_and_needs(capsys: Captured):
    listed = {driver["id"]: driver for driver in document(["drivers"], capsys)}
    assert listed["exemplar-x1"] == {
        "id": "exemplar-x1",
        "vendor": "Exemplar",
        "models": ["X1"],
        "kind": "thermometer",
        "transports": ["serial"],
        "lines": ["9600 8N1"],
        "emits": {"temperature": ["Cel"]},
        "settings": [{"name": "probe", "choices": ["adult", "child"], "default": "adult", "help": ""}],
        "evidence": "manual",
    }
    assert "mt-sics" in listed


def test_drivers_prints_a_table_for_people(capsys: Captured):
    assert run_command(["drivers"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "exemplar-scale" in line)
    assert line.split() == ["exemplar-scale", "Exemplar", "S1,", "S2", "scale", "serial,", "tcp", "manual"]


def test_replay_prints_the_reading_in_the_published_shape(capsys: Captured):
    printed = document(["replay", str(SESSIONS / "ear_temperature.toml")], capsys)
    assert printed["readings"][0] == {
        "driver": "exemplar-x1",
        "device": {"vendor": "Exemplar", "model": "X1", "serial": "X1-000317", "id": None},
        "kind": "temperature",
        "taken_at": "2026-03-02T09:10:00-05:00",
        "time_source": "gateway",
        "status": "final",
        "notes": [],
        "patient_id": None,
        "observations": [
            {
                "name": "temperature", "value": "36.8", "unit": "Cel", "comparator": None, "text": None,
                "site": "ear", "as_sent": None, "loinc": "8333-7", "mdc": "188428", "mdc_ref": "MDC_TEMP_EAR",
            }
        ],
    }  # fmt: skip
    assert printed["events"] == [{"kind": "progress", "text": "warming the probe"}]
    assert [(error["offset"], error["code"]) for error in printed["errors"]] == [(21, "checksum")]


def test_replay_prints_a_line_a_reading_for_people(capsys: Captured):
    assert run_command(["replay", str(SESSIONS / "polled_weight.toml"), "--zone", "+02:00"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "weight 72.35 kg | 2026-03-02 09:10:01-05:00 | Exemplar S2 S2-0099",
        "weight 72.10 kg | 2026-01-15 08:00:00+02:00 by the device's clock | Exemplar S2 S2-0099",
    ]


def test_check_prints_every_difference_and_where_it_is(tmp_path: Path, capsys: Captured):
    good = (SESSIONS / "ear_temperature.toml").read_text(encoding="utf-8")
    (tmp_path / "good.toml").write_text(good, encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(good.replace('"36.8"', '"36.9"'), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    assert run_command(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/wrong.toml: reading 1: temperature: value is '36.8', expected '36.9'",
        "1 of 2 fixtures as expected",
    ]
    printed = document(["check", str(tmp_path)], capsys, code=1)
    assert [len(fixture["differences"]) for fixture in printed["fixtures"]] == [0, 1]


def test_check_of_what_is_as_expected_is_done(capsys: Captured):
    assert run_command(["check", str(SESSIONS)]) == 0
    assert capsys.readouterr().out == "4 of 4 fixtures as expected\n"


def test_check_of_special_values_alone_expects_nothing_of_a_session():
    assert run_command(["check", str(FIXTURES / "gatt-glucose" / "specials.toml")]) == 0


def test_check_names_what_is_wrong_with_a_fixture_and_goes_on(tmp_path: Path, capsys: Captured):
    (tmp_path / "a.toml").write_text("[session]\n", encoding="utf-8")
    (tmp_path / "b.toml").write_text((SESSIONS / "cuff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert run_command(["check", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "1 of 2 fixtures as expected\n"
    assert err.splitlines()[0] == f"{tmp_path}/a.toml: session.driver: is missing; give a text in quotes"


def test_check_where_there_is_no_fixture_is_a_mistake(tmp_path: Path, capsys: Captured):
    assert run_command(["check", str(tmp_path)]) == 2
    assert "no session fixture there" in capsys.readouterr().err


def decoded(data: bytes, capsys: Captured, *options: str, code: int = 0) -> Any:
    return document(["decode", "exemplar-scale", data.hex(" "), *options], capsys, code=code)


def test_decode_gives_a_time_only_where_the_bytes_hold_one(capsys: Captured):
    printed = decoded(b"72.35\r\nM72.10,2026-01-15T08:00\r\n", capsys, "--zone", "Europe/Berlin")
    assert [reading["taken_at"] for reading in printed["readings"]] == [None, "2026-01-15T08:00:00+01:00"]


def test_a_time_without_a_zone_is_printed_without_one(capsys: Captured):
    (reading,) = decoded(b"M72.10,2026-01-15T08:00\r\n", capsys)["readings"]
    assert (reading["taken_at"], reading["time_source"]) == ("2026-01-15T08:00:00", "device")


def test_bytes_that_do_not_decode_fail_with_their_offset(capsys: Captured):
    hexadecimal = b"T,0042,36.8,C,E*47\r\nT,0042,36.8,C,E*48\r\n".hex()
    printed = document(["decode", "exemplar-x1", hexadecimal], capsys, code=1)
    assert len(printed["readings"]) == 1
    assert [(error["offset"], error["code"]) for error in printed["errors"]] == [(36, "checksum")]


def test_half_a_frame_does_not_decode(capsys: Captured):
    (error,) = decoded(b"72.3", capsys, code=1)["errors"]
    assert error == {"offset": 0, "code": "incomplete", "message": "no whole frame in 4 bytes"}


def test_what_is_no_measurement_is_an_event_and_no_failure(capsys: Captured):
    assert decoded(b"~\r\n", capsys) == {
        "readings": [], "events": [{"kind": "progress", "text": "moving"}], "errors": [],
    }  # fmt: skip


def test_a_value_of_a_characteristic_is_decoded_by_its_uuid(capsys: Captured):
    for uuid in ("2A35", "2a35", "00002a35-0000-1000-8000-00805f9b34fb"):
        arguments = ["decode", "exemplar-cuff", "--characteristic", uuid, "79 4E"]
        (reading,) = document(arguments, capsys)["readings"]
        assert [observation["value"] for observation in reading["observations"]] == ["121", "78"]
    assert run_command(["decode", "exemplar-cuff", "79 4E"]) == 2
    assert "say with --characteristic whose value this is" in capsys.readouterr().err


def test_bytes_may_come_from_a_file(tmp_path: Path, capsys: Captured):
    file = tmp_path / "height_0002.txt"
    file.write_bytes(b"height=1.65\n")
    (reading,) = document(["decode", "exemplar-kiosk", f"@{file}"], capsys)["readings"]
    assert reading["observations"][0]["value"] == "1.65"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["decode", "exemplar-x1", "5G"], "not hexadecimal"),
        (["decode", "exemplar-x1", "@none"], "none: cannot be read"),
        (["decode", "exemplar-x2", "00"], "no driver 'exemplar-x2'; nearest: exemplar-x1"),
        (["decode", "exemplar-x1", "00", "--set", "probe"], "'probe' is not KEY=VALUE"),
        (["decode", "exemplar-x1", "00", "--set", "probe=dog"], "'dog' is not a choice"),
        (["decode", "exemplar-x1", "00", "--set", "size=9"], "exemplar-x1 has no such setting"),
        (["decode", "exemplar-x1", "00", "--zone", "Mars"], "no zone is called 'Mars'"),
        (["replay", "none.toml"], "none.toml: file: cannot be read"),
        (["check", "none.toml"], "'none.toml' does not exist"),
    ],
)
def test_bad_input_says_what_to_do(arguments: list[str], said: str, capsys: Captured):
    assert run_command(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("gateway: ")
