"""Say what is in a video file; run through ``launch.py pack devtools.probe FILE``."""

from __future__ import annotations

from pathlib import Path


def describe(path: Path) -> str:
    """Return one line: size, length, codec, picture size and rate of the first video stream."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        seconds = float(container.duration or 0) / av.time_base
        rate = float(stream.average_rate or 0)
        megabytes = path.stat().st_size / 1e6
        sound = ", with sound" if container.streams.audio else ""
        codec = {"h264": "H.264"}.get(stream.codec_context.name, stream.codec_context.name)
        picture = f"{stream.width}x{stream.height}, {rate:g} fps"
        return f"{megabytes:.2f} MB, {seconds:.2f} s, {codec}, {picture}{sound}"


def main(argv: list[str]) -> int:
    """Describe each file that is named."""
    for name in argv:
        print(describe(Path(name)))
    return 0
