"""What the service can rely on from a folder that an EKG machine drops its files in."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import TransportError
from gateway.transports.contract import Received
from gateway.transports.folder import FolderConnection, FolderTransport, Settling, Stamp, reserve, wanted

PATTERNS = ("*.scp", "*.xml")


def watching(
    folder: Path, scenario: Callable[[FolderConnection], Awaitable[None]], largest: int = 1000
) -> None:
    """Run `scenario` on a folder where a file needs to stand still no longer than one look."""

    async def run() -> None:
        transport = FolderTransport(
            f"folder://{folder}", folder, PATTERNS, settle_s=0, poll_s=0.01, largest=largest
        )
        connection = await transport.open()
        await scenario(connection)
        await connection.close()

    asyncio.run(run())


async def next_file(connection: FolderConnection) -> Received:
    received = await connection.receive()
    assert received is not None
    return received


def test_a_file_that_grows_is_not_ready_until_it_has_stood_still() -> None:
    settling = Settling(settle_s=1.0)
    half, whole = {"a.scp": Stamp(1, 50, 7)}, {"a.scp": Stamp(2, 100, 7)}
    assert settling.look(half, now=0.0) == []
    assert settling.look(half, now=0.9) == []
    assert settling.look(whole, now=1.0) == []
    assert settling.look(whole, now=1.9) == []
    assert settling.look(whole, now=2.0) == ["a.scp"]


def test_a_file_that_was_given_out_is_not_named_again_until_it_changes() -> None:
    settling = Settling(settle_s=0.0)
    assert settling.look({"a.scp": Stamp(1, 50, 7)}, now=0.0) == ["a.scp"]
    settling.give("a.scp")
    assert settling.look({"a.scp": Stamp(1, 50, 7)}, now=5.0) == []
    assert settling.look({"a.scp": Stamp(2, 50, 7)}, now=6.0) == ["a.scp"]


def test_a_file_that_went_and_came_back_is_a_new_one() -> None:
    settling = Settling(settle_s=0.0)
    file = {"a.scp": Stamp(1, 50, 7)}
    settling.look(file, now=0.0)
    settling.give("a.scp")
    settling.look({}, now=1.0)
    assert settling.look(file, now=2.0) == ["a.scp"]


def test_the_oldest_file_comes_first() -> None:
    files = {"b.scp": Stamp(3, 1, 1), "a.scp": Stamp(9, 1, 2), "c.scp": Stamp(3, 1, 3)}
    assert Settling(settle_s=0.0).look(files, now=0.0) == ["b.scp", "c.scp", "a.scp"]


def test_an_empty_file_is_given_far_longer() -> None:
    settling = Settling(settle_s=1.0)
    empty = {"a.scp": Stamp(1, 0, 7)}
    assert settling.look(empty, now=0.0) == []
    assert settling.look(empty, now=29.0) == []
    assert settling.look(empty, now=30.0) == ["a.scp"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1))
def test_a_file_is_given_out_only_as_it_stood_for_the_whole_settling_time(
    looks: list[tuple[int, int]],
) -> None:
    settling, now, last_change, before = Settling(settle_s=2.0), 0.0, 0.0, None
    for content, pause in looks:
        now += pause
        if content != before:
            last_change, before = now, content
        ready = settling.look({"a.scp": Stamp(content, 1, 1)}, now)
        assert (ready == ["a.scp"]) == (now - last_change >= 2.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EKG0001.SCP", True),
        ("ekg0001.scp", True),
        ("ekg0001.scp.part", False),
        ("ekg0001.scp.TMP", False),
        (".ekg0001.scp", False),
        ("~ekg0001.scp", False),
        ("ekg0001.scp~", False),
        ("readme.txt", False),
    ],
)
def test_only_finished_files_that_fit_a_pattern_are_wanted(name: str, expected: bool) -> None:
    assert wanted(name, PATTERNS) is expected


def test_a_file_is_one_received_with_its_name_as_the_channel(tmp_path: Path) -> None:
    async def scenario(connection: FolderConnection) -> None:
        (tmp_path / "ekg0001.scp").write_bytes(b"\x01\x02")
        received = await next_file(connection)
        assert (received.data, received.channel) == (b"\x01\x02", "ekg0001.scp")

    watching(tmp_path, scenario)


def test_a_file_goes_to_done_when_its_readings_are_on_disk_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "ekg0001.scp").write_bytes(b"ekg")

    async def scenario(connection: FolderConnection) -> None:
        received = await next_file(connection)
        assert (tmp_path / "ekg0001.scp").exists()
        await connection.settle(received, None)
        assert not (tmp_path / "ekg0001.scp").exists()
        assert (tmp_path / "done" / "ekg0001.scp").read_bytes() == b"ekg"

    watching(tmp_path, scenario)


def test_a_refused_file_goes_to_rejected_with_the_reason_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ekg0001.scp").write_bytes(b"nonsense")

    async def scenario(connection: FolderConnection) -> None:
        await connection.settle(await next_file(connection), "SCP-ECG: section 0, byte 4: CRC")

    watching(tmp_path, scenario)
    assert (tmp_path / "rejected" / "ekg0001.scp").read_bytes() == b"nonsense"
    reason = (tmp_path / "rejected" / "ekg0001.scp.reason.txt").read_text()
    assert reason == "SCP-ECG: section 0, byte 4: CRC\n"


def test_nothing_in_done_is_ever_overwritten(tmp_path: Path) -> None:
    async def scenario(connection: FolderConnection) -> None:
        for content in (b"first", b"second", b"third"):
            (tmp_path / "ekg.scp").write_bytes(content)
            await connection.settle(await next_file(connection), None)

    watching(tmp_path, scenario)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "done").iterdir()}
    assert kept == {"ekg.scp": b"first", "ekg-2.scp": b"second", "ekg-3.scp": b"third"}


def test_a_file_that_was_not_put_away_is_read_again_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "ekg0001.scp").write_bytes(b"ekg")

    async def scenario(connection: FolderConnection) -> None:
        assert (await next_file(connection)).data == b"ekg"

    watching(tmp_path, scenario)
    watching(tmp_path, scenario)


def test_the_next_file_of_the_same_name_is_not_put_away_for_the_last_one(tmp_path: Path) -> None:
    async def scenario(connection: FolderConnection) -> None:
        (tmp_path / "ekg.xml").write_bytes(b"first patient")
        first = await next_file(connection)
        (tmp_path / "ekg.xml").write_bytes(b"second patient, written over the first")
        await connection.settle(first, None)
        second = await next_file(connection)
        assert second.data == b"second patient, written over the first"
        await connection.settle(second, None)

    watching(tmp_path, scenario)
    assert [path.read_bytes()[:6] for path in (tmp_path / "done").iterdir()] == [b"second"]


def test_a_file_that_is_too_large_is_rejected_unread(tmp_path: Path) -> None:
    (tmp_path / "a.scp").write_bytes(bytes(11))

    async def scenario(connection: FolderConnection) -> None:
        (tmp_path / "b.scp").write_bytes(bytes(10))
        assert (await next_file(connection)).channel == "b.scp"

    watching(tmp_path, scenario, largest=10)
    assert (tmp_path / "rejected" / "a.scp.reason.txt").read_text() == "11 bytes; at most 10 are read\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.scp").write_bytes(b"elsewhere")
    (folder / "a.scp").symlink_to(tmp_path / "secret.scp")
    (folder / "b.scp").write_bytes(b"here")

    async def scenario(connection: FolderConnection) -> None:
        assert (await next_file(connection)).data == b"here"

    watching(folder, scenario)


def test_a_done_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "done").symlink_to(tmp_path)
    with pytest.raises(TransportError, match="done is a link"):
        asyncio.run(FolderTransport("folder://in", folder, PATTERNS).open())


def test_a_file_moves_across_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ekg0001.scp").write_bytes(b"ekg")

    def other_file_system(self: Path, target: Path) -> Path:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    async def scenario(connection: FolderConnection) -> None:
        monkeypatch.setattr(Path, "replace", other_file_system)
        await connection.settle(await next_file(connection), None)

    watching(tmp_path, scenario)
    assert (tmp_path / "done" / "ekg0001.scp").read_bytes() == b"ekg"
    assert not (tmp_path / "ekg0001.scp").exists()


def test_a_reserved_name_is_new_each_time(tmp_path: Path) -> None:
    assert [reserve(tmp_path, "1.2.840.dcm").name for _ in range(2)] == ["1.2.840.dcm", "1.2.840-2.dcm"]


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="no such folder; create it"):
        asyncio.run(FolderTransport("folder:///x", tmp_path / "x", PATTERNS).open())


def test_a_folder_that_vanishes_is_a_transport_error(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()

    async def scenario(connection: FolderConnection) -> None:
        folder.rename(tmp_path / "unmounted")
        with pytest.raises(TransportError, match="the folder cannot be read"):
            await connection.receive()

    watching(folder, scenario)


def test_closing_ends_a_receive_that_waits(tmp_path: Path) -> None:
    async def scenario(connection: FolderConnection) -> None:
        waiting = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0)
        await connection.close()
        assert await waiting is None

    watching(tmp_path, scenario)


def test_a_file_that_was_read_for_one_who_no_longer_waits_is_not_lost(tmp_path: Path) -> None:
    async def scenario(connection: FolderConnection) -> None:
        (tmp_path / "ekg0001.scp").write_bytes(b"ekg")
        impatient = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await next_file(connection)).data == b"ekg"

    watching(tmp_path, scenario)


def test_nothing_can_be_sent_to_a_folder(tmp_path: Path) -> None:
    async def scenario(connection: FolderConnection) -> None:
        with pytest.raises(KeyError):
            await connection.send(b"", "")

    watching(tmp_path, scenario)
