"""Products that Kling does not sell, and a Kling that sells them: for what must hold whatever the product.

One makes n pictures, one a sound, both in either dialect. The server keeps the forms of Kling's image and
audio pages (2026-09-20), and nothing else: it charges nobody and refuses nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import av
from aiohttp import web
from PIL import Image
from pydantic import BaseModel

from kling_takes.apis.kling.bodies import StandardOptions
from kling_takes.apis.kling.draft import Draft
from kling_takes.apis.kling.models import Condition, DialectName, ModelSpec, ModelTable, Rate, Wait
from kling_takes.apis.kling.problem import Problem
from kling_takes.apis.kling.products.base import Price, Product, price_of
from kling_takes.apis.kling.request import KlingRequest
from kling_takes.apis.kling.schema import Exact
from kling_takes.tests.builders import TABLE


class PicturesRequest(KlingRequest):
    """n pictures; nothing has a default."""

    product: ClassVar[str] = "throwaway-pictures"

    model_name: str
    prompt: str
    n: int


class SoundRequest(KlingRequest):
    """One sound."""

    product: ClassVar[str] = "throwaway-sound"

    model_name: str
    prompt: str


class LegacyBody(Exact):
    model_name: str
    prompt: str
    n: int = 1
    external_task_id: str | None = None


class StandardBody(Exact):
    prompt: str
    n: int = 1
    options: StandardOptions | None = None


class ThrowAway(Product[Any]):
    """Counts how often it is asked."""

    always_in_take = frozenset({"model_name", "prompt"})
    priced_by = ("model_name",)

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def problems(self, draft: Draft, table: ModelTable, dialect: DialectName | None = None) -> list[Problem]:
        self.asked["problems"] += 1
        return super().problems(draft, table, dialect)

    def general_problems(self, draft: Draft, table: ModelTable) -> Iterator[Problem]:
        if draft.text("prompt") == "":
            yield Problem("prompt", "prompt: it is empty.")

    def model_problems(
        self, draft: Draft, spec: ModelSpec, table: ModelTable, dialect: DialectName
    ) -> Iterator[Problem]:
        yield from ()

    def price(self, draft: Draft, spec: ModelSpec, table: ModelTable) -> Price | None:
        self.asked["price"] += 1
        rate = spec.rate({})
        return price_of(rate.units_each or 0.0, table) if rate else None

    def typical_seconds(self, request: Any, spec: ModelSpec) -> float:
        return spec.typical_seconds(None, 0.0, sound=False)

    def timing_key(self, request: Any, spec: ModelSpec) -> str:
        return f"{self.name}/{spec.name}"

    def legacy_body(self, request: Any, spec: ModelSpec) -> BaseModel:
        self.asked["body"] += 1
        return LegacyBody(**request.model_dump())

    def standard_body(self, request: Any, spec: ModelSpec) -> BaseModel:
        self.asked["body"] += 1
        return StandardBody(**request.model_dump(exclude={"model_name"}))


class Pictures(ThrowAway):
    name = PicturesRequest.product
    request = PicturesRequest
    legacy_path = "/v1/images/throwaway"
    standard_path = "/throwaway-pictures"


class Sound(ThrowAway):
    name = SoundRequest.product
    request = SoundRequest
    legacy_path = "/v1/audio/throwaway"
    standard_path = "/throwaway-sound"


def table_with(model: str, preferred: DialectName) -> ModelTable:
    """The model table and one model more, which makes both products in both dialects."""
    spec = ModelSpec(
        name=model,
        title=model,
        dialects={"legacy": model, "standard": model},
        preferred=preferred,
        capabilities={name: (Condition(),) for name in (Pictures.name, Sound.name)},
        prices=(Rate(units_each=0.1),),
        wait={"std": Wait(base=10, per_second=0)},
        source="made up",
        as_of="2026-11-24",
    )
    return dataclasses.replace(TABLE, specs={**TABLE.specs, model: spec})


def png(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(stream, "PNG")
    return stream.getvalue()


def sound(ending: str) -> bytes:
    """A tenth of a second of silence."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=ending) as container:
        track = container.add_stream({"mp3": "mp3", "wav": "pcm_s16le"}[ending], rate=8000)
        silence = av.AudioFrame(format="s16p" if ending == "mp3" else "s16", layout="mono", samples=800)
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        silence.sample_rate = 8000
        container.mux([*track.encode(silence), *track.encode(None)])
    return stream.getvalue()


MP3 = sound("mp3")
WAV = sound("wav")


@dataclasses.dataclass
class Made:
    """One task: its id, ours, and the names of its files."""

    id: str
    external_id: str | None
    files: list[str]


class AnyKling:
    """Makes pictures and sounds in no time; its knobs are what becomes of their links."""

    def __init__(self) -> None:
        self.files = {"1.png": png("red"), "2.png": png("green"), "3.png": png("blue")}
        self.files |= {"s.mp3": MP3, "s.wav": WAV}
        self.pictures = ["1.png", "2.png", "3.png"]
        self.tasks: list[Made] = []
        self.requests: list[str] = []
        self.fetched: Counter[str] = Counter()
        #: files whose first link is dead, that are refused, and that never come
        self.expired: set[str] = set()
        self.refused: set[str] = set()
        self.hanging: set[str] = set()
        #: files that only the first answer names
        self.unnamed: set[str] = set()
        self._queries = 0

    @property
    def creates(self) -> int:
        return len([line for line in self.requests if line.startswith("POST")])

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/files/{name}", self._file)
        app.router.add_get("/tasks", self._standard_query)
        app.router.add_get("/v1/{family}/throwaway/{id}", self._legacy_query)
        app.router.add_post("/v1/{family}/throwaway", self._create)
        app.router.add_post("/{product}/{model}", self._create)
        return app

    def task(self, n: int = 1, *, sound: bool = False, external_id: str | None = None) -> Made:
        """A task that is there already."""
        files = ["s.mp3", "s.wav"] if sound else self.pictures[:n]
        self.tasks.append(Made(str(800 + len(self.tasks)), external_id, files))
        return self.tasks[-1]

    def _note(self, request: web.Request) -> None:
        self.requests.append(f"{request.method} {request.path}")

    async def _create(self, request: web.Request) -> web.Response:
        self._note(request)
        body = await request.json()
        ours = body.get("external_task_id") or body.get("options", {}).get("external_task_id")
        made = self.task(
            body["n"], sound="sound" in request.path or "audio" in request.path, external_id=ours
        )
        if request.path.startswith("/v1/"):
            data = {"task_id": made.id, "task_status": "submitted"}
        else:
            data = {"id": made.id, "status": "submitted", "external_id": ours}
        return web.json_response({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data})

    def _found(self, some_id: str) -> Made | None:
        return next((each for each in self.tasks if some_id in (each.id, each.external_id)), None)

    def _links(self, request: web.Request, made: Made) -> list[str]:
        self._queries += 1
        named = [name for name in made.files if self._queries == 1 or name not in self.unnamed]
        return [f"http://{request.host}/files/{name}?v={self._queries}" for name in named]

    async def _legacy_query(self, request: web.Request) -> web.Response:
        self._note(request)
        made = self._found(request.match_info["id"])
        if made is None:
            return web.json_response({"code": 1201, "message": "Task not found by id"}, status=400)
        links = self._links(request, made)
        if "audio" in request.path:
            sound = {"id": "a", "url_mp3": links[0], "url_wav": links[1], "duration_mp3": "3.2"}
            result: dict[str, Any] = {"audios": [sound]}
        else:  # in no order of their own: the index says which is which
            result = {"images": [{"index": place, "url": link} for place, link in enumerate(links)][::-1]}
        data = {"task_id": made.id, "task_status": "succeed", "task_result": result}
        return web.json_response(
            {"code": 0, "message": "", "data": {**data, "task_info": {"external_task_id": made.external_id}}}
        )

    async def _standard_query(self, request: web.Request) -> web.Response:
        self._note(request)
        made = self._found(request.query.get("task_ids") or request.query["external_task_ids"])
        data = []
        if made is not None:
            links = self._links(request, made)
            outputs: list[dict[str, Any]] = [{"type": "image", "url": link} for link in links]
            if made.files[0] == "s.mp3":
                sound = {"type": "audio", "mp3_url": links[0], "wav_url": links[1], "mp3_duration": "3.2"}
                outputs = [sound]
            data = [
                {"id": made.id, "status": "succeeded", "external_id": made.external_id, "outputs": outputs}
            ]
        return web.json_response({"code": 0, "message": "", "data": data})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.fetched[name] += 1
        if name in self.hanging:
            await asyncio.sleep(60)
        if name in self.expired and request.query["v"] == "1":
            return web.Response(status=403)
        if name in self.refused:
            return web.Response(status=418)
        return web.Response(body=self.files[name], content_type="application/octet-stream")
