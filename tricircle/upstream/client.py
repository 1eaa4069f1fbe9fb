# SPDX-License-Identifier: Apache-2.0
"""How do we ask a service something by ourselves, as JSON, for a user or as the service user?

Calls that are *forwarded* do not come here: they carry the user's token alone. Calls that we make for a user carry
the service token beside it, so that long work survives the end of the user's token.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from math import inf
from typing import Protocol, runtime_checkable
from urllib.parse import urlencode

import msgspec

from tricircle.context import Deadline, RequestContext
from tricircle.errors import (
    SERVICE_AWAY,
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.model.pod import Service
from tricircle.upstream.head import SAFE
from tricircle.upstream.next_page import next_page, page_at
from tricircle.upstream.pool import Pools
from tricircle.upstream.refusal import is_services_own
from tricircle.upstream.reply import CENTRAL, Call, Headers, Reply, Target

LOG = logging.getLogger(__name__)

#: How Neutron, Nova and Cinder begin the body of their own 404.
_GONE = (b"NeutronError", b"itemNotFound")
#: So many things no list of ours has: whoever goes on sending pages does so for ever.
_MOST_ITEMS = 200_000
#: What the microversion header calls a service.
_VERSION_NAMES = {Service.COMPUTE: "compute", Service.BLOCK_STORAGE: "volume", Service.PLACEMENT: "placement"}
Params = Mapping[str, str | int | Collection[str]]
#: Gives the headers that say who asks, the token first.
Identity = Callable[[Deadline], Awaitable[Headers]]


class TokenSource(Protocol):
    """Where the service user's token comes from."""

    async def token(self, deadline: Deadline) -> str:
        """A token that is valid for a while. :raises UnavailableError: when none can be had."""
        ...


@runtime_checkable
class ForgetsTokens(Protocol):
    """A token source that can be told that a token is no good any more."""

    def forget(self, token: str) -> None:
        """Do not hand out ``token`` again."""
        ...


@runtime_checkable
class ConfirmsTokens(Protocol):
    """A token source that knows whether a token still is an administrator's."""

    async def confirm(self, token: str, deadline: Deadline) -> None:
        """:raises UnavailableError: it is not, or nobody can say"""
        ...


class ServiceClient:
    """One service of one pod (or of the centre), spoken to in JSON under one identity."""

    __slots__ = ("_call_s", "_headers", "_identity", "_own", "_pools", "target")

    def __init__(
        self,
        pools: Pools,
        target: Target,
        *,
        headers: Headers,
        identity: Identity,
        own: TokenSource | None = None,
        call_s: float = inf,
    ) -> None:
        """``own``: where the token of ``identity`` is from, when it is ours. It is told the token that was answered
        with 401, and the call is then made once more; it is asked about one to which a service says that something is
        not there. ``call_s``: seconds that a single call may take, whatever its deadline says.
        """
        self._pools = pools
        self._call_s = call_s
        self._headers = headers
        self._identity = identity
        self._own = own
        #: Whom this client asks.
        self.target = target

    async def get(
        self, path: str, *, params: Params | None = None, deadline: Deadline, ok: Collection[int] = ()
    ) -> dict[str, object]:
        """The JSON object at ``path`` (behind the service root, version included). See :meth:`ask`."""
        return await self.ask("GET", path, params=params, deadline=deadline, ok=ok)

    async def post(
        self,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        deadline: Deadline,
        ok: Collection[int] = (),
    ) -> dict[str, object]:
        """See :meth:`ask`."""
        return await self.ask("POST", path, body=body, params=params, deadline=deadline, ok=ok)

    async def put(
        self,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        deadline: Deadline,
        ok: Collection[int] = (),
    ) -> dict[str, object]:
        """See :meth:`ask`."""
        return await self.ask("PUT", path, body=body, params=params, deadline=deadline, ok=ok)

    async def patch(
        self,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        deadline: Deadline,
        ok: Collection[int] = (),
    ) -> dict[str, object]:
        """See :meth:`ask`."""
        return await self.ask("PATCH", path, body=body, params=params, deadline=deadline, ok=ok)

    async def delete(
        self, path: str, *, params: Params | None = None, deadline: Deadline, ok: Collection[int] = ()
    ) -> dict[str, object]:
        """See :meth:`ask`."""
        return await self.ask("DELETE", path, params=params, deadline=deadline, ok=ok)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        deadline: Deadline,
        ok: Collection[int] = (),
    ) -> dict[str, object]:
        """The JSON object that came back; ``{}`` when there was no body, or for a refusal listed in ``ok``.

        :param params: query; a collection of strings repeats its key
        :param ok: statuses from 400 on that are no error to the caller, such as 404 of a deletion
        :raises UpstreamStatusError: any other status from 300 on
        :raises UnavailableError, OutcomeUnknownError: no answer, or of a pod one that cannot be read
        :raises ServiceUserError: "not there" was said to a service user without the administrator's role
        :raises BadUpstreamAnswerError: an answer of the centre that cannot be read
        """
        try:
            reply, identity = await self._exchange(
                method, path, body=body, params=params, headers=None, deadline=deadline
            )
            self._check_refusal(reply, method, path)
            if reply.status in ok:
                return {} if reply.status >= 400 else _json(reply)
            if reply.status < 300:
                return _json(reply)
        except BadUpstreamAnswerError as error:
            if self.target.pod == CENTRAL:
                raise
            if method in SAFE:
                raise UnavailableError(error.message) from error
            raise OutcomeUnknownError(error.message) from error
        raise UpstreamStatusError(reply.status, _error_text(reply, identity), self.target.label)

    async def reply(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        headers: Headers | None = None,
        deadline: Deadline,
    ) -> Reply:
        """The whole reply, for callers that need its status or headers. Raises like ``Pools.send``.

        :param headers: more headers (lower-case names), such as ``if-match``
        """
        reply, _ = await self._exchange(method, path, body=body, params=params, headers=headers, deadline=deadline)
        return reply

    async def stream(
        self,
        method: str,
        path: str,
        *,
        body: AsyncIterator[bytes] | None = None,
        headers: Headers | None = None,
        deadline: Deadline,
    ) -> Reply:
        """The reply to a call whose body, or whose answer, is a stream: nothing is repeated, nothing is held in memory.

        The deadline is that of the beginning; then only silence ends it (``[upstream] stream_idle_s``). Whoever asks
        reads the reply's body or closes it. Raises like ``Pools.send``.

        :param headers: more headers (lower-case names); a ``content-length`` is the body's
        """
        if body is None:
            deadline = deadline.within(self._call_s)
        identity = await self._identity(deadline)
        sent = [*self._headers, *(headers or ()), *identity]
        call = Call(method=method, path=path, headers=sent, body=body, is_streamed=True)
        reply = await self._pools.send(self.target, call, deadline)
        try:
            await self._doubt(reply, identity, deadline)
        except BaseException:
            # Nobody else has the reply.
            if reply.close is not None:
                await reply.close()
            raise
        return reply

    async def confirm(self, deadline: Deadline) -> None:
        """Whether what was told until now was told to an administrator; of users' clients nothing is asked. For whoever
        concludes from a list that something is not there: others are shown a part of it, without a word.

        :raises UnavailableError: it was not, or nobody can say
        """
        if isinstance(self._own, ConfirmsTokens):
            identity = await self._identity(deadline)
            await self._own.confirm(identity[0][1].decode(), deadline)

    async def _doubt(self, reply: Reply, identity: Headers, deadline: Deadline) -> None:
        """Neutron says "not there" to who may not see, and Glance and Nova do so with some things. That the service
        user may not do something is never said in ordinary times.

        :raises UnavailableError: who was told so has not the role, or nobody can say
        """
        if reply.status not in (403, 404) or not isinstance(self._own, ConfirmsTokens):
            return
        body = reply.body if isinstance(reply.body, bytes) else b""
        if reply.status == 403 or self.target.service is Service.IMAGE or any(word in body for word in _GONE):
            await self._own.confirm(identity[0][1].decode(), deadline)

    def _check_refusal(self, reply: Reply, method: str, path: str) -> None:
        """:raises UnavailableError: something before the pod's service says no: nothing was done, nothing is gone"""
        if not 400 <= reply.status < 500 or reply.status == 401 or self.target.pod == CENTRAL:
            return
        if not is_services_own(reply, method):
            LOG.warning("%s: %s %s is refused (%s) by a proxy", self.target.label, method, path, reply.status)
            raise UnavailableError(SERVICE_AWAY)

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        body: object,
        params: Params | None,
        headers: Headers | None,
        deadline: Deadline,
    ) -> tuple[Reply, Headers]:
        """The reply, and the headers that said who asks."""
        sent = [*self._headers, *(headers or ())]
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        if data is not None and not any(name == b"content-type" for name, _ in sent):
            sent.append((b"content-type", b"application/json"))
        if params:
            path = f"{path}{'&' if '?' in path else '?'}{urlencode(params, doseq=True)}"
        deadline = deadline.within(self._call_s)
        identity = await self._identity(deadline)
        call = Call(method=method, path=path, headers=[*sent, *identity], body=data)
        reply = await self._pools.send(self.target, call, deadline)
        if reply.status == 401 and isinstance(self._own, ForgetsTokens):
            # Nothing was done: the service's own door refused the token (revoked, or Keystone's keys were changed).
            self._own.forget(identity[0][1].decode())
            identity = await self._identity(deadline)
            call.headers = [*sent, *identity]
            reply = await self._pools.send(self.target, call, deadline)
        await self._doubt(reply, identity, deadline)
        return reply, identity


class Clients:
    """Makes clients. They are cheap: make one per use.

    :param call_s: seconds that a single call of theirs may take, so that one which nobody answers is known for it long
        before the end of work that has hours
    """

    def __init__(self, pools: Pools, service_tokens: TokenSource, *, call_s: float = inf) -> None:
        self._pools = pools
        self._call_s = call_s
        self._tokens = service_tokens

    async def check_own(self, deadline: Deadline) -> None:
        """Whether the service user can be spoken for, and has been an administrator until now.

        :raises UnavailableError: as ``TokenSource.token``, and ``ConfirmsTokens.confirm``
        """
        token = await self._tokens.token(deadline)
        if isinstance(self._tokens, ConfirmsTokens):
            await self._tokens.confirm(token, deadline)

    def as_user(self, context: RequestContext, target: Target, microversion: str | None = None) -> ServiceClient:
        """Acts for the user of ``context`` with user and service token. Never use it to forward what the user sent."""

        async def identity(deadline: Deadline) -> Headers:
            service_token = await self._tokens.token(deadline)
            return [(b"x-auth-token", context.token.encode()), (b"x-service-token", service_token.encode())]

        request_id = context.global_request_id or context.request_id
        return self._client(target, microversion, request_id, identity)

    def as_service(
        self, target: Target, microversion: str | None = None, *, request_id: str | None = None
    ) -> ServiceClient:
        """Acts as the service user alone. ``request_id`` is the global id to be found in the upstream's logs."""

        async def identity(deadline: Deadline) -> Headers:
            return [(b"x-auth-token", (await self._tokens.token(deadline)).encode())]

        return self._client(target, microversion, request_id, identity, self._tokens)

    def anonymous(self, target: Target) -> ServiceClient:
        """Asks without any token, for version documents."""

        async def identity(_deadline: Deadline) -> Headers:
            return []

        return self._client(target, None, None, identity)

    def _client(
        self,
        target: Target,
        microversion: str | None,
        request_id: str | None,
        identity: Identity,
        own: TokenSource | None = None,
    ) -> ServiceClient:
        headers: Headers = [
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"tricircle"),
        ]
        if microversion is not None and (name := _VERSION_NAMES.get(target.service)):
            headers.append((b"openstack-api-version", f"{name} {microversion}".encode()))
        if request_id is not None:
            headers.append((b"x-openstack-request-id", request_id.encode()))
        return ServiceClient(self._pools, target, headers=headers, identity=identity, own=own, call_s=self._call_s)


async def collect(
    client: ServiceClient, path: str, key: str, deadline: Deadline, params: Params | None = None
) -> list[dict[str, object]]:
    """All items of a list, page after page.

    Follows ``<key>_links`` (Nova, Cinder, Neutron), ``next`` (Glance) and ``links.next`` (Keystone).

    :param key: the JSON key of the list, such as ``servers``
    :raises BadUpstreamAnswerError: when an answer has no such list, or pages go round in a circle or on for ever
    """
    found: list[dict[str, object]] = []
    seen: set[str] = set()
    last: object = None
    page = f"{path}{'&' if '?' in path else '?'}{urlencode(params, doseq=True)}" if params else path
    while page not in seen:
        seen.add(page)
        body = await client.get(page, deadline=deadline)
        items = body.get(key)
        if not isinstance(items, list):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        found += items
        following = next_page(body, key)
        if following is None:
            return found
        if not items or items == last or len(found) > _MOST_ITEMS:
            # Nobody honest links to more from an empty page, or has the same page twice.
            break
        last = items
        page = page_at(path, following)
    raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")


def _json(reply: Reply) -> dict[str, object]:
    return reply.json() if reply.body else {}


def _error_text(reply: Reply, identity: Headers) -> str:
    """The beginning of a refusal, for the log: a careless service may repeat the tokens that it was sent."""
    text = reply.body if isinstance(reply.body, bytes) else b""
    for _, token in identity:
        text = text.replace(token, b"***") if token else text
    return text[:2000].decode("utf-8", "replace")
