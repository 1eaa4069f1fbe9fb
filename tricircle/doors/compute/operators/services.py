# SPDX-License-Identifier: Apache-2.0
"""What do administrators see and change of the services in the pods?

An id (from 2.53 on) is looked for in all pods; a host's name (below 2.53) says the pod. Numbers (below 2.53) exist in
several pods: which one is meant must be told by a newer version.
"""

import uuid
from collections.abc import Mapping

from tricircle.doors.compute.operators.machines import Machines, items_in
from tricircle.doors.compute.operators.operator_views import SERVICE
from tricircle.doors.compute.rehearsal import rehearse
from tricircle.errors import InvalidRequestError, NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.host_names import full_name
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier

_UNKNOWABLE = "It cannot be known now whether this service exists, because an availability zone does not answer."
#: From here on a service has a unique id, and its id stands in the path.
_UNIQUE_VERSION = (2, 53)


class Services:
    """``PUT`` and ``DELETE`` of ``/os-services/{service_id}``."""

    def __init__(self, *, carrier: Carrier, machines: Machines) -> None:
        self._carrier = carrier
        self._machines = machines

    async def update(self, request: Request) -> Answer:
        """Enable, disable, force down. Below 2.53 the path says what, and the body which service."""
        document = await request.json()
        has_id = (request.microversion or (2, 1)) >= _UNIQUE_VERSION
        path = _nobodys(request.params["service_id"]) if has_id else None
        if (refusal := await rehearse(self._carrier, request, document, path)) is not None:
            return refusal
        if has_id:
            return await self._send(request, await self._pod_of(request), document)
        host = str(document.get("host", ""))
        machine = await self._machines.find(request, host)
        if machine is None:
            # Nova's words for a host that it does not know.
            raise NotFoundError(f"Host '{host}' is not mapped to any cell")
        return await self._send(request, machine.pod, {**document, "host": machine.name})

    async def delete(self, request: Request) -> Answer:
        """Delete a service.

        :raises NotFoundError, InvalidRequestError: no pod has it, or several have
        """
        pod = await self._pod_of(request)
        return await self._carrier.answer(request, pod, await self._carrier.to_pod(request, pod))

    async def _send(self, request: Request, pod: Pod, document: Mapping[str, object]) -> Answer:
        reply = await self._carrier.to_pod(request, pod, body=dict(document))
        return await self._carrier.answer(request, pod, reply, singular="service", shape=SERVICE)

    async def _pod_of(self, request: Request) -> Pod:
        service_id = request.params["service_id"]
        fan = await self._carrier.fan_out(request, path="/os-services", query=b"")
        if (refusal := fan.refusal) is not None and refusal[1].status == 403:
            # Who may not list services may not change them; the pod says so in its words for the call itself.
            return refusal[0]
        found = [
            (pod, service)
            for pod, reply in fan.replies
            if reply.status == 200
            for service in items_in(reply.json(), "services")
            if str(service.get("id")) == service_id
        ]
        if not found and fan.gaps:
            raise self._carrier.unknowable(request, fan.gaps, _UNKNOWABLE)
        if not found:
            # Whether the id is malformed or unknown, a pod says.
            return await self._any_pod()
        if len(found) > 1:
            hosts = ", ".join(f"{one.get('binary')} on {full_name(pod, one.get('host'))}" for pod, one in found)
            raise InvalidRequestError(
                f"Service id {service_id} refers to multiple services ({hosts}). Use microversion 2.53 or later."
            )
        return found[0][0]

    async def _any_pod(self) -> Pod:
        pods = await self._carrier.pods()
        if not pods:
            raise UnavailableError(_UNKNOWABLE)
        return pods[0]


def _nobodys(service_id: str) -> str | None:
    """The path of a service that nobody has, for a rehearsal; None: the request's own, since that names no service.

    The centre may hold the record of a compute service (docs/decisions/0048): a rehearsal must not change it.
    """
    try:
        uuid.UUID(service_id)
    except ValueError:
        return None
    return f"/os-services/{uuid.uuid4()}"
