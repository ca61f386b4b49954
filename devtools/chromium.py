"""Find a Chromium for the browser tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)


def find_chromium() -> Path | None:
    """Return the browser that CHROMIUM_PATH names, else one found in the usual places, else None."""
    if named := os.environ.get("CHROMIUM_PATH"):
        return Path(named) if Path(named).is_file() else None
    for command in _COMMANDS:
        if found := shutil.which(command):
            return Path(found)
    return next((Path(place) for place in _PLACES if Path(place).is_file()), None)
