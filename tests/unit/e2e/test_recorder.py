# SPDX-License-Identifier: Apache-2.0
"""Does the recorder pass everything on unchanged, and does it find what must not be seen?"""

import gzip
import http.server
import threading
from collections.abc import Iterator

import pytest
import requests

from tests.e2e.recorder import Exchange, Recorder, find_leaks, pod_words


class _Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], bytes]]

    def _take(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self) -> None:
        type(self).seen.append((self.command, self.path, dict(self.headers.items()), self._take()))
        path = self.path.split("?")[0]
        body = {"/gone": b"", "/moved": b""}.get(path, b'{"region": "Pod1", "at": "http:\\/\\/10.9.9.9:21774\\/"}')
        status = {"/gone": 204, "/moved": 301}.get(path, 200)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
        self.send_response(status)
        self.send_header("X-Twice", "a")
        self.send_header("X-Twice", "b")
        if status == 301:
            self.send_header("Location", "http://canaryhost-1/elsewhere")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    _Upstream.seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture
def client(recorder: Recorder) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = recorder.proxies()
        yield session


def test_passes_method_path_query_headers_and_body_on(upstream: str, client: requests.Session) -> None:
    answer = client.put(f"{upstream}/a%2Fb/c?x=1&y=%20z", data=b"\x00\xffbody", headers={"X-Auth-Token": "t"})
    assert answer.status_code == 200
    method, path, headers, body = _Upstream.seen[0]
    assert (method, path, body) == ("PUT", "/a%2Fb/c?x=1&y=%20z", b"\x00\xffbody")
    assert headers["X-Auth-Token"] == "t"
    assert headers["Host"] == upstream.removeprefix("http://")


def test_streams_a_chunked_upload(upstream: str, client: requests.Session) -> None:
    client.put(f"{upstream}/file", data=iter([b"one", b"two"]))
    assert _Upstream.seen[0][3] == b"onetwo"


def test_keeps_repeated_headers_and_follows_no_redirect(
    upstream: str, client: requests.Session, recorder: Recorder
) -> None:
    answer = client.get(f"{upstream}/moved", allow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["X-Twice"] == "a, b"
    assert [leak.where for leak in recorder.leaks(["canaryhost-1"])] == ["header Location"]


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/x", 200), ("DELETE", "/gone", 204)])
def test_answers_without_a_body(upstream: str, client: requests.Session, method: str, path: str, status: int) -> None:
    answer = client.request(method, upstream + path)
    assert (answer.status_code, answer.content) == (status, b"")


def test_finds_words_in_bodies_whatever_the_client_would_accept(
    upstream: str, client: requests.Session, recorder: Recorder
) -> None:
    client.get(f"{upstream}/x", headers={"Accept-Encoding": "gzip"})
    assert {(leak.word, leak.where) for leak in recorder.leaks(["Pod1", "Pod2", "http://10.9.9.9:21774"])} == {
        ("Pod1", "body"),
        ("http://10.9.9.9:21774", "body"),
    }
    recorder.forget()
    assert recorder.leaks(["Pod1"]) == []


def test_what_the_client_wrote_is_no_leak(upstream: str, client: requests.Session, recorder: Recorder) -> None:
    client.get(f"{upstream}/gone?region=Pod1")
    assert [exchange.url for exchange in recorder.exchanges()] == [f"{upstream}/gone?region=Pod1"]
    assert recorder.leaks(["Pod1"]) == []


def test_an_upstream_that_refuses_is_a_502_of_the_recorder(client: requests.Session, recorder: Recorder) -> None:
    assert client.get("http://127.0.0.1:1/").status_code == 502
    assert recorder.count == 0


def test_refuses_what_it_could_not_record(recorder: Recorder) -> None:
    with requests.Session() as plain:
        plain.trust_env = False
        assert plain.get(f"{recorder.url}/direct").status_code == 501


def test_stock_environment_reaches_loopback_through_the_proxy(recorder: Recorder) -> None:
    assert recorder.environment()["no_proxy"] == ""
    assert recorder.environment()["http_proxy"] == recorder.url


def test_percent_encoded_words_are_found() -> None:
    headers = (("Link", "x?next=http%3A%2F%2Fcanary%2F"),)
    exchange = Exchange(method="GET", url="u", status=200, headers=headers, body=b"", is_complete=True)
    assert [leak.word for leak in find_leaks(exchange, ["http://canary/"])] == ["http://canary/"]


def test_words_of_a_pod_are_its_region_and_its_addresses() -> None:
    words = pod_words({"Pod1": ["http://127.0.0.1:21774/v2.1"]}, ["canaryhost-1"])
    assert words == {"Pod1", "127.0.0.1:21774", "canaryhost-1"}
