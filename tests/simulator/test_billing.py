"""The account's bill: every deduction by task, in pages, under Kling's rules."""

from __future__ import annotations

import pytest

from kling_takes.simulator.money import Payment
from kling_takes.simulator.task import Ending

START, END = 1_780_000_000_000, 1_800_000_000_000
PACKAGE, BALANCE = "/account/billing/package", "/account/billing/balance"


async def ask(bench, path: str = PACKAGE, **body):
    """Ask for a page, a second after the last question."""
    bench.now += 2
    body = body if "cursor" in body else {"start_time": START, "end_time": END} | body
    return await bench.ask("POST", path, json=body)


async def page(bench, path: str = PACKAGE, **body) -> dict:
    status, answer = await ask(bench, path, **body)
    assert status == 200, answer
    return answer["data"]


async def test_every_deduction_stands_in_the_bill_with_its_task(bench):
    task = await bench.finished(model_name="kling-v3", mode="pro", duration="3")
    await bench.finished(prompt="[fail]")
    data = await page(bench)
    (row,) = data["result"]["detail"]
    assert (data["result"]["count"], data["has_more"], data["next_cursor"]) == (1, False, "")
    assert row | {"deduction_time": ""} == {
        "task_id": task["task_id"],
        "api_key_name": "main",
        "product_function": "text to video",
        "model_name": "kling-v3",
        "resolution": "1080p",
        "duration": "3.00",
        "refer_video_input": False,
        "video_sound": "off",
        "voice_control": False,
        "deduction_time": "",
        "deduction_amount": 2.4,
        "package_id": "509f3fd3d4f644e7b85d2a2a6a0e5d11",
        "product_type": "video",
        "unit_before_deduction": 1000.0,
        "unit_after_deduction": 997.6,
    }
    assert int(row["deduction_time"]) == task["updated_at"]


async def test_money_stands_in_the_other_list(bench):
    bench.state.payment = Payment(cash=0.5, currency="CNY")
    task = await bench.finished()
    (row,) = (await page(bench, BALANCE))["result"]["detail"]
    assert (row["task_id"], row["deduction_amount"], row["currency"]) == (task["task_id"], 0.75, "CNY")
    assert (await page(bench))["result"]["detail"][0]["deduction_amount"] == 0.75


async def test_a_failed_task_that_was_billed_is_in_the_bill(bench):
    bench.state.endings.append(Ending("failed", billed=True))
    task = await bench.finished()
    assert [row["task_id"] for row in (await page(bench))["result"]["detail"]] == [task["task_id"]]


async def test_a_task_that_is_billed_twice_is_listed_twice(bench):
    await bench.finished()
    (task,) = bench.state.billed()
    bench.state.bill(task)
    rows = (await page(bench))["result"]["detail"]
    assert [row["unit_after_deduction"] for row in rows] == [998.5, 997.0]
    assert bench.state.balance() == 997.0


async def test_pages_follow_by_cursor_and_the_cursor_stands_for_the_whole_question(bench):
    bench.state.concurrency_limit = 9
    made = [await bench.made() for _ in range(5)]
    bench.now += 1000
    first = await page(bench, limit=2)
    second = await page(bench, cursor=first["next_cursor"])
    third = await page(bench, cursor=second["next_cursor"], limit=1, start_time=END, end_time=START)
    rows = [row["task_id"] for data in (first, second, third) for row in data["result"]["detail"]]
    assert sorted(rows) == sorted(made)
    assert [data["has_more"] for data in (first, second, third)] == [True, True, False]


async def test_the_times_are_about_when_a_task_was_made(bench):
    await bench.finished()
    made = round(bench.state.billed()[0].created_at * 1000)
    for start, end, count in ((made, made + 1, 1), (made + 1, END, 0), (START, made - 1, 0)):
        data = await page(bench, start_time=start, end_time=end)
        assert data["result"]["count"] == count


async def test_a_deduction_may_be_listed_late(bench):
    bench.state.billing_late_seconds = 3600
    await bench.finished()
    assert (await page(bench))["result"]["count"] == 0
    bench.now += 3600
    assert (await page(bench))["result"]["count"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"start_time": None},
        {"end_time": None},
        {"start_time": END, "end_time": START},
        {"start_time": str(START)},
        {"start_time": 1_780_000_000},
        {"limit": 501},
        {"limit": 0},
        {"limit": True},
        {"cursor": "nonsense"},
        {"page": 1},
        {"filters": [{"key": "status", "values": []}]},
        {"filters": [{"key": "package_id"}]},
        {
            "filters": [
                {"key": "package_id", "values": ["1"]},
                {"key": "package_name", "values": ["x"]},
            ]
        },
    ],
)
async def test_a_question_that_breaks_a_rule_is_refused(bench, body):
    assert (await ask(bench, **body))[1]["code"] == 1201


async def test_the_list_of_money_knows_one_filter(bench):
    filters = [{"key": "product_type", "values": ["video"]}]
    assert (await ask(bench, BALANCE, filters=filters))[1]["code"] == 1201
    assert (await ask(bench, filters=filters))[0] == 200


async def test_a_cursor_belongs_to_its_list(bench):
    await bench.finished()
    await bench.finished()
    cursor = (await page(bench, limit=1))["next_cursor"]
    assert (await ask(bench, BALANCE, cursor=cursor))[1]["code"] == 1201


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [("api_key_name", "spare 1", 1), ("product_type", "image", 0), ("product_type", "video", 2)],
)
async def test_filters_choose_and_an_empty_one_chooses_everything(bench, key, value, count):
    bench.state.api_keys["api-key-kling-second"] = "practice"
    await bench.finished()
    body = {"model_name": "kling-v2-6", "prompt": "x"}
    await bench.ask("POST", "/v1/videos/text2video", key="api-key-kling-second", json=body)
    bench.now += 1000
    for values, expected in (([value], count), ([], 2)):
        data = await page(bench, filters=[{"key": key, "values": values}])
        assert data["result"]["count"] == expected


async def test_the_bill_is_the_account_s_own_and_takes_an_api_key(bench):
    bench.state.api_keys["api-key-kling-other"] = "other"
    await bench.finished()
    body = {"start_time": START, "end_time": END}
    _, answer = await bench.ask("POST", PACKAGE, key="api-key-kling-other", json=body)
    assert answer["data"]["result"]["detail"] == []
    assert (await bench.ask("POST", PACKAGE, key="a.b.c", json=body))[1]["code"] == 1002


async def test_all_questions_about_the_account_share_one_call_a_second(bench):
    body = {"start_time": START, "end_time": END}
    assert (await bench.ask("GET", f"/account/costs?start_time={START}&end_time={END}"))[0] == 200
    bench.now += 0.5
    assert (await bench.ask("POST", PACKAGE, json=body))[1]["code"] == 1302
    bench.now += 1
    assert (await bench.ask("POST", BALANCE, json=body))[0] == 200


async def test_the_proxy_and_some_gateways_do_not_serve_it(bench):
    body = {"start_time": START, "end_time": END}
    headers = {"X-API-KEY": "practice-comfy-key"}
    reply = await bench.ask("POST", f"/proxy/kling{PACKAGE}", key=None, headers=headers, json=body)
    assert (reply[0], reply[1]["error"]["type"]) == (404, "not_found")
    bench.state.serves_billing = False
    assert (await ask(bench))[1]["code"] == 1203
