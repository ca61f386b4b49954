"""Comfy.org's short-lived tokens for partner nodes: JWTs that end by the clock and can be renewed.

A renewal does not end the token it was made from, and a token that has ended can't be renewed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from .answers import ProxyRefusal
from .state import State

AUDIENCE = "comfy-partner-node"


def partner_token(state: State, user: str = "practice-user", session: str | None = None) -> str:
    """Sign a token for a user, good for `partner_token_seconds`; a new session unless one is given."""
    session = session or secrets.token_hex(8)
    state.partner_sessions[session] = user
    claims = {
        "aud": AUDIENCE,
        "sid": session,
        "sub": user,
        "exp": state.clock() + state.partner_token_seconds,
    }
    # Two tokens of one second must differ, or nobody could see which of them is in use.
    head = {"alg": "HS256", "typ": "JWT", "kid": secrets.token_hex(4)}
    signed = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
    return f"{signed}.{_signature(state, signed)}"


def partner_user(state: State, token: str) -> str | None:
    """Return the user of a token that is good now, None for any other text."""
    claims = _claims(state, token)
    return state.partner_sessions.get(str(claims["sid"])) if claims else None


def renewed(state: State, authorization: str) -> str:
    """Return a fresh token of the same session; raises ProxyRefusal 401 for one that is not good now."""
    scheme, _, token = authorization.partition(" ")
    claims = _claims(state, token) if scheme.lower() == "bearer" else None
    user = state.partner_sessions.get(str(claims["sid"])) if claims else None
    if claims is None or user is None:
        raise ProxyRefusal.of(401)
    state.partner_renewals[str(claims["sid"])] += 1
    return partner_token(state, user, str(claims["sid"]))


def _claims(state: State, token: str) -> dict[str, Any] | None:
    signed, _, signature = token.rpartition(".")
    if not signed or not hmac.compare_digest(_signature(state, signed).encode(), signature.encode()):
        return None
    part = signed.partition(".")[2]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims if state.clock() < claims["exp"] else None


def _signature(state: State, signed: str) -> str:
    return _part(hmac.new(state.signing_secret, signed.encode(), hashlib.sha256).digest())


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
