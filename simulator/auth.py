"""Who is asking: API key, JWT, or a Comfy.org user behind the proxy.

The answers to bad credentials are the recorded ones of the real API. Its text for a malformed key is
misleading (it takes the key for a JWT); that is kept, because the pack must be able to explain it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from .answers import ProxyRefusal, Refusal
from .partner import partner_user
from .state import State

KEY_PREFIX = "api-key-kling-"
NO_KEY_PAIR = (
    "Authentication error. The current API does not support AK/SK; "
    "please go to the console to create API key."
)


def account_of(state: State, headers: Mapping[str, str], *, standard: bool) -> str:
    """Return the account behind the `Authorization` header.

    `standard` is the new design standard, which takes API keys only. Raises Refusal 1001..1004.
    """
    scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
    token = token.strip()
    if not scheme:
        raise Refusal(1001)
    if scheme.lower() != "bearer" or not token:
        raise Refusal(1002)
    if token in state.api_keys:
        return state.api_keys[token]
    if token.startswith(KEY_PREFIX):
        raise Refusal(1002, "api key not found")
    if standard:
        raise Refusal(1002, NO_KEY_PAIR)
    return _account_of_jwt(state, token)


def key_name(state: State, headers: Mapping[str, str]) -> str:
    """Return what the account calls the key of a request, which is not the key."""
    keys, token = list(state.api_keys), headers.get("Authorization", "").partition(" ")[2].strip()
    if token not in keys:
        return "key pair"
    return f"spare {keys.index(token)}" if keys.index(token) else "main"


def _account_of_jwt(state: State, token: str) -> str:
    parts = token.split(".")
    if len(parts) != 3:
        count = 0 if len(parts) == 1 else len(parts)
        raise Refusal(1002, f"The token was expected to have 3 parts, but got {count}")
    header, payload = _claims(parts[0]), _claims(parts[1])
    secret, account = state.key_pairs.get(str(payload.get("iss")), ("", ""))
    signed = f"{parts[0]}.{parts[1]}".encode()
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    if header.get("alg") != "HS256" or not account or not hmac.compare_digest(expected, _decode(parts[2])):
        raise Refusal(1002)
    now = state.clock()
    expires, begins = payload.get("exp"), payload.get("nbf", 0)
    if not isinstance(expires, int) or not isinstance(begins, int):
        raise Refusal(1002)
    if now >= expires:
        raise Refusal(1004)
    if now < begins:
        raise Refusal(1003)
    return account


def _decode(part: str) -> bytes:
    if "=" in part:
        raise Refusal(1002)
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(1002) from None


def _claims(part: str) -> dict[str, Any]:
    try:
        claims = json.loads(_decode(part))
    except ValueError:
        raise Refusal(1002) from None
    if not isinstance(claims, dict):
        raise Refusal(1002)
    return claims


def comfy_user(state: State, headers: Mapping[str, str], *, creating: bool) -> str:
    """Return the Comfy.org user of a proxied request: the bearer token counts first, then `X-API-KEY`.

    Raises ProxyRefusal: 401 unknown, and for creates 402 without credits, 409 blocked.
    """
    scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
    if scheme:
        token = token.strip() if scheme.lower() == "bearer" else ""
        user = state.comfy_tokens.get(token) or partner_user(state, token)
    else:
        user = state.comfy_api_keys.get(headers.get("X-API-KEY", ""))
    if user is None:
        raise ProxyRefusal.of(401)
    if creating and user in state.comfy_without_credits:
        raise ProxyRefusal.of(402)
    if creating and user in state.comfy_blocked:
        raise ProxyRefusal.of(409)
    return user
