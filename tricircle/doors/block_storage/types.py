# SPDX-License-Identifier: Apache-2.0
"""Which volume type does a user mean? Looked up at the centre with the user's own token: private types stay private."""

from collections.abc import Mapping
from urllib.parse import quote

from tricircle.context import RequestContext
from tricircle.copies.bodies import member, rows
from tricircle.copies.volume_types import VolumeTypes
from tricircle.doors.block_storage import words
from tricircle.errors import BadUpstreamAnswerError
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients


class CentralTypes:
    """Finds types by name or id."""

    def __init__(self, *, clients: Clients, registry: Registry, copies: VolumeTypes) -> None:
        self._clients = clients
        self._registry = registry
        self._copies = copies

    async def find(self, context: RequestContext, asked: str) -> dict[str, object]:
        """The type as administrators see it. :raises NotFoundError: none that the caller may use (Cinder's words)"""
        client = self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
        by_id = await client.get(f"/v3/types/{quote(asked, safe='')}", deadline=context.deadline, ok=(400, 404))
        if by_id:
            return await self._whole(context, member(by_id, "volume_type"))
        answer = await client.get("/v3/types", params={"limit": 1000}, deadline=context.deadline)
        for volume_type in rows(answer, "volume_types"):
            if volume_type.get("name") == asked:
                return await self._whole(context, volume_type)
        raise words.type_not_found(asked)

    async def default(self, context: RequestContext) -> dict[str, object]:
        """The type of a volume for which none is named."""
        client = self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
        answer = await client.get("/v3/types/default", deadline=context.deadline)
        return await self._whole(context, member(answer, "volume_type"))

    async def _whole(self, context: RequestContext, volume_type: Mapping[str, object]) -> dict[str, object]:
        """With all extra specs, which tenants do not see."""
        whole = await self._copies.read(str(volume_type["id"]), context.deadline)
        if whole is None:
            raise BadUpstreamAnswerError("A volume type went away while it was used.")
        return whole
