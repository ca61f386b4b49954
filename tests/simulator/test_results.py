"""Results of every kind, through products that only this file has: pictures, a sound, a film with both."""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from kling_takes.simulator import picture, sound
from kling_takes.simulator.fields import external_id, number, part, text, watermark
from kling_takes.simulator.offer import Offer
from kling_takes.simulator.order import Order
from kling_takes.simulator.product import Product
from kling_takes.simulator.results import File, Kind, Output

SKETCH, HUM, FILM = "/v1/images/sketches", "/v1/audio/hums", "/v1/audio/scored-films"


@dataclass(frozen=True)
class Counted(Order):
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class MadeHere(Product[Counted]):
    """A product whose outputs a test names; `n` in a body multiplies them."""

    yields: tuple[Output, ...]
    package: Kind = "image"

    def read_legacy(self, body: Mapping[str, Any], offer: Offer) -> Counted:
        return self.read(str(body["model_name"]), body, body, body)

    def read_standard(self, model: str, body: Mapping[str, Any], offer: Offer) -> Counted:
        return self.read(model, body, part(body, "settings"), part(body, "options"))

    def read(self, model: str, body: Any, settings: Any, options: Any) -> Counted:
        count = int(number("n", settings.get("n", 1), 1, 9))
        more = {"watermark": watermark(options), "external_task_id": external_id(options)}
        return Counted(self.name, model, text(body, "prompt", 2500), count, **more)

    def sample(self, model: str, prompt: str, seconds: int, external_task_id: str | None) -> Counted:
        return Counted(self.name, model, prompt, external_task_id=external_task_id)

    def units(self, order: Counted) -> float:
        return 8.0 * order.count

    def work(self, order: Counted) -> float:
        return 0.0

    def outputs(self, order: Counted) -> tuple[Output, ...]:
        return self.yields * order.count

    def slots(self, order: Counted) -> int:
        return order.count

    def draw(self, order: Counted, file: File, target: Path, stop: threading.Event) -> None:
        if file.format == "png":
            picture.make(order.prompt, ["320 x 200"], (320, 200), file.place, target)
        else:
            sound.make(order.prompt, 1.5, file.format, target, stop)


ROWS = (
    MadeHere(
        name="sketch",
        legacy_path=SKETCH,
        standard_path="/sketch",
        product_type="sketch-image",
        yields=(Output("image", ("png",)),),
    ),
    MadeHere(
        name="hum",
        package="audio",
        legacy_path=HUM,
        standard_path="/hum",
        yields=(Output("audio", ("mp3", "wav"), 1.5),),
    ),
    MadeHere(
        name="film",
        package="video",
        legacy_path=FILM,
        standard_path="/film",
        yields=(Output("video", ("mp4",), 5.0), Output("audio", ("mp3",), 5.0)),
    ),
)


@pytest.fixture(autouse=True)
def rows(bench) -> None:
    """Let the simulator make the products of this file, and nothing else."""
    bench.state.products = {row.name: row for row in ROWS}
    bench.state.concurrency_limit = 9


async def legacy(bench, path: str, **body: Any) -> tuple[str, Any]:
    """Return the id and the `task_result` of a finished legacy task."""
    data = await bench.finished(path, **body)
    return data["task_id"], data["task_result"]


async def standard(bench, path: str, **body: Any) -> Any:
    """Return a finished task of the new standard."""
    status, answer = await bench.ask("POST", f"{path}/some-model", json={"prompt": "a fox"} | body)
    assert status == 200, answer
    bench.now += 1000
    _, answer = await bench.ask("GET", f"/tasks?task_ids={answer['data']['id']}")
    return answer["data"][0]


def without_links(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an output with each link reduced to the name of its file."""
    return {
        name: value.split("/cdn/")[1].split("?")[0] if "url" in name else value
        for name, value in shown.items()
    }


async def got(bench, url: str) -> tuple[str, bytes]:
    """Return content type and content of a link."""
    async with bench.session.get(url) as reply:
        assert reply.status == 200
        return reply.headers["Content-Type"], await reply.read()


async def test_pictures_of_a_legacy_task_are_counted_from_zero_and_have_no_id(bench):
    task, result = await legacy(bench, SKETCH, n=3)
    assert [without_links(image) for image in result.pop("images")] == [
        {"index": 0, "url": f"{task}.png"},
        {"index": 1, "url": f"{task}-2.png"},
        {"index": 2, "url": f"{task}-3.png"},
    ]
    assert result == {}


async def test_pictures_of_the_new_standard_have_a_group_and_neither_id_nor_index(bench):
    task = await standard(bench, "/sketch", settings={"n": 2})
    first, second = (without_links(output) for output in task["outputs"])
    group = first.pop("group_id")
    assert first == {"type": "image", "url": f"{task['id']}.png"}
    assert second == {"type": "image", "url": f"{task['id']}-2.png", "group_id": group}
    assert task["billing"] == [{"charge_type": "unit", "amount": "16", "package_type": "image"}]


async def test_a_legacy_sound_in_two_formats_has_an_address_and_a_length_for_each(bench):
    task, result = await legacy(bench, HUM)
    (audio,) = result.pop("audios")
    assert audio.pop("id")
    assert without_links(audio) == {
        "url_mp3": f"{task}.mp3",
        "duration_mp3": "1.500",
        "url_wav": f"{task}.wav",
        "duration_wav": "1.500",
    }
    assert result == {}


async def test_a_sound_of_the_new_standard_names_its_formats_the_other_way_round(bench):
    task = await standard(bench, "/hum")
    (audio,) = task["outputs"]
    assert audio.pop("id")
    assert without_links(audio) == {
        "type": "audio",
        "mp3_url": f"{task['id']}.mp3",
        "mp3_duration": "1.500",
        "wav_url": f"{task['id']}.wav",
        "wav_duration": "1.500",
    }
    assert task["billing"][0]["package_type"] == "audio"


async def test_a_legacy_film_and_its_sound_stand_in_two_lists(bench):
    task, result = await legacy(bench, FILM)
    (video,), (audio,) = result.pop("videos"), result.pop("audios")
    assert video.pop("id") != audio.pop("id")
    assert without_links(video) == {"url": f"{task}.mp4", "duration": "5.000"}
    assert without_links(audio) == {"url": f"{task}-2.mp3", "duration": "5.000"}
    assert result == {}


async def test_a_film_and_its_sound_are_two_outputs_of_the_new_standard(bench):
    task = await standard(bench, "/film")
    video, audio = task["outputs"]
    assert video.pop("id") != audio.pop("id")
    assert without_links(video) == {"type": "video", "url": f"{task['id']}.mp4", "duration": "5.000"}
    assert without_links(audio) == {
        "type": "audio",
        "mp3_url": f"{task['id']}-2.mp3",
        "mp3_duration": "5.000",
    }
    assert task["billing"][0]["package_type"] == "video"


async def test_pictures_and_videos_have_a_marked_copy_when_asked_for_and_sounds_never(bench):
    marked = {"watermark_info": {"enabled": True}}
    _, sketches = await legacy(bench, SKETCH, n=2, **marked)
    _, film = await legacy(bench, FILM, **marked)
    new = await standard(bench, "/film", options=marked)
    shown = [*sketches["images"], *film["videos"], new["outputs"][0]]
    for output in shown:
        assert output["watermark_url"] != output["url"]
        assert await got(bench, output["watermark_url"]) == await got(bench, output["url"])
    for output in (*film["audios"], new["outputs"][1]):
        assert not [name for name in output if "watermark" in name]


async def test_each_file_is_served_as_what_it_is(bench):
    _, sketches = await legacy(bench, SKETCH)
    _, hums = await legacy(bench, HUM)
    _, film = await legacy(bench, FILM)
    links = {
        "image/png": sketches["images"][0]["url"],
        "audio/mpeg": hums["audios"][0]["url_mp3"],
        "audio/wav": hums["audios"][0]["url_wav"],
        "video/mp4": film["videos"][0]["url"],
    }
    content = {}
    for kind, url in links.items():
        served, content[kind] = await got(bench, url)
        assert served == kind
    assert Image.open(io.BytesIO(content["image/png"])).size == (64, 64)
    for kind in ("audio/mpeg", "audio/wav", "video/mp4"):
        with av.open(io.BytesIO(content[kind])) as container:
            assert container.duration == pytest.approx(1_000_000, abs=100_000)


async def test_a_part_of_a_picture_can_be_asked_for_and_its_etag_is_its_own(bench):
    _, result = await legacy(bench, SKETCH, n=2)
    one, two = (image["url"] for image in result["images"])
    _, whole = await got(bench, two)
    async with bench.session.get(two, headers={"Range": "bytes=10-19"}) as reply:
        assert (reply.status, await reply.read()) == (206, whole[10:20])
    async with bench.session.head(one) as first, bench.session.head(two) as second:
        assert first.headers["ETag"] != second.headers["ETag"]


async def test_a_file_that_the_task_does_not_have_is_forbidden(bench):
    task, result = await legacy(bench, SKETCH, n=2)
    for other in (f"{task}-3.png", f"{task}.mp4"):
        async with bench.session.get(result["images"][0]["url"].replace(f"{task}.png", other)) as reply:
            assert reply.status == 403


async def test_n_pictures_take_n_slots(bench):
    bench.state.concurrency_limit = 5
    assert (await bench.create(SKETCH, n=3))[0] == 200
    assert (await bench.create(SKETCH, n=3))[1]["code"] == 1303
    assert (await bench.create(SKETCH, n=2))[0] == 200
    assert (await bench.create(HUM))[0] == 200  # packages of another kind have slots of their own


async def test_each_kind_of_package_pays_for_its_own_products(bench):
    bench.state.balance_units = 20.0
    await bench.finished(SKETCH, n=2)
    assert (bench.state.balance(package="image"), bench.state.balance()) == (4.0, 20.0)
    assert (await bench.create(SKETCH))[1]["code"] == 1102
    assert (await bench.create(FILM))[0] == 200


async def test_a_list_of_the_new_standard_can_be_asked_for_one_kind_of_product(bench):
    sketch = await standard(bench, "/sketch")
    await standard(bench, "/hum")
    only = {"filters": [{"key": "product_type", "values": ["sketch-image"]}]}
    _, answer = await bench.ask("POST", "/tasks", json=only)
    assert [task["id"] for task in answer["data"]["result"]] == [sketch["id"]]


async def drawn(bench, path: str, **body: Any) -> tuple[str, Any]:
    """Return the id and the result of a task whose files are drawn in full."""
    bench.state.render = "full"
    identifier = await bench.made(path, **body)
    while bench.state.tasks[identifier].rendering:  # noqa: ASYNC110 - no event for a test to wait on
        await asyncio.sleep(0.01)
    bench.now += 1000
    return identifier, (await bench.task(identifier, path)).get("task_result")


async def test_drawn_pictures_have_their_size_their_words_and_differ(bench):
    _, result = await drawn(bench, SKETCH, n=2)
    pictures = []
    for image in result["images"]:
        _, content = await got(bench, image["url"])
        pictures.append(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int))
    assert [one.shape for one in pictures] == [(200, 320, 3), (200, 320, 3)]
    assert not np.array_equal(*pictures)
    orange = np.abs(pictures[0] - np.array([255, 186, 73])).max(axis=2) < 30
    assert orange[:30, 200:].mean() > 0.1  # SIMULATED, at the top right


async def test_drawn_sounds_differ_by_their_words_and_have_their_length(bench):
    samples = []
    for words in ("a bell", "a whale"):
        _, result = await drawn(bench, HUM, prompt=words)
        _, content = await got(bench, result["audios"][0]["url_wav"])
        with wave.open(io.BytesIO(content)) as file:
            assert (file.getnchannels(), file.getframerate()) == (2, 44100)
            samples.append(file.readframes(file.getnframes()))
        assert len(samples[-1]) == 1.5 * 44100 * 4
        _, content = await got(bench, result["audios"][0]["url_mp3"])
        with av.open(io.BytesIO(content)) as container:
            assert container.duration == pytest.approx(1_500_000, abs=100_000)
    assert samples[0] != samples[1]


async def test_a_picture_that_cannot_be_drawn_is_a_failed_task(bench, monkeypatch, caplog):
    def broken(*_args: Any) -> None:
        raise RuntimeError("no paint")

    monkeypatch.setattr(picture, "make", broken)
    task, result = await drawn(bench, SKETCH, n=2)
    assert result is None
    message = (await bench.task(task, SKETCH))["task_status_msg"]
    assert message == "The simulator could not draw this image: no paint"
    assert bench.state.billed() == []
    assert "no paint" in caplog.text


@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_a_closing_server_stops_a_sound(tmp_path, ending):
    stop = threading.Event()
    stop.set()
    with pytest.raises(sound.Stopped):
        sound.make("a bell", 60.0, ending, tmp_path / "never", stop)
