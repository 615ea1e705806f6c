"""A site with one scale that talks without end: for tests and benchmarks of all that comes after the driver.

Its driver makes a reading of every line, where a real scale's would wait for one load at a time.
"""

from pathlib import Path

_DRIVER = '''"""A weight in kilograms on every line."""

from dataclasses import dataclass, field
from decimal import Decimal

from gateway.codecs.framing import Lines
from gateway.drivers import Driver, Measured, TcpLink
from gateway.model import Observation, Reading


@dataclass(slots=True)
class Session:
    lines: Lines = field(default_factory=lambda: Lines(terminator=b"\\n", longest=64))

    def received(self, data, channel, at):
        return tuple(Measured(self.weight(frame.data.decode(), at)) for frame in self.lines.feed(data))

    def weight(self, text, at):
        weight = Observation("weight", Decimal(text), "kg")
        return Reading(kind="weight", observations=(weight,), sequence=text).taken(at, by="gateway")


DRIVER = Driver(
    id="talking-scale",
    vendor="Exemplar",
    models=("Talker",),
    kind="scale",
    emits={"weight": ("kg",)},
    links=(TcpLink(),),
    evidence="manual",
    session=Session,
)
'''
_CONFIGURATION = """
[site]
name = "NORTHCLINIC"
zone = "America/New_York"
[store]
path = "gateway.db"
[drivers]
folder = "drivers"
[inbound]
listen = "127.0.0.1:{inbound}"
[destinations.ehr]
address = "127.0.0.1:{ehr}"
longest_backoff_s = 0.2
[devices.scale]
driver = "talking-scale"
port = "socket://127.0.0.1:{scale}"
room = "EXAM3"
"""


def write_site(folder: Path, *, inbound: int, ehr: int, scale: int) -> Path:
    """The driver and the configuration in `folder`, with these TCP ports; the path of the configuration."""
    (folder / "drivers").mkdir()
    (folder / "drivers" / "talking_scale.py").write_text(_DRIVER)
    configuration = folder / "gateway.toml"
    configuration.write_text(_CONFIGURATION.format(inbound=inbound, ehr=ehr, scale=scale))
    return configuration
