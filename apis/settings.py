"""The settings of one run: which host, whose account, which limits.

They come from the environment, the pack's own credentials file and ComfyUI itself, never from a
workflow: a shared graph must not be able to send someone's key elsewhere. An empty variable counts as
not set, a variable wins over the file, and anything odd is an error that names the variable and does
not repeat its value, because a key pasted into the wrong variable is a value too.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from .credentials import (
    ApiKey,
    ComfyOrg,
    Credential,
    CredentialsFile,
    file_shown,
    kling_credential,
    no_credential,
    read_credentials_file,
)
from .errors import ConfigurationError

Region = Literal["global", "china"]
Backend = Literal["kling", "comfy_org", "simulator"]

#: Where each region's accounts live (Kling docs, 2026-09-20); a key of one is unknown to the other.
REGION_HOSTS: dict[Region, str] = {"global": "api-singapore.klingai.com", "china": "api-beijing.klingai.com"}
#: Kling's own hosts: there the account is the user's alone. The last one is the old name of the first.
OWN_HOSTS: dict[str, Region] = {
    "api-singapore.klingai.com": "global",
    "api-beijing.klingai.com": "china",
    "api.klingai.com": "global",
}
PROXY_PATH = "/proxy/kling"  #: in front of Kling's paths at Comfy.org (ComfyUI 0.27.0)
SIMULATOR_KEY = "api-key-kling-simulator"  #: opens the simulator and nothing else
MAX_WAIT_MINUTES = 60.0  #: minutes; Kling's slowest videos took 25, and a queue in front of them as long
KEEP_GB = 20.0  #: gigabytes of takes that are kept on the disk

_NOTHING_PAID = "Nothing was sent and nothing was paid."
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class _PublicKey(ApiKey):
    """The built-in simulator's key: everybody may see it, and words of it stand in ordinary texts."""

    __slots__ = ()

    def secrets(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()


@dataclass(frozen=True)
class Settings:
    """All that a run needs to know about host, account and limits."""

    base_url: str  #: scheme://host[:port][/prefix], no slash at the end
    region: Region
    backend: Backend
    credential: Credential
    account: str  #: the scope in which a take is unique; holds no key
    max_usd_per_day: float | None  #: US dollars, None for no limit
    max_wait_seconds: float  #: seconds one run waits for its video
    shares_account: bool  #: many customers may use one Kling account on this host
    user_dir: Path  #: the pack's own folder: credentials, journal, model table, takes
    keep_bytes: float  #: bytes of takes that are kept; the longest unused make room


def load_settings(
    environ: Mapping[str, str],
    user_dir: Path,
    *,
    comfy_token: str | None = None,
    comfy_api_key: str | None = None,
    comfy_api_base: str = "https://api.comfy.org",
    simulator_url: str | None = None,
) -> Settings:
    """Put the settings together from `environ`, the credentials file in `user_dir` and ComfyUI's account.

    With KLING_BACKEND=simulator neither the file nor any key is looked at. Raises ConfigurationError or
    CredentialsError, whose texts name the variable or file and the remedy.
    """
    backend = _choice(environ.get("KLING_BACKEND"), ("kling", "simulator"), "KLING_BACKEND") or "kling"
    max_wait = _positive(environ.get("KLING_MAX_WAIT_MINUTES"), "KLING_MAX_WAIT_MINUTES") or MAX_WAIT_MINUTES
    keep_gb = _positive(environ.get("KLING_KEEP_GB"), "KLING_KEEP_GB") or KEEP_GB
    max_usd = _positive(environ.get("KLING_MAX_USD_PER_DAY"), "KLING_MAX_USD_PER_DAY")
    simulated = backend == "simulator"
    file = CredentialsFile() if simulated else read_credentials_file(user_dir)

    credential: Credential
    chosen: tuple[Backend, Region, str]
    if simulated:
        if not simulator_url:
            raise ConfigurationError(
                "KLING_BACKEND is set to simulator, and the simulator is not running. "
                f"{_NOTHING_PAID} Restart ComfyUI, or remove KLING_BACKEND."
            )
        credential = _PublicKey(SIMULATOR_KEY)
        chosen = ("simulator", "global", checked_url(simulator_url, "The simulator's address"))
    elif (own := kling_credential(environ, file, user_dir)) is not None:
        credential = own
        chosen = ("kling", *_kling_host(environ, file, user_dir))
    elif comfy_token or comfy_api_key:
        if environ.get("KLING_API_BASE") or file.api_base:
            raise ConfigurationError(
                "An address for Kling is set (KLING_API_BASE, or api_base in the credentials file), but no "
                f"Kling key for it. {_NOTHING_PAID} Set KLING_API_KEY, or remove the address to use your "
                "Comfy.org account."
            )
        credential = ComfyOrg(comfy_token, comfy_api_key)
        base = checked_url(comfy_api_base, "ComfyUI's option --comfy-api-base")
        chosen = ("comfy_org", "global", base + PROXY_PATH)
    else:
        raise no_credential(user_dir)

    backend_used, region, base_url = chosen
    account, shared = _account(backend_used, base_url, credential)
    return Settings(
        base_url=base_url,
        region=region,
        backend=backend_used,
        credential=credential,
        account=account,
        max_usd_per_day=max_usd if max_usd is not None else file.max_usd_per_day,
        max_wait_seconds=max_wait * 60,
        shares_account=shared,
        user_dir=user_dir,
        keep_bytes=keep_gb * 1e9,
    )


def checked_url(value: str, name: str) -> str:
    """Give `value` as scheme://host[:port][/prefix], in lower case and without a slash at the end.

    Only https, or http to this machine itself: a key does not travel in the clear. A path is kept, since
    gateways serve Kling under one. Raises ConfigurationError that names `name` and keeps `value` to itself.
    """
    problem: str | None = None
    parts: SplitResult | None = None
    port: int | None = None
    if not all("!" <= char <= "~" for char in value) or "\\" in value:
        problem = "has a space or an unusual character in it"
    else:
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            problem = "is not a web address"
    if parts is not None and problem is None:
        problem = _url_problem(parts)
    if parts is None or problem is not None:
        raise ConfigurationError(
            f"{name} {problem}. {_NOTHING_PAID} "
            "Write it like https://host or https://host/prefix; http is for this machine itself only."
        )
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        shown += f":{port}"
    return f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address is this machine itself; no name but `localhost` is looked up."""
    if not host:
        return False
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url_problem(parts: SplitResult) -> str | None:
    if parts.scheme not in _DEFAULT_PORTS:
        return "does not begin with https://"
    if not (parts.hostname or "").rstrip("."):
        return "has no host in it"
    if "@" in parts.netloc:
        return "has a user name or a password in it, where no key belongs"
    if parts.query or parts.fragment:
        return "has a ? or a # in it"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "begins with http:// and is not this machine, so a key would travel in the clear"
    if any(step in (".", "..") for step in parts.path.split("/")):
        return "has dots as a folder in it"
    return None


def _kling_host(environ: Mapping[str, str], file: CredentialsFile, user_dir: Path) -> tuple[Region, str]:
    """Choose the host for a user's own key: the address if one is set, or else the region's."""
    where = file_shown(user_dir)
    named, source = environ.get("KLING_REGION"), "KLING_REGION"
    if not named:
        named, source = file.region, f"region in the file {where}"
    region = _choice(named, ("global", "china"), source)
    base, source = environ.get("KLING_API_BASE"), "KLING_API_BASE"
    if not base:
        base, source = file.api_base, f"api_base in the file {where}"
    if not base:
        chosen: Region = "china" if region == "china" else "global"
        return chosen, f"https://{REGION_HOSTS[chosen]}"
    url = checked_url(base, source)
    parts = urlsplit(url)
    own = OWN_HOSTS.get(parts.netloc)
    if own is not None and parts.path:
        raise ConfigurationError(
            f"{source} names Kling's own host with a path behind it, which it does not have. {_NOTHING_PAID} "
            f"Write https://{parts.netloc}; the pack adds the paths itself."
        )
    return own or ("china" if region == "china" else "global"), url


def _account(backend: Backend, base_url: str, credential: Credential) -> tuple[str, bool]:
    """Give the scope of a take and whether strangers may be in it.

    On Kling's own hosts a take is unique in the user's account whichever key opens it, so no key is part
    of the scope and a renewed key buys nothing again. Elsewhere the credential is all that tells one
    customer from another.
    """
    netloc = urlsplit(base_url).netloc
    if backend == "comfy_org":
        return f"comfy.org#{credential.fingerprint()}", True
    if backend == "kling" and netloc in OWN_HOSTS:
        return f"kling:{OWN_HOSTS[netloc]}", False
    place = base_url.split("://", 1)[1]
    return f"{place}#{credential.fingerprint()}", True


def _choice(value: str | None, allowed: tuple[str, ...], name: str) -> str | None:
    if not value:
        return None
    if value not in allowed:
        raise ConfigurationError(
            f"{name} has a value that the pack does not know. {_NOTHING_PAID} "
            f"It can be {' or '.join(allowed)}. Correct it and restart ComfyUI."
        )
    return value


def _positive(value: str | None, name: str) -> float | None:
    """Read a variable that is a plain number above 0, such as 2.5; a limit misread is no limit."""
    if not value:
        return None
    number = float(value) if _NUMBER.fullmatch(value) else math.nan
    if not number > 0:
        raise ConfigurationError(
            f"{name} is not a number above 0. {_NOTHING_PAID} "
            f"Write it like 2.5, without a unit, or remove {name}."
        )
    return number
