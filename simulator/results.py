"""What a task yields: outputs of any kind, and the files that hold them.

An output is what the answers speak of: one video, one picture, one sound. A sound may be had in two formats,
so an output has one file or several, and the CDN knows files by name alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: Also Kling's package types: what is paid for a video comes out of a video package.
Kind = Literal["video", "image", "audio"]
CONTENT_TYPES = {"mp4": "video/mp4", "png": "image/png", "mp3": "audio/mpeg", "wav": "audio/wav"}


@dataclass(frozen=True)
class Output:
    """One result: its kind, the formats it can be had in (the ends of the file names), and its length."""

    kind: Kind
    formats: tuple[str, ...]
    seconds: float = 0.0  # of a video or a sound


@dataclass(frozen=True)
class File:
    """One file of a result: the place of its output among the task's outputs, from 0, and its format."""

    place: int
    format: str

    def name(self, task_id: str) -> str:
        """Return the file's name on the CDN: "<task id>.mp4", and "<task id>-2.png" for the second output."""
        number = f"-{self.place + 1}" if self.place else ""
        return f"{task_id}{number}.{self.format}"


class Stopped(Exception):
    """The server closed while a result was being drawn."""


def files(outputs: Sequence[Output]) -> tuple[File, ...]:
    """Return every file that these outputs consist of."""
    return tuple(File(place, ending) for place, output in enumerate(outputs) for ending in output.formats)
