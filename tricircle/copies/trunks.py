# SPDX-License-Identifier: Apache-2.0
"""How does a trunk of the centre exist in the pod that carries its parent port?

With copies of its sub-ports, on copies of their networks; it is made before the server that gets the parent, as
Neutron's own users do it, and goes with the parent (``trunked.py``). Whoever makes it binds the sub-ports at the centre
to the same pod (``sub_ports.py``).

Natural key: the parent port, of which a trunk is the only one.
"""

import asyncio
from collections.abc import Mapping

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, changed, mark, member, revision, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.origins import USER
from tricircle.copies.ports import Ports
from tricircle.copies.reach import Reach, may_offer, show
from tricircle.copies.statuses import awaited, look
from tricircle.copies.sub_ports import SubPorts, Tag, tags
from tricircle.copies.trunked import PATH, remove_trunk
from tricircle.copies.visit import Departure, expected, hand_over, must_look, visit
from tricircle.errors import ConflictError, NotFoundError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import EVERY_POD, JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import collect

#: The extension that a pod must have.
EXTENSION = "trunk"
#: How many sub-ports are made at once.
_AT_ONCE = 8
_HOST = "binding:host_id"
_FOLLOWED = ("name", "description", "admin_state_up")


def trunk_of(port: Body) -> str:
    """The trunk whose parent a port is; empty when it is none's."""
    details = port.get("trunk_details")
    return text(details, "trunk_id") if isinstance(details, Mapping) else ""


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
        self._subs = SubPorts(reach)

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
            one_each = {text(sub, "network_id"): sub for sub in await self._subs.of(trunk, deadline)}
            for sub_port in one_each.values():
                await self._ports.check(pod, sub_port, deadline=deadline)

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        """Delete a port's copy, with its trunk's, and forget it; fine when there is none."""
        await self._ports.remove(pod, port_id, deadline)

    async def agree(self, run: JobRun) -> None:
        """Job body: update the copy in the pod that carries the parent, remove it from every other one."""
        trunk, parent = await self._said(run)

        async def is_due(pod: Pod, copy: Routing) -> bool:
            nonlocal trunk, parent
            if trunk is not None and text(parent, _HOST) != pod.name:
                # It was read before the lease was ours: the parent may have come since.
                trunk, parent = await self._said(run)
            return trunk is None or text(parent, _HOST) != pod.name

        async def remove(pod: Pod, copy: Routing) -> None:
            await self._remove(pod, copy, run.deadline)

        async def work(pod: Pod, copy: Routing) -> None:
            if trunk is not None:
                await self._update(pod, copy, trunk, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy.central_id, copy.project_id, None, run.deadline)

        await visit(self._reach, run, Kind.TRUNK, work=work, find=find, departure=Departure(is_due, remove))
        if trunk is not None:
            await self._bring(parent, run)
            if must_look(run):
                await self._subs.free_strays(trunk, run.deadline)

    async def _said(self, run: JobRun) -> tuple[Body | None, Body]:
        """The trunk and its parent as the centre has them now; no trunk when one of them is gone."""
        try:
            trunk = await self._reach.central.trunk(run.resource_id, at_least=expected(run), deadline=run.deadline)
            return trunk, await self._reach.central.port(text(trunk, "port_id"), deadline=run.deadline)
        except NotFoundError:
            return None, {}

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
        """The segments by the ids of the copies, which are made where they are not, several at once; without sub-ports
        that left the trunk meanwhile.
        """
        limit, copies = asyncio.Semaphore(_AT_ONCE), dict[str, str]()
        ports = await self._subs.present(pod, trunk, deadline)

        async def bring(port: Body) -> None:
            async with limit:
                bound = await self._subs.bind(pod, trunk, port, deadline)
                if bound is not None:
                    copy = await self._ports.ensure(pod, bound, details={"origin": USER}, deadline=deadline)
                    copies[text(port, "id")] = str(copy.pod_resource_id)

        for outcome in await asyncio.gather(*map(bring, ports.values()), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        left = await self._subs.let_go_of_left(pod, trunk, ports, deadline)
        return {copies[port_id]: tag for port_id, tag in tags(trunk).items() if port_id in copies.keys() - left}

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
