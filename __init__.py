"""Kling Takes: Kling video nodes for ComfyUI, on your own Kling key."""

from __future__ import annotations

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, price_badge

WEB_DIRECTORY = "./web"

price_badge.serve()

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
