"""The camera move that the two camera nodes take."""

from __future__ import annotations

from typing import Any

from ..apis.errors import InvalidInput
from ..apis.kling.camera import KlingCameraConfig, KlingCameraControl, check_camera
from .base import CATEGORY
from .inputs import model_field_to_node_input
from .validation import WidgetCheck

#: the widgets of the six movements, and the axis each one sets
AXIS_OF_WIDGET = KlingCameraConfig.fields_by_widget()


class KlingCameraControls:
    """Describes one camera move."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck()
    DESCRIPTION = (
        "One camera move for the two Camera Control nodes. With simple, set exactly one of the six movements "
        "and leave the others at 0. The four other types are ready-made moves and take no numbers."
    )
    RETURN_TYPES = ("CAMERA_CONTROL",)
    RETURN_NAMES = ("camera_control",)
    OUTPUT_TOOLTIPS = ("The move, for the input camera_control of a Camera Control node.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the type of the move and the six numbers of a simple one, each -10..10."""
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
    def judged_inputs(cls) -> list[str]:
        """Return all of them."""
        return ["camera_control_type", *AXIS_OF_WIDGET]

    @classmethod
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or what is wrong with the move; what is linked is checked when it is known."""
        movements = {name: known[name] for name in AXIS_OF_WIDGET if name in known}
        if "camera_control_type" not in known:
            return True
        return problem_of_move(known["camera_control_type"], movements) or True

    def make(self, camera_control_type: str, **movements: float) -> tuple[KlingCameraControl]:
        """Return the move; raises InvalidInput when a simple one has not exactly one movement."""
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
    """Return what is wrong with a move, or None; movements that are not known yet are left out."""
    types = model_field_to_node_input("COMBO", KlingCameraControl, "type")[0]
    if kind not in types:
        return f"camera_control_type: there is no move {kind!r}. Choose one of {', '.join(types)}."
    axes = {AXIS_OF_WIDGET[widget]: value for widget, value in movements.items()}
    widgets = {axis: KlingCameraConfig.widget_of(axis) for axis in AXIS_OF_WIDGET.values()}
    return " ".join(problem.text for problem in check_camera(kind, axes, widgets)) or None
