"""A mistake in the configuration is named with file, key path and fix; all of them at once."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.drivers import SerialLink
from gateway.errors import ConfigError
from gateway.fhir import FhirProfile
from gateway.gdt import GdtProfile
from gateway.hl7.extra_segments import ExtraSegment
from gateway.hl7.profiles import Profile
from gateway.service.configuration import Configuration, DestinationTable, load_configuration
from gateway.service.destinations import FhirTable, GdtTable
from gateway.service.outgoing import profiles_of
from gateway.transports import HOLD_OFF_S, open_transport
from gateway.transports.serial_port import SerialTransport

GOOD = """
[site]
name = "NORTHCLINIC"
zone = "America/New_York"

[store]
path = "var/gateway.db"

[destinations.ehr]
address = "127.0.0.1:2575"

[devices.scale-3]
driver = "mt-sics"
port = "socket://10.0.3.21:4001"
room = "EXAM3"
"""


def _load(folder: Path, text: str) -> Configuration:
    file = folder / "gateway.toml"
    file.write_text(text)
    return load_configuration(file)


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        _load(folder, text)
    return [str(problem) for problem in refused.value.problems]


def test_a_good_configuration_is_taken_with_its_paths_made_absolute(tmp_path: Path):
    found = _load(tmp_path, GOOD)
    assert found.store.path == tmp_path / "var" / "gateway.db"
    ehr = found.destinations["ehr"]
    assert isinstance(ehr, DestinationTable)
    assert str(ehr.address) == "127.0.0.1:2575"
    assert found.driver("scale-3").id == "mt-sics"


def test_the_shipped_configuration_is_good():
    assert load_configuration(Path(__file__).parents[2] / "config" / "gateway.toml").devices


FHIR = """
[destinations.fhir]
address = "https://ehr.example.org/fhir/"
profile = "fhir-r4"
identifier_systems = { NORTH = "https://north.example.org/mrn" }
[destinations.fhir.login]
token_url = "https://login.example.org/token"
client_id = "gateway"
key_file = "key.pem"
"""
GDT = """
[destinations.praxis]
folder = "praxis"
profile = "gdt-2.1"
patient_authority = "PRAXIS"
"""


def test_a_fhir_server_and_a_practice_system_are_destinations_beside_an_ehr(tmp_path: Path):
    found = _load(tmp_path, GOOD + FHIR + GDT)
    fhir, praxis = found.destinations["fhir"], found.destinations["praxis"]
    assert isinstance(fhir, FhirTable)
    assert isinstance(praxis, GdtTable)
    assert fhir.address == "https://ehr.example.org/fhir"
    assert fhir.login is not None
    assert fhir.login.key_file == tmp_path / "key.pem"
    assert praxis.folder == tmp_path / "praxis"
    profiles = profiles_of(found)
    assert isinstance(profiles["fhir"], FhirProfile)
    assert isinstance(profiles["praxis"], GdtProfile)


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("https://ehr.", "http://ehr.", "destinations.fhir.address: not an https address; write it as https"),
        ("ehr.example.org/fhir/", "a:b@ehr.example.org/", "destinations.fhir.address: not an https address"),
        ("ehr.example.org/fhir/", "ehr.example.org:x/", "destinations.fhir.address: not an https address"),
        ("ehr.example.org/fhir/", "", "destinations.fhir.address: not an https address"),
        ('"https://north.example.org/mrn"', '"MRN"', "destinations.fhir.identifier_systems.NORTH: not a URI"),
        ('key_file = "key.pem"', "", "destinations.fhir.login: no client with one proof; give client_id"),
        ('client_id = "gateway"', "", "destinations.fhir.login: no client with one proof"),
        ('key_file = "key.pem"', 'token_env = "T"', "destinations.fhir.login: not one way to log in"),
        (
            'token_url = "https://login.example.org/token"',
            'token_env = "T"',
            "destinations.fhir.login: a client without its token_url; give token_url",
        ),
        (
            'profile = "fhir-r4"',
            f'profile = "fhir-r4"\ntls = {{ pins = ["sha256:{"0" * 64}"] }}',
            "destinations.fhir: pins are for MLLP; let `ca` hold",
        ),
        ('profile = "fhir-r4"', 'profile = "fhir-r4"\nmsa2 = "any"', "destinations.fhir.msa2: extra inputs"),
        (
            'patient_authority = "PRAXIS"\n',
            "",
            "destinations.praxis.patient_authority: field required",
        ),
        (
            '"PRAXIS"',
            '"PRAXIS"\nsender = "GATEWAY-3"',
            "destinations.praxis.sender: string should have",
        ),
        ('"PRAXIS"', '"PRAXIS"\nfile_name = "../x"', "destinations.praxis.file_name: "),
        ('"PRAXIS"', '"PRAXIS"\nexaminations = { pulse = "X" }', "destinations.praxis.examinations.pulse"),
    ],
)
def test_a_mistake_in_another_kind_of_destination_is_named_as_well(
    tmp_path: Path, good: str, bad: str, problem: str
):
    assert good in FHIR + GDT
    assert _problems(tmp_path, GOOD + (FHIR + GDT).replace(good, bad))[0].startswith(problem)


def test_a_folder_that_is_not_there_is_remarked_on(tmp_path: Path):
    (remark,) = _load(tmp_path, GOOD + GDT).remarks()
    assert str(remark).startswith(f"destinations.praxis.folder: there is no folder {tmp_path / 'praxis'}")
    (tmp_path / "praxis").mkdir()
    assert list(_load(tmp_path, GOOD + GDT).remarks()) == []


def test_http_without_tls_is_for_this_machine_alone(tmp_path: Path):
    local = FHIR.replace("https://ehr.example.org/fhir/", "http://127.0.0.1:8080/fhir")
    table = _load(tmp_path, GOOD + local).destinations["fhir"]
    assert isinstance(table, FhirTable)
    assert table.address == "http://127.0.0.1:8080/fhir"


def test_a_profile_that_nobody_knows_is_named_with_those_that_are_known(tmp_path: Path):
    problems = _problems(tmp_path, GOOD + FHIR.replace("fhir-r4", "fhir-r5"))
    assert (
        "destinations.fhir.profile: no profile 'fhir-r5'; "
        "use one of: loinc-2.5.1, loinc-2.3, pcd-01, fhir-r4, gdt-2.1"
    ) in problems


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        (
            "[destinations.ehr]",
            '[destinations.ehr.codes]\n"8480-7" = { code = "BPSYS" }\n[destinations.ehr]',
            "destinations.ehr.codes.8480-7: the gateway never sends it",
        ),
        (
            "[destinations.ehr]",
            '[destinations.ehr.codes]\n"8480-6" = { code = "" }\n[destinations.ehr]',
            "destinations.ehr.codes.8480-6.code: ",
        ),
        (
            "[destinations.ehr]",
            '[destinations.ehr.units]\n"mmHg" = { code = "MMHG" }\n[destinations.ehr]',
            "destinations.ehr.units.mmHg: the gateway never sends it",
        ),
        (
            'zone = "America/New_York"',
            'zone = "New York"',
            "site.zone: not a time zone; write it as Europe/Berlin",
        ),
        (
            '"127.0.0.1:2575"',
            '"127.0.0.1"',
            "destinations.ehr.address: not HOST:PORT; write it as 10.0.0.5:2575",
        ),
        ('name = "NORTHCLINIC"\n', "", "site.name: field required; add it"),
        (
            'room = "EXAM3"',
            'rooom = "EXAM3"',
            "devices.scale-3.rooom: extra inputs are not permitted; remove it",
        ),
        (
            'room = "EXAM3"',
            'clock = "set"',
            "devices.scale-3.clock: mt-sics knows of no clock; remove it",
        ),
        (
            'room = "EXAM3"',
            'clock = "fix"',
            "devices.scale-3.clock: input should be 'off', 'measure' or 'set'; correct the value",
        ),
        ('"mt-sics"', '"mt-sic"', "devices.scale-3.driver: no driver 'mt-sic'; nearest: mt-sics"),
        *(
            ("[destinations.ehr]", f"[destinations.ehr]\n{options}", f"destinations.ehr.{problem}")
            for options, problem in (
                ('sending_application_id = "0003b1fffe00a1c2"', "sending_application_id: neither an EUI-64"),
                ('profile = "pcd-01"\ntimes = "local"', "times: pcd-01 states every time with its zone"),
                ('times = "here"', "times: input should be 'offset', 'local' or 'utc'"),
                ('zone = "Europe/Berlin"', "zone: used only where times = 'local'"),
                ('times = "local"\nzone = "Berlin"', "zone: not a time zone; write it as Europe/Berlin"),
                ('profile = "loinc-2.3"\nobservation_site = true', "observation_site: loinc-2.3 has no"),
                ('time_sync = "ntp"', "time_sync: loinc-2.5.1 has no place for it"),
                ('withdrawn_value = ""', "withdrawn_value: input should be"),
                ('segments = [{ name = "Z1", fields = { 1 = "x" } }]', "segments.0.name: "),
                ('segments = [{ name = "ZAB", fields = {} }]', "segments.0.fields: "),
                ('segments = [{ name = "ZAB", fields = { 0 = "x" } }]', "segments.0.fields.0: no field"),
                ('segments = [{ name = "ZAB", fields = { 1 = "{x}" } }]', "segments.0.fields: nothing is"),
                ('segments = [{ name = "ZAB", after = "EVN", fields = { 1 = "" } }]', "segments.0.after: "),
                ('segments = [{ name = "NTE", fields = { 1 = "" } }]', "segments.0.name: NTE is written by"),
                (
                    'segments = [{ name = "PV2", after = "OBR", fields = { 1 = "" } }]',
                    "segments.0.after: PV2 has no place in ORU^R01 there; put it elsewhere",
                ),
            )
        ),
        (
            "[destinations.ehr]",
            '[destinations.ehr]\nprofile = "loinc-9"',
            "destinations.ehr.profile: no profile",
        ),
        ('"socket://10.0.3.21:4001"', '"ble://scale"', "devices.scale-3.port: "),
        (
            '"socket://10.0.3.21:4001"',
            '"/dev/ttyUSB0"\nline = "2400"',
            "devices.scale-3.line: not the settings of a serial line; write it as 9600 8N1",
        ),
        (
            '"socket://10.0.3.21:4001"',
            '"socket://10.0.3.21:4001"\nline = "2400 7E1"',
            "devices.scale-3.line: socket://HOST:PORT is no serial port that could be set to 2400 7E1",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_path_and_the_fix(tmp_path: Path, good: str, bad: str, problem: str):
    (found,) = _problems(tmp_path, GOOD.replace(good, bad))
    assert found.startswith(problem)


TLS = """
[inbound]
listen = "127.0.0.1:2576"
tls = { ca = "tls/ca.pem", certificate = "tls/own.pem", clients = ["DNS:reg.example.org", "CN=reg"] }

[destinations.ehr.tls]
certificate = "/etc/gateway/own.pem"
pins = ["sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"]
"""


def test_a_window_needs_acknowledgements_that_name_their_message(tmp_path: Path):
    text = GOOD.replace("[destinations.ehr]", '[destinations.ehr]\nwindow = 4\nmsa2 = "any"')
    assert all("set window to 1" in problem for problem in _problems(tmp_path, text))
    ehr = _load(tmp_path, text.replace("any", "prefix20")).destinations["ehr"]
    assert isinstance(ehr, DestinationTable)
    assert ehr.window == 4


def test_the_files_of_tls_are_found_beside_the_configuration(tmp_path: Path):
    tables = _load(tmp_path, GOOD + TLS).tls
    assert (tables["inbound.tls"].ca, tables["destinations.ehr.tls"].ca) == (
        tmp_path / "tls" / "ca.pem",
        None,
    )
    assert tables["destinations.ehr.tls"].certificate == Path("/etc/gateway/own.pem")


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ('ca = "tls/ca.pem", ', "", "inbound.tls.ca: field required; add it"),
        ("sha256:00", "sha256:0", "destinations.ehr.tls.pins.0: not a pin; write it as sha256: and 64"),
        ("CN=reg", "reg", "inbound.tls.clients.1: not the name of a client; write it as DNS:"),
        (
            'certificate = "/etc/gateway/own.pem"',
            'key = "own.key"',
            "destinations.ehr.tls: a key without its certificate; give `certificate` too",
        ),
    ],
)
def test_a_mistake_in_tls_is_named_like_any_other(tmp_path: Path, good: str, bad: str, problem: str):
    (found,) = _problems(tmp_path, GOOD + TLS.replace(good, bad))
    assert found.startswith(problem)


QUERY = """
[patients.query]
address = "10.0.0.5:3700"
authority = "NORTH"
authority_oid = "2.16.840.1.113883.19.4"
tls = { ca = "ca.pem" }
"""


def test_whom_to_ask_for_patients_is_a_table_like_a_destination(tmp_path: Path):
    found = _load(tmp_path, GOOD + QUERY)
    assert found.patients.query is not None
    assert (str(found.patients.query.address), found.patients.query.domains) == ("10.0.0.5:3700", ())
    assert found.tls["patients.query.tls"].ca == tmp_path / "ca.pem"
    assert _load(tmp_path, GOOD).patients.query is None


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ('authority = "NORTH"\n', "", "patients.query.authority: field required; add it"),
        ("10.0.0.5:3700", "10.0.0.5", "patients.query.address: not HOST:PORT; write it as"),
        ("2.16.840", "urn:oid:2", "patients.query.authority_oid: not an OID; write it as 2.16.840."),
        ("authority_oid", "oid", "patients.query.oid: extra inputs are not permitted; remove it"),
    ],
)
def test_a_mistake_in_whom_to_ask_is_named_like_any_other(tmp_path: Path, good: str, bad: str, problem: str):
    (found,) = _problems(tmp_path, GOOD + QUERY.replace(good, bad))
    assert found.startswith(problem)


def test_a_device_is_opened_on_the_line_that_is_chosen_for_it(tmp_path: Path):
    on_7e1 = '"rfc2217://10.0.3.21:4001"\nline = "2400 7E1"'
    found = _load(tmp_path, GOOD.replace('"socket://10.0.3.21:4001"', on_7e1))
    transport = open_transport(found.devices["scale-3"].port, found.links("scale-3"))
    assert isinstance(transport, SerialTransport)
    assert transport.link == SerialLink(2400, 7, "E", xonxoff=True)
    assert list(found.remarks()) == []


def test_a_bluetooth_device_is_left_alone_for_as_long_as_all_or_for_its_own_time(tmp_path: Path):
    cuffs = "".join(
        f'[devices.{name}]\ndriver = "gatt-blood-pressure"\nport = "ble://{name}"\n{own}\n'
        for name, own in (("wall", ""), ("cart", "hold_off_s = 0.0"), ("desk", "hold_off_s = 90.5"))
    )
    usual = _load(tmp_path, GOOD + cuffs)
    own = _load(tmp_path, GOOD + cuffs + "[bluetooth]\nhold_off_s = 30.0\n")
    names = ("wall", "cart", "desk")
    assert [usual.hold_off_s(name) for name in names] == [HOLD_OFF_S, 0.0, 90.5]
    assert [own.hold_off_s(name) for name in names] == [30.0, 0.0, 90.5]
    below_zero = GOOD + cuffs.replace("90.5", "-1.0")
    assert _problems(tmp_path, below_zero)[0].startswith("devices.desk.hold_off_s: ")


def test_a_line_that_the_driver_does_not_know_is_taken_and_remarked_on(tmp_path: Path):
    on_8o1 = '"/dev/ttyUSB0"\nline = "1200 8O1"'
    found = _load(tmp_path, GOOD.replace('"socket://10.0.3.21:4001"', on_8o1))
    (remark,) = found.remarks()
    assert str(remark) == (
        "devices.scale-3.line: 1200 8O1 is none of the lines that this driver's devices are known for, "
        "9600 8N1 or 2400 7E1; compare it with the device's menu"
    )
    link = found.links("scale-3")[0]
    assert link == SerialLink(1200, parity="O", xonxoff=True)


def test_all_mistakes_are_named_at_once(tmp_path: Path):
    text = GOOD.replace("America/New_York", "Mars").replace("mt-sics", "nothing") + "\n[surprise]\n"
    assert [problem.split(":")[0] for problem in _problems(tmp_path, text)] == [
        "site.zone",
        "surprise",
        "devices.scale-3.driver",
    ]


def test_two_devices_cannot_have_one_port(tmp_path: Path):
    second = GOOD[GOOD.index("[devices.scale-3]") :].replace("scale-3", "scale-4")
    (found,) = _problems(tmp_path, GOOD + second)
    assert found == "devices.scale-4.port: scale-3 has it too; give each device its own"


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"[site\n", "no TOML"), (b"# \xff\n", "byte 2 is not UTF-8")],
)
def test_a_file_that_is_no_toml_says_where(tmp_path: Path, content: bytes, what: str):
    file = tmp_path / "gateway.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=what):
        load_configuration(file)


def test_a_file_that_is_not_there_says_so(tmp_path: Path):
    with pytest.raises(ConfigError, match="No such file or directory; give its path with --config"):
        load_configuration(tmp_path / "gateway.toml")


def test_a_destination_is_sent_its_own_codes_units_and_names(tmp_path: Path):
    own = """
[destinations.ehr.codes]
"8480-6" = { code = "BPSYS", text = "Systolic", system = "99NORTH" }
"XYZ-9" = { code = "9" }
[destinations.ehr.units]
"264928" = { code = "BPM" }
"""
    named = '[destinations.ehr]\nsending_application = "VITALS"\nsending_facility = "WEST"'
    profile = profiles_of(_load(tmp_path, GOOD.replace("[destinations.ehr]", named) + own))["ehr"]
    assert isinstance(profile, Profile)
    assert (profile.sending_application, profile.sending_facility) == ("VITALS", "WEST")
    assert profile.codes == {"8480-6": ("BPSYS", "Systolic", "99NORTH"), "XYZ-9": ("9", "", "L")}
    assert profile.units == {"264928": ("BPM", "", "L")}


def test_a_destination_has_its_times_names_nulls_sites_and_segments(tmp_path: Path):
    options = """[destinations.ehr]
sending_application_id = "1.2.840.113619"
times = "local"
withdrawn_value = "null"
observation_site = true
sites = { left-arm = { code = "ARM-L", system = "99NORTH" } }
segments = [{ name = "ZPD", after = "PID", fields = { 1 = "{room}", "2.3" = "x" } }]
"""
    profile = profiles_of(_load(tmp_path, GOOD.replace("[destinations.ehr]", options)))["ehr"]
    assert isinstance(profile, Profile)
    assert profile.sender == ("GATEWAY", "1.2.840.113619", "ISO")
    assert (profile.times, profile.zone) == ("local", ZoneInfo("America/New_York"))
    assert (profile.null_withdrawn, profile.observation_site) == (True, True)
    assert profile.site_codes == {"left-arm": ("ARM-L", "", "99NORTH")}
    assert profile.extra_segments == (ExtraSegment("ZPD", "PID", {(1, 1): "{room}", (2, 3): "x"}),)


def test_a_pcd_01_destination_without_an_identifier_is_remarked_on(tmp_path: Path):
    found = _load(tmp_path, GOOD.replace("[destinations.ehr]", '[destinations.ehr]\nprofile = "pcd-01"'))
    (remark,) = found.remarks()
    assert str(remark).startswith("destinations.ehr.sending_application_id: pcd-01 identifies its sender")
