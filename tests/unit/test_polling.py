"""When to ask next, by table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis.polling import (
    POLL_CEILING,
    POLL_FLOOR,
    Schedule,
    backoff,
    expected_seconds,
    obeyed_retry_after,
)


@pytest.mark.parametrize(
    ("expected", "elapsed", "delay"),
    [
        (300, 0, 15.0),  # far from the end: rarely
        (300, 270, 10.0),
        (300, 291, 3.0),
        (300, 299, 1.0),  # around the end: as often as makes sense
        (300, 300, 1.0),
        (300, 308, 1.0),
        (300, 324, 3.0),  # late: slower again
        (300, 1000, 15.0),
        (30, 0, 10.0),
        (0, 0, 1.0),
        (60, -50, 15.0),  # a clock that jumped back
    ],
)
def test_the_delay_shrinks_towards_the_expected_end_and_grows_after_it(
    expected: float, elapsed: float, delay: float
) -> None:
    assert Schedule(expected).delay(elapsed) == pytest.approx(delay)


@given(st.floats(0, 1e5), st.floats(-1e5, 1e6))
def test_the_delay_is_always_within_its_bounds(expected: float, elapsed: float) -> None:
    assert POLL_FLOOR <= Schedule(expected).delay(elapsed) <= POLL_CEILING


@pytest.mark.parametrize("expected", [5, 30, 60, 164, 319, 455])
def test_a_task_that_ends_on_time_is_noticed_within_two_seconds(expected: float) -> None:
    schedule, now = Schedule(expected), 0.0
    while now < expected:
        now += schedule.delay(now)
    assert now - expected <= 2.0


def test_a_schedule_that_would_spin_is_refused() -> None:
    with pytest.raises(ValueError, match="floor"):
        Schedule(10, floor=0)


@pytest.mark.parametrize(
    ("earlier", "typical", "expected"),
    [([], 60, 60), ([10], 60, 10), ([10, 30], 60, 20), ([5, 100, 7], 60, 7), ([0, -3], 60, 60)],
)
def test_the_expected_time_is_the_median_of_what_was_seen(
    earlier: list[float], typical: float, expected: float
) -> None:
    assert expected_seconds(earlier, typical) == expected


@pytest.mark.parametrize(("tries", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 30), (10_000, 30)])
def test_backoff_doubles_up_to_its_ceiling(tries: int, seconds: float) -> None:
    assert backoff(tries) == seconds
    assert seconds <= backoff(tries, jitter=1.0) <= seconds * 1.5


@pytest.mark.parametrize(
    ("asked", "own", "pause"),
    [
        (None, 2, 2),
        (0, 2, 2),
        (10, 2, 10),
        (1e9, 2, 150),
        (float("inf"), 2, 150),
        (float("nan"), 2, 2),
        (-5, 2, 2),
    ],
)
def test_retry_after_is_obeyed_within_reason(asked: float | None, own: float, pause: float) -> None:
    assert obeyed_retry_after(asked, own) == pause
