"""One exchange with the API, described and not made: `client` makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True)
class Call(Generic[Reply]):
    """Method, path below the base URL, query and body of one exchange, and what its answer looks like."""

    method: Literal["GET", "POST"]
    path: str
    response_model: type[Reply]
    query: dict[str, str] = field(default_factory=dict)
    #: Its class allows no unknown field; sent as `model_dump(exclude_none=True)`.
    body: BaseModel | None = None
