# SPDX-License-Identifier: Apache-2.0
"""Ask an ASGI application something, without a server."""

from dataclasses import dataclass
from typing import Any

import msgspec

from tricircle.http.listener import REQUEST_ID_KEY
from tricircle.road.pipeline import Road


@dataclass
class Got:
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def ask(
    road: Road,
    method: str,
    path: str,
    *,
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
    token: str | None = "users-token",
) -> Got:
    """One request with a token."""
    where, _, query = path.partition("?")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": method,
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "headers": [*([(b"x-auth-token", token.encode())] if token else []), *(headers or [])],
        REQUEST_ID_KEY: "req-ours",
    }
    await road(scope, receive, send)
    start = sent[0]
    return Got(start["status"], list(start["headers"]), b"".join(event.get("body", b"") for event in sent[1:]))
