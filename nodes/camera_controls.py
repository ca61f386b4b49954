"""The camera move that the two camera nodes take."""

from __future__ import annotations

from typing import Any

from ..apis.errors import InvalidInput
from ..apis.kling import rules
from ..apis.kling.requests import KlingCameraConfig, KlingCameraControl
from .base import ABSENT, CATEGORY
from .inputs import model_field_to_node_input

#: the widgets of the source page's node, and the axis each one sets
AXIS_OF_WIDGET = {
    "horizontal_movement": "horizontal",
    "vertical_movement": "vertical",
    "pan": "pan",
    "tilt": "tilt",
    "roll": "roll",
    "zoom": "zoom",
}


class KlingCameraControls:
    """Describes one camera move."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "One camera move for the two Camera Control nodes. With simple, set exactly one of the six movements "
        "and leave the others at 0. The four other types are ready-made moves and take no numbers."
    )
    RETURN_TYPES = ("CAMERA_CONTROL",)
    RETURN_NAMES = ("camera_control",)
    OUTPUT_TOOLTIPS = ("The move, for the input camera_control of a Camera Control node.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The type of the move and the six numbers of a simple one, each -10..10."""
        axes = {
            widget: model_field_to_node_input("FLOAT", KlingCameraConfig, axis)
            for widget, axis in AXIS_OF_WIDGET.items()
        }
        return {
            "required": {
                "camera_control_type": model_field_to_node_input("COMBO", KlingCameraControl, "type"),
                **axes,
            }
        }

    @classmethod
    def VALIDATE_INPUTS(
        cls,
        camera_control_type: Any = ABSENT,
        horizontal_movement: Any = ABSENT,
        vertical_movement: Any = ABSENT,
        pan: Any = ABSENT,
        tilt: Any = ABSENT,
        roll: Any = ABSENT,
        zoom: Any = ABSENT,
    ) -> bool | str:
        """Refuse a simple move without exactly one movement; what is linked is checked when it is known."""
        given = {
            "horizontal_movement": horizontal_movement,
            "vertical_movement": vertical_movement,
            "pan": pan,
            "tilt": tilt,
            "roll": roll,
            "zoom": zoom,
        }
        known = {name: value for name, value in given.items() if value is not None and value is not ABSENT}
        if camera_control_type is None or camera_control_type is ABSENT:
            return True
        return problem_of_move(camera_control_type, known) or True

    def make(self, camera_control_type: str, **movements: float) -> tuple[KlingCameraControl]:
        """Give the move; raises InvalidInput when a simple one has not exactly one movement."""
        problem = problem_of_move(camera_control_type, movements)
        if problem:
            raise InvalidInput(problem, widget="camera_control_type")
        if camera_control_type != "simple":
            return (KlingCameraControl.model_validate({"type": camera_control_type}),)
        config = KlingCameraConfig(
            **{AXIS_OF_WIDGET[widget]: float(value) for widget, value in movements.items()}
        )
        return (KlingCameraControl(type="simple", config=config),)


def problem_of_move(kind: str, movements: dict[str, float]) -> str | None:
    """Say what is wrong with a move, or None; movements that are not known yet are left out."""
    types = model_field_to_node_input("COMBO", KlingCameraControl, "type")[0]
    if kind not in types:
        return f"camera_control_type: there is no move {kind!r}. Choose one of {', '.join(types)}."
    axes = {AXIS_OF_WIDGET[widget]: value for widget, value in movements.items()}
    widgets = {axis: widget for widget, axis in AXIS_OF_WIDGET.items()}
    return " ".join(problem.text for problem in rules.check_camera(kind, axes, widgets)) or None
