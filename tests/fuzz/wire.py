# SPDX-License-Identifier: Apache-2.0
"""How is a request sent to the letter, however bad it is? No client library in between that would mend it."""

import http.client
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 150.0
#: An answer whose head cannot be read, or that never came.
NO_ANSWER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request as bytes. ``target``: path and query."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def text(self) -> str:
        """For people: without the token, and not endless."""
        body = self.body[:300].decode("utf-8", "backslashreplace")
        version = ", ".join(value.decode("latin-1") for name, value in self.headers if b"version" in name.lower())
        target = self.target[:200].decode("latin-1")
        return f"{self.method.decode('latin-1')} {target} [{version}] {body}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer. ``status`` 0: none that could be read."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The first of this name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def json(self) -> Any:
        """The body; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def send(host: str, port: int, sent: Sent) -> Heard:
    """The answer to one request on a connection of its own."""
    body = sent.body
    head = [b"%b %b HTTP/1.1" % (sent.method, sent.target), b"Host: %b:%d" % (host.encode(), port)]
    head += [b"%b: %b" % pair for pair in sent.headers]
    names = {name.lower() for name, _ in sent.headers}
    if body and b"content-length" not in names and b"transfer-encoding" not in names:
        head.append(b"Content-Length: %d" % len(body))
    head.append(b"Connection: close")
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as line:
            # Who is refused before all was read may find there why.
            with suppress(ConnectionError):
                line.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
            answer = http.client.HTTPResponse(line, method=sent.method.decode("latin-1"))
            answer.begin()
            return Heard(status=answer.status, headers=tuple(answer.getheaders()), body=answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return Heard(status=NO_ANSWER)


def headers(token: str, extra: Iterable[tuple[str, str]] = ()) -> tuple[tuple[bytes, bytes], ...]:
    """Those of an ordinary call; ``extra`` replaces what it names."""
    wanted = {"X-Auth-Token": token, "Accept": "application/json", "Content-Type": "application/json"}
    wanted |= dict(extra)
    return tuple((name.encode("latin-1"), value.encode("utf-8")) for name, value in wanted.items())
