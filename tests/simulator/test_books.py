"""The books: one id is one task, what the account allows, and what is billed when."""

from __future__ import annotations

import pytest

from kling_takes.simulator import prices
from kling_takes.simulator.offer import Offer
from kling_takes.simulator.products import PRODUCTS

T2V = "/v1/videos/text2video"
I2V = "/v1/videos/image2video"
COSTS = "/account/costs?start_time=1789000000000&end_time=1790000000000"


async def test_an_external_id_works_once_in_an_account_whatever_the_product_or_generation(bench, picture):
    await bench.made(external_task_id="kt-1")
    expected = (400, 1201, "External_task_id kt-1 already exists")
    new = {"prompt": "x", "options": {"external_task_id": "kt-1"}}
    for reply in (
        await bench.create(external_task_id="kt-1"),
        await bench.create(I2V, external_task_id="kt-1", image=picture()),
        await bench.ask("POST", "/text-to-video/kling-3.0", json=new),
    ):
        assert (reply[0], reply[1]["code"], reply[1]["message"]) == expected
    assert bench.state.creates_accepted == 1
    bench.state.api_keys["api-key-kling-other"] = "other"
    body = {"model_name": "kling-v2-6", "prompt": "x", "external_task_id": "kt-1"}
    assert (await bench.ask("POST", T2V, key="api-key-kling-other", json=body))[0] == 200


async def test_a_failed_task_keeps_its_external_id(bench):
    await bench.finished(prompt="[fail]", external_task_id="kt-1")
    assert (await bench.create(external_task_id="kt-1"))[0] == 400


async def test_a_refused_create_leaves_its_external_id_free(bench):
    assert (await bench.create(prompt="[refuse]", external_task_id="kt-1"))[1]["code"] == 1301
    assert (await bench.create(external_task_id="kt-1"))[0] == 200


async def test_a_blind_lookup_misses_for_a_while_but_the_id_is_taken_at_once(bench):
    bench.state.lookup_blind_seconds = 10
    identifier = await bench.made(external_task_id="kt-1")
    assert (await bench.ask("GET", f"{T2V}/kt-1"))[0] == 400
    assert (await bench.ask("GET", f"{T2V}/{identifier}"))[0] == 200
    assert "already exists" in (await bench.create(external_task_id="kt-1"))[1]["message"]
    bench.now += 10
    assert (await bench.task("kt-1"))["task_id"] == identifier


async def test_the_limit_counts_unfinished_tasks_of_one_model_and_account(bench):
    bench.state.concurrency_limit = 2
    await bench.made()
    await bench.made(prompt="[fail]")
    status, answer = await bench.create()
    answer.pop("request_id")
    assert (status, answer) == (429, {"code": 1303, "message": "parallel task over resource pack limit"})
    assert (await bench.create(model_name="kling-v3"))[0] == 200
    bench.state.api_keys["api-key-kling-other"] = "other"
    body = {"model_name": "kling-v2-6", "prompt": "x"}
    assert (await bench.ask("POST", T2V, key="api-key-kling-other", json=body))[0] == 200
    bench.now += 6.9
    assert (await bench.create())[0] == 429
    bench.now += 0.2
    assert (await bench.create())[0] == 200


async def test_units_go_at_completion_and_only_for_success(bench):
    start = bench.state.balance()
    await bench.made()
    await bench.made(prompt="[fail]")
    assert bench.state.balance() == start
    assert bench.state.billed() == []
    assert len(bench.state.committed()) == 1
    bench.now += 1000
    assert [task.billed_units for task in bench.state.billed()] == [1.5]
    assert bench.state.balance() == start - 1.5


async def test_what_is_finished_stays_finished_when_the_clock_jumps_back(bench):
    data = await bench.finished()
    bench.now -= 900_000
    assert await bench.task(data["task_id"]) == data
    bench.now += 1_800_000
    assert len(bench.state.billed()) == 1
    assert bench.state.balance() == 998.5


async def test_an_account_refuses_what_its_running_tasks_leave_no_units_for(bench):
    bench.state.balance_units = 3.0
    await bench.made()
    await bench.made()
    status, answer = await bench.create()
    assert (status, answer["code"], answer["message"]) == (429, 1102, "Account balance not enough")
    bench.now += 1000
    assert (await bench.create())[1]["code"] == 1102


@pytest.mark.parametrize(
    ("code", "status"), [(1100, 429), (1101, 429), (1102, 429), (1103, 403), (1300, 400), (1304, 429)]
)
async def test_every_create_can_be_refused_by_a_code_of_the_table(bench, code, status):
    bench.state.refuse_code = code
    found, answer = await bench.create()
    assert (found, answer["code"]) == (status, code)
    assert "data" not in answer
    assert bench.state.refusals == {(status, code): 1}


async def test_refusals_can_come_with_http_200(bench):
    bench.state.refusals_as_200 = True
    status, answer = await bench.create(prompt="")
    assert (status, answer["code"]) == (200, 1201)


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({"model_name": "kling-v2-5-turbo"}, "1.5"),
        ({"model_name": "kling-v2-5-turbo", "mode": "pro", "duration": "10"}, "5"),
        ({"model_name": "kling-v2-6", "mode": "pro"}, "2.5"),
        ({"model_name": "kling-v2-6", "mode": "pro", "sound": "on"}, "5"),
        ({"model_name": "kling-v3"}, "3"),
        ({"model_name": "kling-v3", "sound": "on"}, "4.5"),
        ({"model_name": "kling-v3", "mode": "pro", "duration": "3"}, "2.4"),
        ({"model_name": "kling-v3", "mode": "pro", "sound": "on"}, "6"),
        ({"model_name": "kling-v3", "mode": "4k", "duration": "15"}, "45"),
    ],
)
async def test_the_deduction_is_the_price_list_s(bench, fields, units):
    assert (await bench.finished(**fields))["final_unit_deduction"] == units


def test_a_voice_of_one_s_own_and_an_unpriced_model_have_a_price(picture):
    product = PRODUCTS["image2video"]
    body = {"model_name": "kling-v2-6", "prompt": "x", "mode": "pro", "sound": "on", "image": picture()}
    spoken = product.read_legacy(body | {"voice_list": [{"voice_id": "1"}]}, Offer())
    assert product.units(spoken) == 6.0
    assert prices.units_per_second("made-up", "std", sound=False) == 1.0


async def test_the_account_shows_its_pack(bench):
    bench.state.balance_units = 100
    bench.state.concurrency_limit = 4
    await bench.finished()
    status, answer = await bench.ask("GET", COSTS)
    assert (status, answer["code"], answer["data"]["code"]) == (200, 0, 0)
    (pack,) = answer["data"]["resource_pack_subscribe_infos"]
    assert "4Con" in pack["resource_pack_name"]
    assert (pack["total_quantity"], pack["remaining_quantity"], pack["status"]) == (100, 98.5, "online")
    assert pack["purchase_time"] < pack["invalid_time"]


async def test_an_account_without_packs_gives_the_recorded_answer(bench):
    bench.state.resource_packs = []
    _, answer = await bench.ask("GET", COSTS)
    answer.pop("request_id")
    assert answer == {"code": 0, "message": "SUCCEED", "data": {"code": 0, "msg": "success"}}


async def test_the_account_answers_once_a_second(bench):
    assert (await bench.ask("GET", COSTS))[0] == 200
    bench.now += 0.9
    status, answer = await bench.ask("GET", COSTS)
    assert (status, answer["code"]) == (429, 1302)
    bench.now += 1.0
    assert (await bench.ask("GET", COSTS))[0] == 200


@pytest.mark.parametrize(
    "query",
    ["", "start_time=1789000000000", "start_time=1&end_time=2", "start_time=x&end_time=1790000000000"],
)
async def test_the_account_wants_both_times_in_ms(bench, query):
    status, answer = await bench.ask("GET", f"/account/costs?{query}")
    assert (status, answer["code"]) == (400, 1201)


async def test_a_pack_can_be_asked_for_by_name(bench):
    _, answer = await bench.ask("GET", f"{COSTS}&resource_pack_name=none")
    assert "resource_pack_subscribe_infos" not in answer["data"]
