"""Parquet files as pyarrow reads them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from gateway.formats import losses, write_ekg

from .recordings import twelve_leads


def test_columns_are_leads_in_mv_and_gaps_are_nulls(tmp_path: Path) -> None:
    source = twelve_leads()
    source.samples_mv[3, 7] = np.nan
    write_ekg(source, tmp_path / "ekg.parquet")
    table = pq.read_table(tmp_path / "ekg.parquet")
    assert tuple(table.column_names) == source.leads
    assert table.column("aVR").null_count == 1
    np.testing.assert_array_equal(table.column("II").to_numpy(), source.samples_mv[1])


def test_everything_but_groups_is_in_the_metadata(tmp_path: Path) -> None:
    source = twelve_leads()
    assert [str(loss) for loss in losses(source, ".parquet")] == ["group median: not held"]
    write_ekg(source, tmp_path / "ekg.parquet")
    about = json.loads(pq.read_schema(tmp_path / "ekg.parquet").metadata[b"ekg"])
    assert (about["sample_rate_hz"], about["started_at"]) == (500.0, "2026-03-02T09:14:05-05:00")
    assert about["patient"] == source.patient_fields
    assert about["measurements"]["heart-rate"] == {"value": "72", "unit": "/min"}


def test_a_lead_that_is_there_twice_gets_a_number(tmp_path: Path) -> None:
    source = replace(twelve_leads(), leads=("I",) * 12)
    write_ekg(source, tmp_path / "ekg.parquet", allow_loss=True)
    assert pq.read_table(tmp_path / "ekg.parquet").column_names[:2] == ["I", "I (2)"]
