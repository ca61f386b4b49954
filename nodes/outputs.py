"""What a node gives out, by what its product makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host
from .base import KlingNodeBase

if TYPE_CHECKING:
    from ..apis.follower import Delivered


class KlingVideoNodeBase(KlingNodeBase):
    """A node that buys a video."""

    RETURN_TYPES = ("VIDEO", "STRING", "STRING")
    RETURN_NAMES = ("VIDEO", "Kling ID", "Duration (sec)")
    OUTPUT_TOOLTIPS = (
        "The video. Connect it to Save Video or to any node that takes a video.",
        "Kling's id of the task that made the video. With it, Kling Recover a Take fetches the video again.",
        "How long the video is, in seconds, as Kling says.",
    )

    @classmethod
    def results(cls, delivered: Delivered) -> tuple[Any, ...]:
        """Return VIDEO, Kling ID and duration."""
        video = delivered.of_kind("video")[0]
        return host.video_from_file(video.path), delivered.task_id, video.duration
