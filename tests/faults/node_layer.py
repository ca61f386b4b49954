"""The same takes by way of the nodes, as ComfyUI runs them, with the studio of a simulated process."""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from kling_takes.apis.delivered import Delivered
from kling_takes.apis.studio import Studio
from kling_takes.nodes import account_access, host
from kling_takes.nodes.image_to_video import KlingImage2VideoNode
from kling_takes.nodes.text_to_video import KlingTextToVideoNode
from kling_takes.tests.faults.processes import watching, working_for
from kling_takes.tests.faults.scenario import PICTURED, SOUNDING, TAKES
from kling_takes.tests.paper_comfyui import FRAME_WORDS, WORDS, Artist, picture, put_up

#: where the take that a node makes stands in its list
place_of: contextvars.ContextVar[int] = contextvars.ContextVar("place_of", default=0)


class Page(Artist):
    """Who sits before the browser and remembers whether a node spoke of a purchase in doubt."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = _Texts()


class _Texts(list[str]):
    """What nodes show; each goes to whoever watches the take that shows it, and looks for its own lines."""

    def append(self, text: str) -> None:
        watcher = watching.get()
        if watcher is not None:
            watcher.state(text, 0.0, None)
            is_list = re.match(r"(.* )?\d+ of \d+ done", text)
            mine = f"{place_of.get() + 1}: "
            for line in text.splitlines():
                if not is_list or line.startswith(mine):
                    watcher.warn(line)


class FromWords(KlingTextToVideoNode):
    """The node, giving what was delivered."""

    @classmethod
    def results(cls, delivered: Delivered) -> tuple[Any, ...]:
        return (delivered,)


class FromPicture(KlingImage2VideoNode):
    """The node, giving what was delivered."""

    @classmethod
    def results(cls, delivered: Delivered) -> tuple[Any, ...]:
        return (delivered,)


async def take_by_node(wanted: int, number: object, node: str, place: int | None) -> Delivered:
    """Run the node of a take as ComfyUI does, under an id of its own; raises what the node raises.

    ``number`` is the take's as a link gives it. Where there is a ``place``, the node is fed with a list.
    """
    prompt, model = TAKES[wanted]
    place_of.set(place or 0)
    said = {"prompt": prompt, "model_name": model, "take": number, "unique_id": node}
    if model in SOUNDING:
        said["sound"] = "on"
    if wanted == PICTURED:
        found = await FromPicture().api_call(**{**FRAME_WORDS, "start_frame": picture(), **said})
    else:
        found = await FromWords().api_call(**{**WORDS, **said})
    delivered: Delivered = found[0]
    return delivered


@contextlib.contextmanager
def through_nodes(folder: Path) -> Iterator[None]:
    """Within the block nodes can run: on a paper ComfyUI, each with the studio of its process."""

    async def studio(*_hidden: object) -> Studio:
        process = working_for.get()
        assert process is not None
        return process.studio

    def executing() -> tuple[str | None, str | None, int]:
        return f"prompt of {id(working_for.get())}", None, place_of.get()

    with pytest.MonkeyPatch.context() as patch:
        put_up(folder, patch, Page())
        with (
            mock.patch.object(account_access, "open_studio", studio),
            mock.patch.object(host, "executing", executing),
        ):
            yield
