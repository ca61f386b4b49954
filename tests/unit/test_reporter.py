"""What a browser is told of a list: one text a second, the sum before anything is bought, the last text."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import reporter, sending
from kling_takes.apis.clock import RealClock
from kling_takes.apis.kling.products.base import Price
from kling_takes.apis.reporter import TakeReporter
from kling_takes.apis.status import Status
from kling_takes.nodes import host
from kling_takes.tests.paper_comfyui import WORDS, Artist
from kling_takes.tests.virtual_time import VirtualLoop

PRICE = Price(1.5, 0.21)


async def as_comfyui_does(artist: Artist, count: int, start: Any) -> list[Any]:
    """Start the items of a list as ComfyUI does, one each turn of the loop."""
    runs = []
    for number in range(count):

        async def run(number: int = number) -> Any:
            artist.index = number
            return await start(number)

        runs.append(asyncio.ensure_future(run()))
        await asyncio.sleep(0)
    return await asyncio.gather(*runs)


def test_of_a_thousand_items_a_browser_gets_less_than_a_kilobyte_a_second(artist: Artist) -> None:
    seconds = 20

    async def item(number: int) -> None:
        with host.reporter("7") as says:
            says.costs(PRICE)
            says.note("Paid by your Kling key, global.")
            for second in range(seconds):
                says.note(f"Warning {second}: {'the picture was made smaller, ' * 5}")
                says.state("Kling is making the video", float(second), 120.0)
                await asyncio.sleep(1)

    loop = VirtualLoop()
    loop.run_until_complete(as_comfyui_does(artist, 1000, item))
    loop.close()
    of_the_list = [text for text in artist.texts if " of " in text and " done" in text]
    assert seconds - 2 <= len(of_the_list) <= seconds + 2
    assert len(artist.texts) <= seconds + 4
    assert sum(len(text.encode()) for text in artist.texts) < 1000 * seconds


async def test_the_last_text_of_a_list_is_shown_at_once_and_once(
    artist: Artist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "TEXT_EVERY", 0.02)
    with ExitStack() as stack:
        for artist.index in range(50):
            says = stack.enter_context(host.reporter("7"))
            says.costs(PRICE)
        says.say("making")
        await asyncio.sleep(0.05)
        assert artist.texts == ["0 of 50 done · 50 waiting\n" + SUM_OF_50]
        says.say("made")
    assert artist.texts[1:] == ["50 of 50 done\n" + SUM_OF_50]
    await asyncio.sleep(0.05)
    assert len(artist.texts) == 2
    assert not TakeReporter.shared


SUM_OF_50 = "50 x 1.5 units ($0.21) = 75 units ($10.50). What is collected costs nothing."


async def test_one_item_that_fails_is_counted_and_the_others_go_on(artist: Artist) -> None:
    artist.index = 0
    first = host.reporter("7")
    artist.index = 1
    second = host.reporter("7")
    with pytest.raises(RuntimeError), first:
        raise RuntimeError
    assert artist.texts == []
    with second:
        pass
    assert artist.texts == ["1 of 2 done · 1 failed"]


class Told(list[str]):
    """The texts on a node; notes how many creates Kling had got when the whole sum was shown."""

    def __init__(self, state: Any, words: str) -> None:
        super().__init__()
        self.creates: int | None = None
        self._state, self._words = state, words

    def append(self, text: str) -> None:
        if self.creates is None and self._words in text:
            self.creates = self._state.creates_received
        super().append(text)


async def test_the_sum_of_a_list_is_shown_before_anything_is_bought(artist: Artist, kling: Any) -> None:
    kling.state.balance_units = 1e6
    artist.texts = Told(kling.state, "60 x 1.5 units ($0.21) = 90 units ($12.60)")

    async def take(number: int) -> Any:
        time.sleep(0.002)  # what it takes to open an account on a slow disk
        return await nodes.KlingTextToVideoNode().api_call(**{**WORDS, "prompt": f"kite {number}"})

    await as_comfyui_does(artist, 60, take)
    assert artist.texts.creates == 0
    assert "Paid by the gateway" in artist.texts[-1]
    assert artist.texts[-1].startswith("60 of 60 done\n")


async def test_the_texts_of_one_take_are_shown_as_they_come(artist: Artist, kling: Any) -> None:
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    heads = [text.splitlines()[0].split(" · ")[0] for text in artist.texts]
    assert heads[0] == "Getting ready"
    assert "Sending" in heads
    assert heads[-1].startswith("Delivered: 5 s of video")
    assert artist.texts[-1].splitlines()[1:] == [
        f"Paid by the gateway {kling.url.removeprefix('http://')}.",
        "Estimated price: 1.5 units ($0.21).",
    ]


@pytest.mark.parametrize("words", ["may or may not have bought it", "may or may not have bought it " * 30])
async def test_in_a_list_a_warning_is_shown_before_anything_else_happens(artist: Artist, words: str) -> None:
    class Told:
        """A context with a journal that nobody reads."""

        journal: Any = SimpleNamespace(in_doubt=None)

        def __init__(self) -> None:
            self.journal.call = self.call

        async def call(self, *_: object) -> None:
            assert any(words in text for text in artist.texts), "written down before it was told"

    async def item(number: int) -> None:
        with host.reporter("7") as says:
            await asyncio.sleep(0.01)
            if number == 1:
                before = len(artist.texts)
                row: Any = SimpleNamespace(row_id=1)
                told: Any = Told()
                await sending._tell(told, Status(says, RealClock()), row, words, "")
                assert f"2: {words}" in artist.texts[before]

    await as_comfyui_does(artist, 3, item)
