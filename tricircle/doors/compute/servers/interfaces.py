# SPDX-License-Identifier: Apache-2.0
"""How does a server get and lose network interfaces after its boot?

Nova in the pod never makes a port by itself: its address would come from the pod's own pool. So an attach makes (or
claims) the central port first, then its copy, and hands that to the pod. Ids of ports are the centre's on our side
and the pod's on the other.
"""

import logging
from collections.abc import Mapping
from urllib.parse import quote

from tricircle.copies.server_ports import detached
from tricircle.doors.compute import words
from tricircle.doors.compute.boots.boot_request import NicWish, network_id
from tricircle.doors.compute.boots.nic_ports import NicPorts
from tricircle.doors.compute.boots.nics import Nics
from tricircle.doors.compute.needs import JobFiles, KnownRoutings
from tricircle.doors.compute.pod_faults import check_answered, refused
from tricircle.doors.compute.rehearsal import rehearse_on_server
from tricircle.doors.compute.servers.server_policy import ServerPolicy
from tricircle.doors.compute.servers.server_views import INTERFACE
from tricircle.doors.compute.together import caught
from tricircle.errors import (
    MAY_HAVE_HAPPENED,
    InvalidRequestError,
    TricircleError,
    UnavailableError,
)
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier

LOG = logging.getLogger(__name__)

_KEY = "interfaceAttachment"
_ATTACH_RULE = "os_compute_api:os-attach-interfaces:create"
#: Seconds until the worker looks at a port that was detached: the pod lets go of it a moment after its answer.
_SOON_S = 2.0


class Interfaces:
    """``/servers/{server_id}/os-interface`` where ids in the path or a body must be translated.

    :param in_flight_s: seconds after which no request is under way any more that began before
    """

    def __init__(
        self,
        *,
        carrier: Carrier,
        nics: Nics,
        ports: NicPorts,
        routings: KnownRoutings,
        jobs: JobFiles,
        policy: ServerPolicy,
        in_flight_s: float,
    ) -> None:
        self._carrier = carrier
        self._policy = policy
        self._nics = nics
        self._ports = ports
        self._routings = routings
        self._jobs = jobs
        self._in_flight_s = in_flight_s

    async def show(self, request: Request) -> Answer:
        """One interface, by its central port id."""
        pod = (await self._carrier.locate(Kind.SERVER, request.params["server_id"], request.context)).pod
        reply = await self._carrier.to_pod(request, pod, path=await self._path(request, pod))
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        return await self._carrier.answer(request, pod, reply, singular=_KEY, shape=INTERFACE)

    async def attach(self, request: Request) -> Answer:
        """A new interface. What was made for it is undone when the pod refuses."""
        server_id, context = request.params["server_id"], request.context
        document = await request.json() if await request.body() else {}
        located = await self._carrier.locate(Kind.SERVER, server_id, context)
        refusal = await rehearse_on_server(self._carrier, request, document)
        if refusal is None:
            refusal = await self._policy.refusal(request, located, _ATTACH_RULE)
        if refusal is not None:
            return refusal
        wish = wish_of(document)
        # An administrator of another project acts for the server's: the port is its, and counts there.
        owner = located.routing.project_id or context.project_id
        nic = await self._nics.of_attach(context, wish, server_id, owner, context.deadline)
        if nic.zones and located.pod.az_name not in nic.zones:
            raise words.network_elsewhere(nic.network_id, nic.zones)
        claim = await self._ports.claim(context, located.pod, [nic], context.deadline, owner=owner)
        try:
            await self._ports.realise(claim, context.deadline)
        except TricircleError:
            await self._ports.release(claim)
            raise
        body: dict[str, object] = {"port_id": claim.copies[0].pod_resource_id}
        if wish.tag:
            body["tag"] = wish.tag
        try:
            reply = await self._carrier.to_pod(request, located.pod, body={_KEY: body})
            check_answered(reply)
        except MAY_HAVE_HAPPENED:
            raise  # the port keeps its claim; the claim's job sees what came of it
        except TricircleError:
            await self._ports.release(claim)
            raise
        if reply.status >= 300:
            named = claim.names()
            await self._ports.release(claim)
            return await refused(self._carrier, request, located.pod, reply, named=named)
        await self._ports.give(claim, server_id, context.deadline)
        return await self._carrier.answer(request, located.pod, reply, singular=_KEY, shape=INTERFACE)

    async def detach(self, request: Request) -> Answer:
        """Take an interface away; a job looks after its port."""
        server_id = request.params["server_id"]
        located = await self._carrier.locate(Kind.SERVER, server_id, request.context)
        project_id, pod = located.routing.project_id, located.pod
        path, payload = await self._path(request, pod), detached(request.params["port_id"])
        # Before the call for the case that this process dies in it, afterwards to be quick.
        early = await self._jobs.append(
            JobType.SERVER_PORTS, server_id, project_id, pod_id=pod.id, payload=payload, delay_s=self._in_flight_s
        )
        try:
            reply = await self._carrier.to_pod(request, pod, path=path)
        except UnavailableError:
            await self._withdraw(early)  # not sent: there is nothing to wait for
            raise
        if 300 <= reply.status < 500:
            await self._withdraw(early)
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        soon = self._jobs.append(
            JobType.SERVER_PORTS, server_id, project_id, pod_id=pod.id, payload=payload, delay_s=_SOON_S
        )
        # The pod has said yes, whatever becomes of the database: the other job comes a little later.
        if isinstance(error := await caught(soon), TricircleError):
            LOG.warning("port %s is looked after later: %s", request.params["port_id"], error)
        else:
            await self._withdraw(early)
        return await self._carrier.answer(request, pod, reply)

    async def _withdraw(self, job_id: int) -> None:
        """A job that cannot be withdrawn gives up by itself."""
        if isinstance(error := await caught(self._jobs.withdraw(job_id)), TricircleError):
            LOG.info("job %d of a detach that did not happen stays: %s", job_id, error)

    async def _path(self, request: Request, pod: Pod) -> str:
        """The request's path with the port's id in the pod. An unknown one goes on as it is: the pod says so itself."""
        port_id = request.params["port_id"]
        copy = await self._routings.copy_in(Kind.PORT, port_id, pod.id)
        pod_port = copy.pod_resource_id if copy is not None and copy.is_bound else port_id
        return f"/servers/{quote(request.params['server_id'], safe='')}/os-interface/{quote(str(pod_port), safe='')}"


def wish_of(document: Mapping[str, object]) -> NicWish:
    """What an attach asks for. :raises InvalidRequestError: in Nova's words"""
    asked = document.get(_KEY)
    attachment = asked if isinstance(asked, Mapping) else {}
    port, network = _text(attachment.get("port_id")), network_id(_text(attachment.get("net_id")))
    fixed_ips = attachment.get("fixed_ips")
    address = None
    if isinstance(fixed_ips, list) and fixed_ips and isinstance(fixed_ips[0], Mapping):
        address = _text(fixed_ips[0].get("ip_address"))
    if network and port:
        raise InvalidRequestError("Must not input both network_id and port_id")
    if address and not network:
        raise InvalidRequestError("Must input network_id when request IP address")
    return NicWish(port_id=port, network_id=network, fixed_ip=address, tag=_text(attachment.get("tag")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
