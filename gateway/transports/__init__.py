"""Transports: serial ports, sockets, Bluetooth, USB and folders, as connections that carry bytes."""

from gateway.transports.contract import HOLD_OFF_S, Connection, Keep, Received, Transport
from gateway.transports.urls import advice, check_line, check_url, open_transport, uncommon_line

__all__ = [
    "HOLD_OFF_S",
    "Connection",
    "Keep",
    "Received",
    "Transport",
    "advice",
    "check_line",
    "check_url",
    "open_transport",
    "uncommon_line",
]
