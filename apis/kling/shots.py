"""The shots of a video that is cut from several, and how Kling reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from .models import ModelTable
from .phrasing import too_long
from .problem import Problem
from .schema import Part

#: Ends a shot in the prompt, so it can't stand inside one: the rest would be read as another shot.
SHOT_END = ";"


class KlingShot(Part):
    """One shot of a video that is cut from several."""

    prompt: str = Field(
        min_length=1,
        title="Prompt",
        description="What happens in this shot, in up to 512 characters.",
        json_schema_extra={"multiline": True},
    )
    duration: int = Field(
        default=3,
        ge=1,
        title="Seconds",
        description="How long this shot lasts. The lengths of all shots add up to the length of the video.",
    )

    def in_take(self) -> Any:
        """Return its words and its seconds."""
        return {"prompt": self.prompt, "duration": self.duration}


def total_seconds(shots: Sequence[KlingShot]) -> int:
    """Return the length of a video that is cut from these shots, in seconds."""
    return sum(shot.duration for shot in shots)


def as_prompt(shots: Sequence[KlingShot]) -> str:
    """Return all shots in one prompt, numbered from 1: ``shot n, m, words;`` (Kling docs, 2026-09-20)."""
    parts = (f"shot {n}, {shot.duration}, {shot.prompt.strip()}" for n, shot in enumerate(shots, start=1))
    return "".join(f"{part}{SHOT_END} " for part in parts).rstrip()


def check_shot(prompt: str | None, duration: int | None, table: ModelTable) -> Iterator[Problem]:
    """Yield what is wrong with one shot, whatever the model; None where a value is not known."""
    most = table.shot_limits.characters
    if prompt is not None and not prompt.strip():
        yield Problem("prompt", "prompt: it is empty. Say what happens in this shot.")
    elif prompt is not None and len(prompt) > most:
        yield Problem("prompt", f"prompt: {too_long(len(prompt), most, 'a shot takes')}")
    if duration is not None and duration < 1:
        yield Problem("seconds", f"seconds: a shot lasts at least 1 second, not {duration}.")


def chained(
    before: Sequence[KlingShot], prompt: str, seconds: int, table: ModelTable
) -> tuple[KlingShot, ...]:
    """Return the shots with one more at the end; the given ones are not changed.

    Raises ValueError where a video can't have so many. The shot must have passed ``check_shot``.
    """
    shots, most = (*before, KlingShot(prompt=prompt, duration=seconds)), table.shot_limits.most
    if len(shots) > most:
        raise ValueError(
            f"A video has at most {most} shots, and this is number {len(shots)}. "
            "Take one out of the chain, or make a second video and join them."
        )
    return shots


def check_shots(shots: Sequence[KlingShot], table: ModelTable) -> Iterator[Problem]:
    """Yield what is wrong with the shots of a video, whatever the model."""
    most = table.shot_limits.most
    if len(shots) > most:
        yield Problem("shots", f"shots: {len(shots)} are too many; Kling cuts a video from up to {most}.")
    for number, shot in enumerate(shots, start=1):
        for problem in check_shot(shot.prompt, shot.duration, table):
            yield Problem("shots", f"shots: shot {number}, {problem.text}")


def check_shots_in_a_prompt(shots: Sequence[KlingShot], model: str, most: int) -> Iterator[Problem]:
    """Yield what keeps the shots out of a single prompt of at most ``most`` characters."""
    for number, shot in enumerate(shots, start=1):
        if SHOT_END in shot.prompt:
            yield Problem(
                "shots",
                f"shots: shot {number} has a semicolon, which ends a shot for {model}. "
                "Write a comma or a full stop instead.",
            )
    length = len(as_prompt(shots))
    if length > most:
        yield Problem(
            "shots", f"shots: {too_long(length, most, f'{model} takes', ' for all shots together')}"
        )
