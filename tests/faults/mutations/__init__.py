"""Ways to break the pack's guards, each of which some test must notice. Data for ``mutants.py``.

A mutation replaces text that stands exactly once in its file. ``tests`` are what is run against it: whole
files or single tests. What costs money, a key or a paid result belongs here.
"""

from __future__ import annotations

from . import answers, audit, bill, doubt, kept, leaks, lines, purchase, record, results, spending
from .form import Edit, Mutation

__all__ = ["MUTATIONS", "Edit", "Mutation"]

MUTATIONS: tuple[Mutation, ...] = (
    *purchase.MUTATIONS,
    *bill.MUTATIONS,
    *record.MUTATIONS,
    *doubt.MUTATIONS,
    *spending.MUTATIONS,
    *results.MUTATIONS,
    *kept.MUTATIONS,
    *leaks.MUTATIONS,
    *audit.MUTATIONS,
    *lines.MUTATIONS,
    *answers.MUTATIONS,
)
