"""The user of a scale that keeps its measurements for its users (User Data Service).

Such a scale sends nothing, or only what no user claims, before a user has consented with the code that was
agreed on when the user was registered at the scale. The bytes are in :mod:`gateway.codecs.gatt.user_data`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.codecs.gatt.user_data import (
    CHANGE_INCREMENT,
    CONTROL_POINT,
    GREATEST_CODE,
    USER_INDEX,
    consent,
    decode_answer,
    decode_change_increment,
    decode_user_index,
)
from gateway.codecs.gatt.weight_scale import UNKNOWN_USER
from gateway.drivers.contract import Events, Fault, Progress, Send, Setting, Subscribe

SETTINGS = (
    Setting("user", ("", *map(str, range(1, 9))), "", "the user of the scale who consents, 1 to 8"),
    Setting("consent_code", (), "", "the code of that user, 0 to 9999"),
)


class ScaleUser:
    """Who consents, if anybody does."""

    def __init__(self, user: str, code: str) -> None:
        agreed = user and code.isdecimal() and int(code) <= GREATEST_CODE
        self._consent = consent(int(user), int(code)) if agreed else b""
        self._code_is_wrong = bool(user) and not agreed

    @property
    def decoders(self) -> Mapping[str, Callable[[bytes, datetime], Events]]:
        """Of the service's characteristics."""
        return {
            CONTROL_POINT: self._answer,
            CHANGE_INCREMENT: self._change_increment,
            USER_INDEX: self._user_index,
        }

    def opening(self) -> Events:
        """Before the measurements are asked for."""
        if self._code_is_wrong:
            return (Fault("setting", f"consent_code is not a number up to {GREATEST_CODE}"),)
        return (Subscribe(CONTROL_POINT, optional=True),) if self._consent else ()

    def consent(self) -> Events:
        """After that, since it may release them."""
        return (Send(self._consent, CONTROL_POINT, optional=True),) if self._consent else ()

    def _answer(self, data: bytes, at: datetime) -> Events:
        answer = decode_answer(data)
        if answer.accepted:
            slot = "" if answer.user is None else f", user {answer.user} of the scale"
            return (Progress(f"{answer.text}{slot}"),)
        return (Fault("refused", f"{answer.text}; check user and consent_code at the scale"),)

    def _change_increment(self, data: bytes, at: datetime) -> Events:
        return (Progress(f"the scale's user data, change {decode_change_increment(data)}"),)

    def _user_index(self, data: bytes, at: datetime) -> Events:
        user = decode_user_index(data)
        return (Progress("no user of the scale" if user == UNKNOWN_USER else f"user {user} of the scale"),)
