"""The numbers of IEEE 11073-10101 and -20601 that devices of these kinds use, by name."""

from collections.abc import Mapping
from types import MappingProxyType

NUMERIC, ENUMERATION, SAMPLES = 0x06, 0x05, 0x09
EPISODIC_SCANNER, PERIODIC_SCANNER, STORE = 0x12, 0x13, 0x3D

METRIC_ID = 0x091B
MODEL = 0x0928
PRODUCTION_SPECIFICATION = 0x092D
TYPE = 0x092F
MEASUREMENT_STATUS = 0x0947
COMPOUND_OBSERVED_VALUES = 0x094B
OBSERVED_VALUE = 0x0950
SEGMENT_COUNT = 0x0951
OPERATIONAL_STATE = 0x0953
SYSTEM_ID = 0x0984
ABSOLUTE_TIME = 0x0987
RELATIVE_TIME = 0x098F
TIME_STAMP = 0x0990
TIME_STAMP_RELATIVE = 0x0991
UNIT = 0x0996
HI_RES_TIME = 0x09E8
TIME_STAMP_HI_RES = 0x09E9
CONFIGURATION_ID = 0x0A44
TIME_INFORMATION = 0x0A45
BASIC_VALUE = 0x0A4C
SEGMENT_MAP = 0x0A4E
SEGMENT_PERSON = 0x0A4F
SEGMENT_STATIC_ATTRIBUTES = 0x0A52
SCANNER_MAP = 0x0A53
VALUE_MAP = 0x0A55
SIMPLE_VALUE = 0x0A56
SUPPLEMENTAL_TYPES = 0x0A61
COMPOUND_SIMPLE_VALUES = 0x0A74
COMPOUND_BASIC_VALUES = 0x0A75
METRIC_IDS = 0x0A76
BASE_OFFSET_TIME = 0x0A81
TIME_STAMP_BASE_OFFSET = 0x0A82

CLEAR_SEGMENTS, SEGMENT_INFORMATION, SET_TIME, DATA_REQUEST, TRANSFER_SEGMENT = (
    0x0C0C,
    0x0C0D,
    0x0C17,
    0x0C1B,
    0x0C1C,
)

CONFIGURATION_EVENT = 0x0D1C
SEGMENT_DATA = 0x0D21
# Event type: how its values are laid out, and whether it holds several persons.
SCANS: Mapping[int, tuple[str, bool]] = MappingProxyType(
    {
        0x0D1D: ("fixed", False),
        0x0D1E: ("variable", False),
        0x0D1F: ("fixed", True),
        0x0D20: ("variable", True),
        0x0D22: ("variable", False),
        0x0D23: ("fixed", False),
        0x0D24: ("grouped", False),
        0x0D25: ("variable", True),
        0x0D26: ("fixed", True),
        0x0D27: ("grouped", True),
        0x0D28: ("variable", False),
        0x0D29: ("fixed", False),
        0x0D2A: ("grouped", False),
        0x0D2B: ("variable", True),
        0x0D2C: ("fixed", True),
        0x0D2D: ("grouped", True),
    }
)

SCADA = 2
"""The partition of what is measured."""

SPO2, PULSE_BY_OXIMETER, PULSE_BY_CUFF = 0x4BB8, 0x481A, 0x482A
BLOOD_PRESSURE, SYSTOLIC, DIASTOLIC, MEAN = 0x4A04, 0x4A05, 0x4A06, 0x4A07
TEMPERATURE = 0x4B5C
WEIGHT, HEIGHT, BMI = 0xE140, 0xE144, 0xE150
GLUCOSE_CAPILLARY_BLOOD = 0x71B8
SPOT = 0x4C3C

PERCENT, PER_MINUTE, MMHG, CELSIUS, KILOGRAM, CENTIMETRE, KILOGRAM_PER_M2, MG_PER_DL = (
    0x0220,
    0x0AA0,
    0x0F20,
    0x17A0,
    0x06C3,
    0x0511,
    0x07A0,
    0x0852,
)

NO_PERSON = 0xFFFF
PRIVATE_CODES = 0xF000
SET_CLOCK_CAPABLE = 0x4000
