"""The new standard: its rules as tables, and what `/tasks` answers."""

from __future__ import annotations

import pytest

from kling_takes.simulator.answers import Refusal
from kling_takes.simulator.offer import Offer
from kling_takes.simulator.order import Shot, VideoOrder
from kling_takes.simulator.products import PRODUCTS

TURBO, V3, V26, V25 = "kling-3.0-turbo", "kling-3.0", "kling-2.6", "kling-2.5-turbo"


def check(product: str, model: str, body: dict) -> VideoOrder:
    return PRODUCTS[product].read_standard(model, body, Offer())


def text(model: str = TURBO, prompt: str = "a fox", *, settings: dict | None = None, **fields):
    return check("text2video", model, {"prompt": prompt, "settings": settings or {}} | fields)


def frames(model: str, *items: dict, settings: dict | None = None):
    contents = [{"type": "prompt", "text": "a fox"}, *items]
    return check("image2video", model, {"contents": contents, "settings": settings or {}})


def first(picture) -> dict:
    return {"type": "first_frame", "url": picture()}


def last(picture) -> dict:
    return {"type": "last_frame", "url": picture(colour="orange")}


@pytest.mark.parametrize("model", [TURBO, V3, V26, V25])
def test_the_defaults_are_the_documented_ones(model):
    order = text(model)
    assert (order.mode, order.seconds, order.aspect_ratio) == ("std", 5, "16:9")
    assert order.sound is (model == TURBO)


@pytest.mark.parametrize("model", ["kling-v3", "kling-1.6", "kling-4.0", "kling-3.0-omni"])
def test_an_unknown_model_in_the_path_is_a_404(model):
    with pytest.raises(Refusal) as caught:
        text(model)
    assert (caught.value.http, caught.value.code) == (404, 1203)


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        (TURBO, {"resolution": "480p"}, "video resolution value '480p' is invalid"),
        (TURBO, {"resolution": "720P"}, "video resolution value '720P' is invalid"),
        (TURBO, {"resolution": "4k"}, "video resolution value '4k' is invalid"),
        (TURBO, {"duration": 99}, "duration value '99' is invalid"),
        (TURBO, {"duration": 2}, "duration value '2' is invalid"),
        (TURBO, {"duration": "5"}, "duration value '5' is invalid"),
        (TURBO, {"duration": 5.0}, "duration value '5.0' is invalid"),
        (TURBO, {"duration": True}, "duration value 'True' is invalid"),
        (TURBO, {"audio": "native"}, "audio"),
        (TURBO, {"multi_shot": True}, "settings.multi_shot is not supported"),
        (TURBO, {"aspect_ratio": "21:9"}, "aspect_ratio value '21:9' is invalid"),
        (TURBO, {"negative_prompt": "x"}, "settings.negative_prompt is not supported"),
        (V3, {"audio": "original"}, "audio mode 'original' is not supported by the current model"),
        (V3, {"audio": "on"}, "audio value 'on' is invalid"),
        (V3, {"multi_shot": "true"}, "multi_shot value 'true' is invalid"),
        (V26, {"audio": "native"}, "audio mode 'native' is not supported"),
        (V26, {"duration": 7}, "duration value '7' is invalid"),
        (V25, {"audio": "native"}, "settings.audio is not supported"),
    ],
)
def test_a_wrong_setting_is_refused(model, settings, words):
    with pytest.raises(Refusal) as caught:
        text(model, settings=settings)
    assert (caught.value.http, caught.value.code) == (400, 1201)
    assert words in str(caught.value)


@pytest.mark.parametrize(("model", "limit"), [(TURBO, 3072), (V3, 3072), (V26, 2500), (V25, 2500)])
def test_the_prompt_has_the_model_s_limit(model, limit):
    assert text(model, "x" * limit)
    with pytest.raises(Refusal, match=f"prompt length cannot exceed {limit}"):
        text(model, "x" * (limit + 1))


def test_unknown_fields_at_the_top_are_dropped_in_silence():
    order = text(duration=10, mode="pro", sound="on", callback_url="https://x", negative_prompt="x")
    assert (order.seconds, order.mode) == (5, "std")
    assert set(order.ignored) == {"duration", "mode", "sound", "callback_url", "negative_prompt"}


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (None, "contents cannot be empty"),
        ([], "contents cannot be empty"),
        ([{"type": "x"}], "contents[0].type value 'x' is invalid"),
        ([{"type": "prompt", "text": " "}], "content item of type 'prompt' must have non-blank text"),
        (
            [{"type": "first_frame", "url": ""}],
            "content item of type 'first_frame' must have a non-blank url",
        ),
        ([{"type": "prompt", "text": "x" * 2501}], "text length cannot exceed 2500"),
        ([{"type": "prompt", "text": "x"}], "'first_frame' is required"),
        ([{"type": "voice", "voice_id": "1"}], "'voice' is not supported"),
        ([{"type": "element", "element_id": 7}], "Element id not found: 7"),
    ],
)
def test_wrong_contents_are_refused_in_the_recorded_words(contents, words):
    with pytest.raises(Refusal) as caught:
        check("image2video", V3, {"contents": contents})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("model", "settings", "passes"),
    [
        (TURBO, {"resolution": "1080p"}, False),
        (V3, {}, True),
        (V3, {"resolution": "4k", "audio": "native"}, True),
        (V26, {}, False),
        (V26, {"resolution": "1080p"}, True),
        (V26, {"resolution": "1080p", "audio": "native"}, False),
        (V25, {"resolution": "1080p"}, True),
        (V25, {"resolution": "720p"}, False),
    ],
)
def test_a_last_frame_goes_with_these(picture, model, settings, passes):
    if passes:
        assert frames(model, first(picture), last(picture), settings=settings).end
    else:
        with pytest.raises(Refusal, match="last_frame"):
            frames(model, first(picture), last(picture), settings=settings)


def test_a_last_frame_alone_works_nowhere(picture):
    for model in (TURBO, V3, V26, V25):
        with pytest.raises(Refusal, match="first_frame"):
            frames(model, last(picture), settings={"resolution": "1080p"})


def test_shots_are_read_from_the_prompt():
    prompt = "shot 1, 2, a door; opens; shot 2, 3, a garden, in rain;"
    order = text(V3, prompt)
    assert order.shots == (Shot("a door; opens", 2), Shot("a garden, in rain", 3))
    assert text(V3, prompt, settings={"multi_shot": False}).shots == ()
    assert text(TURBO, prompt).shots == order.shots


@pytest.mark.parametrize(
    "prompt",
    [
        "shot 1, 2, a door;",
        "shot 2, 5, a door;",
        "shot 1, 0, a door; shot 2, 5, x;",
        "shot 1, 5, ;",
        f"shot 1, 5, {'x' * 513};",
        "shot 1, 2, a; nonsense shot 2",
        "; ".join(f"shot {n}, 1, x" for n in range(1, 8)),
    ],
)
def test_shots_that_do_not_add_up_are_refused(prompt):
    with pytest.raises(Refusal):
        text(V3, prompt)


async def make(bench, model: str = TURBO, external: str | None = None, **settings) -> str:
    options = {"external_task_id": external} if external else {}
    body = {"prompt": "a fox", "settings": settings, "options": options}
    status, answer = await bench.ask("POST", f"/text-to-video/{model}", json=body)
    assert status == 200, answer
    return str(answer["data"]["id"])


async def tasks(bench, **query) -> list:
    status, answer = await bench.ask("GET", "/tasks", params=query)
    assert status == 200, answer
    return answer["data"]


async def test_a_create_answers_like_the_recorded_one(bench):
    body = {"prompt": "a fox", "options": {"external_task_id": "kt-1"}}
    _, answer = await bench.ask("POST", f"/text-to-video/{TURBO}", json=body)
    assert (answer["code"], answer["message"]) == (0, "SUCCEED")
    data = answer["data"]
    assert data.pop("id").isdigit()
    now = 1_790_000_000_000
    assert data == {
        "status": "submitted",
        "message": "",
        "create_time": now,
        "update_time": now,
        "external_id": "kt-1",
    }


async def test_a_finished_task_looks_like_the_recorded_one(bench):
    identifier = await make(bench, duration=3)
    (running,) = await tasks(bench, task_ids=identifier)
    assert (running["status"], running["outputs"]) == ("submitted", [])
    assert "billing" not in running
    bench.now += 100
    (task,) = await tasks(bench, task_ids=identifier)
    assert task["status"] == "succeeded"
    (output,) = task["outputs"]
    assert (output["type"], output["duration"]) == ("video", "3.000")
    assert task["billing"] == [{"charge_type": "unit", "amount": "2.4", "package_type": "video"}]
    async with bench.session.get(output["url"]) as reply:
        assert reply.status == 200


async def test_a_failed_task_is_billed_nothing(bench):
    body = {"prompt": "a fox [fail]"}
    _, answer = await bench.ask("POST", f"/text-to-video/{TURBO}", json=body)
    bench.now += 100
    (task,) = await tasks(bench, task_ids=answer["data"]["id"])
    assert (task["status"], task["message"]) == ("failed", "Failure to pass the risk control system")
    assert task["billing"][0]["amount"] == "0"
    assert task["outputs"] == []


async def test_unknown_ids_are_no_error(bench):
    status, answer = await bench.ask("GET", "/tasks?external_task_ids=none")
    answer.pop("request_id")
    assert (status, answer) == (200, {"code": 0, "message": "SUCCEED", "data": []})


async def test_no_ids_is_the_recorded_error(bench):
    for query in ("", "?task_ids=", "?task_ids=,"):
        status, answer = await bench.ask("GET", f"/tasks{query}")
        assert (status, answer["code"]) == (400, 1201)
        assert answer["message"] == "task_ids or external_task_ids is required"


async def test_both_kinds_of_ids_or_more_than_20_are_refused(bench):
    assert (await bench.ask("GET", "/tasks?task_ids=1&external_task_ids=a"))[0] == 400
    assert (await bench.ask("GET", "/tasks?task_ids=" + ",".join(map(str, range(21)))))[0] == 400
    assert await tasks(bench, task_ids=",".join(map(str, range(20)))) == []


async def test_several_tasks_come_in_the_asked_order(bench):
    one, two, three = [await make(bench, external=f"kt-{n}") for n in range(3)]
    assert [task["id"] for task in await tasks(bench, task_ids=f"{three},{one},none,{one}")] == [three, one]
    assert [task["id"] for task in await tasks(bench, external_task_ids="kt-1,kt-9")] == [two]
    assert bench.state.lookups == 1
    assert bench.state.polls == 1


async def test_the_two_generations_do_not_find_each_other_s_tasks(bench):
    new, old = await make(bench, external="kt-new"), await bench.made(external_task_id="kt-old")
    assert await tasks(bench, task_ids=old) == []
    assert (await bench.ask("GET", f"/v1/videos/text2video/{new}"))[0] == 400


async def test_a_seeded_omni_video_is_found_through_tasks(bench):
    task = bench.state.seed_task("omni-video", "standard", model="kling-3.0-omni")
    (found,) = await tasks(bench, task_ids=task.id)
    assert found["status"] == "succeeded"


async def test_the_list_has_a_cursor_and_filters(bench):
    bench.state.concurrency_limit = 10
    ids = []
    for number in range(5):
        ids.append(await make(bench, external=f"kt-{number}"))
        bench.now += 100
    ids.append(await make(bench))

    async def page(**body):
        return (await bench.ask("POST", "/tasks", json=body))[1]["data"]

    newest = await page(limit=4)
    assert [task["id"] for task in newest["result"]] == ids[:1:-1]
    assert (newest["count"], newest["has_more"]) == (4, True)
    rest = await page(limit=4, cursor=newest["next_cursor"])
    assert [task["id"] for task in rest["result"]] == ids[1::-1]
    assert (rest["has_more"], rest["next_cursor"]) == (False, "")
    done = await page(filters=[{"key": "status", "values": ["succeeded"]}])
    assert len(done["result"]) == 5
    none = await page(filters=[{"key": "product_type", "values": ["image-to-video"]}])
    assert none["result"] == []
    assert (await page(start_time=0, end_time="1790000000000"))["count"] == 1


@pytest.mark.parametrize(
    "body", [{"limit": 0}, {"limit": 501}, {"cursor": "??"}, {"filters": [{"key": "x"}]}]
)
async def test_a_wrong_list_request_is_refused(bench, body):
    assert (await bench.ask("POST", "/tasks", json=body))[0] == 400


async def test_an_image_video_of_the_new_standard_is_made(bench, picture):
    contents = [{"type": "prompt", "text": "x"}, first(picture)]
    status, answer = await bench.ask("POST", f"/image-to-video/{TURBO}", json={"contents": contents})
    assert status == 200
    assert bench.state.tasks[answer["data"]["id"]].product == "image2video"
