"""Through the Comfy.org proxy: strangers share the account, and nothing can be looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.settings import load_settings
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.state import SIMULATOR_COMFY_TOKEN
from kling_takes.tests.stage import Stage, stage

DELIVERED_THEN_LOST = Fault("create", "make_then_reset")


def through_comfy(s: Stage, token: str = SIMULATOR_COMFY_TOKEN) -> Any:
    return load_settings({}, s.folder / "user", comfy_token=token, comfy_api_base=s.url)


async def test_a_take_is_bought_without_an_id_that_a_stranger_could_share(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        delivered = await s.take(s.studio(settings=through_comfy(s)))
        assert delivered.external_task_id is None
        (task,) = s.committed
        assert task.external_task_id is None
        (create,) = [record for record in s.state.requests if record.method == "POST"]
        assert create.path.startswith("/proxy/kling/")
        assert "idempotency-key" in [name.lower() for name in create.headers]


async def test_the_same_take_is_collected(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=through_comfy(s))
        first = await s.take(studio)
        first.path.unlink()
        assert (await s.take(studio)).collected
        assert len(s.committed) == 1


async def test_a_lost_reply_is_told_and_not_sent_again_by_itself(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[DELIVERED_THEN_LOST]) as s:
        with pytest.raises(errors.OutcomeUnknown, match="can't be looked up"):
            await s.take(s.studio(settings=through_comfy(s)))
        assert s.state.creates_received == 1


@pytest.mark.parametrize(("answer", "billed"), [("replay", 1), ("conflict", 1)])
async def test_queued_once_more_it_goes_out_under_the_same_key(
    tmp_path: Path, answer: str, billed: int
) -> None:
    async with stage(tmp_path, faults=[DELIVERED_THEN_LOST], proxy_idempotency=answer) as s:
        studio = s.studio(settings=through_comfy(s))
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        if answer == "replay":
            await s.take(studio)
        else:
            for _ in range(2):  # a conflict is told each time, and never answered with another key
                with pytest.raises(errors.OutcomeUnknown, match="conflict"):
                    await s.take(studio)
        assert len(s.committed) == billed


async def test_a_run_that_was_cut_off_is_told_first(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        settings, journal = through_comfy(s), s.journal()
        studio = s.studio(journal, settings=settings)
        original = studio.api.create

        async def cut_off(*arguments: Any) -> Any:
            await original(*arguments)
            raise KeyboardInterrupt

        studio.api.create = cut_off  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            await s.take(studio)
        with pytest.raises(errors.OutcomeUnknown, match="cut off"):
            await s.take(s.studio(journal, settings=settings))
        assert s.state.creates_received == 1


async def test_another_installation_has_other_keys(tmp_path: Path) -> None:
    async with stage(tmp_path, proxy_idempotency="replay") as s:
        one = s.studio(s.journal("a/journal"), settings=through_comfy(s))
        two = s.studio(s.journal("b/journal"), settings=through_comfy(s))
        assert one.idempotency_secret() != two.idempotency_secret()
        assert one.idempotency_secret() == one.idempotency_secret()


async def test_a_damaged_secret_refuses_to_spend(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=through_comfy(s))
        studio.journal.open()
        studio.journal.path.with_name("idempotency.secret").write_text("torn")
        with pytest.raises(errors.JournalError, match="damaged"):
            await s.take(studio)
        assert s.state.creates_received == 0


async def test_a_run_that_has_no_secret_leaves_no_doubt(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=through_comfy(s))
        studio.journal.open()
        secret = studio.journal.path.with_name("idempotency.secret")
        secret.write_text("torn")
        with pytest.raises(errors.JournalError):
            await s.take(studio)
        secret.unlink()
        assert not (await s.take(studio)).collected


async def test_a_doubt_whose_secret_is_gone_is_not_sent_again_under_another_key(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[DELIVERED_THEN_LOST], proxy_idempotency="replay") as s:
        studio = s.studio(settings=through_comfy(s))
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        studio.journal.path.with_name("idempotency.secret").unlink()
        for _ in range(2):
            with pytest.raises(errors.JournalError, match="missing"):
                await s.take(studio)
        assert s.state.creates_received == 1
        assert len(s.committed) == 1


async def test_an_account_without_credits_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path, comfy_without_credits={"practice-user"}) as s:
        with pytest.raises(errors.AccountRefused, match="credits"):
            await s.take(s.studio(settings=through_comfy(s)))


async def test_the_token_goes_to_the_proxy_only(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(settings=through_comfy(s)))
        assert not s.state.cdn_saw_authorization
