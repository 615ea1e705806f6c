"""`gateway ekg store` against an archive that listens on a real port."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, GeneralECGWaveformStorage, TwelveLeadECGWaveformStorage
from pynetdicom import AE, evt

from gateway.cli import run_command
from gateway.formats import write_ekg

from ..formats.recordings import twelve_leads


@dataclass
class Archive:
    """An archive that keeps what it is sent, or refuses it with a status."""

    port: int = 0
    status: int = 0
    kept: list[Dataset] = field(default_factory=list)

    def take(self, event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.kept.append(dataset)
        return self.status


@pytest.fixture
def archive() -> Iterator[Archive]:
    kept = Archive()
    entity = AE(ae_title="ARCHIVE")
    entity.require_called_aet = True
    for storage in (TwelveLeadECGWaveformStorage, GeneralECGWaveformStorage):
        entity.add_supported_context(storage, ExplicitVRLittleEndian)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, kept.take)])
    assert server is not None
    kept.port = server.server_address[1]
    yield kept
    server.shutdown()


@pytest.fixture
def resting(tmp_path: Path) -> Path:
    write_ekg(twelve_leads(500), tmp_path / "resting.xml")
    return tmp_path / "resting.xml"


def store(capsys: pytest.CaptureFixture[str], file: Path, to: str, *more: str) -> tuple[int, str, str]:
    code = run_command(["ekg", "store", str(file), "--to", to, *more])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_an_ekg_arrives_as_a_waveform(
    capsys: pytest.CaptureFixture[str], archive: Archive, resting: Path
) -> None:
    code, out, err = store(capsys, resting, f"ARCHIVE@127.0.0.1:{archive.port}")
    assert (code, err) == (0, "")
    assert out == f"{resting}: stored by ARCHIVE@127.0.0.1:{archive.port}\n"
    (dataset,) = archive.kept
    assert (dataset.SOPClassUID, dataset.PatientID) == (GeneralECGWaveformStorage, "P-17")
    assert abs(dataset.waveform_array(0).T / 1000 - twelve_leads(500).samples_mv).max() < 1e-9


def test_a_dicom_file_is_sent_as_it_is(
    capsys: pytest.CaptureFixture[str], archive: Archive, tmp_path: Path
) -> None:
    write_ekg(twelve_leads(500), tmp_path / "resting.dcm")
    code, _, _ = store(capsys, tmp_path / "resting.dcm", f"ARCHIVE@127.0.0.1:{archive.port}")
    assert code == 0
    assert archive.kept[0] == dcmread(tmp_path / "resting.dcm")


def test_what_the_archive_refuses_is_an_error(
    capsys: pytest.CaptureFixture[str], archive: Archive, resting: Path
) -> None:
    archive.status = 0xA700
    code, out, err = store(capsys, resting, f"ARCHIVE@127.0.0.1:{archive.port}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "refused to store the object, status 0xA700" in err


def test_what_the_archive_alters_is_told(
    capsys: pytest.CaptureFixture[str], archive: Archive, resting: Path
) -> None:
    archive.status = 0xB000
    code, out, _ = store(capsys, resting, f"ARCHIVE@127.0.0.1:{archive.port}")
    assert (code, out.rstrip().endswith("it warns that it altered or dropped elements")) == (0, True)


def test_a_title_that_is_not_the_archives_is_named(
    capsys: pytest.CaptureFixture[str], archive: Archive, resting: Path
) -> None:
    code, _, err = store(capsys, resting, f"OTHER@127.0.0.1:{archive.port}")
    assert (code, err.count("\n")) == (2, 1)
    assert f"OTHER@127.0.0.1:{archive.port}: refuses us" in err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom leaves a socket
def test_an_archive_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str], resting: Path) -> None:
    code, _, err = store(capsys, resting, "ARCHIVE@127.0.0.1:1")
    assert (code, err.count("\n")) == (2, 1)
    assert "ARCHIVE@127.0.0.1:1: no connection" in err


@pytest.mark.parametrize(
    "address", ["127.0.0.1:104", "A@h:0", "A@h:70000", "A@h", "@h:1", "WAY_TOO_LONG_A_TITLE@h:1"]
)
def test_an_address_that_is_none_is_bad_usage(
    address: str, capsys: pytest.CaptureFixture[str], resting: Path
) -> None:
    code, _, err = store(capsys, resting, address)
    assert (code, "TITLE@HOST:PORT" in err) == (2, True)
