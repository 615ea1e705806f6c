"""Transports: serial ports, sockets, Bluetooth, USB and folders, as connections that carry bytes."""

from gateway.transports.contract import Connection, Keep, Received, Transport

__all__ = ["Connection", "Keep", "Received", "Transport"]
