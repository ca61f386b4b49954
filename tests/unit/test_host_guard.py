"""ComfyUI's interrupt flag is one for all nodes: looking at it must not take it down."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import pytest

from kling_takes.nodes import host


class Interrupted(Exception):
    """Stands for ComfyUI's own."""


class Flag:
    """The flag of `comfy.model_management`, with the functions of that module that touch it."""

    def __init__(self) -> None:
        self.up = False

    def interrupt_current_processing(self, value: bool = True) -> None:
        self.up = value

    def processing_interrupted(self) -> bool:
        return self.up

    def throw_exception_if_processing_interrupted(self) -> None:
        if self.up:
            self.up = False
            raise Interrupted


@pytest.fixture
def flag(monkeypatch: pytest.MonkeyPatch) -> Flag:
    flag = Flag()
    module = SimpleNamespace(
        InterruptProcessingException=Interrupted,
        interrupt_current_processing=flag.interrupt_current_processing,
        processing_interrupted=flag.processing_interrupted,
        throw_exception_if_processing_interrupted=flag.throw_exception_if_processing_interrupted,
    )
    monkeypatch.setitem(sys.modules, "comfy", SimpleNamespace(model_management=module))
    monkeypatch.setitem(sys.modules, "comfy.model_management", module)
    return flag


def test_looking_at_the_interrupt_flag_leaves_it_up_for_the_other_nodes(flag: Flag) -> None:
    assert not host.interrupted()
    flag.up = True
    assert host.interrupted()
    assert host.interrupted()
    assert flag.up


async def test_an_interrupted_node_leaves_the_flag_up(flag: Flag) -> None:
    async def work() -> None:
        flag.up = True
        await asyncio.sleep(60)

    with pytest.raises(Interrupted):
        await host.until_interrupted(work())
    assert flag.up


async def test_cancel_ends_the_work_itself_and_not_only_the_waiting_for_it(flag: Flag) -> None:
    ended = []

    async def work() -> None:
        try:
            flag.up = True
            await asyncio.sleep(60)
        finally:
            ended.append("work")

    with pytest.raises(Interrupted):
        await host.until_interrupted(work())
    assert ended == ["work"]
