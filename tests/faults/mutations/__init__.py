"""Ways to break the pack's guards, each of which some test must notice. Data for ``mutants.py``.

A mutation replaces text that stands exactly once in its file. ``tests`` are what is run against it: whole
files or single tests. What costs money, a key or a paid result belongs here.
"""

from __future__ import annotations

from . import answers, doubt, leaks, purchase, results, spending
from .form import Edit, Mutation

__all__ = ["MUTATIONS", "Edit", "Mutation"]

MUTATIONS: tuple[Mutation, ...] = (
    *purchase.MUTATIONS,
    *doubt.MUTATIONS,
    *spending.MUTATIONS,
    *results.MUTATIONS,
    *leaks.MUTATIONS,
    *answers.MUTATIONS,
)
