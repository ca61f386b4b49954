"""What an error says about money is true, whenever in a take's life it comes."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal
from kling_takes.apis.payer import runner_in_words
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import Stage, Trigger, stage

FOR_EVER = 100_000.0
#: words that may stand in an error only where it is certain that no task was made
CLAIMS = ("nothing is paid.", "nothing was made", "nothing was bought", "not paid")


def claims(error: BaseException) -> list[str]:
    return [words for words in CLAIMS if words in str(error).lower()]


async def refused(place: Stage, kind: type[errors.KlingTakesError]) -> errors.KlingTakesError:
    with pytest.raises(kind) as caught:
        await place.take(place.studio())
    return caught.value


async def test_a_refusal_at_the_first_create_says_that_nothing_is_paid(tmp_path: Path) -> None:
    async with stage(tmp_path, refuse_code=1102) as s:
        assert claims(await refused(s, errors.AccountRefused))


@pytest.mark.parametrize("code", [1102, 1201, 1301, 1303])
async def test_a_refusal_after_a_lost_reply_does_not_say_that_nothing_is_paid(
    tmp_path: Path, code: int
) -> None:
    lost = Fault("create", "make_then_reset")
    async with stage(tmp_path, faults=[lost], lookup_blind_seconds=FOR_EVER) as s:
        s.heard = Trigger("reply was lost", lambda: setattr(s.state, "refuse_code", code))
        error = await refused(s, errors.ApiError)
        assert len(s.committed) == 1
        assert not claims(error)
        assert "never bought twice" in str(error)


async def test_a_host_that_goes_away_after_a_lost_reply_does_not_say_that_nothing_is_paid(
    tmp_path: Path,
) -> None:
    lost = Fault("create", "make_then_reset")
    async with stage(tmp_path, faults=[lost]) as s:
        studio = s.studio()

        def unplug() -> None:
            object.__setattr__(studio.context.api.connection, "base_url", "http://127.0.0.1:9")

        s.heard = Trigger("reply was lost", unplug)
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await s.take(studio)
        assert not claims(caught.value)


async def test_a_key_that_dies_after_a_lost_reply_leaves_a_doubt(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")]) as s:
        s.heard = Trigger("reply was lost", s.state.api_keys.clear)
        error = await refused(s, errors.OutcomeUnknown)
        assert "KLING_API_KEY" in str(error)
        assert "not known whether this take was bought" in str(error)


async def test_a_refused_poll_does_not_say_that_nothing_is_paid(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("query", "html_403", times=50)]) as s:
        error = await refused(s, errors.AccountRefused)
        assert not claims(error)
        assert s.committed[0].id in str(error)


async def test_a_task_that_could_not_be_written_down_is_named_as_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal)

        def full(*_: object, **__: object) -> None:
            raise journal._refusal(sqlite3.OperationalError("database or disk is full"))

        with monkeypatch.context() as broken:
            broken.setattr(Journal, "submitted", full)
            with pytest.raises(errors.JournalError) as caught:
                await s.take(studio)
        assert s.committed[0].id in str(caught.value)
        assert "is bought already" in str(caught.value)
        assert (await s.take(studio)).collected
        assert s.state.creates_received == 1


async def test_a_record_damaged_while_kling_works_does_not_say_that_nothing_was_bought(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal)

        def damage() -> None:
            journal.close()
            for tail in ("-wal", "-shm"):
                journal.path.with_name(journal.path.name + tail).unlink(missing_ok=True)
            journal.path.write_bytes(b"no database at all, but long enough to look like one" * 100)

        s.heard = Trigger("Downloading", damage)
        with pytest.raises(errors.JournalError) as caught:
            await s.take(studio)
        assert not claims(caught.value)
        assert s.committed[0].id in str(caught.value)
        assert "is bought already" in str(caught.value)
        assert (await s.take(studio)).collected
        assert only_row(journal).state == "delivered"


async def test_a_fresh_link_that_can_not_be_had_just_now_is_no_loss_and_the_error_says_so(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, faults=[Fault("download", "expired_link")]) as s:
        fault = Fault("query", "error_500_before")
        s.heard = Trigger("Downloading", lambda: s.state.faults.append(fault))
        error = await refused(s, errors.OutcomeUnknown)
        assert s.committed[0].id in str(error)
        assert "queue the same take again to collect it" in str(error)
        assert not claims(error)
        assert (await s.take(s.studio())).collected
        assert s.state.creates_received == 1


@pytest.mark.parametrize(
    ("account", "simulated", "runner"),
    [
        ("kling:china", False, "your Kling account"),
        ("comfy.org#0123456789abcdef", False, "Comfy.org"),
        ("gateway.example/kling#0123456789abcdef", False, "the gateway gateway.example/kling"),
        ("127.0.0.1:4711#0123456789abcdef", True, "the simulator"),
    ],
)
def test_who_has_no_free_slot_is_named(account: str, simulated: bool, runner: str) -> None:
    assert runner_in_words(account, simulated=simulated) == runner


async def test_a_node_that_waits_for_a_slot_says_whose_it_is(tmp_path: Path) -> None:
    async with stage(tmp_path, refuse_code=1303) as s:
        settings = dataclasses.replace(s.settings(), account="kling:global")
        with pytest.raises(errors.Throttled, match="Your Kling account had no free slot"):
            await s.take(s.studio(settings=settings))
        assert s.heard.shown("Waiting for a free slot: your Kling account runs as many tasks as it may")
