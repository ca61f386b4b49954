"""A real ComfyUI process with this pack as its custom node."""

from __future__ import annotations

import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from .processes import Child, child_environment, free_port

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = Path(__file__).resolve().parent / "launch.py"

#: seconds; a cold start on a slow disk imports torch for a minute
START_PATIENCE = 240.0

#: what a copy of the pack leaves out
_NOT_COPIED = (".dev", ".git", "tests", "__pycache__", ".*_cache", ".hypothesis")


class DidNotStart(Exception):
    """ComfyUI ended or stayed silent while starting; the text holds the end of its log."""


def make_base(base: Path, pack: Path = ROOT) -> None:
    """Make a ComfyUI base directory at ``base`` with ``pack`` in its custom_nodes."""
    for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    place = base / "custom_nodes" / "kling-takes"
    if not place.exists():
        place_pack(place, pack)


def place_pack(place: Path, pack: Path = ROOT) -> None:
    """Let ``place`` be the pack: a link to it where the system allows, else a copy of what ComfyUI loads.

    What was there before is taken away.
    """
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        try:
            place.rmdir()  # a junction; what it leads to stays
        except OSError:
            shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(pack, target_is_directory=True)
    except OSError:
        # Windows gives symlinks to administrators only; a junction needs no rights, but a local disk.
        if not _junction(pack, place):
            shutil.copytree(pack, place, ignore=shutil.ignore_patterns(*_NOT_COPIED))


def _junction(target: Path, place: Path) -> bool:
    if sys.platform != "win32":
        return False
    import _winapi

    try:
        _winapi.CreateJunction(str(target), str(place))
    except OSError:
        return False
    return True


class ComfyUIProcess:
    """One ComfyUI server on loopback over one base directory; it can be stopped, killed and started again.

    ``url`` stays the same over restarts. Raises DidNotStart from ``start``.
    """

    def __init__(
        self,
        python: Path,
        comfyui: Path,
        base: Path,
        *,
        env: Mapping[str, str],
        args: Sequence[str] = (),
        port: int | None = None,
        log: Path | None = None,
    ) -> None:
        make_base(base)
        self.base = base
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command: list[str | Path] = [python, LAUNCH, "comfyui", comfyui, "--cpu"]
        command += [
            "--base-directory",
            base,
            "--database-url",
            f"sqlite:///{(base / 'user/comfy.db').as_posix()}",
        ]
        command += ["--disable-auto-launch", "--port", str(self.port), *args]
        self.child = Child(command, env=child_environment(env), log=log or base / "comfyui.log")

    def start(self, patience: float = START_PATIENCE) -> None:
        """Start the server and wait until it answers."""
        self.child.start()
        deadline = time.monotonic() + patience
        while not self._answers():
            if not self.child.running:
                self.child.stop()
                raise DidNotStart(f"ComfyUI ended while starting. The end of its log:\n{self._log_end()}")
            if time.monotonic() > deadline:
                self.child.kill()
                raise DidNotStart(f"ComfyUI did not answer in {patience:.0f} s. Its log:\n{self._log_end()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        # No proxies: this is loopback, whatever the environment says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/system_stats", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _log_end(self, lines: int = 40) -> str:
        return os.linesep.join(self.child.log_text().splitlines()[-lines:])
