"""What a link may be and what an answer means: tables, no network."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from kling_takes.apis.download import DownloadPolicy
from kling_takes.apis.download.head import Answer, read_head, strong_validator, wrong_beginning
from kling_takes.apis.download.kinds import KINDS
from kling_takes.apis.download.link import link_problem

VIDEO = {"Content-Type": "video/mp4", "ETag": '"one"'}


def judge(status: int, headers: dict[str, str], offset: int = 0, total: int | None = 1000) -> Answer:
    return read_head(
        status,
        headers,
        offset=offset,
        validator='"one"' if offset else None,
        known_total=total,
        kind=dataclasses.replace(KINDS["video"], max_bytes=5000),
    )


@pytest.mark.parametrize(
    ("status", "headers", "offset", "kind"),
    [
        (200, {"Content-Length": "1000"}, 0, "begin"),
        (200, {"Content-Length": "1000"}, 500, "begin"),
        (200, {"Transfer-Encoding": "chunked"}, 0, "begin"),
        (200, {}, 0, "retry"),
        (200, {"Content-Length": "-5"}, 0, "retry"),
        (200, {"Content-Length": "5000"}, 0, "begin"),
        (200, {"Content-Length": "5001"}, 0, "refuse"),
        (206, {"Content-Range": "bytes 500-999/1000"}, 500, "go_on"),
        (206, {"Content-Range": "bytes 500-700/1000"}, 500, "go_on"),
        (206, {"Content-Range": "bytes 500-999/1000", "ETag": 'W/"one"'}, 500, "go_on"),
        (206, {"Content-Range": "bytes 500-999/1000", "ETag": '"two"'}, 500, "discard"),
        (206, {"Content-Range": "bytes 500-999/1001"}, 500, "discard"),
        (206, {"Content-Range": "bytes 500-1000/1000"}, 500, "discard"),
        (206, {"Content-Range": "bytes 0-999/1000"}, 0, "discard"),
        (206, {}, 500, "discard"),
        (416, {"Content-Range": "bytes */1000"}, 1000, "complete"),
        (416, {"Content-Range": "bytes */1000"}, 999, "discard"),
        (416, {"Content-Range": "bytes */1001"}, 1001, "discard"),
        (416, {"Content-Range": "bytes */*"}, 1000, "discard"),
        (416, {}, 1000, "discard"),
        (416, {"Content-Range": "bytes */1000"}, 0, "refuse"),
        *((status, {}, 0, "expired") for status in (401, 403, 404, 410)),
        *((status, {}, 0, "retry") for status in (408, 425, 429, 500, 502, 503, 504)),
        *((status, {}, 0, "refuse") for status in (201, 204, 300, 304, 400, 402, 418, 451, 501)),
        (403, {"Content-Type": "text/html"}, 0, "expired"),
    ],
)
def test_an_answer_means(status: int, headers: dict[str, str], offset: int, kind: str) -> None:
    answer = judge(status, VIDEO | headers, offset)
    assert answer.kind == kind
    assert bool(answer.reason) is (kind not in ("begin", "go_on", "complete"))


@given(
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(["Content-Range", "Content-Length", "Content-Type", "ETag", "Transfer-Encoding"]),
        st.text(max_size=30) | st.from_regex(r"bytes [0-9]{1,4}-[0-9]{1,4}/[0-9]{1,4}", fullmatch=True),
    ),
    st.integers(0, 1200),
)
def test_only_bytes_that_fit_exactly_are_appended(status: int, headers: dict[str, str], offset: int) -> None:
    answer = judge(status, headers, offset)
    if answer.kind == "go_on":
        assert offset
        assert headers["Content-Range"].startswith(f"bytes {offset}-")
        assert answer.total == 1000
    if answer.kind == "complete":
        assert offset == 1000


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({}, None),
        ({"ETag": '"a"'}, '"a"'),
        ({"ETag": '"a"', "Last-Modified": "today"}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "today"}, "today"),
        ({"ETag": "a", "Last-Modified": "today"}, "today"),
        ({"ETag": '""'}, None),
        ({"ETag": '"a\r\nX: 1"'}, None),
        ({"ETag": '"ä"'}, None),
        ({"ETag": '"' + "a" * 2000 + '"'}, None),
        ({"Last-Modified": "to\nday"}, None),
        ({"Last-Modified": "x" * 65}, None),
    ],
)
def test_only_a_strong_validator_is_used(headers: dict[str, str], validator: str | None) -> None:
    assert strong_validator(headers) == validator


@pytest.mark.parametrize(
    ("url", "from_loopback", "from_elsewhere"),
    [
        ("https://v15-kling-fdl.klingai.com/a.mp4?Expires=1&Signature=x~y_%2B", True, True),
        ("HTTPS://CDN.example:8443/a", True, True),
        ("http://127.0.0.1:8190/a", True, False),
        ("http://localhost/a", True, False),
        ("http://[::1]:8190/a", True, False),
        ("http://cdn.example/a", False, False),
        ("http://127.0.0.1.example/a", False, False),
        ("http://10.0.0.1/a", False, False),
        ("https://user@cdn.example/a", False, False),
        ("https://user:pw@cdn.example/a", False, False),
        ("http://127.0.0.1@evil.example/a", False, False),
        ("https:///a", False, False),
        ("https://", False, False),
        ("/a.mp4", False, False),
        ("//cdn.example/a.mp4", False, False),
        ("", False, False),
        ("file:///etc/passwd", False, False),
        ("data:video/mp4,x", False, False),
        ("https://cdn.example/a b", False, False),
        ("https://cdn.example/a\r\nX: 1", False, False),
        ("https://cdn.example:99999/a", False, False),
        ("https://[::1", False, False),
        ("https://cdn.exämple/a", False, False),
    ],
)
def test_a_link_is_followed(url: str, from_loopback: bool, from_elsewhere: bool) -> None:
    assert (link_problem(url, api_is_loopback=True) is None) is from_loopback
    assert (link_problem(url, api_is_loopback=False) is None) is from_elsewhere


@given(st.text(max_size=60))
def test_of_any_text_only_a_plain_https_link_is_followed(text: str) -> None:
    for url in (text, "https://" + text, "http://" + text):
        if link_problem(url, api_is_loopback=False) is None:
            link = URL(url, encoded=True)
            assert (link.scheme, link.raw_user, link.raw_password) == ("https", None, None)
            assert link.host


def test_an_mp4_is_not_taken_for_a_page() -> None:
    assert not wrong_beginning(b"\x00\x00\x00\x20ftypisom", KINDS["video"])
    assert not wrong_beginning(b"", KINDS["video"])
    assert wrong_beginning(b"\n\t {", KINDS["video"])


def test_the_waiting_doubles_up_to_its_bound() -> None:
    assert [DownloadPolicy().delay(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 16, 16]
    assert DownloadPolicy().delay(10**6) == 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"tries": 0},
        {"chunk_bytes": 0},
        {"stall_seconds": 0},
        {"first_delay": -1},
        {"max_redirects": -1},
    ],
)
def test_a_policy_that_can_never_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"at least|above"):
        DownloadPolicy(**wrong)
