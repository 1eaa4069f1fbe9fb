# SPDX-License-Identifier: Apache-2.0
"""What every request of a listener gets, whatever its door does."""

import json
import logging
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from tricircle.conf.load import load
from tricircle.context import Deadline
from tricircle.errors import ForbiddenError, NotFoundError, UnauthorizedError, UnavailableError
from tricircle.http.dialects import Dialect
from tricircle.http.listener import (
    DETAIL_RULE,
    METRICS_RULE,
    Listener,
    OperatorPages,
    Places,
    Receive,
    Scope,
    Send,
    send_answer,
)
from tricircle.http.message import Answer
from tricircle.observe import logs
from tricircle.upstream.head import VIA

Pairs = list[tuple[bytes, bytes]]
PLACES = Places(
    other=("none", Dialect.ADMIN),
    doors={"compute": ("compute", Dialect.COMPUTE), "identity": ("identity", Dialect.IDENTITY)},
)
URI = "https://cloud.example.org/identity"
GLOBAL = b"req-00000000-0000-4000-8000-000000000000"


class Heard:
    """What a client heard."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Pairs = []
        self.body = b""

    async def send(self, event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], event["headers"]
        else:
            self.body += event.get("body", b"")

    def header(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


async def ask(listener: Listener, path: str, *, headers: Pairs | None = None, query: bytes = b"") -> Heard:
    heard = Heard()
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query,
        "headers": headers or [],
        "client": ("192.0.2.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await listener(scope, receive, heard.send)
    return heard


async def well(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_every_answer_has_our_request_id_and_the_app_knows_both() -> None:
    seen: list[tuple[str, str | None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["tricircle.request_id"], scope["tricircle.global_request_id"]))
        await well(scope, receive, send)

    listener = Listener(app, places=PLACES, identity_uri=URI)
    first = await ask(listener, "/compute/v2.1/servers", headers=[(b"x-openstack-request-id", GLOBAL)])
    second = await ask(listener, "/compute/v2.1/servers", headers=[(b"x-openstack-request-id", b"req-evil\nline")])
    assert (first.status, first.body) == (200, b"hello")
    (ours,) = first.header(b"x-openstack-request-id")
    assert re.fullmatch(rb"req-[0-9a-f-]{36}", ours)
    assert seen[0] == (ours.decode(), GLOBAL.decode())
    assert seen[1][1] is None
    assert second.header(b"x-openstack-request-id") != [ours]


@pytest.mark.parametrize(
    ("error", "status"), [(KeyError("secret"), 500), (NotFoundError("gone"), 404), (UnavailableError("later"), 503)]
)
async def test_whatever_breaks_is_answered_in_the_doors_words(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    listener = Listener(app, places=PLACES, identity_uri=URI)
    compute = await ask(listener, "/compute/v2.1/servers")
    identity = await ask(listener, "/identity/v3")
    assert compute.status == identity.status == status
    (fault,) = json.loads(compute.body).values()
    assert fault["code"] == status
    assert json.loads(identity.body)["error"]["code"] == status
    assert b"secret" not in compute.body + identity.body
    assert len(compute.header(b"x-openstack-request-id")) == 1
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert bool(tracebacks) == (status == 500)
    assert listener.in_flight == 0


async def test_an_answer_that_breaks_in_the_middle_breaks_the_connection() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError("the pod hung up")

    listener = Listener(app, places=PLACES, identity_uri=URI)
    with pytest.raises(OSError, match="hung up"):
        await ask(listener, "/compute/v2.1/servers")
    assert listener.in_flight == 0


@pytest.mark.parametrize("via", [VIA, b"1.1 " + b"front, " + VIA + b",1.1 varnish"])
async def test_a_request_that_comes_back_to_us_is_stopped(via: bytes) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pytest.fail("the loop was not noticed")

    heard = await ask(Listener(app, places=PLACES, identity_uri=URI), "/compute/v2.1/x", headers=[(b"via", via)])
    assert heard.status == 508


async def test_a_path_without_a_slash_breaks_nothing() -> None:
    """``OPTIONS *`` has none."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_answer(Answer(status=404), send)

    assert (await ask(Listener(app, places=PLACES, identity_uri=URI), "*")).status == 404


async def let_in(_scope: Scope, _rule: str, _request_id: str) -> None:
    """Everybody is an operator."""


async def test_health_is_shown_to_all_and_its_details_to_operators() -> None:
    async def ok(_deadline: Deadline) -> str | None:
        return None

    async def broken(_deadline: Deadline) -> str | None:
        raise UnavailableError("no connection")

    public = Listener(well, places=PLACES, identity_uri=URI)
    assert json.loads((await ask(public, "/healthz", query=b"detail")).body) == {"status": "ok"}
    assert (await ask(public, "/metrics")).body == b"hello"
    healthy = Listener(
        well, places=PLACES, identity_uri=URI, pages=OperatorPages(checks={"database": ok}, guard=let_in)
    )
    assert json.loads((await ask(healthy, "/healthz", query=b"detail")).body)["checks"] == {"database": "ok"}
    sick = await ask(
        Listener(
            well,
            places=PLACES,
            identity_uri=URI,
            pages=OperatorPages(checks={"database": ok, "keystone": broken}, guard=let_in),
        ),
        "/healthz",
        query=b"detail",
    )
    assert sick.status == 503
    assert json.loads(sick.body)["checks"] == {"database": "ok", "keystone": "UnavailableError: no connection"}


async def test_operators_see_the_numbers() -> None:
    async def ok(_deadline: Deadline) -> str | None:
        return None

    listener = Listener(
        well, places=PLACES, identity_uri=URI, pages=OperatorPages(checks={"database": ok}, guard=let_in)
    )
    await ask(listener, "/compute/v2.1/servers")
    shown = await ask(listener, "/metrics")
    assert shown.header(b"content-type")[0].startswith(b"text/plain")
    assert b'tricircle_requests_total{door="compute",status="200"}' in shown.body


@pytest.mark.parametrize(
    ("error", "status"), [(UnauthorizedError("no"), 401), (ForbiddenError("no"), 403), (UnavailableError("later"), 503)]
)
async def test_who_is_no_operator_sees_neither_numbers_nor_details(error: Exception, status: int) -> None:
    asked: list[str] = []

    async def refuse(_scope: Scope, rule: str, _request_id: str) -> None:
        asked.append(rule)
        raise error

    async def check(_deadline: Deadline) -> str | None:
        pytest.fail("somebody asked on behalf of nobody")

    listener = Listener(
        well, places=PLACES, identity_uri=URI, pages=OperatorPages(checks={"database": check}, guard=refuse)
    )
    numbers = await ask(listener, "/metrics")
    details = await ask(listener, "/healthz", query=b"detail")
    assert numbers.status == details.status == status
    assert b"tricircle_" not in numbers.body
    assert b"database" not in details.body
    assert asked == [METRICS_RULE, DETAIL_RULE]
    assert json.loads((await ask(listener, "/healthz")).body) == {"status": "ok"}


async def live(listener: Listener) -> list[str]:
    said: list[str] = []
    events = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> dict[str, Any]:
        return next(events)

    async def send(event: MutableMapping[str, Any]) -> None:
        said.append(event["type"])

    await listener({"type": "lifespan"}, receive, send)
    return said


async def test_what_was_opened_is_closed_even_if_something_fails() -> None:
    done: list[str] = []

    async def start() -> None:
        done.append("start")

    async def fail() -> None:
        done.append("fail")
        raise OSError("no")

    async def stop() -> None:
        done.append("stop")

    listener = Listener(well, places=PLACES, identity_uri=URI, on_start=(start,), on_stop=(fail, stop))
    assert await live(listener) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert done == ["start", "fail", "stop"]
    broken = Listener(well, places=PLACES, identity_uri=URI, on_start=(fail,), on_stop=(stop,))
    assert await live(broken) == ["lifespan.startup.failed"]


async def test_a_line_of_the_log_cannot_be_forged(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, factory = root.handlers[:], logging.getLogRecordFactory()
    file = tmp_path / "out.log"
    logs.setup(load(["--log-file", str(file)], prog="test").raw, "test")
    try:
        listener = Listener(well, places=PLACES, identity_uri=URI)
        await ask(listener, "/compute/x\n2026-01-01 INFO forged", headers=[(b"x-openstack-request-id", GLOBAL)])
        await ask(listener, "/identity/v3/x", query=b"secret=1")
        await live(listener)
    finally:
        logging.setLogRecordFactory(factory)
        logging.captureWarnings(capture=False)
        for handler in set(root.handlers) - set(before):
            handler.close()
        root.handlers[:] = before
    lines = file.read_text().splitlines()
    (line,) = (line for line in lines if "/compute/" in line)
    assert GLOBAL.decode() in line
    assert '"GET /compute/x\\n2026-01-01 INFO forged" status: 200 len: 5 time: 0.' in line
    assert not any("secret" in line for line in lines)
