"""The new standard: the model in the path, one query for all products, success spelled "succeeded".

API key only. Source: Kling docs, 2026-09-20.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ..bodies import stamped_standard
from ..endpoint import ApiEndpoint
from ..models import ModelSpec
from ..products.base import Product
from ..request import KlingRequest
from ..responses import KlingTask, StandardReply, standard_task
from .base import Dialect, to_create, to_read

TASKS_PATH = "/tasks"


class StandardDialect(Dialect):
    """Translates requests to the new standard and its answers back."""

    name = "standard"
    finished = "succeeded"
    credentials = frozenset({"api_key", "comfy_org"})

    def body(self, product: Product[Any], request: KlingRequest, spec: ModelSpec) -> BaseModel:
        """Return the body, without our id."""
        return product.standard_body(request, spec)

    def stamped(self, body: BaseModel, external_task_id: str | None) -> BaseModel:
        """Return the body with our id in its options."""
        return stamped_standard(body, external_task_id)

    def create(self, product: Product[Any], spec: ModelSpec, body: BaseModel) -> ApiEndpoint[BaseModel, Any]:
        """Return the product's address for this model."""
        return to_create(f"{product.paths[self.name]}/{spec.dialects[self.name]}", body, StandardReply)

    def query(self, product: str, task_id: str) -> ApiEndpoint[BaseModel, Any]:
        """Return where the state of a task is, of any product."""
        return to_read(TASKS_PATH, StandardReply, task_ids=task_id)

    def lookup(self, product: str, external_task_id: str) -> ApiEndpoint[BaseModel, Any]:
        """Return where a task is found by our own id; a miss is an empty list."""
        return to_read(TASKS_PATH, StandardReply, external_task_ids=external_task_id)

    def task(self, reply: StandardReply, wanted: str | None = None) -> KlingTask | None:
        """Return the task in an answer; None where ``wanted`` (a task id or one of ours) is not there.

        Raises ValueError where the record has no id or no status.
        """
        if wanted is None:
            return standard_task(reply.data[0]) if reply.data else None
        for record in reply.data:
            if wanted in (str(record.id), record.external_id):
                return standard_task(record)
        # A record may leave our id out; only a different one shows that it is another task.
        if len(reply.data) == 1 and not reply.data[0].external_id:
            return standard_task(reply.data[0])
        return None


STANDARD = StandardDialect()
