# SPDX-License-Identifier: Apache-2.0
"""What becomes of a port that a server has, when its copy vanished in the pod?

Who deletes a port in a pod takes an interface from a server there, although the centre still says that the server has
it. So a sweep that misses such a copy files a job: the copy is made anew, with its network where that is gone too, and
the pod's Nova is asked to plug it in again. What Nova refuses cannot be repaired: nothing is left of the attempt, and
the job rests with the reason.

A server that is changing may be losing the port at this moment, by a user's will: then the job waits.
"""

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, rows, text
from tricircle.copies.origins import USER, kept
from tricircle.copies.ports import Ports
from tricircle.copies.reach import Reach, show
from tricircle.copies.server_ports import PERHAPS_CLAIMED
from tricircle.copies.statuses import awaited, look
from tricircle.errors import ConflictError, NotFoundError, RetryLaterError, UpstreamStatusError
from tricircle.jobs.reports import Report
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing

_VERSION = "2.1"
_TASK_STATE = "OS-EXT-STS:task_state"
_OWNER = "lost-port"
_GRACE_S = 10.0
_CHANGING_S = 5.0
#: States in which a server cannot be given an interface and may be gone soon.
_CHANGING = frozenset(("BUILD", "DELETED", "SOFT_DELETED", "MIGRATING"))


class LostPorts:
    """The job body of ``JobType.PORT``: as ``Ports.agree``, and more where a sweep says that a copy is gone."""

    def __init__(self, reach: Reach, ports: Ports) -> None:
        self._reach = reach
        self._ports = ports

    async def agree(self, run: JobRun) -> Report | None:
        """Job body.

        :raises ConflictError: the pod does not plug the port in again, with its reason
        :raises RetryLaterError: the server is changing, or somebody works on the copy
        """
        if run.payload.get("missing") and run.pod_id:
            report = await self._bring_back(run)
            if report is not None:
                return report
        await self._ports.agree(run)
        return None

    async def _bring_back(self, run: JobRun) -> Report | None:
        """Make the copy anew; None when that is not what is needed."""
        pod = await self._reach.registry.get(run.pod_id)
        port = await self._port(run)
        if pod is None or pod.state is PodState.DISABLED or port is None:
            return None
        server_id = text(port, "device_id")
        is_plugged = bool(server_id) and text(port, "device_owner").startswith("compute:")
        if text(port, "binding:host_id") != pod.name or not is_plugged:
            return None
        if not await self._may_have_it(pod, server_id, run):
            return {"let_go": server_id}
        old = await self._reach.routings.copy_in(Kind.PORT, run.resource_id, pod.id)
        # When the row is lost, or was found again, a port of ours still says so. Any other is not ours to delete.
        origin = (old is not None and old.details.get("origin")) or kept(port).get("origin", USER)
        if old is not None:
            await self._forget_gone(pod, old, run.deadline)
        details = {"origin": origin, "server_id": server_id}
        copy = await self._ports.ensure(pod, port, details=details, deadline=run.deadline)
        await self._plug(pod, copy, server_id, run)
        await look(self._reach, pod, awaited(run.resource_id))
        return {"copy": str(copy.pod_resource_id), "server": server_id}

    async def _port(self, run: JobRun) -> Body | None:
        try:
            return await self._reach.central.port(run.resource_id, deadline=run.deadline)
        except NotFoundError:
            return None

    async def _may_have_it(self, pod: Pod, server_id: str, run: JobRun) -> bool:
        """Whether the server exists and stays; a server that is gone gets its own job."""
        if await self._reach.queue.is_waiting(JobType.SERVER_PORTS, server_id):
            raise RetryLaterError("Ports of the server are looked after just now.", after_s=_CHANGING_S)
        client = self._reach.compute(pod, _VERSION)
        server = await show(client, f"/v2.1/servers/{server_id}", "server", run.deadline)
        if server is None:
            await self._reach.queue.append(
                JobType.SERVER_PORTS, server_id, run.project_id, pod_id=pod.id, payload=PERHAPS_CLAIMED
            )
            return False
        if text(server, "status") in _CHANGING or server.get(_TASK_STATE):
            raise RetryLaterError("The server is changing.", after_s=_CHANGING_S)
        return True

    async def _forget_gone(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """Forget the routing of a copy if that is gone. One that is there was made by a run that came no further."""
        if not copy.is_bound:
            return  # an attempt that died: ensure looks first
        lease = await self._reach.leases.hold(copy, owner=_OWNER, ttl_s=deadline.remaining_s() + _GRACE_S)
        if lease is None:
            raise RetryLaterError("Somebody else works on the copy.", after_s=_CHANGING_S)
        path = f"/v2.0/ports/{copy.pod_resource_id}"
        is_gone = False
        try:
            is_gone = await show(self._reach.network(pod), path, "port", deadline) is None
        finally:
            await (self._reach.leases.drop(lease) if is_gone else self._reach.leases.release(lease))

    async def _plug(self, pod: Pod, copy: Routing, server_id: str, run: JobRun) -> None:
        client = self._reach.compute(pod, _VERSION)
        path = f"/v2.1/servers/{server_id}/os-interface"
        answer = await client.get(path, deadline=run.deadline)
        if any(text(row, "port_id") == copy.pod_resource_id for row in rows(answer, "interfaceAttachments")):
            return
        body = {"interfaceAttachment": {"port_id": copy.pod_resource_id}}
        try:
            await client.post(path, body=body, deadline=run.deadline)
        except UpstreamStatusError as error:
            if error.status >= 500:
                raise
            await self._ports.remove_copy(pod, copy, deadline=run.deadline)
            reason = f"Port {run.resource_id} cannot be plugged into server {server_id} again: {error.body[:300]}"
            raise ConflictError(reason) from error
