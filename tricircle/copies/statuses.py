# SPDX-License-Identifier: Apache-2.0
"""When does the centre show that a pod has plugged a port in, and who looks?

Pods send no notifications, so somebody asks. Whoever expects a change of status files a job for the pod: it asks the
centre and the pod once each about all ports that are awaited there, writes what differs, and comes again in steps that
grow with the time waited, until every port is settled. The rest (guests that stop by themselves, what operators do) is
a sweep's.

Only Neutron writes Neutron's tables: what a pod says goes into the routing of the copy, and an update of nothing makes
the central driver look there (``tricircle_neutron/realisation.py``). What a worker that dies in between leaves behind
the next look corrects.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, rows, text
from tricircle.copies.pod_status import ACTIVE, CHANGED, DOWN, ERROR, PLUGGED, PORT, said, shown, wish
from tricircle.copies.reach import Reach
from tricircle.copies.trunked import PATH as TRUNKS
from tricircle.errors import RetryLaterError, UpstreamStatusError
from tricircle.jobs.reports import Report
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import STATUS, Kind, Routing
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)

#: Seconds until the first look: as much as a hypervisor needs at least, and others of the pod gather meanwhile.
SOON_S = 1.0
#: A job is about a pod, and about ports of many projects.
NOBODY = ProjectId("")
_SETTLED = (ACTIVE, ERROR)
#: Seconds for which a port is awaited; of a change of a server nobody can tell whether it is one of its ports too.
_PATIENCE_S: Mapping[str, float] = {PLUGGED: 900.0, PORT: 900.0, CHANGED: 60.0}
#: By how much of the time waited the next look is later.
_STEPS: Mapping[str, float] = {PLUGGED: 0.5, PORT: 0.5, CHANGED: 2.0}
_DISABLED_S = 60.0
#: Ids in one query: 41 characters each, and a request line may have 8 kB.
_IDS = 100
_FIELDS = ("id", "status", "binding:vif_type")
_CENTRAL = ("id", "status", "admin_state_up", "trunk_details")


def plugged(server_id: str) -> dict[str, object]:
    """The payload of a job that awaits the ports of a server which was booted, or got an interface."""
    return {wish(PLUGGED, server_id): time.time()}


def changed(server_id: str) -> dict[str, object]:
    """The payload of a job that looks whether the ports of a server changed, as when it is stopped."""
    return {wish(CHANGED, server_id): time.time()}


def awaited(port_id: str) -> dict[str, object]:
    """The payload of a job that awaits one port (central id), with its trunk and sub-ports when it is a parent."""
    return {wish(PORT, port_id): time.time()}


async def look(reach: Reach, pod: Pod, payload: Mapping[str, object]) -> None:
    """File a job with such a payload, which runs soon."""
    await reach.queue.append(JobType.PORT_STATUS, pod.id, NOBODY, pod_id=pod.id, payload=payload, delay_s=SOON_S)


class Statuses:
    """Learns of ports and trunks, and makes the centre show it."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def learn(self, pod: Pod, ports: Sequence[Body], deadline: Deadline) -> dict[str, str]:
        """Ask the pod about copies, and make the centre show what it says.

        :param ports: as the centre shows them: ``id``, ``status``, ``admin_state_up``, perhaps ``trunk_details``
        :returns: what the centre shows now, by central id of ports that have a copy in the pod
        :raises UnavailableError: pod or centre do not answer
        """
        return (await self._learn(pod, ports, deadline)).shown

    async def _learn(self, pod: Pod, ports: Sequence[Body], deadline: Deadline) -> "_Learnt":
        copies = await self._reach.routings.by_central(Kind.PORT, [text(port, "id") for port in ports], pod.id)
        present = await self._present(pod, "/v2.0/ports", "ports", copies.values(), deadline)
        await self._write(copies, present)
        trunks = await self._learn_trunks(pod, ports, deadline)
        found = _Learnt()
        for port in ports:
            copy = copies.get(text(port, "id"))
            if copy is None or (body := present.get(str(copy.pod_resource_id))) is None:
                continue
            status, trunk = shown(port, said(body)), trunks.get(copy.central_id)
            found.shown[copy.central_id] = status
            # Nobody waits for a port that is switched off.
            if port.get("admin_state_up") and (status not in _SETTLED or (trunk and trunk.there not in _SETTLED)):
                found.awaited.add(copy.central_id)
            if text(port, "status") != status or (trunk and trunk.there != trunk.here):
                await self._show(copy.central_id, deadline)
        return found

    async def _learn_trunks(self, pod: Pod, ports: Sequence[Body], deadline: Deadline) -> "dict[str, _Trunk]":
        """Write down what the pod says of trunks; what both say, by the parent's id."""
        parents = {trunk_id: text(port, "id") for port in ports if (trunk_id := _trunk_id(port))}
        copies = await self._reach.routings.by_central(Kind.TRUNK, parents, pod.id) if parents else {}
        if not copies:
            return {}
        present = await self._present(pod, TRUNKS, "trunks", copies.values(), deadline)
        await self._write(copies, present)
        filters = {"id": list(copies), "fields": ("id", "status")}
        central = await collect(self._reach.central.networking, TRUNKS, "trunks", deadline, filters)
        return {
            parents[text(trunk, "id")]: _Trunk(here=text(trunk, "status"), there=said(body))
            for trunk in central
            if (body := present.get(str(copies[text(trunk, "id")].pod_resource_id))) is not None
        }

    async def agree(self, run: JobRun) -> Report | None:
        """Job body: look at what is awaited in a pod.

        :raises RetryLaterError: nothing of it is settled yet
        """
        pod = await self._reach.registry.get(run.pod_id)
        if pod is None:
            return None
        if pod.state is PodState.DISABLED:
            raise RetryLaterError("The pod is not asked for now.", after_s=_DISABLED_S)
        wishes = {key: float(str(since)) for key, since in run.payload.items() if _kind(key) in _STEPS}
        ports = {key: await self._ports_of(pod, key) for key in wishes}
        found = await self._learn_all(pod, {one for ids in ports.values() for one in ids}, run.deadline)
        now = time.time()
        left = {
            key: since for key, since in wishes.items() if _is_open(key, now - since, found.awaited & set(ports[key]))
        }
        if left:
            after_s = min(_pause(key, since, now) for key, since in left.items())
            if left == wishes:
                raise RetryLaterError("Ports are not plugged in yet.", after_s=after_s)
            await self._reach.queue.append(
                JobType.PORT_STATUS, pod.id, NOBODY, pod_id=pod.id, payload=left, delay_s=after_s
            )
        return {"statuses": found.shown} if found.shown else None

    async def _ports_of(self, pod: Pod, key: str) -> list[str]:
        kind, _, central_id = key.partition("/")
        if kind == PORT:
            return [central_id]
        return [copy.central_id for copy in await self._reach.routings.ports_of_server(central_id, pod.id)]

    async def _learn_all(self, pod: Pod, port_ids: Iterable[str], deadline: Deadline) -> "_Learnt":
        """Ask about all of them, and about sub-ports of trunks whose parents are among them.

        A parent is awaited as long as one of its sub-ports is.
        """
        found = _Learnt()
        wanted, seen = sorted(port_ids), set[str]()
        parents: dict[str, str] = {}
        while wanted:
            asked, wanted = wanted[:_IDS], wanted[_IDS:]
            seen |= set(asked)
            filters = {"id": asked, "fields": _CENTRAL}
            ports = await self._reach.central.ports(filters, deadline=deadline)
            learnt = await self._learn(pod, ports, deadline)
            found.shown |= learnt.shown
            found.awaited |= learnt.awaited | {parents[one] for one in learnt.awaited if one in parents}
            parents |= {one: text(port, "id") for port in ports for one in _sub_ports(port)}
            wanted += sorted(parents.keys() - seen - set(wanted))
        return found

    async def _present(
        self, pod: Pod, path: str, key: str, copies: Iterable[Routing], deadline: Deadline
    ) -> dict[str, Body]:
        ids = [str(copy.pod_resource_id) for copy in copies]
        if not ids:
            return {}
        fields = _FIELDS if key == "ports" else ("id", "status")
        found = await collect(self._reach.network(pod), path, key, deadline, {"id": ids, "fields": fields})
        return {text(body, "id"): body for body in found}

    async def _write(self, copies: Mapping[str, Routing], present: Mapping[str, Body]) -> None:
        """Write down what is new. DOWN, which is shown of what nobody wrote down, is not: somebody else may have heard
        of something newer meanwhile.
        """
        for copy in copies.values():
            body = present.get(str(copy.pod_resource_id))
            if body is not None and copy.details.get(STATUS, DOWN) != (status := said(body)):
                await self._reach.routings.update(copy.id, details={STATUS: status})

    async def _show(self, port_id: str, deadline: Deadline) -> None:
        """An update of nothing. One that the centre refuses keeps no other port waiting: a sweep finds it again."""
        path = f"/v2.0/ports/{port_id}"
        try:
            await self._reach.central.networking.put(path, body={"port": {}}, deadline=deadline, ok=(404,))
        except UpstreamStatusError as error:
            LOG.warning("the centre does not take the status of port %s: %s", port_id, error)


@dataclass(slots=True)
class _Learnt:
    """Statuses by central id of ports, and the ports that are on their way still."""

    shown: dict[str, str] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trunk:
    """The status of a trunk at the centre and in the pod."""

    here: str
    there: str


def _kind(key: str) -> str:
    return key.partition("/")[0]


def _is_open(key: str, waited_s: float, awaited_ports: Collection[str]) -> bool:
    """Whether to look again."""
    kind = _kind(key)
    return waited_s <= _PATIENCE_S[kind] and (kind == CHANGED or bool(awaited_ports))


def _pause(key: str, since: float, now: float) -> float:
    return max(SOON_S, (now - since) * _STEPS[_kind(key)])


def _trunk_id(port: Body) -> str:
    details = port.get("trunk_details")
    return text(details, "trunk_id") if isinstance(details, Mapping) else ""


def _sub_ports(port: Body) -> set[str]:
    details = port.get("trunk_details")
    return {text(row, "port_id") for row in rows(details, "sub_ports")} if isinstance(details, Mapping) else set()
