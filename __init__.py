"""Kling Takes: Kling video nodes for ComfyUI, on your own Kling key."""

from __future__ import annotations

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, host, price_badge

WEB_DIRECTORY = "./web"

host.add_route(price_badge.PATH, price_badge.answer)

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
