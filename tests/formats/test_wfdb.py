"""WFDB records, with the wfdb package as the independent reader."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfdb.io.record import rdrecord

from gateway.formats import read_ekg
from gateway.formats.leads import lead_name
from gateway.formats.wfdb_samples import STORAGES

RECORDS = (
    "00001_hr", "00001_lr", "100", "100-no-len", "100_3chan", "100skew", "3000003_0003", "310derive",
    "310derive_2", "311derive", "311derive_2", "E07505", "a103l", "a103l-no-len", "binformats", "flacformats",
    "s0010_re", "test01_00s", "test01_00s_frame", "test01_00s_skew", "multi-041s/041s",
)  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_every_storage_format_reads_as_the_reference_package_reads_it(name: str, ekg_files: Path) -> None:
    path = ekg_files / "wfdb" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = rdrecord(str(path), smooth_frames=False)  # type: ignore[no-untyped-call]  # has no annotations
    recording = read_ekg(path.with_suffix(".hea"))
    names = [lead_name(one) for one in reference.sig_name]
    rows = [*zip(recording.leads, recording.samples_mv, strict=True)]
    rows += [row for group in recording.groups for row in zip(group.leads, group.samples_mv, strict=True)]
    for lead, row in rows:
        expected = np.asarray(reference.e_p_signal[names.index(lead)])
        assert np.array_equal(np.isnan(row), np.isnan(expected)), lead
        assert np.nanmax(np.abs(row - expected), initial=0.0) < 1e-8, lead


@pytest.mark.parametrize(
    ("storage", "data", "counts"),
    [
        (212, "e3030b 000802", [995, 11, -2048, 2]),
        (310, "02080408", [1, 2, 33]),
        (310, "fe07 0000", [-1, 0, 0]),
        (311, "01080010", [1, 2, 256]),
        (16, "feff 0080", [-2, -32768]),
        (61, "fffe 8000", [-2, -32768]),
        (24, "ffffff 010000", [-1, 1]),
        (80, "00 80 ff", [-128, 0, 127]),
        (160, "0000 0080", [-32768, 0]),
    ],
)
def test_packed_samples(storage: int, data: str, counts: list[int]) -> None:
    assert STORAGES[storage].decode(bytes.fromhex(data)).tolist() == counts


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-2048, 2047), min_size=1, max_size=40))
def test_format_212_holds_any_twelve_bits(counts: list[int]) -> None:
    padded = counts + [0] * (len(counts) % 2)
    data = b"".join(
        bytes([a & 255, (a >> 8 & 15) | (b >> 8 & 15) << 4, b & 255])
        for a, b in zip(padded[::2], padded[1::2], strict=True)
    )
    assert STORAGES[212].decode(data).tolist() == padded
