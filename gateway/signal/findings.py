"""One thing to look at in a recording. None is a diagnosis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something for a person to review.

    Parameters
    ----------
    code : str
        ``regular``, ``pause``, ``limb-lead-reversal-suspected``, ...
    text : str
        For a person.
    evidence : str
        The figures that it rests on.
    """

    code: str
    text: str
    evidence: str
