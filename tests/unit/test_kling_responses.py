"""What Kling really answered parses, and both dialects give the same task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kling_takes.apis.kling import packs
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.apis.kling.dialects.legacy import LEGACY
from kling_takes.apis.kling.dialects.standard import STANDARD
from kling_takes.apis.kling.responses import (
    Envelope,
    LegacyReply,
    Output,
    Phase,
    StandardReply,
    is_already_exists,
    is_not_found,
)

# Answers of the production API, as people wrote them down in 2026.
REFUSALS = [
    ('{"code":1002,"message":"api key not found"}', 1002),
    ('{"code":1001,"message":"Authorization is empty"}', 1001),
    ('{"code":1201,"message":"task_ids or external_task_ids is required"}', 1201),
    (
        '{"code":1201,"message":"Task not found by id/external id: mf-auth-probe-nonexistent",'
        '"request_id":"13fef8e2-f5a0-4ee0-a81f-f40872d96095"}',
        1201,
    ),
    (
        '{"code":1201,"message":"Element id not found: 315187972322559",'
        '"request_id":"85814f13-15a6-4450-9759-34eb59963085"}',
        1201,
    ),
    ('{"code":1102,"message":"Account balance not enough"}', 1102),
    (
        '{"code":1303,"message":"parallel task over resource pack limit",'
        '"request_id":"9984d27b-a408-4073-ae28-17ca6a13622d"}',
        1303,
    ),
    ('{"code":1201,"message":"contents cannot be empty"}', 1201),
]
NO_PACKS = '{"code":0,"message":"SUCCEED","data":{"code":0,"msg":"success"}}'
EMPTY_LIST = '{"code":0,"message":"SUCCEED","data":[]}'
STANDARD_CREATED = (
    '{"code":0,"message":"SUCCEED","request_id":"r","data":{"id":"933557073781063683","status":"submitted",'
    '"message":"","create_time":1790605869865,"update_time":1790605869865}}'
)
STANDARD_DONE = (
    '{"code":0,"message":"SUCCEED","request_id":"r","data":[{"id":"933557962801545273","status":"succeeded",'
    '"outputs":[{"type":"video","id":"v","url":"https://v15-kling-fdl.klingai.com/x.mp4","duration":"5.041"}],'
    '"message":"","create_time":0,"update_time":0,'
    '"billing":[{"charge_type":"unit","amount":"3","package_type":"video"}]}]}'
)
STANDARD_RECORD = (
    '{"id":"913827032734642185","status":"submitted","outputs":[],"message":"",'
    '"create_time":1785901861504,"update_time":1785901861504}'
)


def legacy(data: Any, **more: Any) -> LegacyReply:
    return LegacyReply.model_validate({"code": 0, "message": "SUCCEED", "data": data, **more})


def standard(*records: dict[str, Any]) -> StandardReply:
    return StandardReply.model_validate({"code": 0, "message": "SUCCEED", "data": list(records)})


@pytest.mark.parametrize(("text", "code"), REFUSALS)
def test_every_recorded_refusal_parses_as_an_answer_of_both_dialects(text: str, code: int) -> None:
    for model in (Envelope, LegacyReply, StandardReply, packs.CostsReply):
        reply = model.model_validate_json(text)
        assert reply.code == code
        assert reply.message == json.loads(text)["message"]


def test_the_recorded_account_without_packs_parses() -> None:
    assert packs.usable_first(packs.CostsReply.model_validate_json(NO_PACKS)) == ()


def test_the_recorded_empty_list_holds_no_task() -> None:
    assert STANDARD.task(StandardReply.model_validate_json(EMPTY_LIST)) is None
    with pytest.raises(ValueError, match="holds no task"):
        LEGACY.task(LegacyReply.model_validate_json(EMPTY_LIST))


def test_the_recorded_create_of_the_new_standard_parses() -> None:
    task = STANDARD.task(StandardReply.model_validate_json(STANDARD_CREATED))
    assert task is not None
    assert task.task_id == "933557073781063683"
    assert task.phase is Phase.SUBMITTED
    assert task.created_at == 1790605869.865
    assert task.outputs == ()
    assert task.deduction == Deduction()


def test_the_recorded_result_of_the_new_standard_parses() -> None:
    task = STANDARD.task(StandardReply.model_validate_json(STANDARD_DONE), "933557962801545273")
    assert task is not None
    assert task.phase is Phase.SUCCEEDED
    url = "https://v15-kling-fdl.klingai.com/x.mp4"
    assert task.outputs == (Output("video", url, id="v", duration="5.041"),)
    assert task.deduction == Deduction(units=3.0)
    assert task.created_at is None


def test_the_recorded_record_of_a_callback_parses() -> None:
    task = STANDARD.task(standard(json.loads(STANDARD_RECORD)))
    assert task is not None
    assert task.phase is Phase.SUBMITTED


def test_a_finished_task_of_the_first_generation_parses() -> None:
    task = LEGACY.task(
        legacy(
            {
                "task_id": "771122334455667788",
                "task_status": "succeed",
                "task_status_msg": "",
                "task_info": {"external_task_id": "kt-1"},
                "task_result": {"videos": [{"id": "v", "url": "https://x/y.mp4", "duration": "5.041"}]},
                "watermark_info": {"enabled": False},
                "final_unit_deduction": "1.5",
                "final_balance_deduction": {"quota": "0", "list_price": "0"},
                "created_at": 1722769557708,
                "updated_at": 1722769657708,
            },
            request_id="r",
        )
    )
    assert task is not None
    assert (task.task_id, task.external_task_id) == ("771122334455667788", "kt-1")
    assert task.phase is Phase.SUCCEEDED
    assert task.deduction == Deduction(units=1.5, cash=0.0)
    assert (task.created_at, task.updated_at) == (1722769557.708, 1722769657.708)
    assert task.outputs == (Output("video", "https://x/y.mp4", id="v", duration="5.041"),)


def test_a_failed_task_says_why() -> None:
    message = "Failure to pass the risk control system"
    task = LEGACY.task(legacy({"task_id": "1", "task_status": "failed", "task_status_msg": message}))
    other = STANDARD.task(
        standard(
            {
                "id": "1",
                "status": "failed",
                "message": message,
                "billing": [{"charge_type": "unit", "amount": "0"}],
            }
        )
    )
    assert task is not None
    assert other is not None
    assert (task.phase, task.message) == (other.phase, other.message) == (Phase.FAILED, message)
    assert other.deduction == Deduction(units=0.0)
    assert not other.deduction


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("submitted", Phase.SUBMITTED),
        ("processing", Phase.PROCESSING),
        ("succeed", Phase.SUCCEEDED),
        ("succeeded", Phase.SUCCEEDED),
        ("SUCCEED", Phase.SUCCEEDED),
        (" Failed ", Phase.FAILED),
        ("queued_in_the_year_2030", Phase.UNKNOWN),
    ],
)
def test_both_spellings_are_done_and_an_unknown_status_is_not_finished(status: str, phase: Phase) -> None:
    one = LEGACY.task(legacy({"task_id": "1", "task_status": status}))
    two = STANDARD.task(standard({"id": "1", "status": status}))
    assert one is not None
    assert two is not None
    assert one.phase is two.phase is phase


@pytest.mark.parametrize("status", [None, "", "  "])
def test_a_task_without_a_status_is_an_error(status: str | None) -> None:
    with pytest.raises(ValueError, match="no status"):
        LEGACY.task(legacy({"task_id": "1", "task_status": status}))
    with pytest.raises(ValueError, match="no status"):
        STANDARD.task(standard({"id": "1", "status": status}))


def test_a_task_without_an_id_is_an_error() -> None:
    with pytest.raises(ValueError, match="no id"):
        LEGACY.task(legacy({"task_status": "submitted"}))
    with pytest.raises(ValueError, match="no id"):
        STANDARD.task(standard({"status": "submitted"}))


@pytest.mark.parametrize("data", [None, [], "", 7, [{"task_id": "1"}]])
def test_data_that_is_no_task_is_an_error_and_not_a_crash(data: Any) -> None:
    with pytest.raises(ValueError, match="holds no task"):
        LEGACY.task(legacy(data))


@pytest.mark.parametrize("data", [None, [], "", 7])
def test_no_record_in_the_new_standard_is_no_task(data: Any) -> None:
    assert STANDARD.task(StandardReply.model_validate({"code": 0, "data": data})) is None


def test_a_numeric_id_keeps_all_its_digits() -> None:
    task = LEGACY.task(
        LegacyReply.model_validate_json(
            '{"code":0,"data":{"task_id":933557073781063683,"task_status":"submitted"}}'
        )
    )
    assert task is not None
    assert task.task_id == "933557073781063683"


def test_a_wanted_task_is_found_by_either_id_and_never_taken_for_another() -> None:
    first = {"id": "1", "status": "submitted", "external_id": "kt-a"}
    second = {"id": "2", "status": "submitted", "external_id": "kt-b"}
    for wanted, task_id in (("kt-b", "2"), ("2", "2"), ("kt-a", "1")):
        task = STANDARD.task(standard(first, second), wanted)
        assert task is not None
        assert task.task_id == task_id
    assert STANDARD.task(standard(first), "kt-b") is None
    stranger = {"task_id": "1", "task_status": "submitted", "task_info": {"external_task_id": "kt-a"}}
    assert LEGACY.task(legacy(stranger), "kt-b") is None
    for wanted in ("kt-a", "1"):
        assert LEGACY.task(legacy(stranger), wanted) is not None


def test_an_answer_that_leaves_our_id_out_is_still_ours() -> None:
    assert STANDARD.task(standard({"id": "1", "status": "submitted"}), "kt-a") is not None
    assert (
        LEGACY.task(legacy({"task_id": "1", "task_status": "submitted", "task_info": {}}), "kt-a") is not None
    )


def test_units_of_a_video_pack_and_cash_count_as_deducted() -> None:
    billing = [
        {"charge_type": "unit", "amount": "2.4", "package_type": "video"},
        {"charge_type": "unit", "amount": "0.6", "package_type": "video"},
        {"charge_type": "unit", "amount": "8", "package_type": "image"},
        {"charge_type": "cash", "amount": "0.35", "currency": "USD"},
        {"charge_type": "unit", "amount": "many", "package_type": "video"},
    ]
    task = STANDARD.task(standard({"id": "1", "status": "succeeded", "billing": billing}))
    assert task is not None
    assert task.deduction.units == pytest.approx(3.0)
    assert (task.deduction.cash, task.deduction.currency) == (0.35, "USD")


def test_units_of_images_are_told_where_no_videos_are_billed() -> None:
    billing = [
        {"charge_type": "unit", "amount": "8", "package_type": "image"},
        {"charge_type": "unit", "amount": "16", "package_type": "image"},
    ]
    task = STANDARD.task(standard({"id": "1", "status": "succeeded", "billing": billing}))
    assert task is not None
    assert task.deduction == Deduction(units=24.0)


@pytest.mark.parametrize("told", ["", "none", "nan", "inf", None])
def test_a_deduction_that_is_no_number_is_not_known(told: str | None) -> None:
    task = LEGACY.task(legacy({"task_id": "1", "task_status": "succeed", "final_unit_deduction": told}))
    assert task is not None
    assert task.deduction == Deduction()


@pytest.mark.parametrize(
    ("code", "message", "missing", "exists"),
    [
        (1201, "Task not found by id/external id: kt-1", True, False),
        (1201, "External_task_id kt-1 already exists", False, True),
        (1201, "external_task_id kt-1 Already Exists.", False, True),
        (1201, "model is not supported", False, False),
        (1201, "Element id not found: 7", False, False),
        (1203, "Task not found by id/external id: kt-1", False, False),
        (0, "", False, False),
    ],
)
def test_a_miss_and_a_duplicate_are_told_by_their_text(
    code: int, message: str, missing: bool, exists: bool
) -> None:
    assert is_not_found(code, message) is missing
    assert is_already_exists(code, message) is exists


@pytest.mark.parametrize("odd", [{}, [], "soon", "2026-11-22T10:00:00Z", 10**400, True, None])
def test_an_odd_time_or_amount_does_not_lose_a_paid_video(odd: Any) -> None:
    video = {"url": "https://x/y.mp4", "id": odd, "watermark_url": odd, "duration": odd}
    one = LEGACY.task(
        legacy(
            {
                "task_id": "1",
                "task_status": "succeed",
                "task_status_msg": odd,
                "task_result": {"videos": [video]},
                "final_unit_deduction": odd,
                "created_at": odd,
                "updated_at": odd,
            },
            request_id=odd,
        )
    )
    record = {"id": "1", "status": "succeeded", "message": odd, "outputs": [{**video, "type": "video"}]}
    two = STANDARD.task(standard({**record, "create_time": odd, "billing": [odd, {"amount": odd}]}))
    assert one is not None
    assert two is not None
    assert one.outputs == two.outputs
    assert [output.url for output in one.outputs] == ["https://x/y.mp4"]


def test_an_answer_without_words_is_an_answer() -> None:
    reply = Envelope.model_validate({"code": 5000, "message": None, "request_id": 7})
    assert (reply.message, reply.request_id) == ("", "7")
