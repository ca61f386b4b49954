"""Say what a workflow's first text-to-video node costs; run through ``launch.py pack devtools.price``."""

from __future__ import annotations

import json
from pathlib import Path

from ..apis.kling.draft import Draft
from ..apis.kling.model_file import load_table
from ..apis.kling.products.text_to_video import TEXT_TO_VIDEO

NODE = "KlingTakesTextToVideo"


def main(argv: list[str]) -> int:
    """Print the model, length and price of the workflow in ``argv[0]``; return 1 where no price is known."""
    workflow = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    inputs = next(node["inputs"] for node in workflow.values() if node["class_type"] == NODE)
    draft, table = Draft.of_widgets(TEXT_TO_VIDEO.request, inputs), load_table()
    spec = table.get(TEXT_TO_VIDEO.model_name(draft))
    price = TEXT_TO_VIDEO.price(draft, spec, table) if spec else None
    if price is None:
        return 1
    print(f"{draft.text('model_name')}, {draft.text('mode')}, {draft.text('duration')} s: {price}")
    return 0
