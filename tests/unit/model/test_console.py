# SPDX-License-Identifier: Apache-2.0
"""Which parts has a pod's console URL, and which URL of ours stands for it?"""

from datetime import UTC, datetime

import pytest

from tricircle.context import PodId, ProjectId
from tricircle.model.console import Console, OpenedConsole, channel_of, taken_apart, users_url

ENDPOINT = "https://consoles.example"


@pytest.mark.parametrize(
    ("type_", "url", "base", "channel", "ours"),
    [
        (
            "novnc", "http://pod:6080/vnc_lite.html?path=%3Ftoken%3Dt", "http://pod:6080", "ws://pod:6080/?token=t",
            "/id/vnc_lite.html?path=%3Ftoken%3Dnew",
        ),
        (
            "novnc", "https://pod/novnc/vnc.html?autoconnect=1&path=novnc%2Fwebsockify%3Ftoken%3Dt", "https://pod/novnc",
            "wss://pod/novnc/websockify?token=t", "/id/vnc.html?autoconnect=1&path=%3Ftoken%3Dnew",
        ),
        (
            "novnc", "http://pod:6080/vnc_auto.html?token=t", "http://pod:6080", "ws://pod:6080/websockify?token=t",
            "/id/vnc_auto.html?path=%3Ftoken%3Dnew",
        ),
        (
            "spice-html5", "https://pod:6082/spice_auto.html?token=t", "https://pod:6082",
            "wss://pod:6082/websockify?token=t", "/id/spice_auto.html?token=new",
        ),
        ("rdp-html5", "http://pod:6083/?token=t", "http://pod:6083", "ws://pod:6083/", "/id/?token=new"),
        ("webmks", "https://pod/mks/vm.html?token=t", "https://pod/mks", "wss://pod/mks", "/id/vm.html?token=new"),
    ],
)  # fmt: skip
def test_pages(type_: str, url: str, base: str, channel: str, ours: str) -> None:
    parts = taken_apart(type_, url)
    assert parts is not None
    assert (parts.base, parts.token, parts.channel) == (base, "t", channel)
    assert users_url(ENDPOINT, "id", type_, parts, "new") == ENDPOINT + ours
    assert "token=t" not in repr(parts)


def test_a_serial_line_has_no_page() -> None:
    parts = taken_apart("serial", "wss://pod/serial/?token=t")
    assert parts is not None
    assert parts.channel == "wss://pod/serial/?token=t"
    assert users_url(ENDPOINT, "id", "serial", parts, "new") == "wss://consoles.example/?token=new"
    assert users_url("http://c:6080", "id", "serial", parts, "new") == "ws://c:6080/?token=new"


def test_an_endpoint_with_a_path() -> None:
    for type_, page in (("novnc", "vnc.html?path=%3Ftoken%3Dt"), ("spice-html5", "spice.html?token=t")):
        parts = taken_apart(type_, f"http://pod/{page}")
        assert parts is not None
        url = users_url("https://cloud/consoles", "id", type_, parts, "new")
        assert url.startswith("https://cloud/consoles/id/")
        assert "path=consoles" in url
    parts = taken_apart("serial", "ws://pod/?token=t")
    assert parts is not None
    assert users_url("https://cloud/consoles", "id", "serial", parts, "new") == "wss://cloud/consoles/?token=new"


@pytest.mark.parametrize(
    "url",
    [
        "", "http://pod/vnc.html", "http://pod/vnc.html?path=x", "ftp://pod/?token=t", "javascript:alert(1)",
        "http:///?token=t", "http://a@pod/?token=t", "http://pod:99999/?token=t", "http://[::1/?token=t",
        "//pod/?token=t", "http://p\u00f6d/?token=t", "http://pod/" + "x" * 600 + "/?token=t",
    ],
)  # fmt: skip
def test_what_is_no_console(url: str) -> None:
    assert taken_apart("novnc", url) is None


@pytest.mark.parametrize(
    ("type_", "channel"), [("rdp-html5", "ws://pod:1/a/wsgate?token=t%26"), ("novnc", "ws://pod:1/a")]
)
def test_only_some_look_beside_their_page(type_: str, channel: str) -> None:
    console = Console(
        id="i", type=type_, server_id="s", pod_id=PodId("p"), project_id=ProjectId("p"), user_id="u", base="b",
        expires_at=datetime.now(UTC),
    )  # fmt: skip
    assert channel_of(OpenedConsole(console=console, token="t&", channel="ws://pod:1/a"), "wsgate") == channel
