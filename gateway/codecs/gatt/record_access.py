"""Record Access Control Point, 0x2A52: asking a device for what it has stored.

Written with response, answered by indication: op code, operator, operand.

====  ================================  ==========  ============================================
op    name                              operator    operand
====  ================================  ==========  ============================================
1     report stored records             any but 0   filter
2     delete stored records             any but 0   filter
3     abort                             0           none
4     report number of stored records   any but 0   filter
5     number of records (answer)        0           uint16
6     response (answer)                 0           the op code answered, what came of it
====  ================================  ==========  ============================================

Operators: 1 all, 2 less or equal, 3 greater or equal, 4 within a range, 5 first, 6 last. The filter of
operators 2 to 4 is a type (1 sequence number, 2 user-facing time) and one value, for a range two.

Source: GATT Specification Supplement; Glucose Service 1.0.1, section 3.4. Evidence: specification, capture
(the last answer of an Accu-Chek Guide); response value 10 from memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from gateway.codecs.gatt.fields import Fields
from gateway.errors import DecodeError

CONTROL_POINT = "2A52"

_SEQUENCE_NUMBER = 1


class Op(IntEnum):
    """What is asked for, or answered."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNTED = 5
    RESPONSE = 6


class Operator(IntEnum):
    """Which records are meant."""

    NULL = 0
    ALL = 1
    LESS_OR_EQUAL = 2
    GREATER_OR_EQUAL = 3
    WITHIN_RANGE = 4
    FIRST = 5
    LAST = 6


SUCCESS = 1
NO_RECORDS = 6
NOT_COMPLETED = 8
BUSY = 10
OUTCOMES: Mapping[int, str] = MappingProxyType(
    {
        SUCCESS: "success",
        2: "op code not supported",
        3: "invalid operator",
        4: "operator not supported",
        5: "invalid operand",
        NO_RECORDS: "no records found",
        7: "abort unsuccessful",
        NOT_COMPLETED: "procedure not completed",
        9: "operand not supported",
        BUSY: "server busy",
    }
)
"""Response values; the others are reserved."""

FAILURES = tuple(text for outcome, text in OUTCOMES.items() if outcome != SUCCESS)
"""What an answer may say instead of success."""

ABORT = bytes((Op.ABORT, Operator.NULL))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device says to a request.

    Parameters
    ----------
    request : int
        The op code that is answered.
    outcome : int
        A key of `OUTCOMES`, or a reserved value.
    count : int, optional
        Of the records that were asked about.
    """

    request: int
    outcome: int
    count: int | None = None

    @property
    def text(self) -> str:
        return OUTCOMES.get(self.outcome, f"reserved response {self.outcome}")


def ask(op: Op, operator: Operator = Operator.ALL, *sequence_numbers: int) -> bytes:
    """A request. The operators 2 to 4 compare with one sequence number, or with the two ends of a range."""
    filtered = bytes((_SEQUENCE_NUMBER,)) if sequence_numbers else b""
    return bytes((op, operator)) + filtered + b"".join(n.to_bytes(2, "little") for n in sequence_numbers)


def decode_answer(value: bytes) -> Answer:
    """An indicated value of 0x2A52.

    Raises
    ------
    DecodeError
        A field is cut off (``length``), it is no answer, or its operator is not null (``value``).
    """
    fields = Fields(value)
    op = fields.unsigned("op code", 1)
    if op not in {Op.COUNTED, Op.RESPONSE}:
        raise DecodeError("value", f"op code {op} is no answer", offset=0)
    operator = fields.unsigned("operator", 1)
    if operator != Operator.NULL:
        raise DecodeError("value", f"operator {operator} in an answer, 0 expected", offset=1)
    if op == Op.COUNTED:
        return Answer(Op.COUNT, SUCCESS, fields.unsigned("number of records", 2))
    return Answer(fields.unsigned("request op code", 1), fields.unsigned("response value", 1))
