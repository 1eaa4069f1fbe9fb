# SPDX-License-Identifier: Apache-2.0
"""Which volume type does a user mean? Looked up at the centre with the user's own token: private types stay private."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from tricircle.context import RequestContext
from tricircle.copies.bodies import member
from tricircle.doors.block_storage import words
from tricircle.errors import TricircleError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients, ServiceClient, collect

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
#: Without it Cinder shows administrators only the types, also of groups, that are public or their own project's,
#: although they may use all. To members it shows those that they may use, whatever they ask for.
ALL_TYPES: Mapping[str, str] = MappingProxyType({"is_public": "None"})


class CentralTypes:
    """Finds types by name or id, as the caller sees them."""

    def __init__(self, *, clients: Clients, registry: Registry) -> None:
        self._clients = clients
        self._registry = registry

    async def find(self, context: RequestContext, asked: str) -> dict[str, object]:
        """The type of this id or name.

        :raises NotFoundError: none that the caller may use (Cinder's words)
        :raises ForbiddenError: the caller may not see types
        """
        try:
            found = await self._named(context, asked)
        except UpstreamStatusError as error:
            raise _forbidden(error) from error
        if found is None:
            raise words.type_not_found(asked)
        return found

    async def default(self, context: RequestContext) -> dict[str, object]:
        """The type of a volume for which none is named: the project's own default, or the cloud's.

        :raises NotFoundError: the operator has set none
        :raises ForbiddenError: the caller may not see types
        """
        try:
            answer = await self._client(context).get("/v3/types/default", deadline=context.deadline)
        except UpstreamStatusError as error:
            if error.status == 404:
                raise words.default_type_missing() from error
            raise _forbidden(error) from error
        return member(answer, "volume_type")

    async def _named(self, context: RequestContext, asked: str) -> dict[str, object] | None:
        client = self._client(context)
        # Anything else is no id to Cinder either; "default" would even be answered with another type.
        if _UUID.fullmatch(asked):
            by_id = await client.get(f"/v3/types/{asked}", deadline=context.deadline, ok=(404,))
            if "volume_type" in by_id:
                return member(by_id, "volume_type")
        types = await collect(client, "/v3/types", "volume_types", context.deadline, params=ALL_TYPES)
        return next((volume_type for volume_type in types if volume_type.get("name") == asked), None)

    def _client(self, context: RequestContext) -> ServiceClient:
        return self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))


def _forbidden(error: UpstreamStatusError) -> TricircleError:
    """What the caller is told of the centre's refusal to show types."""
    return words.types_forbidden() if error.status == 403 else error
