# SPDX-License-Identifier: Apache-2.0
"""What does a user get who asks for a console, and what does a pod learn?"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.doors.compute.cloud import CONSOLES, Cloud
from tests.unit.doors.compute.test_boot import boot
from tricircle.doors.compute.servers.consoles import pod_may_be_asked
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError, NotFoundError, NotImplementedByUsError
from tricircle.model.console import SPICE_DIRECT


@pytest.fixture
async def server(sky: Cloud) -> dict[str, Any]:
    """A server in pod1."""
    return await boot(sky, availability_zone="az1")


async def remote(sky: Cloud, server: dict[str, Any], protocol: str, type_: str, version: str = "2.99") -> str:
    body = {"remote_console": {"protocol": protocol, "type": type_}}
    answer = await sky.ask("POST", f"/servers/{server['id']}/remote-consoles", body, version=version)
    assert answer.status == 200, answer.body
    said = answer.object()["remote_console"]
    assert isinstance(said, dict)
    assert (said["protocol"], said["type"]) == (protocol, type_)
    return str(said["url"])


def token_of(url: str) -> str:
    query = parse_qs(urlsplit(url).query)
    return (query.get("token") or parse_qs(urlsplit(query["path"][0]).query)["token"])[0]


@pytest.mark.parametrize(
    ("protocol", "type_", "begins"),
    [
        ("vnc", "novnc", CONSOLES), ("spice", "spice-html5", CONSOLES), ("serial", "serial", "wss://consoles.example/?"),
        ("mks", "webmks", CONSOLES), ("spice", "spice-direct", "https://spice.example/nova?token="),
    ],
)  # fmt: skip
async def test_the_url_is_ours(sky: Cloud, server: dict[str, Any], protocol: str, type_: str, begins: str) -> None:
    url = await remote(sky, server, protocol, type_)
    assert url.startswith(begins)
    assert "canary" not in url
    theirs = sky.apps["pod1"].nova.consoles.tokens
    assert not any(token in url for token in theirs)
    opened = await sky.consoles.use(token_of(url))
    assert opened is not None
    assert opened.token in theirs
    assert opened.console.server_id == server["id"]
    assert opened.console.pod_id == "pod1"
    assert opened.console.user_id == sky.context().user_id


@pytest.mark.parametrize(
    ("action", "type_"),
    [("os-getVNCConsole", "novnc"), ("os-getSPICEConsole", "spice-html5"), ("os-getSerialConsole", "serial")],
)
async def test_actions_of_old_clients(sky: Cloud, server: dict[str, Any], action: str, type_: str) -> None:
    path = f"/servers/{server['id']}/action"
    answer = await sky.ask("POST", path, {action: {"type": type_}}, version="2.1")
    console = answer.object()["console"]
    assert isinstance(console, dict)
    assert console["type"] == type_
    assert "consoles.example" in console["url"]
    assert (await sky.ask("POST", path, {action: {"type": type_}}, version="2.6")).status == 400
    assert (await sky.ask("POST", path, {action: {"type": "x"}}, version="2.1")).status == 400


async def test_of_no_server_of_ones_own(sky: Cloud, server: dict[str, Any]) -> None:
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    with pytest.raises(NotFoundError):
        await sky.ask("POST", f"/servers/{server['id']}/remote-consoles", body, context=sky.context("alt", "alt"))
    assert not sky.apps["pod1"].nova.consoles.tokens


async def test_without_a_proxy_for_spice_itself(sky: Cloud, server: dict[str, Any]) -> None:
    asked = {"remote_console": {"protocol": "spice", "type": SPICE_DIRECT}}
    assert pod_may_be_asked(asked, has_spice_direct=True)
    assert not pod_may_be_asked(asked, has_spice_direct=False)
    assert pod_may_be_asked({"remote_console": {"protocol": "vnc", "type": "novnc"}}, has_spice_direct=False)


@pytest.mark.parametrize("proxy", ["", "user@canary:1", "ca\u00e9.invalid", "canary:notaport", "x" * 600])
async def test_a_pod_that_talks_nonsense(sky: Cloud, server: dict[str, Any], proxy: str) -> None:
    sky.apps["pod1"].nova.consoles.proxy = proxy
    with pytest.raises(BadUpstreamAnswerError):
        await remote(sky, server, "vnc", "novnc")


async def test_what_is_no_websocket_is_not_carried(sky: Cloud, server: dict[str, Any]) -> None:
    path, body = f"/servers/{server['id']}/action", {"os-getVNCConsole": {"type": "xvpvnc"}}
    assert (await sky.ask("POST", path, body, version="2.1")).status == 500  # as Nova itself
    sky.apps["pod1"].nova.consoles.is_old = True
    with pytest.raises(NotImplementedByUsError):
        await sky.ask("POST", path, body, version="2.1")


async def test_what_a_token_stands_for(sky: Cloud, server: dict[str, Any]) -> None:
    admin = sky.context("admin", "admin")
    path = f"/os-console-auth-tokens/{token_of(await remote(sky, server, 'spice', 'spice-direct'))}"
    console = (await sky.ask("GET", path, context=admin, version="2.99")).object()["console"]
    assert console == {
        "instance_uuid": server["id"], "host": "canaryhost-1", "port": 5900, "internal_access_path": None,
        "tls_port": None,
    }  # fmt: skip
    console = (await sky.ask("GET", path, context=admin, version="2.31")).object()["console"]
    assert isinstance(console, dict)
    assert "tls_port" not in console
    with pytest.raises(InvalidRequestError):
        await sky.ask("GET", path, context=admin, version="2.30")
    theirs = next(iter(sky.apps["pod1"].nova.consoles.tokens))
    for nobodys in (theirs, "nothing", "x" * 1000):
        with pytest.raises(NotFoundError, match="Token not found"):
            await sky.ask("GET", f"/os-console-auth-tokens/{nobodys}", context=admin, version="2.99")
