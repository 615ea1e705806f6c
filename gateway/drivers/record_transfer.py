"""Getting the stored records of a device by its Record Access Control Point.

A state machine without I/O, part of a session that hands it what concerns it and adds its events to its own:

==========  =======================================  =================================================
state       what happens                             what follows
==========  =======================================  =================================================
idle        the session starts it                    the records are asked for
reporting   a record comes                           the waiting begins anew
reporting   success, or no records                   idle
reporting   not completed, or busy                   asked again after a while, a few times
reporting   any other answer                         a fault; idle
reporting   nothing for 30 s                         a fault; abort
aborting    any answer, or nothing for 10 s          idle
==========  =======================================  =================================================

Source: Glucose Service 1.0.1, section 3.4 (procedure time-out); GATT Specification Supplement.
"""

from datetime import datetime
from enum import Enum

from gateway.codecs.gatt.record_access import (
    ABORT,
    BUSY,
    CONTROL_POINT,
    NO_RECORDS,
    NOT_COMPLETED,
    SUCCESS,
    Answer,
    Op,
    Operator,
    ask,
    decode_answer,
)
from gateway.drivers.contract import Events, Fault, Progress, Send, SetTimer, Subscribe

_TIME_OUT = "records"
_AGAIN = "records again"
_ANSWER_S = 30.0
_ABORT_S = 10.0
_AGAIN_S = 3.0
_TRIES = 3


class _State(Enum):
    IDLE = "idle"
    REPORTING = "reporting"
    ABORTING = "aborting"


class RecordTransfer:
    """One procedure at a time with one device.

    Parameters
    ----------
    noun : str
        What messages call the device.
    records : {"all", "last"}
    """

    def __init__(self, noun: str, records: str = "all") -> None:
        self._noun = noun
        self._request = ask(Op.REPORT, Operator.LAST if records == "last" else Operator.ALL)
        self._state = _State.IDLE
        self._records = 0
        self._tries = 0

    @property
    def running(self) -> bool:
        return self._state is _State.REPORTING

    def start(self, *, optional: bool = True) -> Events:
        """Ask for all records, after whatever brings them has been subscribed to."""
        return Subscribe(CONTROL_POINT, optional), *self._ask(optional=optional)

    def record(self) -> Events:
        """A record has come."""
        if not self.running:
            return ()
        self._records += 1
        return (SetTimer(_TIME_OUT, _ANSWER_S),)

    def answered(self, data: bytes, at: datetime) -> Events:
        """A value of the control point.

        Raises
        ------
        DecodeError
            It is no answer.
        """
        answer = decode_answer(data)
        if self._state is _State.ABORTING:
            return self._rest(Progress(f"{self._noun}: abort: {answer.text}"))
        if self.running and answer.request == Op.REPORT:
            return self._reported(answer)
        return (Progress(f"{self._noun}: {_said(answer)}"),)

    def timer(self, name: str) -> Events:
        """A timer of the session's ran out; one that is not of the transfer's changes nothing."""
        if name == _AGAIN and self._state is _State.IDLE:
            return self._ask(optional=True)
        if name != _TIME_OUT:
            return ()
        if self._state is _State.ABORTING:
            return self._rest()
        if not self.running:
            return ()
        self._state = _State.ABORTING
        fault = Fault("time-out", f"the {self._noun} broke off after {self._records} records; aborting")
        return fault, Send(ABORT, CONTROL_POINT, optional=True), SetTimer(_TIME_OUT, _ABORT_S)

    def _ask(self, *, optional: bool) -> Events:
        self._state = _State.REPORTING
        self._records = 0
        self._tries += 1
        return Send(self._request, CONTROL_POINT, optional), SetTimer(_TIME_OUT, _ANSWER_S)

    def _reported(self, answer: Answer) -> Events:
        if answer.outcome in {SUCCESS, NO_RECORDS}:
            return self._rest(Progress(f"{self._noun}: all {self._records} records have come"))
        if answer.outcome in {NOT_COMPLETED, BUSY} and self._tries < _TRIES:
            return self._rest(Progress(f"{self._noun}: {answer.text}"), SetTimer(_AGAIN, _AGAIN_S))
        return self._rest(Fault("refused", f"records of the {self._noun}: {answer.text}"))

    def _rest(self, *events: Progress | SetTimer | Fault) -> Events:
        self._state = _State.IDLE
        return SetTimer(_TIME_OUT, 0), *events


def _said(answer: Answer) -> str:
    if answer.count is not None:
        return f"{answer.count} records"
    requests = {Op.REPORT: "report", Op.DELETE: "deletion", Op.ABORT: "abort", Op.COUNT: "count"}
    name = next((text for op, text in requests.items() if op == answer.request), f"request {answer.request}")
    return f"{name}: {answer.text}"
