"""Run an API-format workflow on a ComfyUI server and save what it produces.

    python headless.py example_workflows/api/text_to_video.json --set 1.prompt="A red fox" --output videos

The paths of the saved files go to standard output, everything else to standard error. Exit code 0 means that
every output of the workflow arrived; 1 that something is missing; 130 that it was stopped with Ctrl-C, which
also stops the run on the server. A Kling take that was already paid for is not lost by that: running the
same workflow again collects it.

A Comfy.org API key for nodes that use a Comfy account can be given in the variable COMFY_API_KEY. It goes to
the ComfyUI server you name and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

try:
    import requests
    from tqdm import tqdm
except ImportError as missing:
    sys.exit(
        f"headless.py needs the package {missing.name}. Run it with ComfyUI's Python, or pip install it."
    )

Workflow = dict[str, dict[str, Any]]

#: seconds between two questions to the server
GLANCE = 0.5
#: seconds; connect and read limit of one request
PATIENCE = (10.0, 60.0)
#: seconds a server may be out of reach while the run goes on
OUTAGE = 60.0
#: bytes read at a time; a video never lies in memory as a whole
CHUNK = 1 << 20


class Failure(Exception):
    """The run can't be completed; the text says what happened and what to do."""


class Server:
    """The few requests to a ComfyUI server that a run needs; each raises Failure with what to do."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure(f"--server {url} is not an address. It looks like http://127.0.0.1:8188")
        self.session = requests.Session()
        # A proxy named in the environment has no way to this machine's own loopback.
        self.session.trust_env = parts.hostname not in ("127.0.0.1", "localhost", "::1")

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request; a redirect is not followed, because the body may hold a key."""
        try:
            return self.session.request(
                method, self.url + path, timeout=PATIENCE, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise Failure(
                f"ComfyUI does not answer at {self.url} ({type(error).__name__}). Is it running there? "
                "Start it, or name another address with --server."
            ) from error

    def get(self, path: str) -> Any:
        """GET a JSON answer."""
        return self._json(self.request("GET", path))

    def queue_prompt(self, prompt_id: str, workflow: Workflow) -> dict[str, Any]:
        """POST the workflow and return the answer, which holds ``node_errors`` when it was refused."""
        body: dict[str, Any] = {"prompt": workflow, "prompt_id": prompt_id}
        if key := os.environ.get("COMFY_API_KEY"):
            body["extra_data"] = {"api_key_comfy_org": key}
        reply = self.request("POST", "/prompt", json=body)
        answer: dict[str, Any] = self._json(reply, accept=(200, 400))
        return answer

    def position(self, prompt_id: str) -> int | None:
        """Return 0 while the prompt runs, n while n-1 others wait before it, None when it is in no queue."""
        queue = self.get("/queue")
        if any(item[1] == prompt_id for item in queue["queue_running"]):
            return 0
        waiting = [item[1] for item in sorted(queue["queue_pending"], key=lambda item: item[0])]
        return waiting.index(prompt_id) + 1 if prompt_id in waiting else None

    def cancel(self, prompt_id: str) -> None:
        """Take the prompt out of the queue, or interrupt it if it runs; another one's run is left alone."""
        self.request("POST", "/queue", json={"delete": [prompt_id]})
        if self.position(prompt_id) == 0:
            self.request("POST", "/interrupt", json={"prompt_id": prompt_id})

    def _json(self, reply: requests.Response, accept: tuple[int, ...] = (200,)) -> Any:
        try:
            if reply.status_code in accept:
                return reply.json()
        except ValueError:
            pass
        raise Failure(
            f"{self.url} answered {reply.request.method} {urlsplit(reply.url).path} with HTTP "
            f"{reply.status_code}, and not as ComfyUI does. Is it a ComfyUI server?"
        )


def load_workflow(path: Path) -> Workflow:
    """Return an API-format workflow from its file; raises Failure with the remedy for anything else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise Failure(f"{path} is not a JSON file: {error}.") from error
    if isinstance(data, dict) and isinstance(data.get("nodes"), list):
        raise Failure(
            f"{path} is in the editor's format. Open it in ComfyUI and save it with File > Export (API)."
        )
    if isinstance(data, dict) and isinstance(data.get("prompt"), dict):
        data = data["prompt"]
    if (
        not isinstance(data, dict)
        or not data
        or not all(isinstance(node, dict) and "class_type" in node for node in data.values())
    ):
        raise Failure(f"{path} is not an API-format workflow: each node must have a class_type.")
    return data


def label(workflow: Workflow, node_id: str) -> str:
    """Return how to speak of a node: its id and its title, or its class where it has no title."""
    node = workflow.get(node_id, {})
    title = (node.get("_meta") or {}).get("title") or node.get("class_type")
    return f'Node {node_id} "{title}"' if title else f"Node {node_id}"


def apply_setting(workflow: Workflow, text: str, contracts: dict[str, Any]) -> None:
    """Set one input from NODE.INPUT=VALUE, where NODE is an id or a title; raises Failure where it can't be.

    The value becomes what the input is: text stays text, a number must be one. ``contracts`` is the server's
    /object_info, which knows the inputs that the workflow leaves out.
    """
    target, equals, value = text.partition("=")
    name, dot, input_name = target.rpartition(".")
    if not (equals and dot and name and input_name):
        raise Failure(f"--set {text} is not NODE.INPUT=VALUE, for example 1.prompt=fox")
    node = workflow.get(name)
    if node is None:
        titled = [node for node in workflow.values() if (node.get("_meta") or {}).get("title") == name]
        if len(titled) != 1:
            known = ", ".join(label(workflow, node_id) for node_id in workflow)
            raise Failure(f"--set {text}: no one node is called {name}. The workflow has: {known}.")
        node = titled[0]
    inputs = node.setdefault("inputs", {})
    declared = contracts.get(node["class_type"], {}).get("input", {})
    specs = {**declared.get("required", {}), **declared.get("optional", {})}
    if input_name not in inputs and input_name not in specs:
        known = ", ".join(specs or inputs) or "none"
        raise Failure(f"--set {text}: {node['class_type']} has no input {input_name}. Its inputs: {known}.")
    kind = specs[input_name][0] if input_name in specs else _kind(inputs[input_name])
    inputs[input_name] = _typed(value, kind, text)


def _kind(present: Any) -> str:
    if isinstance(present, bool):
        return "BOOLEAN"
    if isinstance(present, int):
        return "INT"
    return "FLOAT" if isinstance(present, float) else "STRING"


def _typed(value: str, kind: Any, text: str) -> Any:
    try:
        if kind == "INT":
            return int(value)
        if kind == "FLOAT":
            return float(value)
    except ValueError:
        raise Failure(f"--set {text}: this input is a number, and {value!r} is not one.") from None
    if kind == "BOOLEAN":
        if value.lower() not in ("true", "false"):
            raise Failure(f"--set {text}: this input is true or false.")
        return value.lower() == "true"
    return value


def refusal(workflow: Workflow, answer: dict[str, Any]) -> list[str]:
    """Return one line for each node and input that ComfyUI did not accept.

    ComfyUI repeats what a node's own check says for every input the check has looked at. Such a text names
    the input itself, so it is said once for the node and without the inputs it was repeated for.
    """
    lines = []
    for node_id, problem in (answer.get("node_errors") or {}).items():
        inputs_of_text: dict[str, list[str]] = {}
        for error in problem.get("errors", []):
            input_name = (error.get("extra_info") or {}).get("input_name")
            details = str(error.get("details") or "")
            message = str(error.get("message") or "")
            if error.get("type") == "custom_validation_failed":
                # ComfyUI puts "NAME - " before what the node itself has to say.
                text = details.split(" - ", 1)[-1]
            else:
                text = ": ".join(filter(None, [message, details]))
            inputs_of_text.setdefault(text, []).append(str(input_name or ""))
        for text, names in inputs_of_text.items():
            where = f", input {names[0]}" if len(names) == 1 and names[0] else ""
            lines.append(f"{label(workflow, node_id)}{where}: {text}")
    error = answer.get("error")
    if error and not lines:
        if isinstance(error, dict):
            error = " ".join(filter(None, [str(error.get("message", "")), str(error.get("details", ""))]))
        lines.append(str(error))
    return lines


def failures(workflow: Workflow, entry: dict[str, Any]) -> list[str]:
    """Return a sentence for each node that stopped a finished run; an empty list if none did."""
    lines = []
    for kind, detail in (entry.get("status") or {}).get("messages", []):
        node = label(workflow, str(detail.get("node_id")))
        if kind == "execution_error":
            lines.append(f"{node} failed: {str(detail.get('exception_message', '')).strip()}")
        elif kind == "execution_interrupted":
            lines.append(f"{node} was interrupted on the server.")
    return lines


def wait(server: Server, prompt_id: str, deadline: float) -> dict[str, Any]:
    """Show the state of the run until it is finished, and return its history entry."""
    shown = ""
    answered = time.monotonic()
    with tqdm(bar_format="{desc} [{elapsed}]", disable=None, leave=False) as bar:
        while True:
            try:
                place = server.position(prompt_id)
                # Asked after the queue: a run that left the queue in between is in the history by now.
                entry: dict[str, Any] | None = server.get(f"/history/{prompt_id}").get(prompt_id)
                answered = time.monotonic()
            except Failure:
                if time.monotonic() - answered > OUTAGE:
                    raise
                place, entry, state = -1, None, "the server does not answer, trying again"
            if entry is not None:
                return entry
            if place is None:
                raise Failure(
                    "The server no longer knows the run: it was cleared or restarted. Run this again."
                )
            if place >= 0:
                state = "running" if place == 0 else f"waiting in the queue, {place - 1} before it"
            if state != shown and bar.disable:
                print(state, file=sys.stderr, flush=True)
            shown = state
            bar.set_description_str(state)
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(GLANCE)


def files_of(outputs: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield every file (filename, subfolder, type) that a node's outputs name."""
    for items in outputs.values():
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and item.get("filename"):
                yield item


def free_path(folder: Path, filename: str) -> Path:
    """Return a path in ``folder`` that is not taken; the server's name is used without any folder in it."""
    name = PureWindowsPath(PurePosixPath(filename).name).name
    if name in ("", ".", ".."):
        raise Failure(f"The server named an output {filename!r}, which is not a file name.")
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{Path(name).stem}_{number}{Path(name).suffix}"
    return path


def save(server: Server, item: dict[str, str], folder: Path) -> Path:
    """Download one output through /view and return its path; it appears there only when it is whole."""
    keys = ("filename", "subfolder", "type")
    params = {key: item[key] for key in keys if item.get(key)}
    path = free_path(folder, item["filename"])
    part = path.with_name(path.name + ".part")
    try:
        with server.request("GET", "/view", params=params, stream=True) as reply:
            if reply.status_code != 200:
                raise Failure(
                    f"{item['filename']} can't be fetched: /view answered HTTP {reply.status_code}."
                )
            size = int(reply.headers.get("Content-Length") or 0) or None
            with (
                part.open("wb") as out,
                tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None, leave=False) as bar,
            ):
                for chunk in reply.iter_content(CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
            if size is not None and part.stat().st_size != size:
                raise Failure(f"{item['filename']} arrived with {part.stat().st_size} of {size} bytes.")
        part.replace(path)
    except requests.RequestException as error:
        raise Failure(f"{item['filename']} broke off on its way ({type(error).__name__}).") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def collect(
    server: Server, workflow: Workflow, entry: dict[str, Any], wanted: list[str], folder: Path
) -> list[str]:
    """Save all outputs, print their paths, and return a sentence for each that is missing."""
    problems = []
    for node_id in wanted:
        outputs = entry.get("outputs", {}).get(node_id)
        if not outputs:
            problems.append(f"{label(workflow, node_id)} produced no output.")
            continue
        for item in files_of(outputs):
            try:
                print(save(server, item, folder), flush=True)
            except (Failure, OSError) as error:
                problems.append(f"{label(workflow, node_id)}: {error}")
        for text in outputs.get("text", []):
            print(f"{label(workflow, node_id)} says: {text}", file=sys.stderr)
    return problems


def run(server: Server, workflow: Workflow, wanted: list[str], folder: Path, timeout: float) -> list[str]:
    """Queue the workflow, wait, save; return what went wrong, an empty list when all is there."""
    prompt_id = str(uuid.uuid4())  # ours, so that the run can be cancelled even when no answer came
    try:
        answer = server.queue_prompt(prompt_id, workflow)
        problems = refusal(workflow, answer)
        if "prompt_id" not in answer:
            return ["ComfyUI refused the workflow, nothing ran.", *problems]
        prompt_id = str(answer["prompt_id"])
        entry = wait(server, prompt_id, time.monotonic() + timeout)
    except TimeoutError:
        server.cancel(prompt_id)
        return [
            f"It was not finished after {timeout:g} s and was cancelled on the server. A Kling take that is "
            "paid for goes on at Kling: run this again to collect it, or give it longer with --timeout."
        ]
    except KeyboardInterrupt:
        server.cancel(prompt_id)
        raise
    return problems + failures(workflow, entry) + collect(server, workflow, entry, wanted, folder)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("workflow", type=Path, metavar="WORKFLOW_API_JSON")
    made.add_argument("--server", default="http://127.0.0.1:8188", metavar="URL", help="default: %(default)s")
    made.add_argument(
        "--set", action="append", default=[], metavar="NODE.INPUT=VALUE", help="NODE is an id or a title"
    )
    made.add_argument(
        "--output", type=Path, default=Path("output"), metavar="DIR", help="default: %(default)s"
    )
    made.add_argument("--timeout", type=float, default=3600.0, metavar="S", help="default: %(default)g")
    return made


def main(argv: list[str]) -> int:
    """Run the command line and return its exit code."""
    options = parser().parse_args(argv)
    try:
        workflow = load_workflow(options.workflow)
        server = Server(options.server)
        contracts = server.get("/object_info")
        for text in options.set:
            apply_setting(workflow, text, contracts)
        wanted = [
            node_id
            for node_id, node in workflow.items()
            if contracts.get(node["class_type"], {}).get("output_node")
        ]
        options.output.mkdir(parents=True, exist_ok=True)
        with server.session:
            problems = run(server, workflow, wanted, options.output, options.timeout)
    except KeyboardInterrupt:
        print("Stopped, here and on the server.", file=sys.stderr)
        return 130
    except (Failure, OSError) as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _ended(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _ended)  # a stopped container stops the run as Ctrl-C does
    sys.exit(main(sys.argv[1:]))
