"""Child processes that are always ended, and free ports for them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: seconds a server gets to end by itself before it is killed
STOP_PATIENCE = 8.0

#: settings of the person at the keyboard that must not leak into a run with a simulator
_PRIVATE = ("KLING_", "COMFY_")


def free_port() -> int:
    """Return a TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without Kling's or Comfy's settings, plus ``extra``."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the environment can't reach this machine's loopback
        env[name] = ",".join(filter(None, [env.get(name, ""), "127.0.0.1", "localhost"]))
    return {**env, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "DO_NOT_TRACK": "1", **extra}


class Child:
    """A process with its own group and a log file; ended by ``stop``, at the latest with its parent."""

    def __init__(self, command: Sequence[str | Path], *, env: Mapping[str, str], log: Path) -> None:
        self.command = [str(part) for part in command]
        self.env = {**env, "KLING_TAKES_CHILD": "1"}
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; its output is appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # An own group: Ctrl-C reaches dev.py alone, which then ends its children in order.
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform != "win32",
                creationflags=flags,
            )

    @property
    def running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def stop(self, patience: float = STOP_PATIENCE) -> None:
        """Ask the process to end, then make it end; safe to call twice."""
        if self.process is None:
            return
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
        self._release()

    def kill(self) -> None:
        """End the process and its group at once, as a crash or a power cut would (SIGKILL)."""
        if self.process is None:
            return
        if sys.platform == "win32":
            self.process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._release()

    def log_text(self) -> str:
        """Return everything the process has printed so far, over all its starts."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""

    def _release(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
