"""What the two generations of Kling's API have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from ..endpoint import ApiEndpoint, HttpMethod
from ..models import DialectName, ModelSpec
from ..products.base import Product
from ..request import KlingRequest
from ..responses import KlingTask

CredentialKind = Literal["api_key", "key_pair", "comfy_org"]


class Dialect(ABC):
    """Says requests in one form of the API and reads its answers. Pure."""

    name: ClassVar[DialectName]
    #: its word for a finished task
    finished: ClassVar[str]
    #: the credentials it takes
    credentials: ClassVar[frozenset[CredentialKind]]

    def takes(self, credential: CredentialKind) -> bool:
        """Return whether this kind of credential opens it."""
        return credential in self.credentials

    @abstractmethod
    def body(self, product: Product[Any], request: KlingRequest, spec: ModelSpec) -> BaseModel:
        """Return what buys the request, without our id; it must have passed ``problems`` and ``as_sent``.

        Raises ValueError where the request holds something that this form has no field for.
        """

    @abstractmethod
    def stamped(self, body: BaseModel, external_task_id: str | None) -> BaseModel:
        """Return the body with our own id in it."""

    @abstractmethod
    def create(self, product: Product[Any], spec: ModelSpec, body: BaseModel) -> ApiEndpoint[BaseModel, Any]:
        """Return where a body goes."""

    @abstractmethod
    def query(self, product: str, task_id: str) -> ApiEndpoint[BaseModel, Any]:
        """Return where the state of one task is; ValueError for a product that has no address here."""

    @abstractmethod
    def lookup(self, product: str, external_task_id: str) -> ApiEndpoint[BaseModel, Any]:
        """Return where a task is found by our own id."""

    @abstractmethod
    def task(self, reply: Any, wanted: str | None = None) -> KlingTask | None:
        """Return the task in an answer; None where it is not the one ``wanted`` (a task id or one of ours).

        Raises ValueError where the answer can't be about a task.
        """


def to_create(path: str, body: BaseModel, reply: type[Any]) -> ApiEndpoint[BaseModel, Any]:
    """Return the address of a create."""
    return ApiEndpoint(path, HttpMethod.POST, type(body), reply)


def to_read(path: str, reply: type[Any], **query: str) -> ApiEndpoint[BaseModel, Any]:
    """Return the address of a read."""
    return ApiEndpoint(path, HttpMethod.GET, None, reply, query)
