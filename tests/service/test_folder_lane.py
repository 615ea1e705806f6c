"""A lane to a practice system's folder: each file whole, once, in order, and none over another."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.codecs.gdt import parse_file
from gateway.gdt import GdtProfile
from gateway.service.destinations import GdtTable
from gateway.service.folder_sender import FolderSender
from gateway.store import Database

from .lane_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Database(tmp_path / "gateway.db") as database:
        yield Rig(database, GdtProfile(patient_authority="NORTH"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "praxis"
    place.mkdir()
    return place


def _table(folder: Path, **settings: object) -> GdtTable:
    return GdtTable.model_validate(
        {
            "folder": folder,
            "profile": "gdt-2.1",
            "patient_authority": "NORTH",
            "ack_timeout_s": 0.3,
            "longest_backoff_s": 0.02,
            **settings,
        }
    )


def _deliver(rig: Rig, table: GdtTable, done: Callable[[], bool] | None = None) -> None:
    asyncio.run(rig.run(table, FolderSender(table), done))


def _visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _weight(data: bytes) -> str:
    (found,) = parse_file(data)
    assert found.warnings == ()
    return found.first("8420")


@dataclass
class PracticeSystem:
    """Takes every file as soon as it sees it, as one that deletes what it has read."""

    folder: Path
    taken: list[str] = field(default_factory=list)

    async def __call__(self) -> None:
        while True:
            for name in _visible(self.folder):
                self.taken.append(_weight((self.folder / name).read_bytes()))
                (self.folder / name).unlink()
            await asyncio.sleep(0.01)


def _deliver_to(system: PracticeSystem, rig: Rig, table: GdtTable) -> None:
    async def run() -> None:
        taking = asyncio.create_task(system())
        await rig.run(table, FolderSender(table))
        while _visible(system.folder) and not taking.done():  # noqa: ASYNC110 - a folder tells nobody
            await asyncio.sleep(0.01)
        taking.cancel()

    asyncio.run(run())


def test_numbered_files_keep_the_order_and_nobody_waits(rig: Rig, folder: Path):
    for weight in ("72.40", "72.5", "72"):
        rig.accept(weight)
    _deliver(rig, _table(folder))
    assert _visible(folder) == ["PRAXGATE.001", "PRAXGATE.002", "PRAXGATE.003"]
    assert [_weight((folder / name).read_bytes()) for name in _visible(folder)] == ["72.40", "72.5", "72"]


def test_the_file_is_the_message(rig: Rig, folder: Path):
    number = rig.accept("72.40")
    _deliver(rig, _table(folder))
    (message,) = rig.messages(number)
    assert (folder / "PRAXGATE.001").read_bytes() == message.body
    assert message.state == "acknowledged"


def test_one_name_waits_until_the_file_before_is_taken(rig: Rig, folder: Path):
    first, second = rig.accept("72.40"), rig.accept("72.5")
    table = _table(folder, numbered=False, file_name="VITALS")
    _deliver(rig, table, done=lambda: rig.messages(second)[0].attempts > 2)
    assert _visible(folder) == ["VITALS.GDT"]
    assert rig.messages(first)[0].state == "acknowledged"
    (waiting,) = rig.messages(second)
    assert waiting.reason == f"silence: {folder}: the file before is not taken yet"
    assert waiting.begun_at is None
    system = PracticeSystem(folder)
    _deliver_to(system, rig, table)
    assert system.taken == ["72.40", "72.5"]


@pytest.mark.parametrize("numbered", [True, False])
def test_where_taking_is_the_end_a_message_is_acknowledged_only_then(rig: Rig, folder: Path, numbered: bool):
    number = rig.accept("72.40")
    table = _table(folder, numbered=numbered, wait_until_taken=True)
    _deliver(rig, table, done=lambda: rig.messages(number)[0].attempts > 2)
    assert rig.messages(number)[0].state == "pending"
    assert len(_visible(folder)) == 1
    system = PracticeSystem(folder)
    _deliver_to(system, rig, table)
    assert system.taken == ["72.40"]
    assert rig.messages(number)[0].state == "acknowledged"


def test_a_file_that_was_placed_before_a_crash_is_not_placed_again_though_it_is_taken(rig: Rig, folder: Path):
    number = rig.accept("72.40")
    (message,) = rig.messages(number)
    table = _table(folder)

    async def place_and_crash() -> None:
        sender = FolderSender(table)
        await sender.prepare(message)
        await sender.send(message)

    asyncio.run(place_and_crash())
    (folder / "PRAXGATE.001").unlink()
    _deliver(rig, table)
    assert _visible(folder) == []
    assert rig.messages(number)[0].state == "acknowledged"


def test_what_a_crash_left_half_written_is_never_seen_and_is_written_whole(rig: Rig, folder: Path):
    number = rig.accept("72.40")
    (message,) = rig.messages(number)
    (folder / f".{message.control_id}.part").write_bytes(message.body[:40])
    _deliver(rig, _table(folder))
    assert (folder / "PRAXGATE.001").read_bytes() == message.body


def test_what_messages_before_left_hidden_goes_away_and_what_is_others_stays(rig: Rig, folder: Path):
    (folder / ".others-0001.part").touch()
    numbers = [rig.accept("72.40"), rig.accept("72.5")]
    _deliver(rig, _table(folder))
    hidden = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    assert hidden == {".others-0001.part", f".{rig.messages(numbers[1])[0].control_id}.placed"}


def test_numbers_go_on_behind_what_is_there_and_a_full_folder_waits(rig: Rig, folder: Path):
    number = rig.accept("72.40")
    for there in ("PRAXGATE.041", "PRAXGATE.GDT", "PRAXGATE.1000", "OTHER.900"):
        (folder / there).touch()
    _deliver(rig, _table(folder))
    assert "PRAXGATE.042" in _visible(folder)
    (folder / "PRAXGATE.999").touch()
    number = rig.accept("72.5")
    _deliver(rig, _table(folder), done=lambda: rig.messages(number)[0].attempts > 1)
    assert rig.messages(number)[0].state == "pending"


def test_a_folder_that_is_not_there_is_waited_for(rig: Rig, folder: Path):
    number = rig.accept("72.40")
    folder.rmdir()
    table = _table(folder)
    _deliver(rig, table, done=lambda: rig.messages(number)[0].attempts > 1)
    assert rig.messages(number)[0].reason == "silence: No such file or directory"
    folder.mkdir()
    _deliver(rig, table)
    assert _visible(folder) == ["PRAXGATE.001"]


def test_a_disk_that_is_full_places_nothing(rig: Rig, tmp_path: Path):
    number = rig.accept("72.40")
    full = Path("/dev/full")
    folder = tmp_path / "full"
    folder.mkdir()
    (message,) = rig.messages(number)
    (folder / f".{message.control_id}.part").symlink_to(full)
    table = _table(folder)

    async def run() -> None:
        sender = FolderSender(table)
        sender._place = folder / "PRAXGATE.001"
        with pytest.raises(OSError, match="No space left"):
            await sender.send(message)

    asyncio.run(run())
    assert _visible(folder) == []


def test_a_withdrawal_is_a_file_without_results(rig: Rig, folder: Path):
    number = rig.accept("72.40")
    _deliver(rig, _table(folder))
    rig.database.do(lambda db: rig.filing.withdraw(db, number, "wrong scale"))
    _deliver(rig, _table(folder))
    (found,) = parse_file((folder / "PRAXGATE.002").read_bytes())
    assert (found.first("8410"), found.first("3000")) == ("", "8834021")
    assert found.first("6220").startswith("Storno")
