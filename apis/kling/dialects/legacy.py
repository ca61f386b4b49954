"""The dialect under ``/v1/``: the model in the body, one address for each product, success spelled "succeed".

Takes an API key as well as a key pair. Source: Kling docs of 2026-03 with the changes up to 2026-09-20.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from ..bodies import stamped_legacy
from ..endpoint import ApiEndpoint
from ..models import ModelSpec
from ..products import legacy_paths
from ..products.base import Product
from ..request import KlingRequest
from ..responses import KlingTask, LegacyReply, legacy_task
from .base import Dialect, to_create, to_read


class LegacyDialect(Dialect):
    """Translates requests to ``/v1/`` and its answers back."""

    name = "legacy"
    finished = "succeed"
    credentials = frozenset({"api_key", "key_pair", "comfy_org"})

    def body(self, product: Product[Any], request: KlingRequest, spec: ModelSpec) -> BaseModel:
        """Return the body, without our id."""
        return product.legacy_body(request, spec)

    def stamped(self, body: BaseModel, external_task_id: str | None) -> BaseModel:
        """Return the body with our id in it."""
        return stamped_legacy(body, external_task_id)

    def create(self, product: Product[Any], spec: ModelSpec, body: BaseModel) -> ApiEndpoint[BaseModel, Any]:
        """Return the product's address."""
        return to_create(product.paths[self.name], body, LegacyReply)

    def query(self, product: str, task_id: str) -> ApiEndpoint[BaseModel, Any]:
        """Return where the state of one task is; ValueError for a product that has no address here."""
        paths = legacy_paths()
        if product not in paths:
            raise ValueError(f"{product} is not a product of Kling's; these are: {', '.join(paths)}.")
        return to_read(f"{paths[product]}/{quote(task_id, safe='')}", LegacyReply)

    def lookup(self, product: str, external_task_id: str) -> ApiEndpoint[BaseModel, Any]:
        """Return the same address: it finds a task by our own id too; a miss is HTTP 400 with code 1201."""
        return self.query(product, external_task_id)

    def task(self, reply: LegacyReply, wanted: str | None = None) -> KlingTask | None:
        """Return the task in an answer; None where it is not the one ``wanted`` (a task id or one of ours).

        Raises ValueError where the answer holds no task, or one without id or status.
        """
        if reply.data is None:
            raise ValueError("Kling's answer holds no task.")
        task = legacy_task(reply.data)
        named = {task.task_id, task.external_task_id}
        # A create's answer may leave our id out; only a different one shows that it is another task.
        if wanted is not None and task.external_task_id is not None and wanted not in named:
            return None
        return task


LEGACY = LegacyDialect()
