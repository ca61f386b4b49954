"""A real process, killed by SIGKILL wherever it can hurt: the next run delivers and one task is billed.

`python3 dev.py faults --kill` kills at every point of every scenario and 200 times at random.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.tests.faults.kill_runs import (
    IN_DOUBT,
    SCENARIOS,
    SUPPORTED,
    Ground,
    Report,
    Scenario,
    apart,
    ground,
    run_kills,
)

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the runs are started by os.fork, which POSIX has")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_run_that_is_killed_at_any_point_is_paid_once_and_delivered_by_the_next(scenario: Scenario) -> None:
    report = run_kills(0, 0, scenarios=(scenario,), points="few")
    assert not report.violations, str(report)
    assert report.points >= 5
    assert report.killed_at_points == report.integrity_ok == report.paid_once == report.points


def test_a_run_that_is_killed_at_a_random_time_is_paid_once_and_delivered_by_the_next() -> None:
    report = run_kills(30, 20260920, scenarios=SCENARIOS[:1] * 2 + SCENARIOS[1:], points="none")
    assert not report.violations, str(report)
    assert report.killed_at_random == 30, str(report)
    assert report.paid_once == report.delivered == report.runs


def test_a_kill_between_the_answer_and_the_journal_leaves_a_row_that_says_so() -> None:
    report = Report()
    with ground(report) as place:
        place.kill(SCENARIOS[0], at=IN_DOUBT)
        assert place.state.lookups >= 1
        assert place.state.creates_received == 1
    assert not report.violations
    assert report.states == {"prepared": 1}


def test_the_judge_sees_a_second_purchase() -> None:
    report = Report()
    with ground(report) as place:
        place.state.seed_task("text2video", prompt="kite number 1")
        place.kill(SCENARIOS[0], at=IN_DOUBT)
    assert any("2 tasks are billed" in line for line in report.violations), str(report)
    assert any("before its row" in line for line in report.violations), str(report)


def test_the_judge_sees_a_damaged_journal_and_half_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report()
    judge = Ground._judge_files

    def damage(place: Ground, run: object) -> object:
        folder: Path = run.folder  # type: ignore[attr-defined]  # a private class of the module under test
        (folder / "files").mkdir(exist_ok=True)
        (folder / "files" / "123.mp4").write_bytes(b"half")
        return judge(place, run)  # type: ignore[arg-type]  # the same

    monkeypatch.setattr(Ground, "_judge_files", damage)
    with ground(report) as place:
        place.kill(SCENARIOS[0], at=IN_DOUBT)
    assert any("half a video" in line for line in report.violations), str(report)


def test_points_that_two_runs_share_are_killed_at_once_only() -> None:
    plain = [("a", 1), ("b", 1), ("c", 1)]
    assert apart([("a", 1), ("x", 1), ("b", 1), ("c", 1)], plain) == [("x", 1)]
    assert apart(plain, plain) == []
    assert apart([("x", 1)], plain) == [("x", 1)]
