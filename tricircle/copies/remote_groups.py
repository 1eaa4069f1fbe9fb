# SPDX-License-Identifier: Apache-2.0
"""How do all pods whose rules name a group hear that its members changed, and when is it forgotten there?

The job body of ``JobType.ADDRESS_GROUP``: look who belongs to the group now, and make each pod that has it agree. The
job itself keeps back the addresses that were let go of (``store/held.py``): it ends when the pod has let go, too.
"""

from tricircle.context import Deadline
from tricircle.copies.address_groups import AddressGroups, has_address_groups
from tricircle.copies.bodies import text
from tricircle.copies.ensure import Found
from tricircle.copies.reach import Reach, remove
from tricircle.copies.security_groups import UNUSED, SecurityGroups
from tricircle.copies.visit import must_look, visit
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

_IN_USE = 409


class RemoteGroups:
    """Follows members."""

    def __init__(self, reach: Reach, address_groups: AddressGroups, groups: SecurityGroups) -> None:
        self._reach = reach
        self._address_groups = address_groups
        self._groups = groups

    async def agree(self, run: JobRun) -> None:
        """Job body: give pods the addresses of now, or remove what no rule names any more."""

        async def work(pod: Pod, copy: Routing) -> None:
            may_be_unused = bool(run.payload.get(UNUSED)) or must_look(run)
            await self._visit(pod, copy, run.deadline, may_be_unused=may_be_unused)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._address_groups.find(pod, copy.central_id, run.deadline)

        await visit(self._reach, run, Kind.ADDRESS_GROUP, work=work, find=find)

    async def _visit(self, pod: Pod, copy: Routing, deadline: Deadline, *, may_be_unused: bool) -> None:
        try:
            # Read under the lease, so after whatever the job was filed for.
            addresses = await self._address_groups.addresses(copy.central_id, deadline)
        except NotFoundError:
            await self._address_groups.remove(pod, copy, deadline)
            return
        if not has_address_groups(pod):
            await self._by_rules(pod, copy, deadline)
        elif not may_be_unused or not await self._is_unused_and_removed(pod, copy, deadline):
            await self._address_groups.write(pod, copy, addresses, deadline)

    async def _is_unused_and_removed(self, pod: Pod, copy: Routing, deadline: Deadline) -> bool:
        """Whether it is gone. Whoever writes a rule that names it at this moment is refused, and makes it again."""
        if await self._address_groups.is_used(pod, copy, deadline):
            return False
        path = f"/v2.0/address-groups/{copy.pod_resource_id}"
        try:
            await remove(self._reach.network(pod), path, deadline)
        except UpstreamStatusError as error:
            if error.status == _IN_USE:
                return False
            raise
        await self._reach.routings.forget(copy.id)
        return True

    async def _by_rules(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """Where rules hold the addresses: those of every group in the pod that names this one."""
        named = [
            rule
            for field in ("remote_group_id", "remote_address_group_id")
            for rule in await self._reach.central.rules({field: copy.central_id}, deadline=deadline)
        ]
        group_ids = {text(rule, "security_group_id") for rule in named}
        there = await self._reach.routings.by_central(Kind.SECURITY_GROUP, group_ids, pod.id)
        for _, group in sorted(there.items()):
            await self._groups.fill(pod, group, deadline)
        if not there:
            await self._reach.routings.forget(copy.id)
