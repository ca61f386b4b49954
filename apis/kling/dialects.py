"""Which dialect a request is sent in, and where to look for a task whose product is not known."""

from __future__ import annotations

from typing import Literal

from .legacy import LEGACY, PRODUCT_PATHS, LegacyDialect
from .models import Dialect, ModelSpec
from .standard import STANDARD, StandardDialect

CredentialKind = Literal["api_key", "key_pair", "comfy_org"]

#: Products of /v1/ that give a video, the likeliest first; the new standard needs no product to find a task.
QUERY_PRODUCTS = tuple(PRODUCT_PATHS)

_BY_NAME: dict[str, LegacyDialect | StandardDialect] = {LEGACY.name: LEGACY, STANDARD.name: STANDARD}


def by_name(name: str) -> LegacyDialect | StandardDialect:
    """The dialect of this name; KeyError for any other."""
    return _BY_NAME[name]


def name_for(spec: ModelSpec, credential_kind: CredentialKind) -> Dialect:
    """The dialect in which this credential reaches the model.

    Raises ValueError with a sentence where a key pair can't: the new standard takes an API key only.
    """
    if credential_kind != "key_pair" or spec.preferred == "legacy":
        return spec.preferred
    if "legacy" in spec.dialects:
        return "legacy"
    raise ValueError(
        f"{spec.name} takes an API key only, and KLING_ACCESS_KEY with KLING_SECRET_KEY is a key pair. "
        "Nothing was sent. Make an API key at kling.ai/dev/api-key and set KLING_API_KEY, "
        "or choose another model_name."
    )


def choose(spec: ModelSpec, credential_kind: CredentialKind) -> LegacyDialect | StandardDialect:
    """The dialect object for `name_for`; raises the same ValueError."""
    return _BY_NAME[name_for(spec, credential_kind)]
