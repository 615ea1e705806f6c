"""Leads that are not what their names say: interchanged electrodes, inverted leads, unequal gains."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from wfdb.io.record import rdrecord

from gateway.signal import Measurements, measure_ekg

Leads = NDArray[np.float64]
Heart = Callable[..., NDArray[np.float64]]
NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
RECORDS = ("1", "21", "53", "113", "175")


def limb(one: NDArray[np.float64], two: NDArray[np.float64]) -> Leads:
    return np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2])


def read(folder: Path, record: str) -> Leads:
    """As converter counts, thousands: LUDB's leads in mV are each stretched to one height."""
    found = rdrecord(str(folder / "ekg" / "ludb" / record), physical=False)  # type: ignore[no-untyped-call] # wfdb has no types
    counts = found.d_signal.T / 1000
    return np.concatenate((limb(counts[0], counts[1]), counts[6:]))


def exchanged(ekg: Leads, one: Leads, two: Leads) -> Leads:
    return np.concatenate((limb(one, two), ekg[6:]))


def codes(measured: Measurements) -> set[str]:
    return {finding.code for finding in measured.rhythm.findings if "suspected" in finding.code}


@pytest.fixture(params=RECORDS)
def ekg(gateway_data: Path, request: pytest.FixtureRequest) -> Leads:
    return read(gateway_data, request.param)


def test_a_recording_as_it_should_be_raises_no_suspicion(ekg: Leads) -> None:
    measured = measure_ekg(ekg, 500.0, NAMES)
    assert not codes(measured) & {"limb-lead-reversal-suspected", "inverted-polarity-suspected"}


def test_a_bundle_branch_block_with_extrasystoles_is_not_taken_for_interchanged_electrodes(
    gateway_data: Path,
) -> None:
    found = rdrecord(str(gateway_data / "ekg" / "ludb" / "83"))  # type: ignore[no-untyped-call] # wfdb has no types
    assert "limb-lead-reversal-suspected" not in codes(measure_ekg(found.p_signal.T, 500.0, NAMES))


@pytest.mark.parametrize(
    ("swap", "named"),
    [
        (lambda ekg: exchanged(ekg, -ekg[0], ekg[2]), "right arm and left arm"),
        (lambda ekg: exchanged(ekg, -ekg[2], -ekg[1]), "right arm and left leg"),
        (lambda ekg: exchanged(ekg, -ekg[2], 0.002 * ekg[0]), "right arm and right leg"),
    ],
)
def test_interchanged_limb_electrodes_are_suspected_and_named(
    ekg: Leads, swap: Callable[[Leads], Leads], named: str
) -> None:
    measured = measure_ekg(swap(ekg), 500.0, NAMES)
    (finding,) = [f for f in measured.rhythm.findings if f.code == "limb-lead-reversal-suspected"]
    assert named in finding.text
    assert finding.evidence
    assert all("reversed" in lead.flags for lead in measured.quality.leads[:6])


@pytest.mark.parametrize("lead", ["aVR", "aVF"])
def test_a_limb_lead_that_is_upside_down_is_named(ekg: Leads, lead: str) -> None:
    ekg[NAMES.index(lead)] *= -1
    measured = measure_ekg(ekg, 500.0, NAMES)
    (finding,) = [f for f in measured.rhythm.findings if f.code == "inverted-polarity-suspected"]
    assert lead in finding.text
    assert "inverted" in measured.quality.leads[NAMES.index(lead)].flags


def test_a_single_lead_with_every_wave_upside_down_is_suspected(heart: Heart) -> None:
    assert codes(measure_ekg(-heart()[np.newaxis], 500.0, ("II",))) == {"inverted-polarity-suspected"}
    assert codes(measure_ekg(heart()[np.newaxis], 500.0, ("II",))) == set()


def test_unequal_gains_of_the_limb_leads_are_stated_and_do_not_turn_the_axis(ekg: Leads) -> None:
    stretched = ekg * np.array([1.4, 0.9, 1.2, 1.0, 0.7, 1.1, 1, 1, 1, 1, 1, 1])[:, np.newaxis]
    alike, unlike = measure_ekg(ekg, 500.0, NAMES), measure_ekg(stretched, 500.0, NAMES)
    assert "limb-lead-gains-differ" in {finding.code for finding in unlike.rhythm.findings}
    assert alike.axes_deg.qrs is not None
    assert unlike.axes_deg.qrs == pytest.approx(alike.axes_deg.qrs, abs=5)


@pytest.mark.parametrize(
    ("record", "lowest", "highest"),
    [("13", -90, 30), ("21", -90, 30), ("5", 0, 40), ("9", -90, 30), ("101", 55, 100), ("25", 30, 80)],
)
def test_the_axis_lies_where_the_record_says(
    gateway_data: Path, record: str, lowest: float, highest: float
) -> None:
    header = (gateway_data / "ekg" / "ludb" / f"{record}.hea").read_text()
    axis = measure_ekg(read(gateway_data, record), 500.0, NAMES).axes_deg.qrs
    assert "Electric axis of the heart" in header
    assert axis is not None
    assert lowest <= axis <= highest
