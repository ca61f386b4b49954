"""Ends that a client does not expect: other words, failures that bill, links that come late, lost tasks."""

from __future__ import annotations

import pytest

from kling_takes.simulator.money import Payment
from kling_takes.simulator.task import Ending

T2V = "/v1/videos/text2video"
NEW = "/text-to-video/kling-3.0-turbo"


async def finished_new(bench, prompt: str = "a fox") -> dict:
    """Create a task in the new standard, let it finish, return it."""
    _, answer = await bench.ask("POST", NEW, json={"prompt": prompt})
    bench.now += 1000
    return await shown_new(bench, answer["data"]["id"])


async def shown_new(bench, identifier: str) -> dict:
    _, answer = await bench.ask("GET", f"/tasks?task_ids={identifier}")
    return answer["data"][0]


async def test_links_come_late_in_both_dialects(bench):
    bench.state.links_late_seconds = 60
    task = await bench.finished(duration="5")
    new = await finished_new(bench)
    fresh = await bench.made()
    bench.now += 10
    assert "task_result" not in await bench.task(fresh)
    assert (await bench.task(fresh))["task_status"] == "succeed"
    bench.now += 60
    assert (await bench.task(fresh))["task_result"]["videos"]
    assert (await bench.task(task["task_id"]))["task_result"]["videos"]
    assert (await shown_new(bench, new["id"]))["outputs"]


async def test_a_new_standard_success_without_links_has_an_empty_list(bench):
    bench.state.links_late_seconds = 2000
    task = await finished_new(bench)
    assert (task["status"], task["outputs"]) == ("succeeded", [])


async def test_results_can_vanish_after_they_were_shown(bench):
    task = await bench.finished()
    link = task["task_result"]["videos"][0]["url"]
    bench.state.vanished.add(task["task_id"])
    assert "task_result" not in await bench.task(task["task_id"])
    async with bench.session.get(link) as reply:
        assert reply.status == 404


async def test_a_failed_task_can_be_billed_in_units(bench):
    bench.state.endings.append(Ending("failed", billed=True, message="out of luck"))
    failed, usual = await bench.finished(), await bench.finished(prompt="[fail]")
    assert (failed["task_status"], failed["task_status_msg"]) == ("failed", "out of luck")
    assert (failed["final_unit_deduction"], usual["final_unit_deduction"]) == ("1.5", "0")
    assert [task.id for task in bench.state.billed()] == [failed["task_id"]]
    assert bench.state.committed() == bench.state.billed()


async def test_a_failed_task_can_be_billed_in_cash(bench):
    bench.state.payment = Payment(cash=1)
    bench.state.endings.append(Ending("failed", billed=True))
    task = await finished_new(bench)
    (entry,) = task["billing"]
    assert task["status"] == "failed"
    assert (entry["charge_type"], float(entry["amount"])) == ("cash", pytest.approx(bench.state.spent_usd()))


@pytest.mark.parametrize("word", ["canceled", "expired", "Zurückgezogen 💥"])
@pytest.mark.parametrize("billed", [True, False])
async def test_a_task_can_end_in_any_word_billed_or_not(bench, word, billed):
    bench.state.endings += [Ending(word, billed=billed)] * 2
    task, new = await bench.finished(), await finished_new(bench)
    assert (task["task_status"], new["status"], new["outputs"]) == (word, word, [])
    assert "task_result" not in task
    assert len(bench.state.billed()) == (2 if billed else 0)


async def test_an_account_that_pays_in_cash_shows_the_money_and_zero_units(bench):
    bench.state.payment = Payment(cash=1)
    bench.state.balance_units = 0
    task = await bench.finished()
    assert task["final_unit_deduction"] == "0"
    assert task["final_balance_deduction"] == {"quota": "0.21", "list_price": "0.21"}
    assert bench.state.spent_usd() == pytest.approx(0.21)


async def test_the_new_standard_names_the_currency(bench):
    bench.state.payment = Payment(cash=1, currency="CNY")
    (entry,) = (await finished_new(bench))["billing"]
    assert (entry["charge_type"], entry["currency"], entry["cash_type"]) == ("cash", "CNY", "balance")
    assert entry["amount"] == entry["list_price"]
    assert bench.state.spent_usd() == pytest.approx(float(entry["amount"]) * 0.14)


async def test_an_account_can_pay_partly_in_units_and_partly_in_cash(bench):
    bench.state.payment = Payment(cash=0.5)
    task, new = await bench.finished(), await finished_new(bench)
    assert (task["final_unit_deduction"], task["final_balance_deduction"]["quota"]) == ("0.75", "0.105")
    assert [entry["charge_type"] for entry in new["billing"]] == ["unit", "cash"]
    assert bench.state.balance() == pytest.approx(1000 - 0.75 - float(new["billing"][0]["amount"]))


async def test_a_forgotten_external_id_exists_and_its_task_is_never_shown(bench):
    bench.state.forgotten.add("kt-old")
    assert "already exists" in (await bench.create(external_task_id="kt-old"))[1]["message"]
    assert (await bench.ask("GET", f"{T2V}/kt-old"))[0] == 400
    assert (await bench.ask("GET", "/tasks?external_task_ids=kt-old"))[1]["data"] == []


async def test_a_task_can_be_forgotten_after_it_was_made(bench):
    task = await bench.finished(external_task_id="kt-1")
    bench.state.forgotten.add("kt-1")
    for identifier in ("kt-1", task["task_id"]):
        assert (await bench.ask("GET", f"{T2V}/{identifier}"))[0] == 400
    assert (await bench.ask("GET", T2V))[1]["data"] == []
    assert len(bench.state.billed()) == 1
