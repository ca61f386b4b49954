"""The one path of every video node: request -> take -> VIDEO.

A node says which inputs it has and how they become a request. What a model allows, what a take costs and
how it is paid once are decided in ``apis``; what ComfyUI needs to hear is said in ``host``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..apis.errors import InvalidInput
from ..apis.kling import rules
from ..apis.kling.models import Feature, Limits, ModelTable
from ..apis.kling.requests import (
    KlingImage,
    KlingImage2VideoRequest,
    KlingText2VideoRequest,
    VideoRequest,
)
from . import host
from .inputs import model_field_to_node_input

if TYPE_CHECKING:
    from .studio import Account

CATEGORY = "Kling Takes"

#: what ComfyUI hands to a node without showing it
HIDDEN = {
    "auth_token": "AUTH_TOKEN_COMFY_ORG",
    "comfy_api_key": "API_KEY_COMFY_ORG",
    "unique_id": "UNIQUE_ID",
}

#: The number that tells two takes of the same inputs apart. Its name must not be ``seed``: ComfyUI puts a
#: randomizer beside that, and each press of Run would buy again.
TAKE_INPUT = (
    "INT",
    {
        "default": 0,
        "min": 0,
        "max": 2**31 - 1,
        "step": 1,
        "tooltip": "The same inputs with the same number are one take: paid once, and collected again for "
        "free while Kling keeps it. Choose another number for another version of the video.",
    },
)

#: the inputs that fill the picture fields of a request
WIDGET_OF_FRAME = {"image": "start_frame", "image_tail": "end_frame"}

#: a widget that was not part of the check, which is not the same as one with a link (None)
ABSENT = object()

_tables: dict[Path, tuple[tuple[int, int] | None, ModelTable]] = {}


def model_table() -> ModelTable:
    """The models Kling has, with the user's own on top; read again only when the user's file changed."""
    path = host.user_dir() / "models.json"
    try:
        stat = path.stat()
        stamp: tuple[int, int] | None = (stat.st_mtime_ns, stat.st_size)
    except OSError:
        stamp = None
    known = _tables.get(path)
    if known is None or known[0] != stamp:
        known = (stamp, ModelTable.load(path if stamp else None))
        _tables[path] = known
    return known[1]


class KlingNodeBase:
    """What all nodes that make a video share; ``REQUEST`` is the pydantic model their inputs come from."""

    FUNCTION = "api_call"
    CATEGORY = CATEGORY
    RETURN_TYPES = ("VIDEO", "STRING", "STRING")
    RETURN_NAMES = ("VIDEO", "Kling ID", "Duration (sec)")
    OUTPUT_TOOLTIPS = (
        "The video. Connect it to Save Video or to any node that takes a video.",
        "Kling's id of the task that made the video. With it, Kling Recover a Take fetches the video again.",
        "How long the video is, in seconds, as Kling says.",
    )

    REQUEST: type[KlingText2VideoRequest] | type[KlingImage2VideoRequest]
    #: what a model must have to be offered in this node, beside the product
    FEATURE: Feature | None = None
    #: required inputs that are always links, by the names that the rules know
    LINKED: tuple[str, ...] = ()

    @classmethod
    def field(cls, io_type: str, name: str, **overrides: Any) -> tuple[str | list[str], dict[str, Any]]:
        """The input of one field of the request; choices that depend on the models come from their table."""
        if io_type == "COMBO" and "options" not in overrides:
            choices = {
                "model_name": ModelTable.names,
                "mode": ModelTable.modes,
                "duration": ModelTable.durations,
                "aspect_ratio": ModelTable.aspect_ratios,
            }.get(name)
            if choices is not None:
                overrides["options"] = choices(model_table(), cls.REQUEST.product, cls.FEATURE)
        return model_field_to_node_input(io_type, cls.REQUEST, name, **overrides)

    @classmethod
    def check_widgets(cls, **values: Any) -> bool | str:
        """Answer ComfyUI's question before anything runs: True, or what to change, in sentences.

        ComfyUI names a linked input with None and leaves out what the prompt does not mention (``ABSENT``);
        both are judged in the node, when all values are known.

        Each node's VALIDATE_INPUTS spells its inputs out: ComfyUI stops checking what it names, and with
        ``**kwargs`` it would stop checking all of them, the bounds of ``take`` among them.
        """
        known = {name: value for name, value in values.items() if value is not ABSENT and value is not None}
        linked = [name for name, value in values.items() if value is None]
        problems = rules.check_widgets(cls.REQUEST.product, known, model_table(), [*linked, *cls.LINKED])
        return " ".join(problem.text for problem in problems) or True

    async def deliver(
        self,
        values: Mapping[str, Any],
        take: int,
        *,
        frames: Mapping[str, Any] | None = None,
        auth_token: str | None = None,
        comfy_api_key: str | None = None,
        unique_id: str | None = None,
    ) -> tuple[Any, str, str]:
        """Buy or collect the take and give VIDEO, Kling ID and duration.

        ``values`` are fields of the request, None for its default; ``frames`` are IMAGEs ``[B, H, W, C]``,
        float32, 0..1, by the field they fill. Raises the errors of ``apis.errors``, and ComfyUI's interrupt
        within a second of Cancel.
        """
        from . import studio  # what buys is loaded with the first take: ComfyUI's start does not wait for it

        given = {name: value for name, value in values.items() if value is not None}

        async def work() -> tuple[Any, str, str]:
            with host.NodeReporter(unique_id) as reporter:
                table = model_table()
                account = await studio.open_studio(table, auth_token, comfy_api_key)
                reporter.mark = account.mark
                reporter.say("Getting ready")
                request = await self._request(given, frames or {}, table, account)
                for note in studio.notes(request, table, account):
                    reporter.fact(note)
                delivered = await account.studio.take(
                    request,
                    take=take,
                    files=host.temp_dir(),
                    reporter=reporter,
                    prompt_id=reporter.prompt_id,
                    node_id=reporter.node_id,
                )
                reporter.say(studio.closing_text(delivered))
                return host.video_from_file(delivered.path), delivered.task_id, delivered.duration

        return await host.until_interrupted(work())

    async def _request(
        self,
        given: Mapping[str, Any],
        frames: Mapping[str, Any],
        table: ModelTable,
        account: Account,
    ) -> VideoRequest:
        """The request, checked as a whole: linked values were not known before."""
        from . import studio

        model_name = given.get("model_name", self.REQUEST.model_fields["model_name"].default)
        limits = studio.image_limits(model_name, table, account)
        pictures = {name: await encoded(name, frame, limits) for name, frame in frames.items()}
        try:
            request = self.REQUEST(**given, **pictures)
        except ValidationError as error:
            refuse(rules.shape_problems(error, WIDGET_OF_FRAME))
            raise
        refuse(rules.check(request, table, studio.dialect_of(model_name, table, account)))
        return request


async def encoded(field: str, frame: Any, limits: Limits) -> KlingImage:
    """Encode an IMAGE off the event loop; raises InvalidInput naming the input that has to change."""
    from ..apis.media import encode_image

    widget = WIDGET_OF_FRAME[field]
    try:
        return await asyncio.to_thread(encode_image, frame.cpu().numpy(), limits=limits)
    except ValueError as error:
        raise InvalidInput(f"{widget}: {error}", widget=widget) from error


def refuse(problems: Sequence[rules.Problem]) -> None:
    """Raise InvalidInput with all problems in it; does nothing when there are none."""
    if problems:
        raise InvalidInput(" ".join(problem.text for problem in problems), widget=problems[0].widget)
