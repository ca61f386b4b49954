"""What the products that make a video from scratch share: fields, rules, price, and how both dialects say it.

Kling may ignore what a model can't do and bill a video nobody asked for, so a wrong combination is refused
here and never mended in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import Field

from .. import camera, shots
from ..camera import CAMERA_AXES, KlingCameraControl
from ..draft import Draft
from ..models import DialectName, ModelSpec, ModelTable
from ..phrasing import listed, numbers, too_long
from ..problem import Problem
from ..request import KlingRequest
from ..shots import KlingShot
from .base import Price, Product, price_of, without

Mode = Literal["std", "pro", "4k"]
Sound = Literal["on", "off"]
MODES: tuple[str, ...] = get_args(Mode)

#: The cheapest that Kling still offered when this was written.
DEFAULT_MODEL = "kling-v2-5-turbo"
DEFAULT_CFG_SCALE = 0.5
#: Kling writes seconds as text; three digits are more than any model makes.
DURATION_PATTERN = r"^[1-9][0-9]{0,2}$"

#: the products that share these rules, and what each makes a video from
SOURCES = {"text2video": "words", "image2video": "a picture"}

_WHOLE_SECONDS = re.compile(DURATION_PATTERN)


class VideoRequest(KlingRequest):
    """The fields that text to video and image to video have in common (Kling docs, 2026-03)."""

    prompt: str = Field(default="", title="Prompt", json_schema_extra={"multiline": True})
    negative_prompt: str = Field(
        default="",
        title="Negative prompt",
        description="What you don't want to see. Some models listen to it less: say it in the prompt too.",
        json_schema_extra={"multiline": True},
    )
    model_name: str = Field(
        default=DEFAULT_MODEL,
        min_length=1,
        title="Model",
        description="Models that Kling still offers come first. Those it has retired stand at the end, so "
        "that old workflows load.",
    )
    cfg_scale: float = Field(
        default=DEFAULT_CFG_SCALE,
        ge=0.0,
        le=1.0,
        title="CFG scale",
        description="How closely the video follows the prompt: 0 freely, 1 strictly. "
        "For a model that does not know it, it is left out, and the node says so.",
        json_schema_extra={"step": 0.01},
    )
    mode: Mode = Field(
        default="std",
        title="Mode",
        description="std makes 720p and costs least, pro makes 1080p, 4k exists for some models.",
    )
    duration: str = Field(
        default="5",
        pattern=DURATION_PATTERN,
        title="Duration",
        description="Length of the video in seconds. With shots, their sum is the length instead.",
    )
    camera_control: KlingCameraControl | None = Field(
        default=None,
        title="Camera control",
        description="A move made with Kling Camera Controls. For a model without a camera field the move is "
        "written into the prompt in words.",
    )
    sound: Sound | None = Field(
        default=None,
        title="Sound",
        description="on makes the video with sound, on models that can; it usually costs more.",
        json_schema_extra={"default": "off", "options": ["off", "on"]},
    )
    shots: tuple[KlingShot, ...] | None = Field(
        default=None,
        title="Shots",
        description="Up to six shots made with Kling Shot, cut into one video. The prompt then stays empty.",
    )

    @property
    def seconds(self) -> int:
        """The length of the video: the sum of the shots, or the duration where there are none."""
        return shots.total_seconds(self.shots) if self.shots else int(self.duration)


V = TypeVar("V", bound=VideoRequest)


class VideoProduct(Product[V], Generic[V]):
    """A video from words or from pictures."""

    always_in_take = frozenset({"prompt", "model_name", "cfg_scale", "mode", "duration", "aspect_ratio"})
    priced_by = ("model_name", "mode", "duration", "sound")

    # -- the take --------------------------------------------------------------------------------------

    def value_in_take(self, request: V, field: str, spec: ModelSpec | None) -> Any:
        """Return the sum of the shots as the duration, and sound that is off as none."""
        if field == "cfg_scale" and spec is not None and not spec.can("cfg_scale"):
            return DEFAULT_CFG_SCALE
        if field == "duration":
            return str(request.seconds)
        value = getattr(request, field)
        return None if field == "sound" and value == "off" else value

    # -- what can't be done ----------------------------------------------------------------------------

    def lack_of(self, spec: ModelSpec) -> str | None:
        """Return what an entry of the model table lacks to be made with this product, or None."""
        if not spec.modes or not spec.durations:
            return f"{'durations' if spec.modes else 'modes'} is empty, and {self.name} needs one"
        if unknown := [mode for mode in spec.modes if mode not in MODES]:
            return f"modes has {unknown[0]}, and {self.name} knows {listed(MODES, 'and')} only"
        if lack := super().lack_of(spec):
            return lack
        for dialect in self.dialects(spec):
            if self.name not in spec.prompt_characters.get(dialect, {}):
                return f"prompt_characters has no number for {dialect} {self.name}"
        needed = {"resolution", "duration"}
        needed |= {"audio"} if spec.can("sound") and not spec.sound_always else set()
        lacking = sorted((needed | self.needed_settings) - set(spec.standard_settings))
        if lacking and "standard" in self.dialects(spec):
            return f"standard_settings lacks {lacking[0]}"
        return None

    #: settings of the new standard that only this product has
    needed_settings: frozenset[str] = frozenset()

    def general_problems(self, draft: Draft, table: ModelTable) -> Iterator[Problem]:
        """Yield what breaks the rules that are the same for every model."""
        prompt, control, cut = draft.text("prompt"), draft.get("camera_control"), draft.has("shots")
        said = prompt.strip() if prompt is not None else None
        if said == "" and not cut and not self.says_enough(draft):
            yield Problem("prompt", "prompt: it is empty. Say what happens in the video.")
        if said and cut:
            yield Problem(
                "prompt",
                "prompt: with shots Kling reads only the shots, and this text would be lost. "
                "Move it into the shots and empty it, or take the shots away.",
            )
        cfg_scale = draft.get("cfg_scale")
        if isinstance(cfg_scale, int | float) and not 0 <= cfg_scale <= 1:
            text = f"{cfg_scale:g} is outside 0 to 1. Choose a value in between."
            yield Problem("cfg_scale", f"cfg_scale: {text}")
        duration = draft.text("duration")
        if duration is not None and not cut and _seconds(draft) is None:
            yield Problem("duration", f"duration: {duration[:20]!r} is not a whole number of seconds.")
        sound = draft.text("sound")
        if sound not in (None, "on", "off"):
            yield Problem("sound", f"sound: {sound!r} is neither on nor off.")
        if control is not None:
            axes = {axis: getattr(control.config, axis, 0.0) for axis in CAMERA_AXES}
            for problem in camera.check_camera(control.type, axes):
                yield Problem("camera_control", f"camera_control: {problem.text.partition(': ')[2]}")
        if cut and draft.has("camera_control"):
            yield Problem("camera_control", _camera_with_shots(control))
        yield from shots.check_shots(draft.get("shots") or (), table)

    def says_enough(self, draft: Draft) -> bool:
        """Return whether the video can be made without a word in the prompt."""
        return False

    def model_problems(
        self, draft: Draft, spec: ModelSpec, table: ModelTable, dialect: DialectName
    ) -> Iterator[Problem]:
        """Yield what this model can't do, most important first."""
        if not spec.can(self.name):
            others = [source for product, source in SOURCES.items() if spec.can(product)]
            if others:
                limit = f"makes video from {listed(others, 'or')} only"
            else:
                limit = "is made through an endpoint of Kling's that this node does not use"
            text = f"{spec.name} {limit}. Choose {self.living(table)}."
            yield Problem("model_name", f"model_name: {text}")
            return
        yield from _mode_and_length(draft, spec)
        known = self.circumstances(draft, spec, dialect)
        if known["mode"] not in spec.modes:
            known["mode"] = None  # it was refused; the rest need not mention it again
        ratio = draft.text("aspect_ratio")
        if ratio is not None and ratio not in spec.aspect_ratios:
            choice = listed(spec.aspect_ratios, "or")
            text = f"{spec.name} makes {choice}, not {ratio}. Choose {choice}."
            yield Problem("aspect_ratio", f"aspect_ratio: {text}")
        widgets = {
            "mode": "mode",
            "sound": "sound",
            "duration": "shots" if draft.get("shots") else "duration",
        }
        yield from without(self.name, "makes this kind of video", "", self.name, spec, known, widgets)
        if draft.has("shots"):
            yield from without(
                "shots", "cuts a video from shots", "take the shots away", "shots", spec, known, widgets
            )
        yield from self._words(draft, spec, table, dialect)
        if spec.sound_always and draft.text("sound") == "off":
            yield Problem("sound", f"sound: {spec.name} always makes sound. Set sound to on.")
        if draft.text("sound") == "on" and not spec.sound_always:
            yield from without("sound", "makes sound", "set sound to off", "sound", spec, known, widgets)
        yield from self.picture_problems(draft, spec, table, dialect, known, widgets)

    def picture_problems(
        self,
        draft: Draft,
        spec: ModelSpec,
        table: ModelTable,
        dialect: DialectName,
        known: dict[str, object],
        widgets: dict[str, str],
    ) -> Iterator[Problem]:
        """Yield what is wrong with the pictures, where the product has some."""
        return iter(())

    def _words(
        self, draft: Draft, spec: ModelSpec, table: ModelTable, dialect: DialectName
    ) -> Iterator[Problem]:
        most = spec.prompt_characters[dialect][self.name]
        prompt, cut = draft.text("prompt"), draft.get("shots") or ()
        if cut and dialect == "standard":
            yield from shots.check_shots_in_a_prompt(cut, spec.name, most)
        if prompt is not None and not draft.has("shots"):
            with_move = ""
            control = draft.get("camera_control")
            if control is not None and control.is_whole and not self._has_field(draft, spec, dialect):
                prompt = camera.with_words(prompt, control)
                with_move = " with the words for the camera move"
            if len(prompt) > most:
                text = too_long(len(prompt), most, f"{spec.name} takes", with_move)
                yield Problem("prompt", f"prompt: {text}")
        unwanted = draft.text("negative_prompt")
        if not unwanted:
            return
        if not spec.allows("negative_prompt", self.circumstances(draft, spec, dialect)):
            text = (
                f"{spec.name} has no negative prompt. Empty it, and say in the prompt what must not be seen."
            )
            yield Problem("negative_prompt", f"negative_prompt: {text}")
        elif len(unwanted) > (most := table.limits[dialect].negative_characters):
            text = too_long(len(unwanted), most, "Kling takes")
            yield Problem("negative_prompt", f"negative_prompt: {text}")

    def fits_instead(self, spec: ModelSpec, draft: Draft) -> bool:
        """Refuse to name a model that always makes sound to someone who did not ask for it."""
        return spec.living and not (spec.sound_always and draft.text("sound") != "on")

    def circumstances(
        self, draft: Draft, spec: ModelSpec, dialect: DialectName | None = None
    ) -> dict[str, object]:
        """Return what conditions and rates ask about, None for what is not known."""
        control = draft.get("camera_control")
        return {
            "product": self.name,
            "dialect": dialect,
            "mode": draft.text("mode"),
            "duration": _seconds(draft),
            "sound": "on" if spec.makes_sound(draft.text("sound")) else "off",
            "camera_type": control.type if control else None,
        }

    def _has_field(self, draft: Draft, spec: ModelSpec, dialect: DialectName) -> bool:
        """Return whether a camera move can be sent as a field: Kling takes that or an end frame, not both."""
        if draft.has("image_tail") or draft.has("shots") or dialect != "legacy":
            return False
        return spec.allows("camera_field", self.circumstances(draft, spec, dialect))

    # -- what it costs and how long it takes -----------------------------------------------------------

    def price(self, draft: Draft, spec: ModelSpec, table: ModelTable) -> Price | None:
        """Return the price of the video."""
        rate, length = spec.rate(self.circumstances(draft, spec)), _seconds(draft)
        if rate is None or rate.units_per_second is None or length is None:
            return None
        return price_of(rate.units_per_second * length, table)

    def price_in_words(self, draft: Draft, spec: ModelSpec, table: ModelTable) -> str:
        """Return the price, or that of one second where other nodes decide the length."""
        if draft.get("duration") is not None:
            return super().price_in_words(draft, spec, table)
        second = self.price(replace(draft, values={**draft.values, "duration": "1"}), spec, table)
        return f"{second} a second" if second else ""

    def typical_seconds(self, request: V, spec: ModelSpec) -> float:
        """Return how long Kling usually takes for such a video, in seconds."""
        return spec.typical_seconds(request.mode, request.seconds, sound=spec.makes_sound(request.sound))

    def timing_key(self, request: V, spec: ModelSpec) -> str:
        """Return product, model, mode, length and sound."""
        sound = "sound" if spec.makes_sound(request.sound) else "silent"
        return f"{self.name}/{spec.name}/{request.mode}/{request.seconds}s/{sound}"

    # -- how it is said --------------------------------------------------------------------------------

    def as_sent(self, request: V, spec: ModelSpec, dialect: DialectName) -> V:
        """Return the request with its camera move in the prompt, where the model has no field for it."""
        control = request.camera_control
        if control is None or self._has_field(Draft.of_request(request), spec, dialect):
            return request
        prompt = camera.with_words(request.prompt, control)
        return request.model_copy(update={"prompt": prompt, "camera_control": None})

    def notes(self, request: V, sent: V, spec: ModelSpec, dialect: DialectName) -> list[str]:
        """Return what the artist should know about a request that can be sent all the same."""
        found = []
        known = self.circumstances(Draft.of_request(request), spec, dialect)
        if request.cfg_scale != DEFAULT_CFG_SCALE and not spec.allows("cfg_scale", known):
            found.append(f"cfg_scale is not used by {spec.name} and was not sent.")
        if spec.sound_always and request.sound is None:
            found.append(f"{spec.name} always makes sound; the price includes it.")
        if request.shots and request.duration != str(request.seconds):
            found.append(f"The shots add up to {request.seconds} seconds; the widget duration is not used.")
        if sent.camera_control is not None:
            found.append(f"{spec.name} gets the camera move as its own field.")
        elif request.camera_control is not None:
            said = camera.words(request.camera_control)
            found.append(f'The camera move was written into the prompt: "{said}"')
        return found


def _seconds(draft: Draft) -> int | None:
    """Return the length of the video, or None where it is not known or not a number."""
    cut, duration = draft.get("shots"), draft.text("duration")
    if cut:
        return shots.total_seconds(cut)
    if draft.has("shots") or duration is None or not _WHOLE_SECONDS.match(duration):
        return None
    return int(duration)


def _mode_and_length(draft: Draft, spec: ModelSpec) -> Iterator[Problem]:
    mode, length = draft.text("mode"), _seconds(draft)
    if mode is not None and mode not in spec.modes:
        choice = listed(spec.modes, "or")
        yield Problem("mode", f"mode: {spec.name} has {choice}, not {mode}. Choose {choice}.")
    if length is None or length in spec.durations or (draft.has("shots") and not spec.can("shots")):
        return
    choice = numbers(spec.durations)
    if draft.get("shots"):
        text = (
            f"they add up to {length} seconds, and {spec.name} makes {choice}. Change the length of a shot."
        )
        yield Problem("shots", f"shots: {text}")
    else:
        yield Problem(
            "duration", f"duration: {spec.name} makes {choice} seconds, not {length}. Choose {choice}."
        )


def _camera_with_shots(control: KlingCameraControl | None) -> str:
    text = "camera_control: a camera move belongs to one shot, and this video is cut from several. "
    example = "The camera slowly zooms in."
    if control is not None and control.is_whole:
        example = camera.words(control)
    return f'{text}Take it away and write the move into the shot it is meant for: "{example}"'
