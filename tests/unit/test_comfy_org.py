"""Through the Comfy.org proxy: strangers share the account, and nothing can be looked up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis import errors
from kling_takes.apis.installation_secret import installation_secret
from kling_takes.apis.journal import Journal, Purchase, Row
from kling_takes.apis.tasks_api import TasksApi
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import Stage, Trigger, stage, video

DELIVERED_THEN_LOST = Fault("create", "make_then_reset")


async def test_a_take_is_bought_without_an_id_that_a_stranger_could_share(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        delivered = await s.take(s.studio(settings=s.comfy_settings()))
        assert delivered.external_task_id is None
        (task,) = s.committed
        assert task.external_task_id is None
        (create,) = [record for record in s.state.requests if record.method == "POST"]
        assert create.path.startswith("/proxy/kling/")
        assert "idempotency-key" in [name.lower() for name in create.headers]


async def test_the_same_take_is_collected(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=s.comfy_settings())
        first = await s.take(studio)
        video(first).unlink()
        assert (await s.take(studio)).collected
        assert len(s.committed) == 1


async def test_a_lost_reply_is_told_and_not_sent_again_by_itself(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[DELIVERED_THEN_LOST]) as s:
        with pytest.raises(errors.OutcomeUnknown, match="can't be looked up"):
            await s.take(s.studio(settings=s.comfy_settings()))
        assert s.state.creates_received == 1


@pytest.mark.parametrize(("answer", "billed"), [("replay", 1), ("conflict", 1)])
async def test_queued_once_more_it_goes_out_under_the_same_key(
    tmp_path: Path, answer: str, billed: int
) -> None:
    async with stage(tmp_path, faults=[DELIVERED_THEN_LOST], proxy_idempotency=answer) as s:
        studio = s.studio(settings=s.comfy_settings())
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        if answer == "replay":
            await s.take(studio)
        else:
            for _ in range(2):  # a conflict is told each time, and never answered with another key
                with pytest.raises(errors.AlreadyExists, match="can't be collected from here"):
                    await s.take(studio)
                assert s.heard.shown("bought before, or is under way")
                assert only_row(studio.context.journal).state == "told"
        assert len(s.committed) == billed


async def test_a_run_that_was_cut_off_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path) as s:
        settings, journal = s.comfy_settings(), s.journal()
        with monkeypatch.context() as broken:
            create = TasksApi.create

            async def cut_off(*arguments: Any) -> Any:
                await create(*arguments)
                raise KeyboardInterrupt

            broken.setattr(TasksApi, "create", cut_off)
            with pytest.raises(KeyboardInterrupt):
                await s.take(s.studio(journal, settings=settings))
        with pytest.raises(errors.OutcomeUnknown, match="cut off"):
            await s.take(s.studio(journal, settings=settings))
        assert s.state.creates_received == 1


async def test_another_installation_has_other_keys(tmp_path: Path) -> None:
    async with stage(tmp_path, proxy_idempotency="replay") as s:
        bought = [
            await s.take(s.studio(s.journal(f"{name}/journal"), settings=s.comfy_settings())) for name in "ab"
        ]
        # Under one key this proxy would have given the same task twice.
        assert len({each.task_id for each in bought}) == 2
    assert installation_secret(tmp_path / "a") != installation_secret(tmp_path / "b")
    assert installation_secret(tmp_path / "a") == installation_secret(tmp_path / "a")


async def test_a_damaged_secret_refuses_to_spend(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=s.comfy_settings())
        studio.context.journal.open()
        studio.context.journal.path.with_name("idempotency.secret").write_text("torn")
        with pytest.raises(errors.JournalError, match="damaged"):
            await s.take(studio)
        assert s.state.creates_received == 0


async def test_a_run_that_has_no_secret_leaves_no_doubt(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=s.comfy_settings())
        studio.context.journal.open()
        secret = studio.context.journal.path.with_name("idempotency.secret")
        secret.write_text("torn")
        with pytest.raises(errors.JournalError):
            await s.take(studio)
        secret.unlink()
        assert not (await s.take(studio)).collected


async def test_a_doubt_whose_secret_is_gone_is_not_sent_again_under_another_key(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[DELIVERED_THEN_LOST], proxy_idempotency="replay") as s:
        studio = s.studio(settings=s.comfy_settings())
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        studio.context.journal.path.with_name("idempotency.secret").unlink()
        for _ in range(2):
            with pytest.raises(errors.JournalError, match="missing"):
                await s.take(studio)
        assert s.state.creates_received == 1
        assert len(s.committed) == 1


class Keys:
    """The idempotency keys of the creates that come by, and what is answered to them in Comfy.org's place."""

    def __init__(self, status: int = 0, answer: Any = None) -> None:
        self.seen: list[str] = []
        self.status = status
        self.answer = answer

    @web.middleware
    async def gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST":
            self.seen.append(request.headers["Idempotency-Key"])
            if self.status:
                return web.json_response(self.answer, status=self.status)
        response: web.StreamResponse = await handler(request)
        return response


async def refusal(place: Stage, kind: type[errors.KlingTakesError]) -> str:
    with pytest.raises(kind) as caught:
        await place.take(place.studio(place.journal(), settings=place.comfy_settings()))
    assert type(caught.value) is kind
    return str(caught.value)


async def test_a_conflict_at_the_first_send_is_one_and_no_spending(tmp_path: Path) -> None:
    """The journal was deleted, and the secret was not."""
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("deleted"), settings=s.comfy_settings()))
        journal = s.journal("new")
        studio = s.studio(journal, settings=s.comfy_settings())
        for _ in range(2):
            with pytest.raises(errors.AlreadyExists, match="bought before, or is under way"):
                await s.take(studio)
            assert only_row(journal).state == "told"
            assert journal.spent_today(practice=False, day_start=0.0) == 0.0
        assert len(s.committed) == 1


@pytest.mark.parametrize("status", [402, 409, 403, 400])
async def test_a_resend_that_is_refused_leaves_the_doubt_as_told_and_the_key_as_it_was(
    tmp_path: Path, status: int
) -> None:
    keys = Keys(answer={"error": {"type": "account_problem", "message": "no"}})
    async with stage(tmp_path, keys.gate, faults=[DELIVERED_THEN_LOST], proxy_idempotency="replay") as s:
        studio = s.studio(settings=s.comfy_settings())
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        keys.status = status
        for _ in range(2):
            with pytest.raises(
                errors.Refused, match="An earlier send of this take may have been carried out"
            ):
                await s.take(studio)
            assert s.heard.shown("An earlier send")
            assert only_row(studio.context.journal).state == "told"
        keys.status = 0
        await s.take(studio)
        assert len(set(keys.seen)) == len(s.committed) == 1


async def test_a_conflict_after_a_restart_that_struck_the_send_is_told(tmp_path: Path) -> None:
    keys = Keys()
    async with stage(tmp_path, keys.gate) as s:
        journal = s.journal("cut", CutOffAtOnce)
        with pytest.raises(KeyboardInterrupt):
            await s.take(s.studio(journal, settings=s.comfy_settings()))
        restarted = s.studio(Journal(journal.path), settings=s.comfy_settings())
        s.journals.append(restarted.context.journal)
        with pytest.raises(errors.OutcomeUnknown, match="cut off"):
            await s.take(restarted)
        for _ in range(2):
            with pytest.raises(errors.AlreadyExists, match="can't be collected from here"):
                await s.take(restarted)
        assert len(set(keys.seen)) == len(s.committed) == 1


async def test_an_account_that_comfy_org_has_blocked_is_no_conflict(tmp_path: Path) -> None:
    async with stage(tmp_path, comfy_blocked={"practice-user"}) as s:
        said = await refusal(s, errors.AccountRefused)
        assert "a problem with your Comfy.org account" in said
        assert "Comfy.org's words: “There is a problem with the account”" in said
        assert "nothing is paid" in said
        assert only_row(s.journals[-1]).state == "refused"


async def test_an_account_without_credits_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path, comfy_without_credits={"practice-user"}) as s:
        said = await refusal(s, errors.AccountRefused)
        assert "Your Comfy.org account has no credits left" in said
        assert "Comfy.org's words: “Payment Required" in said


async def test_a_sign_in_that_comfy_org_does_not_know_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path, comfy_tokens={}) as s:
        said = await refusal(s, errors.AuthenticationFailed)
        assert "Sign in to Comfy.org in ComfyUI again" in said
        assert "KLING_" not in said


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1004, 1100, 1101, 1102, 1103, 1304])
async def test_what_kling_has_against_comfy_org_is_not_laid_at_the_users_door(
    tmp_path: Path, code: int
) -> None:
    async with stage(tmp_path, refuse_code=code) as s:
        said = await refusal(s, errors.AccountRefused)
        assert "Kling refused Comfy.org's own account" in said
        assert "Kling's words: “" in said
        for words in ("KLING_", "your key", "Your Kling", "your Kling", "clock"):
            assert words not in said


async def test_a_node_that_waits_for_a_slot_at_comfy_org_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path, refuse_code=1303) as s:
        said = await refusal(s, errors.Throttled)
        assert s.heard.shown("Waiting for a free slot: Comfy.org runs as many tasks as it may")
        assert "Comfy.org had no free slot in all this time" in said
        assert not any("your Kling" in line.lower() for line in (*s.heard.lines, said.lower()))


async def test_comfy_orgs_own_limit_is_waited_for(tmp_path: Path) -> None:
    keys = Keys(429, {"error": {"type": "rate_limit", "message": "Too many"}})
    async with stage(tmp_path, keys.gate) as s:
        s.heard = Trigger("Asked to send more slowly", lambda: setattr(keys, "status", 0))
        await s.take(s.studio(settings=s.comfy_settings()))
        assert len(keys.seen) == 2
        assert len(s.committed) == 1


async def test_the_token_goes_to_the_proxy_only(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(settings=s.comfy_settings()))
        assert not s.state.cdn_saw_authorization


class TwinAhead(Journal):
    """A journal into which another process writes the same purchase just before us."""

    def prepare(self, purchase: Purchase, **named: Any) -> Row:
        super().prepare(purchase, **named)
        return super().prepare(purchase, **named)


async def test_of_two_processes_with_the_same_take_at_comfy_org_only_one_sends(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(s.journal("twins", TwinAhead), settings=s.comfy_settings())
        with pytest.raises(errors.OutcomeUnknown, match="Another process"):
            await s.take(studio)
        assert s.state.creates_received == 0


class CutOffAtOnce(Journal):
    """A journal whose process is killed when the task that was bought is to be written down."""

    def submitted(self, *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt


class CutOffInDoubt(Journal):
    """A journal whose caller is cancelled as soon as the doubt is written down."""

    def in_doubt(self, row_id: int, reason: str) -> None:
        super().in_doubt(row_id, reason)
        raise asyncio.CancelledError


async def test_a_conflict_is_shown_before_the_journal_says_that_it_was_told(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("deleted"), settings=s.comfy_settings()))
        with pytest.raises(asyncio.CancelledError):
            await s.take(s.studio(s.journal("cut", CutOffInDoubt), settings=s.comfy_settings()))
        assert s.heard.shown("bought before, or is under way")


async def test_a_doubt_is_shown_before_the_journal_says_that_it_was_told(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")]) as s:
        studio = s.studio(s.journal("cut", CutOffInDoubt), settings=s.comfy_settings())
        with pytest.raises(asyncio.CancelledError):
            await s.take(studio)
        assert s.heard.shown("Comfy.org may or may not have bought it")
