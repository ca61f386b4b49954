"""Every model x mode x length x feature: allowed or refused, and the exact body of what is allowed.

The expected bodies are in tests/golden, for people to read; how to rewrite them is said there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.models import ModelSpec
from kling_takes.apis.kling.pictures import KlingImage
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.products.video import VideoRequest
from kling_takes.apis.kling.shots import KlingShot
from kling_takes.tests.builders import TABLE, create
from kling_takes.tests.builders import problems as problems_of

GOLDEN = Path(__file__).parent.parent / "golden"
MODES = ("std", "pro", "4k")
LENGTHS = range(2, 17)
RESOLUTIONS = {"std": "720p", "pro": "1080p", "4k": "4k"}

START = KlingImage(pixels_sha256="a" * 64, width=1280, height=720, data=b"START", mime="image/png")
END = KlingImage(pixels_sha256="b" * 64, width=1280, height=720, data=b"END", mime="image/png")
SLOW_ZOOM = KlingCameraControl(type="simple", config=KlingCameraConfig(zoom=-2))
PRESET = KlingCameraControl(type="forward_up")


def two_shots(length: int) -> dict[str, Any]:
    shots = (KlingShot(prompt="a fox wakes", duration=1), KlingShot(prompt="it runs", duration=length - 1))
    return {"prompt": "", "shots": shots}


def always(**fields: Any) -> Callable[[int], dict[str, Any]]:
    return lambda length: fields


TEXT_CASES: dict[str, Callable[[int], dict[str, Any]]] = {
    "plain": always(),
    "sound off": always(sound="off"),
    "sound on": always(sound="on"),
    "9:16": always(aspect_ratio="9:16"),
    "1:1": always(aspect_ratio="1:1"),
    "negative prompt": always(negative_prompt="rain"),
    "cfg_scale 0.8": always(cfg_scale=0.8),
    "simple camera move": always(camera_control=SLOW_ZOOM),
    "preset camera move": always(camera_control=PRESET),
    "two shots": two_shots,
    "two shots, sound on": lambda length: {**two_shots(length), "sound": "on"},
}
IMAGE_CASES: dict[str, Callable[[int], dict[str, Any]]] = {
    "plain": always(),
    "sound off": always(sound="off"),
    "sound on": always(sound="on"),
    "negative prompt": always(negative_prompt="rain"),
    "cfg_scale 0.8": always(cfg_scale=0.8),
    "end frame": always(image_tail=END),
    "end frame, sound on": always(image_tail=END, sound="on"),
    "end frame only": always(image=None, image_tail=END),
    "simple camera move": always(camera_control=SLOW_ZOOM),
    "preset camera move": always(camera_control=PRESET),
    "end frame, simple camera move": always(image_tail=END, camera_control=SLOW_ZOOM),
    "two shots": two_shots,
    "end frame, two shots": lambda length: {**two_shots(length), "image_tail": END},
}


def text_request(name: str, mode: str, length: int, fields: dict[str, Any]) -> VideoRequest:
    given = {"prompt": "a fox", "model_name": name, "mode": mode, "duration": str(length), **fields}
    return KlingText2VideoRequest(**given)


def image_request(name: str, mode: str, length: int, fields: dict[str, Any]) -> VideoRequest:
    given = {"image": START, "prompt": "a fox", "model_name": name, "mode": mode, "duration": str(length)}
    return KlingImage2VideoRequest(**{**given, **fields})


Grid = dict[str, list[int]]
Make = Callable[[str, int], VideoRequest]


def tried(spec: ModelSpec, dialect: str, make: Make, grid: Grid) -> dict[str, Any]:
    """What one kind of video gives in one dialect, over a grid of modes and lengths."""
    allowed: Grid = {}
    refused: dict[str, Grid] = {}
    says: dict[str, str] = {}
    bodies: list[tuple[dict[str, Any], Grid]] = []
    for mode, lengths in grid.items():
        for length in lengths:
            request = make(mode, length)
            problems = problems_of(request, dialect)
            if problems:
                assert all(problem.text.startswith(f"{problem.widget}: ") for problem in problems)
                blamed = ", ".join(dict.fromkeys(problem.widget for problem in problems))
                refused.setdefault(blamed, {}).setdefault(mode, []).append(length)
                says.setdefault(blamed, " ".join(problem.text for problem in problems))
                continue
            allowed.setdefault(mode, []).append(length)
            body = templated(sent(spec, dialect, request), mode, length)
            places = next((grid for other, grid in bodies if other == body), None)
            if places is None:
                places = {}
                bodies.append((body, places))
            places.setdefault(mode, []).append(length)
    grids = {blamed: {**in_words(grid), "says": says[blamed]} for blamed, grid in refused.items()}
    if len(bodies) == 1:
        sent_bodies = [bodies[0][0]]
    else:
        sent_bodies = [{"for": in_words(places), **body} for body, places in bodies]
    return {"allowed": in_words(allowed), "refused": grids, "sent": sent_bodies, "grid": allowed}


def entry(spec: ModelSpec, make: Make, grid: Grid) -> dict[str, Any]:
    """One kind of video in every dialect of the model; said once where the dialects agree."""
    found = {dialect: tried(spec, dialect, make, grid) for dialect in spec.dialects}
    for result in found.values():
        del result["grid"]
    judged = [{part: result[part] for part in ("allowed", "refused")} for result in found.values()]
    bodies = {dialect: result["sent"] for dialect, result in found.items() if result["sent"]}
    if all(one == judged[0] for one in judged):
        return {**judged[0], **bodies}
    return found


def sent(spec: ModelSpec, dialect: str, request: VideoRequest) -> dict[str, Any]:
    endpoint, body = create(request, spec, dialect, "kt-1")
    assert endpoint.query == {}
    return {endpoint.method.value: endpoint.path, **body.model_dump(exclude_none=True, mode="json")}


def templated(body: Any, mode: str, length: int) -> Any:
    """The body with the mode and length of this combination taken out, where they are right."""
    if isinstance(body, list):
        return [templated(part, mode, length) for part in body]
    if not isinstance(body, dict):
        return body
    found = {key: templated(value, mode, length) for key, value in body.items()}
    if found.get("mode") == mode:
        found["mode"] = "<mode>"
    if found.get("resolution") == RESOLUTIONS[mode]:
        found["resolution"] = "<resolution>"
    if found.get("index") == 2 and found["duration"] == str(length - 1):
        found["duration"] = "<rest as text>"
    elif "index" not in found and found.get("duration") == str(length):
        found["duration"] = "<seconds as text>"
    elif found.get("duration") == length and not isinstance(found["duration"], str):
        found["duration"] = "<seconds>"
    for key in ("prompt", "text"):
        if isinstance(found.get(key), str):
            found[key] = found[key].replace(f"shot 2, {length - 1},", "shot 2, <rest>,")
    return found


def in_words(grid: dict[str, list[int]]) -> dict[str, str]:
    """{"std": "3-15"}: runs of neighbouring lengths are joined."""
    found = {}
    for mode, lengths in grid.items():
        runs: list[list[int]] = []
        for length in lengths:
            if runs and length == runs[-1][-1] + 1:
                runs[-1].append(length)
            else:
                runs.append([length])
        found[mode] = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return found


def whole(spec: ModelSpec) -> dict[str, Any]:
    """Every kind of video; what a plain one is refused for is listed there and not again for the others."""
    found: dict[str, Any] = {}
    for product, cases, build in (
        ("text2video", TEXT_CASES, text_request),
        ("image2video", IMAGE_CASES, image_request),
    ):
        grid: Grid = {mode: list(LENGTHS) for mode in MODES}
        for case, fields in cases.items():

            def make(mode: str, length: int, fields: Any = fields, build: Any = build) -> VideoRequest:
                return build(spec.name, mode, length, fields(length))

            found[f"{product}: {case}"] = entry(spec, make, grid)
            if case == "plain":
                plain = [tried(spec, dialect, make, grid)["grid"] for dialect in spec.dialects]
                assert all(one == plain[0] for one in plain), "the dialects make different plain videos"
                grid = plain[0]
    return found


def written(value: Any, indent: int = 0) -> str:
    """JSON with short things on one line, so that a person can read it."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(flat) + indent <= 110:
        return flat
    pad = " " * indent
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"{pad}  {written(part, indent + 2)}" for part in value) + f"\n{pad}]"
    lines = (f"{pad}  {json.dumps(key)}: {written(part, indent + 2)}" for key, part in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{pad}}}"


@pytest.mark.parametrize("name", sorted(TABLE.specs))
def test_what_is_sent_and_what_is_refused_is_what_a_person_has_read(name: str) -> None:
    file = GOLDEN / f"{name}.json"
    found = whole(TABLE.specs[name])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.write_text(written(found) + "\n", encoding="utf-8", newline="\n")
        pytest.skip(
            f"{file.name} was rewritten; read the difference, then run the test without UPDATE_GOLDEN"
        )
    assert found == json.loads(file.read_text(encoding="utf-8"))


def test_every_file_belongs_to_a_model() -> None:
    assert {file.stem for file in GOLDEN.glob("kling-*.json")} == set(TABLE.specs)


@pytest.mark.parametrize("name", sorted(TABLE.specs))
def test_what_a_plain_video_is_refused_for_no_feature_mends(name: str) -> None:
    spec = TABLE.specs[name]
    for cases, build in ((TEXT_CASES, text_request), (IMAGE_CASES, image_request)):
        for mode in MODES:
            for length in LENGTHS:
                if not problems_of(build(name, mode, length, {})):
                    continue
                for fields in cases.values():
                    for dialect in spec.dialects:
                        assert problems_of(build(name, mode, length, fields(length)), dialect)


def test_a_kind_of_video_has_one_body_but_for_mode_and_length() -> None:
    for name, spec in TABLE.specs.items():
        for case, found in whole(spec).items():
            bodies = found.get("legacy", [])
            if isinstance(bodies, list) and not (spec.can("camera_field") and "camera move" in case):
                # Only the field of a camera move belongs to one mode and length, and becomes words elsewhere.
                assert len(bodies) <= 1, (name, case)
