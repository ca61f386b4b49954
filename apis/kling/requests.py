"""What a node asks for, in one form for every model and both dialects of the API.

These objects are checked for their shape only; what a model allows is decided in `rules`. A take is
named by `canonical(request)`, so that function must give the same answer for ever: a new optional field
is left out of it until somebody sets it.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar, Literal

from pydantic import Field

from .schema import Exact

Product = Literal["text2video", "image2video"]
Mode = Literal["std", "pro", "4k"]
Sound = Literal["on", "off"]
CameraType = Literal["simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward"]

#: A living model, and the cheapest: 0.3 units a second in std mode.
DEFAULT_MODEL = "kling-v2-5-turbo"
DEFAULT_CFG_SCALE = 0.5

#: Kling writes seconds as text; three digits are more than any model makes.
DURATION_PATTERN = r"^[1-9][0-9]{0,2}$"

#: The six ways a simple camera move can go, in the order of Kling's document.
CAMERA_AXES = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")


class KlingShot(Exact):
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


def _axis(title: str, description: str) -> Any:
    return Field(
        default=0.0,
        ge=-10.0,
        le=10.0,
        title=title,
        description=description + " Use one of the six and leave the others at 0.",
        json_schema_extra={"step": 0.25, "slider": True},
    )


class KlingCameraConfig(Exact):
    """How far a simple camera move goes along each axis, -10..10; exactly one is not 0."""

    horizontal: float = _axis("Horizontal", "Slides the camera sideways: below 0 to the left, above 0 right.")
    vertical: float = _axis("Vertical", "Lifts or lowers the camera: below 0 down, above 0 up.")
    pan: float = _axis(
        "Pan",
        "Turns the camera where it stands, like shaking the head: below 0 to the left, above 0 to the right. "
        "Kling's documents disagree on pan and tilt; older ones have them the other way round.",
    )
    tilt: float = _axis(
        "Tilt",
        "Tips the camera where it stands, like nodding: below 0 down, above 0 up. "
        "Kling's documents disagree on pan and tilt; older ones have them the other way round.",
    )
    roll: float = _axis(
        "Roll", "Rolls the picture around its centre: below 0 counter-clockwise, above 0 clockwise."
    )
    zoom: float = _axis(
        "Zoom", "Changes the lens: below 0 narrower, so things come closer; above 0 wider, so more is seen."
    )


class KlingCameraControl(Exact):
    """A camera move: `simple` with a config of one axis, or one of four presets without a config."""

    type: CameraType = Field(
        default="simple",
        title="Camera move",
        description="simple: one move of your own, set below. down_back: the camera sinks and moves back. "
        "forward_up: it moves forward and tips up. right_turn_forward, left_turn_forward: it turns, "
        "then moves forward.",
    )
    config: KlingCameraConfig | None = None


class KlingImage(Exact):
    """A picture as it is sent: encoded bytes, and the SHA-256 of its pixels that names it in the take."""

    pixels_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    data: bytes = Field(repr=False)
    mime: Literal["image/png", "image/jpeg"]
    #: A sentence for the artist about what was done to the picture; empty when nothing was.
    note: str = ""

    def base64(self) -> str:
        """The bytes as base64 without a `data:` prefix, which Kling refuses (Kling docs, 2026-03)."""
        return base64.b64encode(self.data).decode("ascii")


def _prompt(description: str) -> Any:
    return Field(default="", title="Prompt", description=description, json_schema_extra={"multiline": True})


def _negative_prompt() -> Any:
    return Field(
        default="",
        title="Negative prompt",
        description="What you don't want to see. Newer models listen to it less: say it in the prompt too.",
        json_schema_extra={"multiline": True},
    )


def _model_name() -> Any:
    return Field(
        default=DEFAULT_MODEL,
        min_length=1,
        title="Model",
        description="Living models come first. The ones at the end were retired by Kling on 2026-09-15.",
    )


def _cfg_scale() -> Any:
    return Field(
        default=DEFAULT_CFG_SCALE,
        ge=0.0,
        le=1.0,
        title="CFG scale",
        description="How closely the video follows the prompt: 0 freely, 1 strictly. "
        "Only the retired v1 models know it.",
        json_schema_extra={"step": 0.01},
    )


def _mode() -> Any:
    return Field(
        default="std",
        title="Mode",
        description="std makes 720p and costs least, pro makes 1080p, 4k exists for some models.",
    )


def _duration() -> Any:
    return Field(
        default="5",
        pattern=DURATION_PATTERN,
        title="Duration",
        description="Length of the video in seconds. With shots, their sum is the length instead.",
    )


def _camera_control() -> Any:
    return Field(
        default=None,
        title="Camera control",
        description="A move made with Kling Camera Controls. No living model has a field for it, "
        "so the move is written into the prompt in words.",
    )


def _sound() -> Any:
    return Field(
        default=None,
        title="Sound",
        description="on makes the video with sound, on models that can; it usually costs more.",
        json_schema_extra={"default": "off", "options": ["off", "on"]},
    )


def _shots() -> Any:
    return Field(
        default=None,
        title="Shots",
        description="Up to six shots made with Kling Shot, cut into one video. The prompt then stays empty.",
    )


class KlingText2VideoRequest(Exact):
    """A video made from words (Kling docs, text2video, 2026-03)."""

    product: ClassVar[Product] = "text2video"

    prompt: str = _prompt("What happens in the video: subject, action, place, light, camera.")
    negative_prompt: str = _negative_prompt()
    model_name: str = _model_name()
    cfg_scale: float = _cfg_scale()
    mode: Mode = _mode()
    duration: str = _duration()
    aspect_ratio: str = Field(
        default="16:9",
        pattern=r"^[0-9]{1,2}:[0-9]{1,2}$",
        title="Aspect ratio",
        description="Width to height of the video.",
    )
    camera_control: KlingCameraControl | None = _camera_control()
    sound: Sound | None = _sound()
    shots: tuple[KlingShot, ...] | None = _shots()


class KlingImage2VideoRequest(Exact):
    """A video that starts from a picture, and may end in another (Kling docs, image2video, 2026-03)."""

    product: ClassVar[Product] = "image2video"

    image: KlingImage | None = Field(default=None, title="Start frame", description="The first picture.")
    image_tail: KlingImage | None = Field(default=None, title="End frame", description="The last picture.")
    prompt: str = _prompt("What happens in the video that starts from this picture.")
    negative_prompt: str = _negative_prompt()
    model_name: str = _model_name()
    cfg_scale: float = _cfg_scale()
    mode: Mode = _mode()
    duration: str = _duration()
    camera_control: KlingCameraControl | None = _camera_control()
    sound: Sound | None = _sound()
    shots: tuple[KlingShot, ...] | None = _shots()


VideoRequest = KlingText2VideoRequest | KlingImage2VideoRequest


def seconds(request: VideoRequest) -> int:
    """The length of the video in seconds: the sum of the shots, or the duration where there are none."""
    if request.shots:
        return sum(shot.duration for shot in request.shots)
    return int(request.duration)


def canonical(request: VideoRequest) -> dict[str, Any]:
    """What names the take: the product and every field that is set, as JSON-able values.

    Left out: None, an empty negative prompt, no shots, sound that is off (which is the default), and the
    axes of a camera move that are 0. A picture stands as the hash of its pixels. With shots the duration
    is their sum.
    """
    found: dict[str, Any] = {"product": request.product}
    for name in type(request).model_fields:
        value = getattr(request, name)
        if (
            value is None
            or (name == "negative_prompt" and value == "")
            or (name == "sound" and value == "off")
        ):
            continue
        if isinstance(value, KlingImage):
            value = {"sha256": value.pixels_sha256}
        elif isinstance(value, KlingCameraControl):
            value = _canonical_camera(value)
        elif isinstance(value, tuple):
            if not value:
                continue
            value = [{"prompt": shot.prompt, "duration": shot.duration} for shot in value]
        elif isinstance(value, float):
            value += 0.0  # -0.0 and 0.0 are one number and must be one take
        elif name == "duration":
            value = str(seconds(request))
        found[name] = value
    return found


def _canonical_camera(control: KlingCameraControl) -> dict[str, Any]:
    found: dict[str, Any] = {"type": control.type}
    if control.config is not None:
        axes = {axis: getattr(control.config, axis) for axis in CAMERA_AXES}
        found["config"] = {axis: value for axis, value in axes.items() if value}
    return found
