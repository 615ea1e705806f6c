"""User Data Service, 0x181C: the part that decides whether a scale sends anything.

A scale with users sends measurements only after a user's consent, given with the code that was set when the
user was registered. User Control Point 0x2A9F is written with response and answered by indication:

================================  ==============================================
bytes                             meaning
================================  ==============================================
01 code16                         register a new user with that code, 0 to 9999
02 index code16                   consent of a user
03                                delete the data of the user who consented
20 request outcome [index]        answer; the index of a user who was registered
================================  ==============================================

Database Change Increment 0x2A99 is a uint32, User Index 0x2A9A one byte, 255 for unknown. The names, birth
dates and measures of the scale's own users, in further characteristics, are not read: they are nobody's in
the clinic.

Source: User Data Service 1.1; captures of Beurer scales. Evidence: capture (consent), one implementation
(register, delete).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.codecs.gatt.fields import Fields
from gateway.errors import DecodeError

CONTROL_POINT = "2A9F"
CHANGE_INCREMENT = "2A99"
USER_INDEX = "2A9A"
GREATEST_CODE = 9999

REGISTER, CONSENT, DELETE = 1, 2, 3
_ANSWER = 0x20
_SUCCESS = 1
_REQUESTS: Mapping[int, str] = MappingProxyType(
    {REGISTER: "registration", CONSENT: "consent", DELETE: "deletion"}
)
_OUTCOMES: Mapping[int, str] = MappingProxyType(
    {
        _SUCCESS: "success",
        2: "op code not supported",
        3: "invalid parameter",
        4: "operation failed",
        5: "user not authorized",
    }
)
FAILURES = tuple(text for outcome, text in _OUTCOMES.items() if outcome != _SUCCESS)
"""What an answer may say instead of success."""


@dataclass(frozen=True, slots=True)
class UserAnswer:
    """What a scale says to a request of 0x2A9F.

    Parameters
    ----------
    request, outcome : int
    user : int, optional
        The slot of a user who was registered.
    """

    request: int
    outcome: int
    user: int | None = None

    @property
    def accepted(self) -> bool:
        return self.outcome == _SUCCESS

    @property
    def text(self) -> str:
        outcome = _OUTCOMES.get(self.outcome, f"reserved outcome {self.outcome}")
        return f"{_REQUESTS.get(self.request, f'request {self.request}')}: {outcome}"


def consent(user: int, code: int) -> bytes:
    """The consent of a user of the scale, by the code that was agreed on."""
    return bytes((CONSENT, user)) + code.to_bytes(2, "little")


def decode_answer(value: bytes) -> UserAnswer:
    """An indicated value of 0x2A9F.

    Raises
    ------
    DecodeError
        A field is cut off (``length``), or it is no answer (``value``).
    """
    fields = Fields(value)
    op = fields.unsigned("op code", 1)
    if op != _ANSWER:
        raise DecodeError("value", f"op code 0x{op:02X} is no answer", offset=0)
    request, outcome = fields.unsigned("request op code", 1), fields.unsigned("response value", 1)
    registered = request == REGISTER and outcome == _SUCCESS
    return UserAnswer(request, outcome, fields.unsigned("user", 1) if registered else None)


def decode_user_index(value: bytes) -> int:
    """A value of 0x2A9A; 255 is an unknown user.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).unsigned("user", 1)


def decode_change_increment(value: bytes) -> int:
    """A value of 0x2A99.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).unsigned("database change increment", 4)
