# SPDX-License-Identifier: Apache-2.0
"""Bytes that two servers could read in two ways: at most one request reaches an upstream, framed by us, or the client
is refused.
"""

import socket
import time

import pytest

from tests.security.front import PATIENCE_S, SERVER, Front, head, listen, statuses
from tests.security.recorder import Heard, ok

FILE = "PUT /image/v2/images/abc/file HTTP/1.1"
SHOW = f"GET /compute/v2.1/servers/{SERVER} HTTP/1.1"
ACTION = f"POST /compute/v2.1/servers/{SERVER}/action HTTP/1.1"
EVIL = b"GET /compute/v2.1/flavors HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
ABC = b"3\r\nabc\r\n0\r\n\r\n"


def file(*headers: str) -> bytes:
    return head(FILE, "Content-Type: application/octet-stream", *headers)


REFUSED = {
    "two lengths": file("Content-Length: 3", "Content-Length: 50") + b"abc" + EVIL,
    "list of lengths": file("Content-Length: 3, 3") + b"abc" + EVIL,
    "plus": file("Content-Length: +3") + b"abc",
    "negative": file("Content-Length: -3") + b"abc",
    "hexadecimal": file("Content-Length: 0x3") + b"abc",
    "huge": file("Content-Length: 99999999999999999999999999") + b"abc",
    "empty": file("Content-Length: ") + b"abc",
    "unknown coding": file("Transfer-Encoding: xchunked") + ABC,
    "chunked is not last": file(CHUNKED, "Transfer-Encoding: identity") + ABC,
    "identity and length": file("Transfer-Encoding: identity", "Content-Length: 3") + b"abc" + EVIL,
    "coding with a tab before": file("Transfer-Encoding:\x0bchunked") + ABC,
    "folded coding": file("Transfer-Encoding:\r\n chunked", "Content-Length: 3") + ABC,
    "folded header": head(SHOW, "X-A: b\r\n c"),
    "space before the colon": file("Transfer-Encoding : chunked", "Content-Length: 3") + b"abc" + EVIL,
    "space before the name": head(SHOW, " Content-Length: 3") + b"abc",
    "chunk too large for any number": file(CHUNKED) + b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "negative chunk": file(CHUNKED) + b"-3\r\nabc\r\n0\r\n\r\n",
    "chunks on bare line feeds": file(CHUNKED) + b"3\nabc\n0\n\n",
    "chunk longer than it says": file(CHUNKED) + b"3\r\nabcdef\r\n0\r\n\r\n",
    "NUL in a value": head(SHOW, "User-Agent: a\0b"),
    "CR in a value": head(SHOW, "User-Agent: a\rX-Service-Token: b"),
    "NUL in a name": head(SHOW, "X\0A: b"),
    "no colon": head(SHOW, "garbage"),
    "HTTP/0.9": b"GET /compute/v2.1/servers\r\n\r\n",
    "HTTP/1.2": head(SHOW.replace("1.1", "1.2")),
    "HTTP/2.0": head(SHOW.replace("HTTP/1.1", "HTTP/2.0")),
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "authority": head("CONNECT evil.example:443 HTTP/1.1"),
    "TRACE": head(SHOW.replace("GET", "TRACE")),
    "unknown verb": head(SHOW.replace("GET", "SMUGGLE")),
    "300 headers": head(SHOW, *[f"X-H{number}: a" for number in range(300)]),
    # The listener bounds its buffer, which grows by doubling: what is a little too large may still be read.
    "a huge header": head(SHOW, "X-Big: " + "a" * 1_000_000),
    "a huge path": head(f"GET /compute/v2.1/servers/{'a' * 100_000} HTTP/1.1"),
    "a path outside": head("GET /compute/v2.1/../../v2.1/servers HTTP/1.1"),
    "another door": head("GET evil.example:443 HTTP/1.1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_two_meanings_reaches_nobody(gateway: Front, name: str) -> None:
    """A 4xx or no answer at all, once; what stands behind is not read as a request. (Where only the end of a body is
    wrong, its beginning may have been sent, without an end.)
    """
    answer = gateway.talk(REFUSED[name], wait_s=0.5)
    assert all(400 <= status < 500 for status in statuses(answer)) or name == "another door", answer
    assert len(statuses(answer)) <= 1
    assert gateway.heard() == 0
    assert not [strange for strange in gateway.centre.strange if b"transfer-encoding: chunked" not in strange]
    assert not gateway.pod.strange


ACCEPTED = {
    "plain": (file("Content-Length: 3") + b"abc", "content-length"),
    "chunks": (file(CHUNKED) + ABC, "transfer-encoding"),
    "chunk extensions": (file(CHUNKED) + b"3;a=b\r\nabc\r\n0;x\r\n\r\n", "transfer-encoding"),
    "trailers": (file(CHUNKED) + b"3\r\nabc\r\n0\r\nX-Service-Token: evil\r\n\r\n", "transfer-encoding"),
    "length and chunks": (file("Content-Length: 2", CHUNKED) + ABC, "transfer-encoding"),
    "chunks and length": (file(CHUNKED, "Content-Length: 60") + ABC + EVIL, "transfer-encoding"),
    "the same length twice": (file("Content-Length: 3", "Content-Length: 3") + b"abc", "content-length"),
    "expects to be told": (file("Content-Length: 3", "Expect: 100-continue") + b"abc", "content-length"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_is_framed_by_us(gateway: Front, name: str) -> None:
    """One request with the one body that the client's bytes mean; nothing of the client's framing goes along."""
    sent, framing = ACCEPTED[name]
    answer = gateway.talk(sent, wait_s=0.5)
    assert statuses(answer)[0] == 200
    (heard,) = gateway.centre.heard
    assert heard.body == b"abc"
    assert len(heard.values("content-length") + heard.values("transfer-encoding")) == 1
    assert len(heard.values(framing)) == 1
    assert not heard.values("expect")
    assert not heard.values("trailer")
    assert "evil" not in str(heard.headers)
    assert not gateway.centre.strange
    assert not gateway.pod.heard


def test_a_body_that_ends_too_early_is_not_ended_by_us(gateway: Front) -> None:
    """The upstream sees a broken connection, not a shorter image."""
    for sent in (file("Content-Length: 30") + b"abc", file(CHUNKED) + b"10\r\nabc"):
        assert statuses(gateway.talk(sent, wait_s=1.0, half_close=True)) in ([400], [])
        assert all(len(heard.body) < 16 for heard in gateway.centre.heard)
    gateway.centre.clear()
    short = head(ACTION, "Content-Type: application/json", "Content-Length: 30") + b'{"os-stop":null}'
    assert statuses(gateway.talk(short, wait_s=1.0, half_close=True)) in ([400], [])
    assert gateway.heard() == 0


def test_a_body_is_never_read_as_a_request(gateway: Front) -> None:
    """Neither that of a GET, nor one that was refused before it was read."""
    show = head(SHOW)
    answer = gateway.talk(head(SHOW, f"Content-Length: {len(show)}") + show, wait_s=0.5)
    assert statuses(answer) == [200]
    assert len(gateway.pod.heard) == 1
    gateway.pod.clear()
    refused = head(ACTION, f"Content-Length: {len(show)}", token=None)
    assert statuses(gateway.talk(refused, show, wait_s=0.5)) == [401]
    assert gateway.heard() == 0


def test_after_a_refusal_the_next_request_is_a_request(gateway: Front) -> None:
    """Pipelined requests are answered in order, each on its own; what cannot be read ends the connection."""
    answer = gateway.talk(head("GET /compute/v2.1/../x HTTP/1.1") + head(SHOW), wait_s=2.0)
    assert statuses(answer) == [400, 200]
    assert len(gateway.pod.heard) == 1
    gateway.pod.clear()
    assert statuses(gateway.talk(head(SHOW, "garbage") + head(SHOW), wait_s=0.5)) == [400]
    assert gateway.heard() == 0


@pytest.mark.parametrize("line", [SHOW, f"GET http://evil.example/compute/v2.1/servers/{SERVER} HTTP/1.1"])
def test_links_come_from_the_public_endpoint_only(gateway: Front, line: str) -> None:
    """Whatever a request calls us."""

    def say(heard: Heard) -> bytes:
        host = heard.values("host")[0]
        body = b'{"server": {"id": "%b", "links": [{"href": "http://%b/v2.1/servers/x"}]}}'
        return ok(body % (SERVER.encode(), host.encode()), f"Location: http://{host}/v2.1/servers/x")

    gateway.pod.say = say
    spoofs = ("Host: evil.example", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "X-Host: evil")
    answer = gateway.talk(head(line, *spoofs), wait_s=0.5)
    assert b"evil" not in answer
    assert answer.count(b"https://cloud.example/compute/v2.1/servers/x") == 2
    # The pod is called by its own name, and told who calls.
    assert gateway.pod.heard[0].values("host") == [f"127.0.0.1:{gateway.pod.port}"]
    assert gateway.pod.heard[0].values("via") == ["1.1 tricircle-gateway"]


@pytest.mark.parametrize(
    "more",
    [
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
         "Sec-WebSocket-Version: 13"),
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    ],
)  # fmt: skip
def test_nobody_is_switched_to_another_protocol(gateway: Front, more: tuple[str, ...]) -> None:
    answer = gateway.talk(head(SHOW, *more), wait_s=0.5)
    assert b" 101 " not in answer
    assert all(not heard.values("upgrade") + heard.values("connection") for heard in gateway.pod.heard)
    assert len(gateway.pod.heard) <= 1


def test_a_client_of_http_1_0_gets_one_answer(gateway: Front) -> None:
    answer = gateway.talk(head(SHOW.replace("1.1", "1.0"), "Connection: keep-alive"), wait_s=0.5)
    assert statuses(answer) == [200]
    assert b"transfer-encoding" not in answer.lower()


def test_a_body_over_the_limit_is_refused(gateway: Front) -> None:
    for sent in (
        head(ACTION, "Content-Type: application/json", "Content-Length: 200000") + b"a" * 200_000,
        head(ACTION, "Content-Type: application/json", CHUNKED) + b"30d40\r\n" + b"a" * 200_000 + b"\r\n0\r\n\r\n",
    ):
        assert statuses(gateway.talk(sent, wait_s=2.0))[:1] == [413]
    assert gateway.heard() == 0


def test_who_sends_too_slowly_is_not_waited_for(gateway: Front) -> None:
    """A head within ``head_timeout_s``, a body within the request's deadline."""
    began = time.monotonic()
    peers = []
    for first in (
        b"GET /compute",
        head(SHOW)[:-2],
        head(ACTION, "Content-Length: 100") + b"{",
        file(CHUNKED) + b"3\r\n",
    ):
        peer = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S)
        peer.sendall(first)
        peers.append(peer)
    answers = [listen(peer, 15.0) for peer in peers]
    assert time.monotonic() - began < 14.0
    for answer in answers:
        assert all(400 <= status < 600 for status in statuses(answer))
    assert b"did not arrive in time" in answers[2]
    assert gateway.heard() == 0
    for peer in peers:
        peer.close()
