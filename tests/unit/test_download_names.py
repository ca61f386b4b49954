"""How the file of a result is called: harmless on every system, and no two alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis.download import output_name
from kling_takes.apis.download.names import safe_name


@pytest.mark.parametrize(
    "task_id", ["831923928347", "a-b_c", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "x" * 100]
)
def test_a_harmless_id_is_the_name(task_id: str) -> None:
    assert safe_name(task_id) == f"{task_id}.mp4"


@pytest.mark.parametrize(
    "task_id",
    [
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "C:x",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a b",
        "a\x00",
        "con",
        "lpt1",
        "Abc",
        "x" * 101,
        "a.mp4",
        "ü",
        "\ud800",
        "a\n",
        "a:b",
        "a*",
        "trailing.",
        "831-2",
        "831-999",
    ],
)
def test_an_odd_id_becomes_a_hash_and_no_path(task_id: str) -> None:
    name = safe_name(task_id)
    assert re.fullmatch(r"kling-[0-9a-f]{32}\.mp4", name)
    assert name == safe_name(task_id)


def test_two_ids_that_differ_in_case_alone_have_two_names() -> None:
    assert len({safe_name(each).lower() for each in ("abc", "Abc", "ABC")}) == 3


@given(st.text(min_size=1))
def test_every_id_has_a_name_without_a_path(task_id: str) -> None:
    assert re.fullmatch(r"[0-9a-z][0-9a-z_-]*\.mp4", safe_name(task_id))


@pytest.mark.parametrize(
    ("task_id", "suffix"), [("", ".mp4"), ("1", ""), ("1", "mp4"), ("1", "./x"), ("1", ".part.json")]
)
def test_no_id_or_no_suffix_is_a_mistake_of_the_caller(task_id: str, suffix: str) -> None:
    with pytest.raises(ValueError, match="a task id and a suffix"):
        safe_name(task_id, suffix)


@pytest.mark.parametrize(
    ("index", "kind", "url", "name"),
    [
        (0, "video", "https://cdn.example/a/b.mp4?Signature=x.mov", "831.mp4"),
        (0, "video", "https://cdn.example/b.MOV", "831.mov"),
        (0, "video", "https://cdn.example/b.webm#.mp4", "831.webm"),
        (0, "video", "https://cdn.example/b.png", "831.mp4"),
        (1, "video", "https://cdn.example/b", "831-2.mp4"),
        (0, "image", "https://cdn.example/b.png", "831.png"),
        (1, "image", "https://cdn.example/b.jpg", "831-2.jpg"),
        (8, "image", "https://cdn.example/b.jpeg", "831-9.jpeg"),
        (2, "image", "https://cdn.example/b.webp", "831-3.webp"),
        (0, "image", "https://cdn.example/b.exe", "831.png"),
        (0, "image", "https://cdn.example/b.png/", "831.png"),
        (0, "audio", "https://cdn.example/b.mp3", "831.mp3"),
        (0, "audio", "https://cdn.example/b.wav", "831.wav"),
        (1, "audio", "https://cdn.example/b.m4a", "831-2.m4a"),
        (0, "audio", "https://cdn.example/b.mp4", "831.mp3"),
        (0, "audio", "https://[", "831.mp3"),
        (0, "audio", "", "831.mp3"),
    ],
)
def test_a_result_is_called_by_task_place_and_kind(index: int, kind: str, url: str, name: str) -> None:
    assert output_name("831", index, kind, url) == name


def test_the_second_result_of_an_odd_id_is_called_by_its_hash() -> None:
    assert re.fullmatch(r"kling-[0-9a-f]{32}-2\.png", output_name("gateway/1", 1, "image", ""))


tasks = st.from_regex(r"[0-9a-z]{1,2}(-[0-9]{1,2})?", fullmatch=True) | st.text(min_size=1, max_size=4)
results = st.tuples(tasks, st.integers(0, 20))


@given(results, results)
def test_two_results_never_share_a_name(one: tuple[str, int], other: tuple[str, int]) -> None:
    names = {output_name(*each, "image", "").lower() for each in (one, other)}
    assert len(names) == len({one, other})
