"""The two generations of Kling's API, and in which one a product of a model is bought."""

from __future__ import annotations

from typing import Any

from ..models import ModelSpec
from ..products.base import Product
from .base import CredentialKind, Dialect
from .legacy import LEGACY
from .standard import STANDARD

#: both, in the order in which a task is looked for
DIALECTS: dict[str, Dialect] = {LEGACY.name: LEGACY, STANDARD.name: STANDARD}

__all__ = ["DIALECTS", "CredentialKind", "Dialect", "choose"]


def choose(product: Product[Any], spec: ModelSpec, credential: CredentialKind) -> Dialect:
    """Return the first dialect of product and model that this credential opens.

    Raises ValueError with a sentence where it can't.
    """
    for name in product.dialects(spec):
        if DIALECTS[name].takes(credential):
            return DIALECTS[name]
    raise ValueError(
        f"{spec.name} takes an API key only, and KLING_ACCESS_KEY with KLING_SECRET_KEY is a key pair. "
        "Nothing was sent. Make an API key at kling.ai/dev/api-key and set KLING_API_KEY, "
        "or choose another model_name."
    )
