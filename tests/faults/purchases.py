"""Whether money was spent as promised: once for a take, within a day's limit, under one id. By the books."""

from __future__ import annotations

from collections import Counter, defaultdict

from kling_takes.simulator.money import UNIT_USD
from kling_takes.simulator.task import SimTask
from kling_takes.tests.faults.books import Create
from kling_takes.tests.faults.scenario import HOME, PURSES
from kling_takes.tests.faults.world import World


def broken(world: World) -> list[str]:
    """Return the promises that do not hold now."""
    return [*_billed(world), *_dollars(world), *_ids(world)]


def region(owner: str) -> str:
    """Two accounts of one region can't be told apart by the journal: return the owners of its one account."""
    return "user" if owner == PURSES["second"].owner else owner


def committed(world: World) -> dict[tuple[str, str], list[SimTask]]:
    found: dict[tuple[str, str], list[SimTask]] = defaultdict(list)
    for create in world.creates:
        if create.task is not None and create.task.costs:
            found[create.owner, create.task.order.prompt].append(create.task)
    return found


def _billed(world: World) -> list[str]:
    """Nobody pays twice for a take, except where the proxy forgets keys and the user was told."""
    found = []
    for (owner, prompt), tasks in committed(world).items():
        allowed = 1
        if world.forgets(owner):
            allowed += world.told[owner, prompt]
        if len(tasks) > allowed:
            found.append(f"{owner} pays {len(tasks)} times for {prompt!r}")
    return found + (_elsewhere(world) if world.mode == "own" else [])


def _elsewhere(world: World) -> list[str]:
    """No account pays for what the same computer has bought by another that its journal tells from it."""
    if "home" in world.wiped:
        return []
    payers: dict[str, set[str]] = defaultdict(set)
    for create in world.creates:
        if create.home == "home" and create.task is not None and create.task.costs:
            payers[create.task.order.prompt].add(region(create.owner))
    return [f"{sorted(who)} pay for {prompt!r}" for prompt, who in payers.items() if len(who) > 1]


def _dollars(world: World) -> list[str]:
    """A computer that has kept its journal and its clock buys nothing beyond what it may spend in a day."""
    found = []
    for home in sorted(set(HOME.values())):
        if not world.max_usd or home in world.wiped | world.jumped or world.forgets_at(home):
            continue
        if world.mode == "gateway" or (home == "home" and "second" in world.purses):
            continue  # whose create it was can't be told, or one row stands for a purchase of each account
        spent = max((_spent_with(world, place, create) for place, create in _bought(world, home)), default=0)
        if spent > float(world.max_usd) + 0.001:
            found.append(f"{home} has spent ${spent:.2f} of ${world.max_usd}")
    return found


def _bought(world: World, home: str) -> list[tuple[int, Create]]:
    return [
        (place, create)
        for place, create in enumerate(world.creates)
        if create.home == home and create.task is not None and create.task.costs
    ]


def _spent_with(world: World, last: int, bought: Create) -> float:
    """Return the dollars that a computer had to count when it sent a create, with the create itself.

    What was deducted counts where a run had ended with it. Else the estimate does, or the deduction where
    that is smaller, because it may have been known already.
    """
    total = bought.estimate
    for place, create in _bought(world, bought.home):
        if place < last and create.task is not None:
            known = world.price_known.get((bought.home, create.task.id), last + 1) <= last
            paid = create.task.price_units
            is_dollars = not create.task.billed_cash or create.task.currency == "USD"
            total += paid if known and is_dollars else min(paid, create.estimate)
    return total * UNIT_USD["video"]


def _ids(world: World) -> list[str]:
    """One attempt goes out under one id, and no two owners ever use the same."""
    found = []
    failed = Counter(
        (region(create.owner), create.task.order.prompt)
        for create in world.creates
        if create.task is not None and create.task.fails_with
    )
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    sends: Counter[tuple[str, str, str]] = Counter()
    prompts = {create.key: create.prompt for create in world.creates if create.key and create.prompt}
    for create in world.creates:
        known = create.key or create.external_id
        prompt = create.prompt or prompts.get(create.key)
        if known is None or prompt is None:
            continue
        keys[region(create.owner), prompt].add(known)
        owners[known].add(create.owner)
        if not create.surely_nothing:
            sends[create.owner, prompt, known] += 1
    for (owner, prompt), used in keys.items():
        if len(used) > 1 + failed[owner, prompt]:
            found.append(f"{owner} sent {prompt!r} under {len(used)} ids")
    for create in world.creates:
        if not world.is_proxied(create.owner):
            if create.key:
                found.append("an idempotency key went to Kling")
        elif create.key is None or create.external_id:
            found.append("a create through the proxy without a key of its own, or with an external id")
    homes = {create.owner: create.home for create in world.creates}
    for (owner, prompt, _key), count in sends.items():
        promised = world.is_proxied(owner) and homes[owner] not in world.wiped
        if promised and count > 1 + world.told[owner, prompt]:
            found.append(f"{owner}: {prompt!r} was sent again without a word")
    if world.mode != "own":
        found += [f"{sorted(who)} meet under one id" for who in owners.values() if len(who) > 1]
    return found
