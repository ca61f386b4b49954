"""A simulated Kling that bills as a test wants it: units, money or both, for failed tasks as well."""

from __future__ import annotations

from types import ModuleType

import pytest

from kling_takes.simulator import legacy, standard


def bills(
    patch: pytest.MonkeyPatch, *, units: str = "0", cash: str = "0", currency: str = "", failures: bool = True
) -> None:
    """Let every answer about an ended task say that Kling took this for it.

    Money has no currency under ``/v1/``, and in the new standard where none is given. Without ``failures``
    only what succeeded is billed.
    """

    def in_v1() -> dict[str, object]:
        return {"final_unit_deduction": units, "final_balance_deduction": {"quota": cash, "list_price": cash}}

    def in_new_standard() -> dict[str, object]:
        money = {"charge_type": "cash", "amount": cash, **({"currency": currency} if currency else {})}
        return {"billing": [{"charge_type": "unit", "amount": units, "package_type": "video"}, money]}

    def let(module: ModuleType, fields: dict[str, object], ended: set[str]) -> None:
        shown = module.shown

        def billed(state: object, task: object, link: object) -> dict[str, object]:
            data: dict[str, object] = shown(state, task, link)
            word = data.get("task_status") or data.get("status")
            return {**data, **fields} if word in ended and (failures or word != "failed") else data

        patch.setattr(module, "shown", billed)

    let(legacy, in_v1(), {"succeed", "failed"})
    let(standard, in_new_standard(), {"succeeded", "failed"})
