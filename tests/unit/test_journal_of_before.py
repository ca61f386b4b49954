"""A journal that version 0.1.0 wrote: what it says was bought is still known, and is not bought again.

The file is tests/fixtures/journal-0.1.0.sqlite3, with a row of every kind that the version could leave
behind; the JSON beside it has the same rows in plain values, and what counted as spent. Neither is ever
written again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal, Purchase, close_journals
from kling_takes.tests.paper_comfyui import call, put_up

BEFORE = Path(__file__).parent.parent / "fixtures" / "journal-0.1.0.sqlite3"
RECORDED = json.loads(BEFORE.with_suffix(".json").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = RECORDED["rows"]
BOUGHT = [row for row in ROWS if row["state"] == "delivered"]
#: what a text to video node was given in version 0.1.0, for one of the takes in the file
INPUTS = {
    "prompt": "a red kite over the sea",
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
}
TAKE_OF_INPUTS = "4db6c64fbabdafd7f918d10ec820676af81374fd7567d7127fd84fc4ca4c02bc"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Today's journal over a copy of the file."""
    opened = Journal(Path(shutil.copy(BEFORE, tmp_path / "journal.sqlite3")))
    yield opened
    opened.close()


def recorded(row: Any, before: dict[str, Any]) -> dict[str, Any]:
    """What a row says in the columns that there were."""
    return {column: getattr(row, column) for column in before}


def of_sqlite(path: Path, statement: str, *values: Any) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_there_is_a_row_in_every_state_and_of_every_sort() -> None:
    states = {"prepared", "told", "submitted", "succeeded", "delivered", "refused", "failed"}
    assert {row["state"] for row in ROWS} == states
    for column in ("adopted", "practice"):
        assert {row[column] for row in ROWS} == {0, 1}
    assert {row["dialect"] for row in ROWS} == {"legacy", "standard"}
    assert {row["product"] for row in ROWS} == {"text2video", "image2video"}
    assert {row["deducted_units"] is None for row in BOUGHT} == {True, False}


@pytest.mark.parametrize("before", ROWS, ids=lambda row: f"{row['row_id']}-{row['state']}")
def test_a_row_is_found_by_its_take_and_by_both_of_its_ids(journal: Journal, before: dict[str, Any]) -> None:
    account, take = before["account"], before["take"]
    attempts = [row for row in ROWS if (row["account"], row["take"]) == (account, take)]
    latest = max(attempts, key=lambda row: row["attempt"])
    assert recorded(journal.find(account, take), latest) == latest
    for some_id in (before["task_id"], before["external_task_id"]):
        if some_id is not None:
            assert recorded(journal.find_task(account, some_id), before) == before


def test_no_row_is_lost_and_none_is_added_by_opening(journal: Journal) -> None:
    journal.open()
    ((count,),) = of_sqlite(journal.path, "SELECT COUNT(*) FROM tasks")
    assert count == len(ROWS)


def test_what_was_spent_is_spent(journal: Journal) -> None:
    spent = RECORDED["spent"]
    for practice, usd in ((False, spent["real"]), (True, spent["practice"])):
        assert usd > 0
        assert journal.spent_today(practice=practice, day_start=spent["day_start"]) == pytest.approx(usd)


@pytest.mark.parametrize("before", BOUGHT, ids=lambda row: str(row["row_id"]))
def test_a_delivered_take_is_not_prepared_again(journal: Journal, before: dict[str, Any]) -> None:
    fields = ("account", "take", "attempt", "external_task_id", "product", "dialect", "model", "kind")
    again = Purchase(**{name: before[name] for name in fields}, practice=bool(before["practice"]))
    row = journal.prepare(again, now=before["prepared_at"] + 9e5, day_start=0.0)
    assert recorded(row, before) == before
    ((count,),) = of_sqlite(journal.path, "SELECT COUNT(*) FROM tasks")
    assert count == len(ROWS)


async def test_a_node_collects_a_take_of_before_and_sends_no_create(
    tmp_path: Path, simulator: Any, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("KLING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KLING_API_BASE", simulator.url)
    monkeypatch.setenv("KLING_API_KEY", canary)
    simulator.state.api_keys[canary] = "tests"
    user = put_up(tmp_path, monkeypatch)
    user.mkdir(parents=True)
    path = Path(shutil.copy(BEFORE, user / "journal.sqlite3"))
    try:
        # Another take, refused, shows under which name this account stands in the journal.
        simulator.state.refuse_code = 1301
        with pytest.raises(errors.KlingTakesError):
            await call("KlingTakesTextToVideo", {**INPUTS, "take": 99})
        simulator.state.refuse_code = None
        ((account,),) = of_sqlite(path, "SELECT account FROM tasks ORDER BY row_id DESC LIMIT 1")
        task = simulator.state.seed_task("text2video", account="tests", model="kling-v2-5-turbo")
        close_journals()
        mine = "UPDATE tasks SET account = ?, task_id = ? WHERE account = 'kling:global' AND take = ?"
        of_sqlite(path, mine, account, task.id, TAKE_OF_INPUTS)
        creates = simulator.state.creates_received
        video, task_id, _ = await call("KlingTakesTextToVideo", INPUTS)
        assert task_id == task.id
        assert Path(video).is_file()
        assert simulator.state.creates_received == creates
    finally:
        close_journals()
