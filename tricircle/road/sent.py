# SPDX-License-Identifier: Apache-2.0
"""What of a client's call is sent on: which path, query and body?"""

import msgspec

from tricircle.http.message import Request

Body = dict[str, object] | bytes
#: Methods whose body, if there is one, stays behind.
BODILESS = frozenset(("GET", "HEAD"))


async def sent_body(request: Request, method: str | None, body: Body | None) -> bytes | None:
    """The body to send: what is given, or the client's own when the verb is the client's own too."""
    if body is not None:
        return body if isinstance(body, bytes) else msgspec.json.encode(body)
    if request.method in BODILESS or (method is not None and method != request.method):
        return None
    return await request.body() or None


def sent_path(request: Request, path: str | None, query: bytes | None) -> str:
    """The path with its query: what is given, or the client's own; ``path`` is under the version."""
    where = request.path if path is None else request.root + path
    text = (request.query if query is None else query).decode("latin-1")
    return f"{where}?{text}" if text else where
