"""The ids of a take, pinned: a change here would make users pay again for what they have."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.take import external_task_id, idempotency_key, take_id
from kling_takes.tests.builders import canonical, picture, shots, text_request

PLAIN = text_request(prompt="a red kite over the sea")
IMAGE = picture().model_copy(update={"pixels_sha256": "ab" * 32})


def test_the_id_of_a_text_take_is_pinned() -> None:
    take = take_id(canonical(PLAIN), 0)
    assert take == "4db6c64fbabdafd7f918d10ec820676af81374fd7567d7127fd84fc4ca4c02bc"
    assert external_task_id(take, 1) == "kt-83f48b829060b5534ae9259468ff0720d7a90b3a"


def test_the_id_of_a_picture_take_is_pinned() -> None:
    request = KlingImage2VideoRequest(image=IMAGE, prompt="the kite rises", model_name="kling-v3", mode="pro")
    assert (
        take_id(canonical(request), 7) == "c5ba43ff2192ae309095747374da3e02c25fb543aa72d215e81ebfb372d8d462"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "a red kite over the se"},
        {"negative_prompt": "people"},
        {"model_name": "kling-v2-6"},
        {"cfg_scale": 0.51},
        {"mode": "pro"},
        {"duration": "10"},
        {"aspect_ratio": "9:16"},
        {"sound": "on"},
        {"shots": shots(5)},
    ],
)
def test_every_field_that_is_set_makes_another_take(changes: dict[str, Any]) -> None:
    other = PLAIN.model_copy(update=changes)
    assert take_id(canonical(other), 0) != take_id(canonical(PLAIN), 0)


def test_the_number_makes_another_take() -> None:
    assert take_id(canonical(PLAIN), 0) != take_id(canonical(PLAIN), 1)


@pytest.mark.parametrize(
    "changes", [{"sound": "off"}, {"sound": None}, {"shots": ()}, {"negative_prompt": ""}]
)
def test_an_optional_input_left_at_its_default_keeps_the_take(changes: dict[str, Any]) -> None:
    assert take_id(canonical(PLAIN.model_copy(update=changes)), 0) == take_id(canonical(PLAIN), 0)


def test_a_picture_counts_by_its_pixels_and_not_by_its_file() -> None:
    one = KlingImage2VideoRequest(image=IMAGE)
    same = KlingImage2VideoRequest(image=IMAGE.model_copy(update={"data": b"jpeg", "mime": "image/jpeg"}))
    other = KlingImage2VideoRequest(image=IMAGE.model_copy(update={"pixels_sha256": "cd" * 32}))
    assert take_id(canonical(one), 0) == take_id(canonical(same), 0) != take_id(canonical(other), 0)


def test_the_keys_of_two_installations_never_meet_at_the_proxy() -> None:
    take = take_id(canonical(PLAIN), 0)
    assert idempotency_key(take, 1, "a" * 64) != idempotency_key(take, 1, "b" * 64)
    assert external_task_id(take, 1) not in idempotency_key(take, 1, "a" * 64)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FORMS = st.dictionaries(st.text(), JSON, max_size=5)


@given(FORMS, st.integers(), st.randoms())
def test_the_order_of_fields_makes_no_other_take(form: dict[str, Any], number: int, chance: Any) -> None:
    names = list(form)
    chance.shuffle(names)
    assert take_id({name: form[name] for name in names}, number) == take_id(form, number)


@given(FORMS, FORMS, st.integers(), st.integers())
def test_two_forms_or_numbers_are_two_takes(
    one: dict[str, Any], other: dict[str, Any], first: int, second: int
) -> None:
    same = json.dumps([one, first], sort_keys=True) == json.dumps([other, second], sort_keys=True)
    assert (take_id(one, first) == take_id(other, second)) is same


@given(
    st.tuples(st.integers(1, 99), st.sampled_from(["", "a", "b"])),
    st.tuples(st.integers(1, 99), st.sampled_from(["", "a", "b"])),
)
def test_each_attempt_has_an_id_of_its_own_that_kling_takes(
    one: tuple[int, str], other: tuple[int, str]
) -> None:
    ids = [external_task_id("ab" * 32, attempt, scope) for attempt, scope in (one, other)]
    assert (ids[0] == ids[1]) is (one == other)
    assert re.fullmatch(r"kt-[0-9a-f]{40}", ids[0])
