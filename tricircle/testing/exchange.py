# SPDX-License-Identifier: Apache-2.0
"""What is asked of a fake service, what does it say, and which of its functions answers?"""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tricircle.testing.identities import Identity

#: Bodies of fakes are plain JSON: they have no types of their own.
Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Asked:
    """One call as a fake sees it.

    :ivar path: percent-decoded, behind the service's prefix: ``/v2.1/servers``
    :ivar root: what links begin with, made from the Host header: ``http://host:port/compute``
    :ivar headers: names in lower case
    :ivar who: whose token came with it; None without one
    :ivar version: the microversion in effect, such as ``(2, 96)``; ``(0, 0)`` where the service has none
    :ivar prefix: what the client wrote between root and resource: ``/v3`` or ``/v3/<project id>``
    """

    method: str
    path: str
    root: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    who: Identity | None = None
    version: tuple[int, int] = (0, 0)
    prefix: str = ""

    @property
    def caller(self) -> Identity:
        """Who calls. :raises Refusal: 401 without a good token."""
        if self.who is None:
            raise Refusal(401, "The request you have made requires authentication.")
        return self.who

    def json(self) -> Json:
        """The body as a JSON object. :raises Refusal: 400."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise Refusal(400, "Malformed request body") from error
        if not isinstance(value, dict):
            raise Refusal(400, "Malformed request body")
        return value

    def part(self, key: str) -> Json:
        """The object under ``key`` of the body. :raises Refusal: 400 when there is none."""
        part = self.json().get(key)
        if not isinstance(part, dict):
            raise Refusal(400, f"Invalid input for field/attribute {key}. '{key}' is a required property")
        return part

    def one(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter."""
        values = [value for key, value in self.query if key == name]
        return values[-1] if values else default

    def need_admin(self, rule: str) -> None:
        """:raises Refusal: 403 in the words of oslo.policy, unless the caller is an admin."""
        if not self.caller.is_admin:
            raise Refusal(403, f"Policy doesn't allow {rule} to be performed.")

    def sees(self, project_id: str) -> bool:
        """Whether the caller may see what belongs to this project."""
        return self.caller.is_admin or self.caller.project_id == project_id


@dataclass(slots=True, kw_only=True)
class Said:
    """One answer. ``body``: an object becomes JSON, bytes go out as they are, None is no body."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, dict[str, str]]:
        """The body's bytes and all headers."""
        if self.body is None:
            return b"", {"Content-Length": "0", **self.headers}
        if isinstance(self.body, bytes):
            return self.body, {"Content-Type": "text/html; charset=UTF-8", **self.headers}
        return json.dumps(self.body).encode(), {"Content-Type": "application/json", **self.headers}


class Refusal(Exception):  # noqa: N818 - a fake service's "no", not a fault of ours
    """A service says no; each service has its own form for it. ``kind`` is Neutron's name of the error."""

    def __init__(self, status: int, message: str, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = dict(headers or {})


#: The kind of a refusal that comes from the paths and not from a service's own code.
UNROUTED = "unrouted"
Answerer = Callable[..., Said]


@dataclass(frozen=True, slots=True)
class Route:
    """One function of a fake: verb, path template (``{name}`` takes one segment), function."""

    method: str
    pattern: re.Pattern[str]
    answer: Answerer


def route(method: str, template: str, answer: Answerer) -> Route:
    """A route from a template such as ``/servers/{server_id}``."""
    return Route(method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + r"/?$"), answer)


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Answerer, dict[str, str]]:
    """The function for a call and the values in its path. :raises Refusal: 404 or 405."""
    known = False
    for candidate in routes:
        if (match := candidate.pattern.match(path)) is not None:
            known = True
            if candidate.method == method:
                return candidate.answer, match.groupdict()
    raise Refusal(405 if known else 404, "The resource could not be found.", UNROUTED)


def webob_error(asked: Asked, status: int, title: str, message: str) -> Said:
    """What webob says where a service adds no form of its own: a page, or JSON of its own for who wants JSON."""
    code, message = f"{status} {title}", f"{message}<br /><br />\n\n\n"
    if "application/json" in asked.headers.get("accept", ""):
        return Said(status=status, body={"message": message, "code": code, "title": title})
    inner = f"  <h1>{code}</h1>\n  {message}\n"
    page = f"<html>\n <head>\n  <title>{code}</title>\n </head>\n <body>\n{inner} </body>\n</html>"
    return Said(status=status, body=page.encode())


def asked_from(scope: Mapping[str, Any], body: bytes, prefix: str) -> Asked:
    """An ASGI scope as a call; ``prefix`` is the part of the path in front of the service's own."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Asked(
        method=str(scope["method"]),
        path=str(scope["path"]).removeprefix(prefix) or "/",
        root=f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}{prefix}",
        query=parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        headers=headers,
        body=body,
    )


def plain(one: Json) -> Json:
    """A stored thing without what only the fake knows of it."""
    return {key: value for key, value in one.items() if not key.startswith("_")}


def new_id() -> str:
    """A fresh UUID as services write it."""
    return str(uuid.uuid4())


def request_id() -> str:
    """A fresh request id as services write it."""
    return f"req-{uuid.uuid4()}"
