"""Cancel while something blocks: the node answers within a second, and so does the end of its event loop."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LAUNCH = ROOT / "devtools" / "launch.py"


@pytest.mark.parametrize("state", ["packing", "syncing"])
def test_cancel_is_answered_and_the_loop_ends_within_a_second_while_a_thread_is_busy(
    state: str, tmp_path: Path
) -> None:
    command = [sys.executable, str(LAUNCH), "pack", "tests.leaving", state, str(tmp_path)]
    reply = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert reply.returncode == 0, reply.stderr
    answered, ended = map(float, reply.stdout.split())
    assert answered < 1.0
    assert ended < 1.2


def test_nothing_runs_in_the_threads_that_the_end_of_a_loop_waits_for() -> None:
    for path in [*ROOT.glob("apis/**/*.py"), *ROOT.glob("nodes/*.py")]:
        found = re.search(
            r"to_thread|run_in_executor|loop\.getaddrinfo|ThreadedResolver", path.read_text("utf-8")
        )
        assert found is None, path
