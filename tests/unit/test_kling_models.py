"""The built-in table of models, and how a condition and a price are looked up in it."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from kling_takes.apis.kling.model_file import BUILT_IN
from kling_takes.apis.kling.models import Condition, ModelSpec, Rate
from kling_takes.apis.kling.products import PRODUCTS
from kling_takes.apis.kling.products.video import DEFAULT_MODEL
from kling_takes.tests.builders import TABLE, price, problems, text_request, units_per_second

LIVING = ["kling-v2-5-turbo", "kling-v2-6", "kling-v3", "kling-3.0-turbo"]
#: living, and made through the omni endpoint, which no node uses
ELSEWHERE = ["kling-v3-omni", "kling-video-o1"]
RETIRED = {"kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1", "kling-v2-1-master"}


def test_every_living_and_every_retired_model_is_there_living_ones_first() -> None:
    assert list(TABLE.specs)[:6] == [*LIVING, *ELSEWHERE]
    assert set(TABLE.specs) - set(LIVING) - set(ELSEWHERE) == RETIRED
    assert {TABLE.specs[name].retired_on for name in RETIRED} == {"2026-09-15"}
    assert all(TABLE.specs[name].living for name in (*LIVING, *ELSEWHERE))
    assert TABLE.warning is None


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_model_of_another_endpoint_is_recorded_and_in_no_list(name: str) -> None:
    assert not any(TABLE.specs[name].can(product) for product in PRODUCTS)
    assert set(TABLE.specs[name].dialects) == {"legacy", "standard"}
    assert name not in TABLE.names("text2video")
    assert name not in TABLE.names("image2video")


def test_the_default_lives_and_nothing_living_is_cheaper() -> None:
    default = TABLE.get(DEFAULT_MODEL)
    assert default is not None
    assert default.living
    rates = [rate.units_per_second for name in LIVING for rate in TABLE.specs[name].prices]
    assert units_per_second(default, "std") == min(rates)


def test_a_name_that_is_not_there_is_none() -> None:
    assert TABLE.get("kling-v9") is None


def test_a_list_for_a_node_holds_what_that_node_can_use() -> None:
    assert set(RETIRED) - set(TABLE.names("text2video")) == {"kling-v1-5", "kling-v2-1"}
    assert TABLE.names("image2video", "end_frame")[:3] == LIVING[:3]
    assert "kling-3.0-turbo" not in TABLE.names("image2video", "end_frame")
    assert TABLE.names("image2video", "camera_field") == ["kling-v1-5", "kling-v1"]
    assert TABLE.modes("text2video") == ["std", "pro", "4k"]
    assert TABLE.durations("text2video") == [str(length) for length in range(3, 16)]
    assert TABLE.durations("image2video", "camera_field") == ["5", "10"]
    assert TABLE.aspect_ratios("text2video") == ["16:9", "9:16", "1:1"]


def test_a_model_has_the_same_name_here_as_under_v1_where_it_has_one() -> None:
    for name, spec in TABLE.specs.items():
        assert spec.name == name == spec.dialects.get("legacy", spec.dialects.get("standard"))


def test_every_mode_that_can_be_bought_has_a_price() -> None:
    for spec in TABLE.specs.values():
        for mode in spec.modes:
            for length in spec.durations:
                for sound in (None, "on"):
                    request = text_request(model_name=spec.name, mode=mode, duration=str(length), sound=sound)
                    if not problems(request):
                        assert price(request) is not None, (spec.name, mode, sound)


def test_every_entry_says_where_it_comes_from() -> None:
    raw = json.loads(BUILT_IN.read_text(encoding="utf-8"))
    for entry in [*raw["models"].values(), *raw["limits"].values(), raw["shot_limits"]]:
        assert entry["source"]
        assert entry["as_of"].startswith("2026-")


def test_a_longer_or_finer_video_takes_longer() -> None:
    for spec in TABLE.specs.values():
        waits = [spec.typical_seconds(mode, 5, sound=False) for mode in spec.modes]
        assert waits == sorted(waits)
        five, ten = (spec.typical_seconds(spec.modes[0], length, sound=False) for length in (5, 10))
        assert 5 < five < ten < 1200
    v26 = TABLE.specs["kling-v2-6"]
    assert v26.typical_seconds("pro", 5, sound=True) > v26.typical_seconds("pro", 5, sound=False)
    assert v26.typical_seconds("unheard of", 5, sound=False) > 0


def test_a_condition_names_the_parts_that_do_not_hold() -> None:
    condition = Condition(modes=("pro",), durations=(5,), sound="off")
    assert condition.misses({"mode": "pro", "duration": 5, "sound": "off"}) == []
    assert condition.misses({"mode": "std", "duration": 10, "sound": "on"}) == ["mode", "duration", "sound"]
    assert condition.misses({}) == condition.misses({"mode": None}) == []
    assert Condition().misses({"mode": "std", "dialect": "legacy", "product": "text2video"}) == []


def test_a_condition_may_ask_about_any_field_of_a_request() -> None:
    condition = Condition(fields={"resolution": ("1k", "2k"), "keep_sound": (False,)})
    assert condition.misses({"resolution": "2k", "keep_sound": False}) == []
    assert condition.misses({"resolution": "4k", "keep_sound": True}) == ["resolution", "keep_sound"]


def test_a_price_holds_for_the_circumstances_it_names_and_all_others() -> None:
    per_second = Rate(mode="pro", sound="off", units_per_second=0.5)
    assert per_second.holds({"mode": "pro", "sound": "off", "duration": 5})
    assert not per_second.holds({"mode": "pro", "sound": "on"})
    assert not per_second.holds({"mode": "pro"})
    each = Rate(fields={"resolution": ("1k", "2k")}, units_each=8)
    assert each.holds({"resolution": "2k", "mode": "std"})
    assert not each.holds({"resolution": "4k"})
    assert not each.holds({})


def test_the_first_price_that_holds_is_the_price() -> None:
    prices = (Rate(mode="std", units_each=1), Rate(units_each=2))
    spec = TABLE.specs["kling-v3"].model_copy(update={"prices": prices})
    assert spec.rate({"mode": "std"}) == prices[0]
    assert spec.rate({"mode": "pro"}) == prices[1]
    assert spec.model_copy(update={"prices": ()}).rate({"mode": "std"}) is None


def test_an_entry_cannot_be_changed_by_whoever_reads_it() -> None:
    spec = TABLE.specs["kling-v3"]
    with pytest.raises(ValidationError):
        spec.modes = ("std",)
    assert isinstance(spec, ModelSpec)
