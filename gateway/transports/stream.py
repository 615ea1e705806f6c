"""What connections have in common that carry one stream of bytes, with no channels in it."""

from gateway.transports.contract import Received


class Stream:
    """The part of a connection that a wire without channels has no use for."""

    async def read(self, channel: str) -> None:
        """Refused: a stream has no present value to ask for."""
        raise KeyError(channel)

    async def subscribe(self, channel: str) -> None:
        """Granted for ``""``, which arrives by itself."""
        only_channel(channel)

    async def settle(self, received: Received, refusal: str | None) -> None:
        """Nothing to do: what a wire has carried cannot be put away."""


def only_channel(channel: str) -> None:
    """Raise KeyError for any channel but ``""``."""
    if channel:
        raise KeyError(channel)
