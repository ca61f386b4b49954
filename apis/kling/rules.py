"""What can't be done, said before anything is sent: which widget, why, and what to change.

Kling may ignore what a model can't do and bill a video nobody asked for, so a wrong combination is refused
here and never mended in silence. Every text is a sentence for the artist that begins with the widget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from . import camera, facts, shots
from .facts import Facts
from .models import Dialect, Feature, Limits, ModelSpec, ModelTable
from .parts import Problem, check_camera, check_shot, picture_fault, sent_size
from .requests import CAMERA_AXES, DEFAULT_CFG_SCALE, Product, VideoRequest, seconds
from .wording import listed, numbers, sentence, too_long

__all__ = [
    "Problem",
    "check",
    "check_camera",
    "check_shot",
    "check_widgets",
    "picture_fault",
    "shape_problems",
    "warnings",
]


def check(request: VideoRequest, table: ModelTable, dialect: Dialect | None = None) -> list[Problem]:
    """Everything that keeps this request from being sent, most important first; empty when nothing does.

    `dialect` is the one it will be sent in; by default the one the model prefers.
    """
    return _problems(facts.of_request(request), table, dialect)


def check_widgets(
    product: Product, values: Mapping[str, Any], table: ModelTable, linked: Collection[str] = ()
) -> list[Problem]:
    """What the widgets alone show to be impossible, for a node's VALIDATE_INPUTS.

    `values` holds the widgets by name; an absent one is not judged. `linked` names inputs that get their
    value from another node: with shots linked, an empty prompt is right and the duration is not used.
    """
    return _problems(facts.of_widgets(product, values, linked), table, None)


def warnings(request: VideoRequest, table: ModelTable, dialect: Dialect | None = None) -> list[str]:
    """What the artist should know about a request that can be sent all the same."""
    spec = table.get(request.model_name)
    if spec is None:
        return []
    found = [
        f"{widget}: {picture.note}" for widget, picture in facts.of_request(request).pictures if picture.note
    ]
    if spec.retired_on is not None:
        found.append(
            f"{spec.name} was retired by Kling on {spec.retired_on} and will most likely be refused, "
            f"which costs nothing. Living models: {listed(_living(table, request.product), 'and')}."
        )
    if spec.note:
        found.append(spec.note)
    if request.cfg_scale != DEFAULT_CFG_SCALE and not _allowed(request, "cfg_scale", spec, dialect):
        found.append(f"cfg_scale is not used by {spec.name} and was not sent.")
    if spec.sound_always and request.sound is None:
        found.append(f"{spec.name} always makes sound; the price includes it.")
    if request.shots and request.duration != str(seconds(request)):
        found.append(f"The shots add up to {seconds(request)} seconds; the widget duration is not used.")
    return found


def shape_problems(error: ValidationError, widgets: Mapping[str, str] | None = None) -> list[Problem]:
    """The sentences for a request that could not even be made; `widgets` renames fields to widgets."""
    found = []
    for entry in error.errors(include_url=False):
        field = str(entry["loc"][0]) if entry["loc"] else "request"
        name = (widgets or {}).get(field, field)
        bounds: Mapping[str, Any] = entry.get("ctx", {})
        if "expected" in bounds:
            fault = f"choose {bounds['expected']}"
        elif "ge" in bounds:
            fault = f"choose {bounds['ge']:g} or more"
        elif "le" in bounds:
            fault = f"choose {bounds['le']:g} or less"
        elif entry["type"] == "missing":
            fault = "it is missing"
        else:
            fault = "this value does not fit here"
        found.append(Problem(name, f"{name}: {fault}."))
    return found


def _problems(known: Facts, table: ModelTable, dialect: Dialect | None) -> list[Problem]:
    found = list(_general(known, table))
    if known.model_name is None:
        return found
    spec = table.get(known.model_name)
    if spec is None:
        living = listed(_living(table, known.product), "or")
        text = f"model_name: there is no model {known.model_name} in the table. Choose {living}."
        if table.warning:  # the model may be in the user's own table, which could not be read
            text += f" {table.warning}"
        return [Problem("model_name", text), *found]
    refused = list(_by_model(known, spec, table, dialect))
    if refused and (other := _another_model(known, table, spec.name)):
        # Said once, at the end: the other model would do away with all of them.
        refused[-1] = replace(refused[-1], text=f"{refused[-1].text} Or choose model_name {other}.")
    return [*found, *refused]


def _general(known: Facts, table: ModelTable) -> Iterator[Problem]:
    """The rules that are the same for every model."""
    words = known.prompt.strip() if known.prompt is not None else None
    if words == "" and not known.has_shots:
        moved = known.product == "image2video" and (known.camera is not None or known.camera_linked)
        if not moved:
            yield Problem("prompt", "prompt: it is empty. Say what happens in the video.")
    if words and known.has_shots:
        yield Problem(
            "prompt",
            "prompt: with shots Kling reads only the shots, and this text would be lost. "
            "Move it into the shots and empty it, or take the shots away.",
        )
    if known.cfg_scale is not None and not 0 <= known.cfg_scale <= 1:
        yield Problem(
            "cfg_scale", f"cfg_scale: {known.cfg_scale:g} is outside 0 to 1. Choose a value in between."
        )
    if known.duration is not None and known.seconds is None and not known.has_shots:
        yield Problem("duration", f"duration: {known.duration[:20]!r} is no whole number of seconds.")
    if known.sound not in (None, "on", "off"):
        yield Problem("sound", f"sound: {known.sound!r} is neither on nor off.")
    if known.camera is not None:
        axes = {axis: getattr(known.camera.config, axis, 0.0) for axis in CAMERA_AXES}
        for problem in check_camera(known.camera.type, axes):
            yield Problem("camera_control", f"camera_control: {problem.text.partition(': ')[2]}")
    if known.has_shots and (known.camera is not None or known.camera_linked):
        yield Problem("camera_control", _camera_with_shots(known))
    most = table.shot_limits.most
    if len(known.shots) > most:
        yield Problem(
            "shots", f"shots: {len(known.shots)} are too many; Kling cuts a video from up to {most}."
        )
    for number, shot in enumerate(known.shots, start=1):
        for problem in check_shot(shot.prompt, shot.duration, table):
            yield Problem("shots", f"shots: shot {number}, {problem.text}")


def _camera_with_shots(known: Facts) -> str:
    text = "camera_control: a camera move belongs to one shot, and this video is cut from several. "
    example = "The camera slowly zooms in."
    if known.camera is not None and (
        known.camera.type != "simple" or len(camera.moving_axes(known.camera.config)) == 1
    ):
        example = camera.words(known.camera)
    return f'{text}Take it away and write the move into the shot it is meant for: "{example}"'


def _by_model(known: Facts, spec: ModelSpec, table: ModelTable, dialect: Dialect | None) -> Iterator[Problem]:
    """The rules that depend on the model, most important first."""
    dialect = dialect or spec.preferred
    if not spec.can(known.product):
        choice = listed(_living(table, known.product), "or")
        if spec.offered:
            source = "a picture" if known.product == "text2video" else "words"
            limit = f"makes video from {source} only"
        else:
            limit = "is made through an endpoint of Kling's that this node does not use"
        yield Problem("model_name", f"model_name: {spec.name} {limit}. Choose {choice}.")
        return
    yield from _mode_and_length(known, spec)
    if known.mode not in spec.modes:
        known = replace(known, mode=None)  # it was refused; the rest need not mention it again
    if known.aspect_ratio is not None and known.aspect_ratio not in spec.aspect_ratios:
        choice = listed(spec.aspect_ratios, "or")
        text = f"{spec.name} makes {choice}, not {known.aspect_ratio}. Choose {choice}."
        yield Problem("aspect_ratio", f"aspect_ratio: {text}")
    yield from _without(known, spec, dialect, known.product, known.product, "makes this kind of video", "")
    yield from _words(known, spec, table, dialect)
    yield from _sound(known, spec, dialect)
    yield from _frames(known, spec, dialect)
    yield from _pictures(known, table.limits[dialect])


def _mode_and_length(known: Facts, spec: ModelSpec) -> Iterator[Problem]:
    if known.mode is not None and known.mode not in spec.modes:
        choice = listed(spec.modes, "or")
        yield Problem("mode", f"mode: {spec.name} has {choice}, not {known.mode}. Choose {choice}.")
    length = known.seconds
    if length is None or length in spec.durations or (known.has_shots and not spec.can("shots")):
        return
    choice = numbers(spec.durations)
    if known.shots:
        text = (
            f"they add up to {length} seconds, and {spec.name} makes {choice}. Change the length of a shot."
        )
        yield Problem("shots", f"shots: {text}")
    else:
        yield Problem(
            "duration", f"duration: {spec.name} makes {choice} seconds, not {length}. Choose {choice}."
        )


def _words(known: Facts, spec: ModelSpec, table: ModelTable, dialect: Dialect) -> Iterator[Problem]:
    most = spec.prompt_characters[dialect][known.product]
    if known.has_shots:
        undo = "take the shots away"
        yield from _without(known, spec, dialect, "shots", "shots", "cuts a video from shots", undo)
        if known.shots and dialect == "standard":
            yield from _shots_in_a_prompt(known, spec, most)
    elif known.prompt is not None:
        prompt, with_move = known.prompt, ""
        if known.camera is not None and not camera.goes_in_field(known, spec, dialect):
            moved = _moved(known)
            with_move = " with the words for the camera move" if moved != prompt else ""
            prompt = moved
        if len(prompt) > most:
            text = too_long(len(prompt), most, f"{spec.name} takes", with_move)
            yield Problem("prompt", f"prompt: {text}")
    if not known.negative_prompt:
        return
    if not known.allowed("negative_prompt", spec, dialect):
        text = f"{spec.name} has no negative prompt. Empty it, and say in the prompt what must not be seen."
        yield Problem("negative_prompt", f"negative_prompt: {text}")
        return
    most = table.limits[dialect].negative_characters
    if len(known.negative_prompt) > most:
        text = too_long(len(known.negative_prompt), most, "Kling takes")
        yield Problem("negative_prompt", f"negative_prompt: {text}")


def _shots_in_a_prompt(known: Facts, spec: ModelSpec, most: int) -> Iterator[Problem]:
    for number, shot in enumerate(known.shots, start=1):
        if shots.SHOT_END in shot.prompt:
            yield Problem(
                "shots",
                f"shots: shot {number} has a semicolon, which ends a shot for {spec.name}. "
                "Write a comma or a full stop instead.",
            )
    length = len(shots.as_prompt(known.shots))
    if length > most:
        text = too_long(length, most, f"{spec.name} takes", " for all shots together")
        yield Problem("shots", f"shots: {text}")


def _sound(known: Facts, spec: ModelSpec, dialect: Dialect) -> Iterator[Problem]:
    if spec.sound_always and known.sound == "off":
        yield Problem("sound", f"sound: {spec.name} always makes sound. Set sound to on.")
    if known.sound == "on" and not spec.sound_always:
        yield from _without(known, spec, dialect, "sound", "sound", "makes sound", "set sound to off")


def _frames(known: Facts, spec: ModelSpec, dialect: Dialect) -> Iterator[Problem]:
    if known.product != "image2video":
        return
    if not known.start_frame and not known.end_frame:
        yield Problem("start_frame", "start_frame: there is no picture. Connect one.")
    elif not known.start_frame and not known.allowed("end_frame_only", spec, dialect):
        text = f"{spec.name} can't make a video from an end frame alone. Connect a start frame."
        yield Problem("start_frame", f"start_frame: {text}")
    elif known.end_frame and known.start_frame:
        undo = "take the end frame away"
        yield from _without(known, spec, dialect, "end_frame", "end_frame", "takes an end frame", undo)


def _pictures(known: Facts, limits: Limits) -> Iterator[Problem]:
    for widget, picture in known.pictures:
        if fault := picture_fault(picture.width, picture.height, limits):
            yield Problem(widget, f"{widget}: {fault}")
        size = sent_size(picture.data)
        if size > limits.image_bytes:
            most = limits.image_bytes / 1e6
            text = (
                f"the picture is {size / 1e6:.1f} MB when sent, and Kling takes {most:g}. Use a smaller one."
            )
            yield Problem(widget, f"{widget}: {text}")


def _without(
    known: Facts, spec: ModelSpec, dialect: Dialect, feature: Feature, widget: str, does: str, undo: str
) -> Iterator[Problem]:
    """A problem where the model lacks the feature, or has it only under other circumstances."""
    if known.allowed(feature, spec, dialect):
        return
    conditions = spec.conditions(feature)
    if not conditions:
        yield Problem(widget, f"{widget}: {spec.name} never {does}. {sentence(undo)}.")
        return
    nearest = min(conditions, key=lambda condition: len(known.misses(condition, spec, dialect)))
    part = known.misses(nearest, spec, dialect)[0]
    values: dict[str, tuple[str, Sequence[object], object]] = {
        "mode": ("mode", nearest.modes or (), known.mode),
        "duration": ("shots" if known.shots else "duration", nearest.durations or (), known.seconds),
        "sound": ("sound", (nearest.sound,), known.sound),
    }
    if part not in values:
        yield Problem(widget, f"{widget}: {spec.name} never {does} here. {sentence(undo)}.")
        return
    name, allowed, now = values[part]
    choice = listed([str(value) for value in allowed], "or")
    change = f"Set {name} to {choice}" + (f", or {undo}" if undo else "")
    yield Problem(name, f"{name}: {spec.name} {does} only with {name} {choice}, not with {now}. {change}.")


def _another_model(known: Facts, table: ModelTable, name: str) -> str | None:
    """The first living model that could do all of it."""
    for spec in table.specs.values():
        # A model that always makes sound is no answer for someone who did not ask for it.
        unwanted_sound = spec.sound_always and known.sound != "on"
        if spec.living and spec.name != name and not unwanted_sound:
            other = replace(known, model_name=spec.name)
            if not any(_by_model(other, spec, table, None)):
                return spec.name
    return None


def _moved(known: Facts) -> str:
    prompt = known.prompt or ""
    control = known.camera
    if control is None or (control.type == "simple" and len(camera.moving_axes(control.config)) != 1):
        return prompt
    return camera.with_words(prompt, control)


def _allowed(request: VideoRequest, feature: Feature, spec: ModelSpec, dialect: Dialect | None) -> bool:
    return facts.of_request(request).allowed(feature, spec, dialect or spec.preferred)


def _living(table: ModelTable, product: Product) -> list[str]:
    return [name for name in table.names(product) if table.specs[name].living]
