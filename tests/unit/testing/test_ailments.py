# SPDX-License-Identifier: Apache-2.0
"""Do wires break and services lie as they are told? Read from sockets, byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tricircle.testing import lies, wire
from tricircle.testing.ailments import Ailment, Lie, Symptom, Wire
from tricircle.testing.identities import Identities
from tricircle.testing.listener import Listener
from tricircle.testing.pods import FakePod

_FIRST = 70_000


@pytest.fixture
def identities() -> Identities:
    made = Identities()
    made.add_user("demo", "secret", {"demo": ["member", "reader"]})
    return made


@pytest.fixture
async def listener(identities: Identities) -> AsyncIterator[Listener]:
    async with Listener(FakePod("Pod1", identities)) as running:
        yield running


@pytest.fixture
def pod(listener: Listener) -> FakePod:
    made: FakePod = listener._app
    return made


async def said(listener: Listener, token: str, query: str = "", *, method: str = "GET", body: str = "") -> bytes:
    """What comes over a connection until it ends, or is more than enough, or nothing comes for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    head = f"{method} /volume/v3/volumes{query} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    got = b""
    try:
        async with asyncio.timeout(1.0):
            while len(got) < _FIRST and (part := await reader.read(65536)):
                got += part
    except TimeoutError:
        pass
    finally:
        writer.close()
    return got


@pytest.fixture
async def token(identities: Identities, listener: Listener) -> str:
    """Of somebody who has two volumes."""
    made = identities.sign_in("demo", "secret", "demo")
    for _ in range(2):
        await said(listener, made, method="POST", body='{"volume": {"size": 1}}')
    return made


@pytest.mark.parametrize(
    ("broken", "begins", "is_json"),
    [
        (wire.too_long, b"HTTP/1.1 200", True),
        (wire.too_short, b"HTTP/1.1 200", True),
        (wire.mislabelled, b"HTTP/1.1 200", True),
        (wire.truncated, b"HTTP/1.1 200", False),
        (wire.other_json, b"HTTP/1.1 200", False),
        (wire.tls_alert, b"\x15\x03", False),
        (wire.endless_body, b"HTTP/1.1 200", False),
        (wire.endless_head, b"HTTP/1.1 200", False),
        (wire.redirect(302, "https://elsewhere"), b"HTTP/1.1 302", False),
        (wire.proxy_page(429, retry_after="7"), b"HTTP/1.1 429", False),
    ],
)
async def test_wires(listener: Listener, pod: FakePod, token: str, broken: Wire, begins: bytes, is_json: bool) -> None:
    """Those whose body is whole are wrong in their heads alone."""
    pod.fall_ill(Ailment(symptom=Symptom.BROKEN, wire=broken))
    got = await said(listener, token)
    assert got.startswith(begins)
    head, _, body = got.partition(b"\r\n\r\n")
    assert (b'"volumes"' in body and body.endswith(b"}")) is is_json
    if broken is wire.mislabelled:
        assert b"text/html" in head
    if broken in (wire.too_long, wire.too_short):
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert (length > len(body)) is (broken is wire.too_long)
        assert length != len(body)


async def test_a_drip_takes_its_time(listener: Listener, pod: FakePod, token: str) -> None:
    for drip in (wire.dripping_head, wire.dripping_body):
        pod.fall_ill(Ailment(symptom=Symptom.BROKEN, wire=drip, delay_s=0.3))
        got = await said(listener, token)
        assert 0 < len(got.partition(b"\r\n\r\n")[2] if drip is wire.dripping_body else got) < 10


async def listed(listener: Listener, pod: FakePod, token: str, lie: Lie, query: str = "") -> dict[str, Any]:
    pod.fall_ill(Ailment(symptom=Symptom.LYING, lie=lie))
    got = (await said(listener, token, f"/detail{query}")).partition(b"\r\n\r\n")[2]
    body: dict[str, Any] = json.loads(got[got.index(b"{") : got.rindex(b"}") + 1])  # one chunk
    return body


async def test_lies(listener: Listener, pod: FakePod, token: str) -> None:
    stored = pod.cinder.volumes.values()
    newest_first = sorted(stored, key=lambda one: (one["created_at"], one["id"]), reverse=True)  # as Cinder orders
    ids = [str(one["id"]) for one in newest_first]
    first = f"?limit=1&marker={ids[0]}"
    truth = await listed(listener, pod, token, Lie(), first)
    assert [one["id"] for one in truth["volumes"]] == ids[1:]
    again = await listed(listener, pod, token, lies.REPEATING, first)
    assert [one["id"] for one in again["volumes"]] == ids[:1]
    assert again["volumes_links"]
    assert len((await listed(listener, pod, token, lies.UNBOUNDED, "?limit=1"))["volumes"]) == 2
    assert len((await listed(listener, pod, token, lies.DOUBLED))["volumes"]) == 4
    assert not any("id" in one for one in (await listed(listener, pod, token, lies.NAMELESS))["volumes"])
    assert (await listed(listener, pod, token, lies.SCALARS))["volumes"] == ids
    empty = await listed(listener, pod, token, lies.EMPTY)
    assert empty["volumes"] == []
    assert empty["volumes_links"]
    owners = {
        one["os-vol-tenant-attr:tenant_id"] for one in (await listed(listener, pod, token, lies.FOREIGN))["volumes"]
    }
    assert len(owners) == 2
    late = (await listed(listener, pod, token, lies.clock_off(1)))["volumes"][0]["created_at"]
    assert late[11:13] != pod.cinder.volumes[ids[0]]["created_at"][11:13]


@pytest.mark.parametrize("how", ["hold", "ignore"])
async def test_a_port_that_swallows_and_accepts_again(listener: Listener, token: str, how: str) -> None:
    await getattr(listener, how)()
    try:
        async with asyncio.timeout(0.5):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            assert how == "hold"
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == b"never"
    except TimeoutError:
        pass
    await listener.accept()
    assert (await said(listener, token)).startswith(b"HTTP/1.1 200")
