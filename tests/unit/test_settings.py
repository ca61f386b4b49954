"""Which host, whose account, which limits."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis.credentials import ApiKey, ComfyOrg, KeyPair
from kling_takes.apis.errors import ConfigurationError, CredentialsError
from kling_takes.apis.settings import SIMULATOR_KEY, Settings, checked_url, is_loopback, load_settings

GLOBAL = "https://api-singapore.klingai.com"
CHINA = "https://api-beijing.klingai.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pack's folder, under the name it has in ComfyUI."""
    made = tmp_path / "user" / "__kling_takes"
    made.mkdir(parents=True)
    return made


def load(folder: Path, environ: dict[str, str] | None = None, file: Any = None, **more: Any) -> Settings:
    if file is not None:
        (folder / "credentials.json").write_text(json.dumps(file), "utf-8")
    return load_settings(environ or {}, folder, **more)


def test_a_key_alone_gives_the_global_host_and_the_users_own_account(folder: Path, canary: str) -> None:
    made = load(folder, {"KLING_API_KEY": canary})
    assert made == Settings(
        base_url=GLOBAL,
        region="global",
        backend="kling",
        credential=ApiKey(canary),
        account="kling:global",
        max_usd_per_day=None,
        max_wait_seconds=3600,
        shares_account=False,
        user_dir=folder,
        keep_bytes=20e9,
    )


def test_settings_show_no_key(folder: Path, canary: str) -> None:
    for environ, more in (
        ({"KLING_API_KEY": canary}, {}),
        (
            {"KLING_ACCESS_KEY": canary, "KLING_SECRET_KEY": canary, "KLING_API_BASE": "https://gw.example"},
            {},
        ),
        ({}, {"comfy_token": canary, "comfy_api_key": canary}),
    ):
        made = load(folder, environ, **more)
        assert canary not in repr(made)
        assert canary not in str(dataclasses.asdict(made))
        assert canary not in made.account


@pytest.mark.parametrize(
    ("environ", "file", "base", "region", "account"),
    [
        ({}, {}, GLOBAL, "global", "kling:global"),
        ({"KLING_REGION": "global"}, {}, GLOBAL, "global", "kling:global"),
        ({"KLING_REGION": "china"}, {}, CHINA, "china", "kling:china"),
        ({"KLING_REGION": ""}, {"region": "china"}, CHINA, "china", "kling:china"),
        ({"KLING_REGION": "global"}, {"region": "china"}, GLOBAL, "global", "kling:global"),
        ({"KLING_API_BASE": CHINA + "/"}, {}, CHINA, "china", "kling:china"),
        (
            {"KLING_API_BASE": "HTTPS://API.KlingAI.com:443"},
            {},
            "https://api.klingai.com",
            "global",
            "kling:global",
        ),
        ({"KLING_API_BASE": GLOBAL + "."}, {"api_base": CHINA}, GLOBAL, "global", "kling:global"),
        ({}, {"api_base": CHINA}, CHINA, "china", "kling:china"),
    ],
)
def test_on_klings_own_hosts_the_account_is_the_users(
    folder: Path, environ: dict[str, str], file: dict[str, str], base: str, region: str, account: str
) -> None:
    made = load(folder, {"KLING_API_KEY": "k", **environ}, file)
    assert (made.base_url, made.region, made.account, made.shares_account) == (base, region, account, False)


def test_a_renewed_key_on_klings_own_host_keeps_the_account(folder: Path) -> None:
    assert load(folder, {"KLING_API_KEY": "a"}).account == load(folder, {"KLING_API_KEY": "b"}).account


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("https://gateway.example", "gateway.example"),
        ("https://Gateway.Example:8443/kling/", "gateway.example:8443/kling"),
        ("http://127.0.0.1:8190", "127.0.0.1:8190"),
        ("http://[::1]:8190/p", "[::1]:8190/p"),
        ("http://localhost", "localhost"),
        ("https://cdn.klingai.com", "cdn.klingai.com"),
        ("https://api.klingai.com.evil.example", "api.klingai.com.evil.example"),
        ("https://api-singapore.klingai.com:8443", "api-singapore.klingai.com:8443"),
    ],
)
def test_elsewhere_the_credential_is_part_of_the_account(folder: Path, base: str, shown: str) -> None:
    one, other = (load(folder, {"KLING_API_KEY": key, "KLING_API_BASE": base}) for key in ("a", "b"))
    assert one.account == f"{shown}#{ApiKey('a').fingerprint()}"
    assert one.account != other.account
    assert one.shares_account
    assert one.backend == "kling"
    assert one.base_url == f"{base.split('://')[0]}://{shown}"


def test_a_kling_key_wins_over_the_comfy_account(folder: Path) -> None:
    made = load(
        folder, {"KLING_ACCESS_KEY": "a", "KLING_SECRET_KEY": "s"}, comfy_token="t", comfy_api_key="k"
    )
    assert made.credential == KeyPair("a", "s")
    assert made.backend == "kling"


def test_a_key_in_the_file_wins_over_the_comfy_account(folder: Path) -> None:
    assert load(folder, {}, {"api_key": "f"}, comfy_token="t").credential == ApiKey("f")


def test_without_a_kling_key_the_comfy_account_is_used_at_comfyuis_own_address(folder: Path) -> None:
    made = load(folder, {"KLING_REGION": "china"}, comfy_token="t")
    assert made.base_url == "https://api.comfy.org/proxy/kling"
    assert (made.backend, made.shares_account) == ("comfy_org", True)
    assert made.account == f"comfy.org#{ComfyOrg('t', None).fingerprint()}"
    staged = load(folder, {}, comfy_api_key="k", comfy_api_base="http://127.0.0.1:8000/x/")
    assert staged.base_url == "http://127.0.0.1:8000/x/proxy/kling"


def test_the_comfy_account_is_never_sent_to_another_address(folder: Path) -> None:
    for environ, file in (
        ({"KLING_API_BASE": "https://gw.example"}, {}),
        ({}, {"api_base": "https://gw.example"}),
    ):
        with pytest.raises(ConfigurationError, match="KLING_API_BASE"):
            load(folder, environ, file, comfy_token="t")
    with pytest.raises(ConfigurationError, match="--comfy-api-base"):
        load(folder, {}, {}, comfy_token="t", comfy_api_base="http://elsewhere.example")


def test_no_key_at_all_says_how_to_get_one(folder: Path) -> None:
    with pytest.raises(CredentialsError, match="No Kling key was found"):
        load(folder, {"KLING_API_KEY": ""}, {"region": "china"}, comfy_token="", comfy_api_key=None)


def test_the_simulator_is_used_whatever_else_is_set(folder: Path, canary: str) -> None:
    environ = {"KLING_BACKEND": "simulator", "KLING_API_KEY": canary, "KLING_API_BASE": GLOBAL}
    (folder / "credentials.json").write_text("broken")
    made = load(folder, environ, comfy_token=canary, simulator_url="http://127.0.0.1:4711/")
    assert made.base_url == "http://127.0.0.1:4711"
    assert made.credential == ApiKey(SIMULATOR_KEY)
    assert made.account == f"127.0.0.1:4711#{ApiKey(SIMULATOR_KEY).fingerprint()}"
    assert made.backend == "simulator"


def test_a_simulator_that_does_not_run_is_said(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="KLING_BACKEND"):
        load(folder, {"KLING_BACKEND": "simulator", "KLING_API_KEY": "k"})


@pytest.mark.parametrize(
    ("name", "allowed"), [("KLING_REGION", "global or china"), ("KLING_BACKEND", "kling or simulator")]
)
@pytest.mark.parametrize("value", ["Global", "eu", " kling", "CANARY"])
def test_an_unknown_choice_is_refused_with_the_allowed_ones(
    folder: Path, name: str, allowed: str, value: str, canary: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} .* {allowed}") as caught:
        load(folder, {"KLING_API_KEY": "k", name: value.replace("CANARY", canary)})
    assert canary not in str(caught.value)


def test_an_unknown_region_in_the_file_names_the_file(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"region in the file credentials\.json .* global or china"):
        load(folder, {}, {"api_key": "k", "region": "mars"})


BAD_BASES = [
    "http://gateway.example",
    "http://127.0.0.1.example",
    "http://128.0.0.1",
    "http://localhost.example",
    "ftp://127.0.0.1",
    "gateway.example",
    "//gateway.example",
    "https://",
    "https://:443",
    "https://.",
    "https:///path",
    "https://user@gateway.example",
    "https://user:CANARY@gateway.example",
    "https://CANARY@",
    "https://gateway.example?key=CANARY",
    "https://gateway.example/#CANARY",
    "https://gateway.example:99999",
    "https://gateway.example:CANARY",
    "https://gateway.example/a/../b",
    "https://gateway.example/a b",
    "https://gateway.example\n",
    "https://gateway.example\\@other.example",
    "https://gätway.example",
    "https://[::1",
    "CANARY",
]


@pytest.mark.parametrize("base", BAD_BASES)
def test_an_address_that_would_risk_the_key_is_refused(folder: Path, base: str, canary: str) -> None:
    for environ, file, name in (
        ({"KLING_API_BASE": base.replace("CANARY", canary)}, {}, "KLING_API_BASE"),
        ({}, {"api_base": base.replace("CANARY", canary)}, "api_base in the file"),
    ):
        with pytest.raises(ConfigurationError, match=name) as caught:
            load(folder, {"KLING_API_KEY": "k", **environ}, file)
        assert canary not in str(caught.value)
        assert "Nothing was sent" in str(caught.value)


def test_klings_own_host_takes_no_path(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"Write {GLOBAL};"):
        load(folder, {"KLING_API_KEY": "k", "KLING_API_BASE": GLOBAL + "/v1"})


@given(st.text(max_size=40))
def test_an_address_is_either_refused_or_safe_and_stays_what_it_is(value: str) -> None:
    for text in (value, "https://" + value, "http://" + value):
        try:
            made = checked_url(text, "NAME")
        except ConfigurationError:
            continue
        assert made.startswith("https://") or is_loopback(
            made[7:].split("/")[0].rsplit(":", 1)[0].strip("[]")
        )
        assert not made.endswith("/")
        assert checked_url(made, "NAME") == made


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.255.0.9", "::1"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "example.com", "10.0.0.1", "::", "192.168.0.1", "127.1", "a.localhost"]
)
def test_other_machines_are_not_taken_for_this_one(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(("text", "number"), [("5", 5.0), ("0.5", 0.5), ("007", 7.0), ("1000000", 1e6)])
def test_limits_are_plain_numbers(folder: Path, text: str, number: float) -> None:
    environ = {"KLING_API_KEY": "k", "KLING_MAX_USD_PER_DAY": text, "KLING_MAX_WAIT_MINUTES": text}
    made = load(folder, {**environ, "KLING_KEEP_GB": text})
    assert made.max_usd_per_day == number
    assert made.max_wait_seconds == number * 60
    assert made.keep_bytes == number * 1e9


@pytest.mark.parametrize("name", ["KLING_MAX_USD_PER_DAY", "KLING_MAX_WAIT_MINUTES", "KLING_KEEP_GB"])
@pytest.mark.parametrize(
    "text",
    ["0", "0.0", "-1", "nan", "inf", "1e3", "2,5", "5 USD", "$5", " ", "5\n", "1_000", "٣", "9" * 400, "x"],
)
def test_a_limit_that_is_no_number_above_0_is_refused_by_name(folder: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load(folder, {"KLING_API_KEY": "k", name: text})


@pytest.mark.parametrize("environ", [{}, {"KLING_KEEP_GB": ""}])
def test_twenty_gigabytes_of_takes_are_kept_where_nothing_is_said(
    folder: Path, environ: dict[str, str]
) -> None:
    assert load(folder, {"KLING_API_KEY": "k", **environ}).keep_bytes == 20e9


def test_a_limit_in_the_variable_wins_over_the_file_and_empty_counts_as_not_set(folder: Path) -> None:
    file = {"api_key": "k", "max_usd_per_day": 3}
    assert load(folder, {}, file).max_usd_per_day == 3
    assert load(folder, {"KLING_MAX_USD_PER_DAY": "7"}, file).max_usd_per_day == 7
    assert (
        load(folder, {"KLING_MAX_USD_PER_DAY": "", "KLING_MAX_WAIT_MINUTES": ""}, file).max_usd_per_day == 3
    )
    assert load(folder, {"KLING_API_KEY": "env"}, file).max_usd_per_day == 3


def test_a_broken_file_stops_everything_even_with_a_key_in_the_environment(folder: Path) -> None:
    """The limit on spending may be in that file."""
    (folder / "credentials.json").write_text("{")
    with pytest.raises(CredentialsError, match=r"credentials\.json"):
        load(folder, {"KLING_API_KEY": "k"})
