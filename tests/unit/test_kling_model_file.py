"""A user's own table of models: new ones, changed ones, and what this version has never heard of."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.models import Condition, ModelSpec, ModelTable
from kling_takes.apis.kling.products import PRODUCTS
from kling_takes.tests.builders import (
    TABLE,
    body_of,
    create,
    price,
    problems,
    text_request,
    units_per_second,
)

LIVING = TABLE.living("text2video")
WAIT = {"base": 30, "per_second": 10}

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
    "wait": {"std": WAIT, "pro": WAIT},
    "source": "a page",
    "as_of": "2027-01-01",
}


def load(tmp_path: Path, models: Any) -> ModelTable:
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": models}), encoding="utf-8")
    return load_table(file)


def test_a_file_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    assert load_table(tmp_path / "models.json") == TABLE


def test_one_entry_switches_a_new_model_on(tmp_path: Path) -> None:
    table = load(tmp_path, {"kling-4.0": NEW_MODEL})
    assert table.warning is None
    assert table.names("text2video")[:5] == [*LIVING, "kling-4.0"]
    assert table.durations("text2video")[-1] == "30"
    assert "21:9" in table.aspect_ratios("text2video")
    request = text_request(model_name="kling-4.0", duration="30", aspect_ratio="21:9", sound="on")
    assert problems(request, table=table) == []
    cost = price(request, table)
    assert cost is not None
    assert (cost.units, cost.usd) == (45.0, 6.3)
    spec = table.specs["kling-4.0"]
    assert create(request, spec, "standard")[0].path == "/text-to-video/kling-4.0"
    assert body_of(request, spec, "standard")["settings"] == {
        "resolution": "720p",
        "duration": 30,
        "aspect_ratio": "21:9",
    }


def test_an_entry_under_a_known_name_changes_the_fields_it_names(tmp_path: Path) -> None:
    prices = [{"mode": "std", "sound": "off", "units_per_second": 0.1}]
    table = load(tmp_path, {"kling-v2-6": {"prices": prices, "retired_on": "2027-01-01"}})
    changed = table.specs["kling-v2-6"]
    assert units_per_second(changed, "std") == 0.1
    assert units_per_second(changed, "pro") is None
    assert not changed.living
    assert changed.durations == TABLE.specs["kling-v2-6"].durations
    assert list(table.specs)[:3] == ["kling-v2-5-turbo", "kling-v3", "kling-3.0-turbo"]
    assert TABLE.specs["kling-v2-6"].living, "the built-in table was changed"


def test_a_retired_model_can_be_called_back(tmp_path: Path) -> None:
    table = load(tmp_path, {"kling-v1-6": {"retired_on": None}})
    assert table.specs["kling-v1-6"].living
    assert table.names("text2video").index("kling-v1-6") < table.names("text2video").index("kling-v1")


#: the names of capabilities that stood beside the other fields in version 0.1
CAPABILITIES_OF_BEFORE = (
    "text2video",
    "image2video",
    "end_frame",
    "end_frame_only",
    "camera_field",
    "sound",
    "voice",
    "shots",
    "cfg_scale",
    "negative_prompt",
)


def entry_of(spec: ModelSpec) -> dict[str, Any]:
    """What a user would write to have this model."""
    return spec.model_dump(mode="json", exclude={"name"})


def as_before(entry: dict[str, Any]) -> dict[str, Any]:
    """The same as a file of version 0.1 says it."""
    return {
        **{name: value for name, value in entry.items() if name != "capabilities"},
        **entry["capabilities"],
    }


def test_every_entry_means_the_same_in_the_form_of_version_0_1(tmp_path: Path) -> None:
    entries = {f"my-{name}": entry_of(spec) for name, spec in TABLE.specs.items()}
    assert {*CAPABILITIES_OF_BEFORE} <= {name for entry in entries.values() for name in entry["capabilities"]}
    nested = load(tmp_path, entries)
    flat = load(tmp_path, {name: as_before(entry) for name, entry in entries.items()})
    assert nested.warning is flat.warning is None
    assert flat == nested
    for name, spec in TABLE.specs.items():
        assert flat.specs[f"my-{name}"] == spec.model_copy(update={"name": f"my-{name}"})


@pytest.mark.parametrize("capability", CAPABILITIES_OF_BEFORE)
@pytest.mark.parametrize("said", [[], [{}], [{"modes": ["pro"]}]])
def test_a_capability_is_changed_in_either_form_and_the_others_stay(
    tmp_path: Path, capability: str, said: list[Any]
) -> None:
    flat = load(tmp_path, {"kling-v2-6": {capability: said}})
    nested = load(tmp_path, {"kling-v2-6": {"capabilities": {capability: said}}})
    assert flat == nested
    assert flat.warning is None
    before, after = TABLE.specs["kling-v2-6"], flat.specs["kling-v2-6"]
    assert after.conditions(capability) == tuple(Condition(**part) for part in said)
    for name in before.capabilities:
        if name != capability:
            assert after.conditions(name) == before.conditions(name)
    fields = set(ModelSpec.model_fields) - {"capabilities"}
    assert after.model_dump(include=fields) == before.model_dump(include=fields)


def test_a_file_may_mix_both_forms_and_what_stands_beside_the_fields_counts(tmp_path: Path) -> None:
    entry = {"capabilities": {"shots": [{}], "sound": [{}]}, "sound": []}
    spec = load(tmp_path, {"kling-v2-6": entry}).specs["kling-v2-6"]
    assert spec.can("shots")
    assert not spec.can("sound")
    assert spec.can("end_frame")


def test_a_model_of_a_product_nobody_here_has_heard_of_is_in_the_table_and_in_no_list(tmp_path: Path) -> None:
    entry = {
        "title": "Kling Hologram",
        "dialects": {"standard": "kling-hologram-1"},
        "preferred": "standard",
        "capabilities": {
            "hologram": [{}],
            "depth": [{"products": ["hologram"], "modes": ["hd"], "fields": {"eyes": [1, 2]}}],
        },
        "prompt_characters": {"standard": {"hologram": 50}},
        "standard_settings": ["eyes"],
        "prices": [{"fields": {"eyes": [2]}, "units_each": 8}],
        "wait": {"any": WAIT},
        "source": "a page",
        "as_of": "2027-01-01",
    }
    for form in (entry, as_before(entry)):
        table = load(tmp_path, {"kling-hologram": form})
        assert table.warning is None
        spec = table.specs["kling-hologram"]
        assert table.living("hologram", "depth") == ["kling-hologram"]
        assert spec.allows("depth", {"product": "hologram", "mode": "hd", "eyes": 2})
        assert not spec.allows("depth", {"product": "hologram", "mode": "hd", "eyes": 3})
        assert spec.rate({"eyes": 2}) is not None
        assert not any("kling-hologram" in table.names(product) for product in PRODUCTS)


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in NEW_MODEL.items() if name != field}


@pytest.mark.parametrize(
    ("product", "changes", "lack"),
    [
        ("text2video", {}, None),
        ("image2video", {}, None),
        ("text2video", {"modes": ()}, "modes is empty, and text2video needs one"),
        ("image2video", {"durations": ()}, "durations is empty, and image2video needs one"),
        ("image2video", {"modes": ("std", "hd")}, "modes has hd, and image2video knows std, pro and 4k only"),
        ("text2video", {"aspect_ratios": ()}, "aspect_ratios is empty, and text2video needs one"),
        ("image2video", {"aspect_ratios": ()}, None),
        (
            "text2video",
            {"prompt_characters": {"legacy": {"text2video": 9}}},
            "prompt_characters has no number for standard text2video",
        ),
        (
            "image2video",
            {"prompt_characters": {"legacy": {"text2video": 9}}},
            "prompt_characters has no number for legacy image2video",
        ),
        ("image2video", {"standard_settings": ("duration", "audio")}, "standard_settings lacks resolution"),
        (
            "text2video",
            {"standard_settings": ("resolution", "duration", "audio")},
            "standard_settings lacks aspect_ratio",
        ),
        ("image2video", {"standard_settings": ("resolution", "duration", "audio")}, None),
        ("image2video", {"standard_settings": ("resolution", "duration")}, "standard_settings lacks audio"),
        ("image2video", {"standard_settings": (), "dialects": {"legacy": "kling-v3"}}, None),
    ],
)
def test_what_an_entry_lacks_for_a_product_is_said(
    product: str, changes: dict[str, Any], lack: str | None
) -> None:
    assert PRODUCTS[product].lack_of(TABLE.specs["kling-v3"].model_copy(update=changes)) == lack


@pytest.mark.parametrize(
    ("models", "parts"),
    [
        ({"mine": without("source")}, ["entry mine", "field source", "missing"]),
        ({"mine": without("modes")}, ["entry mine", "modes is empty, and text2video needs one"]),
        ({"mine": {**NEW_MODEL, "colour": 1}}, ["entry mine", "field colour", "no field of that name"]),
        ({"kling-v3": {"modes": ["std", "8k"]}}, ["entry kling-v3", "wait has no entry for mode 8k"]),
        (
            {"kling-v3": {"modes": ["std", "8k"], "wait": {"std": WAIT, "8k": WAIT}}},
            ["entry kling-v3", "modes has 8k, and text2video knows std, pro and 4k only"],
        ),
        ({"kling-v3": {"durations": [0]}}, ["entry kling-v3", "field durations.0"]),
        ({"kling-v3": {"durations": ["five"]}}, ["entry kling-v3", "field durations.0"]),
        ({"kling-v3": {"prices": [{"mode": "std", "sound": "off", "units_per_second": -1}]}}, ["prices.0"]),
        ({"kling-v3": {"preferred": "modern"}}, ["entry kling-v3", "field preferred"]),
        ({"kling-3.0-turbo": {"preferred": "legacy"}}, ["kling-3.0-turbo", "dialects does not name"]),
        ({"mine": {**NEW_MODEL, "prompt_characters": {}}}, ["mine", "prompt_characters has no number"]),
        ({"mine": {**NEW_MODEL, "standard_settings": ["duration"]}}, ["mine", "standard_settings lacks"]),
        ({"mine": {**NEW_MODEL, "sound_always": False}}, ["mine", "standard_settings lacks audio"]),
        ({"mine": {**NEW_MODEL, "wait": {}}}, ["mine", "field wait"]),
        ({"mine": {**NEW_MODEL, "wait": {"pro": WAIT}}}, ["mine", "wait has no entry for mode std"]),
        ({"mine": {**NEW_MODEL, "aspect_ratios": []}}, ["mine", "aspect_ratios is empty"]),
        ({"mine": {**NEW_MODEL, "sound": []}}, ["mine", "sound_always"]),
        ({"mine": {**NEW_MODEL, "retired_on": "soon"}}, ["mine", "retired_on"]),
        ({"mine": {**NEW_MODEL, "price": NEW_MODEL["prices"]}}, ["mine", "price.0", "no field of that name"]),
        ({"mine": {**NEW_MODEL, "text2video": [{"mode": ["pro"]}]}}, ["mine", "text2video.0.mode"]),
        ({"mine": {**NEW_MODEL, "text2video": True}}, ["mine", "field text2video"]),
        ({"mine": {**NEW_MODEL, "capabilities": []}}, ["mine", "field capabilities"]),
        ({"mine": {**NEW_MODEL, "capabilities": {"shots": True}}}, ["mine", "field capabilities.shots"]),
        ({"mine": {**NEW_MODEL, "dialects": {"modern": "x"}}}, ["mine", "field dialects.modern"]),
        ({"mine": {**NEW_MODEL, "prices": [{"mode": "std"}]}}, ["mine", "prices.0", "units_each"]),
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
