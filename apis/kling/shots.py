"""Shots as Kling reads them in a prompt: `shot n, m, words; shot n, m, words;` (Kling docs, 2026-09-20)."""

from __future__ import annotations

from collections.abc import Sequence

from .requests import KlingShot

#: Ends a shot in the prompt, so it can't stand inside one: the rest would be read as another shot.
SHOT_END = ";"


def as_prompt(shots: Sequence[KlingShot]) -> str:
    """All shots in one prompt, numbered from 1, for models that read them there."""
    parts = (f"shot {n}, {shot.duration}, {shot.prompt.strip()}" for n, shot in enumerate(shots, start=1))
    return "".join(f"{part}{SHOT_END} " for part in parts).rstrip()
