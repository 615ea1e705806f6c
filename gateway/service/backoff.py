"""How long to wait before the next try: twice as long each time, with a limit, never in step with others."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Waiting times between tries.

    Parameters
    ----------
    first_s, longest_s : float
    """

    first_s: float
    longest_s: float
    _next_s: float = field(default=0.0, init=False)

    def next(self) -> float:
        """Seconds to wait now: half to the whole of the present step."""
        step = self._next_s or self.first_s
        self._next_s = min(2 * step, self.longest_s)
        return random.uniform(step / 2, step)  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        self._next_s = 0.0
