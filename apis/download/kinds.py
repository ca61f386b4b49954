"""What is particular to a video, an image or a sound that is downloaded: a table.

A video is known by what it is not, because Kling may change its container any day. An image and a sound are
known by their first bytes, because whatever opens them later says less than we can.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..kling.responses import OutputKind

_MESSAGES = r"text/|application/([a-z.-]+\+)?(json|xml)|application/xhtml"


@dataclass(frozen=True)
class FileKind:
    """One kind of result, as a link gives it and as sentences call it."""

    noun: str
    a_noun: str
    formats: str  #: what it has to be, where ``signature`` says so
    extent: str  #: the word for how much of it there is: a video is long, an image is large
    suffixes: tuple[str, ...]  #: of its file; the first one where the link has none of them
    wrong_types: re.Pattern[str]  #: beginnings of a Content-Type that no file of this kind has
    signature: re.Pattern[bytes]  #: how its bytes begin
    signature_bytes: int  #: how many bytes it takes to see that
    max_bytes: int  #: of the whole file; Kling's largest are far below


KINDS: Mapping[OutputKind, FileKind] = {
    "video": FileKind(
        noun="video",
        a_noun="a video",
        formats="a video",
        extent="long",
        suffixes=(".mp4", ".mov", ".webm"),
        wrong_types=re.compile(_MESSAGES + "|image/", re.IGNORECASE),
        signature=re.compile(b""),
        signature_bytes=0,
        max_bytes=4 << 30,
    ),
    "image": FileKind(
        noun="image",
        a_noun="an image",
        formats="a PNG, JPEG or WebP image",
        extent="large",
        suffixes=(".png", ".jpg", ".jpeg", ".webp"),
        wrong_types=re.compile(_MESSAGES, re.IGNORECASE),
        signature=re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP", re.DOTALL),
        signature_bytes=12,
        max_bytes=256 << 20,
    ),
    "audio": FileKind(
        noun="sound",
        a_noun="a sound",
        formats="an MP3, WAV or MP4 sound",
        extent="long",
        suffixes=(".mp3", ".wav", ".m4a"),
        wrong_types=re.compile(_MESSAGES + "|image/", re.IGNORECASE),
        # An MP3 without a tag begins with the header of a layer III frame.
        signature=re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]|RIFF....WAVE|....ftyp", re.DOTALL),
        signature_bytes=12,
        max_bytes=512 << 20,
    ),
}
