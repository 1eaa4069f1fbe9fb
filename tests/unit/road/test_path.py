# SPDX-License-Identifier: Apache-2.0
"""Is what we match what an upstream is asked?"""

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tricircle.errors import InvalidRequestError
from tricircle.road.path import canonical


@pytest.mark.parametrize(
    ("raw", "segments", "text"),
    [
        ("/", (), "/"),
        ("/v2.1", ("v2.1",), "/v2.1"),
        ("/v2.1/", ("v2.1",), "/v2.1/"),
        ("//v2.1///servers", ("v2.1", "servers"), "/v2.1/servers"),
        ("/servers/a%2Faction", ("servers", "a", "action"), "/servers/a/action"),
        ("/keys/my%20key", ("keys", "my key"), "/keys/my%20key"),
        ("/keys/%C3%A4", ("keys", "ä"), "/keys/%C3%A4"),
        ("/keys/a%3Fb%23c", ("keys", "a?b#c"), "/keys/a%3Fb%23c"),
        ("/keys/%252541", ("keys", "%2541"), "/keys/%252541"),
        ("/keys/a%5Cb;c", ("keys", "a\\b;c"), "/keys/a%5Cb;c"),
        ("/keys/..a...", ("keys", "..a..."), "/keys/..a..."),
        ("/keys/hw:cpu", ("keys", "hw:cpu"), "/keys/hw:cpu"),
    ],
)
def test_canonical(raw: str, segments: tuple[str, ...], text: str) -> None:
    """Decoded once, as WSGI does, and encoded again."""
    path = canonical(raw)
    assert (path.segments, path.text) == (segments, text)


@pytest.mark.parametrize(
    "raw",
    [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..%2f..%2fb",
        "/./a",
        "/a/%00",
        "/a%0d%0ab",
        "/a%ff",
        "/a/..",
        "/a/%252e%252e/b",
        "/a/%25252e%25252e%25252fb",
        "/a/b%252f..%252fc",
        "/a/..;x/b",
        "/a/%2e%2e;/b",
        "/a/..%5c..%5cb",
        "/a\\..\\b",
        "/a/%c0%ae%c0%ae/b",
    ],
)
def test_what_could_climb_is_refused(raw: str) -> None:
    """Nobody leaves a service through its path, or writes a second header line."""
    with pytest.raises(InvalidRequestError):
        canonical(raw)


@given(st.text(alphabet="ab/.%2fF5eE\\ \x00ä?#", max_size=12).map(lambda text: "/" + text))
@example("/%2e%2e/")
@example("/..%2F")
def test_what_is_sent_on_means_what_was_matched(raw: str) -> None:
    """Decoding the text that is sent on gives the segments that the table saw; nothing in it climbs."""
    try:
        path = canonical(raw)
    except InvalidRequestError:
        return
    seen = tuple(part for part in unquote(path.text).split("/") if part)
    assert seen == path.segments
    assert ".." not in seen
    assert path.text.isascii()
    assert "?" not in path.text
    assert canonical(path.text) == path


def test_behind() -> None:
    """The rest keeps its last slash."""
    path = canonical("/compute/v2.1/servers/")
    assert (path.behind(2).segments, path.behind(2).text) == (("servers",), "/servers/")
    assert path.behind(3).text == "/"
    assert canonical("/compute").behind(1).text == "/"
