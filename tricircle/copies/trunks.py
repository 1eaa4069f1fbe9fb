# SPDX-License-Identifier: Apache-2.0
"""How does a trunk of the centre exist in the pod that carries its parent port?

With copies of its sub-ports, on copies of their networks; it is made before the server that gets the parent, as
Neutron's own users do it, and goes with the parent (``trunked.py``). Whoever makes it binds the sub-ports at the centre
to the same pod; Neutron's driver there sets them free when they, or the parent, leave.

Natural key: the parent port, of which a trunk is the only one.
"""

import asyncio
from collections.abc import Mapping

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, changed, mark, member, revision, rows, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.origins import USER
from tricircle.copies.ports import Ports
from tricircle.copies.reach import Reach, may_offer, show
from tricircle.copies.statuses import awaited, look
from tricircle.copies.trunked import PATH, remove_trunk
from tricircle.copies.visit import expected, hand_over, must_look, visit
from tricircle.errors import ConflictError, NotFoundError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import EVERY_POD, JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import collect

Tag = tuple[str, int]

#: What Neutron writes into sub-ports.
SUB_PORT_OWNER = "trunk:subport"
#: The extension that a pod must have.
EXTENSION = "trunk"
#: How many sub-ports are made at once, and how many ids one query has.
_AT_ONCE, _IDS = 8, 100
_HOST = "binding:host_id"
_FOLLOWED = ("name", "description", "admin_state_up")


def trunk_of(port: Body) -> str:
    """The trunk whose parent a port is; empty when it is none's."""
    details = port.get("trunk_details")
    return text(details, "trunk_id") if isinstance(details, Mapping) else ""


def tags(trunk: Body) -> dict[str, Tag]:
    """Type and id of the segment of each sub-port, by the port's id."""
    return {
        text(row, "port_id"): (text(row, "segmentation_type"), int(text(row, "segmentation_id") or 0))
        for row in rows(trunk, "sub_ports")
    }


def shape(trunk: Body) -> dict[str, object]:
    """The copy's body as far as it may change, without its sub-ports."""
    return {
        "name": text(trunk, "name"),
        "description": mark(text(trunk, "id")),
        "admin_state_up": trunk.get("admin_state_up", True),
    }


def difference(trunk: Body, ports: Mapping[str, str], present: Body) -> list[str]:
    """In what the copy ``present`` does not agree with the central trunk: names of fields, and ``sub_ports``.

    :param ports: the copies of the sub-ports, by central id
    """
    found = list(changed(shape(trunk), present, _FOLLOWED))
    if {ports.get(port_id, port_id): tag for port_id, tag in tags(trunk).items()} != tags(present):
        found.append("sub_ports")
    return found


class Trunks:
    """Copies of trunks, and of ports as servers get them: with the trunk whose parent they are."""

    def __init__(self, reach: Reach, ports: Ports) -> None:
        self._reach = reach
        self._ports = ports

    async def ensure(
        self, pod: Pod, port: Body, *, details: Mapping[str, object] | None = None, deadline: Deadline
    ) -> Routing:
        """The routing of a port's copy. Raises as ``Ports.ensure``."""
        trunk_id = trunk_of(port)
        _check_offer(pod, trunk_id)
        copy = await self._ports.ensure(pod, port, details=details, deadline=deadline)
        if trunk_id:
            await self._ensure_trunk(pod, trunk_id, copy, deadline)
        return copy

    async def check(self, pod: Pod, port: Body, *, deadline: Deadline) -> None:
        """What can be said of a port, and of the sub-ports of its trunk, before anything is made in the pod.

        :raises NotFoundError, ConflictError: as ``ensure``
        """
        trunk_id = trunk_of(port)
        _check_offer(pod, trunk_id)
        await self._ports.check(pod, port, deadline=deadline)
        if trunk_id and await self._reach.routings.copy_in(Kind.TRUNK, trunk_id, pod.id) is None:
            trunk = await self._reach.central.trunk(trunk_id, deadline=deadline)
            # One for each network: there may be thousands of sub-ports.
            one_each = {text(sub, "network_id"): sub for sub in await self._ports_of(trunk, deadline)}
            for sub_port in one_each.values():
                await self._ports.check(pod, sub_port, deadline=deadline)

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        """Delete a port's copy, with its trunk's, and forget it; fine when there is none."""
        await self._ports.remove(pod, port_id, deadline)

    async def agree(self, run: JobRun) -> None:
        """Job body: update the copy in the pod that carries the parent, remove it from every other one."""
        trunk: Body | None
        try:
            trunk = await self._reach.central.trunk(run.resource_id, at_least=expected(run), deadline=run.deadline)
            parent = await self._reach.central.port(text(trunk, "port_id"), deadline=run.deadline)
        except NotFoundError:
            trunk, parent = None, {}

        async def work(pod: Pod, copy: Routing) -> None:
            if trunk is None or text(parent, _HOST) != pod.name:
                await self._remove(pod, copy, run.deadline)
            else:
                await self._update(pod, copy, trunk, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy.central_id, copy.project_id, None, run.deadline)

        await visit(self._reach, run, Kind.TRUNK, work=work, find=find)
        if trunk is not None:
            await self._bring(parent, run)
            if must_look(run):
                await self._free_strays(trunk, run.deadline)

    async def _bring(self, parent: Body, run: JobRun) -> None:
        """Make the copy where the parent is and it is not: the trunk came to be, or was lost, after the parent."""
        pod = next((one for one in await self._reach.registry.pods() if one.name == text(parent, _HOST)), None)
        if pod is None or pod.state is PodState.DISABLED or run.pod_id not in (EVERY_POD, pod.id):
            return
        copy = await self._reach.routings.copy_in(Kind.PORT, text(parent, "id"), pod.id)
        if copy is not None and copy.is_bound:
            if run.pod_id == EVERY_POD:
                await hand_over(self._reach, run, pod.id)
                return
            await self._ensure_trunk(pod, run.resource_id, copy, run.deadline)
            # Whatever was changed above: Neutron calls a trunk DOWN until its sub-ports are in it.
            await look(self._reach, pod, awaited(copy.central_id))

    async def _ensure_trunk(self, pod: Pod, trunk_id: str, parent: Routing, deadline: Deadline) -> None:
        known = await self._reach.routings.copy_in(Kind.TRUNK, trunk_id, pod.id)
        if known is not None and known.is_bound:
            return
        wanted = Wanted(kind=Kind.TRUNK, central_id=trunk_id, pod=pod, project_id=parent.project_id)

        async def find() -> Found | None:
            return await self._find(pod, trunk_id, parent.project_id, str(parent.pod_resource_id), deadline)

        async def create() -> Found:
            # Read under the lease, for the reason given in networks.py.
            trunk = await self._reach.central.trunk(trunk_id, deadline=deadline)
            body: dict[str, object] = {
                **shape(trunk),
                "project_id": text(trunk, "project_id"),
                "port_id": parent.pod_resource_id,
                "sub_ports": _bodies(await self._sub_ports(pod, trunk, deadline)),
            }
            answer = await self._reach.network(pod).post(PATH, body={"trunk": body}, deadline=deadline)
            return Found(pod_resource_id=text(member(answer, "trunk"), "id"), revision=revision(trunk))

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        await self._reach.recheck_adopted(routing, JobType.TRUNK)

    async def _sub_ports(self, pod: Pod, trunk: Body, deadline: Deadline) -> dict[str, Tag]:
        """The segments by the ids of the copies, which are made where they are not, several at once."""
        wanted, limit = tags(trunk), asyncio.Semaphore(_AT_ONCE)
        ports = {text(port, "id"): port for port in await self._ports_of(trunk, deadline)}
        if missing := sorted(wanted.keys() - ports.keys()):
            raise NotFoundError(f"There is no port {missing[0]}.")

        async def bring(port: Body) -> str:
            async with limit:
                return await self._bring_sub_port(pod, port, deadline)

        outcomes = await asyncio.gather(*(bring(ports[port_id]) for port_id in wanted), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return dict(zip(map(str, outcomes), wanted.values(), strict=True))

    async def _bring_sub_port(self, pod: Pod, port: Body, deadline: Deadline) -> str:
        """The id of the copy of one sub-port, which is bound to the pod first."""
        if text(port, _HOST) != pod.name:
            change = {_HOST: pod.name, "device_owner": SUB_PORT_OWNER}
            path = f"/v2.0/ports/{text(port, 'id')}"
            answer = await self._reach.central.networking.put(path, body={"port": change}, deadline=deadline)
            port = member(answer, "port")
        copy = await self._ports.ensure(pod, port, details={"origin": USER}, deadline=deadline)
        return str(copy.pod_resource_id)

    async def _ports_of(self, trunk: Body, deadline: Deadline) -> list[dict[str, object]]:
        """The central sub-ports."""
        ids, found = sorted(tags(trunk)), list[dict[str, object]]()
        for at in range(0, len(ids), _IDS):
            found += await self._reach.central.ports({"id": ids[at : at + _IDS]}, deadline=deadline)
        return found

    async def _free_strays(self, trunk: Body, deadline: Deadline) -> None:
        """Unbind sub-ports that stayed where their parent is not: Neutron died before its driver could do it.

        Sub-ports are read before the parent, as a boot binds the parent before them. What was changed since is left.
        """
        ports = [port for port in await self._ports_of(trunk, deadline) if text(port, _HOST)]
        if not ports:
            return
        parent = await self._reach.central.port(text(trunk, "port_id"), deadline=deadline)
        client, free = self._reach.central.networking, {_HOST: "", "device_owner": ""}
        for port in ports:
            if text(port, _HOST) != text(parent, _HOST):
                condition = [(b"if-match", f"revision_number={revision(port)}".encode())]
                path = f"/v2.0/ports/{text(port, 'id')}"
                await client.reply("PUT", path, body={"port": free}, headers=condition, deadline=deadline)

    async def _find(
        self, pod: Pod, trunk_id: str, project_id: str, parent_id: str | None, deadline: Deadline
    ) -> Found | None:
        """What is ours by mark and project, and has the parent where that is known."""
        filters = {"description": mark(trunk_id), "project_id": project_id}
        filters |= {} if parent_id is None else {"port_id": parent_id}
        for present in await collect(self._reach.network(pod), PATH, "trunks", deadline, filters):
            return Found(pod_resource_id=text(present, "id"))
        return None

    async def _update(self, pod: Pod, copy: Routing, trunk: Body, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"{PATH}/{copy.pod_resource_id}"
        present = await show(client, path, "trunk", deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return
        wanted, there = await self._sub_ports(pod, trunk, deadline), tags(present)
        gone = {port_id: tag for port_id, tag in there.items() if wanted.get(port_id) != tag}
        new = {port_id: tag for port_id, tag in wanted.items() if there.get(port_id) != tag}
        if (gone or new) and present.get("admin_state_up") is False:
            # Neutron changes no sub-ports of a disabled trunk; it is disabled again below.
            await client.put(path, body={"trunk": {"admin_state_up": True}}, deadline=deadline)
            present["admin_state_up"] = True
        if gone:
            await client.put(f"{path}/remove_subports", body={"sub_ports": _bodies(gone)}, deadline=deadline)
        if new:
            await client.put(f"{path}/add_subports", body={"sub_ports": _bodies(new)}, deadline=deadline)
        if put := changed(shape(trunk), present, _FOLLOWED):
            await client.put(path, body={"trunk": put}, deadline=deadline)
        await self._reach.routings.update(copy.id, revision=revision(trunk))

    async def _remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        client = self._reach.network(pod)
        present = await show(client, f"{PATH}/{copy.pod_resource_id}", "trunk", deadline)
        if present is not None:
            await remove_trunk(client, present, deadline)
        await self._reach.routings.forget(copy.id)


def _check_offer(pod: Pod, trunk_id: str) -> None:
    """:raises ConflictError: the pod knows no trunks, and the port is one's"""
    if trunk_id and not may_offer(pod, EXTENSION):
        raise ConflictError(f"Availability zone {pod.az_name} offers no trunks: {trunk_id} cannot be used there.")


def _bodies(found: Mapping[str, Tag]) -> list[dict[str, object]]:
    return [
        {"port_id": port_id, "segmentation_type": kind, "segmentation_id": number}
        for port_id, (kind, number) in found.items()
    ]
