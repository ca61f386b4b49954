"""Numbers and names in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(values: Sequence[str], last: str) -> str:
    """Return ``a, b or c``, with ``last`` as the word before the last one."""
    if len(values) < 2:
        return "".join(values)
    return f"{', '.join(values[:-1])} {last} {values[-1]}"


def numbers(values: Iterable[int]) -> str:
    """Return ``5 or 10``; ``3 to 15`` where no number between them is missing."""
    found = sorted(values)
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]} to {found[-1]}"
    return listed([str(value) for value in found], "or")


def too_long(length: int, most: int, takes: str, counted: str = "") -> str:
    """Return why a text of this many characters is refused, and by how many it must shrink."""
    return f"{length} characters{counted} are too many; {takes} {most}. Shorten it by {length - most}."
