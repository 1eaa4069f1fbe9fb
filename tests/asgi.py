# SPDX-License-Identifier: Apache-2.0
"""How does a test talk to an ASGI application in its own process, without a socket?"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """One answer. Names of headers are in lower case; of several with one name the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The text of an error in one of the forms ``{"<name>": {"message": ...}}``."""
        (fault,) = self.json().values()
        return str(fault["message"])


class AsgiClient:
    """A client of one application.

    :param headers: sent with every request
    """

    def __init__(self, app: Callable[..., Awaitable[None]], headers: Mapping[str, str] | None = None) -> None:
        self._app = app
        self._headers = dict(headers or {})

    def having(self, **headers: str) -> "AsgiClient":
        """A client that sends these headers as well (underscores become dashes)."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return AsgiClient(self._app, {**self._headers, **more})

    async def ask(self, method: str, target: str, body: object = None) -> Said:
        """One request. A body that is bytes goes out as it is, anything else as JSON."""
        path, _, query = target.partition("?")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"host": "test.example", "content-type": "application/json", **self._headers}
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("192.0.2.1", 4711),
            "server": ("test.example", 80),
        }
        events: list[Mapping[str, Any]] = []
        chunks = [data[start : start + 10_000] for start in range(0, len(data), 10_000)] or [b""]

        async def receive() -> dict[str, Any]:
            if not chunks:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(event: Mapping[str, Any]) -> None:
            events.append(event)

        await self._app(scope, receive, send)
        start = next(event for event in events if event["type"] == "http.response.start")
        sent = b"".join(event.get("body", b"") for event in events if event["type"] == "http.response.body")
        pairs = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Said(status=start["status"], headers=pairs, body=sent)
