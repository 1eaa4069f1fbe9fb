# SPDX-License-Identifier: Apache-2.0
"""How does a client's call reach an upstream, and how does the answer come back with nothing of the upstream in it?

Headers pass by name in both directions; links are rewritten (``links``); a stream stays a stream. A service token
that a client sent is not among the headers that pass; where one of ours may go along, ``vouching`` says.
"""

import re
from collections.abc import AsyncIterator, Sequence

from tricircle.context import Deadline
from tricircle.http import microversions
from tricircle.http.headers import to_client, to_identity, to_upstream
from tricircle.http.message import Answer, Headers, Request
from tricircle.model.microversion import Version
from tricircle.model.pod import Service
from tricircle.road.links import Links
from tricircle.road.needs import Upstreams
from tricircle.road.vouching import Vouching
from tricircle.upstream.reply import Call, Reply, Target

#: Nova's and Cinder's second name for the request id; it must name ours, as the first does.
COMPUTE_REQUEST_ID = b"x-compute-request-id"
_LINKED = frozenset((b"location", b"link"))
#: A 503 always says when to come again.
_RETRY_AFTER = (b"retry-after", b"10")
_TEXTUAL = (b"json", b"text/", b"xml")
#: Where a ``Link`` header leads.
_TARGETS = re.compile(rb"<([^>]*)>")
#: A URL with a host, also as lenient clients read one (``/\\host``, ``http:/host``).
_AWAY = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]*:|[/\\]{2}")


class Forwarder:
    """Sends calls of one door on, and makes answers of replies.

    :param base: public endpoint and prefix of the door, no slash at the end
    :param identity_url: what ``WWW-Authenticate`` shall say
    :param aliases: further URLs under which upstreams name themselves in answers
    :param vouching: puts a service token to calls that need one; None puts none
    """

    def __init__(
        self,
        upstreams: Upstreams,
        *,
        service: Service,
        base: str,
        identity_url: str,
        aliases: Sequence[str] = (),
        vouching: Vouching | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._service = service
        self._base = base.encode()
        self._root = base.encode().rpartition(b"/")[0] + b"/"
        self._challenge = f'Keystone uri="{identity_url}"'.encode()
        self._aliases = tuple(aliases)
        self._vouching = vouching
        self._links: dict[str, Links] = {}

    async def send(
        self,
        request: Request,
        target: Target,
        path: str,
        *,
        method: str | None = None,
        body: bytes | AsyncIterator[bytes] | None = None,
        is_streamed: bool = False,
        deadline: Deadline | None = None,
    ) -> Reply:
        """The reply to a client's call with another path (query included) and body. Raises like ``Pools.send``."""
        headers, verb = self._outgoing(request), method or request.method
        until = request.context.deadline if deadline is None else deadline
        if self._vouching is not None:
            is_own = (verb, path.partition("?")[0]) == (request.method, request.path)
            headers += await self._vouching.headers(request.context, self._service, (verb, path), until, is_own=is_own)
        call = Call(method=verb, path=path, headers=headers, body=body, is_streamed=is_streamed)
        return await self._upstreams.send(target, call, until)

    def know_alias(self, url: str) -> None:
        """Upstreams also name themselves by ``url``: links that begin with it are rewritten too."""
        if url not in self._aliases:
            self._aliases = (*self._aliases, url)
            self._links.clear()

    def relinked(self, body: bytes, target: Target) -> bytes:
        """A body with the links of ``target`` turned into links of this door."""
        return self._links_of(target).in_text(body)

    async def answer(self, reply: Reply, target: Target, *, body: bytes | None = None) -> Answer:
        """A reply as it leaves. ``body`` replaces the reply's own, links in it rewritten either way."""
        headers = self._headers(reply, target)
        if body is not None:
            return Answer(status=reply.status, headers=headers, body=self.relinked(body, target))
        if isinstance(reply.body, bytes):
            return Answer(status=reply.status, headers=headers, body=self.relinked(reply.body, target))
        if _is_text(reply):
            # Errors of a streamed call, and documents: short, and they may hold links.
            whole = b"".join([chunk async for chunk in reply.body])
            await _give_up(reply)
            headers = [pair for pair in headers if pair[0] != b"content-length"]
            return Answer(status=reply.status, headers=headers, body=self.relinked(whole, target))
        return Answer(status=reply.status, headers=headers, body=reply.body, close=reply.close)

    def _outgoing(self, request: Request) -> Headers:
        context = request.context
        if self._service is Service.IDENTITY:
            return to_identity(request.headers, request_id=context.request_id)
        headers = to_upstream(request.headers, token=context.token or None, request_id=context.request_id)
        if request.microversion is None:
            return headers
        headers = [pair for pair in headers if pair[0] not in microversions.HEADERS]
        return headers + microversions.request_headers(self._service, Version(*request.microversion))

    def _headers(self, reply: Reply, target: Target) -> Headers:
        kept = [
            (name, self._links_of(target).in_header(value)) if name in _LINKED else (name, value)
            for name, value in to_client(reply.headers, is_identity=self._service is Service.IDENTITY)
            if name != COMPUTE_REQUEST_ID
        ]
        if self._service is not Service.IDENTITY:
            kept = [pair for pair in kept if pair[0] not in _LINKED or not self._is_foreign(pair[1])]
        if reply.status == 401:
            kept.append((b"www-authenticate", self._challenge))
        if reply.status == 503 and not any(name == b"retry-after" for name, _ in kept):
            kept.append(_RETRY_AFTER)
        return kept

    def _links_of(self, target: Target) -> Links:
        links = self._links.get(target.url)
        if links is None:
            links = Links(self._service, target.url, self._base, aliases=self._aliases)
            self._links[target.url] = links
        return links

    def _is_foreign(self, value: bytes) -> bool:
        """Whether a header leads to another host than ours: one behind us, which nobody shall know."""
        leads = _TARGETS.findall(value) or [value.strip()]
        return any(_AWAY.match(one) and not one.startswith(self._root) for one in leads)


def _is_text(reply: Reply) -> bool:
    kind = (reply.header(b"content-type") or b"").lower()
    return any(word in kind for word in _TEXTUAL)


async def _give_up(reply: Reply) -> None:
    if reply.close is not None:
        await reply.close()
