"""Damaged and malicious files: a typed error or a recording, in bounded time and memory, never a crash."""

import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import FormatError
from gateway.formats import parse
from gateway.model import EkgRecording

from . import small_files as small
from .recordings import aecg_bytes, bits, scp_file, scp_leads, scp_stream, twelve_leads
from .small_files import SmallFile, small_files

FILES = small_files()
MEGABYTE = 1_000_000
EXTREMES = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"9999", b"-1  ", b"1e99")


def attempt(file: SmallFile, data: bytes) -> EkgRecording | None:
    """None where the file was refused as it should be; anything but a `FormatError` fails the test."""
    try:
        recording = parse(dict(file.files) | {file.name: data}, file.name)
    except FormatError:
        return None
    assert recording.samples_mv.shape[0] == len(recording.leads) > 0
    assert recording.sample_rate_hz > 0
    return recording


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_off_at_any_byte_is_refused_or_read(name: str) -> None:
    file = FILES[name]
    data = file.files[file.name]
    step = max(1, len(data) // 250)
    for length in range(0, len(data), step):
        attempt(file, data[:length])


@pytest.mark.parametrize("name", FILES)
def test_flipped_bits_and_extreme_numbers_are_survived(name: str) -> None:
    file = FILES[name]
    data = file.files[file.name]
    chance = random.Random(name)
    for _ in range(150):
        damaged = bytearray(data)
        at = chance.randrange(len(data))
        if chance.random() < 0.6:
            damaged[at] ^= 1 << chance.randrange(8)
        else:
            damaged[at : at + 4] = chance.choice(EXTREMES)
        attempt(file, bytes(damaged))


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.floats(0, 1, exclude_max=True))
def test_foreign_bytes_in_the_middle_are_survived(name: str, foreign: bytes, where: float) -> None:
    file = FILES[name]
    data = file.files[file.name]
    at = int(where * len(data))
    attempt(file, data[:at] + foreign + data[at:])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_survived(data: bytes) -> None:
    attempt(SmallFile({}, "any"), data)


@pytest.mark.parametrize("name", ["scp", "atc", "wfdb"])
def test_where_every_sample_is_under_a_checksum_no_damage_to_one_is_silent(name: str) -> None:
    file = FILES[name]
    where = {"wfdb": "a.dat"}.get(name, file.name)
    whole, data = parse(file.files, file.name), file.files[where]
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            recording = parse(dict(file.files) | {where: bytes(damaged)}, file.name)
        except FormatError:
            continue
        same = recording.samples_mv.shape == whole.samples_mv.shape and np.array_equal(
            recording.samples_mv, whole.samples_mv, equal_nan=True
        )
        assert same or recording.warnings, f"byte {bit // 8}, bit {bit % 8}"


BOMB = b'<?xml version="1.0"?><!DOCTYPE %s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><%s>&b;</%s>'
EXTERNAL = b'<?xml version="1.0"?><!DOCTYPE %s [<!ENTITY x SYSTEM "file:///etc/passwd">]><%s>&x;</%s>'


@pytest.mark.parametrize("root", ["AnnotatedECG", "RestingECG", "restingecgdata", "CardiologyXML", "ECG"])
@pytest.mark.parametrize("document", [BOMB, EXTERNAL], ids=["entities", "external entity"])
def test_entities_are_not_resolved(root: str, document: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        parse({"one": document.replace(b"%s", root.encode())}, "one")
    assert refused.value.section == "document type"


def _nested(count: int) -> bytes:
    return b"<AnnotatedECG>" + b"<component>" * count + b"</component>" * count + b"</AnnotatedECG>"


def _annotations(count: int) -> bytes:
    inner = b"<component><annotation>" * count + b"</annotation></component>" * count
    aecg = aecg_bytes(replace(twelve_leads(2), device_measurements={}, statements=(), groups=()))
    return aecg.replace(
        b"</series>", b"<subjectOf><annotationSet>" + inner + b"</annotationSet></subjectOf></series>"
    )


def _late_leads() -> bytes:
    lead = (
        b"<LeadData><LeadAmplitudeUnitsPerBit>1</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>uV"
        b"</LeadAmplitudeUnits><LeadOffsetFirstSample>1000000</LeadOffsetFirstSample>"
        b"<WaveFormData>AAA=</WaveFormData></LeadData>"
    )
    head = b"<RestingECG><Waveform><WaveformType>Rhythm</WaveformType><SampleBase>500</SampleBase>"
    return head + lead * (MEGABYTE // len(lead)) + b"</Waveform></RestingECG>"


def _zip_bomb() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.0", "a.1"):
            archive.writestr(name, b"CSZB" + bytes(100 * MEGABYTE))
    return out.getvalue()


def _overlapping_sections() -> bytes:
    pointers = struct.pack("<HII", 9, MEGABYTE // 2, 400_023) * 40_000
    section = struct.pack("<HHIBB", 0, 0, 16 + len(pointers), 20, 20) + b"SCPECG" + pointers
    manufacturer = struct.pack("<HHI8x", 0, 9, MEGABYTE // 2) + bytes(MEGABYTE // 2)
    return struct.pack("<HI", 0, 6 + len(section) + len(manufacturer)) + section + manufacturer


def _many_values() -> bytes:
    """One-bit codes, as many as a file of one megabyte can hold."""
    leads = 7
    stream = scp_stream(tuple(bytes(65_534) for _ in range(leads)), differences=2)
    return scp_file(
        {2: struct.pack("<H", 19999), 3: scp_leads(tuple(range(1, 1 + leads)), 8 * 65_534), 6: stream}
    )


def _long_codes() -> bytes:
    """A bimodal lead that claims two thousand million samples."""
    beat = scp_stream((bytes(2),), interval_us=1)
    rhythm = scp_stream((bytes(60_000),), interval_us=65_535, bimodal=1)
    return scp_file({3: scp_leads((1,), 2**31), 4: struct.pack("<HHH", 1, 1, 0), 5: beat, 6: rhythm})


def _lzw_bomb() -> bytes:
    codes = bits("".join(f"{code:010b}" for code in [0, *range(256, 1023)] + [1022] * 60_000))
    chunk = struct.pack("<ihh", len(codes), 1, 0) + codes
    text = small.philips()[2:].decode("utf-16-le").replace('"12"', '"999999999"')
    start, end = text.index(">", text.index("<parsedwaveforms")) + 1, text.index("</parsedwaveforms")
    return (text[text.index("<rest") : start] + small.base64_text(chunk * 8) + text[end:]).encode()


def _one_long_segment_many_times() -> bytes:
    return b"m/60000 1 360 60000000\n" + b"b 1000000\n" * 60_000


def _comment_signs() -> bytes:
    return b"<" + b"!<" * (MEGABYTE // 2)


def _edf_of_many_signals() -> bytes:
    count = 3900
    fields = (
        ("ECG I", 16), ("", 80), ("mV", 8), ("-1", 8), ("1", 8), ("-9", 8), ("9", 8), ("", 80), ("1", 8),
        ("", 32),
    )  # fmt: skip
    head = f"{'0':8}{'':80}{'':80}02.03.2609.14.05{256 * (count + 1):<8}{'':44}{-1:<8}{1:<8}{count:<4}"
    return (head + "".join(f"{text:{width}}" * count for text, width in fields)).encode() + bytes(2 * count)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _nested(45_000),
        lambda: _annotations(20_000),
        lambda: b"<AnnotatedECG " + b" ".join(b'a%d="1"' % n for n in range(90_000)) + b"/>",
        _late_leads,
        _zip_bomb,
        _overlapping_sections,
        _many_values,
        _long_codes,
        _lzw_bomb,
        _one_long_segment_many_times,
        _comment_signs,
        _edf_of_many_signals,
        lambda: b'{"valueSampledData":"Observation"' + b'"Observation"' + b"[" * MEGABYTE,
        lambda: small.APPLE + b"1\n" * (MEGABYTE // 2) + b"x",
        lambda: small.LEPU_TEXT + b"1," * (MEGABYTE // 2) + b"x",
        lambda: b"a 1 360 3\n" + b"x" * MEGABYTE + b" 16 200\n",
        lambda: b"\x40\x20MFR " + bytes(28) + b"\x3f\x00\x00" * (MEGABYTE // 3),
        lambda: b"ALIVE\0\0\0\3\0\0\0" + b"".join(b"%04d" % (n % 10_000) + bytes(8) for n in range(80_000)),
    ],
    ids=lambda make: make.__name__.strip("_<>"),
)
def test_a_megabyte_needs_less_than_a_hundred(make: Callable[[], bytes]) -> None:
    data = make()
    tracemalloc.start()
    try:
        attempt(SmallFile({"b.hea": small.WFDB.files["a.hea"], "a.dat": bytes(9)}, "a.hea"), data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * MEGABYTE


def refusal(file: SmallFile, data: bytes) -> str:
    """What is said about a file that is refused; nothing where it is read."""
    try:
        parse(dict(file.files) | {file.name: data}, file.name)
    except FormatError as error:
        return str(error)
    return ""


def test_no_error_holds_a_patient_s_field() -> None:
    identifying = (b"Muster", b"Erika", b"P-17", b"1964")
    for name, file in FILES.items():
        data = file.files[file.name]
        for at in range(0, len(data), max(1, len(data) // 200)):
            said = refusal(file, data[:at] + b"\xff" + data[at + 1 :])
            assert not any(word.decode() in said for word in identifying), name
