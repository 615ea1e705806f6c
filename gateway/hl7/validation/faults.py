"""One thing that does not hold, named by place and rule, and never by what stands there."""

from dataclasses import dataclass
from typing import Literal

Rule = Literal["encoding", "structure", "required", "cardinality", "length", "type", "table", "profile"]


@dataclass(frozen=True, slots=True)
class MessageFault:
    """One thing that does not hold. It names elements, never what they hold.

    Parameters
    ----------
    segment : str
        Its name and, where there are several, its occurrence: ``OBX[2]``. Empty where the message is meant.
    field, component, repetition : int, optional
        Counted from 1; the repetition where there are several.
    rule : str
        Which kind of rule it breaks.
    reason : str
    """

    segment: str
    field: int | None
    component: int | None
    rule: Rule
    reason: str
    repetition: int | None = None

    def __str__(self) -> str:
        field = "" if self.field is None else f"-{self.field}"
        repetition = "" if self.repetition is None else f"[{self.repetition}]"
        component = "" if self.component is None else f".{self.component}"
        return f"{self.segment or 'message'}{field}{repetition}{component}: {self.rule}: {self.reason}"
