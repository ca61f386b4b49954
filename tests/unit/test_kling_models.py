"""The table of models, and what a user's own file may do to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kling_takes.apis.kling import rules
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.models import BUILT_IN, Condition, ModelSpec, ModelTable
from kling_takes.apis.kling.price import estimate
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.products.video import DEFAULT_MODEL
from kling_takes.apis.kling.standard import STANDARD

TABLE = load_table()
LIVING = ["kling-v2-5-turbo", "kling-v2-6", "kling-v3", "kling-3.0-turbo"]
#: living, and made through the omni endpoint, which no node uses
ELSEWHERE = ["kling-v3-omni", "kling-video-o1"]
RETIRED = {"kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1", "kling-v2-1-master"}

#: A model as somebody would add it on the day its contract is published.
NEW_MODEL: dict[str, Any] = {
    "title": "Kling 4.0",
    "dialects": {"standard": "kling-4.0"},
    "preferred": "standard",
    "modes": ["std", "pro"],
    "durations": list(range(3, 31)),
    "aspect_ratios": ["16:9", "9:16", "1:1", "21:9"],
    "text2video": [{}],
    "sound": [{}],
    "sound_always": True,
    "prompt_characters": {"standard": {"text2video": 26000}},
    "standard_settings": ["resolution", "duration", "aspect_ratio"],
    "prices": [{"mode": "std", "sound": "on", "units_per_second": 1.5}],
    "wait": {"std": {"base": 30, "per_second": 10}, "pro": {"base": 30, "per_second": 10}},
    "source": "a page",
    "as_of": "2027-01-01",
}


def load(tmp_path: Path, models: Any) -> ModelTable:
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": models}), encoding="utf-8")
    return load_table(file)


def test_every_living_and_every_retired_model_is_there_living_ones_first() -> None:
    assert list(TABLE.specs)[:6] == [*LIVING, *ELSEWHERE]
    assert set(TABLE.specs) - set(LIVING) - set(ELSEWHERE) == RETIRED
    assert {TABLE.specs[name].retired_on for name in RETIRED} == {"2026-09-15"}
    assert all(TABLE.specs[name].living for name in (*LIVING, *ELSEWHERE))
    assert TABLE.warning is None


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_model_of_another_endpoint_is_recorded_and_in_no_list(name: str) -> None:
    assert not TABLE.specs[name].offered
    assert set(TABLE.specs[name].dialects) == {"legacy", "standard"}
    assert name not in TABLE.names("text2video")
    assert name not in TABLE.names("image2video")


def test_the_default_lives_and_nothing_living_is_cheaper() -> None:
    default = TABLE.get(DEFAULT_MODEL)
    assert default is not None
    assert default.living
    rates = [price.units_per_second for name in LIVING for price in TABLE.specs[name].prices]
    assert default.units_per_second("std", sound=False) == min(rates)


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
                    request = KlingText2VideoRequest(
                        prompt="x", model_name=spec.name, mode=mode, duration=str(length), sound=sound
                    )
                    if not rules.check(request, TABLE):
                        assert estimate(request, TABLE) is not None, (spec.name, mode, sound)


def test_every_entry_says_where_it_comes_from() -> None:
    raw = json.loads(BUILT_IN.read_text(encoding="utf-8"))
    for entry in [*raw["models"].values(), *raw["limits"].values(), raw["shot_limits"]]:
        assert entry["source"]
        assert entry["as_of"].startswith("2026-")


def test_a_longer_or_finer_video_takes_longer() -> None:
    for spec in TABLE.specs.values():
        waits = [spec.typical_seconds(mode, 5) for mode in spec.modes]
        assert waits == sorted(waits)
        assert 5 < spec.typical_seconds(spec.modes[0], "5") < spec.typical_seconds(spec.modes[0], "10") < 1200
    v26 = TABLE.specs["kling-v2-6"]
    assert v26.typical_seconds("pro", 5, "on") > v26.typical_seconds("pro", 5, "off")
    assert v26.typical_seconds("unheard of", 5) > 0


def test_a_condition_names_the_parts_that_do_not_hold() -> None:
    condition = Condition(modes=("pro",), durations=(5,), sound="off")
    assert condition.misses(mode="pro", duration=5, sound="off") == []
    assert condition.misses(mode="std", duration=10, sound="on") == ["mode", "duration", "sound"]
    assert condition.misses() == []
    assert Condition().misses(mode="std", dialect="legacy", product="text2video") == []


def test_a_file_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    assert load_table(tmp_path / "models.json") == TABLE


def test_one_entry_switches_a_new_model_on(tmp_path: Path) -> None:
    table = load(tmp_path, {"kling-4.0": NEW_MODEL})
    assert table.warning is None
    assert table.names("text2video")[:5] == [*LIVING, "kling-4.0"]
    assert table.durations("text2video")[-1] == "30"
    assert "21:9" in table.aspect_ratios("text2video")
    request = KlingText2VideoRequest(
        prompt="a fox", model_name="kling-4.0", duration="30", aspect_ratio="21:9", sound="on"
    )
    assert rules.check(request, table) == []
    price = estimate(request, table)
    assert price is not None
    assert (price.units, price.usd) == (45.0, 6.3)
    call = STANDARD.create(request, table.specs["kling-4.0"], "kt-1")
    assert call.path == "/text-to-video/kling-4.0"
    assert call.body is not None
    assert call.body.model_dump(exclude_none=True)["settings"] == {
        "resolution": "720p",
        "duration": 30,
        "aspect_ratio": "21:9",
    }


def test_an_entry_under_a_known_name_changes_the_fields_it_names(tmp_path: Path) -> None:
    prices = [{"mode": "std", "sound": "off", "units_per_second": 0.1}]
    table = load(tmp_path, {"kling-v2-6": {"prices": prices, "retired_on": "2027-01-01"}})
    changed = table.specs["kling-v2-6"]
    assert changed.units_per_second("std", sound=False) == 0.1
    assert changed.units_per_second("pro", sound=False) is None
    assert not changed.living
    assert changed.durations == TABLE.specs["kling-v2-6"].durations
    assert list(table.specs)[:3] == ["kling-v2-5-turbo", "kling-v3", "kling-3.0-turbo"]
    assert TABLE.specs["kling-v2-6"].living, "the built-in table was changed"


def test_a_retired_model_can_be_called_back(tmp_path: Path) -> None:
    table = load(tmp_path, {"kling-v1-6": {"retired_on": None}})
    assert table.specs["kling-v1-6"].living
    assert table.names("text2video").index("kling-v1-6") < table.names("text2video").index("kling-v1")


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in NEW_MODEL.items() if name != field}


@pytest.mark.parametrize(
    ("models", "parts"),
    [
        ({"mine": without("modes")}, ["entry mine", "field modes", "missing"]),
        ({"mine": {**NEW_MODEL, "colour": 1}}, ["entry mine", "field colour", "no field of that name"]),
        ({"kling-v3": {"modes": ["std", "8k"]}}, ["entry kling-v3", "field modes.1"]),
        ({"kling-v3": {"durations": [0]}}, ["entry kling-v3", "field durations.0"]),
        ({"kling-v3": {"durations": ["five"]}}, ["entry kling-v3", "field durations.0"]),
        ({"kling-v3": {"prices": [{"mode": "std", "sound": "off", "units_per_second": -1}]}}, ["prices.0"]),
        ({"kling-v3": {"preferred": "modern"}}, ["entry kling-v3", "field preferred"]),
        ({"kling-3.0-turbo": {"preferred": "legacy"}}, ["kling-3.0-turbo", "dialects does not name"]),
        ({"mine": {**NEW_MODEL, "prompt_characters": {}}}, ["mine", "prompt_characters has no number"]),
        ({"mine": {**NEW_MODEL, "standard_settings": ["duration"]}}, ["mine", "standard_settings lacks"]),
        ({"mine": {**NEW_MODEL, "sound_always": False}}, ["mine", "standard_settings lacks audio"]),
        ({"mine": {**NEW_MODEL, "wait": {}}}, ["mine", "wait has no entry for mode std"]),
        ({"mine": {**NEW_MODEL, "aspect_ratios": []}}, ["mine", "aspect_ratios is empty"]),
        ({"mine": {**NEW_MODEL, "sound": []}}, ["mine", "sound_always"]),
        ({"mine": {**NEW_MODEL, "retired_on": "soon"}}, ["mine", "retired_on"]),
        ({"mine": []}, ["entry mine", "object"]),
        ([], ['{"models"']),
    ],
)
def test_a_broken_entry_is_named_and_the_built_in_table_stays(
    tmp_path: Path, models: Any, parts: list[str]
) -> None:
    table = load(tmp_path, models)
    assert table.specs == TABLE.specs
    assert table.warning is not None
    assert "models.json" in table.warning
    for part in parts:
        assert part in table.warning


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "line 1, column 1 is not JSON"),
        (b'{"models": {}', "is not JSON"),
        (b'{"models": {\n"a": }', "line 2"),
        (b"\xff\xfe{}", "byte 1 is not UTF-8"),
        (b"[]", '{"models"'),
        (b'{"models": {}, "limits": {}}', "unknown field limits"),
        (
            b'{"models": {"kling-v3": {"wait": {"std": {"base": NaN, "per_second": 1}}}}}',
            "wait.std.base",
        ),
        (b'{"models": ' + b"[" * 100_000, "deeply"),
    ],
)
def test_a_file_that_is_no_table_is_named_and_the_built_in_table_stays(
    tmp_path: Path, content: bytes, part: str
) -> None:
    file = tmp_path / "models.json"
    file.write_bytes(content)
    table = load_table(file)
    assert table.specs == TABLE.specs
    assert table.warning is not None
    assert part in table.warning
    assert table.warning.endswith("Correct the file or remove it.")


def test_a_file_as_windows_editors_write_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_bytes(b'\xef\xbb\xbf{"docs": ["mine"],\r\n "models": {}}')
    assert load_table(file) == TABLE


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    table = load_table(tmp_path)
    assert table.warning is not None
    assert "can't be read" in table.warning


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the owner of everything reads everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text("{}", encoding="utf-8")
    file.chmod(0)
    warning = load_table(file).warning
    assert warning is not None
    assert "can't be read" in warning


def test_an_entry_cannot_be_changed_by_whoever_reads_it() -> None:
    spec = TABLE.specs["kling-v3"]
    with pytest.raises(ValidationError):
        spec.modes = ("std",)
    assert isinstance(spec, ModelSpec)
