"""The running gateway: every configured device, destination and the inbound door, each on its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from gateway.drivers import Conversation
from gateway.hl7.profiles import Profile
from gateway.model import Reading
from gateway.service.acceptance import Acceptance, Accepted
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.configuration import Configuration, DestinationTable
from gateway.service.destinations import FhirTable
from gateway.service.device_task import DeviceTask
from gateway.service.folder_sender import FolderSender
from gateway.service.inbound import InboundServer
from gateway.service.intake import Intake
from gateway.service.journal import Journal
from gateway.service.lane import Lane
from gateway.service.mllp_sender import MllpSender
from gateway.service.outgoing import AnyProfile, Outgoing, ordering_of
from gateway.service.patient_queries import PatientQueries, query_form
from gateway.service.sender import Sender
from gateway.service.supervision import supervised
from gateway.store import Database
from gateway.transports import open_transport


def _now() -> datetime:
    return datetime.now(UTC)


async def run_service(configuration: Configuration, stop: asyncio.Event) -> None:
    """Run until `stop` is set, then close every port and finish every write.

    Raises
    ------
    StoreError
        The database cannot be opened, or another gateway has it.
    TransportError
        The inbound port is taken.
    """
    with Database(configuration.store.path, exclusive=True) as database:
        watch = CertificateWatch(tables=configuration.tls, now=_now)
        tasks = _Assembly(configuration, database, watch).tasks()
        inbound = _inbound(configuration, database, watch)
        if inbound is not None:
            await inbound.open()
        structlog.get_logger().info(
            "gateway running",
            devices=len(configuration.devices),
            destinations=len(configuration.destinations),
        )
        running = [asyncio.create_task(supervised(name, run), name=name) for name, run in tasks.items()]
        try:
            await stop.wait()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if inbound is not None:
                await inbound.close()
            structlog.get_logger().info("gateway stopped")


def _inbound(
    configuration: Configuration, database: Database, watch: CertificateWatch
) -> InboundServer | None:
    if configuration.inbound is None:
        return None
    return InboundServer(
        table=configuration.inbound,
        database=database,
        intake=Intake(
            zone=configuration.site.zone,
            devices={name: table.device for name, table in configuration.devices.items()},
            ordering=ordering_of(configuration.orders),
            longest_encounter=timedelta(seconds=configuration.rooms.longest_encounter_s),
            rooms_by_order=configuration.orders.open_rooms,
        ),
        now=_now,
        peer_seen=partial(watch.seen, "inbound.tls"),
    )


@dataclass(slots=True)
class _Assembly:
    """The parts of one gateway, made from its configuration."""

    configuration: Configuration
    database: Database
    watch: CertificateWatch

    def tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What is to run, by name."""
        outgoing = Outgoing.of(self.configuration, now=_now)
        lanes = {name: self._lane(name, profile) for name, profile in outgoing.profiles.items()}

        def queued() -> None:
            for lane in lanes.values():
                lane.wake()

        acceptance = Acceptance(
            database=self.database,
            outgoing=outgoing,
            longest_encounter=timedelta(seconds=self.configuration.rooms.longest_encounter_s),
            queued=queued,
        )
        queries = self._queries(outgoing, queued)
        devices = {name: self._device(name, acceptance, queries) for name in self.configuration.devices}
        running = {f"lane {name}": lane.run for name, lane in lanes.items()}
        running |= {f"device {name}": device.run for name, device in devices.items()}
        running |= {"patient queries": queries.run} if queries else {}
        return running | ({"certificates": self.watch.run} if self.watch.tables else {})

    def _queries(self, outgoing: Outgoing, queued: Callable[[], None]) -> PatientQueries | None:
        table = self.configuration.patients.query
        if table is None:
            return None
        return PatientQueries(
            table=table,
            form=query_form(table, self.configuration.site),
            database=self.database,
            outgoing=outgoing,
            queued=queued,
            peer_seen=partial(self.watch.seen, "patients.query.tls"),
        )

    def _lane(self, name: str, profile: AnyProfile) -> Lane:
        destination = self.configuration.destinations[name]
        return Lane(
            name=name,
            destination=destination,
            sender=self._sender(name, profile),
            database=self.database,
            now=_now,
            window=destination.window if isinstance(destination, DestinationTable) else 1,
        )

    def _sender(self, name: str, profile: AnyProfile) -> Sender:
        destination = self.configuration.destinations[name]
        if isinstance(destination, DestinationTable):
            assert isinstance(profile, Profile)
            return MllpSender(
                destination=destination,
                application_ack=profile.waits_for_application,
                peer_seen=partial(self.watch.seen, f"destinations.{name}.tls"),
            )
        if isinstance(destination, FhirTable):
            from gateway.service.fhir_sender import FhirSender  # noqa: PLC0415 - HTTP is slow to load

            return FhirSender(destination)
        return FolderSender(destination)

    def _device(self, name: str, acceptance: Acceptance, queries: PatientQueries | None) -> DeviceTask:
        table = self.configuration.devices[name]
        driver = self.configuration.driver(name)
        journal = Journal(self.database, name)
        room = table.room

        def converse() -> Conversation:
            return Conversation.start(
                driver,
                table.driver_settings,
                device=table.device,
                zone=table.zone or self.configuration.site.zone,
            )

        async def accept(reading: Reading, at: datetime) -> Accepted:
            if table.entered_id == "other":
                reading = replace(reading, subject=None)
            accepted = await acceptance.accept(name, reading, room=room, at=at)
            if queries is not None and accepted.reading_id is not None and accepted.held is not None:
                queries.ask(accepted.reading_id)
            return accepted

        return DeviceTask(
            name=name,
            transport=open_transport(
                table.port,
                self.configuration.links(name),
                keep=journal.keep,
                radio=table.adapter or self.configuration.bluetooth.controller,
                hold_off_s=self.configuration.hold_off_s(name),
                bonds=self.configuration.store.path.parent / "bluetooth-keys",
            ),
            converse=converse,
            accept=accept,
            journal=journal,
            now=_now,
            hold_kept=table.on_connect == "hold",
        )
