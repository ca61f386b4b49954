"""The camera move that the two camera nodes take."""

from __future__ import annotations

from typing import Any

from ..apis.errors import refuse
from ..apis.kling.camera import KlingCameraConfig, KlingCameraControl, check_movements
from .base import CATEGORY
from .inputs import model_field_to_node_input
from .validation import WidgetCheck

#: the widgets of the six movements, and the axis each one sets
AXIS_OF_WIDGET = KlingCameraConfig.fields_by_widget()


class KlingCameraControls:
    """Describes one camera move."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck("camera_control_type", *AXIS_OF_WIDGET)
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
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or what is wrong with the move; what is linked is checked when it is known."""
        kind = known.pop("camera_control_type", None)
        problems = check_movements(kind, known) if kind is not None else ()
        return " ".join(problem.text for problem in problems) or True

    def make(self, camera_control_type: str, **movements: float) -> tuple[KlingCameraControl]:
        """Return the move; raises InvalidInput when a simple one has not exactly one movement."""
        refuse(check_movements(camera_control_type, movements))
        axes = {AXIS_OF_WIDGET[widget]: float(value) for widget, value in movements.items()}
        config = KlingCameraConfig(**axes) if camera_control_type == "simple" else None
        return (KlingCameraControl.model_validate({"type": camera_control_type, "config": config}),)
