# SPDX-License-Identifier: Apache-2.0
"""How does a port leave a pod when a trunk there holds it?

Neutron deletes no port that is in a trunk. A server that goes takes its port out of the pod, and with it the trunk
whose parent it is; at the centre both stay, and the next boot makes them again. Most ports are in none, so nobody asks
before Neutron has refused.
"""

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, text
from tricircle.copies.reach import Reach, remove
from tricircle.errors import RetryLaterError, UpstreamStatusError
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.upstream.client import ServiceClient, collect

PATH = "/v2.0/trunks"
_PARENT, _SUB_PORT = "PortInUseAsTrunkParent", "PortInUseAsSubPort"
_SOON_S = 1.0


async def remove_port(reach: Reach, pod: Pod, port_id: str, deadline: Deadline) -> None:
    """Delete a port in a pod (its id there), with the trunk whose parent it is; fine when it is not there.

    :raises RetryLaterError: it is a sub-port, and the job of its trunk has not taken it out yet
    """
    client, path = reach.network(pod), f"/v2.0/ports/{port_id}"
    try:
        await remove(client, path, deadline)
    except UpstreamStatusError as error:
        if error.status == 409 and _SUB_PORT in error.body:
            raise RetryLaterError("The port is in its trunk still.", after_s=_SOON_S) from error
        if error.status != 409 or _PARENT not in error.body:
            raise
    else:
        return
    for trunk in await collect(client, PATH, "trunks", deadline, {"port_id": port_id}):
        await remove_trunk(client, trunk, deadline)
        rows = await reach.routings.by_pod_resource(pod.id, Kind.TRUNK, [text(trunk, "id")])
        for row in rows.values():
            await reach.routings.forget(row.id)
    await remove(client, path, deadline)


async def remove_trunk(client: ServiceClient, trunk: Body, deadline: Deadline) -> None:
    """Delete a trunk as the pod shows it; one that is disabled must be enabled for that."""
    path = f"{PATH}/{text(trunk, 'id')}"
    if trunk.get("admin_state_up") is False:
        await client.put(path, body={"trunk": {"admin_state_up": True}}, deadline=deadline, ok=(404,))
    await remove(client, path, deadline)
