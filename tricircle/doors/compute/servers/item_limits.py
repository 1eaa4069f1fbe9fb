# SPDX-License-Identifier: Apache-2.0
"""How many metadata items and injected files may a server have? Pods are lifted to unlimited; the centre says.

Nova counts what one request makes of a server, so there is nothing to reserve. Whatever is wrong with the request
otherwise is for the pod to say. Limits that are set for a user in a project count beside the project's.
"""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from tricircle.context import RequestContext
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.doors.compute.quotas.allowed import CentralLimits, numbers
from tricircle.doors.compute.quotas.amounts import absolute_of
from tricircle.errors import QuotaExceededError, UpstreamStatusError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.row import Row

#: The newest version is not needed, and later ones do not tell the limits of files.
_VERSION: Final = "2.1"
#: What ``limits`` calls limits of items, and quota sets of users.
_OWN = {
    "maxServerMeta": "metadata_items",
    "maxImageMeta": "metadata_items",
    "maxPersonality": "injected_files",
    "maxPersonalitySize": "injected_file_content_bytes",
}
_IMAGE_METADATA = "Image metadata limit exceeded"


class ItemLimits:
    """Checks bodies against limits, and carries ``/servers/{server_id}/metadata``."""

    def __init__(self, *, carrier: Carrier, clients: Asking, pods: KnownPods) -> None:
        self._carrier = carrier
        self._clients = clients
        self._pods = pods
        self._central = CentralLimits(clients=clients, pods=pods)

    async def check_server(self, context: RequestContext, server: object) -> None:
        """What a boot or a rebuild gives a server. :raises QuotaExceededError: it is too much (Nova's words)"""
        asked = server if isinstance(server, Mapping) else {}
        metadata, files = _mapping(asked.get("metadata")), asked.get("personality")
        if not metadata and not files:
            return
        limits = await self._limits(context)
        _check_metadata(limits, len(metadata))
        for file in _within(limits, files):
            allowed = limits.get("maxPersonalitySize", -1)
            if 0 <= allowed < _size(file):
                raise QuotaExceededError(f"Personality file content exceeds maximum {allowed}")

    async def check_image(self, context: RequestContext, action: object) -> None:
        """What an image of a server is given. :raises QuotaExceededError: it is too much (Nova's words)"""
        metadata = _mapping(action.get("metadata")) if isinstance(action, Mapping) else {}
        if metadata and 0 <= (await self._limits(context)).get("maxImageMeta", -1) < len(metadata):
            raise QuotaExceededError(_IMAGE_METADATA)

    async def change(self, request: Request, row: Row) -> Answer:
        """Set or replace metadata by ``row``. :raises QuotaExceededError: there would be too many items"""
        document = await request.json()
        metadata = _mapping(document.get("metadata")) or _mapping(document.get("meta"))
        if metadata:
            located = await self._carrier.locate(Kind.SERVER, request.params["server_id"], request.context)
            replaces = request.method == "PUT" and "key" not in request.params
            kept = {} if replaces else await self._of(request, located.pod)
            _check_metadata(await self._limits(request.context), len({**kept, **metadata}))
        return await self._carrier.route(request, row)

    async def _of(self, request: Request, pod: Pod) -> Mapping[str, object]:
        client = self._clients.as_user(request.context, self._pods.target(pod, Service.COMPUTE), _VERSION)
        path = f"/v2.1/servers/{request.params['server_id']}/metadata"
        try:
            return _mapping((await client.get(path, deadline=request.context.deadline)).get("metadata"))
        except UpstreamStatusError:
            return {}  # the pod will say the same of the change

    async def _limits(self, context: RequestContext) -> dict[str, int]:
        """The centre's absolute limits, by Nova's names; -1 is none. Limits are projects': a token for none has none,
        and every Nova refuses it.
        """
        if not context.project_id:
            return {}
        client = self._clients.as_user(context, self._pods.central(Service.COMPUTE), _VERSION)
        answer, users = await asyncio.gather(
            client.get("/v2.1/limits", deadline=context.deadline),
            self._central.of_user(context, context.project_id, context.user_id, _VERSION),
        )
        limits = numbers(absolute_of(answer))
        for name, own in _OWN.items():
            both = [one for one in (limits.get(name, -1), users.get(own, -1)) if one >= 0]
            limits[name] = min(both, default=-1)
        return limits


def _check_metadata(limits: Mapping[str, int], count: int) -> None:
    allowed = limits.get("maxServerMeta", -1)
    if 0 <= allowed < count:
        raise QuotaExceededError(f"Maximum number of metadata items exceeds {allowed}")


def _within(limits: Mapping[str, int], files: object) -> list[object]:
    found = files if isinstance(files, list) else []
    if 0 <= limits.get("maxPersonality", -1) < len(found):
        raise QuotaExceededError("Personality file limit exceeded")
    return found


def _size(file: object) -> int:
    """Bytes of an injected file; what is no base64 is for Nova to refuse.

    >>> _size({"path": "/etc/motd", "contents": "aGVsbG8="})
    5
    """
    contents = file.get("contents") if isinstance(file, Mapping) else None
    try:
        return len(b64decode(contents)) if isinstance(contents, str) else 0
    except ValueError:
        return 0


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
