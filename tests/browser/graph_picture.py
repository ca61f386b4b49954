"""Make the picture of the README anew: the text to video example after a run on the built-in simulator.

    .dev/venv/bin/python devtools/launch.py pack tests.browser.graph_picture

Needs what `python3 dev.py test` sets up. Writes `docs/images/graph.jpg`; look at it before you commit it.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from ...devtools.chromium import find_chromium
from ...devtools.comfyui import ROOT, ComfyUIProcess
from .editor import editor

TARGET = ROOT / "docs" / "images" / "graph.jpg"
NODE = "KlingTakesTextToVideo"
WIDTH = 1400  #: pixels
LARGEST = 250_000  #: bytes
#: seconds into the video: far enough that it shows its title and has moved
MOMENT = 1.6


def shoot(url: str, chromium: Path) -> bytes:
    """Run the example on the ComfyUI at `url` and return the part of the page with its nodes, as a PNG."""
    with editor(url, chromium, 1600, 1000) as opened:
        opened.load_example("text_to_video")
        opened.tidy()
        opened.press_run()
        opened.wait_for_text(NODE, "Delivered")
        opened.wait_for_video()
        opened.page.evaluate(
            """async (moment) => {
                const video = document.querySelector('video')
                video.pause()
                video.controls = false
                video.currentTime = moment
                await new Promise((done) => video.addEventListener('seeked', done, {once: true}))
            }""",
            MOMENT,
        )
        opened.page.wait_for_timeout(500)
        return opened.page.screenshot(clip=opened.graph_box())


def as_jpeg(png: bytes) -> bytes:
    """Return the picture at the README's width, at the best quality that stays below LARGEST."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > WIDTH:
        size = (WIDTH, round(picture.height * WIDTH / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    for quality in range(92, 50, -4):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= LARGEST:
            return out.getvalue()
    raise ValueError(f"the picture does not fit into {LARGEST} bytes")


def main(_argv: list[str]) -> int:
    """Write the picture and return the exit code."""
    chromium = find_chromium()
    comfyui = ROOT / ".dev" / "comfyui"
    if chromium is None or not (comfyui / "main.py").is_file():
        sys.exit("Run `python3 dev.py test` once: it sets up ComfyUI and a browser.")
    with tempfile.TemporaryDirectory(prefix="kling-takes-picture-") as base:
        server = ComfyUIProcess(Path(sys.executable), comfyui, Path(base), env={"KLING_BACKEND": "simulator"})
        try:
            server.start()
            jpeg = as_jpeg(shoot(server.url, chromium))
        finally:
            server.child.stop()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(jpeg)
    sys.stdout.write(f"{TARGET}: {len(jpeg)} bytes\n")
    return 0
