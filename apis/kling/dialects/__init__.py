"""The two generations of Kling's API, and which one reaches a model."""

from __future__ import annotations

from ..models import ModelSpec
from .base import CredentialKind, Dialect
from .legacy import LEGACY
from .standard import STANDARD

#: both, in the order in which a task is looked for
DIALECTS: dict[str, Dialect] = {LEGACY.name: LEGACY, STANDARD.name: STANDARD}

__all__ = ["DIALECTS", "CredentialKind", "Dialect", "choose"]


def choose(spec: ModelSpec, credential: CredentialKind) -> Dialect:
    """Return the dialect in which this credential reaches the model: the preferred one, or else the other.

    Raises ValueError with a sentence where it can't.
    """
    for name in (spec.preferred, *spec.dialects):
        if DIALECTS[name].takes(credential):
            return DIALECTS[name]
    raise ValueError(
        f"{spec.name} takes an API key only, and KLING_ACCESS_KEY with KLING_SECRET_KEY is a key pair. "
        "Nothing was sent. Make an API key at kling.ai/dev/api-key and set KLING_API_KEY, "
        "or choose another model_name."
    )
