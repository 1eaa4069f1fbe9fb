# SPDX-License-Identifier: Apache-2.0
"""A pod refuses what names our copies: are they still there?

A copy that is written down is not looked at again, so an operator who deletes one in the pod makes what names it fail
there. After such a refusal the copies are looked for; what is gone is forgotten, and asked for again it is made anew.
"""

from collections.abc import Iterable
from urllib.parse import quote

from tricircle.context import Deadline
from tricircle.copies.image.glances import show_image
from tricircle.copies.reach import Reach, show
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.spoken import spoken

#: Statuses by which services say that something named is not there.
NAMES_UNKNOWN = frozenset((400, 404))
#: From 2.10 on administrators see the key pairs of others.
_VERSION = "2.64"


class Vanished:
    """Looks for copies of flavors, key pairs, server groups, volume types, group types and images."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def forget(self, pod: Pod, named: Iterable[tuple[Kind, str]], deadline: Deadline) -> bool:
        """Forget those of the copies (kind and central id) that are not in the pod any more; whether there were any.

        :raises UnavailableError: the pod cannot be asked
        """
        has_any = False
        for kind, central_id in named:
            copy = await self._reach.routings.copy_in(kind, central_id, pod.id)
            if copy is None or not copy.is_bound or await self._is_there(pod, copy, deadline):
                continue
            has_any = await self._reach.routings.forget_free(copy.id) or has_any
        return has_any

    async def _is_there(self, pod: Pod, copy: Routing, deadline: Deadline) -> bool:
        pod_id = quote(str(copy.pod_resource_id), safe="")
        if copy.kind is Kind.VOLUME_TYPE:
            volumes = self._reach.clients.as_service(self._reach.registry.target(pod, Service.BLOCK_STORAGE))
            return await show(volumes, f"/v3/types/{pod_id}", "volume_type", deadline) is not None
        if copy.kind is Kind.GROUP_TYPE:
            groups = self._reach.clients.as_service(self._reach.registry.target(pod, Service.BLOCK_STORAGE), "3.11")
            return await show(groups, f"/v3/group_types/{pod_id}", "group_type", deadline) is not None
        if copy.kind is Kind.IMAGE:
            images = self._reach.clients.as_service(self._reach.registry.target(pod, Service.IMAGE))
            return await show_image(images, pod_id, deadline) is not None
        compute = self._reach.compute(pod, spoken(pod, Service.COMPUTE, _VERSION))
        if copy.kind is Kind.KEYPAIR:
            user_id = quote(copy.central_id.partition("/")[0], safe="")
            path, key = f"/v2.1/os-keypairs/{pod_id}?user_id={user_id}", "keypair"
        elif copy.kind is Kind.SERVER_GROUP:
            path, key = f"/v2.1/os-server-groups/{pod_id}", "server_group"
        else:
            path, key = f"/v2.1/flavors/{pod_id}", "flavor"
        return await show(compute, path, key, deadline) is not None
