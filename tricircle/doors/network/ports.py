# SPDX-License-Identifier: Apache-2.0
"""What does the removal of a realised port do beside what Neutron does?

A client that has its 204 may use the address again at once. So the copy in the pod goes before the answer, after the
centre, which may refuse. When the pod does not answer in time, the job that Neutron's driver wrote removes the copy,
and the address stays in quarantine until then.

A port that holds a pod's slice of a subnet looks to users like a DHCP port, and many tools delete every port of a
network before the network. Neutron lets them: DHCP makes its port anew at once. So the answer is Neutron's, 204, and
the port is there, as it would be again.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from tricircle.context import Deadline, PodId
from tricircle.copies.bodies import member, text
from tricircle.copies.origins import is_slice
from tricircle.errors import TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.road.carrier import Carrier

LOG = logging.getLogger(__name__)

#: Seconds that a client waits for the pod; the job does the rest.
PATIENCE_S = 10.0


class KnownCopies(Protocol):
    """Where a port has copies (``ledger/routings.py``)."""

    async def copies_of(self, kind: Kind, central_id: str) -> Sequence[Routing]:
        """Routings of one resource in all pods."""
        ...


class KnownPods(Protocol):
    """The pods as last read (``pods/registry.py``)."""

    async def get(self, pod_id: PodId) -> Pod | None:
        """One pod by its id."""
        ...

    async def by_name(self, name: str) -> Pod | None:
        """One pod by its name."""
        ...


class PortCopies(Protocol):
    """Ports in pods (``copies/ports.py``)."""

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        """Delete the copy and forget it; fine when there is none."""
        ...


class PortRemoval:
    """The special case ``DELETE /ports/{port_id}``."""

    def __init__(self, *, carrier: Carrier, copies: KnownCopies, pods: KnownPods, ports: PortCopies) -> None:
        self._carrier = carrier
        self._copies = copies
        self._pods = pods
        self._ports = ports

    async def delete(self, request: Request) -> Answer:
        """Neutron's answer; when it said yes, the copies are gone, or a job is on its way."""
        port_id = request.params["port_id"]
        if request.context.is_admin and await self._is_in_use(request):
            # Neutron would obey: the worker, and Neutron when it deletes the network, are administrators as well.
            return Answer(status=204)
        answer = await self._carrier.central(request)
        if _is_protected(answer):
            return Answer(status=204)
        if 200 <= answer.status < 300:
            await self._remove(port_id, request.context.deadline.within(PATIENCE_S))
        return answer

    async def _is_in_use(self, request: Request) -> bool:
        """Whether the port is the slice of a pod; what a pod left that was removed by force may go."""
        fields = b"fields=device_owner&fields=device_id&fields=binding:host_id"
        answer = await self._carrier.central(request, method="GET", query=fields)
        if answer.status != 200:
            return False
        port = member(answer.object(), "port")
        return is_slice(port) and await self._pods.by_name(text(port, "binding:host_id")) is not None

    async def _remove(self, port_id: str, deadline: Deadline) -> None:
        try:
            for copy in await self._copies.copies_of(Kind.PORT, port_id):
                pod = await self._pods.get(copy.pod_id)
                if pod is not None:
                    await self._ports.remove(pod, port_id, deadline)
        except TricircleError as error:
            # The centre has said yes: the answer stands, and the driver's job goes on from here.
            LOG.warning("the copy of port %s is left to its job: %s", port_id, error)


def _is_protected(answer: Answer) -> bool:
    """Whether Neutron's driver has said that the port is a slice: after Neutron's policy, which let the user do it."""
    if answer.status != 409:
        return False
    fault = answer.object().get("NeutronError")
    return isinstance(fault, Mapping) and fault.get("type") == "SlicePortProtectedError"
