# SPDX-License-Identifier: Apache-2.0
"""Which Glances are there, the centre's and the pods' own, and how are they asked about one image?"""

from collections.abc import Set as AbstractSet
from urllib.parse import quote

import msgspec

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, rows, text
from tricircle.copies.image import content
from tricircle.copies.reach import Reach
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.upstream.client import ServiceClient
from tricircle.upstream.reply import Reply

_PATCH = (b"content-type", b"application/openstack-images-v2.1-json-patch")


class Glances:
    """Clients of Glances, all as the service user, and the calls that JSON alone does not make."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def is_own(self, pod: Pod) -> bool:
        """Whether the pod may have a Glance of its own: its catalog has one at another address than the centre's."""
        endpoint = pod.endpoints.get(Service.IMAGE)
        return endpoint is not None and endpoint.url != self._reach.registry.central(Service.IMAGE).url

    def central(self) -> ServiceClient:
        """The central Glance."""
        return self._reach.clients.as_service(self._reach.registry.central(Service.IMAGE))

    def of(self, pod: Pod) -> ServiceClient:
        """The pod's Glance."""
        return self._reach.clients.as_service(self._reach.registry.target(pod, Service.IMAGE))

    async def original(self, image_id: str, deadline: Deadline) -> Body | None:
        """The image as the centre has it, or None when it says that there is none."""
        return await show_image(self.central(), image_id, deadline)

    async def marked(self, client: ServiceClient, image_id: str, deadline: Deadline) -> list[dict[str, object]]:
        """Our copies of one image in a pod: they bear its mark, and an id that copies of it may have."""
        params = {"tag": content.mark(image_id), "visibility": "all"}
        answer = await client.get("/v2/images", params=params, deadline=deadline)
        ids = set(content.pod_ids(image_id))
        return [one for one in rows(answer, "images") if text(one, "id") in ids]

    async def patch(self, client: ServiceClient, image_id: str, changes: content.Patch, deadline: Deadline) -> None:
        """Change an image. :raises UpstreamStatusError: it is refused"""
        body = msgspec.json.encode(changes)
        path = f"/v2/images/{image_id}"
        _check(client, await client.reply("PATCH", path, body=body, headers=[_PATCH], deadline=deadline))

    async def delete(self, client: ServiceClient, image_id: str, deadline: Deadline) -> None:
        """Delete an image; fine when Glance itself says that it is not there."""
        try:
            await client.delete(f"/v2/images/{quote(image_id, safe='')}", deadline=deadline)
        except UpstreamStatusError as error:
            if not content.is_gone(error):
                raise

    async def reserve(self, present: Body, image_id: str, deadline: Deadline) -> bool:
        """Write an image of a pod down at the centre, without data, for its owner; False when its id is, or was, taken
        there: then the centre has it, or once deleted it."""
        body = content.new_original(present, image_id) | {"owner": text(present, "owner")}
        try:
            await self.central().post("/v2/images", body=body, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            return False
        return True

    async def befriend(self, client: ServiceClient, image_id: str, deadline: Deadline) -> None:
        """Share an image at the centre with the projects that it is shared with in the pod where it was born."""
        for member in sorted(await self.members(client, image_id, deadline)):
            path = f"/v2/images/{image_id}/members"
            await self.central().post(path, body={"member": member}, deadline=deadline, ok=(409,))

    async def share(self, source: Body, copy: tuple[ServiceClient, str], deadline: Deadline) -> list[str]:
        """Share a copy with the projects that its original is shared with; who they are."""
        if source.get("visibility") != "shared":
            return []
        client, copy_id = copy
        wanted = await self.members(self.central(), str(source["id"]), deadline)
        present = await self.members(client, copy_id, deadline)
        path = f"/v2/images/{copy_id}/members"
        for member in sorted(wanted - present):
            await client.post(path, body={"member": member}, deadline=deadline, ok=(409,))
        for member in sorted(present - wanted):
            await client.delete(f"{path}/{member}", deadline=deadline, ok=(404,))
        return sorted(wanted)

    async def members(self, client: ServiceClient, image_id: str, deadline: Deadline) -> AbstractSet[str]:
        """The projects that an image is shared with; nobody when there is no such image."""
        answer = await client.get(f"/v2/images/{image_id}/members", deadline=deadline, ok=(404,))
        return {text(member, "member_id") for member in rows(answer, "members")}


async def show_image(client: ServiceClient, image_id: str, deadline: Deadline) -> dict[str, object] | None:
    """One image, or None when Glance itself says that it is not there."""
    try:
        found = await client.get(f"/v2/images/{quote(image_id, safe='')}", deadline=deadline)
    except UpstreamStatusError as error:
        if content.is_gone(error):
            return None
        raise
    if not isinstance(found.get("id"), str):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return found


def _check(client: ServiceClient, reply: Reply) -> None:
    if reply.status >= 300:
        body = reply.body[:2000].decode("utf-8", "replace") if isinstance(reply.body, bytes) else ""
        raise UpstreamStatusError(reply.status, body, client.target.label)
