# SPDX-License-Identifier: Apache-2.0
"""What is done about a finding?

Rows are written or forgotten here; objects in pods and at the centre are changed by jobs, each of which takes the
routing's lease and looks again. Only what no job is about is done at once: a second copy of a security group is
deleted, addresses that a pod does not need any more are given back (both under a lease), an empty slice is deleted, and
a sub-port of no trunk is let go of.

What seems to be missing is asked for by its id first: a list may have been read while it was made.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from tricircle.audit.findings import REPORTED, Finding, What
from tricircle.audit.inventory import Inventory
from tricircle.context import Deadline
from tricircle.copies.bodies import rows, text
from tricircle.copies.image.homes import ImageHomes
from tricircle.copies.origins import is_slice
from tricircle.copies.reach import Reach, remove
from tricircle.copies.server_ports import PERHAPS_CLAIMED
from tricircle.copies.statuses import awaited, look
from tricircle.copies.sub_ports import SubPorts
from tricircle.errors import NotFoundError, UpstreamStatusError
from tricircle.ledger.leases import Lease
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.observe import metrics
from tricircle.observe.events import SweepRepaired, SweepReported, happened
from tricircle.upstream.client import collect

_OWNER = "sweep"
_LEASE_S = 60.0
_CALL_S = 30.0
#: How many findings a report names, so that it is kept (``jobs/reports.py``); all are counted and logged.
_NAMED = 50
_JOBS: Mapping[Kind, JobType] = {
    Kind.NETWORK: JobType.NETWORK,
    Kind.SUBNET: JobType.SUBNET,
    Kind.PORT: JobType.PORT,
    Kind.SECURITY_GROUP: JobType.SECURITY_GROUP,
    Kind.ADDRESS_GROUP: JobType.ADDRESS_GROUP,
    Kind.QOS_POLICY: JobType.QOS_POLICY,
    Kind.TRUNK: JobType.TRUNK,
    Kind.FLAVOR: JobType.FLAVOR,
    Kind.KEYPAIR: JobType.KEYPAIR,
    Kind.SERVER_GROUP: JobType.SERVER_GROUP,
    Kind.VOLUME_TYPE: JobType.VOLUME_TYPE,
    Kind.IMAGE: JobType.IMAGE,
}
#: Kinds without a natural key, of which a late POST can make a second copy, and where they are.
_DOUBLED: Mapping[Kind, str] = {
    Kind.SECURITY_GROUP: "/v2.0/security-groups",
    Kind.ADDRESS_GROUP: "/v2.0/address-groups",
    Kind.QOS_POLICY: "/v2.0/qos/policies",
}


class Repair:
    """Acts on the findings in one pod, and counts them.

    :ivar counts: how many of each ``(what, kind)``
    :ivar named: the first of them, as facts for a report
    """

    def __init__(self, reach: Reach, inventory: Inventory, pod: Pod, deadline: Deadline) -> None:
        self._reach = reach
        self._inventory = inventory
        self._pod = pod
        self._deadline = deadline
        self.counts: Counter[tuple[What, Kind]] = Counter()
        self.named: list[dict[str, str]] = []
        self._actions: Mapping[What, Callable[[Finding], Awaitable[Finding | None]]] = {
            What.UNWRITTEN: self._record,
            What.GONE: self._forget,
            What.MISSING: self._look_and_file,
            What.DIFFERS: self._file,
            What.OUTLIVED: self._remove_outlived,
            What.ATTEMPT: self._file,
            What.ADOPTABLE: self._suspect,
            What.ORPHAN: self._remove_orphan,
            What.DUPLICATE: self._delete_duplicate,
            What.SERVERLESS: self._let_go,
            What.UNCOPIED: self._file,
            What.STATUS: self._look,
            What.HOMELESS: self._bring_home,
            What.SLICE: self._give_back,
            What.ASTRAY: self._free,
        }

    async def __call__(self, finding: Finding) -> None:
        """Do what is to be done, and say so. Nothing is said of what turns out to be in order."""
        action = self._actions.get(finding.what)
        done = await action(finding) if action is not None else finding
        if done is not None:
            self._say(done)

    def _say(self, finding: Finding) -> None:
        facts = {
            "what": finding.what.value,
            "kind": finding.kind.value,
            "central_id": finding.central_id,
            "pod_resource_id": finding.pod_resource_id,
            "note": finding.note,
        }
        event = SweepReported if finding.what in REPORTED else SweepRepaired
        happened(event(pod=self._pod.name, **facts))
        metrics.sweep_found(self._pod.name, finding.what.value, finding.kind.value)
        self.counts[finding.what, finding.kind] += 1
        if len(self.named) < _NAMED:
            self.named.append({name: value for name, value in facts.items() if value})

    async def _record(self, finding: Finding) -> Finding | None:
        project_id = finding.project_id
        if not project_id:
            return None  # without an owner nobody could be shown it; whoever names it finds it
        await self._reach.routings.record(
            finding.kind, finding.central_id, self._pod.id, project_id, finding.created_at
        )
        return finding

    async def _forget(self, finding: Finding) -> Finding | None:
        if not await self._is_gone(finding):
            return None
        if finding.kind is Kind.SERVER:
            # Its ports first; the job forgets the server last.
            return await self._let_go(finding)
        return finding if await self._reach.routings.forget_free(finding.routing_id) else None

    async def _look_and_file(self, finding: Finding) -> Finding | None:
        return await self._file(finding) if await self._is_gone(finding) else None

    async def _is_gone(self, finding: Finding) -> bool:
        return await self._inventory.is_gone(self._pod, finding.kind, finding.pod_resource_id, deadline=self._deadline)

    async def _file(self, finding: Finding) -> Finding | None:
        job_type = _JOBS.get(finding.kind)
        if job_type is None:
            return None
        payload = _PAYLOADS.get(finding.what, {})
        await self._reach.queue.append(
            job_type, finding.central_id, finding.project_id, pod_id=self._pod.id, payload=payload
        )
        return finding

    async def _look(self, finding: Finding) -> Finding:
        await look(self._reach, self._pod, awaited(finding.central_id))
        return finding

    async def _bring_home(self, finding: Finding) -> Finding:
        homes = ImageHomes(self._reach)
        await homes.fetch(self._pod, finding.central_id, finding.project_id)
        return finding

    async def _suspect(self, finding: Finding) -> Finding | None:
        is_new = await self._reach.routings.suspect(finding.kind, finding.central_id, self._pod.id, finding.project_id)
        return await self._file(finding) if is_new else None

    async def _remove_outlived(self, finding: Finding) -> Finding | None:
        return await self._left_to_servers(finding) or await self._file(finding)

    async def _remove_orphan(self, finding: Finding) -> Finding | None:
        return await self._left_to_servers(finding) or await self._suspect(finding)

    async def _left_to_servers(self, finding: Finding) -> Finding | None:
        """The finding, when it is a network that servers are on."""
        if finding.kind is not Kind.NETWORK or not await self._has_servers(finding.pod_resource_id):
            return None
        return replace(finding, what=What.IN_USE, note="its original is gone at the centre, and servers are on it")

    async def _has_servers(self, network_id: str) -> bool:
        """A job that removes a network removes the ports on it."""
        client = self._reach.network(self._pod)
        params = {"network_id": network_id, "fields": ("id", "device_owner")}
        deadline = self._deadline.within(_CALL_S)
        ports = await collect(client, "/v2.0/ports", "ports", deadline, params)
        return any(text(port, "device_owner").startswith("compute:") for port in ports)

    async def _delete_duplicate(self, finding: Finding) -> Finding | None:
        """The copy that is written down stays: ports and rules that have the other one are changed by their own jobs,
        and the next sweep finds it unused.
        """
        if finding.kind not in _DOUBLED:
            return replace(finding, what=What.FOREIGN)
        copy = await self._reach.routings.copy_in(finding.kind, finding.central_id, self._pod.id)
        if copy is None or copy.pod_resource_id == finding.pod_resource_id:
            return None  # it is the one that stays
        lease = await self._reach.leases.hold(copy, owner=_OWNER, ttl_s=_LEASE_S)
        if lease is None:
            return None
        path = f"{_DOUBLED[finding.kind]}/{finding.pod_resource_id}"
        try:
            await self._reach.network(self._pod).delete(path, deadline=self._deadline.within(_CALL_S), ok=(404,))
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            return replace(finding, what=What.IN_USE, note=f"{finding.note}, and ports or rules have it")
        finally:
            await self._reach.leases.release(lease)
        return finding

    async def _let_go(self, finding: Finding) -> Finding:
        # Whoever filed a job that waits may have known whether this is a claim's id or a server's.
        if not await self._reach.queue.is_waiting(JobType.SERVER_PORTS, finding.central_id, self._pod.id):
            await self._reach.queue.append(
                JobType.SERVER_PORTS,
                finding.central_id,
                finding.project_id,
                pod_id=self._pod.id,
                payload=PERHAPS_CLAIMED,
            )
        return finding

    async def _give_back(self, finding: Finding) -> Finding | None:
        """The note is the slice's port. Who makes a copy of the subnet now waits for the lease, and takes a new one."""
        if finding.kind is Kind.PORT:
            return await self._remove_empty(finding)
        lease = await self._reach.leases.take(
            finding.kind, finding.central_id, self._pod.id, finding.project_id, owner=_OWNER, ttl_s=_LEASE_S
        )
        if not isinstance(lease, Lease):
            return None
        if not lease.is_new:
            await self._reach.leases.release(lease)
            return None
        try:
            await self._reach.central.networking.delete(
                f"/v2.0/ports/{finding.note}", deadline=self._deadline.within(_CALL_S), ok=(404,)
            )
        finally:
            await self._reach.leases.drop(lease)
        return finding

    async def _remove_empty(self, finding: Finding) -> Finding | None:
        """A slice whose subnet is gone; nobody holds addresses of that again."""
        try:
            port = await self._reach.central.port(finding.central_id, deadline=self._deadline.within(_CALL_S))
        except NotFoundError:
            return None
        if not is_slice(port) or rows(port, "fixed_ips"):
            return None
        await remove(
            self._reach.central.networking, f"/v2.0/ports/{finding.central_id}", self._deadline.within(_CALL_S)
        )
        return finding

    async def _free(self, finding: Finding) -> Finding | None:
        deadline = self._deadline.within(_CALL_S)
        return finding if await SubPorts(self._reach).let_go(self._pod, finding.central_id, deadline) else None


#: What jobs are told, beside where to look.
_PAYLOADS: Mapping[What, Mapping[str, object]] = {
    What.MISSING: {"missing": True},
    What.UNCOPIED: {"missing": True},
    What.DIFFERS: {"differs": True},
    What.OUTLIVED: {"deleted": True},
    What.ORPHAN: {"deleted": True},
}
