"""Where results go, as tables of the configuration: what every destination has in common."""

from pydantic import BaseModel, ConfigDict, Field


class DeliveryTable(BaseModel):
    """How long a lane waits for an answer, how often it tries, and what it does behind a parked message."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    ack_timeout_s: float = Field(default=10.0, gt=0)
    tries: int = Field(default=3, gt=0)
    longest_backoff_s: float = Field(default=60.0, gt=0)
    past_parked: bool = False
