"""What a port in a configuration stands for, and what is said of one that stands for nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import BleLink, FolderLink, Link, SerialLink, TcpLink, UsbLink
from gateway.errors import ConfigError
from gateway.transports import advice, check_url, open_transport
from gateway.transports.bluetooth import BleTransport
from gateway.transports.contract import Received
from gateway.transports.folder import FolderTransport
from gateway.transports.serial_port import SerialTransport
from gateway.transports.tcp import TcpTransport
from gateway.transports.usb import UsbTransport

SERIAL = SerialLink(baudrate=9600)
EVERY: tuple[Link, ...] = (SERIAL, TcpLink(), BleLink(("1810",)), UsbLink(), FolderLink(("*.scp",)))


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("/dev/ttyUSB0", SerialTransport),
        ("COM3", SerialTransport),
        ("rfc2217://10.0.0.7:2217", SerialTransport),
        ("socket://10.0.0.7:4001", TcpTransport),
        ("ble://F0:F1:F2:F3:F4:F5", BleTransport),
        ("ble://A&D_UA-651BLE_D57B3F", BleTransport),
        ("ble://", BleTransport),
        ("usb://0922:8003", UsbTransport),
        ("folder:///srv/ekg", FolderTransport),
    ],
)
def test_a_port_is_known_by_how_it_is_written(url: str, transport: type) -> None:
    opened = open_transport(url, EVERY)
    assert (type(opened), opened.url) == (transport, url)


@pytest.mark.parametrize(
    ("url", "is_of_a_line"),
    [
        ("/dev/ttyUSB0", True),
        ("rfc2217://10.0.0.7:2217", True),
        ("socket://10.0.0.7:4001", True),
        ("ble://A&D_UA-651BLE_D57B3F", False),
        ("usb://0922:8003", False),
        ("folder:///srv/ekg", False),
    ],
)
def test_only_where_there_is_a_serial_line_its_settings_are_to_be_checked(
    url: str, is_of_a_line: bool
) -> None:
    assert ("line settings" in advice(url), "driver" in advice(url)) == (
        is_of_a_line,
        not is_of_a_line or url.startswith("socket"),
    )


def test_a_folder_may_have_any_letters_in_its_path() -> None:
    opened = open_transport("folder:///srv/EKG 100%/#1", EVERY)
    assert isinstance(opened, FolderTransport)
    assert (opened.folder, opened.patterns) == (Path("/srv/EKG 100%/#1"), ("*.scp",))


def test_a_device_server_has_the_driver_s_port_unless_another_is_written() -> None:
    links = (TcpLink(port=4001),)
    for url, port in (("socket://[::1]", 4001), ("socket://[::1]:23", 23)):
        opened = open_transport(url, links)
        assert isinstance(opened, TcpTransport)
        assert (opened.host, opened.port) == ("::1", port)


def test_the_driver_s_own_port_counts_also_where_its_serial_links_are_declared_first() -> None:
    opened = open_transport("socket://10.0.0.7", (SERIAL, TcpLink(port=4305)))
    assert isinstance(opened, TcpTransport)
    assert opened.port == 4305


def test_serial_bytes_may_come_through_a_device_server() -> None:
    assert isinstance(open_transport("socket://10.0.0.7:4001", (SERIAL,)), TcpTransport)


def test_a_usb_device_is_named_by_its_ids_and_serial_number() -> None:
    opened = open_transport("usb://0922:8003:0071-5A:1", (UsbLink(interface_class=3),))
    assert isinstance(opened, UsbTransport)
    assert (opened.vendor, opened.product, opened.serial) == (0x0922, 0x8003, "0071-5A:1")
    assert opened.links == (UsbLink(interface_class=3),)


def test_a_usb_device_fits_any_link_of_its_driver() -> None:
    links = (UsbLink(0x0922, 0x8003), UsbLink(0x0922, 0x8004))
    for url in ("usb://0922:8004", "usb://0922:8003:A1", "usb://"):
        assert check_url(url, links) is None
    assert check_url("usb://0922:8009", links) is not None


def test_only_a_device_that_forgets_is_journalled() -> None:
    def keep(received: Received) -> None: ...

    for forgets in (True, False):
        opened = open_transport("ble://", (BleLink(deletes_confirmed=forgets),), keep=keep)
        assert isinstance(opened, BleTransport)
        assert (opened.keep is keep) is forgets


def test_devices_of_one_radio_share_its_adapter() -> None:
    radio = "tcp-client:127.0.0.1:6402"
    first, second = (open_transport(f"ble://{name}", EVERY, radio=radio) for name in ("A", "B"))
    other = open_transport("ble://A", EVERY, radio="hci1")
    assert isinstance(first, BleTransport)
    assert isinstance(second, BleTransport)
    assert isinstance(other, BleTransport)
    assert first.adapter is second.adapter
    assert first.adapter is not other.adapter


@pytest.mark.parametrize(
    ("url", "links", "what", "fix"),
    [
        ("", (SERIAL,), "it is empty", "write a device path such as /dev/ttyUSB0 or rfc2217://HOST:PORT or "),
        ("bt://X", (BleLink(),), "bt:// is no kind of port", "write ble://ADDRESS-or-NAME"),
        ("/dev/ttyUSB0", (BleLink(),), "not reached by a device path", "write ble://ADDRESS-or-NAME"),
        ("socket://", (TcpLink(),), "the host is missing", "write socket://HOST:PORT"),
        ("socket://host", (TcpLink(),), "the port is missing", "write socket://HOST:PORT"),
        ("socket://host:99999", (TcpLink(),), "the port is not a number from 1 to 65535", "write socket"),
        ("socket://host:x", (TcpLink(),), "the port is not a number from 1 to 65535", "write socket"),
        ("usb://922:8003", (UsbLink(),), "two times four hexadecimal digits", "write usb://VID:PID[:SERIAL]"),
        ("usb://0922:8003", (UsbLink(vendor=0x1446),), "0922 is not the vendor of", "write usb://"),
        ("folder://", (FolderLink(("*",)),), "the path is missing", "write folder://PATH"),
    ],
)
def test_a_port_that_stands_for_nothing_is_refused_with_what_to_write(
    url: str, links: tuple[Link, ...], what: str, fix: str
) -> None:
    problem = check_url(url, links)
    assert problem is not None
    assert what in problem.what
    assert problem.fix.startswith(fix)
    with pytest.raises(ConfigError):
        open_transport(url, links)


@given(
    st.sampled_from(["", "socket://", "rfc2217://", "ble://", "usb://", "folder://", "x://"]),
    st.text(),
)
def test_a_port_is_either_opened_or_refused_with_a_reason(scheme: str, rest: str) -> None:
    url = scheme + rest
    if check_url(url, EVERY) is None:
        assert open_transport(url, EVERY).url == url
    else:
        with pytest.raises(ConfigError):
            open_transport(url, EVERY)
