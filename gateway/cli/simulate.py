"""`gateway simulate`: a recorded session as a device that any host can talk to."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import click

from gateway.errors import GatewayError
from gateway.testing.fixture_writer import bytes_text
from gateway.testing.impairment import Impairment, parse_impairment
from gateway.testing.session_fixture import Exchange, SessionFixture, load_fixture
from gateway.testing.virtual_device import VirtualDevice


def _fault(_context: click.Context, _option: click.Parameter, text: str | None) -> Impairment | None:
    return parse_impairment(text) if text else None


@click.command(
    epilog="Example: gateway simulate tests/fixtures/mt-sics/person.toml --pty --link /tmp/scale --speed 2",
    short_help="a session as if it were the device",
)
@click.argument("session", type=click.Path(path_type=Path))
@click.option("--pty", is_flag=True, help="On a pseudo-terminal, as a serial port.")
@click.option("--link", type=click.Path(path_type=Path), help="Where that port is to appear.")
@click.option("--tcp", metavar="HOST:PORT", help="On a TCP port, as a device server.")
@click.option("--ble", is_flag=True, help="As a Bluetooth device behind a simulated controller.")
@click.option("--hci-port", default=6402, show_default=True, help="Where that controller listens.")
@click.option(
    "--controller", metavar="NAME", help="A real one instead: usb:0, hci-socket:0, tcp-client:HOST:PORT."
)
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="As files.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--fault", callback=_fault, metavar="KIND[@N]", help="drop, garble, split, stall, disconnect.")
@click.option("--once", is_flag=True, help="Play once and end, instead of until Ctrl-C.")
def simulate(
    session: Path,
    pty: bool,
    link: Path | None,
    tcp: str | None,
    ble: bool,
    hci_port: int,
    controller: str | None,
    folder: Path | None,
    speed: float,
    fault: Impairment | None,
    once: bool,
) -> None:
    """Play the session fixture SESSION as if it were the device, answering the host's commands.

    With a fault, what goes wrong happens to the Nth thing that the device says, or to each of them.
    It plays again for every host that connects; files are written once.
    """
    if sum((pty, tcp is not None, ble, folder is not None)) != 1:
        raise click.UsageError("say where: one of --pty, --tcp HOST:PORT, --ble, --folder PATH")
    if fault and folder:
        raise click.UsageError("a folder has no link that could fail; leave out --fault")
    if controller and not ble:
        raise click.UsageError("--controller is for --ble")
    fixture = load_fixture(session)
    if ble:
        device = _bluetooth(fixture, controller, hci_port, speed, fault)
    elif tcp is not None:
        device = _switched_on(_tcp(fixture, tcp, speed, fault))
    elif folder is not None:
        device = _switched_on(_files(fixture, folder, speed))
    else:
        device = _switched_on(_serial(fixture, link, speed, fault))
    asyncio.run(_until_stopped(device, once=once or folder is not None))


def _serial(
    fixture: SessionFixture, link: Path | None, speed: float, fault: Impairment | None
) -> VirtualDevice:
    from gateway.testing.virtual_serial import VirtualSerial  # noqa: PLC0415 - there are none on Windows

    return VirtualSerial(fixture, path=link, speed=speed, impairment=fault)


def _tcp(fixture: SessionFixture, address: str, speed: float, fault: Impairment | None) -> VirtualDevice:
    from gateway.testing.virtual_tcp import VirtualTcp  # noqa: PLC0415 - as above

    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 2**16):
        raise click.UsageError(f"--tcp: {address!r} is not HOST:PORT")
    return VirtualTcp(fixture, host=host.strip("[]"), port=int(port), speed=speed, impairment=fault)


def _files(fixture: SessionFixture, folder: Path, speed: float) -> VirtualDevice:
    from gateway.testing.virtual_folder import VirtualFolder  # noqa: PLC0415 - as above

    return VirtualFolder(fixture, folder=folder, speed=speed)


@asynccontextmanager
async def _switched_on(device: VirtualDevice) -> AsyncIterator[VirtualDevice]:
    try:
        await device.open()
    except OSError as error:
        raise GatewayError(
            f"{device.url}: cannot be opened: {error.strerror}; choose another place"
        ) from error
    try:
        yield device
    finally:
        await device.close()


@asynccontextmanager
async def _bluetooth(
    fixture: SessionFixture, controller: str | None, port: int, speed: float, fault: Impairment | None
) -> AsyncIterator[VirtualDevice]:
    try:
        from gateway.testing.ble_room import BluetoothRoom  # noqa: PLC0415
        from gateway.testing.bluetooth_adapter import Adapter  # noqa: PLC0415 - needs the demo's packages
        from gateway.testing.virtual_ble_session import VirtualBle  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise GatewayError(f"--ble needs {error.name}; install gateway[demo]") from error

    async with Adapter(controller) if controller else BluetoothRoom(port) as room:
        click.echo(f"controller at {room.name}")
        async with VirtualBle(fixture, room=room, speed=speed, impairment=fault) as device:
            yield device


async def _until_stopped(switched_on: AbstractAsyncContextManager[VirtualDevice], *, once: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with switched_on as device:
        click.echo(f"{device.fixture.driver} at {device.url}; Ctrl-C ends it")
        device.on_exchange = _print
        playing = asyncio.create_task(_play(device, once=once))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (playing, stopping):
            task.cancel()
        ended, _ = await asyncio.gather(playing, stopping, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


async def _play(device: VirtualDevice, *, once: bool) -> None:
    while True:
        await device.play()
        click.echo("the host has taken everything")
        if once:
            return
        await device.answer_on()


def _print(exchange: Exchange) -> None:
    channel = f"{exchange.channel} " if exchange.channel else ""
    if exchange.direction == "<":
        click.echo(f"{exchange.at:9.3f} < {channel}{bytes_text(exchange.data)}")
    else:
        click.echo(
            f"{exchange.at:9.3f} > {channel}{bytes_text(exchange.data) or 'anything'} (waiting for it)"
        )
