"""SCP-ECG: sections, coding, and the recordings of real carts."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import FormatError
from gateway.formats import parse
from gateway.formats.huffman import DEFAULT_CODES, decode, read_tables
from gateway.formats.view import View
from gateway.model import EkgRecording

from .recordings import bits, scp_file, scp_leads, scp_stream

DEFAULT_TABLE = struct.pack("<H", 19999)
TAGS = (
    b"\x00\x07\x00Muster\0"
    b"\x02\x05\x00P-17\0"
    b"\x05\x04\x00\xac\x07\x08\x0c"
    b"\x08\x01\x00\x02"
    b"\x19\x04\x00\xea\x07\x03\x02"
    b"\x1a\x03\x00\x09\x0e\x05"
    b"\x1b\x02\x00\x05\x00"
    b"\xff\x00\x00"
)
PLAIN = {1: TAGS, 3: scp_leads((1, 62), 3), 6: scp_stream((struct.pack("<3h", -2, 0, 40), bytes(6)))}


def read(data: bytes) -> EkgRecording:
    return parse({"one.scp": data}, "one.scp")


def uncoded(stream: bytes, count: int, tables: bytes = DEFAULT_TABLE) -> list[int]:
    return list(map(int, decode(stream, read_tables(View(tables, "SCP-ECG", "section 2")), count)))


def test_without_section_2_the_samples_are_plain_16_bit_numbers() -> None:
    recording = read(scp_file(PLAIN))
    assert (recording.leads, recording.format_version) == (("I", "aVR"), "2.0")
    assert recording.samples_mv[0] == pytest.approx([-0.005, 0.0, 0.1], abs=1e-12)
    assert recording.sample_rate_hz == 500.0
    assert recording.warnings == ()


def test_files_older_than_the_word_scpecg_are_known_by_their_pointers() -> None:
    data = scp_file(PLAIN).replace(b"SCPECG", bytes(6))
    assert read(data).samples_mv.shape == (2, 3)


def test_section_1_gives_patient_and_start() -> None:
    recording = read(scp_file(PLAIN))
    assert recording.patient_fields == {
        "id": "P-17",
        "family_name": "Muster",
        "birth_date": "1964-08-12",
        "sex": "female",
    }
    assert recording.started_at is not None
    assert recording.started_at.isoformat() == "2026-03-02T09:14:05"
    assert recording.filters == {"high_pass_hz": "0.05"}


def test_default_codes_and_their_escapes() -> None:
    stream = bits("0 100 101 1100 1111111101 1111111110 10000000 1111111111 0111111111111111")
    assert uncoded(stream, 7) == [0, 1, -1, 2, -8, -128, 32767]


def test_padding_is_not_decoded_as_samples() -> None:
    assert uncoded(bits("100 100 0"), 2) == [1, 1]


def test_second_differences_keep_their_first_two_samples() -> None:
    coded = bits("1111111110 00110000 1111111110 00101100 101 0 100")  # 48, 44, then -1, 0, +1
    sections = {2: DEFAULT_TABLE, 3: scp_leads((1,), 5), 6: scp_stream((coded,), nv=1000, differences=2)}
    assert (read(scp_file(sections)).samples_mv[0] * 1000).round(9).tolist() == [48, 44, 39, 34, 30]


@pytest.mark.parametrize("swapped", [False, True], ids=["prefix first", "total first"])
def test_a_custom_table_reads_with_its_length_bytes_in_either_order(swapped: bool) -> None:
    rows = [(1, 1, 1, 7, 0b0), (2, 2, 1, -3, 0b01), (2, 10, 1, 0, 0b11)]  # codes 0, 10, 11 + 8 bits
    table = struct.pack("<HH", 1, 3) + b"".join(
        struct.pack("<BBBhI", *((total, prefix) if swapped else (prefix, total)), mode, value, code)
        for prefix, total, mode, value, code in rows
    )
    assert uncoded(bits("0 10 11 11111110 0"), 4, table) == [7, -3, -2, 7]


def test_a_code_may_switch_to_another_table() -> None:
    first = struct.pack("<H", 2) + struct.pack("<BBBhI", 1, 1, 1, 1, 0) + struct.pack("<BBBhI", 1, 1, 0, 2, 1)
    second = (
        struct.pack("<H", 2) + struct.pack("<BBBhI", 1, 1, 1, 9, 0) + struct.pack("<BBBhI", 1, 1, 0, 1, 1)
    )
    assert uncoded(bits("0 1 0 0 1 0"), 4, struct.pack("<H", 2) + first + second) == [1, 9, 9, 1]


def test_codes_that_begin_with_each_other_are_refused() -> None:
    rows = struct.pack("<BBBhI", 1, 1, 1, 1, 1) + struct.pack("<BBBhI", 2, 2, 1, 2, 3)
    with pytest.raises(FormatError, match="begin with each other"):
        uncoded(b"\0", 1, struct.pack("<HH", 1, 2) + rows)


_WORDS = {
    code.value: f"{code.prefix:0{code.prefix_bits}b}" for code in DEFAULT_CODES if code.prefix_bits < 10
}


def _encoded(value: int) -> str:
    if value in _WORDS:
        return _WORDS[value]
    if -128 <= value < 128:
        return "1111111110" + f"{value & 0xFF:08b}"
    return "1111111111" + f"{value & 0xFFFF:016b}"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(-12, 12), st.integers(-32768, 32767)), max_size=200))
def test_whatever_is_coded_decodes_to_the_same_values(values: list[int]) -> None:
    assert uncoded(bits("".join(map(_encoded, values))), len(values)) == values


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 500))
def test_any_bits_decode_to_at_most_the_samples_asked_for(stream: bytes, count: int) -> None:
    assert len(uncoded(stream, count)) <= min(count, 8 * len(stream))


def test_reference_beat_and_bimodal_together() -> None:
    """20 samples; 5-12 protected and with a beat subtracted; the rest four to a value."""
    beat = np.array([0, 5, 20, 50, 20, 5, 0, 0])
    residual = np.array([2, 1, 0, 0, 0, 0, 0, 0])
    low = np.array([4, 8, 12])  # samples 1-4, then 13-16 and 17-20
    stored = np.concatenate([low[:1], residual, low[1:]])
    sections = {
        3: scp_leads((1,), 20, flags=5),
        4: struct.pack("<HHH", 16, 4, 1) + struct.pack("<HIII", 0, 5, 8, 12) + struct.pack("<II", 5, 12),
        5: scp_stream((beat.astype("<i2").tobytes(),), nv=1000),
        6: scp_stream((stored.astype("<i2").tobytes(),), nv=2000, interval_us=8000, bimodal=1),
    }
    recording = read(scp_file(sections))
    assert recording.sample_rate_hz == 500.0
    assert (recording.samples_mv[0, 4:12] * 1000).round(9).tolist() == (beat + 2 * residual).tolist()
    assert (recording.samples_mv[0, [0, 1, 13, 17, 19]] * 1000).round(9).tolist() == [8, 8, 16, 24, 24]


def test_a_byte_that_changed_is_told_by_both_crcs() -> None:
    data = bytearray(scp_file(PLAIN))
    data[-12] ^= 1
    warnings = read(bytes(data)).warnings
    assert warnings == ("the CRC of the record does not hold", "the CRC of section 6 does not hold")


def test_a_damaged_patient_section_does_not_hide_the_signal() -> None:
    recording = read(scp_file(PLAIN | {1: b"\x00\xff\xff"}))
    assert recording.samples_mv.shape == (2, 3)
    assert recording.patient_fields == {}
    assert recording.warnings == ("section 1 was left out: 65535 bytes needed, 0 are there",)


def test_a_lead_that_starts_at_0_and_ends_at_n_has_n_samples() -> None:
    sections = PLAIN | {3: scp_leads((1, 62), 3, first=0)}
    assert read(scp_file(sections)).samples_mv.shape == (2, 3)


def test_leads_that_were_recorded_in_turn_stay_in_their_time() -> None:
    rows = struct.pack("<IIBIIB", 1, 2, 1, 3, 4, 62)
    stream = scp_stream((struct.pack("<2h", 4, 8), struct.pack("<2h", 12, 16)), nv=1000)
    recording = read(scp_file({3: bytes([2, 0]) + rows, 6: stream}))
    assert (recording.samples_mv * 1000).tolist() == [
        pytest.approx([4, 8, float("nan"), float("nan")], nan_ok=True),
        pytest.approx([float("nan"), float("nan"), 12, 16], nan_ok=True),
    ]


def test_more_samples_claimed_than_stored_is_said() -> None:
    recording = read(scp_file(PLAIN | {3: scp_leads((1, 62), 5)}))
    assert recording.samples_mv.shape == (2, 3)
    assert recording.warnings == ("section 3 claims 5 samples a lead, section 6 holds 3",)


@pytest.mark.parametrize(
    ("sections", "section"),
    [
        ({1: TAGS}, "section 3"),
        ({3: scp_leads((1,), 3)}, "section 6"),
        ({3: scp_leads((), 3), 6: scp_stream(())}, "section 3"),
        ({3: scp_leads((1,), 3), 6: scp_stream((bytes(6),), nv=0)}, "section 6"),
        ({3: scp_leads((1,), 3), 6: scp_stream((bytes(6),), differences=3)}, "section 6"),
        ({3: scp_leads((1,), 3), 6: scp_stream((bytes(6),), bimodal=1)}, "section 6"),
        ({3: scp_leads((1,), 3, flags=5), 6: scp_stream((bytes(6),))}, "section 5"),
        ({3: scp_leads((1,), 2**31), 6: scp_stream((bytes(6),))}, "section 3"),
        ({3: scp_leads((1,), 3)[:5], 6: scp_stream((bytes(6),))}, "section 3"),
    ],
)
def test_what_the_signal_needs_must_be_there(sections: dict[int, bytes], section: str) -> None:
    with pytest.raises(FormatError) as refused:
        read(scp_file(sections))
    assert refused.value.section == section


def test_pointers_that_lead_nowhere_are_not_followed() -> None:
    data = bytearray(scp_file(PLAIN))
    struct.pack_into("<I", data, 6 + 16 + 10 + 6, 2**31)
    warnings = read(bytes(data)).warnings
    assert "the pointer to section 1 leads nowhere" in warnings


def test_a_record_of_a_cart_equals_the_same_recording_in_another_format(
    recorded: Callable[[str], EkgRecording],
) -> None:
    other = recorded("aecg/eli250-example.xml")
    for name in ("scp/eli250-example.scp", "made/eli250-custom-huffman.scp"):
        one = recorded(name)
        order = [one.leads.index(lead) for lead in other.leads]
        assert np.array_equal(one.samples_mv[order], other.samples_mv), name
        assert one.warnings == ()


def test_redundancy_reduction_loses_only_its_rounding(
    recorded: Callable[[str], EkgRecording], ekg_files: Path
) -> None:
    raw_uv = np.fromfile(ekg_files / "scp/pfe105-raw.dat", "<i2").reshape(-1, 8).T
    error_uv = recorded("scp/pfe105-redred.scp").samples_mv * 1000 - raw_uv
    assert np.abs(error_uv).max() < 2.001


def test_high_compression_stays_as_near_as_its_method_allows(
    recorded: Callable[[str], EkgRecording], ekg_files: Path
) -> None:
    raw_uv = np.fromfile(ekg_files / "scp/pfe105-raw.dat", "<i2").reshape(-1, 8).T
    error_uv = recorded("scp/pfe105-high.scp").samples_mv * 1000 - raw_uv
    assert np.sqrt((error_uv**2).mean(axis=1)).max() < 13.5
    assert np.sqrt((error_uv[:, 500:] ** 2).mean(axis=1)).max() < 9.5


def test_a_byte_count_that_overflowed_is_not_believed(recorded: Callable[[str], EkgRecording]) -> None:
    converted = recorded("contec/0000050.ECG.scp")
    assert converted.samples_mv.shape == (12, 32767)
    assert converted.samples_mv[0, :5] * 1000 == pytest.approx([-100, -150, -165, -140, -50])
    assert converted.warnings == ("section 3 claims 37855 samples a lead, section 6 holds 32767",)


def test_intervals_count_from_the_waves_of_the_reference_beat(
    recorded: Callable[[str], EkgRecording],
) -> None:
    measured = recorded("scp/eli250-example.scp").device_measurements
    assert {name: str(one.value) for name, one in measured.items()} == {
        "p-duration": "102",
        "pr-interval": "148",
        "qrs-duration": "120",
        "qt-interval": "420",
        "qtc-interval": "443",
        "p-axis": "44",
        "qrs-axis": "-61",
        "t-axis": "86",
    }
