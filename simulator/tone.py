"""The sound of a simulated result: a soft chord that follows from the words and swells a little."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FRAME = 1024  # samples of one AAC frame; an MP3 encoder takes them too
LEVEL = 0.16  # of full scale
FADE = 0.6  # seconds
_CHORDS = ((0, 7, 12, 16), (0, 5, 9, 12), (0, 7, 10, 14), (0, 4, 7, 11))  # semitones
_LOWEST = 146.83  # Hz, a low D


def tone(words: str, seconds: float, rate: int) -> Iterator[NDArray[np.float32]]:
    """Yield the sound in pieces of [2, up to 1024] float32, -1..1; `seconds` * `rate` samples in all."""
    seed = hashlib.sha256(words.encode()).digest()
    chord = _CHORDS[seed[0] % len(_CHORDS)]
    root = _LOWEST * 2 ** (seed[1] % 8 / 12)
    total = round(seconds * rate)
    for start in range(0, total, FRAME):
        at = np.arange(start, min(start + FRAME, total)) / rate
        sides = [_voice(at, root, chord, side) for side in (-1, 1)]
        envelope = np.clip(np.minimum(at, seconds - at) / FADE, 0, 1)
        yield (np.stack(sides) * envelope * LEVEL).astype(np.float32)


def _voice(at: NDArray[np.float64], root: float, chord: tuple[int, ...], side: int) -> NDArray[np.float64]:
    voice = np.zeros_like(at)
    for place, step in enumerate(chord):
        # A hair out of tune between left and right: it sounds wide instead of like a test signal.
        pitch = root * 2 ** (step / 12) * (1 + side * 0.0006 * (place + 1))
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * (at * (0.11 + 0.05 * place) + place / 4))
        voice += np.sin(2 * np.pi * pitch * at) * swell / (place + 2)
    return voice
