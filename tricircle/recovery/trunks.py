# SPDX-License-Identifier: Apache-2.0
"""How does the centre come to know again a trunk that a server in a pod has?

Its ports come first, as all that servers use (``importing.py``). The central Neutron makes no trunk of a port that is
bound, so a parent that has to be made, too, is bound after its trunk: until then it has its server, by which jobs know
that the pod carries it. Whoever was interrupted finds the trunk by its parent, of which it is the only one, and binds.
The tenant's description is in no pod: copies have their mark in its place.
"""

from collections.abc import Iterable, Mapping

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, member, text
from tricircle.copies.sub_ports import tags
from tricircle.copies.trunked import PATH
from tricircle.errors import NotFoundError
from tricircle.recovery.missing import Seen, holder_of
from tricircle.upstream.client import ServiceClient

_HOST = "binding:host_id"
_CALL_S = 60.0


def trunk_body(seen: Seen, ports: Mapping[str, str]) -> dict[str, object]:
    """The central trunk, with all its sub-ports: one that is left out a job would take from the server.

    :param ports: central ids by those in the pod, of ports that the centre knows
    :raises NotFoundError: one of its ports is not among them
    """
    body, sub_ports = seen.body, tags(seen.body)
    parent_id = text(body, "port_id")
    if unknown := [one for one in (parent_id, *sorted(sub_ports)) if one not in ports]:
        raise NotFoundError(f"its ports {', '.join(unknown)} are unknown there too.")
    return {
        "name": text(body, "name"),
        "admin_state_up": body.get("admin_state_up", True),
        "project_id": text(body, "project_id"),
        "port_id": ports[parent_id],
        "sub_ports": [
            {"port_id": ports[port_id], "segmentation_type": kind, "segmentation_id": number}
            for port_id, (kind, number) in sub_ports.items()
        ],
    }


async def make_trunk(client: ServiceClient, wanted: Body, known: Iterable[Body]) -> Body:
    """The trunk of the centre.

    :param wanted: as ``trunk_body`` says
    :param known: trunks of the centre
    :raises UpstreamStatusError: Neutron refuses, for one because the parent is bound (409, ``ParentPortInUse``)
    """
    for trunk in known:
        if trunk.get("port_id") == wanted["port_id"]:
            return trunk
    answer = await client.post(PATH, body={"trunk": wanted}, deadline=Deadline.after(_CALL_S))
    return member(answer, "trunk")


async def bind_parent(client: ServiceClient, seen: Seen, server_id: str, parent: Body) -> Body:
    """The parent of a trunk, bound to the pod where its server is; one that is bound, or another's, stays as it is.

    :param seen: the trunk
    :param server_id: the pod's server that has the parent
    """
    if text(parent, _HOST) or text(parent, "device_id") not in ("", server_id):
        return parent
    answer = await client.put(
        f"/v2.0/ports/{text(parent, 'id')}",
        body={"port": holder_of(seen.pod, server_id)},
        deadline=Deadline.after(_CALL_S),
    )
    return member(answer, "port")
