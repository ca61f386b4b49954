"""A sound as a file: the tone of its words as WAV or MP3."""

from __future__ import annotations

import io
import threading
import wave
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from .results import Stopped
from .tone import tone

RATE = 44_100  # samples a second
BYTES = 2  # of one sample


def make(words: str, seconds: float, ending: str, target: Path, stop: threading.Event) -> None:
    """Write the sound of `words` to `target`, in the format "wav" or "mp3".

    Raises Stopped when `stop` is set meanwhile, and PyAV's error where its build has no MP3 encoder.
    """
    with target.open("wb") as file:
        _write(words, seconds, ending, file, stop)


def tiny(ending: str) -> bytes:
    """Return one second of sound in a format."""
    target = io.BytesIO()
    _write("tiny", 1.0, ending, target, threading.Event())
    return target.getvalue()


def _write(words: str, seconds: float, ending: str, target: BinaryIO, stop: threading.Event) -> None:
    if ending == "wav":
        _write_wav(words, seconds, target, stop)
    else:
        _write_mp3(words, seconds, target, stop)


def _write_wav(words: str, seconds: float, target: BinaryIO, stop: threading.Event) -> None:
    with wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(BYTES)
        file.setframerate(RATE)
        for piece in tone(words, seconds, RATE):
            if stop.is_set():
                raise Stopped
            file.writeframes((piece.T * 32767).astype("<i2").tobytes())


def _write_mp3(words: str, seconds: float, target: BinaryIO, stop: threading.Event) -> None:
    with av.open(target, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=RATE, layout="stereo")
        written = 0
        for piece in tone(words, seconds, RATE):
            if stop.is_set():
                raise Stopped
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, written
            written += frame.samples
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
