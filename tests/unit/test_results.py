"""Results of any kind and number: all of them arrive, each under its own name, and are paid for once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.delivered import Delivered
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.products import PRODUCTS
from kling_takes.apis.kling.request import KlingRequest
from kling_takes.tests.builders import only_row
from kling_takes.tests.cancelling import until
from kling_takes.tests.stage import Stage, Trigger, serving, stage
from kling_takes.tests.throwaway import (
    MP3,
    AnyKling,
    Pictures,
    PicturesRequest,
    Sound,
    SoundRequest,
    table_with,
)

PICTURES = PicturesRequest(model_name="throwaway-1", prompt="a fox", n=3)
SOUND = SoundRequest(model_name="throwaway-1", prompt="a fox barks")
DIALECTS = ("legacy", "standard")


class Shop:
    """A stage on which only throw-away products are sold."""

    def __init__(self, place: Stage, kling: AnyKling, url: str) -> None:
        self.place = place
        self.kling = kling
        self.journal = place.journal()
        # As on Kling's own host: there a task's id alone names its files.
        self.settings = dataclasses.replace(
            place.settings(KLING_API_BASE=url), account="kling:global", shares_account=False
        )

    def run(self, request: KlingRequest = PICTURES, dialect: Any = "legacy") -> Awaitable[Delivered]:
        """A run of the take in a process of its own."""
        table = table_with("throwaway-1", dialect)
        studio = self.place.studio(self.journal, settings=self.settings, table=table)
        return self.place.deliver(studio, request)

    @property
    def names(self) -> list[str]:
        """The files that are here."""
        return sorted(file.name for file in self.place.files.iterdir())


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    for product in (Pictures(), Sound()):
        monkeypatch.setitem(PRODUCTS, product.name, product)
    kling = AnyKling()
    async with stage(tmp_path) as place, serving(kling.app()) as url:
        yield Shop(place, kling, url)


def contents(delivered: Delivered) -> list[bytes]:
    return [file.path.read_bytes() for file in delivered.files]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_all_pictures_arrive_in_klings_order_each_under_its_own_name(shop: Shop, dialect: str) -> None:
    delivered = await shop.run(PICTURES, dialect)
    assert contents(delivered) == [shop.kling.files[name] for name in ("1.png", "2.png", "3.png")]
    names = [file.path.name for file in delivered.of_kind("image")]
    assert names == ["800.png", "800-2.png", "800-3.png"]
    assert shop.names == sorted(names)
    assert not delivered.of_kind("video")
    assert delivered.duration == ""
    assert shop.place.heard.shown("Downloading 2 of 3")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_sound_arrives_with_its_length(shop: Shop, dialect: str) -> None:
    delivered = await shop.run(SOUND, dialect)
    assert contents(delivered) == [MP3]
    assert [file.path.name for file in delivered.of_kind("audio")] == ["800.mp3"]
    assert delivered.duration == "3.2"
    assert "s.wav" not in shop.kling.fetched


@pytest.mark.parametrize(("link", "suffix"), [("1.webp", ".webp"), ("1.jpeg", ".jpeg"), ("1.exe", ".png")])
async def test_a_picture_keeps_the_suffix_of_its_link_where_it_is_one_of_a_picture(
    shop: Shop, link: str, suffix: str
) -> None:
    shop.kling.files[link] = shop.kling.files["1.png"]
    shop.kling.pictures = [link, "2.png"]
    delivered = await shop.run(PICTURES.model_copy(update={"n": 2}))
    assert [file.path.name for file in delivered.files] == [f"800{suffix}", "800-2.png"]


@pytest.mark.parametrize("request_", [PICTURES, SOUND], ids=["pictures", "a sound"])
async def test_what_has_arrived_is_collected_from_the_disk_without_asking_kling(
    shop: Shop, request_: KlingRequest
) -> None:
    first = await shop.run(request_)
    asked = len(shop.kling.requests)
    again = await shop.run(request_)
    assert again.collected
    assert again.files == first.files
    assert len(shop.kling.requests) == asked


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_take_is_delivered_only_when_every_picture_has_arrived(shop: Shop, dialect: str) -> None:
    shop.kling.refused = {"2.png"}
    with pytest.raises(errors.DownloadFailed, match="nothing is paid again"):
        await shop.run(PICTURES, dialect)
    assert only_row(shop.journal).state == "succeeded"
    assert shop.names == ["800.png"]
    shop.kling.refused.clear()
    delivered = await shop.run(PICTURES, dialect)
    assert delivered.collected
    assert len(contents(delivered)) == 3
    assert only_row(shop.journal).state == "delivered"
    assert shop.kling.fetched == {"1.png": 1, "2.png": 2, "3.png": 1}
    assert shop.kling.creates == 1


async def test_a_run_cancelled_between_two_pictures_leaves_the_rest_to_the_next(shop: Shop) -> None:
    shop.kling.hanging = {"2.png"}
    run = asyncio.ensure_future(shop.run())
    await until(lambda: "2.png" in shop.kling.fetched)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert only_row(shop.journal).state == "succeeded"
    shop.kling.hanging.clear()
    assert len(contents(await shop.run())) == 3
    assert shop.kling.fetched["1.png"] == 1
    assert shop.kling.creates == 1


@pytest.mark.parametrize("lost", ["800.png", "800-2.png", "800-3.png"])
async def test_a_picture_that_is_gone_from_the_disk_is_fetched_again_and_no_other(
    shop: Shop, lost: str
) -> None:
    first = await shop.run()
    before = contents(first)
    (shop.place.files / lost).unlink()
    again = await shop.run()
    assert again.collected
    assert contents(again) == before
    assert sum(shop.kling.fetched.values()) == 4
    assert shop.kling.creates == 1


async def test_the_journal_knows_each_picture_and_how_large_it_is(shop: Shop) -> None:
    delivered = await shop.run()
    kept = only_row(shop.journal).outputs
    assert [(each.kind, each.name, each.bytes) for each in kept] == [
        (file.kind, file.path.name, len(file.path.read_bytes())) for file in delivered.files
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_fresh_link_is_that_of_the_picture_whose_link_has_expired(shop: Shop, dialect: str) -> None:
    shop.kling.expired = {"2.png"}
    delivered = await shop.run(PICTURES, dialect)
    assert contents(delivered) == [shop.kling.files[name] for name in ("1.png", "2.png", "3.png")]
    assert shop.kling.fetched["2.png"] == 2


class ReadOnly(Journal):
    """A journal into which nothing may be written."""

    def _write(self, work: Any) -> Any:
        raise AssertionError(f"something was written: {work}")


@pytest.mark.parametrize(("sound", "suffixes"), [(False, [".png", ".png"]), (True, [".mp3"])])
async def test_the_task_of_something_else_is_collected_whatever_its_kind_and_nothing_is_written_down(
    shop: Shop, sound: bool, suffixes: list[str]
) -> None:
    task = shop.kling.task(2, sound=sound)
    studio = shop.place.studio(shop.place.journal("other", ReadOnly), settings=shop.settings)
    product = Sound.name if sound else Pictures.name
    got = await studio.recover(task.id, product=product, files=shop.place.files, reporter=shop.place.heard)
    assert [file.path.suffix for file in got.files] == suffixes
    assert got.collected
    assert shop.kling.creates == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_where_kling_names_fewer_pictures_than_before_none_is_taken_for_another(
    shop: Shop, dialect: str
) -> None:
    shop.kling.expired, shop.kling.unnamed = {"2.png"}, {"1.png"}
    with pytest.raises(errors.DownloadFailed, match="gives no link to it yet"):
        await shop.run(PICTURES, dialect)
    assert shop.names == ["800.png"]


async def test_where_a_later_run_is_told_of_fewer_pictures_the_take_is_not_complete(shop: Shop) -> None:
    shop.kling.refused = {"2.png"}
    with pytest.raises(errors.DownloadFailed):
        await shop.run()
    shop.kling.refused, shop.kling.unnamed = set(), {"1.png"}
    with pytest.raises(errors.DownloadFailed, match="gives no link to it yet"):
        await shop.run()
    row = only_row(shop.journal)
    assert (row.state, len(row.outputs)) == ("succeeded", 3)
    assert shop.names == ["800.png"]


async def test_a_task_not_shown_when_its_link_is_renewed_is_not_called_gone(shop: Shop) -> None:
    shop.kling.expired = {"2.png"}
    shop.place.heard = Trigger("Downloading 2 of 3", shop.kling.tasks.clear)
    with pytest.raises(errors.NotFound, match="does not know the task") as caught:
        await shop.run()
    assert "another number" not in str(caught.value)
    assert caught.value.task_id == "800"
    assert shop.kling.creates == 1
