"""What a cardiologist measures with a ruler on the page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drawing import Curve, Lines, Page, PageOptions, Text, draw_pages
from gateway.drawing.lettering import fitted, legible, width_mm, wrapped
from gateway.errors import GatewayError
from gateway.formats import read_ekg
from gateway.model import STANDARD_LEADS, EkgRecording, Identifier, Patient
from gateway.signal import delineate, measure_ekg
from gateway.testing.synthetic_ekg import synthetic_recording

TRACE_MM = 250.0


def page_of(recording: EkgRecording, **options: object) -> Page:
    (page,) = draw_pages(recording, options=PageOptions(**options))  # type: ignore[arg-type]
    return page


def curves(page: Page, name: str) -> list[np.ndarray]:
    return [item.points_mm for item in page.items if isinstance(item, Curve) and item.name == name]


def texts(page: Page) -> list[str]:
    return [item.text for item in page.items if isinstance(item, Text)]


def label(page: Page, name: str) -> Text:
    return next(item for item in page.items if isinstance(item, Text) and item.text == name)


def foot_of_pulse(page: Page, points: np.ndarray) -> np.ndarray:
    """The calibration pulse of the row in which a curve lies."""
    pulses = curves(page, "calibration 1 mV")
    return min(pulses, key=lambda pulse: abs(pulse[0, 1] - np.median(points[:, 1])))


@pytest.mark.parametrize("gain", [5, 10, 20])
@pytest.mark.parametrize("layout", ["3x4", "6x2", "lines"])
def test_the_calibration_pulse_is_a_millivolt_high(resting: EkgRecording, layout: str, gain: float):
    for page in draw_pages(resting, options=PageOptions(layout=layout, gain_mm_per_mv=gain)):  # type: ignore[arg-type]
        for pulse in curves(page, "calibration 1 mV"):
            assert np.ptp(pulse[:, 1]) == pytest.approx(gain)
            assert pulse[3, 0] - pulse[2, 0] == pytest.approx(5)


@pytest.mark.parametrize("rate_hz", [100, 257.5, 500])
@pytest.mark.parametrize(("speed", "gain"), [(25, 10), (50, 10), (25, 5), (50, 20)])
def test_every_point_of_the_rhythm_strip_is_a_sample(rate_hz: float, speed: float, gain: float):
    recording = synthetic_recording(sample_rate_hz=rate_hz)
    page = page_of(recording, speed_mm_per_s=speed, gain_mm_per_mv=gain)
    strip = max(curves(page, "II"), key=len)
    zero = foot_of_pulse(page, strip)[0, 1]
    last = int(TRACE_MM / speed * rate_hz)
    expected = recording.samples_mv[1][: last + 1]
    np.testing.assert_allclose(zero - strip[:, 1], gain * expected, atol=0.01)
    np.testing.assert_allclose(
        strip[:, 0] - strip[0, 0], np.arange(len(expected)) / rate_hz * speed, atol=0.01
    )


@pytest.mark.parametrize("rate_hz", [800, 1000, 2000])
def test_what_is_left_out_at_high_rates_is_less_than_a_pen_shows(rate_hz: float):
    recording = synthetic_recording(sample_rate_hz=rate_hz)
    recording.samples_mv[1, 1234] = 3.0
    page = page_of(recording)
    strip = max(curves(page, "II"), key=len)
    x, y = strip[:, 0] - strip[0, 0], foot_of_pulse(page, strip)[0, 1] - strip[:, 1]
    assert y.max() == pytest.approx(30)
    at = np.rint(x / 25 * rate_hz).astype(int)
    np.testing.assert_allclose(y, 10 * recording.samples_mv[1][at], atol=1e-9)
    assert np.diff(x).max() <= 0.2 + 1e-9
    by_column = np.floor(np.arange(len(recording.samples_mv[1])) / rate_hz * 25 / 0.1 + 1e-9).astype(int)
    for column in (0, 7, 308, 2499):
        inside = 10 * recording.samples_mv[1][by_column == column]
        nearby = (x > column * 0.1 - 0.2) & (x < column * 0.1 + 0.3)
        assert y[nearby].min() <= inside.min() + 1e-9
        assert y[nearby].max() >= inside.max() - 1e-9


def test_columns_are_simultaneous_and_continue_in_time(resting: EkgRecording):
    page = page_of(resting)
    strip = max(curves(page, "II"), key=len)
    for place, lead in enumerate(STANDARD_LEADS):
        (points,) = [c for c in curves(page, lead) if len(c) < len(strip)]
        column = place // 3
        assert points[0, 0] - strip[0, 0] == pytest.approx(column * 62.5)
        assert points[-1, 0] - strip[0, 0] == pytest.approx((column + 1) * 62.5, abs=0.06)
        piece = resting.samples_mv[place][round(column * 1250) :][: len(points)]
        np.testing.assert_allclose(foot_of_pulse(page, points)[0, 1] - points[:, 1], 10 * piece, atol=0.01)


def test_twelve_leads_stand_where_they_are_looked_for(resting: EkgRecording):
    rows = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
    page = page_of(resting)
    at = [[(label(page, lead).x_mm, label(page, lead).y_mm) for lead in row] for row in rows]
    assert np.ptp(np.array(at)[..., 1], axis=1).tolist() == [0, 0, 0]
    np.testing.assert_allclose(np.diff(np.array(at)[..., 0], axis=1), 62.5)


def test_six_by_two_has_limb_leads_left_of_chest_leads(resting: EkgRecording):
    page = page_of(resting, layout="6x2", cabrera=True)
    limb = [label(page, lead) for lead in ("aVL", "I", "-aVR", "II", "aVF", "III")]
    chest = [label(page, f"V{n}") for n in range(1, 7)]
    assert {round(c.x_mm - el.x_mm, 6) for el, c in zip(limb, chest, strict=True)} == {125.0}
    assert [c.y_mm for c in chest] == sorted(el.y_mm for el in limb)
    (inverted,) = curves(page, "-aVR")
    height_mv = (foot_of_pulse(page, inverted)[0, 1] - inverted[:, 1]) / 10
    np.testing.assert_allclose(height_mv, -resting.samples_mv[3][:2501], atol=1e-9)


def test_a_stretch_without_signal_is_a_gap(resting: EkgRecording):
    samples = resting.samples_mv.copy()
    samples[0, 500:600] = np.nan
    pieces = curves(page_of(replace(resting, samples_mv=samples)), "I")
    assert [len(piece) for piece in pieces] == [500, 651]


def test_a_single_sample_between_gaps_is_a_dot(resting: EkgRecording):
    samples = resting.samples_mv.copy()
    samples[0, :1251] = np.nan
    samples[0, 700] = 0.5
    ((first, last),) = curves(page_of(replace(resting, samples_mv=samples)), "I")
    assert first.tolist() == last.tolist()


def test_leads_that_were_not_recorded_are_named_not_drawn():
    whole = synthetic_recording()
    part = replace(whole, leads=whole.leads[:8], samples_mv=whole.samples_mv[:8])
    page = page_of(part)
    assert texts(page).count("not recorded") == 4
    assert not curves(page, "V5")
    assert "V5" in texts(page)


def test_a_lead_without_signal_says_so(resting: EkgRecording):
    samples = resting.samples_mv.copy()
    samples[STANDARD_LEADS.index("V2")] = np.nan
    page = page_of(replace(resting, samples_mv=samples))
    assert texts(page).count("no signal") == 1


def test_computed_limb_leads_bear_a_star_and_a_note(resting: EkgRecording):
    eight = [0, 1, *range(6, 12)]
    part = replace(
        resting, leads=tuple(resting.leads[i] for i in eight), samples_mv=resting.samples_mv[eight]
    )
    page = page_of(part)
    assert {"III *", "aVR *", "aVL *", "aVF *", "I", "II"} <= set(texts(page))
    assert any("* computed by Gateway" in text for text in texts(page))
    assert not any("computed" in text for text in texts(page_of(resting)))


def test_a_shift_from_zero_is_taken_back_by_whole_large_squares_and_told(resting: EkgRecording):
    samples = resting.samples_mv.copy()
    samples[6] += 3.1
    page = page_of(replace(resting, samples_mv=samples))
    (points,) = curves(page, "V1")
    zero = foot_of_pulse(page, points)[0, 1]
    moved = (zero - points[:, 1]) / 10 - samples[6][2500 : 2500 + len(points)]
    np.testing.assert_allclose(moved, -3.0, atol=1e-9)
    assert any("V1 moved by -3 mV" in text for text in texts(page))


def test_traces_may_overrun_their_neighbours_and_the_page_says_what_it_cannot_hold(resting: EkgRecording):
    samples = resting.samples_mv.copy()
    samples[1, 400:410] = 30
    page = page_of(replace(resting, samples_mv=samples))
    assert min(points[:, 1].min() for points in curves(page, "II")) < 0
    assert any("runs off the paper: II" in text for text in texts(page))


def test_half_a_minute_of_one_lead_is_three_lines_of_ten_seconds():
    whole = synthetic_recording(duration_s=30, sample_rate_hz=300)
    page = page_of(replace(whole, leads=("I",), samples_mv=whole.samples_mv[:1]))
    lines = curves(page, "I")
    assert [len(line) for line in lines] == [3001, 3001, 3000]
    assert len({line[0, 0] for line in lines}) == 1
    assert {"I", "I 10 s", "I 20 s"} <= {legible(text) for text in texts(page)}


def test_a_long_recording_is_drawn_on_ten_pages_that_say_how_much_it_is():
    whole = synthetic_recording(duration_s=400, sample_rate_hz=125)
    two = replace(whole, leads=("II", "V5"), samples_mv=whole.samples_mv[[1, 10]])
    pages = draw_pages(two)
    assert len(pages) == 10
    assert {len(curves(page, lead)) for page in pages for lead in ("II", "V5")} == {3}
    assert all(any("0 to 300 s of a recording of 400 s" in text for text in texts(page)) for page in pages)
    later = draw_pages(two, options=PageOptions(start_s=395))
    assert [len(points) for page in later for points in curves(page, "II")] == [625]


def test_leads_beside_the_twelve_follow_on_a_page_of_their_own(resting: EkgRecording):
    more = replace(
        resting,
        leads=(*resting.leads, "V3R", "V4R"),
        samples_mv=np.concatenate([resting.samples_mv, resting.samples_mv[:2]]),
    )
    first, second = draw_pages(more)
    assert len(curves(first, "V6")) == 1
    assert len(curves(second, "V3R")) == len(curves(second, "V4R")) == 1


def test_two_leads_of_one_name_are_both_drawn(resting: EkgRecording):
    twice = replace(resting, leads=("V1", "V1"), samples_mv=resting.samples_mv[:2])
    page = page_of(twice)
    assert len(curves(page, "V1")) == len(curves(page, "V1 (2)")) == 1


def test_measures_stand_beside_the_machines_own(resting: EkgRecording):
    measured = measure_ekg(resting.samples_mv, resting.sample_rate_hz, resting.leads)
    (page,) = draw_pages(resting, measured)
    rate = label(page, "Rate /min")
    row = [t.text for t in page.items if isinstance(t, Text) and t.y_mm == rate.y_mm and t.anchor == "end"]
    assert row == ["75", "76"]
    machine, ours = (
        label(page, heading)
        for heading in ("Stated by the device, unconfirmed", "Found by Gateway, for review")
    )
    assert label(page, "Sinus rhythm").x_mm == machine.x_mm != ours.x_mm


def test_r_peaks_and_wave_ends_are_marked_at_their_times(resting: EkgRecording):
    measured = measure_ekg(resting.samples_mv, resting.sample_rate_hz, resting.leads)
    waves = delineate(resting.samples_mv, resting.sample_rate_hz, measured.r_peaks.samples)
    plain, (marked,) = page_of(resting), draw_pages(resting, measured, waves, PageOptions(marks=True))
    (bars, *ends) = [item for item in marked.items if isinstance(item, Lines)][3:]
    strip = max(curves(plain, "II"), key=len)
    np.testing.assert_allclose(bars.ends_mm[:, 0], strip[measured.r_peaks.samples, 0], atol=0.01)
    assert len(ends) == 3
    onset, offset = (strip[getattr(waves, f"qrs_{end}"), 0] for end in ("onset", "offset"))
    np.testing.assert_allclose(ends[1].ends_mm[:, 0], [*onset, *offset], atol=0.01)


def test_the_page_says_what_was_done_to_the_signal(resting: EkgRecording):
    assert any(
        "drawn as recorded · device's filters: high-pass 0.05 Hz" in text for text in texts(page_of(resting))
    )
    filtered = page_of(resting, band_hz=(0.5, 40.0))
    assert any("drawn filtered: 0.5 to 40 Hz" in text for text in texts(filtered))
    assert np.ptp(curves(filtered, "V4")[0][:, 1]) != np.ptp(curves(page_of(resting), "V4")[0][:, 1])


def test_the_patient_can_be_left_off(resting: EkgRecording):
    assert {"Testpatient, Alma", "P-17", "1961-04-17"} <= set(texts(page_of(resting)))
    anonymous = texts(page_of(resting, patient=False))
    assert not [text for text in anonymous for value in resting.patient_fields.values() if value in text]


def test_the_patient_who_is_known_is_named_beside_the_identifier_entered_at_the_device(resting: EkgRecording):
    known = Patient((Identifier("8834021", "NORTH"),), "Muster", "Erika", birth_date="19640812", sex="F")
    (page,) = draw_pages(resting, filed_under=known)
    assert {"Muster, Erika", "8834021@NORTH", "19640812", "F", "ID entered", "P-17"} <= set(texts(page))
    assert "Testpatient, Alma" not in texts(page)
    (anonymous,) = draw_pages(resting, options=PageOptions(patient=False), filed_under=known)
    assert not {"Muster, Erika", "8834021@NORTH", "P-17"} & set(texts(anonymous))


def test_lines_stand_in_the_order_of_the_recording():
    whole = synthetic_recording(sample_rate_hz=125)
    page = page_of(replace(whole, leads=("MLII", "V5"), samples_mv=whole.samples_mv[[1, 10]]))
    assert label(page, "MLII").y_mm < label(page, "V5").y_mm


def test_a_page_after_the_end_is_refused(resting: EkgRecording):
    with pytest.raises(ValueError, match="10 s long"):
        draw_pages(resting, options=PageOptions(start_s=10))


def test_a_recording_without_leads_is_refused(resting: EkgRecording):
    with pytest.raises(ValueError, match="no lead"):
        draw_pages(replace(resting, leads=(), samples_mv=resting.samples_mv[:0]))


@pytest.mark.parametrize(
    "wrong", [{"layout": "4x3"}, {"paper": "a5"}, {"speed_mm_per_s": 10}, {"start_s": -1}]
)
def test_an_option_that_is_none_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PageOptions(**wrong)  # type: ignore[arg-type]


@given(st.text(max_size=300), st.floats(5, 80))
def test_wrapped_text_is_whole_and_stays_in_its_room(text: str, room_mm: float):
    lines = wrapped(text, 2.6, room_mm)
    assert "".join(lines).replace(" ", "") == legible(text).replace(" ", "")
    assert all(width_mm(line, 2.6) <= room_mm for line in lines)


def test_what_does_not_fit_is_counted():
    assert fitted(["one", "two"], 2.6, 50, most=2) == ["one", "two"]
    assert fitted(["one", "two", "three"], 2.6, 50, most=2) == ["one", "… 2 not shown in full"]


def test_characters_that_steer_are_named():
    assert legible("a\u202eb\x9b31m\n c\ud800") == "a‹U+202E›b‹U+009B›31m c‹U+D800›"


def test_every_file_of_a_real_machine_is_drawn(gateway_data: Path):
    drawn = 0
    for path in sorted((gateway_data / "ekg-files").rglob("*")):
        try:
            recording = read_ekg(path)
        except (GatewayError, OSError):
            continue
        pages = draw_pages(recording)
        drawn += 1
        drawn_curves = [item for page in pages for item in page.items if isinstance(item, Curve)]
        assert all(np.isfinite(curve.points_mm).all() for curve in drawn_curves), path.name
        if recording.duration_s <= 10:
            signals = zip(recording.leads, recording.samples_mv, strict=True)
            names = {lead for lead, mv in signals if np.isfinite(mv).any()}
            assert names <= {curve.name for curve in drawn_curves}, path.name
    assert drawn > 60
