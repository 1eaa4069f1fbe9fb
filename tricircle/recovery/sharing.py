# SPDX-License-Identifier: Apache-2.0
"""Who may use a network of the centre that was made again? The projects that its copies are shared with.

Neutron answers 409 for more than one reason: only its name for it says that a network is shared already. A limit
(``OverQuota``) is another one, and nobody has access then. Even so somebody looks: what was there a moment ago, when
Neutron refused, may have gone since.
"""

from collections.abc import Iterable

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, refused_as, text
from tricircle.copies.shares import ACTION, EVERYBODY, SHARED_ALREADY
from tricircle.errors import UpstreamStatusError
from tricircle.upstream.client import ServiceClient, collect

_PATH = "/v2.0/rbac-policies"
_CALL_S = 60.0


async def share(client: ServiceClient, network: Body, projects: Iterable[str]) -> None:
    """Share a network of the centre with these projects, as far as it is not; its owner needs no share.

    :param client: the central Neutron
    :param network: ``id`` and ``project_id`` are read
    :raises UpstreamStatusError: Neutron refuses, and one of them has no access
    """
    others = [project_id for project_id in projects if project_id != text(network, "project_id")]
    there = await _shared_with(client, network) if others else set()
    for project_id in others:
        if there & {project_id, EVERYBODY}:
            continue
        policy = {"object_type": "network", "object_id": text(network, "id"), "action": ACTION}
        body = {"rbac_policy": {**policy, "target_tenant": project_id}}
        try:
            await client.post(_PATH, body=body, deadline=Deadline.after(_CALL_S))
        except UpstreamStatusError as error:
            is_said = error.status == 409 and refused_as(error.body) == SHARED_ALREADY
            if not is_said or project_id not in await _shared_with(client, network):
                raise


async def _shared_with(client: ServiceClient, network: Body) -> set[str]:
    filters = {"object_id": text(network, "id"), "action": ACTION}
    found = await collect(client, _PATH, "rbac_policies", Deadline.after(_CALL_S), filters)
    return {text(policy, "target_tenant") for policy in found}
