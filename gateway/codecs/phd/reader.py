"""What messages of IEEE 11073-20601 say outside a connection: of a capture, or one alone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gateway.codecs.phd import apdus
from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.association import Association, Notice, Observed, Output
from gateway.codecs.phd.mder import Fields
from gateway.codecs.phd.objects import STANDARD, Configuration, standard_configuration
from gateway.codecs.phd.observations import Observation, scan
from gateway.errors import DecodeError


class Reader(Association):
    """Every message for itself, in whatever order, and those of a host too; its replies mean nothing.

    A report whose configuration no message stated is read as a standard configuration if it has just the
    objects of that one, with values of their lengths; :class:`Observed` then names it. Any other is refused.
    """

    def __init__(self) -> None:
        super().__init__(bytes(8))

    def _taken(self, message: apdus.Apdu, at: datetime) -> Iterator[Output]:
        if isinstance(message, apdus.AssociationResponse):
            yield Notice(f"association response: {apdus.RESULTS.get(message.result, message.result)}")
        else:
            yield from super()._taken(message, at)

    def _data(self, data: apdus.Data, at: datetime) -> Iterator[Output]:
        if data.choice in {apdus.EVENT, apdus.CONFIRMED_EVENT}:
            yield from self._event(data)
        elif data.choice in {apdus.ERROR, apdus.REJECT}:
            yield Notice(f"{apdus.choice_text(data.choice)}: {apdus.error_text(data)}")
        elif data.choice in {apdus.GET_ANSWER, apdus.ACTION_ANSWER}:
            yield from self._answer(data, at)
        elif data.choice in apdus.CHOICES:
            yield Notice(apdus.choice_text(data.choice))
        else:
            raise DecodeError("operation", apdus.choice_text(data.choice), offset=8)

    def _scanned(self, event_type: int, info: Fields, scanner: int) -> tuple[Output, ...]:
        if self._objects:
            return super()._scanned(event_type, info, scanner)
        if self._request.configuration:
            what = f"configuration 0x{self._request.configuration:04X} is not known"
            raise DecodeError("configuration", what, offset=info.offset)
        offset, raw = info.offset, info.rest()
        fitting = dict(_fitting(event_type, raw, offset))
        if len({_bare(observations) for observations in fitting.values()}) != 1:
            what = "the report does not say what it measures; give the messages before it too"
            raise DecodeError("configuration", what, offset=offset)
        assumed, observations = next(iter(fitting.items()))
        return (Observed(observations, assumed=assumed),)


def _fitting(event_type: int, raw: bytes, offset: int) -> Iterator[tuple[int, tuple[Observation, ...]]]:
    """The standard configurations that a report fits, with what it would say under each."""
    for configuration_id in STANDARD:
        known = standard_configuration(configuration_id)
        assert known is not None
        found = scan(event_type, Fields(raw, offset), 0, known.objects)
        said = {value.code for each in found.observations for value in each.values}
        if not found.errors and said == _codes(known):
            yield configuration_id, found.observations


def _codes(known: Configuration) -> set[tuple[int, int]]:
    """All that a configuration can say."""
    said: set[tuple[int, int]] = set()
    for each in known.objects.values():
        said.update((n.SCADA, metric) for metric in each.metric_ids)
        if each.code is not None and not each.metric_ids:
            said.add(each.code)
    return said


def _bare(observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
    return tuple(replace(each, is_spot=False) for each in observations)
