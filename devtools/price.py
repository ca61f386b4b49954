"""Say what a workflow's first text-to-video node costs; run through `launch.py pack devtools.price`."""

from __future__ import annotations

import json
from pathlib import Path

NODE = "KlingTakesTextToVideo"


def main(argv: list[str]) -> int:
    """Print the model, length and price of the workflow in `argv[0]`; 1 where no price is known."""
    from ..apis.kling.models import ModelTable
    from ..apis.kling.price import estimate
    from ..apis.kling.requests import KlingText2VideoRequest

    workflow = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    inputs = next(node["inputs"] for node in workflow.values() if node["class_type"] == NODE)
    fields = {name: value for name, value in inputs.items() if name in KlingText2VideoRequest.model_fields}
    request = KlingText2VideoRequest(**fields)
    price = estimate(request, ModelTable.load())
    if price is None:
        return 1
    print(f"{request.model_name}, {request.mode}, {request.duration} s: {price}")
    return 0
