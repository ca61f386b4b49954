"""The one path of every node that buys: inputs -> request -> plan -> take -> outputs.

A node says which inputs it has, each made from a field of its request. Everything else follows from that:
which widgets are judged before the graph runs, which inputs are pictures, and what is handed on. What a
model allows, what a take costs and how it is paid once are decided in ``apis``; what ComfyUI needs to hear
is said in ``host``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..apis.errors import refuse
from ..apis.kling.draft import Draft
from ..apis.kling.models import ModelTable
from ..apis.kling.products import PRODUCTS
from ..apis.kling.request import KlingRequest, shape_problems
from . import host
from .inputs import io_type_of, model_field_to_node_input, model_table
from .validation import WidgetCheck, is_widget

if TYPE_CHECKING:
    from ..apis.delivered import Delivered
    from ..apis.plan import Plan, Route
    from ..apis.studio import Studio

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

#: the fields whose choices come from the model table
_CHOICES = {
    "model_name": ModelTable.names,
    "mode": ModelTable.modes,
    "duration": ModelTable.durations,
    "aspect_ratio": ModelTable.aspect_ratios,
}


class KlingNodeBase:
    """What all nodes that buy share; ``REQUEST`` is the pydantic model their inputs come from."""

    FUNCTION = "api_call"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck()

    REQUEST: type[KlingRequest]
    #: what a model must be able to do to be offered in this node, beside making the product
    FEATURES: tuple[str, ...] = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs, as ComfyUI asks for them; every node spells out its own."""
        raise NotImplementedError(f"{cls.__name__} declares no inputs")

    @classmethod
    def fields(cls, *names: str, **overrides: Any) -> dict[str, tuple[Any, ...]]:
        """Return inputs made from fields of the request; what depends on models comes from their table.

        ``overrides`` are options for one of the inputs, such as ``mode={"default": "pro"}``.
        """
        found, field_of = {}, cls.REQUEST.fields_by_widget()
        for name in names:
            field, options = field_of[name], dict(overrides.get(name, {}))
            io_type = io_type_of(cls.REQUEST.model_fields[field])
            if field in _CHOICES:
                io_type = "COMBO"
                options["options"] = _CHOICES[field](model_table(), cls.REQUEST.product, *cls.FEATURES)
            found[name] = model_field_to_node_input(io_type, cls.REQUEST, field, **options)
        return found

    @classmethod
    def declared(cls) -> dict[str, tuple[Any, ...]]:
        """Return the inputs that fill a field of the request, required ones first."""
        inputs, fields = cls.INPUT_TYPES(), cls.REQUEST.fields_by_widget()
        both = {**inputs["required"], **inputs.get("optional", {})}
        return {name: entry for name, entry in both.items() if name in fields}

    @classmethod
    def required_links(cls) -> list[str]:
        """Return the inputs that always come from another node."""
        links = [name for name, entry in cls.declared().items() if not is_widget(entry)]
        return [name for name in links if name in cls.INPUT_TYPES()["required"]]

    @classmethod
    def judged_inputs(cls) -> list[str]:
        """Return the inputs that are judged before anything runs: all whose value may be known by then."""
        return [name for name in cls.declared() if name not in cls.required_links()]

    @classmethod
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or what the model can't do in sentences."""
        draft = Draft.of_widgets(cls.REQUEST, known, [*linked, *cls.required_links()])
        problems = PRODUCTS[cls.REQUEST.product].problems(draft, model_table())
        return " ".join(problem.text for problem in problems) or True

    @classmethod
    def results(cls, delivered: Delivered) -> tuple[Any, ...]:
        """Return the node's outputs."""
        raise NotImplementedError(f"{cls.__name__} declares no outputs")

    async def api_call(
        self,
        take: int = 0,
        auth_token: str | None = None,
        comfy_api_key: str | None = None,
        unique_id: str | None = None,
        **inputs: Any,
    ) -> tuple[Any, ...]:
        """Buy or collect the take of these inputs and return the node's outputs.

        Pictures are IMAGEs ``[B, H, W, C]``, float32, 0..1. Raises the errors of ``apis.errors``, and
        ComfyUI's interrupt within a second of Cancel.
        """
        # What buys is loaded with the first take: ComfyUI's start does not wait for it.
        from . import account_access

        async def work() -> tuple[Any, ...]:
            hidden = auth_token, comfy_api_key
            async with account_access.at_work(unique_id, *hidden) as (studio, reporter):
                values, pictures = self._given(inputs)
                route = studio.route(self.REQUEST, values)
                reporter.costs(route.price)

                async def plan() -> Plan:
                    await reporter.sum_known()
                    made = await self._plan(studio, route, values, pictures, take)
                    for note in (*await studio.notes(), *made.notes):
                        reporter.note(note)
                    return made

                delivered = await studio.take_in_turn(
                    route.spec.name,
                    plan,
                    files=studio.files,
                    reporter=reporter,
                    prompt_id=reporter.prompt_id,
                    node_id=reporter.node_id,
                )
                reporter.say(delivered.receipt)
                return self.results(delivered)

        return await host.until_interrupted(work())

    def _given(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values and the pictures by the fields they fill; what is left out is at its default."""
        fields = self.REQUEST.fields_by_widget()
        values: dict[str, Any] = {}
        pictures: dict[str, Any] = {}
        for name, entry in self.declared().items():
            value = inputs.get(name, entry[1].get("default"))
            if value is not None:
                (pictures if entry[0] == "IMAGE" else values)[fields[name]] = value
        return values, pictures

    async def _plan(
        self, studio: Studio, route: Route, values: dict[str, Any], pictures: dict[str, Any], take: int
    ) -> Plan:
        """Return the checked plan, with the pictures packed as this model takes them."""
        from ..apis.media import packed

        filled = dict(values)
        for field, frame in pictures.items():
            widget = self.REQUEST.widget_of(field)
            filled[field] = await packed(widget, frame.cpu().numpy(), route.limits)
        try:
            request = self.REQUEST(**filled)
        except ValidationError as error:
            refuse(shape_problems(error, self.REQUEST))
            raise
        return studio.plan(request, take, route)


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
