"""The results of a task, of every kind, in the forms in which Kling writes them down: none is lost.

The forms are those of Kling's documents of 2026-09-20, and of odd answers that people have seen.
"""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.apis.kling.dialects.legacy import LEGACY
from kling_takes.apis.kling.dialects.standard import STANDARD
from kling_takes.apis.kling.responses import LegacyReply, Output, StandardReply


def legacy(**result: Any) -> tuple[Output, ...]:
    """The outputs of a finished task under ``/v1/`` whose ``task_result`` is this."""
    data = {"task_id": "1", "task_status": "succeed", "task_result": result}
    task = LEGACY.task(LegacyReply.model_validate({"code": 0, "data": data}))
    assert task is not None
    return task.outputs


def standard(outputs: Any) -> tuple[Output, ...]:
    """The outputs of a finished task of the new standard."""
    data = [{"id": "1", "status": "succeeded", "outputs": outputs}]
    task = STANDARD.task(StandardReply.model_validate({"code": 0, "data": data}))
    assert task is not None
    return task.outputs


def urls(outputs: tuple[Output, ...]) -> list[str]:
    return [output.url for output in outputs]


VIDEO = {"id": "v", "url": "https://x/v.mp4", "watermark_url": "https://x/w.mp4", "duration": "5.041"}
IMAGE = {"index": 0, "url": "https://x/0.png", "watermark_url": "https://x/w.png"}
SPEECH = {"id": "a", "url": "https://x/a.mp3", "duration": "3.2"}


def test_a_video_has_its_link_and_its_length_in_both_dialects() -> None:
    wanted = (Output("video", "https://x/v.mp4", "v", "https://x/w.mp4", "5.041"),)
    assert legacy(videos=[VIDEO]) == standard([{"type": "video", **VIDEO}]) == wanted


def test_a_picture_has_its_link_and_no_length_in_both_dialects() -> None:
    wanted = (Output("image", "https://x/0.png", watermark_url="https://x/w.png"),)
    assert legacy(images=[IMAGE]) == standard([{"type": "image", **IMAGE}]) == wanted
    bare = {"type": "image", "url": "https://x/0.png"}  # without id and index, as the new standard has it
    assert standard([bare]) == (Output("image", "https://x/0.png"),)


def test_a_sound_has_its_link_and_its_length_in_both_dialects() -> None:
    wanted = (Output("audio", "https://x/a.mp3", "a", duration="3.2"),)
    assert legacy(audios=[SPEECH]) == standard([{"type": "audio", **SPEECH}]) == wanted


@pytest.mark.parametrize(
    ("sound", "url", "duration"),
    [
        (
            {"url_mp3": "m", "url_wav": "w", "duration_mp3": "3.1", "duration_wav": "3.2"},
            "m",
            "3.1",
        ),
        (
            {"mp3_url": "m", "wav_url": "w", "mp3_duration": "3.1", "wav_duration": "3.2"},
            "m",
            "3.1",
        ),
        ({"url_wav": "w", "duration_wav": "3.2"}, "w", "3.2"),
        ({"wav_url": "w", "wav_duration": 3.2}, "w", "3.2"),
        ({"url_mp3": "", "url_wav": "w"}, "w", ""),
        ({"url": "u", "url_mp3": "m", "duration": "3"}, "u", "3"),
    ],
)
def test_of_a_sound_in_two_formats_the_smaller_one_is_taken(
    sound: dict[str, Any], url: str, duration: str
) -> None:
    wanted = (Output("audio", url, "a", duration=duration),)
    assert legacy(audios=[{"id": "a", **sound}]) == wanted
    assert standard([{"type": "audio", "id": "a", **sound}]) == wanted


def test_pictures_come_in_the_order_of_their_index() -> None:
    for index in ((2, 0, 1), ("2", "0", "1"), (12, 3, 7)):
        pictures = [{"index": place, "url": f"u{place}"} for place in index]
        assert urls(legacy(images=pictures)) == [f"u{place}" for place in sorted(index, key=float)]


@pytest.mark.parametrize("index", [None, "first", [], float("nan")])
def test_pictures_without_a_usable_index_stay_as_they_came(index: Any) -> None:
    assert urls(legacy(images=[{"index": index, "url": url} for url in ("b", "a", "c")])) == ["b", "a", "c"]


def test_the_pictures_of_a_series_follow_the_single_ones_in_their_own_order() -> None:
    series = [{"index": 1, "url": "s1"}, {"index": 0, "url": "s0"}]
    single = [{"index": 1, "url": "i1"}, {"index": 0, "url": "i0"}]
    assert urls(legacy(result_type="series", images=[], series_images=series)) == ["s0", "s1"]
    assert urls(legacy(images=single, series_images=series)) == ["i0", "i1", "s0", "s1"]


def test_every_view_of_an_element_is_a_picture() -> None:
    views = [
        {"index": 1, "url_1": "b1", "url_2": "b2", "url_3": "b3"},
        {"index": 0, "url_1": "a1", "url_2": "a2", "url_3": "a3"},
    ]
    found = legacy(images=views)
    assert urls(found) == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert {output.kind for output in found} == {"image"}


def test_a_video_and_its_sound_are_two_results() -> None:
    sound = {"id": "a", "url_mp3": "m", "url_wav": "w", "duration_mp3": "5.0"}
    wanted = [("video", "https://x/v.mp4"), ("audio", "m")]
    old = legacy(videos=[VIDEO], audios=[sound])
    new = standard([{"type": "video", **VIDEO}, {"type": "audio", **sound}])
    assert [(output.kind, output.url) for output in old] == wanted
    assert [(output.kind, output.url) for output in new] == wanted


def test_in_the_new_standard_the_results_stay_in_their_order() -> None:
    mixed = [{"type": "image", "url": "1"}, {"type": "audio", "url": "2"}, {"type": "video", "url": "3"}]
    assert urls(standard(mixed)) == ["1", "2", "3"]


@pytest.mark.parametrize("kind", [None, "", "video", "Video", " VIDEO "])
def test_a_result_is_a_video_however_that_is_spelled_and_where_it_is_not_said(kind: str | None) -> None:
    assert standard([{"type": kind, "url": "u"}]) == (Output("video", "u"),)
    assert standard([{"url": "u"}]) == (Output("video", "u"),)


def test_what_is_no_file_is_no_result() -> None:
    voice = {"type": "voice", "voice_id": "7", "trial_url": "https://x/t.mp3"}
    element = {"type": "element", "element_id": 7, "url": "https://x/e.png", "references": []}
    assert urls(standard([element, voice, {"type": "video", "url": "u"}])) == ["u"]
    assert legacy(voices=[{"voice_id": "7"}], elements=[{"element_id": 7}]) == ()


@pytest.mark.parametrize("field", ["videos", "images", "series_images", "audios"])
@pytest.mark.parametrize("nothing", [None, [], "", 0, {}, [None], ["x"], [[]], [{}], [{"url": ""}]])
def test_nothing_in_a_field_loses_nothing_of_the_others(field: str, nothing: Any) -> None:
    series = {"index": 0, "url": "https://x/s0.png"}
    whole = {"videos": [VIDEO], "images": [IMAGE], "series_images": [series], "audios": [SPEECH]}
    found = legacy(**{**whole, field: nothing})
    assert len(found) == 3
    assert found == tuple(output for output in legacy(**whole) if output in found)


@pytest.mark.parametrize("odd", [None, "x", 7, [], {}, {"type": "video", "url": None}])
def test_an_odd_entry_loses_nothing_of_the_others(odd: Any) -> None:
    assert urls(legacy(videos=[odd, VIDEO, odd])) == [VIDEO["url"]]
    assert urls(standard([odd, {"type": "video", **VIDEO}, odd])) == [VIDEO["url"]]


def test_one_result_where_a_list_should_be_is_that_result() -> None:
    assert urls(legacy(videos=VIDEO)) == urls(standard({"type": "video", **VIDEO})) == [VIDEO["url"]]


def test_a_result_without_an_address_is_none() -> None:
    sound, video = {"type": "audio", "url": "https://x/a.mp3"}, {"type": "video", "url": "https://x/b"}
    found = standard([sound, {"type": "video", "url": ""}, video])
    assert found == (Output("audio", "https://x/a.mp3"), Output("video", "https://x/b"))


def test_no_results_yet_are_no_results() -> None:
    assert standard(None) == standard([]) == legacy() == ()
