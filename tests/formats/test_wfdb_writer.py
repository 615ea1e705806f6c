"""WFDB records as the wfdb package reads them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wfdb.io.record import rdrecord

from gateway.errors import FormatError
from gateway.formats import write_ekg

from .recordings import twelve_leads


@pytest.mark.parametrize(("most", "storage"), [(3000, "16"), (40_000, "24"), (9_000_000, "32")])
def test_another_reader_finds_the_same_samples_and_gaps(most: int, storage: str, tmp_path: Path) -> None:
    samples_mv = np.array([[0, 1, -1, most, -most], [5, 0, 0, 0, 3]]) * 0.0025
    samples_mv[1, 2] = np.nan
    source = replace(twelve_leads(), leads=("I", "V5"), samples_mv=samples_mv, sample_rate_hz=512.508)
    write_ekg(source, tmp_path / "ekg.hea")
    record = rdrecord(str(tmp_path / "ekg"))  # type: ignore[no-untyped-call] # wfdb has no types
    assert (record.fs, record.sig_name, set(record.fmt)) == (512.508, ["I", "V5"], {storage})
    np.testing.assert_allclose(record.p_signal.T, samples_mv, rtol=0, atol=1e-9)
    assert record.base_datetime.isoformat() == "2026-03-02T09:14:05"
    assert record.comments == ["age: 61", "sex: female"]
    digital = rdrecord(str(tmp_path / "ekg"), physical=False)  # type: ignore[no-untyped-call] # as above
    assert [sum(row) % 65536 for row in digital.d_signal.T.tolist()] == [n % 65536 for n in record.checksum]


def test_either_of_the_two_files_may_be_named(tmp_path: Path) -> None:
    write_ekg(twelve_leads(), tmp_path / "ekg.dat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ekg.dat", "ekg.hea"]


def test_a_name_that_no_record_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="record name"):
        write_ekg(twelve_leads(), tmp_path / "my ekg.hea")
    assert not list(tmp_path.iterdir())
