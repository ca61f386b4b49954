"""The filter for whatever a server says: no part of a secret passes, and ordinary words do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis.answer import KEPT_OF_BODY, body_shown, parse_json
from kling_takes.apis.redaction import LONGEST_TEXT, MARK, SHORTEST, Redactor

KEY = "sk-Q7vL2xWn94bTzR8mKd3pYc6h"
TOKEN = "eyJhbGciOi.eyJpc3MiOiJa.Yc6hQ7vL2x"

SECRETS = st.text("abcAB12-_.", min_size=SHORTEST, max_size=40)
NOISE = st.text("abcAB12-_. %&\\#;äu00", max_size=30)


def parts(secret: str) -> set[str]:
    return {secret[start : start + SHORTEST] for start in range(len(secret) - SHORTEST + 1)}


def leaks(text: str, *secrets: str) -> bool:
    return any(part in text for secret in secrets for part in parts(secret))


@given(SECRETS, NOISE, NOISE, st.data())
def test_no_part_of_a_secret_that_is_more_than_chance_passes(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(secret) - SHORTEST))
    end = data.draw(st.integers(start + SHORTEST, len(secret)))
    shown = Redactor([secret]).text(before + secret[start:end] + after)
    assert not leaks(shown, secret)
    assert MARK in shown


@pytest.mark.parametrize("place", range(13))
def test_the_shortest_part_is_found_wherever_it_stands(place: int) -> None:
    assert Redactor([KEY]).text("·" * place + KEY[3 : 3 + SHORTEST] + ".") == "·" * place + MARK + "."


@given(st.lists(SECRETS, min_size=2, max_size=3), st.data())
def test_secrets_that_run_into_one_another_are_all_hidden(secrets: list[str], data: st.DataObject) -> None:
    shared = data.draw(st.integers(0, SHORTEST))
    text = secrets[0] + secrets[1][min(shared, len(secrets[1]) - SHORTEST) :] + secrets[-1]
    assert not leaks(Redactor(secrets).text(text), *secrets)


def test_what_is_around_a_secret_stays() -> None:
    redactor = Redactor([KEY])
    assert (
        redactor.text(f"invalid token Bearer {KEY}, try again") == f"invalid token Bearer {MARK}, try again"
    )
    assert redactor.text(f"{KEY}{KEY} and {KEY[4:16]}.") == f"{MARK} and {MARK}."
    assert redactor.text(KEY[: SHORTEST - 1]) == KEY[: SHORTEST - 1]


@pytest.mark.parametrize(
    "escape",
    [
        lambda char: f"\\u{ord(char):04x}",
        lambda char: f"\\u{ord(char):04X}",
        lambda char: f"&#{ord(char)};",
        lambda char: f"&#x{ord(char):x};",
        lambda char: f"%{ord(char):02X}",
        lambda char: f"\\{char}" if char in "/." else char,
    ],
)
@pytest.mark.parametrize("every", [1, 2, 9])
def test_a_secret_that_is_escaped_in_a_text_is_found(escape: Any, every: int) -> None:
    text = "".join(escape(char) if place % every == 0 else char for place, char in enumerate(TOKEN))
    shown = Redactor([TOKEN]).text(f"at https://h/?a=1&b=%20: {text}!")
    assert shown.endswith(f": {MARK}!")


def test_a_text_that_is_escaped_for_another_reason_stays_as_it_is() -> None:
    link = "https://cdn.example/v.mp4?Expires=1795348800&Signature=a%2Fb%3D&x=\\u0041"
    assert Redactor([KEY]).text(link) == link


def test_names_and_long_numbers_in_json_are_filtered_too() -> None:
    digits = "90817263544536271809"
    value = {KEY: [{f"is {KEY}": int(digits)}, 5, 1795348800000, True, None, 1.5]}
    shown = Redactor([KEY, digits]).value(value)
    assert shown == {MARK: [{f"is {MARK}": MARK}, 5, 1795348800000, True, None, 1.5]}


def test_a_new_secret_does_not_make_the_old_one_public() -> None:
    redactor = Redactor([KEY])
    redactor.learn([TOKEN])
    assert redactor.text(f"{KEY} {TOKEN}") == f"{MARK} {MARK}"


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("sk-1234", "Bearer sk-1234.", f"Bearer {MARK}."),
        ("sk-1234", "sk-12345", "sk-12345"),
        ("mytask", "task_id of mytask", f"task_id of {MARK}"),
        ("k", "Task k has no task_status", "Task k has no task_status"),
        ("token", "an invalid token", "an invalid token"),
    ],
)
def test_a_short_secret_is_hidden_as_a_word_and_not_within_others(secret: str, text: str, shown: str) -> None:
    assert Redactor([secret]).text(text) == shown


def test_a_field_of_klings_keeps_its_name_whatever_a_short_key_is() -> None:
    assert Redactor(["message"]).value({"message": "the message"}) == {"message": f"the {MARK}"}


def test_a_text_without_end_is_cut() -> None:
    assert len(Redactor([KEY]).text("x" * 10**6)) <= LONGEST_TEXT + 1


@given(st.text(max_size=40))
def test_every_text_can_be_written_down_afterwards(text: str) -> None:
    Redactor([KEY]).text(text + "\ud83d").encode("utf-8")


@pytest.mark.parametrize(
    "body",
    [
        f"<html>Bearer {KEY}</html>".encode(),
        f"<html>Bearer {KEY}</html>".encode("utf-16"),
        json.dumps({"x": KEY}).replace("Q7vL", "\\u0051\\u0037vL").encode(),
        f"{'x' * (KEPT_OF_BODY - 15)}{KEY}".encode(),
    ],
)
def test_a_body_is_kept_without_the_key(body: bytes) -> None:
    shown = body_shown(body, Redactor([KEY]))
    assert not leaks(shown, KEY)
    assert MARK in shown
    assert len(shown) <= KEPT_OF_BODY + len(MARK)


def test_json_that_can_not_be_read_is_none_and_raises_nothing_that_holds_it() -> None:
    redactor = Redactor([KEY])
    assert parse_json(f'{{"code": 0, "x": "{KEY}'.encode(), redactor) is None
    assert parse_json(b"[" * 100_000 + b"]" * 100_000, redactor) is None


def test_more_values_than_kling_ever_sends_are_not_taken_apart() -> None:
    bill = [{f"field_{place}": "some words" for place in range(30)} for _ in range(500)]
    assert parse_json(json.dumps(bill).encode(), Redactor([KEY])) == bill
    assert parse_json(b"[" + b"1," * 10**6 + b"1]", Redactor([KEY])) is None
