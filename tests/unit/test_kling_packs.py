"""The packs of an account: which are usable, until when, and how many videos they make at once."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.apis.kling import packs

PACKS = {
    "code": 0,
    "data": {
        "code": 0,
        "msg": "success",
        "resource_pack_subscribe_infos": [
            {
                "resource_pack_name": "Old pack",
                "total_quantity": 100,
                "remaining_quantity": 0,
                "invalid_time": 1700000000000,
                "status": "expired",
            },
            {
                "resource_pack_name": "Video-5000Units-20Con-6Months",
                "total_quantity": 5000.0,
                "remaining_quantity": 118.3,
                "effective_time": 1726124664368,
                "invalid_time": 1727366400000,
                "status": "online",
            },
            {
                "resource_pack_name": "Trial-Video-100Units-5Con-1Months",
                "total_quantity": 100,
                "remaining_quantity": 3,
                "invalid_time": 1726366400000,
                "status": "online",
            },
            {"resource_pack_name": "Trial-Image-1000Units-99Con-1Months", "status": "online"},
            {"resource_pack_name": None, "status": None, "a_new_field": 1},
        ],
    },
}


def test_the_packs_of_an_account_are_told_usable_ones_first() -> None:
    found = packs.usable_first(packs.CostsReply.model_validate(PACKS))
    assert [pack.online for pack in found] == [True, True, True, False, False]
    trial, video = found[:2]
    assert (trial.name, trial.concurrency) == ("Trial-Video-100Units-5Con-1Months", 5)
    assert (video.remaining, video.total, video.expires_at) == (118.3, 5000.0, 1727366400.0)
    assert packs.concurrency(found) == 20
    assert found[-1].name == "unnamed pack"


def test_an_account_without_packs_tells_no_concurrency() -> None:
    assert packs.concurrency(()) is None


@pytest.mark.parametrize("data", [None, {"code": 1, "msg": "no access"}])
def test_an_account_that_is_not_told_is_an_error(data: Any) -> None:
    with pytest.raises(ValueError, match=r"account|no access"):
        packs.usable_first(packs.CostsReply.model_validate({"code": 0, "data": data}))


def test_the_packs_are_asked_for_between_two_times_in_milliseconds() -> None:
    endpoint = packs.asked_for(1700000000.0, 1700000001.5)
    assert (endpoint.method, endpoint.path) == ("GET", "/account/costs")
    assert endpoint.query == {"start_time": "1700000000000", "end_time": "1700000001500"}
