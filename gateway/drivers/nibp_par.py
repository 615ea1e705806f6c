r"""Blood-pressure modules of the PAR, Medlab and UN300C type. Serial, 4800 8N1, ASCII.

The module sends STX, text, ETX, CR. While the cuff is inflated the text is its pressure, 3 digits, and
codes; ``999`` ends the measurement, whereupon the driver asks with ``18;;DF`` (DF is the sum of the
characters before it, modulo 256) for the status, of which only P and R have three digits a value::

    <STX>S1;A0;C00;M00;P118076090;R068;T0000;<ETX><CR>

======  ==========================================================================
field   content
======  ==========================================================================
``S``   1 ready, 2 error, 3 measuring
``M``   error, below; 00 is none
``P``   systolic, diastolic, mean, mmHg; dashes or zeros are none
``R``   pulse rate, /min
======  ==========================================================================

``A`` patient mode, ``C`` measurement mode and ``T`` are not looked at. Two hexadecimal digits may follow,
which are checked like those of a command. The module keeps its last result: it is taken only when a
measurement was seen to end. Commands that start a cuff are left out on purpose.

Source: public programs that read an Abaton UN300C, a Sinnor N6 and a PAR NIBP2010 (S and M from two of
them); the makers' manuals were not seen. Evidence: one implementation.
"""

import re
from dataclasses import replace
from datetime import datetime

from gateway.codecs.checksum import sum8
from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames, length_between
from gateway.drivers.contract import Driver, Events, Measured, Progress, Send, SerialLink, SetTimer, TcpLink
from gateway.drivers.cuff_results import UNITS, blood_pressure
from gateway.errors import DecodeError
from gateway.model import Reading, rejected

_STX, _ETX = b"\x02", b"\x03"
_ASK_STATUS = b"\x0218;;DF\x03"
_ANSWER_S, _ASKED_AT_MOST = 2.0, 3
_LONGEST = 80
_CUFF = re.compile(r"(\d{3})(?:C\dS\d)?")
_FINISHED = "999"
_STATUS = re.compile(
    r"S(?P<state>\d);A[^;]*;C[^;]*;M(?P<error>\d\d);P(?P<systolic>...)(?P<diastolic>...)(?P<mean>...);"
    r"R(?P<pulse>...)(?:;.*)?"
)
_CHECK = re.compile(r";([0-9A-F]{2})$")
_NUMBER, _NO_VALUE = re.compile(r"\d{3}"), re.compile(r"[- ]{3}")
_MEASURING = "3"
_NO_ERROR = "00"
_ERRORS = {
    "06": "cuff not inflated in time: check its connection",
    "07": "leak: check the connection of the cuff",
    "08": "pneumatics faulty",
    "09": "measurement time exceeded",
    "11": "too much movement",
    "12": "cuff overpressure",
    "14": "leak found by the leakage test",
    "15": "system error",
}
_NAMES = {
    "systolic": "systolic",
    "diastolic": "diastolic",
    "mean": "mean-arterial-pressure",
    "pulse": "pulse-rate",
}


def parse_status(text: str) -> Reading | None:
    """The result in a status, without its STX and ETX; None while the module measures.

    Raises
    ------
    DecodeError
        Layout, checksum or a value do not hold; names which, and its offset in the text.
    """
    if check := _CHECK.search(text):
        computed = f"{sum8(text[: check.start(1)].encode('latin-1')):02X}"
        if check[1] != computed:
            raise DecodeError("checksum", f"{check[1]}, computed {computed}", offset=check.start(1))
    status = _STATUS.fullmatch(text)
    if status is None:
        raise DecodeError("layout", "no status with S, A, C, M, P and R", offset=0)
    if status["state"] == _MEASURING:
        return None
    if status["error"] != _NO_ERROR:
        return rejected(
            "blood-pressure", f"error {status['error']}: {_ERRORS.get(status['error'], 'unknown')}"
        )
    return _result(status)


def _result(status: re.Match[str]) -> Reading:
    values = {}
    for group, name in _NAMES.items():
        text = status[group]
        if not (_NUMBER.fullmatch(text) or _NO_VALUE.fullmatch(text)):
            raise DecodeError("value", f"{name} is {text!r}", offset=status.start(group))
        values[name] = int(text) if _NUMBER.fullmatch(text) else 0
    return blood_pressure(values)


class Frames(BlockFrames):
    """Every text for itself."""

    def __init__(self) -> None:
        super().__init__(
            Blocks(
                re.compile(_STX),
                1,
                lambda data: length_between(_STX, _ETX, _LONGEST, data),
                lambda frame: frame[1:2] in b"S0123456789" and len(frame) > len(b"\x02\x03"),
                longest=_LONGEST,
                tail=1,
            )
        )

    def block(self, frame: Frame, at: datetime) -> Events:
        text = frame.data[1:-1].decode("latin-1")
        if text.startswith(_FINISHED):
            return self.finished()
        if cuff := _CUFF.fullmatch(text):
            return (Progress(f"cuff at {int(cuff[1])} mmHg"),)
        try:
            reading = parse_status(text)
        except DecodeError as error:
            raise DecodeError(error.code, error.message, offset=error.offset + len(_STX)) from error
        if reading is None:
            return (Progress("measuring"),)
        return self.result(replace(reading, provenance=frame.content).taken(at, by="gateway"))

    def finished(self) -> Events:
        return (Progress("measurement finished"),)

    def result(self, reading: Reading) -> Events:
        return (Measured(reading),)


class Session(Frames):
    """Asks for the result when a measurement is over, and takes it once."""

    def __init__(self) -> None:
        super().__init__()
        self._awaited = False
        self._to_ask = 0

    def finished(self) -> Events:
        self._awaited, self._to_ask = True, _ASKED_AT_MOST
        return *super().finished(), *self._ask()

    def timer(self, name: str, at: datetime) -> Events:
        return self._ask() if name == "answer" else super().timer(name, at)

    def _ask(self) -> Events:
        if not self._to_ask:
            return ()
        self._to_ask -= 1
        return Send(_ASK_STATUS), SetTimer("answer", _ANSWER_S)

    def result(self, reading: Reading) -> Events:
        if not self._awaited:
            return (Progress("result of an earlier measurement passed over"),)
        self._awaited = False
        return Measured(reading), SetTimer("answer", 0)


DRIVER = Driver(
    id="nibp-par",
    vendor="PAR",
    models=("NIBP2010", "NIBP2020", "UN300C", "N6"),
    kind="blood-pressure-monitor",
    emits={name: (unit,) for name, unit in UNITS.items()},
    links=(SerialLink(baudrate=4800), TcpLink()),
    evidence="one-implementation",
    specials=(*_ERRORS.values(), "zeros", "dashes"),
    session=Session,
    frames=Frames,
)
