"""The mutations fit the code as it is, and the judge of them tells killed from survived, stale and broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kling_takes.tests.faults.mutants import ROOT, Copy, judge_all, main, stale
from kling_takes.tests.faults.mutations import MUTATIONS, Edit, Mutation

ADD = Edit("apis/sums.py", "return a + b", "return a - b")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_no_mutation_is_stale_and_its_tests_exist(mutation: Mutation) -> None:
    assert mutation.edits
    assert mutation.tests
    for edit in mutation.edits:
        assert stale(ROOT, edit) == ""
        assert edit.old != edit.new
    for test in mutation.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert not name or f"def {name.partition('[')[0]}(" in text, test


def test_every_mutation_has_a_name_of_its_own() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 25


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one function and one test, which looks at sums but not at zero."""
    root = tmp_path / "project"
    (root / "apis").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", "utf-8")
    (root / "apis" / "sums.py").write_text(
        "def add(a, b):\n    if a is None:\n        return 7\n    return a + b\n", "utf-8"
    )
    (root / "tests" / "test_sums.py").write_text(
        "import runpy\nadd = runpy.run_path('apis/sums.py')['add']\n\n"
        "def test_a_sum():\n    assert add(2, 2) == 4\n",
        "utf-8",
    )
    return root


def test_each_outcome_is_told_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests = ("tests/test_sums.py",)
    mutations = [
        Mutation("noticed", (ADD,), tests),
        Mutation("missed", (Edit("apis/sums.py", "return 7", "return 8"),), tests),
        Mutation("gone", (Edit("apis/sums.py", "return a * b", ""),), tests),
        Mutation("twice", (Edit("apis/sums.py", "return", "yield"),), tests),
        Mutation("no Python", (Edit("apis/sums.py", "def add", "def def"),), tests),
    ]
    verdicts = judge_all(project, mutations, 2)
    outcomes = [verdict.outcome for verdict in verdicts]
    assert outcomes == ["killed", "survived", "stale", "stale", "broken"]
    assert "test_a_sum" in verdicts[0].by
    assert main([], root=project, mutations=mutations[:1]) == 0
    assert main(["--only", "missed"], root=project, mutations=mutations) == 1
    assert "0 of 1 mutations" in capsys.readouterr().out


def test_a_mutation_is_taken_back_before_the_next(project: Path, tmp_path: Path) -> None:
    copy = Copy(project, tmp_path / "copy")
    before = (copy.folder / "apis" / "sums.py").read_text("utf-8")
    assert copy.judge(Mutation("noticed", (ADD,), ("tests/test_sums.py",))).outcome == "killed"
    assert (copy.folder / "apis" / "sums.py").read_text("utf-8") == before
    assert (project / "apis" / "sums.py").read_text("utf-8") == before
    assert copy.run(("tests/test_sums.py",))[0] == "survived"


def test_nothing_is_judged_by_tests_that_fail_anyway(project: Path) -> None:
    (project / "tests" / "test_sums.py").write_text("def test_a_sum():\n    assert False\n", "utf-8")
    assert main([], root=project, mutations=[Mutation("noticed", (ADD,), ("tests/test_sums.py",))]) == 2


def test_words_that_fit_no_mutation_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "no mutation has such a name"]) == 2
    assert "No mutation" in capsys.readouterr().out
    assert main(["--list"]) == 0
    assert re.search(r"^a failed task", capsys.readouterr().out, re.MULTILINE)
