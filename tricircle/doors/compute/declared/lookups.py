# SPDX-License-Identifier: Apache-2.0
"""What does the centre say about the flavor, image, key pair, groups and volume types that a request names?

Asked with the caller's own token, so that what the caller may not see does not exist; refusals are in Nova's words.
"""

from collections.abc import Mapping
from urllib.parse import quote

from tricircle.context import Deadline, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.errors import InvalidRequestError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.client import ServiceClient, collect

Body = Mapping[str, object]
#: Shows everything about flavors (extra specs from 2.61), key pairs and server groups that copies need.
_VERSION = "2.85"
#: Key pairs with ``@`` or ``.`` in their names are found from here on.
_KEYPAIR_VERSION = "2.92"


class Declared:
    """Reads declared resources at the centre for a user."""

    def __init__(self, *, clients: Asking, pods: KnownPods) -> None:
        self._clients = clients
        self._pods = pods

    async def flavor(self, context: RequestContext, flavor_id: str, deadline: Deadline) -> Body:
        """The flavor with its extra specs. :raises InvalidRequestError: not there for the caller"""
        path = f"/v2.1/flavors/{quote(flavor_id, safe='')}"
        found = await _item(self._compute(context), path, "flavor", deadline)
        if found is None:
            raise words.flavor_not_found(flavor_id)
        if "extra_specs" not in found:
            # A policy may hide them from tenants; the copy needs them all the same.
            service = self._clients.as_service(self._pods.central(Service.COMPUTE), _VERSION)
            found = await _item(service, path, "flavor", deadline) or found
        return found

    async def boot_image(self, context: RequestContext, image_id: str, deadline: Deadline) -> Body:
        """:raises InvalidRequestError: the image is not there for the caller, or not active"""
        image = await self.image(context, image_id, deadline)
        if image is None:
            raise InvalidRequestError(words.IMAGE_NOT_FOUND)
        if image.get("status") != "active":
            raise InvalidRequestError(f"Image {image_id} is not active.")
        return image

    async def device_image(self, context: RequestContext, image_id: str, deadline: Deadline) -> Body:
        """As ``boot_image``, for an image that a block device is made from."""
        image = await self.image(context, image_id, deadline)
        if image is None:
            raise words.device_not_found("image", image_id)
        return image

    async def keypair(self, context: RequestContext, name: str, deadline: Deadline) -> Body:
        """The caller's key pair. :raises InvalidRequestError: not there"""
        client = self._clients.as_user(context, self._pods.central(Service.COMPUTE), _KEYPAIR_VERSION)
        found = await _item(client, f"/v2.1/os-keypairs/{quote(name, safe='')}", "keypair", deadline)
        if found is None:
            raise InvalidRequestError(words.KEY_NOT_FOUND)
        return found

    async def server_group(self, context: RequestContext, group_id: str, deadline: Deadline) -> Body:
        """A server group of the project. :raises InvalidRequestError: not there"""
        path = f"/v2.1/os-server-groups/{quote(group_id, safe='')}"
        found = await _item(self._compute(context), path, "server_group", deadline)
        if found is None:
            raise words.server_group_not_found(group_id)
        return found

    async def volume_type(self, context: RequestContext, name_or_id: str, deadline: Deadline) -> Body:
        """A volume type by name or id. :raises InvalidRequestError: not there for the caller"""
        client = self._clients.as_user(context, self._pods.central(Service.BLOCK_STORAGE), "3.0")
        # As Nova asks: administrators may use private types, too, and would not be shown them otherwise.
        types = await collect(client, "/v3/types", "volume_types", deadline, {"is_public": "None"})
        for found in types:
            if name_or_id in (found.get("id"), found.get("name")):
                return found
        raise InvalidRequestError(f"Volume type {name_or_id} could not be found.")

    async def image(self, context: RequestContext, image_id: str, deadline: Deadline) -> Body | None:
        """The image, whatever its status; None when it is not there for the caller."""
        client = self._clients.as_user(context, self._pods.central(Service.IMAGE))
        try:
            return await client.get(f"/v2/images/{quote(image_id, safe='')}", deadline=deadline)
        except UpstreamStatusError as error:
            if error.status in (400, 403, 404):
                return None
            raise

    def _compute(self, context: RequestContext) -> ServiceClient:
        return self._clients.as_user(context, self._pods.central(Service.COMPUTE), _VERSION)


async def _item(client: ServiceClient, path: str, key: str, deadline: Deadline) -> Body | None:
    """One resource; None when it is not there for this client."""
    try:
        found = (await client.get(path, deadline=deadline)).get(key)
    except UpstreamStatusError as error:
        if error.status in (400, 404):
            return None
        raise
    return found if isinstance(found, Mapping) else None
