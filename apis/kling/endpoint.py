"""One address of the API: how it is asked, what it takes, what it answers. ``client`` does the sending."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

Req = TypeVar("Req", bound=BaseModel)
Resp = TypeVar("Resp", bound=BaseModel)


class HttpMethod(str, enum.Enum):
    """The two methods that Kling's API uses."""

    GET = "GET"
    POST = "POST"


@dataclass(frozen=True)
class ApiEndpoint(Generic[Req, Resp]):
    """A path below the base URL, its query, the class of its body (None for a read) and of its answer."""

    path: str
    method: HttpMethod
    request_model: type[Req] | None
    response_model: type[Resp]
    query: Mapping[str, str] = field(default_factory=dict)
