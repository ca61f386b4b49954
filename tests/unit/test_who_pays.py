"""A take that is paid by one account, or may be, is not bought by another in silence."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.apis.journal import Journal
from kling_takes.apis.payer import account_in_words, bought_elsewhere
from kling_takes.apis.settings import Settings
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.state import SIMULATOR_COMFY_TOKEN, SIMULATOR_KEY
from kling_takes.tests.builders import prepare, purchase
from kling_takes.tests.paper_comfyui import WORDS, Artist
from kling_takes.tests.stage import Stage, stage

Account = Callable[[Stage], Settings]

#: one simulator stands for every host: what tells accounts apart here is what the journal calls them
KNOBS: dict[str, Any] = {
    "api_keys": {SIMULATOR_KEY: "mine", "key-of-china": "in China", "another-key": "another"},
    "comfy_tokens": {SIMULATOR_COMFY_TOKEN: "somebody", "another-token": "somebody-else"},
}


def own_key(region: str) -> Account:
    """The user's own key on Kling's own host of a region."""

    def settings(place: Stage) -> Settings:
        made = place.settings("key-of-china" if region == "china" else SIMULATOR_KEY)
        return dataclasses.replace(made, account=f"kling:{region}", shares_account=False)

    return settings


def gateway(key: str = SIMULATOR_KEY) -> Account:
    return lambda place: place.settings(key)


def comfy(token: str = SIMULATOR_COMFY_TOKEN) -> Account:
    return lambda place: place.comfy_settings(token)


PAIRS = [
    pytest.param(own_key("global"), comfy(), "your Kling key, global", "your Comfy.org account", id="no key"),
    pytest.param(comfy(), own_key("china"), "your Comfy.org account", "your Kling key, china", id="a key"),
    pytest.param(
        own_key("global"), own_key("china"), "your Kling key, global", "your Kling key, china", id="region"
    ),
    pytest.param(
        own_key("global"), gateway(), "your Kling key, global", "the gateway 127.0.0.1:", id="gateway"
    ),
    pytest.param(
        gateway(), own_key("global"), "the gateway 127.0.0.1:", "your Kling key, global", id="no gateway"
    ),
    pytest.param(
        gateway(), gateway("another-key"), "another account of that kind", "the gateway", id="gateway's key"
    ),
    pytest.param(
        comfy(),
        comfy("another-token"),
        "another account of that kind",
        "your Comfy.org account",
        id="sign-in",
    ),
]


async def refused(place: Stage, journal: Journal, account: Account, take: int = 0) -> str:
    """What a run says that another account has been before."""
    before = place.state.creates_received
    with pytest.raises(errors.BoughtElsewhere) as caught:
        await place.take(place.studio(journal, settings=account(place)), take=take)
    assert place.state.creates_received == before
    return str(caught.value)


@pytest.mark.parametrize(("first", "second", "there", "here"), PAIRS)
async def test_a_paid_take_is_refused_and_both_accounts_are_named(
    tmp_path: Path, first: Account, second: Account, there: str, here: str
) -> None:
    async with stage(tmp_path, **KNOBS) as s:
        journal = s.journal()
        paid = await s.take(s.studio(journal, settings=first(s)))
        said = await refused(s, journal, second)
        assert said.startswith("take: this take was paid by ")
        payer, _, present = said.partition(", and this run would pay by ")
        assert there in payer
        assert present.startswith(here)
        assert "another number for take" in said
        assert paid.task_id in said
        assert (await s.take(s.studio(journal, settings=first(s)))).collected


@pytest.mark.parametrize(("first", "second", "there", "here"), PAIRS)
async def test_a_take_in_doubt_is_refused_and_may_have_been_paid(
    tmp_path: Path, first: Account, second: Account, there: str, here: str
) -> None:
    lost = [Fault("create", "make_then_reset"), Fault("lookup", "error_500_before", times=5)]
    async with stage(tmp_path, faults=lost, **KNOBS) as s:
        journal = s.journal()
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(s.studio(journal, settings=first(s)))
        s.state.faults.clear()
        assert "this take may have been paid by" in await refused(s, journal, second)


@pytest.mark.parametrize(("first", "second", "there", "here"), PAIRS)
async def test_another_number_buys_it_here(
    tmp_path: Path, first: Account, second: Account, there: str, here: str
) -> None:
    async with stage(tmp_path, **KNOBS) as s:
        journal = s.journal()
        await s.take(s.studio(journal, settings=first(s)))
        assert not (await s.take(s.studio(journal, settings=second(s)), take=1)).collected
        assert len(s.committed) == 2


@pytest.mark.parametrize("words", ["a storm [fail]", "a storm [refuse]"])
async def test_what_another_account_never_paid_can_be_bought_here(tmp_path: Path, words: str) -> None:
    async with stage(tmp_path, **KNOBS) as s:
        journal = s.journal()
        for account in (own_key("global"), comfy()):
            with pytest.raises((errors.TaskFailed, errors.ContentRefused)):
                await s.take(s.studio(journal, settings=account(s)), words)
        assert s.state.creates_received == 2


async def test_what_the_present_account_has_bought_elsewhere_is_collected_all_the_same(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, **KNOBS) as s:
        here = s.journal("here")
        await s.take(s.studio(here, settings=own_key("china")(s)))
        bought = await s.take(s.studio(s.journal("other machine"), settings=gateway("another-key")(s)))
        creates = s.state.creates_received
        limited = s.settings("another-key", KLING_MAX_USD_PER_DAY="0.01")
        found = await s.take(s.studio(here, settings=limited))
        assert found.collected
        assert found.task_id == bought.task_id
        assert s.state.creates_received == creates
        row = here.find_task(limited.account, found.task_id)
        assert row is not None
        assert row.adopted == 1


async def test_what_two_accounts_had_bought_before_this_rule_is_collected_by_both(tmp_path: Path) -> None:
    async with stage(tmp_path, **KNOBS) as s:
        journal = s.journal()
        accounts = own_key("global")(s), s.settings("another-key")
        first = await s.take(s.studio(journal, settings=accounts[0]))
        second = await s.take(s.studio(s.journal("apart"), settings=accounts[1]))
        await s.take(s.studio(journal, settings=accounts[1]))  # found at Kling
        for account, bought in zip(accounts, (first, second), strict=True):
            assert (await s.take(s.studio(journal, settings=account))).task_id == bought.task_id
        assert s.state.creates_received == 2


async def test_of_two_processes_with_two_accounts_one_buys(tmp_path: Path) -> None:
    async with stage(tmp_path, **KNOBS) as s:
        runs = [
            s.take(s.studio(s.journal(), settings=account(s)))
            for account in (own_key("global"), own_key("china"))
        ]
        ends: list[Any] = await asyncio.gather(*runs, return_exceptions=True)
        assert len([end for end in ends if isinstance(end, errors.BoughtElsewhere)]) == 1
        assert s.state.creates_received == 1


def test_no_other_account_comes_between_the_look_and_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process buys at the worst moment: it has to wait for our row, and is refused then."""
    mine, theirs = (Journal(tmp_path / "journal.sqlite3") for _ in range(2))
    ends: list[object] = []

    def buy_elsewhere() -> None:
        try:
            ends.append(prepare(theirs, purchase(account="kling:china")))
        except errors.BoughtElsewhere as refusal:
            ends.append(refusal)

    rival, spent = threading.Thread(target=buy_elsewhere), Journal._spent

    def sum_and_rival(*given: Any) -> float:
        rival.start()
        rival.join(0.3)
        return spent(*given)

    theirs.open()
    monkeypatch.setattr(Journal, "_spent", staticmethod(sum_and_rival))
    prepare(mine, limit_usd=100.0)
    rival.join()
    assert [type(end) for end in ends] == [errors.BoughtElsewhere]
    mine.close()
    theirs.close()


def test_a_simulators_money_stands_in_nobodys_way(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    prepare(journal, purchase(account="127.0.0.1:1#a", practice=True))
    assert prepare(journal).state == "prepared"
    assert prepare(journal, purchase(account="127.0.0.1:1#a", practice=True)).sends == 2
    journal.close()


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("kling:global", "your Kling key, global"),
        ("kling:china", "your Kling key, china"),
        ("comfy.org#0123456789abcdef", "your Comfy.org account"),
        ("gw.example:8443/kling#0123456789abcdef", "the gateway gw.example:8443/kling"),
    ],
)
def test_an_account_is_said_in_words_and_shows_no_fingerprint(account: str, words: str) -> None:
    assert account_in_words(account) == words


@pytest.mark.parametrize(
    ("account", "way"),
    [
        ("kling:china", "set KLING_API_KEY and KLING_REGION=china, and no KLING_API_BASE"),
        ("comfy.org#0123456789abcdef", "sign in to Comfy.org as you were then, and set no Kling key"),
        ("gw.example/kling#0123456789abcdef", "set KLING_API_BASE to gw.example/kling"),
    ],
)
def test_the_way_back_to_each_account_is_told(tmp_path: Path, account: str, way: str) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    said = str(bought_elsewhere(prepare(journal, purchase(account=account)), "kling:global"))
    assert way in said
    assert "0123456789abcdef" not in said
    journal.close()


# -- on the node ---------------------------------------------------------------------------------------


async def test_a_key_that_is_missing_after_a_restart_does_not_buy_again_at_comfy_org(
    artist: Artist, kling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    for name in ("KLING_API_KEY", "KLING_API_BASE"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys.modules["comfy.cli_args"].args, "comfy_api_base", kling.url)
    signed_in = {"auth_token": SIMULATOR_COMFY_TOKEN}
    with pytest.raises(errors.BoughtElsewhere, match=r"would pay by your Comfy\.org account"):
        await nodes.KlingTextToVideoNode().api_call(**WORDS, **signed_in)
    assert kling.state.creates_received == 1
    await nodes.KlingTextToVideoNode().api_call(**WORDS, **signed_in, take=1)
    assert "Paid by your Comfy.org account." in artist.texts[-1]


async def test_the_node_shows_who_pays_when_it_buys_and_when_it_collects(artist: Artist, kling: Any) -> None:
    for _ in range(2):
        await nodes.KlingTextToVideoNode().api_call(**WORDS)
        assert "Paid by the gateway 127.0.0.1:" in artist.texts[-1]
