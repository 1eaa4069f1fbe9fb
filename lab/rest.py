# SPDX-License-Identifier: Apache-2.0
"""How does the lab itself call the services? JSON over HTTP with one token, past any proxy."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lab.topology import PASSWORD

SECONDS = 60.0
Json = dict[str, Any]


class RestError(Exception):
    """A service answered with an error; the text holds method, address, status and answer."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A caller with one token. Every method raises RestError for a status of 400 and above."""

    token: str = ""

    def get(self, url: str) -> Json:
        return self.call("GET", url)

    def post(self, url: str, body: Json) -> Json:
        return self.call("POST", url, body)

    def put(self, url: str, body: Json | None = None) -> Json:
        return self.call("PUT", url, body)

    def delete(self, url: str) -> None:
        self.call("DELETE", url)

    def call(self, method: str, url: str, body: Json | bytes | None = None, **headers: str) -> Json:
        """One call; bytes are sent as they are, an answer without a body is {}."""
        return self.answer(method, url, body, **headers)[0]

    def answer(
        self, method: str, url: str, body: Json | bytes | None = None, **headers: str
    ) -> tuple[Json, http.client.HTTPMessage]:
        """One call; its body and its headers."""
        split = urlsplit(url)
        raw = isinstance(body, bytes)
        sent = {
            "Accept": "application/json",
            "Content-Type": "application/octet-stream" if raw else "application/json",
            **({"X-Auth-Token": self.token} if self.token else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(split.netloc, timeout=SECONDS)
        try:
            target = split.path + (f"?{split.query}" if split.query else "")
            connection.request(method, target or "/", data, sent)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RestError(f"{method} {url}: {error}", 0) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise RestError(f"{method} {url}: {answer.status} {text[:600]!r}", answer.status)
        return (json.loads(text) if text else {}), answer.headers


def sign_in(keystone: str, user: str, project: str) -> Rest:
    """A caller with a token of this user for this project."""
    domain = {"id": "default"}
    body = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": user, "domain": domain, "password": PASSWORD}},
            },
            "scope": {"project": {"name": project, "domain": domain}},
        }
    }
    _, headers = Rest().answer("POST", f"{keystone}/auth/tokens", body)
    return Rest(token=str(headers["X-Subject-Token"]))
