"""Time the import of the pack in an interpreter that has ComfyUI and all its own nodes loaded.

Run by launch.py as a script inside ComfyUI's folder, with the pack's place in custom_nodes as its argument;
prints seconds. ComfyUI's own ``load_custom_node`` does the import, so the figure is what a user waits.
"""

import asyncio
import sys
import time

import utils.extra_config  # noqa: F401 - first, as in main.py: a later import would find another `utils`
from comfy.cli_args import args

args.cpu = True  # before anything asks for a GPU

import server  # noqa: E402 - needs the line above

import nodes  # noqa: E402 - needs the line above


async def measure(pack: str) -> float:
    """Return the seconds that loading ``pack`` takes once ComfyUI is loaded."""
    server.PromptServer(asyncio.get_running_loop())
    await nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=True)
    core = set(nodes.NODE_CLASS_MAPPINGS)
    begun = time.perf_counter()
    loaded = await nodes.load_custom_node(pack, core, module_parent="custom_nodes")
    taken = time.perf_counter() - begun
    if not loaded:
        sys.exit("the pack could not be imported")
    return taken


print(f"import_seconds={asyncio.run(measure(sys.argv[1]))}")
