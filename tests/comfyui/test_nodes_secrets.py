"""ComfyUI records what a failed node was given and what it raised; no key and no login may be among it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kling_takes.apis.redaction import MARK, SHORTEST
from kling_takes.tests.comfyui import graphs
from kling_takes.tests.comfyui.harness import error_of

TOKEN = "comfy-token-5c1d-do-not-print"
LOGIN = {"auth_token_comfy_org": TOKEN, "api_key_comfy_org": f"{TOKEN}-key"}
WORDS = {
    "prompt": ["1", 0],
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
}
SAVE = {"filename_prefix": "secrets", "format": "auto", "codec": "auto"}


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("KlingTakesTextToVideo", WORDS),
        ("KlingTakesRecover", {"task_id": ["1", 0], "product": "auto"}),
    ],
)
def test_a_failed_node_leaves_no_comfy_login_in_the_history_or_the_log(
    comfyui: Any, node: str, inputs: dict[str, Any]
) -> None:
    workflow = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": " "}},
        "2": {"class_type": node, "inputs": inputs},
        "3": {"class_type": "SaveVideo", "inputs": {"video": ["2", 0], **SAVE}},
    }
    entry = comfyui.run(workflow, LOGIN)
    assert entry["status"]["status_str"] == "error"
    assert "empty" in json.dumps(entry["status"])
    assert TOKEN not in json.dumps(entry)
    assert TOKEN not in comfyui.logs()


class Parrot:
    """A server that repeats the key that it was sent, in the form of the moment."""

    FORMS = (
        (401, '{"code": 1002, "message": "invalid token Bearer {}", "request_id": "{}"}'),
        (400, '{"code": 1201, "message": "no {half}", "data": {"{}": "{}"}}'),
        (400, '{"code": 1201, "message": "{escaped}"}'),
        (403, "<html>{} {half}</html>"),
        (409, '{"error": {"type": "{}", "message": "no {}"}}'),
        (200, '{"code": 0, "data": {"task_id": "{}", "task_status": "{}"}}'),
        (
            200,
            '{"code": 0, "data": {"task_id": "1", "task_status": "failed", "task_status_msg": "because {}"}}',
        ),
    )

    def __init__(self) -> None:
        self.form = self.FORMS[0]
        self.heard: set[str] = set()
        parrot = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                secret = self.headers.get("X-API-KEY") or self.headers["Authorization"].split(" ")[1]
                parrot.heard.add(secret)
                status, text = parrot.form
                escaped = "".join(f"\\u{ord(char):04x}" for char in secret)
                text = text.replace("{escaped}", escaped).replace("{half}", secret[: len(secret) // 2])
                body = text.replace("{}", secret).encode()
                self.send_response(status, secret)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Echo", secret)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815 - the names are the standard library's

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    made = Parrot()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


@pytest.mark.parametrize("payer", ["a key", "Comfy.org"])
def test_a_server_that_repeats_the_key_is_quoted_without_it_in_history_log_events_and_files(
    comfyui_factory: Callable[..., Any], parrot: Parrot, canary: str, payer: str
) -> None:
    server, login = comfyui_factory(), LOGIN if payer == "Comfy.org" else None
    if login:
        server.start({}, ["--comfy-api-base", parrot.url])
    else:
        server.start({"KLING_API_BASE": parrot.url, "KLING_API_KEY": canary, "KLING_MAX_WAIT_MINUTES": "0.1"})
    recover = {"class_type": "KlingTakesRecover", "inputs": {"task_id": "1", "product": "text2video"}}
    said: list[str] = []
    with server.listen() as events:
        for number, form in enumerate(parrot.FORMS):
            parrot.form = form
            save = {"class_type": "SaveVideo", "inputs": {"video": ["1", 0], **SAVE}}
            account = {"class_type": "KlingTakesAccount", "inputs": {}}
            for workflow in (
                graphs.text_to_video(f"echo {number}"),
                {"1": recover, "2": save},
                {"1": account},
            ):
                entry = server.wait(server.post_prompt(workflow, login, "test"))
                said.append(json.dumps(entry))
                if form[0] != 200 or workflow["1"] is not account:
                    said.append(error_of(entry)["exception_message"])
    said += [json.dumps(events.messages), *(text for _, text in events.texts), server.logs()]
    server.stop()
    for path in server.base_dir.rglob("*"):
        said += [path.name, path.read_bytes().decode("latin-1") if path.is_file() else ""]
    secrets = {canary, *LOGIN.values()} & parrot.heard
    assert secrets
    parts = {each[at : at + SHORTEST] for each in secrets for at in range(len(each) - SHORTEST + 1)}
    assert [(part, text[:200]) for text in said for part in parts if part in text] == []
    assert any(f"invalid token Bearer {MARK}" in text for text in said)
