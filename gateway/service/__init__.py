"""The running gateway: devices supervised, readings accepted, messages delivered."""

from gateway.service.configuration import Configuration, load_configuration

__all__ = ["Configuration", "load_configuration"]
