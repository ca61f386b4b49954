"""Whether a folder is on a network drive, where the system tells.

SQLite's write-ahead log needs memory that all its users share, which two computers don't have. So on a
network drive the record is kept with a rollback journal, which needs no more than file locks that work.

Linux tells in its table of mounts, Windows by the kind of a drive. macOS has no cheap way to ask, so nothing
is noticed there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

#: file systems that other computers may write to at the same time, as Linux calls them
NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "ceph", "lustre", "afs", "beegfs", "gpfs"),
        *("glusterfs", "fuse.glusterfs", "fuse.ceph", "fuse.sshfs", "fuse.rclone", "fuse.s3fs"),
        *("vboxsf", "fuse.vmhgfs-fuse", "prl_fs"),
    }
)
#: Linux's table of the mounts that this process sees
MOUNTS = Path("/proc/self/mountinfo")
#: GetDriveType's answer for a drive on another computer
DRIVE_REMOTE = 4

_OCTAL = re.compile(r"\\([0-7]{3})")


def network_drive(folder: Path) -> str | None:
    """Return what kind of network drive a folder is on, or None where it is on none or nothing is known."""
    try:
        where = folder.resolve()
        if sys.platform == "win32":
            import ctypes

            drive_type = ctypes.windll.kernel32.GetDriveTypeW
            return "a shared folder" if is_remote_drive(where.drive, drive_type) else None
        mounts = MOUNTS.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return None
    found = file_system_of(PurePosixPath(where), mounts)
    return found if found in NETWORK_TYPES else None


def file_system_of(folder: PurePosixPath, mounts: str) -> str | None:
    """Return the file system of a folder, by a table of mounts as Linux writes it (proc(5)).

    The innermost mount counts, and of two at one place the later one, which hides the other.
    """
    found, depth = None, -1
    for line in mounts.splitlines():
        place, _, kind = line.partition(" - ")
        fields = place.split(" ")
        if len(fields) < 5 or not kind:
            continue
        mounted_at = PurePosixPath(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if folder.is_relative_to(mounted_at) and len(mounted_at.parts) >= depth:
            found, depth = kind.split(" ")[0], len(mounted_at.parts)
    return found


def is_remote_drive(drive: str, drive_type: Callable[[str], int]) -> bool:
    r"""Return whether a drive of Windows, such as ``C:`` or ``\\server\share``, is on another computer."""
    plain = drive.removeprefix("\\\\?\\")
    if plain.upper().startswith("UNC\\") or plain.startswith("\\\\"):
        return True
    return drive_type(f"{plain}\\") == DRIVE_REMOTE
