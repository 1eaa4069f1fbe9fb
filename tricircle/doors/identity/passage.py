# SPDX-License-Identifier: Apache-2.0
"""How does a call go through to Keystone, and what is taken out of the answer on the way back?

Keystone judges every credential itself; ours are asked only whether a caller who sees regions or endpoints is an
administrator.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from tricircle.doors.identity.catalogs import Body, for_tenants, narrowed
from tricircle.errors import BadUpstreamAnswerError, NotFoundError, TricircleError, UnauthorizedError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Service
from tricircle.road.carrier import Carrier
from tricircle.road.needs import Identifies

LOG = logging.getLogger(__name__)

#: Keystone's words for what is not there, by the key of what is.
_NOT_FOUND = {
    "region": "region:",
    "endpoint": "endpoint:",
    "limit": "limit for",
    "registered_limit": "registered limit for",
}


class Passage:
    """The special cases of the identity door.

    :param region: the central region, the only one that tenants see
    """

    def __init__(self, *, carrier: Carrier, validator: Identifies, region: str) -> None:
        self._carrier = carrier
        self._validator = validator
        self._region = region
        self._is_name_known = False

    async def forward(self, request: Request) -> Answer:
        """Keystone's answer."""
        if not self._is_name_known:
            await self._learn_name(request)
        return await self._carrier.central(request)

    async def with_catalog(self, request: Request) -> Answer:
        """Keystone's answer, its catalog narrowed. Nobody sees other regions here, administrators neither."""
        answer = await self._read(request)
        return self._changed(answer, lambda body: narrowed(body, self._region))

    async def revoke(self, request: Request) -> Answer:
        """Keystone's answer; a token that it revoked is not believed here any more either."""
        answer = await self.forward(request)
        subject = request.header(b"x-subject-token")
        if answer.status < 300 and subject is not None:
            self._validator.forget(subject.decode("latin-1"))
        return answer

    async def about_regions(self, request: Request) -> Answer:
        """Keystone's answer about regions, endpoints or limits, whole for administrators, narrowed for others.

        :raises NotFoundError: a tenant asked for one of a region that tenants do not know
        """
        answer = await self._read(request)
        if not 200 <= answer.status < 300 or await self._is_admin(request):
            return answer

        def change(body: Mapping[str, object]) -> Body:
            shown = for_tenants(body, self._region)
            if shown is None:
                name = request.path.rstrip("/").rpartition("/")[2]
                words = next(words for key, words in _NOT_FOUND.items() if key in body)
                raise NotFoundError(f"Could not find {words} {name}.")
            return shown

        return self._changed(answer, change)

    async def _read(self, request: Request) -> Answer:
        """As ``forward``, with a body for HEAD too: whether a tenant may know of a thing stands in it."""
        return await self.forward(replace(request, method="GET") if request.method == "HEAD" else request)

    async def _learn_name(self, request: Request) -> None:
        """Find out how Keystone names itself: its links come from its own settings, whatever it is called by."""
        document = replace(request, method="GET", path="/v3", root="", query=b"", headers=[])
        answer = await self._carrier.central(document)
        # Whoever does not answer now is asked again with the next request.
        self._is_name_known = answer.status == 200
        href = _self_link(answer)
        if href is not None and not href.startswith(self._carrier.link("")):
            name = href.rstrip("/").removesuffix("/v3")
            LOG.info("Keystone's links begin with %s", name)
            self._carrier.know_alias(name)

    async def _is_admin(self, request: Request) -> bool:
        context = request.context
        try:
            identified = await self._validator.identify(
                request.headers, request.method, request.path, Service.IDENTITY, context.request_id, context.deadline
            )
        except UnauthorizedError:
            return False
        except TricircleError as error:
            LOG.warning("who asks cannot be known now; the answer is narrowed: %s", error)
            return False
        return identified.is_admin

    @staticmethod
    def _changed(answer: Answer, change: Callable[[Mapping[str, object]], Body]) -> Answer:
        """An answer with another body; errors and empty answers stay as they are."""
        if not 200 <= answer.status < 300 or not answer.body or not isinstance(answer.body, bytes):
            return answer
        try:
            body = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadUpstreamAnswerError("The identity service sent an answer that cannot be read.") from error
        if isinstance(body, dict):
            answer.body = msgspec.json.encode(change(body))
        return answer


def _self_link(answer: Answer) -> str | None:
    """The address in a version document; None when it is none."""
    if answer.status != 200 or not isinstance(answer.body, bytes):
        return None
    try:
        document = msgspec.json.decode(answer.body, type=_Document)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return None
    return next((link.href for link in document.version.links if link.rel == "self"), None)


class _Link(msgspec.Struct):
    rel: str
    href: str


class _Version(msgspec.Struct):
    links: list[_Link]


class _Document(msgspec.Struct):
    version: _Version
