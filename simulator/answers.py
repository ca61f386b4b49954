"""What Kling says: the envelope of every JSON answer, and the refusals with their codes.

A refusal is an exception because it can happen at any depth of a check, and because nothing may be made
after it. Codes and HTTP statuses are Kling's own table (Kling docs, 2026-09-20).
"""

from __future__ import annotations

import uuid
from typing import Any

#: business code -> (HTTP status, the sentence used when nothing more exact is known)
CODES: dict[int, tuple[int, str]] = {
    1000: (401, "Authentication failed"),
    1001: (401, "Authorization is empty"),
    1002: (401, "Authorization is invalid"),
    1003: (401, "Authorization is not yet valid"),
    1004: (401, "Authorization has expired"),
    1100: (429, "The account is in an abnormal state"),
    1101: (429, "The account is in arrears"),
    1102: (429, "Account balance not enough"),
    1103: (403, "No permission for this API or model"),
    1200: (400, "Invalid request parameters"),
    1201: (400, "Invalid parameter"),
    1202: (404, "Invalid request method"),
    1203: (404, "The requested resource does not exist"),
    1300: (400, "The request hit a platform policy"),
    1301: (400, "The content hit the security policy"),
    1302: (429, "Too many requests"),
    1303: (429, "parallel task over resource pack limit"),
    1304: (429, "The address is not in the IP whitelist"),
    5000: (500, "Internal error"),
    5001: (503, "Service under maintenance"),
    5002: (504, "Internal timeout"),
}


#: HTTP status -> (type, sentence) of Comfy.org's own refusals
PROXY_ERRORS: dict[int, tuple[str, str]] = {
    401: ("unauthorized", "Unauthorized"),
    402: ("payment_required", "Payment Required: the account has no credits left"),
    403: ("forbidden", "Access denied for this account"),
    404: ("not_found", "Not Found"),
    409: ("account_problem", "There is a problem with the account"),
    429: ("rate_limit_exceeded", "Too many requests of this account"),
}


class Refusal(Exception):
    """Kling's no: `code` is the business code, `http` the status it travels with, `str()` the message."""

    def __init__(self, code: int, message: str | None = None, *, http: int | None = None) -> None:
        status, sentence = CODES[code]
        super().__init__(message or sentence)
        self.code = code
        self.http = status if http is None else http


class ProxyRefusal(Exception):
    """The no of Comfy.org's proxy, which has a shape of its own: `{"error": {"message", "type"}}`."""

    def __init__(self, http: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.http = http
        self.kind = kind

    @staticmethod
    def of(http: int) -> ProxyRefusal:
        """Return the refusal with that HTTP status."""
        return ProxyRefusal(http, *PROXY_ERRORS[http])


def invalid(message: str) -> Refusal:
    """Return the refusal Kling gives for a wrong parameter: HTTP 400, code 1201."""
    return Refusal(1201, message)


def invalid_value(name: str, value: object) -> Refusal:
    """Return Kling's refusal of one value, in Kling's wording ("mode value 'std' is invalid")."""
    return invalid(f"{name} value '{value}' is invalid")


def success(data: Any) -> dict[str, Any]:
    """Return the envelope of a good answer around `data`."""
    return {"code": 0, "message": "SUCCEED", "request_id": str(uuid.uuid4()), "data": data}


def refused(refusal: Refusal) -> dict[str, Any]:
    """Return the envelope of a refusal: it has no `data` key at all, as Kling sends it."""
    return {"code": refusal.code, "message": str(refusal), "request_id": str(uuid.uuid4())}


def page(status: int, title: str) -> str:
    """Return a short HTML error page, as a proxy or a CDN in front of an API sends it."""
    return (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
