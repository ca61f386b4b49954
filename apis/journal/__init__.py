"""The record of paid takes, and the way to this process's one copy of it."""

from .record import Journal
from .rows import OPEN_STATES, KeptOutput, Purchase, Row
from .shared import close_journals, shared_journal

__all__ = ["OPEN_STATES", "Journal", "KeptOutput", "Purchase", "Row", "close_journals", "shared_journal"]
