# SPDX-License-Identifier: Apache-2.0
"""What becomes of a server's ports when the server ends, or loses an interface, in whatever way?

A pod's Nova never deletes a port that it was given by id. So a job for the server (or for the claim under which a boot
held its ports) removes the copies in the pod; a port that the gateway made ends with its server, and one that the user
brought stays, unbound, as in a single cloud.

Order matters. The copy goes first, its routing second, the centre last: while the centre still names the server no
other boot takes the port, so nobody is given the copy that is being deleted. A run that was interrupted finds the
port again by what the centre says, and of a server that lives by the job's payload.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, rows, text
from tricircle.copies.origins import GATEWAY, PROFILE, kept, operators, server_owner
from tricircle.copies.ports import Ports
from tricircle.copies.reach import Reach, show
from tricircle.copies.statuses import awaited, look
from tricircle.copies.trunked import remove_port
from tricircle.errors import NotFoundError, RetryLaterError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient, collect
from tricircle.upstream.clocks import time_at

_VERSION = "2.1"
_TASK_STATE = "OS-EXT-STS:task_state"
_RELEASED: Mapping[str, object] = {"device_id": "", "device_owner": "", "binding:host_id": ""}
#: Seconds until a job looks again: at a server that ends, or lets go of a port; at one that changes in another way.
_SOON_S = 1.0
_CHANGING_S = 5.0
_DISABLED_S = 60.0
#: A server that shows no port for so long gets none any more.
_LONGEST_BUILD = timedelta(hours=1)
#: Nobody waits for a server any more that may get a port which was claimed so long ago: a boot takes minutes until the
#: pod has accepted it.
_LONGEST_CLAIM = _LONGEST_BUILD + timedelta(minutes=15)
_CLAIM, _PERHAPS = "claim", "perhaps_claim"
#: The payload of a job for the claim of a boot or an attach: a server may have come of it whose id nobody knows.
CLAIMED: Mapping[str, object] = {_CLAIM: True}
#: The payload of a job of whoever meets an id at a port and cannot tell a claim from a server that is gone.
PERHAPS_CLAIMED: Mapping[str, object] = {_PERHAPS: True}
_DETACHED = "detached/"
#: A pod lets go of an interface within this, or a sweep sees it later; the job's first wait included.
_LONGEST_DETACH_S = 120.0


def detached(port_id: str) -> dict[str, object]:
    """The payload of a job for a server that is about to lose this port (central id): wait until the pod let go.

    The value says until when (seconds since the epoch): the pod may never have been asked, or may have said no.
    """
    return {_DETACHED + port_id: time.time() + _LONGEST_DETACH_S}


class ServerPorts:
    """The job body of ``JobType.SERVER_PORTS``; the resource is the server's id, or a claim's."""

    def __init__(self, reach: Reach, ports: Ports) -> None:
        self._reach = reach
        self._ports = ports

    async def agree(self, run: JobRun) -> None:
        """Job body: let go of every port that the server no longer has.

        :raises RetryLaterError: the server is still ending, or on its way into another state
        """
        pod = await self._pod(run)
        if pod is None:
            return
        client = self._reach.compute(pod, _VERSION)
        server = await show(client, f"/v2.1/servers/{run.resource_id}", "server", run.deadline)
        if server is not None:
            copies = await self._reach.routings.ports_of_server(run.resource_id, pod.id)
            await self._release_unattached(pod, run, server, copies)
            return
        routing = await self._reach.routings.owned(Kind.SERVER, run.resource_id)
        unheld, leftovers = await self._sort_out(pod, client, run)
        if (unheld or leftovers) and await self._may_be_claim(run, routing):
            await self._check_nobody_is_built(client, run)
            # Whatever was built while we looked has written by now whose the ports are.
            unheld, leftovers = await self._sort_out(pod, client, run)
        for copy in unheld:
            await self._release(pod, copy, run)
        for port in leftovers:
            await self._release_leftover(pod, port, run)
        if routing is not None and routing.pod_id == pod.id:
            await self._reach.routings.forget(routing.id)

    async def _pod(self, run: JobRun) -> Pod | None:
        pod_id = run.pod_id
        if not pod_id:
            routing = await self._reach.routings.owned(Kind.SERVER, run.resource_id)
            if routing is None:
                return None
            pod_id = routing.pod_id
        pod = await self._reach.registry.get(pod_id)
        if pod is not None and pod.state is PodState.DISABLED:
            raise RetryLaterError("The pod is not asked for now.", after_s=_DISABLED_S)
        return pod

    async def _release_unattached(self, pod: Pod, run: JobRun, server: Body, copies: list[Routing]) -> None:
        """The server stays. A port that it was given and does not show was detached, unless it is still building."""
        uncopied = _asked(run.payload) - {copy.central_id for copy in copies}
        if not (copies or uncopied):
            return
        if text(server, "status") in {"BUILD", "DELETED"} or server.get(_TASK_STATE):
            # A server can be stuck in any state but this one for days.
            is_ending = server.get(_TASK_STATE) == "deleting"
            raise RetryLaterError("The server is changing.", after_s=_SOON_S if is_ending else _CHANGING_S)
        path = f"/v2.1/servers/{run.resource_id}/os-interface"
        answer = await self._reach.compute(pod, _VERSION).get(path, deadline=run.deadline)
        shown = rows(answer, "interfaceAttachments")
        attached = {text(row, "port_id") for row in shown}
        for port_id in sorted(uncopied):
            await self._release_uncopied(pod, port_id, {text(row, "mac_addr") for row in shown}, run)
        for copy in copies:
            if copy.pod_resource_id not in attached:
                await self._release(pod, copy, run)
        leaving = {copy.central_id for copy in copies if copy.pod_resource_id in attached} & _leaving(run.payload)
        if leaving:
            raise RetryLaterError("An interface is being detached.", after_s=_SOON_S)

    async def _release_uncopied(self, pod: Pod, port_id: str, attached_macs: set[str], run: JobRun) -> None:
        """A port that was to be detached and has neither copy nor routing, and the centre gives it to the server still:
        a run ended in between. One whose routing was lost is in the server, and left to a sweep.
        """
        try:
            port = await self._reach.central.port(port_id, deadline=run.deadline)
        except NotFoundError:
            return
        if port.get("device_id") != run.resource_id or text(port, "mac_address") in attached_macs:
            return
        if await self._reach.routings.copy_in(Kind.PORT, port_id, pod.id) is None:
            await (self._delete_ours if kept(port).get("origin") == GATEWAY else self._clear)(port, run.deadline)

    async def _sort_out(self, pod: Pod, client: ServiceClient, run: JobRun) -> tuple[list[Routing], list[Body]]:
        """Give to other servers what is theirs. The rest: copies that are written down for this one, and ports that
        only the centre gives to it, since a run, or a boot, ended before it could write them down.
        """
        copies = await self._reach.routings.ports_of_server(run.resource_id, pod.id)
        unheld = [copy for copy in copies if not await self._give_to_holder(pod, copy, run)]
        known = {copy.central_id for copy in unheld}
        ports = await self._reach.central.ports({"device_id": run.resource_id}, deadline=run.deadline)
        rest = [port for port in ports if text(port, "id") not in known]
        left = [port for port in rest if not await self._give_leftover(pod, client, port, run)]
        return unheld, [port for port in left if _is_let_go_here(port, pod)]

    async def _give_to_holder(self, pod: Pod, copy: Routing, run: JobRun) -> bool:
        """Whether another server has the port."""
        if holder := await self._holder(pod, copy, run):
            await self._give(pod, copy, holder, run.deadline)
        return bool(holder)

    async def _give_leftover(self, pod: Pod, client: ServiceClient, port: Body, run: JobRun) -> bool:
        """The same for a port that is not written down for this one: the boot may have succeeded, and only the last
        word about it not have reached the centre."""
        copy = await self._reach.routings.copy_in(Kind.PORT, text(port, "id"), pod.id)
        if copy is None:
            return False
        if await self._give_to_holder(pod, copy, run):
            return True
        if named := await self._named(client, copy, run):
            await self._give(pod, copy, named, run.deadline)
        return bool(named)

    async def _holder(self, pod: Pod, copy: Routing, run: JobRun) -> str:
        """The other server that has the port in the pod: of a boot that was carried out although no answer came."""
        if not copy.is_bound:
            return ""
        port = await show(self._reach.network(pod), f"/v2.0/ports/{copy.pod_resource_id}", "port", run.deadline)
        device_id = text(port, "device_id") if port is not None else ""
        return device_id if device_id != run.resource_id else ""

    async def _named(self, client: ServiceClient, copy: Routing, run: JobRun) -> str:
        """The other server that the copy is written down for, unless the pod denies it: its boot was accepted, and its
        id not yet written to the centre, nor by the pod's Nova into the copy."""
        server_id = copy.details.get("server_id")
        if not isinstance(server_id, str) or server_id in ("", run.resource_id):
            return ""
        server = await show(client, f"/v2.1/servers/{server_id}", "server", run.deadline)
        return "" if server is None else server_id

    async def _may_be_claim(self, run: JobRun, routing: Routing | None) -> bool:
        """Whether the job may be about a claim of a boot that still gets its server.

        That a server has no routing says nothing: the first 404 about it removes that. So whoever files a job for a
        claim says so. Then, and where he cannot tell, the age of the ports at the centre decides: a claim is written
        into them when a boot begins, a server's id when the pod has accepted it. What was not changed for longer than
        any boot takes waits for nobody, however much the project builds.
        """
        if not run.payload.get(_CLAIM) and (not run.payload.get(_PERHAPS) or routing is not None):
            return False
        before = datetime.now(UTC) - _LONGEST_CLAIM
        ports = await self._reach.central.ports({"device_id": run.resource_id}, deadline=run.deadline)
        return any(_moment(text(port, "updated_at"), before) >= before for port in ports)

    async def _check_nobody_is_built(self, client: ServiceClient, run: JobRun) -> None:
        """A pod that accepted a boot writes into its ports a little later whose they are. Until then the server shows
        no address, and nothing tells which claim was made for it.

        :raises RetryLaterError: the project has such a server
        """
        if not run.project_id:
            return
        params = {"all_tenants": "1", "project_id": run.project_id, "status": "BUILD"}
        servers = await collect(client, "/v2.1/servers/detail", "servers", run.deadline, params)
        portless = [server for server in servers if not server.get("addresses")]
        if not portless:
            return
        now = await time_at(client, run.deadline)
        if any(_awaits_ports(server, now) for server in portless):
            raise RetryLaterError("A server is being built that may get the ports.", after_s=_CHANGING_S)

    async def _give(self, pod: Pod, copy: Routing, server_id: str, deadline: Deadline) -> None:
        await self._reach.routings.update(copy.id, details={"server_id": server_id})
        change = {"device_id": server_id, "device_owner": server_owner(pod.az_name)}
        path = f"/v2.0/ports/{copy.central_id}"
        await self._reach.central.networking.put(path, body={"port": change}, deadline=deadline, ok=(404,))
        await look(self._reach, pod, awaited(copy.central_id))

    async def _release(self, pod: Pod, copy: Routing, run: JobRun) -> None:
        if not copy.is_bound:
            # An attempt is under way, or it died. The port's own job finds out what the pod has.
            await self._reach.queue.append(JobType.PORT, copy.central_id, copy.project_id, pod_id=copy.pod_id)
            raise RetryLaterError("The port is not settled yet.", after_s=_SOON_S)
        await remove_port(self._reach, pod, str(copy.pod_resource_id), run.deadline)
        if copy.details.get("origin") == GATEWAY:
            await self._delete(copy.central_id, run.deadline)
            await self._reach.routings.forget(copy.id)
            return
        await self._reach.routings.forget(copy.id)
        try:
            port = await self._reach.central.port(copy.central_id, deadline=run.deadline)
        except NotFoundError:
            return
        if port.get("device_id") in ("", run.resource_id):
            # A row that was lost and found again does not know who made the port; the port does.
            is_ours = "origin" not in copy.details and kept(port).get("origin") == GATEWAY
            await (self._delete_ours if is_ours else self._clear)(port, run.deadline)

    async def _release_leftover(self, pod: Pod, port: Body, run: JobRun) -> None:
        if not text(port, "device_owner"):
            # The gateway claims a port that the user brought with its owner in one call.
            await self._delete(text(port, "id"), run.deadline)
            return
        await self._ports.remove(pod, text(port, "id"), run.deadline)
        # Without a routing the port itself tells who made it.
        await (self._delete_ours if kept(port).get("origin") == GATEWAY else self._clear)(port, run.deadline)

    async def _delete_ours(self, port: Body, deadline: Deadline) -> None:
        await self._delete(text(port, "id"), deadline)

    async def _clear(self, port: Body, deadline: Deadline) -> None:
        # What an operator wrote into the profile stays, as in a single cloud; what we wrote goes.
        released = {**_RELEASED, PROFILE: operators(port)} if kept(port) else dict(_RELEASED)
        path = f"/v2.0/ports/{text(port, 'id')}"
        await self._reach.central.networking.put(path, body={"port": released}, deadline=deadline, ok=(404,))

    async def _delete(self, port_id: str, deadline: Deadline) -> None:
        await self._reach.central.networking.delete(f"/v2.0/ports/{port_id}", deadline=deadline, ok=(404,))


def _is_let_go_here(port: Body, pod: Pod) -> bool:
    owner = text(port, "device_owner")
    return not owner or (owner.startswith("compute:") and text(port, "binding:host_id") in ("", pod.name))


def _awaits_ports(server: Body, now: datetime) -> bool:
    """Whether a server that is being built may still get ports; one that hangs in that state holds nobody up.

    :param now: by the clock of the pod, which wrote when the server was made
    """
    try:
        created_at = datetime.fromisoformat(text(server, "created"))
    except ValueError:
        return False
    return now - created_at < _LONGEST_BUILD


def _moment(written: str, otherwise: datetime) -> datetime:
    """What the centre says when; ``otherwise`` when it says nothing."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _leaving(payload: Mapping[str, object]) -> set[str]:
    """The ports that a pod may still let go of."""
    now = time.time()
    return {port_id for port_id, until in _detachments(payload).items() if until > now}


def _asked(payload: Mapping[str, object]) -> set[str]:
    """The ports that somebody wanted to be detached, whenever that was."""
    return set(_detachments(payload))


def _detachments(payload: Mapping[str, object]) -> dict[str, float]:
    return {
        name.removeprefix(_DETACHED): until
        for name, until in payload.items()
        if name.startswith(_DETACHED) and isinstance(until, int | float)
    }
