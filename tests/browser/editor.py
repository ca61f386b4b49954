"""ComfyUI's editor in a real browser: open it, load an example, press Run, look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

#: what keeps a browser in a container quiet and off the network
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)
#: milliseconds
PATIENCE = 30_000
#: no first-run tour, no map and no figures over the graph
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Minimap.Visible": False,
    "Comfy.Graph.CanvasInfo": False,
}
#: addresses under which this pack's script runs and asks; help pages are not among them, because the editor
#: looks for one in its language first and takes the absence for an answer
OURS = ("/extensions/kling-takes/kling_takes.js", "/kling_takes/")


class Editor:
    """One open page; `complaints` are the errors on its console and the exceptions of its scripts."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"{error.message}\n{error.stack}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def of_ours(self) -> list[str]:
        """The complaints that name a file of this pack or an address it answers."""
        return [line for line in self.complaints if any(place in line for place in OURS)]

    def open(self) -> Editor:
        """Load the page and wait until our nodes can be used."""
        self.page.goto(self.url)
        self.page.wait_for_function(
            "() => !!window.app?.graph && !!window.app?.canvas"
            " && window.LiteGraph?.registered_node_types['KlingTakesTextToVideo'] !== undefined"
        )
        return self

    def load_example(self, name: str) -> None:
        """Load an example as the template browser does, from the address where ComfyUI serves it."""
        self.page.evaluate(
            """async (name) => {
                const answer = await fetch(`/api/workflow_templates/kling-takes/${name}.json`)
                if (!answer.ok) throw new Error(`no template ${name}: HTTP ${answer.status}`)
                await window.app.loadGraphData(await answer.json(), true, true, name)
            }""",
            name,
        )
        self.page.wait_for_function("() => window.app.graph.nodes.length > 0")

    def as_api(self) -> dict[str, Any]:
        """The API form of the loaded graph, as the editor would send it."""
        found: dict[str, Any] = self.page.evaluate("async () => (await window.app.graphToPrompt()).output")
        return found

    def press_run(self) -> None:
        """Click the Run button."""
        self.page.get_by_role("button", name="Run", exact=True).first.click()
        self.page.mouse.move(5, 600)  # away, or the button's hint lies over the graph

    def node_text(self, node_class: str) -> str:
        """The line that the node shows under its widgets, or ''."""
        found: str = self.page.evaluate(
            """(name) => {
                const node = window.app.graph.nodes.find((one) => one.type === name)
                const widget = node.widgets.find((one) => one.name === '$$node-text-preview')
                return String(widget?.value ?? '')
            }""",
            node_class,
        )
        return found

    def wait_for_text(self, node_class: str, part: str) -> str:
        """Wait until the node's line has `part` in it and return the line."""
        self.page.wait_for_function(
            """([name, part]) => {
                const node = window.app.graph.nodes.find((one) => one.type === name)
                const widget = node?.widgets.find((one) => one.name === '$$node-text-preview')
                return String(widget?.value ?? '').includes(part)
            }""",
            arg=[node_class, part],
        )
        return self.node_text(node_class)

    def wait_for_video(self) -> dict[str, float]:
        """Wait until a video plays on a node; its pixels and seconds, and the size at which it is shown."""
        handle = self.page.wait_for_function(
            """() => {
                const video = document.querySelector('video')
                if (!video || video.readyState < 2) return null
                const box = video.getBoundingClientRect()
                if (box.width < 50 || box.height < 50) return null
                return {width: video.videoWidth, height: video.videoHeight, seconds: video.duration,
                        shown_width: box.width, shown_height: box.height}
            }"""
        )
        found: dict[str, float] = handle.json_value()
        return found

    def badge(self, node_class: str) -> str:
        """The text of the price badge of a node, '' while there is none."""
        found: str = self.page.evaluate(
            """(name) => {
                const node = window.app.graph.nodes.find((one) => one.type === name)
                return node.badges.map((one) => (typeof one === 'function' ? one() : one).text ?? '')
                    .find((text) => text.includes('$')) ?? ''
            }""",
            node_class,
        )
        return found

    def wait_for_badge(self, node_class: str, text: str) -> None:
        """Wait until the price badge of a node says `text`."""
        self.page.wait_for_function(
            """([name, text]) => {
                const node = window.app.graph.nodes.find((one) => one.type === name)
                return node.badges.some((one) => (typeof one === 'function' ? one() : one).text === text)
            }""",
            arg=[node_class, text],
        )

    def select(self, node_class: str) -> None:
        """Select a node, which shows its toolbox."""
        self.page.evaluate(
            """(name) => window.app.canvas.selectNode(
                window.app.graph.nodes.find((one) => one.type === name))""",
            node_class,
        )

    def set_widget(self, node_class: str, widget: str, value: object) -> None:
        """Choose a value in a widget."""
        self.page.evaluate(
            """([name, widget, value]) => {
                const node = window.app.graph.nodes.find((one) => one.type === name)
                const found = node.widgets.find((one) => one.name === widget)
                found.value = value
                found.callback?.(value)
                window.app.graph.setDirtyCanvas(true, true)
            }""",
            [node_class, widget, value],
        )

    def tidy(self) -> None:
        """Close what the editor announces, and put the whole graph into view."""
        banner = self.page.locator("div:has(> div > span:text('Introducing Nodes 2.0')) > button")
        if banner.count():
            banner.click()
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(800)  # the view glides there

    def nodes_on_page(self) -> list[dict[str, Any]]:
        """Where the upper left corner of each node is, title included, in pixels of the page."""
        found: list[dict[str, Any]] = self.page.evaluate(
            """() => {
                const {canvas, graph} = window.app
                const {scale, offset} = canvas.ds
                const place = canvas.canvas.getBoundingClientRect()
                return graph.nodes.map((node) => ({
                    type: node.type,
                    left: (node.boundingRect[0] + offset[0]) * scale + place.left,
                    top: (node.boundingRect[1] + offset[1]) * scale + place.top,
                }))
            }"""
        )
        return found

    def graph_box(self, margin: float = 24.0, above: float = 34.0) -> dict[str, float]:
        """Where the nodes are on the page, in pixels, with air around them; `above` is for the badges."""
        box: dict[str, float] = self.page.evaluate(
            """([margin, above]) => {
                const {canvas, graph} = window.app
                const {scale, offset} = canvas.ds
                const place = canvas.canvas.getBoundingClientRect()
                const edge = {left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity}
                for (const node of graph.nodes) {
                    const [x, y, width, height] = node.boundingRect
                    edge.left = Math.min(edge.left, x)
                    edge.top = Math.min(edge.top, y)
                    edge.right = Math.max(edge.right, x + width)
                    edge.bottom = Math.max(edge.bottom, y + height)
                }
                const left = (edge.left + offset[0]) * scale + place.left - margin
                const top = (edge.top + offset[1]) * scale + place.top - margin - above
                return {x: left, y: top,
                        width: (edge.right - edge.left) * scale + 2 * margin,
                        height: (edge.bottom - edge.top) * scale + 2 * margin + above}
            }""",
            [margin, above],
        )
        return box

    def screenshot(self, path: Path) -> Path:
        """Keep what is to be seen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))
        return path


@contextmanager
def editor(url: str, chromium: Path, width: int = 1600, height: int = 900) -> Iterator[Editor]:
    """Open the editor of the ComfyUI at `url` in a browser window of this size."""
    requests.post(f"{url}/settings", json=SETTINGS, timeout=30).raise_for_status()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=list(ARGS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            yield Editor(page, url).open()
        finally:
            browser.close()
