"""JSON whose numbers keep their digits: ``36.60`` stays ``36.60``, as FHIR asks of a decimal (R4, 2.24.0.1).

:mod:`json` writes a Decimal not at all, and a float without the zeros that a device showed.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | str | Decimal | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]


def json_text(value: JsonValue) -> str:
    """`value` as JSON without blanks, every Decimal in its own plain digits.

    Raises
    ------
    ValueError
        A Decimal is no number: NaN or infinite.
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quoted(key)}:{json_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a number that JSON can hold")
        return f"{value:f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(json_text, value)) + "]"
    return _quoted(value)


def _quoted(value: bool | int | str | None) -> str:
    return json.dumps(value, ensure_ascii=False)
