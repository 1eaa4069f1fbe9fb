# SPDX-License-Identifier: Apache-2.0
"""Which volume type does a user mean? Looked up at the centre with the user's own token: private types stay private."""

import re
from collections.abc import Mapping

from tricircle.context import RequestContext
from tricircle.copies.bodies import member
from tricircle.copies.volume_types import VolumeTypes
from tricircle.doors.block_storage import words
from tricircle.errors import UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients, ServiceClient, collect

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


class CentralTypes:
    """Finds types by name or id, whole: with all that administrators see of them."""

    def __init__(self, *, clients: Clients, registry: Registry, copies: VolumeTypes) -> None:
        self._clients = clients
        self._registry = registry
        self._copies = copies

    async def find(self, context: RequestContext, asked: str) -> dict[str, object]:
        """The type of this id or name. :raises NotFoundError: none that the caller may use (Cinder's words)"""
        client = self._client(context)
        # Anything else is no id to Cinder either; "default" would even be answered with another type.
        if _UUID.fullmatch(asked):
            by_id = await client.get(f"/v3/types/{asked}", deadline=context.deadline, ok=(404,))
            if "volume_type" in by_id:
                return await self._whole(context, member(by_id, "volume_type"), asked)
        for volume_type in await collect(client, "/v3/types", "volume_types", context.deadline):
            if volume_type.get("name") == asked:
                return await self._whole(context, volume_type, asked)
        raise words.type_not_found(asked)

    async def default(self, context: RequestContext) -> dict[str, object]:
        """The type of a volume for which none is named: the project's own default, or the cloud's.

        :raises NotFoundError: the operator has set none
        """
        try:
            answer = await self._client(context).get("/v3/types/default", deadline=context.deadline)
        except UpstreamStatusError as error:
            if error.status == 404:
                raise words.default_type_missing() from error
            raise
        volume_type = member(answer, "volume_type")
        return await self._whole(context, volume_type, str(volume_type.get("name")))

    async def _whole(self, context: RequestContext, volume_type: Mapping[str, object], asked: str) -> dict[str, object]:
        whole = await self._copies.read(str(volume_type["id"]), context.deadline)
        if whole is None:
            raise words.type_not_found(asked)
        return whole

    def _client(self, context: RequestContext) -> ServiceClient:
        return self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
