"""Where keys come from, how they sign, and that they are never seen."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis import credentials as subject
from kling_takes.apis.credentials import ApiKey, ComfyOrg, CredentialsFile, KeyPair
from kling_takes.apis.errors import CredentialsError

jwt = pytest.importorskip("jwt", reason="PyJWT judges our tokens; it is a dependency of the tests only")

NOW = 1_789_862_400.0
SECRET = "s" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pack's folder, under the name it has in ComfyUI."""
    made = tmp_path / "user" / "__kling_takes"
    made.mkdir(parents=True)
    return made


def write(folder: Path, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "credentials.json").write_text(text, "utf-8")


def bearer(credential: Any, now: float) -> str:
    word, token = credential.headers(now)["Authorization"].split(" ")
    assert word == "Bearer"
    return token


def test_an_api_key_is_sent_as_a_bearer_token(canary: str) -> None:
    assert ApiKey(canary).headers(NOW) == {"Authorization": f"Bearer {canary}"}


@given(st.text("ABCdef0189-_", min_size=1), st.text("ABCdef0189-_", min_size=32), st.integers(10, 2**33))
def test_our_token_is_the_one_that_pyjwt_makes(access: str, secret: str, now: int) -> None:
    payload = {"iss": access, "exp": now + 1800, "nbf": now - 5}
    assert subject.sign_token(access, secret, now + 0.9) == jwt.encode(payload, secret, algorithm="HS256")


def test_pyjwt_accepts_our_token_and_refuses_it_under_another_secret() -> None:
    token = bearer(KeyPair("access", SECRET), NOW)
    unclocked = {"verify_exp": False, "verify_nbf": False}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options=unclocked)
    assert claims == {"iss": "access", "exp": NOW + 1800, "nbf": NOW - 5}
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, "t" * 40, algorithms=["HS256"], options=unclocked)


@pytest.mark.parametrize(
    ("later", "again"), [(0, False), (1499, False), (1501, True), (1799, True), (9000, True), (-1, True)]
)
def test_a_token_is_signed_again_with_five_minutes_left_or_a_clock_set_back(
    later: float, again: bool
) -> None:
    pair = KeyPair("access", SECRET)
    first = bearer(pair, NOW)
    second = bearer(pair, NOW + later)
    assert (second != first) is again
    claims = jwt.decode(second, options={"verify_signature": False, "verify_exp": False, "verify_nbf": False})
    assert claims["nbf"] <= NOW + later <= claims["exp"] - 300


def test_the_comfy_token_comes_before_the_comfy_key() -> None:
    assert ComfyOrg("token", "key").headers(NOW) == {"Authorization": "Bearer token"}
    assert ComfyOrg(None, "key").headers(NOW) == {"X-API-KEY": "key"}
    assert ComfyOrg("", "key").headers(NOW) == {"X-API-KEY": "key"}
    with pytest.raises(CredentialsError, match="not signed in"):
        ComfyOrg(None, "")


def comfy_token(sub: str, issued: int) -> str:
    return str(
        jwt.encode({"iss": "https://auth.example", "sub": sub, "iat": issued}, SECRET, algorithm="HS256")
    )


def test_a_comfy_account_stays_the_same_when_its_token_is_renewed() -> None:
    first, renewed, other = (
        ComfyOrg(comfy_token(sub, issued), None) for sub, issued in (("ann", 1), ("ann", 2), ("bob", 1))
    )
    assert first != renewed
    assert first.fingerprint() == renewed.fingerprint()
    assert first.fingerprint() != other.fingerprint()


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.%%%.c", "a.bnVsbA.c", "a.W10.c", "a.eyJzdWIiOjF9.c"])
def test_a_comfy_token_that_is_no_jwt_stands_for_itself(token: str) -> None:
    assert ComfyOrg(token, None).fingerprint() != ComfyOrg(token + "x", None).fingerprint()


def test_a_fingerprint_is_stable_and_different_for_each_credential(canary: str) -> None:
    made = [
        ApiKey(canary),
        ApiKey(canary + "1"),
        KeyPair(canary, "x"),
        ComfyOrg(None, canary),
        ComfyOrg(canary, None),
    ]
    prints = [each.fingerprint() for each in made]
    assert len(set(prints)) == len(prints)
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in prints)
    assert prints[0] == ApiKey(canary).fingerprint()
    # Pinned: it is part of the ids under which paid takes are found again.
    assert ApiKey("example").fingerprint() == "3922acb6246f1d36"


def test_a_new_secret_for_the_same_access_key_is_the_same_account() -> None:
    assert KeyPair("access", "one").fingerprint() == KeyPair("access", "two").fingerprint()
    assert KeyPair("access", "one") != KeyPair("access", "two")


def test_credentials_are_equal_by_content_and_work_as_keys_of_a_dict() -> None:
    assert ApiKey("a") == ApiKey("a") != ApiKey("b")
    assert ApiKey("a") != ComfyOrg(None, "a")
    assert len({ApiKey("a"), ApiKey("a"), KeyPair("a", "b"), KeyPair("a", "b")}) == 2


@dataclasses.dataclass
class Holder:
    credential: Any


def test_a_credential_shows_nothing_of_itself(canary: str) -> None:
    file = CredentialsFile(api_key=canary, secret_key=canary)
    pair = KeyPair(canary, canary)
    pair.headers(NOW)
    token = bearer(pair, NOW)
    for each in (ApiKey(canary), pair, ComfyOrg(canary, canary), file):
        holder = Holder(each)
        shown = [repr(each), str(each), f"{each}", f"{each!a}", repr(holder)]
        if each is not file:
            assert not hasattr(each, "__dict__")
            shown.append(repr(dataclasses.asdict(holder)))
        for text in shown:
            assert canary not in text
            assert token not in text


@pytest.mark.parametrize("make", [ApiKey, lambda key: KeyPair(key, key), lambda key: ComfyOrg(key, key)])
def test_a_credential_refuses_to_be_pickled_and_is_its_own_copy(canary: str, make: Any) -> None:
    credential = make(canary)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="can't be pickled") as caught:
            pickle.dumps(credential, protocol)
        assert canary not in str(caught.value)
    assert copy.copy(credential) is credential
    assert copy.deepcopy([credential])[0] is credential


BAD_KEYS = {
    "line break at the end": "{}\n",
    "header of its own": "{}\r\nX-Evil: 1",
    "space inside": "Bearer {}",
    "only a space": " ",
    "no-break space": "{}\u00a0",
    "quotation marks": '"{}"',
    "not ASCII": "{}ü",
    "control character": "{}\x00",
    "delete": "{}\x7f",
    "byte order mark": "\ufeff{}",
}


@pytest.mark.parametrize("shape", BAD_KEYS.values(), ids=BAD_KEYS.keys())
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("KLING_API_KEY", {}),
        ("KLING_ACCESS_KEY", {"KLING_SECRET_KEY": "x"}),
        ("KLING_SECRET_KEY", {"KLING_ACCESS_KEY": "x"}),
    ],
)
def test_a_key_that_can_not_be_a_header_is_refused_by_the_name_of_its_variable(
    shape: str, name: str, others: dict[str, str], folder: Path, canary: str
) -> None:
    with pytest.raises(CredentialsError, match=name) as caught:
        subject.kling_credential({name: shape.format(canary), **others}, CredentialsFile(), folder)
    assert "Nothing was sent" in str(caught.value)
    assert_hidden(caught.value, canary)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("Bearer x", "a space or a line break"),
        ("x\n", "a space or a line break"),
        ("'x'", "quotation marks"),
        ("x\x00", "a character in it that no key has"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(key: str, says: str) -> None:
    with pytest.raises(CredentialsError, match=says):
        ApiKey(key)


def test_a_bad_key_in_the_file_or_from_comfy_is_refused_too(folder: Path, canary: str) -> None:
    with pytest.raises(CredentialsError, match=r"api_key in the file credentials\.json in user"):
        subject.kling_credential({}, CredentialsFile(api_key=canary + "\n"), folder)
    with pytest.raises(CredentialsError, match="secret_key in the file"):
        subject.kling_credential({}, CredentialsFile(access_key="a", secret_key=canary + " "), folder)
    for token, key in ((canary + "\n", None), (None, canary + "\n"), ("good", canary + "\n")):
        with pytest.raises(CredentialsError, match=r"the Comfy\.org") as caught:
            ComfyOrg(token, key)
        assert_hidden(caught.value, canary)


ALL_FILE = CredentialsFile(api_key="file-key", access_key="file-access", secret_key="file-secret")
PAIR_ENV = {"KLING_ACCESS_KEY": "env-access", "KLING_SECRET_KEY": "env-secret"}


@pytest.mark.parametrize(
    ("environ", "file", "expected"),
    [
        ({"KLING_API_KEY": "env-key", **PAIR_ENV}, ALL_FILE, ApiKey("env-key")),
        ({"KLING_API_KEY": "env-key", "KLING_ACCESS_KEY": "half"}, ALL_FILE, ApiKey("env-key")),
        ({"KLING_API_KEY": "", **PAIR_ENV}, ALL_FILE, KeyPair("env-access", "env-secret")),
        ({"KLING_ACCESS_KEY": "", "KLING_SECRET_KEY": ""}, ALL_FILE, ApiKey("file-key")),
        ({}, CredentialsFile(access_key="a", secret_key="b"), KeyPair("a", "b")),
        ({}, CredentialsFile(), None),
    ],
)
def test_the_first_place_that_has_a_key_wins(
    environ: dict[str, str], file: CredentialsFile, expected: Any, folder: Path
) -> None:
    assert subject.kling_credential(environ, file, folder) == expected


@pytest.mark.parametrize("empty", [{}, {"KLING_ACCESS_KEY": "", "KLING_SECRET_KEY": ""}])
@pytest.mark.parametrize(
    ("there", "missing"), [("KLING_ACCESS_KEY", "KLING_SECRET_KEY"), ("KLING_SECRET_KEY", "KLING_ACCESS_KEY")]
)
def test_half_a_pair_is_refused_by_the_name_of_the_missing_half(
    there: str, missing: str, empty: dict[str, str], folder: Path, canary: str
) -> None:
    with pytest.raises(CredentialsError, match=f"{missing} is not") as caught:
        subject.kling_credential({**empty, there: canary}, ALL_FILE, folder)
    assert_hidden(caught.value, canary)


def test_half_a_pair_in_the_file_is_refused_too(folder: Path) -> None:
    with pytest.raises(CredentialsError, match=r"secret_key in the file credentials\.json .* is not"):
        subject.kling_credential({}, CredentialsFile(access_key="a"), folder)
    with pytest.raises(CredentialsError, match=r"access_key in the file credentials\.json .* is not"):
        subject.kling_credential({}, CredentialsFile(secret_key="a"), folder)


def test_no_file_is_no_error(folder: Path) -> None:
    assert subject.read_credentials_file(folder) == CredentialsFile()
    assert subject.read_credentials_file(folder / "missing") == CredentialsFile()


def test_a_file_may_have_every_name_and_a_byte_order_mark(folder: Path) -> None:
    content = {
        "api_key": "k",
        "access_key": "a",
        "secret_key": "s",
        "region": "china",
        "api_base": "https://gateway.example/kling",
        "max_usd_per_day": 12,
    }
    write(folder, "\ufeff" + json.dumps(content))
    assert subject.read_credentials_file(folder) == CredentialsFile(**content)


def test_null_and_empty_texts_in_the_file_count_as_not_set(folder: Path) -> None:
    write(folder, {"api_key": "", "access_key": None, "max_usd_per_day": None})
    assert subject.read_credentials_file(folder) == CredentialsFile()


BAD_FILES: dict[str, tuple[Any, str]] = {
    "not JSON": ('{"api_key": "KEY"', "not valid JSON"),
    "the key alone": ("KEY", "not valid JSON"),
    "empty": ("", "not valid JSON"),
    "too deep": ("[" * 60_000, "not valid JSON"),
    "a list": ('["KEY"]', "not a JSON object"),
    "a text": ('"KEY"', "not a JSON object"),
    "an unknown name": ('{"KEY": "KEY"}', "a name in it that the pack does not know"),
    "a number as key": ('{"api_key": 5, "secret_key": "KEY"}', "a text as api_key"),
    "a list as key": ('{"api_key": ["KEY"]}', "a text as api_key"),
    "a text as limit": ('{"api_key": "KEY", "max_usd_per_day": "5"}', "a number as max_usd_per_day"),
    "true as limit": ('{"api_key": "KEY", "max_usd_per_day": true}', "a number as max_usd_per_day"),
    "no limit": ('{"api_key": "KEY", "max_usd_per_day": 0}', "not above 0"),
    "a negative limit": ('{"api_key": "KEY", "max_usd_per_day": -1}', "not above 0"),
    "not a number as limit": ('{"api_key": "KEY", "max_usd_per_day": NaN}', "not above 0"),
    "infinite limit": ('{"api_key": "KEY", "max_usd_per_day": 1e999}', "not above 0"),
    "endless integer": ('{"api_key": "KEY", "max_usd_per_day": ' + "9" * 5000 + "}", "JSON|above 0"),
    "too large": ('{"api_key": "KEY"}' + " " * 70_000, "too large"),
}


@pytest.mark.parametrize(("text", "says"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_broken_file_is_named_with_the_remedy_and_without_its_content(
    text: str, says: str, folder: Path, canary: str
) -> None:
    write(folder, text.replace("KEY", canary))
    with pytest.raises(CredentialsError, match=says) as caught:
        subject.read_credentials_file(folder)
    message = str(caught.value)
    assert "credentials.json in user/__kling_takes" in message
    assert "Nothing was sent" in message
    assert "KLING_API_KEY" in message
    assert str(folder) not in message
    assert_hidden(caught.value, canary)


def test_a_file_that_is_not_text_is_refused(folder: Path, canary: str) -> None:
    (folder / "credentials.json").write_bytes(canary.encode() + b"\xff\xfe\xc3")
    with pytest.raises(CredentialsError, match="not valid JSON") as caught:
        subject.read_credentials_file(folder)
    assert_hidden(caught.value, canary)


def test_a_folder_in_place_of_the_file_is_refused(folder: Path) -> None:
    (folder / "credentials.json").mkdir()
    with pytest.raises(CredentialsError, match="not a regular file"):
        subject.read_credentials_file(folder)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("x")
    with pytest.raises(CredentialsError, match="can't be read") as caught:
        subject.read_credentials_file(tmp_path / "user")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_pipe_in_place_of_the_file_is_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "credentials.json")
    with pytest.raises(CredentialsError, match="not a regular file"):
        subject.read_credentials_file(folder)


@pytest.mark.skipif(os.name != "posix", reason="links need a privilege on Windows")
def test_a_link_to_nothing_is_not_taken_for_no_file(folder: Path) -> None:
    (folder / "credentials.json").symlink_to(folder / "nowhere.json")
    with pytest.raises(CredentialsError, match="a link to nothing"):
        subject.read_credentials_file(folder)


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid"), reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_that_others_may_read_is_taken_away_from_them(folder: Path, mode: int) -> None:
    write(folder, {"api_key": "k"})
    path = folder / "credentials.json"
    path.chmod(mode)
    assert subject.read_credentials_file(folder).api_key == "k"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_file_whose_mode_can_not_be_changed_is_still_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"api_key": "k"})
    (folder / "credentials.json").chmod(0o644)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(Path, "chmod", refuse)
    assert subject.read_credentials_file(folder).api_key == "k"


def test_a_newcomer_without_a_key_hears_every_way_to_get_going(folder: Path) -> None:
    text = str(subject.no_credential(folder))
    for way in ("KLING_API_KEY", "https://kling.ai/dev/api-key", "credentials.json in user/__kling_takes"):
        assert way in text
    assert "Comfy.org" in text
    assert "KLING_BACKEND=simulator" in text


def assert_hidden(error: BaseException, canary: str) -> None:
    """Look for the key in the error, everything chained to it, and all their attributes."""
    assert canary not in "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        assert canary not in repr((seen, seen.args, getattr(seen, "__dict__", {}), getattr(seen, "doc", "")))
        assert canary.encode() not in getattr(seen, "object", b"")
        seen = seen.__cause__ or seen.__context__
