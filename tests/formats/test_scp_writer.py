"""SCP-ECG records, byte by byte where another reader would look."""

import shutil
import struct
import subprocess
from binascii import crc_hqx
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import FormatError
from gateway.formats import losses, read_ekg, write_ekg
from gateway.model import EkgGroup, EkgRecording

from .recordings import twelve_leads


def with_median(samples: int) -> EkgRecording:
    """A recording whose median beat has all its leads, as section 5 wants it."""
    source = twelve_leads(samples)
    return replace(source, groups=(EkgGroup("median", source.leads, source.samples_mv[:, :50], 500.0),))


def written(recording: EkgRecording, folder: Path, *, allow_loss: bool = False) -> bytes:
    write_ekg(recording, folder / "ekg.scp", allow_loss=allow_loss)
    return (folder / "ekg.scp").read_bytes()


def sections(record: bytes) -> dict[int, bytes]:
    """The bodies of the sections by the pointers of section 0, each with its CRC proven."""
    assert struct.unpack_from("<HI", record) == (crc_hqx(record[2:], 0xFFFF), len(record))
    found = {}
    for n in range(12):
        number, size, index = struct.unpack_from("<HII", record, 22 + 10 * n)
        assert number == n
        if size:
            part = record[index - 1 : index - 1 + size]
            crc, inside, length, *versions = struct.unpack_from("<HHIBB", part)
            assert (crc, inside, length) == (crc_hqx(part[2:], 0xFFFF), n, size)
            assert (versions, size % 2) == ([20, 20], 0)
            found[n] = part[16:]
    return found


def test_sections_stand_where_the_pointers_say_and_their_crcs_hold(tmp_path: Path) -> None:
    record = written(with_median(500), tmp_path)
    assert record[16:22] == b"SCPECG"
    assert sorted(sections(record)) == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_section_3_names_the_leads_and_section_6_its_scale(tmp_path: Path) -> None:
    parts = sections(written(twelve_leads(500), tmp_path))
    assert parts[3][:2] == bytes([12, 4 | 12 << 3])
    rows = [struct.unpack_from("<IIB", parts[3], 2 + 9 * n) for n in range(12)]
    assert rows == [(1, 500, code) for code in (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)]
    assert parts[2][:2] == struct.pack("<H", 19999)
    assert struct.unpack_from("<HHBB", parts[6]) == (5000, 2000, 2, 0)


def test_codes_of_the_default_table_are_those_of_the_standard(tmp_path: Path) -> None:
    counts = np.array([[0, 1, 1, -8, 1000]])  # second differences 0, 1, -1, -9, 1017
    source = replace(twelve_leads(), leads=("II",), samples_mv=counts * 0.005, groups=())
    parts = sections(written(source, tmp_path))
    size = struct.unpack_from("<H", parts[6], 6)[0]
    stream = "".join(f"{octet:08b}" for octet in parts[6][8 : 8 + size])
    coded = "0" + "100" + "101" + "1111111110" + f"{-9 & 255:08b}" + "1111111111" + f"{1017:016b}"
    assert stream == coded.ljust(size * 8, "0")


def test_jumps_beyond_sixteen_bits_are_stored_plain(tmp_path: Path) -> None:
    counts = np.array([[32767, -32767, 32767, 0]])
    source = replace(twelve_leads(), leads=("II",), samples_mv=counts * 0.001, groups=())
    parts = sections(written(source, tmp_path))
    assert 2 not in parts
    assert np.frombuffer(parts[6][8:], "<i2").tolist() == counts[0].tolist()


def test_a_median_of_a_finer_step_gives_both_sections_one_multiplier(tmp_path: Path) -> None:
    source = with_median(500)
    finer = replace(source.groups[0], samples_mv=source.groups[0].samples_mv / 2)
    source = replace(source, groups=(finer,))
    assert not [loss for loss in losses(source, ".scp") if loss.alters_signal]
    parts = sections(written(source, tmp_path))
    assert [struct.unpack_from("<H", parts[n]) for n in (5, 6)] == [(2500,), (2500,)]


def test_what_has_a_place_comes_back(tmp_path: Path) -> None:
    fields = {
        "id": "P-17", "family_name": "M\u00fcller", "given_name": "Erika", "second_family_name": "Muster",
        "sex": "female", "birth_date": "1964-08-12", "age": "61 a", "height": "172 cm", "weight": "70 kg",
    }  # fmt: skip
    source = replace(with_median(500), patient_fields=fields)
    assert [str(loss) for loss in losses(source, ".scp")] == ["measurement qrs-axis: not held"]
    written(source, tmp_path)
    back = read_ekg(tmp_path / "ekg.scp")
    names = ("leads", "sample_rate_hz", "started_at", "device", "filters", "patient_fields", "statements")
    for name in (*names, "warnings"):
        assert getattr(back, name) == getattr(source, name), name
    np.testing.assert_allclose(back.groups[0].samples_mv, source.groups[0].samples_mv, rtol=0, atol=1e-9)


@pytest.fixture(scope="session")
def biosig() -> str:
    found = shutil.which("save2gdf")
    if found is None:
        pytest.skip("save2gdf is not there; Debian: apt install biosig-tools")
    return found


@pytest.mark.parametrize("source", [twelve_leads(500), with_median(5000)], ids=["without", "with a median"])
def test_another_reader_finds_the_same_samples(source: EkgRecording, biosig: str, tmp_path: Path) -> None:
    written(source, tmp_path)
    subprocess.run(
        [biosig, "-f=ASCII", str(tmp_path / "ekg.scp"), str(tmp_path / "out.asc")],
        check=True,
        capture_output=True,
    )
    for n, row in enumerate(source.samples_mv, 1):
        read_uv = np.loadtxt(tmp_path / f"out.a{n:02}")
        np.testing.assert_allclose(read_uv.ravel() / 1000, row, rtol=0, atol=1e-6)


def test_another_reader_finds_the_patient_and_the_device(biosig: str, tmp_path: Path) -> None:
    written(twelve_leads(500), tmp_path)
    said = subprocess.run(
        [biosig, "-JSON", str(tmp_path / "ekg.scp")], check=True, capture_output=True, text=True
    ).stdout
    for line in (
        '"Id"\t: "P-17"',
        '"Age"\t: 61',
        '"Gender"\t: "Female"',
        '"SerialNumber"\t: "0042"',
        '"Notch"\t: 60',
    ):
        assert line in said, line


def test_a_rate_that_microseconds_cannot_state_is_told(tmp_path: Path) -> None:
    source = replace(twelve_leads(), sample_rate_hz=300.0, groups=())
    assert "sample rate: 300 Hz becomes 300.030003 Hz" in map(str, losses(source, ".scp"))
    with pytest.raises(FormatError, match="sample rate"):
        write_ekg(source, tmp_path / "ekg.scp")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"samples_mv": np.full((12, 100), 2500.0)}, "voltages beyond"),
        ({"sample_rate_hz": 10.0}, "no sample interval"),
        ({"samples_mv": np.tile(np.array([[5.0, -5.0]]), (12, 20_000))}, "no room for 40000 samples"),
    ],
)
def test_what_no_record_holds_is_refused(change: dict[str, object], why: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=why):
        write_ekg(replace(twelve_leads(), groups=(), **change), tmp_path / "ekg.scp")  # type: ignore[arg-type] # fields by name


def test_a_fraction_of_a_second_is_cut_and_told(tmp_path: Path) -> None:
    source = replace(twelve_leads(), started_at=datetime(2026, 3, 2, 9, 14, 5, 250_000))  # noqa: DTZ001 - no zone stated
    assert "start time: held 0.25 s too early" in map(str, losses(source, ".scp"))
