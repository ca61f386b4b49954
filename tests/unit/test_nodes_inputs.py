"""A pydantic field as a ComfyUI input."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from kling_takes.apis.kling.camera import KlingCameraConfig
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.nodes.inputs import model_field_to_node_input


class Sample(BaseModel):
    text: str = Field("hello", description="Say it.", json_schema_extra={"multiline": True})
    count: int = Field(3, ge=1, le=9, multiple_of=2)
    share: float = Field(0.5, ge=0.0, le=1.0, json_schema_extra={"step": 0.05, "slider": True})
    choice: Literal["a", "b"] = "b"
    maybe: Literal["on", "off"] | None = None
    listed: str = Field("y", json_schema_extra={"options": ["x", "y"]})
    later: str | None = Field(None, json_schema_extra={"default": "off", "options": ["off", "on"]})
    needed: str


@pytest.mark.parametrize(
    ("io_type", "field", "entry"),
    [
        ("STRING", "text", ("STRING", {"default": "hello", "multiline": True, "tooltip": "Say it."})),
        ("INT", "count", ("INT", {"default": 3, "min": 1, "max": 9, "step": 2})),
        (
            "FLOAT",
            "share",
            ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.05, "display": "slider"}),
        ),
        ("COMBO", "choice", (["a", "b"], {"default": "b"})),
        ("COMBO", "maybe", (["on", "off"], {})),
        ("COMBO", "listed", (["x", "y"], {"default": "y"})),
        ("COMBO", "later", (["off", "on"], {"default": "off"})),
        ("STRING", "needed", ("STRING", {})),
    ],
)
def test_everything_a_widget_needs_comes_from_the_field(io_type: str, field: str, entry: Any) -> None:
    assert model_field_to_node_input(io_type, Sample, field) == entry


def test_an_override_wins_over_the_field_and_none_drops_an_option() -> None:
    _, options = model_field_to_node_input("INT", Sample, "count", default=5, step=None)
    assert options == {"default": 5, "min": 1, "max": 9}


def test_choices_given_by_the_caller_win_over_those_of_the_field() -> None:
    choices, options = model_field_to_node_input("COMBO", Sample, "listed", options=["q", "y"])
    assert choices == ["q", "y"]
    assert options == {"default": "y"}


def test_a_combo_without_choices_is_refused() -> None:
    with pytest.raises(ValueError, match="names no choices"):
        model_field_to_node_input("COMBO", Sample, "text")


def test_a_field_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        model_field_to_node_input("STRING", Sample, "nothing")


def test_limits_stay_off_a_widget_that_has_none() -> None:
    _, options = model_field_to_node_input("STRING", Sample, "count")
    assert "min" not in options


@pytest.mark.parametrize("axis", list(KlingCameraConfig.model_fields))
def test_each_camera_axis_is_neutral_and_goes_from_minus_ten_to_ten(axis: str) -> None:
    _, options = model_field_to_node_input("FLOAT", KlingCameraConfig, axis)
    assert (options["default"], options["min"], options["max"]) == (0.0, -10.0, 10.0)


def test_cfg_scale_goes_from_nought_to_one() -> None:
    _, options = model_field_to_node_input("FLOAT", KlingText2VideoRequest, "cfg_scale")
    assert (options["min"], options["max"]) == (0.0, 1.0)
