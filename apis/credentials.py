"""The credential: where it is looked for, and how it signs a request without ever being seen.

Order: `KLING_API_KEY`; `KLING_ACCESS_KEY` with `KLING_SECRET_KEY`; `credentials.json` in the pack's own
folder; the Comfy.org account that ComfyUI hands over. An empty variable counts as not set. A key leaves
this module in one way only, as the headers of one request to the API: its `repr` is hidden, it refuses
to be pickled, and no error text, chained error included, holds a part of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn, cast

from .errors import CredentialsError
from .kling.dialects import CredentialKind

FILE_NAME = "credentials.json"
FILE_LIMIT = 65_536  #: bytes; a credentials file has a few hundred, so a larger one is something else
TOKEN_SECONDS = 1800  #: seconds a signed token is good for (Kling docs, 2026-09-20)
TOKEN_LEEWAY = 5  #: seconds `nbf` lies in the past, for clocks that differ (Kling docs, 2026-09-20)
RESIGN_BEFORE = 300  #: seconds left at which a token is replaced, so that none expires on its way

_TEXT_KEYS = ("api_key", "access_key", "secret_key", "region", "api_base")
_KEY_PAGE = "https://kling.ai/dev/api-key"
_NOTHING_PAID = "Nothing was sent and nothing was paid."


#: the newest token for each one that ComfyUI has handed over; in memory only
_renewed: dict[str, str] = {}


class Credential(ABC):
    """Something that signs requests; it shows its kind and never its content."""

    __slots__ = ()
    kind: ClassVar[CredentialKind]

    @abstractmethod
    def headers(self, now: float) -> dict[str, str]:
        """Give the headers that sign one request at `now` (wall clock, seconds); for the API's host only."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Give 16 hex digits that stay the same for the same account and can't be turned back into a key."""

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must not be seen outside a request's headers."""
        return tuple(part for part in self._content() if part)

    @abstractmethod
    def _content(self) -> tuple[str, ...]:
        """Everything that makes two credentials of one kind differ."""

    def __repr__(self) -> str:
        """Show the kind alone."""
        return f"<{type(self).__name__} hidden>"

    def __eq__(self, other: object) -> bool:
        """Compare the content in constant time."""
        if not isinstance(other, Credential) or other.kind != self.kind:
            return NotImplemented
        mine, theirs = "\0".join(self._content()), "\0".join(other._content())
        return hmac.compare_digest(mine.encode(), theirs.encode())

    def __hash__(self) -> int:
        """Agree with `==`."""
        return hash((self.kind, self._content()))

    def __copy__(self) -> Credential:
        """A credential never changes, so a copy is itself."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Credential:
        """Let `dataclasses.asdict` pass without laying the content open."""
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled: a pickle is a file with the key in it."""
        raise TypeError(f"{type(self).__name__} holds a key and can't be pickled")


class ApiKey(Credential):
    """Kling's API key, for all models and both generations of the API (Kling docs, 2026-09-20)."""

    __slots__ = ("_key",)
    kind: ClassVar[CredentialKind] = "api_key"

    def __init__(self, key: str, *, name: str = "KLING_API_KEY") -> None:
        """Keep `key`; raises CredentialsError that names `name` if it can't be a key."""
        self._key = _checked(key, name)

    def headers(self, now: float) -> dict[str, str]:
        """Give the Authorization header."""
        return {"Authorization": f"Bearer {self._key}"}

    def fingerprint(self) -> str:
        """Give 16 hex digits that stand for the key."""
        return _digest(self.kind, self._key)

    def _content(self) -> tuple[str, ...]:
        return (self._key,)


class KeyPair(Credential):
    """An access key and a secret key; Kling takes them on its legacy endpoints only (docs, 2026-09-20)."""

    __slots__ = ("_access", "_secret", "_token")
    kind: ClassVar[CredentialKind] = "key_pair"

    def __init__(
        self, access: str, secret: str, *, names: tuple[str, str] = ("KLING_ACCESS_KEY", "KLING_SECRET_KEY")
    ) -> None:
        """Keep both; raises CredentialsError that names the one that can't be a key."""
        self._access = _checked(access, names[0])
        self._secret = _checked(secret, names[1])
        self._token: tuple[float, str] | None = None

    def headers(self, now: float) -> dict[str, str]:
        """Give the Authorization header with a JWT that is good for at least five more minutes.

        A clock that was set back makes a new token too: the old one would not be valid yet (code 1003).
        """
        held = self._token
        if held is None or not held[0] <= now <= held[0] + TOKEN_SECONDS - RESIGN_BEFORE:
            held = (now, sign_token(self._access, self._secret, now))
            self._token = held
        return {"Authorization": f"Bearer {held[1]}"}

    def fingerprint(self) -> str:
        """Give 16 hex digits that stand for the access key; a new secret for it is the same account."""
        return _digest(self.kind, self._access)

    def secrets(self) -> tuple[str, ...]:
        """Return both keys and the token that is signed with them now."""
        return (*self._content(), *((self._token[1],) if self._token else ()))

    def _content(self) -> tuple[str, ...]:
        return (self._access, self._secret)


class ComfyOrg(Credential):
    """A Comfy.org account as ComfyUI hands it to a node: the sign-in token, or else its API key."""

    __slots__ = ("_api_key", "_token")
    kind: ClassVar[CredentialKind] = "comfy_org"

    def __init__(self, token: str | None, api_key: str | None) -> None:
        """Keep what there is; raises CredentialsError if there is neither or one can't be a key."""
        self._token = _checked(token, "the Comfy.org sign-in token") if token else None
        self._api_key = _checked(api_key, "the Comfy.org API key") if api_key else None
        if self._token is None and self._api_key is None:
            raise CredentialsError(f"You are not signed in to Comfy.org. {_NOTHING_PAID}")

    def headers(self, now: float) -> dict[str, str]:
        """Give the token as Authorization, or else the key as X-API-KEY (as ComfyUI 0.27.0 does)."""
        if self._token is not None:
            return {"Authorization": f"Bearer {self.token}"}
        return {"X-API-KEY": self._api_key or ""}

    @property
    def token(self) -> str:
        """The newest token of this sign-in, empty where there is an API key alone."""
        return _renewed.get(self._token or "", self._token or "")

    def renewed(self, token: str) -> None:
        """Use this token from now on, in every node that was given the same one as this."""
        if self._token:
            _renewed[self._token] = _checked(token, "the renewed Comfy.org token")

    def secrets(self) -> tuple[str, ...]:
        """Return what there is, a renewed token too."""
        return tuple({part for part in (*self._content(), self.token) if part})

    def fingerprint(self) -> str:
        """Give 16 hex digits that stand for the account.

        The sign-in token is a JWT that is replaced every hour. Its issuer and subject stay, so they are
        what counts: a hash of the token itself would make every take a new one an hour later, and buy it
        again. The same person with a token today and an API key tomorrow is two accounts to us.
        """
        if self._token is None:
            return _digest(self.kind, "api_key", self._api_key or "")
        return _digest(self.kind, "token", _subject(self._token) or self._token)

    def _content(self) -> tuple[str, ...]:
        return (self._token or "", self._api_key or "")


@dataclass(frozen=True, repr=False)
class CredentialsFile:
    """What `credentials.json` says; None where it says nothing. Its `repr` is hidden."""

    api_key: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    region: str | None = None
    api_base: str | None = None
    max_usd_per_day: float | None = None


def read_credentials_file(user_dir: Path) -> CredentialsFile:
    """Read `credentials.json` in `user_dir`; no such file gives an empty CredentialsFile.

    Null and the empty string count as not set. On POSIX a file of ours that others may read is tightened
    to mode 0600; where that is not possible (a read-only mount, another owner) it is used as it is.
    Raises CredentialsError that names the file and the remedy, and never its content.
    """
    where = file_shown(user_dir)
    raw = _read(user_dir / FILE_NAME, where)
    if raw is None:
        return CredentialsFile()
    # Parsing errors of json carry the whole document; raised outside `except`, ours drags none of it along.
    document: object = None
    problem: str | None
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        problem = "is not valid JSON"
    else:
        problem = _problem(document)
    if problem:
        allowed = ", ".join((*_TEXT_KEYS, "max_usd_per_day"))
        raise CredentialsError(
            f"The file {where} {problem}. {_NOTHING_PAID} "
            f'It should look like {{"api_key": "..."}}; the names it may have are {allowed}. '
            "Correct it, or delete it and set KLING_API_KEY instead."
        )
    return CredentialsFile(**{name: value for name, value in cast(dict[str, Any], document).items() if value})


def file_shown(user_dir: Path) -> str:
    """Give the name of the credentials file as texts show it: with two folders, not the whole path."""
    return f"{FILE_NAME} in {user_dir.parent.name}/{user_dir.name}"


def kling_credential(
    environ: Mapping[str, str], file: CredentialsFile, user_dir: Path
) -> ApiKey | KeyPair | None:
    """Give the user's own Kling credential, or None where there is none.

    Half a key pair raises CredentialsError that names the missing half: going on to the next place would
    spend from an account that the user did not mean.
    """
    if key := environ.get("KLING_API_KEY"):
        return ApiKey(key)
    pair = _pair(
        environ.get("KLING_ACCESS_KEY"),
        environ.get("KLING_SECRET_KEY"),
        ("KLING_ACCESS_KEY", "KLING_SECRET_KEY"),
    )
    if pair is not None:
        return pair
    where = file_shown(user_dir)
    if file.api_key:
        return ApiKey(file.api_key, name=f"api_key in the file {where}")
    names = (f"access_key in the file {where}", f"secret_key in the file {where}")
    return _pair(file.access_key, file.secret_key, names)


def no_credential(user_dir: Path) -> CredentialsError:
    """Give the error for a user who has no key yet: every way to get going."""
    return CredentialsError(
        f"No Kling key was found. {_NOTHING_PAID} Set the variable KLING_API_KEY to a key from {_KEY_PAGE} "
        f'and restart ComfyUI; or write {{"api_key": "..."}} into {file_shown(user_dir)}; or sign in to '
        "Comfy.org in ComfyUI. To practise without a key and for free, set KLING_BACKEND=simulator."
    )


def sign_token(access: str, secret: str, now: float) -> str:
    """Give the HS256 JWT for a key pair: `iss`, `exp` in 30 minutes, `nbf` 5 s ago (docs, 2026-09-20)."""
    head = {"alg": "HS256", "typ": "JWT"}
    payload = {"iss": access, "exp": int(now) + TOKEN_SECONDS, "nbf": int(now) - TOKEN_LEEWAY}
    signed = f"{_base64url(_json(head))}.{_base64url(_json(payload))}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def _pair(access: str | None, secret: str | None, names: tuple[str, str]) -> KeyPair | None:
    if access and secret:
        return KeyPair(access, secret, names=names)
    if not access and not secret:
        return None
    there, missing = names if access else reversed(names)
    raise CredentialsError(
        f"Half of a key pair is missing: {there} is set, {missing} is not. {_NOTHING_PAID} "
        f"Set {missing} too, or use an API key alone: KLING_API_KEY, from {_KEY_PAGE}."
    )


def _checked(value: str, name: str) -> str:
    """Give back a value that is safe inside a header; a line break in it would write a header of its own."""
    if not value:
        problem = "is empty"
    elif value[0] in "\"'" or value[-1] in "\"'":
        problem = "has quotation marks around it"
    elif any(char.isspace() for char in value):
        problem = "has a space or a line break in it"
    elif not all("!" <= char <= "~" for char in value):
        problem = "has a character in it that no key has"
    else:
        return value
    raise CredentialsError(
        f"The key is not usable: {name} {problem}. {_NOTHING_PAID} "
        "Copy the key again, by itself: without the word Bearer, quotation marks or line breaks."
    )


def _read(path: Path, where: str) -> bytes | None:
    """Give the bytes of a regular file, None where there is none."""
    problem: str
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            problem = "is not a regular file"
        elif status.st_size > FILE_LIMIT:
            problem = "is too large to be a credentials file"
        else:
            _tighten(path, status.st_mode)
            return path.read_bytes()
    except FileNotFoundError:
        if not path.is_symlink():
            return None
        problem = "is a link to nothing"
    except OSError as error:
        problem = f"can't be read ({error.strerror or type(error).__name__})"
    raise CredentialsError(
        f"The file {where} {problem}. {_NOTHING_PAID} "
        "Make it a text file that ComfyUI's user may read, or delete it and set KLING_API_KEY instead."
    )


def _tighten(path: Path, mode: int) -> None:
    """Take the file away from group and others, where the system knows such a thing and lets us."""
    if os.name == "posix" and mode & 0o077:
        try:
            path.chmod(0o600)
        except OSError:
            return  # read-only mounts are how containers hand over secrets; refusing them helps nobody


def _problem(document: object) -> str | None:
    """Say what is wrong with the parsed file, without repeating a word of it."""
    if not isinstance(document, dict):
        return "is not a JSON object"
    if not set(document) <= {*_TEXT_KEYS, "max_usd_per_day"}:
        return "has a name in it that the pack does not know"
    for name in _TEXT_KEYS:
        if not isinstance(document.get(name), str | None):
            return f"has something else than a text as {name}"
    limit = document.get("max_usd_per_day")
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return "has something else than a number as max_usd_per_day"
    if not (0 < limit < 10**12 and math.isfinite(limit)):
        return "has a max_usd_per_day that is not above 0"
    return None


def _subject(token: str) -> str | None:
    """Give issuer and subject of a JWT, unverified: they only name a scope of ours and open nothing.

    One without a subject has a session, which lasts longer than the token.
    """
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        issuer, subject = claims.get("iss"), claims.get("sub") or claims["sid"]
    except (IndexError, KeyError, AttributeError, TypeError, ValueError, RecursionError, binascii.Error):
        return None
    return f"{issuer}\0{subject}" if isinstance(subject, str) and subject else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(("kling-takes", *parts)).encode()).hexdigest()[:16]


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
