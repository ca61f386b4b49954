"""Where the record is on a network drive, it is kept in a way that several computers can share."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.apis.journal import Journal, network
from kling_takes.apis.journal.creation import create
from kling_takes.apis.journal.network import DRIVE_REMOTE, file_system_of, is_remote_drive, network_drive
from kling_takes.apis.journal.schema import MIGRATIONS
from kling_takes.tests.builders import prepare, purchase
from kling_takes.tests.paper_comfyui import WORDS, Artist

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this table")

#: as Linux writes it: ids, device, root, where, options, fields that come and go, a dash, what, from where
MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw,relatime shared:5 - proc proc rw
40 22 0:40 / /mnt/nas rw,relatime shared:20 master:3 - nfs4 nas:/export rw,vers=4.2
41 40 0:41 / /mnt/nas/local rw,relatime - xfs /dev/vdb rw
42 22 0:42 / /mnt/my\040share rw,relatime - cifs //nas/share rw
43 22 0:43 / /home/u/ssh rw,nosuid - fuse.sshfs u@host:/ rw
44 22 0:44 / /mnt/c rw,noatime - 9p C:\134 rw
45 22 0:45 / /twice rw - nfs server:/a rw
46 22 254:1 / /twice rw - ext4 /dev/vdc rw
a line that nobody knows
47 22 0:47 / /broken
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/", "ext4"),
        ("/home/u/ComfyUI/user", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/user/__kling_takes", "nfs4"),
        ("/mnt/nas/local/user", "xfs"),
        ("/mnt/nasty/user", "ext4"),
        ("/mnt/my share/user", "cifs"),
        ("/home/u/ssh/ComfyUI", "fuse.sshfs"),
        ("/mnt/c/ComfyUI", "9p"),
        ("/twice/user", "ext4"),
        ("/proc/1", "proc"),
        ("/broken/user", "ext4"),
    ],
)
def test_a_folder_is_on_the_innermost_mount_that_was_made_last(folder: str, found: str) -> None:
    assert file_system_of(PurePosixPath(folder), MOUNTS) == found


@pytest.mark.parametrize("mounts", ["", "nothing that makes sense\n"])
def test_a_table_that_says_nothing_leaves_it_open(mounts: str) -> None:
    assert file_system_of(PurePosixPath("/home"), mounts) is None


@pytest.mark.parametrize(
    ("drive", "kind", "remote"),
    [
        ("C:", 3, False),
        ("C:", 2, False),
        ("Z:", DRIVE_REMOTE, True),
        (r"\\nas\share", 1, True),
        (r"\\wsl.localhost\Debian", 1, True),
        (r"\\?\UNC\nas\share", 1, True),
        (r"\\?\C:", 3, False),
        (r"\\?\Z:", DRIVE_REMOTE, True),
    ],
)
def test_a_drive_of_windows_is_known_by_its_name_or_its_kind(drive: str, kind: int, remote: bool) -> None:
    asked: list[str] = []

    def drive_type(root: str) -> int:
        asked.append(root)
        return kind

    assert is_remote_drive(drive, drive_type) is remote
    assert asked in ([], [f"{drive[-2:]}\\"])


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a table in which the test's own folder is on a file system of this kind."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(network, "MOUNTS", table)

    def mount(kind: str) -> None:
        where = str(tmp_path).replace(" ", r"\040")
        table.write_text(f"1 0 254:0 / / rw - ext4 /dev/vda rw\n2 1 0:9 / {where} rw - {kind} from rw\n")

    return mount


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "user" / "journal.sqlite3")
    yield made
    made.close()


def mode(journal: Journal) -> str:
    return str(journal.open().execute("PRAGMA journal_mode").fetchone()[0])


@linux
@pytest.mark.parametrize("kind", sorted(network.NETWORK_TYPES))
def test_each_kind_of_network_drive_is_noticed(
    tmp_path: Path, mounts: Callable[[str], None], kind: str
) -> None:
    mounts(kind)
    assert network_drive(tmp_path / "not there yet") == kind


@linux
@pytest.mark.parametrize("kind", ["ext4", "btrfs", "overlay", "tmpfs", "fuse.mergerfs", "fuseblk", "zfs"])
def test_a_drive_of_this_computer_is_none(tmp_path: Path, mounts: Callable[[str], None], kind: str) -> None:
    mounts(kind)
    assert network_drive(tmp_path) is None


@linux
def test_a_folder_that_is_a_link_to_a_network_drive_is_on_one(
    tmp_path: Path, mounts: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    mounts("nfs4")
    link = tmp_path_factory.mktemp("home") / "user"
    link.symlink_to(tmp_path)
    assert network_drive(link) == "nfs4"


@linux
def test_a_system_without_the_table_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MOUNTS", tmp_path / "none")
    assert network_drive(tmp_path) is None


@pytest.mark.parametrize(("shared", "version"), [(True, 1), (False, 2)])
def test_a_record_has_the_way_of_its_place_from_the_first_moment(
    tmp_path: Path, shared: bool, version: int
) -> None:
    """It has its name before whoever made it opens it, and others may be faster."""
    path = tmp_path / "journal.sqlite3"
    create(path, MIGRATIONS, shared=shared)
    assert path.read_bytes()[18:20] == bytes(
        [version, version]
    )  # 2: a write-ahead log (SQLite's file format)


@linux
def test_there_the_record_is_begun_without_files_that_only_one_computer_can_share(
    journal: Journal, mounts: Callable[[str], None]
) -> None:
    mounts("nfs4")
    prepare(journal)
    assert mode(journal) == "delete"
    assert journal.open().execute("PRAGMA synchronous").fetchone()[0] == 2
    assert [file.name for file in journal.path.parent.iterdir()] == [journal.path.name]


@linux
def test_a_record_from_a_drive_of_this_computer_is_changed_and_keeps_its_rows(
    journal: Journal, mounts: Callable[[str], None]
) -> None:
    mounts("ext4")
    prepare(journal)
    assert mode(journal) == "wal"
    journal.close()
    mounts("cifs")
    assert journal.find("kling:global", "t1") is not None
    assert mode(journal) == "delete"


@linux
def test_whoever_sees_the_same_folder_as_its_own_leaves_it_so(
    journal: Journal, mounts: Callable[[str], None]
) -> None:
    """The computer that lends its folder to others sees no network drive."""
    mounts("nfs4")
    prepare(journal)
    mounts("ext4")
    lender = Journal(journal.path)
    prepare(lender, purchase("t2"))
    assert mode(lender) == mode(journal) == "delete"
    lender.close()


@linux
def test_one_that_is_open_in_the_other_way_is_not_used(
    journal: Journal, mounts: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kling_takes.apis.journal.file.LOCK_PATIENCE", 0.1)
    prepare(journal)
    mounts("nfs4")
    guest = Journal(journal.path)
    with pytest.raises(errors.JournalError, match="locked by another program"):
        prepare(guest, purchase("t2"))
    journal.close()
    assert prepare(guest, purchase("t2")).state == "prepared"
    guest.close()


@linux
def test_a_record_of_a_newer_version_keeps_its_rows_there_too(
    journal: Journal, mounts: Callable[[str], None]
) -> None:
    prepare(journal)
    journal.close()
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    mounts("nfs4")
    with pytest.raises(errors.JournalError, match="newer version"):
        prepare(journal, purchase("t2"))
    with closing(sqlite3.connect(journal.path)) as connection:
        assert connection.execute("SELECT take FROM tasks").fetchall() == [("t1",)]


@linux
async def test_the_node_says_so_beside_who_pays(
    artist: Artist, kling: Any, mounts: Callable[[str], None]
) -> None:
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert "network drive" not in artist.texts[-1]
    mounts("nfs4")
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    lines = artist.texts[-1].splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("Paid by "))
    assert lines[place + 1].startswith("ComfyUI's user folder is on a network drive (nfs4).")
