"""One small, invented file of every format that is read: bytes that a person can follow."""

import base64
import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from .recordings import aecg_bytes, bits, scp_file, scp_leads, scp_stream, twelve_leads

COUNTS = np.array([[-2, 0, 40, 7, 7, -300], [1, 2, 3, 4, 5, 6]], "<i2")


@dataclass(frozen=True)
class SmallFile:
    """A recording's files by name, and the one to read."""

    files: Mapping[str, bytes]
    name: str


def base64_text(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return "\n".join(text[at : at + 12] for at in range(0, len(text), 12))


def muse() -> bytes:
    leads = "".join(
        f"<LeadData><LeadSampleCountTotal>6</LeadSampleCountTotal>"
        f"<LeadAmplitudeUnitsPerBit>4.88</LeadAmplitudeUnitsPerBit>"
        f"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadID>{lead}</LeadID>"
        f"<LeadDataCRC32>{zlib.crc32(row.tobytes())}</LeadDataCRC32>"
        f"<WaveFormData>{base64_text(row.tobytes())}</WaveFormData></LeadData>"
        for lead, row in zip(("I", "II"), COUNTS, strict=True)
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE RestingECG SYSTEM "restecg.dtd">
<RestingECG><MuseInfo><MuseVersion>9.0</MuseVersion></MuseInfo>
<PatientDemographics><PatientID>P-17</PatientID><PatientLastName>Müller</PatientLastName></PatientDemographics>
<TestDemographics><AcquisitionDate>03-02-2026</AcquisitionDate><AcquisitionTime>09:14:05</AcquisitionTime>
</TestDemographics>
<RestingECGMeasurements><VentricularRate>72</VentricularRate><RAxis>0</RAxis><PRInterval>0</PRInterval>
</RestingECGMeasurements>
<Diagnosis><DiagnosisStatement><StmtText>Sinus</StmtText></DiagnosisStatement>
<DiagnosisStatement><StmtFlag>ENDSLINE</StmtFlag><StmtText>rhythm</StmtText></DiagnosisStatement></Diagnosis>
<Waveform><WaveformType>Rhythm</WaveformType><SampleBase>500</SampleBase><SampleExponent>0</SampleExponent>
<HighPassFilter>16</HighPassFilter><LowPassFilter>150</LowPassFilter><ACFilter>NONE</ACFilter>{leads}</Waveform>
</RestingECG>""".encode("latin-1")


def xli_chunk(values: np.ndarray, start: int = 0) -> bytes:
    """A lead of second differences whose LZW codes are single bytes only."""
    octets = values.astype(">i2").tobytes()
    codes = [*octets[::2], *octets[1::2], 1023]
    data = bits("".join(f"{code:010b}" for code in codes))
    return struct.pack("<ihh", len(data), 1, start) + data


def philips(version: str = "1.04") -> bytes:
    chunks = b"".join(xli_chunk(np.array([48, 44, 64, 63, 64, 64]), start=1) for _ in range(2))
    text = f"""<?xml version="1.0" encoding="UTF-16"?>
<restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>
<documentversion>{version}</documentversion></documentinfo>
<dataacquisition date="2026-03-02" time="09:14:05">
<machine machineid="77" detaildescription="Philips:1">PageWriter
</machine><signalcharacteristics><samplingrate>500</samplingrate></signalcharacteristics></dataacquisition>
<interpretations><interpretation><globalmeasurements><heartrate>72</heartrate>
<pfrontaxis>Indeterminate</pfrontaxis></globalmeasurements>
<statement><leftstatement>Sinus rhythm</leftstatement></statement></interpretation></interpretations>
<waveforms><parsedwaveforms compression="XLI" dataencoding="Base64" numberofleads="2" leadlabels="V1 V2"
 samplespersecond="500" resolution="5" durationperchannel="12">{base64_text(chunks)}</parsedwaveforms>
</waveforms>
</restingecgdata>"""
    return b"\xff\xfe" + text.encode("utf-16-le")


CARDIOSOFT = b"""<?xml version="1.0" encoding="ISO8859-1"?><CardiologyXML>
<ObservationDateTime><Hour>9</Hour><Minute>14</Minute><Second>5</Second><Day>2</Day><Month>3</Month>
<Year>2026</Year></ObservationDateTime><RestingECGMeasurements>
<VentricularRate units="BPM">72</VentricularRate><PQInterval units="ms">172</PQInterval>
</RestingECGMeasurements>
<StripData><SampleRate units="Hz">500</SampleRate><ChannelSampleCountTotal>6</ChannelSampleCountTotal>
<Resolution units="uVperLsb">5</Resolution><WaveformData lead="I">-2,0,40,
\t7,7
\t,-300</WaveformData><WaveformData lead="V1">1,2,3,4,5,6</WaveformData></StripData></CardiologyXML>"""

SCHILLER = b"""\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\r\n\
<com.xiriuz.sema.xml.schillerEDI.SchillerEDI><examdescript><startdatetime><date>20260302</date>
<time>091405000</time></startdatetime></examdescript><eventdata><event><wavedata><type>ECG_RHYTHMS</type>
<resolution><samplerate><exponent>1</exponent><value>500</value></samplerate><yres><unitperbit>2.5</unitperbit>
<units>UV</units></yres></resolution><channel><name>AVR</name><data>-2,0,40,7,7,-300</data>
<datastype>COMMASEPARATE</datastype><samplecount>6</samplecount></channel></wavedata></event></eventdata>
</com.xiriuz.sema.xml.schillerEDI.SchillerEDI>"""


def eli() -> bytes:
    rhythm, cycle = (base64_text(row.tobytes()).replace("\n", "") for row in COUNTS)
    return f"""<ECG ACQUISITION_TIME="20260302091405" VENT_RATE="72">
<SUBJECT LAST_NAME="Muster" GENDER="Female"/>
<TYPICAL_CYCLE UNITS_PER_MV="200" SAMPLE_FREQ="1000" DURATION="6" P_ONSET="-200" Q_ONSET="-45">
<TYPICAL_CYCLE_CHANNEL NAME="I" DATA="{cycle}"/></TYPICAL_CYCLE>
<CHANNEL NAME="I" OFFSET="0" BITS="16" FORMAT="SIGNED" UNITS_PER_MV="400" DURATION="6" SAMPLE_FREQ="500"
 ENCODING="BASE64" DATA="{rhythm}"/></ECG>""".encode()


def dicom(
    *, padding: int | None = None, correction: str = "4.88", unit: str = "uV", big_endian: bool = False
) -> bytes:
    channels = []
    for code in ("2:1", "2:62"):
        source, units, channel = Dataset(), Dataset(), Dataset()
        source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = code, "MDC", "a lead"
        units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", "unit"
        channel.ChannelSourceSequence, channel.ChannelSensitivity = [source], "1"
        channel.ChannelSensitivityUnitsSequence = [units]
        channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = correction, "0"
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group = Dataset()
    group.WaveformOriginality, group.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples, group.SamplingFrequency = 2, 6, "500"
    group.ChannelDefinitionSequence = channels
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    if padding is not None:
        group.add_new(0x5400100A, "OW", struct.pack("<h", padding))
    group.add_new(0x54001010, "OW", COUNTS.T.astype(">i2" if big_endian else "<i2").tobytes())
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big_endian else ImplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", "2.25.17"
    dataset.AcquisitionDateTime, dataset.TimezoneOffsetFromUTC = "20260302091405", "-0500"
    dataset.PatientName, dataset.PatientID, dataset.PatientAge = "Muster^Erika", "P-17", "061Y"
    dataset.WaveformSequence = [group]
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def edf(
    *, reserved: str = "EDF+D", onsets: tuple[float, ...] = (0, 1), physical: tuple[str, str] = ("10", "-10")
) -> bytes:
    """Two records of one second: an EKG of three samples, inverted, and the annotations."""
    columns = [
        ("ECG II", "EDF Annotations"), ("", ""), ("mV", ""), (physical[0], "-1"), (physical[1], "1"),
        ("-2000", "-32768"), ("2000", "32767"), ("HP:0.05Hz LP:150Hz", ""), ("3", "8"), ("", ""),
    ]  # fmt: skip
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    head = (
        f"{'0':8}{'P-17 F 12-AUG-1964 Muster':80}{'Startdate 02-MAR-2026 X X E12':80}02.03.2609.14.05"
        f"{768:<8}{reserved:44}{len(onsets):<8}{1:<8}{2:<4}"
    )
    head += "".join(f"{text:{width}}" for width, row in zip(widths, columns, strict=True) for text in row)
    data = b""
    for n, onset in enumerate(onsets):
        data += np.array([n, -200, 2000], "<i2").tobytes() + f"+{onset}\x14\x14".encode().ljust(16, b"\0")
    return head.encode("ascii") + data


def ishne(*, claimed: int = 6) -> bytes:
    from binascii import crc_hqx

    header = bytearray(522)
    header[:8] = b"ISHNE1.0"
    struct.pack_into("<4ih", header, 10, 0, claimed, 522, 522, 1)
    header[28:34], header[68:74], header[108:112] = b"Erika\0", b"Muster", b"P-17"
    struct.pack_into("<2h3h3h", header, 128, 2, 0, 12, 8, 1964, 2, 3, 2026)
    struct.pack_into("<3hh", header, 150, 9, 14, 5, 2)
    struct.pack_into("<12h", header, 158, 5, 8, *([-9] * 10))
    struct.pack_into("<12h", header, 206, 2500, 5000, *([-9] * 10))
    struct.pack_into("<h", header, 272, 250)
    struct.pack_into("<H", header, 8, crc_hqx(bytes(header[10:]), 0xFFFF))
    return bytes(header) + COUNTS.T.tobytes()


def contec() -> bytes:
    head = b"0000042\0\0\x002026-03-02 09:14:05\0\0\0" + b"Muster\0\0" + bytes([0, 61, 70])
    rows = np.full((3, 8), 2048, "<u2")
    rows[:, 0], rows[1, 2] = (2038, 2048, 2058), 0x6800
    return head + rows.tobytes() + bytes(37)


def mfer() -> bytes:
    def tag(number: int, value: bytes) -> bytes:
        return bytes([number, len(value)]) + value

    interval, scale = b"\x01\xfd\x04", b"\x00\xfa\x02\x00"  # 4 ms, 2 uV
    two = tag(0x09, struct.pack("<H", 2)) + tag(0x0A, b"\0") + tag(0x04, b"\x03\0\0\0") + tag(0x0C, scale)
    pressure = (
        tag(0x09, struct.pack("<H", 0xC00A))
        + tag(0x0A, b"\0")
        + tag(0x04, b"\x01\0")
        + tag(0x0C, b"\x01\x00\x01")
    )
    frames = struct.pack("<8h", 18, 15, -32768, 99, 8, 3, 0, 99)
    return b"".join(
        (
            tag(0x40, b"MFR Test".ljust(32, b"\0")), tag(0x01, b"\x01"), tag(0x17, b"MAKER^M1^0"),
            tag(0x82, b"P-17\0"), tag(0x85, struct.pack("<HBBBBBHH", 2026, 3, 2, 9, 14, 5, 0, 0)),
            tag(0x0B, interval), tag(0x12, b"\x00\x80"),
            b"\x3f\x00" + bytes([len(two)]) + two, b"\x3f\x01" + bytes([len(pressure)]) + pressure,
            bytes([0x1E, 0x84]) + struct.pack(">I", len(frames)) + frames, b"\x80",
        )
    )  # fmt: skip


def atc(*, signed: bool = False) -> bytes:
    def block(name: bytes, data: bytes) -> bytes:
        body = name + struct.pack("<I", len(data)) + data
        total = sum(byte - 256 if signed and byte > 127 else byte for byte in body)
        return body + struct.pack("<I", total % 2**32)

    info = b"2026-03-02T09:14:05-7:00".ljust(264, b"\0")
    form = block(b"fmt ", struct.pack("<BHHBH", 1, 300, 500, 0x0E, 0))
    return (
        b"ALIVE\0\0\0"
        + struct.pack("<I", 3)
        + block(b"info", info)
        + form
        + block(b"ecg ", COUNTS[0].tobytes())
    )


def lepu_dat(*, seconds: int = 0) -> bytes:
    coded = bytes([5, 0xFE, 0x7F, 1, 0x81, 0, 0x80]) + struct.pack("<h", -300) + b"\x80\xff\x7f"
    header = struct.pack("<BHBBBBBH", 1, 2026, 3, 2, 9, 14, 5, 0)
    return header + coded + struct.pack("<II", seconds, 0) + bytes(8) + bytes.fromhex("38045aa5")


LEPU_TEXT = b"F-0-01,125,II,405,-81,-74,810,"


def healforce() -> bytes:
    def section(number: int, body: bytes) -> bytes:
        return struct.pack("<HHI8x", 0, number, 16 + len(body)) + body

    words = struct.pack("<6H", 0x0A01, 0x0200, 0x0601, 0x05FF, 0x0A00, 0x0200)
    bodies = {3: bytes([1]) + bytes(11), 6: struct.pack("<4H", 9524, 150, 0, len(words)) + words}
    pointers, data, at = struct.pack("<HII", 0, 76, 6), b"", 6 + 76
    for number, body in bodies.items():
        one = section(number, body)
        pointers += struct.pack("<HII", number, len(one), at)
        data, at = data + one, at + len(one)
    return (
        b"\0\0\0\0"
        + struct.pack("<H", at)
        + struct.pack("<HHI8x", 0, 0, 76)
        + pointers.ljust(60, b"\0")
        + data
    )


def bodykom() -> bytes:
    header = bytearray(2048)
    header[:4], header[5:8], header[168:171] = b"CSZB", b"001", b"150"
    for at, text in ((120, "2026"), (125, "3"), (128, "2"), (131, "9"), (134, "14"), (137, "5")):
        header[at : at + len(text)] = text.encode()
    channel = b"CSZB".ljust(512, b"\0") + np.array([16000, 16032, 15968], "<i2").tobytes()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (("7/7.0", bytes(header)), ("7/7.1", channel)):
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def fhir(*, unit: str | None = "mV", data: str = "-15 0 E 15", **more: object) -> bytes:
    origin = {"value": 0.5} | ({"unit": unit} if unit else {})
    sampled = {"origin": origin, "period": 2, "factor": 0.001, "dimensions": 1, "data": data} | more
    code = {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.24", "code": "131390"}]}
    component = {"code": code, "valueSampledData": sampled}
    root = {"resourceType": "Observation", "effectiveDateTime": "2026-03-02T09:14:05-05:00"}
    return json.dumps(root | {"component": [component]}).encode()


def kardia(resolution: float | None = 500) -> bytes:
    raw = {"frequency": 300, "mainsFrequency": 60, "samples": {"leadI": [-632, 10], "AVR": [1, 2]}}
    raw |= {"amplitudeResolution": resolution} if resolution else {}
    root = {
        "recordedAt": "2026-03-02T09:14:05+05:30",
        "patientID": "P-17",
        "heartRate": 70,
        "data": {"raw": raw},
    }
    return json.dumps(root).encode()


APPLE = (
    'Nome,Erika Muster\nData,"12 de ago"\nGravado,2026-03-02 09:14:05 -0500\nClasse,Ritmo sinusal\n\n'
    'Dispositivo,"Watch6,1"\nTaxa,512 Hertz\n\n\nDerivação,Derivação I\nUnidade,µV\n\n\n-265,868\n12\n0,5\n'
).encode()

SCP = {
    3: scp_leads((1, 62), 3),
    6: scp_stream((struct.pack("<3h", -2, 0, 40), bytes(6))),
}
WFDB = SmallFile(
    {
        "a.hea": b"a 2 360 3 09:14:05 02/03/2026\na.dat 212 200(1024)/mV 11 1024 995 -29 0 MLII\n"
        b"a.dat 212 200 12 0 0 16 0 V5\n#Age: 61\n#Sex: Female\n",
        "a.dat": bytes.fromhex("e3030b 000802 000403"),
    },
    "a.hea",
)


def small_files() -> dict[str, SmallFile]:
    """All of them, by format."""
    single = {
        "aecg": aecg_bytes(twelve_leads(10)),
        "scp": scp_file(SCP),
        "muse": muse(),
        "philips": philips(),
        "cardiosoft": CARDIOSOFT,
        "schiller": SCHILLER,
        "eli": eli(),
        "dicom": dicom(),
        "edf": edf(),
        "ishne": ishne(),
        "contec": contec(),
        "mfer": mfer(),
        "atc": atc(),
        "lepu-dat": lepu_dat(),
        "lepu-text": LEPU_TEXT,
        "healforce": healforce(),
        "bodykom": bodykom(),
        "fhir": fhir(),
        "kardia": kardia(),
        "apple-watch": APPLE,
    }
    return {name: SmallFile({"one": data}, "one") for name, data in single.items()} | {"wfdb": WFDB}
