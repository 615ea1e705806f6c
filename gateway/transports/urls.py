"""What a port is called in a configuration, and the transport that it stands for.

=========================  ============================================  =====================
written                    meaning                                       links
=========================  ============================================  =====================
``/dev/...``, ``COM3``     a serial port of this machine                 SerialLink
``rfc2217://HOST:PORT``    a serial port on the network, with its speed  SerialLink
``socket://HOST:PORT``     a device server that passes raw bytes on      SerialLink, TcpLink
``ble://ADDRESS-or-NAME``  a Bluetooth LE device; ``ble://`` any one     BleLink
                           that the driver's link describes
``usb://VID:PID[:SERIAL]`` a USB device by its ids in hexadecimal;       UsbLink
                           ``usb://`` the one that the driver's links
                           describe by ids or class
``folder://PATH``          a folder that files are dropped in            FolderLink
=========================  ============================================  =====================
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.drivers import (
    BleLink,
    FolderLink,
    Link,
    SerialLine,
    SerialLink,
    TcpLink,
    UsbLink,
    declared_lines,
)
from gateway.errors import ConfigError, Problem, TransportError
from gateway.transports.contract import HOLD_OFF_S, Keep, Transport
from gateway.transports.folder import FolderTransport
from gateway.transports.serial_port import SerialTransport
from gateway.transports.tcp import TcpTransport

SYSTEM_RADIO = "system"


@dataclass(frozen=True, slots=True)
class _Opening:
    """Everything that a transport may be made of."""

    url: str
    rest: str
    link: Link
    links: Sequence[Link]
    keep: Keep | None
    radio: str
    hold_off_s: float
    bonds: Path | None


@dataclass(frozen=True, slots=True)
class _Scheme:
    """One way to write a port: how it looks, what it carries, what is wrong with it, what it makes.

    `check` says what to look at when what arrives is in no form of the driver's protocol.
    """

    form: str
    links: tuple[type[Link], ...]
    fault: Callable[[str, Link], str | None]
    make: Callable[[_Opening], Transport]
    check: str


def _no_fault(_rest: str, _link: Link) -> str | None:
    return None


def _fault_of_host(rest: str, link: Link) -> str | None:
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port or (link.port if isinstance(link, TcpLink) else None)
    except ValueError:
        return "the port is not a number from 1 to 65535"
    if not parts.hostname:
        return "the host is missing"
    return None if port else "the port is missing"


def _fault_of_usb(rest: str, link: Link) -> str | None:
    if not rest:
        return None
    ids = re.fullmatch(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(:.+)?", rest)
    if ids is None:
        return "the ids are not two times four hexadecimal digits"
    assert isinstance(link, UsbLink)
    for wanted, given, name in ((link.vendor, ids[1], "vendor"), (link.product, ids[2], "product")):
        if wanted is not None and wanted != int(given, 16):
            return f"{given} is not the {name} of this driver's devices, {wanted:04x}"
    return None


def _fault_of_folder(rest: str, _link: Link) -> str | None:
    return None if rest else "the path is missing"


def _serial(opening: _Opening) -> Transport:
    assert isinstance(opening.link, SerialLink)
    return SerialTransport(opening.url, opening.link)


def _socket(opening: _Opening) -> Transport:
    parts = urlsplit(f"//{opening.rest}")
    usual = opening.link.port if isinstance(opening.link, TcpLink) else None
    port = parts.port or usual
    assert parts.hostname is not None
    assert port is not None
    return TcpTransport(opening.url, parts.hostname, port)


def _folder(opening: _Opening) -> Transport:
    assert isinstance(opening.link, FolderLink)
    return FolderTransport(opening.url, Path(opening.rest).expanduser(), opening.link.patterns)


def _ble(opening: _Opening) -> Transport:
    # Imported where it is used: bleak would double the start-up time of every command.
    from gateway.transports.bluetooth import BleTransport  # noqa: PLC0415
    from gateway.transports.radios import adapter_named  # noqa: PLC0415

    link, *others = (link for link in opening.links if isinstance(link, BleLink))
    return BleTransport(
        opening.url,
        opening.rest,
        link,
        adapter_named(opening.radio, opening.bonds),
        opening.keep if any(each.deletes_confirmed for each in (link, *others)) else None,
        opening.hold_off_s,
        tuple(others),
    )


def _usb(opening: _Opening) -> Transport:
    # Imported where it is used: pyusb is an extra.
    try:
        from gateway.transports.usb import usb_transport  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TransportError(f"{opening.url}: this needs the package {error.name}; install pyusb") from error

    links = tuple(link for link in opening.links if isinstance(link, UsbLink))
    return usb_transport(opening.url, opening.rest, links)


_LINE = "the line settings"
_DRIVER = "that the device is one of the driver's models"
_SCHEMES = {
    "": _Scheme("a device path such as /dev/ttyUSB0", (SerialLink,), _no_fault, _serial, _LINE),
    "rfc2217": _Scheme("rfc2217://HOST:PORT", (SerialLink,), _fault_of_host, _serial, _LINE),
    "socket": _Scheme(
        "socket://HOST:PORT",
        (TcpLink, SerialLink),
        _fault_of_host,
        _socket,
        f"{_LINE} of the device server, where there is one, and the driver",
    ),
    "ble": _Scheme("ble://ADDRESS-or-NAME", (BleLink,), _no_fault, _ble, _DRIVER),
    "usb": _Scheme("usb://VID:PID[:SERIAL]", (UsbLink,), _fault_of_usb, _usb, _DRIVER),
    "folder": _Scheme("folder://PATH", (FolderLink,), _fault_of_folder, _folder, _DRIVER),
}


def check_url(url: str, links: Sequence[Link]) -> Problem | None:
    """What is wrong with a port for a driver that can be reached over `links`, or None."""
    scheme_name, rest = _split(url)
    scheme = _SCHEMES.get(scheme_name)
    fix = f"write {_forms(links)}"
    if not url:
        return Problem("port", "it is empty", fix)
    if scheme is None:
        return Problem("port", f"{scheme_name}:// is no kind of port", fix)
    link = _link(scheme, links)
    if link is None:
        return Problem("port", f"this driver's devices are not reached by {scheme.form}", fix)
    faults = [scheme.fault(rest, each) for each in links if isinstance(each, scheme.links)]
    fault = None if None in faults else faults[0]
    return Problem("port", fault, f"write {scheme.form}") if fault else None


def check_line(url: str, line: SerialLine | None) -> Problem | None:
    """What is wrong with choosing `line` for that port, or None: only a serial port can be set."""
    name, _ = _split(url)
    scheme = _SCHEMES.get(name)
    if line is None or scheme is None or scheme.make is _serial:
        return None
    fix = "remove it, and set speed and parity in the device server" if name == "socket" else "remove it"
    return Problem("line", f"{scheme.form} is no serial port that could be set to {line}", fix)


def uncommon_line(links: Sequence[Link], line: SerialLine | None) -> str | None:
    """What a technician should know of a line that is none of the driver's, or None."""
    declared = declared_lines(links)
    if line is None or line in declared:
        return None
    usual = " or ".join(map(str, declared))
    return f"{line} is none of the lines that this driver's devices are known for, {usual}"


def advice(url: str) -> str:
    """What to do when bytes that are no frame arrive at that port again and again."""
    return f"check {_SCHEMES[_split(url)[0]].check} if this goes on"


def open_transport(
    url: str,
    links: Sequence[Link],
    *,
    keep: Keep | None = None,
    radio: str = SYSTEM_RADIO,
    hold_off_s: float = HOLD_OFF_S,
    bonds: Path | None = None,
) -> Transport:
    """The transport that `url` stands for. Nothing is opened yet.

    Parameters
    ----------
    url : str
    links : sequence of Link
        The driver's; of those of a kind that fits `url`, the first counts.
    keep : callable, optional
        The journal, used where the device forgets what was confirmed.
    radio : str
        For ``ble://``: ``system``, BlueZ's name of one of several adapters (``hci1``), or bumble's name of
        a controller that is driven directly (``tcp-client:127.0.0.1:6402``).
    hold_off_s : float
        For ``ble://``: how long a device that has hung up is left alone.
    bonds : Path, optional
        For a controller that is driven directly: the folder in which its pairings outlive the program.

    Raises
    ------
    ConfigError
        As `check_url` says.
    TransportError
        The radio or the port needs a package that is not installed.
    """
    problem = check_url(url, links)
    if problem is not None:
        raise ConfigError(url or "port", (problem,))
    name, rest = _split(url)
    scheme = _SCHEMES[name]
    link = _link(scheme, links)
    assert link is not None
    return scheme.make(_Opening(url, rest, link, links, keep, radio, hold_off_s, bonds))


def _split(url: str) -> tuple[str, str]:
    name, mark, rest = url.partition("://")
    return (name, rest) if mark else ("", url)


def _link(scheme: _Scheme, links: Sequence[Link]) -> Link | None:
    return next((link for kind in scheme.links for link in links if isinstance(link, kind)), None)


def _forms(links: Sequence[Link]) -> str:
    usable = [s.form for s in _SCHEMES.values() if _link(s, links) is not None]
    return " or ".join(usable) if usable else "nothing: this driver has no link that is supported"
