"""What a lane needs of a way to an EHR, whatever it is made of: a socket, HTTP, a folder."""

from typing import Protocol

from gateway.hl7.acknowledgement import Verdict
from gateway.store.outbox import OutboxMessage


class Sender(Protocol):
    """Hands messages over, and says what became of each.

    The lane decides what follows. It gives each step `ack_timeout_s`, after which it is cancelled. Messages
    come one after the other; where the lane has a window, the next is sent while others are still answered,
    and `close` makes those fail.
    """

    async def prepare(self, message: OutboxMessage) -> None:
        """Whatever can fail before the first byte goes out: connect, log in, find a place.

        Raises
        ------
        OSError, TransportError
            The receiver has nothing of the message, for certain.
        """

    async def send(self, message: OutboxMessage) -> Verdict:
        """Hand the message over, the same bytes each time.

        Raises
        ------
        OSError, TransportError
            Nobody knows whether the receiver has it.
        """

    async def close(self) -> None:
        """Let go of whatever is open; the next message begins anew."""
