# SPDX-License-Identifier: Apache-2.0
"""Which pod do the sub-ports of a trunk belong to, at the centre?

Whoever makes a trunk in a pod binds its sub-ports to that pod; Neutron's driver sets free those that it finds bound
when they, or the parent, leave the trunk. A sub-port that leaves while it is being bound is nobody's then, since the
driver has seen it free. So whoever binds looks at the trunk twice: after the ports were read, since one that has left
may be a server's by now, and which is written only if nobody changed it since; and again when all is done, to let go of
what has left.
"""

from collections.abc import Collection, Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, member, revision, rows, text
from tricircle.copies.origins import SUB_PORT_OWNER
from tricircle.copies.reach import Reach
from tricircle.errors import NotFoundError, UnavailableError, UpstreamStatusError
from tricircle.model.job import JobType
from tricircle.model.pod import Pod

Tag = tuple[str, int]

_HOST = "binding:host_id"
_FREE = {_HOST: "", "device_owner": ""}
#: How many ids one query has, and how often a port is written that others write at the same time.
_IDS, _ROUNDS = 100, 5
_CHANGED = 412


def tags(trunk: Body) -> dict[str, Tag]:
    """Type and id of the segment of each sub-port, by the port's id."""
    return {
        text(row, "port_id"): (text(row, "segmentation_type"), int(text(row, "segmentation_id") or 0))
        for row in rows(trunk, "sub_ports")
    }


class SubPorts:
    """Central sub-ports."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def of(self, trunk: Body, deadline: Deadline) -> list[dict[str, object]]:
        """The ports themselves."""
        ids, found = sorted(tags(trunk)), list[dict[str, object]]()
        for at in range(0, len(ids), _IDS):
            found += await self._reach.central.ports({"id": ids[at : at + _IDS]}, deadline=deadline)
        return found

    async def present(self, pod: Pod, trunk: Body, deadline: Deadline) -> dict[str, Body]:
        """The sub-ports by id; where one has yet to be bound, without those that are none of the trunk's any more.

        :raises NotFoundError: one of them is gone
        """
        ports: dict[str, Body] = {text(port, "id"): port for port in await self.of(trunk, deadline)}
        wanted = set(tags(trunk))
        if any(text(port, _HOST) != pod.name for port in ports.values()) or wanted - ports.keys():
            wanted &= (await self._tags(trunk, deadline)).keys()
        if missing := sorted(wanted - ports.keys()):
            raise NotFoundError(f"There is no port {missing[0]}.")
        return {port_id: ports[port_id] for port_id in sorted(wanted)}

    async def bind(self, pod: Pod, trunk: Body, port: Body, deadline: Deadline) -> Body | None:
        """The port bound to the pod; None when it has left the trunk.

        :param port: read before it was seen in the trunk
        :raises UnavailableError: others change it all the time
        """
        port_id = text(port, "id")
        for _ in range(_ROUNDS):
            if text(port, _HOST) == pod.name:
                return port
            written = await self._write(port, {_HOST: pod.name, "device_owner": SUB_PORT_OWNER}, deadline)
            if written is not None:
                return written
            try:
                port = await self._reach.central.port(port_id, deadline=deadline)
            except NotFoundError:
                return None
            if port_id not in await self._tags(trunk, deadline):
                return None
        raise _busy(port_id)

    async def let_go_of_left(
        self, pod: Pod, trunk: Body, ports: Mapping[str, Body], deadline: Deadline
    ) -> Collection[str]:
        """Let go of those of ``ports`` that have left the trunk since it was read; their ids. What copies were made of
        them meanwhile, a job removes.
        """
        if not ports:
            return set()
        left = ports.keys() - (await self._tags(trunk, deadline)).keys()
        for port_id in sorted(left):
            await self.let_go(pod, port_id, deadline)
            project_id = ProjectId(text(ports[port_id], "project_id"))
            await self._reach.queue.append(JobType.PORT, port_id, project_id, pod_id=pod.id)
        return left

    async def let_go(self, pod: Pod, port_id: str, deadline: Deadline) -> bool:
        """Unbind a port that is in no trunk, if it is bound as a sub-port of the pod still; whether it was.

        Whoever brings it to a trunk of the pod meanwhile may find it bound, and leave it so: after it was written, a
        trunk that has it gets a job, which binds it again.

        :raises UnavailableError: others change it all the time
        """
        for _ in range(_ROUNDS):
            try:
                port = await self._reach.central.port(port_id, deadline=deadline)
            except NotFoundError:
                return False
            if text(port, _HOST) != pod.name or text(port, "device_owner") != SUB_PORT_OWNER:
                return False
            if await self._trunk_with(port_id, deadline) is not None:
                return False
            if await self._write(port, _FREE, deadline) is not None:
                await self._bring_back(pod, port_id, deadline)
                return True
        raise _busy(port_id)

    async def free_strays(self, trunk: Body, deadline: Deadline) -> None:
        """Unbind sub-ports that stayed where their parent is not: Neutron died before its driver could do it.

        Sub-ports are read before the parent, as a boot binds the parent before them. What was changed since is left.
        """
        ports = [port for port in await self.of(trunk, deadline) if text(port, _HOST)]
        if not ports:
            return
        parent = await self._reach.central.port(text(trunk, "port_id"), deadline=deadline)
        for port in ports:
            if text(port, _HOST) != text(parent, _HOST):
                await self._write(port, _FREE, deadline)

    async def _bring_back(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        trunk = await self._trunk_with(port_id, deadline)
        if trunk is not None:
            project_id = ProjectId(text(trunk, "project_id"))
            await self._reach.queue.append(JobType.TRUNK, text(trunk, "id"), project_id, pod_id=pod.id)

    async def _trunk_with(self, port_id: str, deadline: Deadline) -> Body | None:
        """The trunk of the centre that a port is in as a sub-port."""
        asked = {"fields": ("id", "project_id", "sub_ports")}
        found = await self._reach.central.trunks(asked, deadline=deadline)
        return next((trunk for trunk in found if port_id in tags(trunk)), None)

    async def _tags(self, trunk: Body, deadline: Deadline) -> dict[str, Tag]:
        """As the centre has them now."""
        try:
            return tags(await self._reach.central.trunk(text(trunk, "id"), deadline=deadline))
        except NotFoundError:
            return {}

    async def _write(self, port: Body, change: Body, deadline: Deadline) -> Body | None:
        """The port after the change; None when it was changed, or deleted, since it was read."""
        condition = [(b"if-match", f"revision_number={revision(port)}".encode())]
        client, path = self._reach.central.networking, f"/v2.0/ports/{text(port, 'id')}"
        reply = await client.reply("PUT", path, body={"port": change}, headers=condition, deadline=deadline)
        if reply.status in (404, _CHANGED):
            return None
        if reply.status >= 300:
            said = reply.body.decode(errors="replace") if isinstance(reply.body, bytes) else ""
            raise UpstreamStatusError(reply.status, said, client.target.label)
        return member(reply.json(), "port")


def _busy(port_id: str) -> UnavailableError:
    return UnavailableError(f"Port {port_id} is being changed. Try again later.", retry_after_s=2)
