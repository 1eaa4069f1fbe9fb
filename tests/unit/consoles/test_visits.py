# SPDX-License-Identifier: Apache-2.0
"""Which requests are for a console, and which pages may open one?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.consoles.visits import Visit, is_welcome, visit_of

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("target", "visit"),
    [
        (f"/{ID}/vnc_lite.html?path=%3Ftoken%3Dt", Visit(console_id=ID, file="vnc_lite.html")),
        (f"/{ID}/app/images/icons/novnc-16x16.png", Visit(console_id=ID, file="app/images/icons/novnc-16x16.png")),
        (f"/{ID}/spice_auto.html?token=t", Visit(console_id=ID, file="spice_auto.html", token="t")),
        (f"/{ID}/", Visit(console_id=ID)), (f"/{ID}", Visit(console_id=ID)),
        ("/?token=t", Visit(token="t")), ("/websockify?token=t", Visit(file="websockify", token="t")),
        ("/?token=a&token=b", Visit(token="b")),
    ],
)  # fmt: skip
def test_targets(target: str, visit: Visit) -> None:
    assert visit_of(target, [], prefix="") == visit
    assert visit_of("/consoles" + target, [], prefix="/consoles") == visit
    assert visit_of(target, [], prefix="/consoles") == visit


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../b", "..", ".", ".git/config", "a/.b", "%2e%2e/x", "a%2fb", "a\\b", "a//b", "//evil.example/",
        "a;b",
        "a\x00b", "a b", "caf\u00e9", "http://evil.example/", "a/..", "a?b", "~/../x",
    ],
)  # fmt: skip
def test_nothing_climbs(path: str) -> None:
    visit = visit_of(f"/{ID}/{path}", [], prefix="")
    assert visit is None or path == "a?b"
    assert visit_of(f"//{ID}/x", [], prefix="") is None


@given(st.text(max_size=60))
def test_whatever_is_asked_stays_below_its_console(text: str) -> None:
    visit = visit_of(f"/{ID}/{text}", [], prefix="")
    if visit is not None:
        assert visit.console_id == ID
        assert not {"", ".", ".."} & set(visit.file.rstrip("/").split("/")) or visit.file in ("", "/")
        assert visit.file.isascii()
        assert not set(visit.file) & set("%\\?#;: \n\r\0")


@pytest.mark.parametrize(
    ("cookies", "token"),
    [
        (["token=t"], "t"), (["a=1; token=t"], "t"), (["token=t; token=u"], "u"), (["a=1", "token=t"], "t"),
        (["token=\"t\""], "t"), (["nothing"], ""), (["=;;=; token"], ""), ([], ""),
    ],
)  # fmt: skip
def test_cookies(cookies: list[str], token: str) -> None:
    visit = visit_of("/websockify", cookies, prefix="")
    assert visit is not None
    assert visit.token == token
    named = visit_of("/websockify?token=named", cookies, prefix="")
    assert named is not None
    assert named.token == "named"


@pytest.mark.parametrize(
    ("origins", "is_good"),
    [
        ([], True), (["https://consoles.example"], True), (["https://consoles.example:6080"], True),
        (["https://CONSOLES.example"], True), (["https://dashboard.example"], True),
        (["http://consoles.example"], False), (["https://evil.example"], False), (["null"], False), ([""], False),
        (["https://consoles.example.evil.example"], False), (["https://evil.example/https://consoles.example"], False),
        (["https://consoles.example@evil.example"], False), (["https://[::1"], False), (["https://"], False),
        (["https://consoles.example", "https://consoles.example"], False),
    ],
)  # fmt: skip
def test_pages_that_may_open_consoles(origins: list[str], is_good: bool) -> None:
    hosts = {"consoles.example", "dashboard.example"}
    assert is_welcome(origins, scheme="https", hosts=hosts) is is_good
