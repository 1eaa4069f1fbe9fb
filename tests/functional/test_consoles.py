# SPDX-License-Identifier: Apache-2.0
"""Do users come to the consoles of their servers, through our proxy and the pods' own, to the machine itself?

Real proxies of Nova's stand in the pods; the screens and lines behind them are the lab's, and say whose they are.
"""

import json
import struct
from typing import cast
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from lab.topology import load_lab
from tests.functional.region_world import ROOT, ZONES, Json, Region
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

LAB = load_lab(ROOT)
PROXY = f"127.0.0.1:{LAB.port('consoles')}"
ACTIONS = [
    ("os-getVNCConsole", "novnc"), ("os-getSPICEConsole", "spice-html5"), ("os-getSerialConsole", "serial"),
]  # fmt: skip
REMOTE = [
    ("vnc", "novnc"), ("spice", "spice-html5"), ("serial", "serial"), ("mks", "webmks"), ("spice", "spice-direct"),
]  # fmt: skip
NEWEST = {"OpenStack-API-Version": "compute 2.99"}
OLDEST = {"OpenStack-API-Version": "compute 2.1"}


@pytest.fixture(scope="module")
def words() -> list[str]:
    """What no tenant may read."""
    return list(json.loads((ROOT / ".lab" / "canaries.json").read_text())["words"])


def remote(tenant: Tenant, server_id: str, protocol: str, type_: str) -> str:
    """The URL of a console."""
    body = {"remote_console": {"protocol": protocol, "type": type_}}
    answer = tenant.here("POST", "compute", f"/servers/{server_id}/remote-consoles", body, headers=NEWEST)
    assert answer.status_code == 200, answer.text
    said = answer.json()["remote_console"]
    assert (said["protocol"], said["type"]) == (protocol, type_)
    return str(said["url"])


def token_of(url: str) -> str:
    """The token in a URL, wherever it is."""
    query = parse_qs(urlsplit(url).query)
    return (query.get("token") or parse_qs(urlsplit(query["path"][0]).query)["token"])[0]


def opened(url: str, **more: object) -> ClientConnection:
    """The WebSocket to which the page of a console leads."""
    query = parse_qs(urlsplit(url).query)
    path = query["path"][0] if "path" in query else f"websockify?token={token_of(url)}"
    given: dict[str, object] = {"compression": None, "proxy": None, "subprotocols": [Subprotocol("binary")], **more}
    return connect(f"ws://{PROXY}/{path}", **given)  # type: ignore[arg-type]


def received(socket: ClientConnection) -> bytes:
    """The next message that is not empty: Nova's proxy sends empty ones too."""
    while not (message := socket.recv(timeout=60)):
        pass
    return cast("bytes", message)


def shake_hands(socket: ClientConnection) -> str:
    """The RFB handshake (RFC 6143, 7.1 to 7.3); the name of the screen."""
    version = received(socket)
    assert version == b"RFB 003.008\n"
    socket.send(version)
    assert received(socket) == b"\x01\x01"
    socket.send(b"\x01")
    assert received(socket) == bytes(4)
    socket.send(b"\x01")
    start = received(socket)
    assert len(start) == 24 + struct.unpack(">I", start[20:24])[0]
    return start[24:].decode()


@pytest.mark.parametrize("pod", list(ZONES))
def test_a_screen_of_every_pod(tenant: Tenant, servers: dict[str, str], words: list[str], pod: str) -> None:
    url = remote(tenant, servers[pod], "vnc", "novnc")
    assert url.startswith(f"http://{PROXY}/")
    page = requests.get(url, timeout=60)
    assert page.status_code == 200
    assert "noVNC" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    script = requests.get(urljoin(url, "core/rfb.js"), timeout=60)
    assert script.status_code == 200
    assert "javascript" in script.headers["Content-Type"]
    for word in words:
        assert word not in url + page.text + str(page.headers) + script.text + str(script.headers)
    with opened(url) as socket:
        assert socket.subprotocol == "binary"
        assert shake_hands(socket) == f"server {servers[pod]}"
        for _ in range(3):
            socket.send(struct.pack(">BBHHHH", 3, 0, 0, 0, 16, 16))
            update = b""
            while len(update) < 16 + 4 * 16 * 16:
                update += received(socket)
            assert update[:4] == b"\x00\x00\x00\x01"


def test_a_serial_line(tenant: Tenant, servers: dict[str, str]) -> None:
    url = remote(tenant, servers["Pod2"], "serial", "serial")
    assert url.startswith(f"ws://{PROXY}/?token=")
    with connect(url, proxy=None, compression=None, subprotocols=[Subprotocol("binary")]) as socket:
        said = b""
        while not said.endswith(b"login: "):
            said += received(socket)
        assert said.startswith(f"server {servers['Pod2']} ".encode())
        for size in (1, 700, 70_000):
            typed = b"x" * size
            socket.send(typed)
            back = b""
            while len(back) < size:
                back += received(socket)
            assert back == typed


def test_spice_by_its_cookie(tenant: Tenant, servers: dict[str, str]) -> None:
    url = remote(tenant, servers["Pod1"], "spice", "spice-html5")
    assert "SPICE" in requests.get(url, timeout=60).text
    cookie = {"Cookie": f"token={token_of(url)}"}
    with connect(
        f"ws://{PROXY}/websockify", proxy=None, compression=None, additional_headers=cookie,
        origin=Origin(f"http://{PROXY}"), subprotocols=[Subprotocol("binary")],
    ) as socket:  # fmt: skip
        socket.send(struct.pack("<4sIIIIBBIIIII", b"REDQ", 2, 2, 26, 0, 1, 0, 1, 1, 18, 11, 9))
        assert received(socket)[:4] == b"REDQ"


def test_webmks_finds_its_channel_beside_its_page(tenant: Tenant, servers: dict[str, str]) -> None:
    url = remote(tenant, servers["Pod1"], "mks", "webmks")
    assert requests.get(url, timeout=60).status_code == 200
    beside = urljoin(url, "wsgate").replace("http://", "ws://") + f"?token={token_of(url)}"
    with connect(beside, proxy=None, compression=None, subprotocols=[Subprotocol("binary")]) as socket:
        assert shake_hands(socket) == f"server {servers['Pod1']}"


def test_spice_direct_is_for_a_proxy_that_asks_us(tenant: Tenant, region: Region, servers: dict[str, str]) -> None:
    url = remote(tenant, servers["Pod2"], "spice", "spice-direct")
    path = f"/os-console-auth-tokens/{token_of(url)}"
    answer = region.admin("GET", "compute", path, headers=NEWEST)
    assert answer.status_code == 200, answer.text
    console = answer.json()["console"]
    assert console["instance_uuid"] == servers["Pod2"]
    assert console["port"] == LAB.pods[1].port("spice-server")
    assert "tls_port" in console
    assert "tls_port" not in region.admin.good("GET", "compute", path)["console"]
    assert tenant.here("GET", "compute", path, headers=NEWEST).status_code == 403
    assert region.admin("GET", "compute", path, headers=OLDEST).status_code == 400
    assert region.admin("GET", "compute", "/os-console-auth-tokens/nothing", headers=NEWEST).status_code == 404


@pytest.mark.parametrize(("action", "type_"), ACTIONS)
def test_actions_up_to_2_5(tenant: Tenant, servers: dict[str, str], action: str, type_: str) -> None:
    path, body = f"/servers/{servers['Pod1']}/action", {action: {"type": type_}}
    answer = tenant.here("POST", "compute", path, body, headers=OLDEST)
    assert answer.status_code == 200, answer.text
    console = answer.json()["console"]
    assert console["type"] == type_
    assert urlsplit(console["url"]).netloc == PROXY
    beyond = {"OpenStack-API-Version": "compute 2.6"}
    there = tenant.inside["Pod1"]("POST", "compute", path, body, headers=beyond)
    assert tenant.here("POST", "compute", path, body, headers=beyond).status_code == there.status_code


@pytest.mark.parametrize(
    "body",
    [
        {"os-getVNCConsole": {"type": "xvpvnc"}}, {"os-getVNCConsole": {"type": "x"}}, {"os-getVNCConsole": {}},
        {"os-getRDPConsole": {"type": "rdp-html5"}}, {"os-getMKSConsole": {"type": "webmks"}},
        {"remote_console": {"protocol": "rdp", "type": "rdp-html5"}},
        {"remote_console": {"protocol": "vnc", "type": "serial"}}, {"remote_console": {"protocol": "vnc"}},
        {"remote_console": {"protocol": "vnc", "type": "novnc", "x": 1}},
    ],
)  # fmt: skip
def test_refusals_are_the_pods_own(tenant: Tenant, servers: dict[str, str], body: Json) -> None:
    is_new = "remote_console" in body
    path = f"/servers/{servers['Pod1']}/" + ("remote-consoles" if is_new else "action")
    headers = NEWEST if is_new else OLDEST
    here = tenant.here("POST", "compute", path, body, headers=headers)
    there = tenant.inside["Pod1"]("POST", "compute", path, body, headers=headers)
    assert there.status_code >= 400
    assert (here.status_code, here.json()) == (there.status_code, there.json())


def test_what_was_said_on_the_console(tenant: Tenant, servers: dict[str, str]) -> None:
    path = f"/servers/{servers['Pod2']}/action"
    for wish, lines in (({}, 41), ({"length": 2}, 2)):
        body = {"os-getConsoleOutput": wish}
        said = tenant.here.good("POST", "compute", path, body)
        assert len(said["output"].split("\n")) == lines
        assert said == tenant.inside["Pod2"].good("POST", "compute", path, body)


def test_nobody_elses_console(tenant: Tenant, region: Region, servers: dict[str, str]) -> None:
    other = Tenant(region)
    try:
        body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        path = f"/servers/{servers['Pod1']}/remote-consoles"
        assert other.here("POST", "compute", path, body).status_code == 404
    finally:
        other.sweep()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"https://{PROXY}", "null", "http://127.0.0.1.evil.example"]
)
def test_no_other_web_site_opens_a_console(tenant: Tenant, servers: dict[str, str], origin: str) -> None:
    url = remote(tenant, servers["Pod1"], "vnc", "novnc")
    with pytest.raises(InvalidStatus) as refused:
        opened(url, origin=Origin(origin))
    assert refused.value.response.status_code == 403
    with opened(url, origin=Origin(f"http://{PROXY}")) as socket:
        assert received(socket) == b"RFB 003.008\n"


def test_a_token_that_nobody_was_given(tenant: Tenant, servers: dict[str, str]) -> None:
    url = remote(tenant, servers["Pod1"], "vnc", "novnc")
    for token in (f"bad{token_of(url)}", token_of(url).upper(), "", "x" * 5000):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{PROXY}/?token={token}", proxy=None)
        assert refused.value.response.status_code == 403


def test_tokens_are_in_no_log(tenant: Tenant, servers: dict[str, str]) -> None:
    url = remote(tenant, servers["Pod1"], "vnc", "novnc")
    requests.get(url, timeout=60)
    with opened(url) as socket:
        shake_hands(socket)
    logs = [LAB.logs / f"tricircle-{name}.log" for name in ("gateway", "console", "worker")]
    assert all(token_of(url) not in log.read_text(errors="replace") for log in logs)
    assert servers["Pod1"] in (LAB.logs / "tricircle-console.log").read_text(errors="replace")


def test_what_else_is_below_a_server(tenant: Tenant, region: Region, servers: dict[str, str]) -> None:
    for pod, server_id in servers.items():
        for path in ("diagnostics", "topology", "os-server-password", "shares"):
            for here, there in ((tenant.here, tenant.inside[pod]), (region.admin, region.pods[pod])):
                ours = here("GET", "compute", f"/servers/{server_id}/{path}", headers=NEWEST)
                theirs = there("GET", "compute", f"/servers/{server_id}/{path}", headers=NEWEST)
                assert ours.status_code == theirs.status_code, (pod, path, ours.text, theirs.text)
                if theirs.status_code == 200 and path != "diagnostics":
                    assert ours.json() == theirs.json()
