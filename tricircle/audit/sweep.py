# SPDX-License-Identifier: Apache-2.0
"""Does everything in one pod agree, and what is done where it does not?

A job (``JobType.SWEEP``) goes through the pod kind by kind: what runs there, then copies in the order in which one
needs the other, then what the centre says about ports in the pod. Each kind is read to the end before anything counts
as missing; one that cannot be read to the end concludes nothing and is named in the report, the others go on, and
another sweep is filed. When not one kind could be read, the pod is away: the job waits like any other.

Memory holds one page, eight bytes for each object of the pod, and the few flavors and types.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from tricircle.audit import compare, ports
from tricircle.audit.centre import Centre
from tricircle.audit.expectations import Expectations
from tricircle.audit.findings import NOBODY, Finding, Holding, Part, What
from tricircle.audit.inventory import OWNED, Inventory
from tricircle.audit.repair import Repair
from tricircle.audit.seen import Seen
from tricircle.copies.bodies import subnet_ids, text
from tricircle.copies.image.glances import Glances
from tricircle.copies.origins import SUB_PORT_OWNER
from tricircle.copies.reach import Reach
from tricircle.errors import (
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    TricircleError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.observe.events import SweepIncomplete, happened

LOG = logging.getLogger(__name__)

#: What makes a part incomplete and is likely to be over soon. Anything else is a defect, and may be there again.
_FAILURES = (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError, UpstreamStatusError)
_COPIED = (
    *(Kind.QOS_POLICY, Kind.NETWORK, Kind.SUBNET, Kind.SECURITY_GROUP, Kind.ADDRESS_GROUP, Kind.PORT, Kind.TRUNK),
    *(Kind.FLAVOR, Kind.VOLUME_TYPE, Kind.IMAGE),
)
_CENTRE = "central_ports"
#: Seconds until a pod of which a part could not be read is swept again.
_AGAIN_S = 120.0


class Sweeps:
    """The job body of ``JobType.SWEEP``; the resource is the pod's id.

    :param in_flight_s: longer than any request: what is younger may be the work of one that is under way
    """

    def __init__(self, reach: Reach, inventory: Inventory, *, in_flight_s: float) -> None:
        self._reach = reach
        self._inventory = inventory
        self._in_flight_s = in_flight_s

    async def agree(self, run: JobRun) -> Mapping[str, object]:
        """Job body: look at the whole pod, repair what differs; the report says what that was.

        :raises UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError, UpstreamStatusError: nothing of the pod
            could be read
        """
        pods = {pod.id: pod for pod in await self._reach.registry.pods()}
        pod = next((known for id_, known in pods.items() if id_ == run.resource_id), None)
        if pod is None or pod.is_central or pod.state is PodState.DISABLED:
            return {"skipped": "there is no such pod" if pod is None else "the pod is not asked for now"}
        tour = _Tour(self._reach, self._inventory, pod, run, in_flight_s=self._in_flight_s)
        return await tour.go()


class _Tour:
    """One sweep of one pod."""

    def __init__(self, reach: Reach, inventory: Inventory, pod: Pod, run: JobRun, *, in_flight_s: float) -> None:
        self._reach = reach
        self._inventory = inventory
        self._pod = pod
        self._deadline = run.deadline
        self._in_flight_s = in_flight_s
        self._centre = Centre(reach.clients, reach.registry)
        self._repair = Repair(reach, inventory, pod, run.deadline)
        self._seen: dict[str, int] = {}
        self._pages = 0
        self._incomplete: dict[str, str] = {}
        self._last_error: TricircleError | None = None
        self._alive: Seen | None = None
        self._expectations = Expectations(reach, self._centre, pod, run.deadline)

    async def go(self) -> Mapping[str, object]:
        """Everything, in order; the report."""
        for kind in OWNED:
            await self._part(kind.value, partial(self._owned, kind))
        await self._part(Part.RBAC_POLICY.value, self._read_shares)
        for kind in _COPIED:
            await self._part(kind.value, partial(self._copies, kind))
        await self._part(Kind.SERVER_GROUP.value, self._server_groups)
        await self._part(Kind.KEYPAIR.value, partial(self._attempts, Kind.KEYPAIR))
        if self._alive is not None:
            await self._part(_CENTRE, self._ports_at_centre)
        if self._last_error is not None and not self._seen:
            raise self._last_error
        if self._last_error is not None:
            await self._reach.queue.append(JobType.SWEEP, self._pod.id, NOBODY, pod_id=self._pod.id, delay_s=_AGAIN_S)
        return self._report()

    def _report(self) -> Mapping[str, object]:
        found = sorted(self._repair.counts.items())
        return {
            "pod": self._pod.name,
            "seen": self._seen,
            "pages": self._pages,
            "found": [{"what": what, "kind": kind, "count": count} for (what, kind), count in found],
            "incomplete": self._incomplete,
            "named": self._repair.named,
        }

    async def _part(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except _FAILURES as error:
            self._last_error = error
            self._ended(name, f"{error.code}: {error.message}")
        except Exception as error:
            # A defect of ours, or a pod whose answers nobody thought of: the other parts go on.
            LOG.exception("%s of pod %s could not be looked at to the end", name, self._pod.name)
            self._ended(name, f"internal: {type(error).__name__}: {error}")

    def _ended(self, name: str, reason: str) -> None:
        self._incomplete[name] = reason[:200]
        happened(SweepIncomplete(pod=self._pod.name, part=name, reason=self._incomplete[name]))

    # --- what runs -----------------------------------------------------------------------------------------------

    async def _owned(self, kind: Kind) -> None:
        if not self._inventory.holds(self._pod, kind):
            return
        started, seen = await self._reach.routings.now(), Seen()
        async for page in self._inventory.pages(self._pod, kind, deadline=self._deadline):
            self._pages += 1
            seen.add(holding.pod_resource_id for holding in page)
            held = page if kind is not Kind.ATTACHMENT else await self._with_projects(page)
            rows_there = await self._rows(kind, page)
            await self._act(compare.unwritten(held, rows_there, kind))
        self._seen[kind.value] = len(seen)
        if kind is Kind.SERVER:
            self._alive = seen
        await self._absent(kind, seen, started)

    async def _with_projects(self, page: Sequence[Holding]) -> list[Holding]:
        """Attachments do not say whose they are: they are their volume's owner's."""
        volume_ids = [text(holding.body, "volume_id") for holding in page]
        volumes = await self._reach.routings.by_pod_resource(self._pod.id, Kind.VOLUME, volume_ids)
        owners = {volume_id: volume.project_id for volume_id, volume in volumes.items()}
        return [replace(one, project_id=owners.get(text(one.body, "volume_id"))) for one in page]

    async def _server_groups(self) -> None:
        """Only their owners' boots make them; a row whose group is gone is forgotten, and the next boot makes it. Those
        with our mark of which the centre knows nothing any more go.
        """
        if not self._inventory.holds(self._pod, Kind.SERVER_GROUP):
            return
        started, seen = await self._reach.routings.now(), Seen()
        async for page in self._inventory.pages(self._pod, Kind.SERVER_GROUP, deadline=self._deadline):
            self._pages += 1
            seen.add(holding.pod_resource_id for holding in page)
            await self._compare(Kind.SERVER_GROUP, page, started)
        self._seen[Kind.SERVER_GROUP.value] = len(seen)
        await self._absent(Kind.SERVER_GROUP, seen, started)
        # Before: younger ones were written by this sweep, with a job.
        await self._attempts(Kind.SERVER_GROUP, before=started)

    async def _absent(self, kind: Kind, seen: Seen, started: datetime) -> None:
        async for states in self._reach.routings.states(self._pod.id, kind, before=started):
            await self._act(compare.absent(states, seen))

    # --- copies --------------------------------------------------------------------------------------------------

    async def _read_shares(self) -> None:
        """Which networks are shared with whom, and with whom they should not be any more."""
        async for page in self._inventory.pages(self._pod, Part.RBAC_POLICY, deadline=self._deadline):
            self._pages += 1
            await self._expectations.shares.add(page)
        self._seen[Part.RBAC_POLICY.value] = len(self._expectations.shares.there)

    async def _copies(self, kind: Kind) -> None:
        if not self._inventory.holds(self._pod, kind):
            return
        if kind is Kind.IMAGE and not Glances(self._reach).is_own(self._pod):
            return
        if kind is Kind.NETWORK and Part.RBAC_POLICY.value not in self._seen:
            return  # what is shared is not known
        if kind is Kind.SUBNET:
            await self._expectations.read_slices()
        started, seen = await self._reach.routings.now(), Seen()
        async for page in self._inventory.pages(self._pod, kind, deadline=self._deadline):
            self._pages += 1
            seen.add(holding.pod_resource_id for holding in page)
            await self._compare(kind, page, started)
        self._seen[kind.value] = len(seen)
        async for states in self._reach.routings.states(self._pod.id, kind, before=started):
            missing = (replace(one, what=What.MISSING) for one in compare.absent(states, seen))
            begun = compare.unfetched(states) if kind is Kind.IMAGE else ()
            await self._act([*missing, *begun, *compare.attempts(states)])

    async def _attempts(self, kind: Kind, *, before: datetime | None = None) -> None:
        """Attempts that died: of a kind that no list shows, all that can be looked at."""
        before = before or await self._reach.routings.now()
        async for states in self._reach.routings.states(self._pod.id, kind, before=before):
            await self._act(compare.attempts(states))

    async def _compare(self, kind: Kind, page: Sequence[Holding], started: datetime) -> None:
        rows_there = await self._rows(kind, page)
        loose = [one for one in page if one.pod_resource_id not in rows_there]
        marks = [one.central_id for one in loose if one.central_id is not None]
        if kind is Kind.IMAGE:
            marks += [one.pod_resource_id for one in loose if one.body.get("instance_uuid")]
        others = await self._reach.routings.in_pod_by_central(kind, marks, self._pod.id) if marks else {}
        # Before the centre: a job that ends in between has written what it saw.
        awaited = await self._awaited() if kind in (Kind.PORT, Kind.TRUNK) else ()
        wanted = {*marks, *(row.central_id for row in rows_there.values())}
        central = await self._centre.originals(kind, wanted, deadline=self._deadline) if wanted else {}
        known = compare.Known(
            rows=rows_there, others=others, central=central, before=self._before(started), awaited=awaited
        )
        if kind is Kind.SECURITY_GROUP:
            self._expectations.name_groups(page)
        shape = await self._expectations.shape(kind, central, known.before, read=self._seen)
        await self._act(compare.copies(page, known, shape, kind))
        if kind is Kind.IMAGE and self._alive is not None:
            await self._act(compare.homeless(page, known, self._alive))
        if kind is Kind.PORT and self._alive is not None:
            await self._act(ports.let_go(page, known, self._alive))
        if kind in (Kind.PORT, Kind.TRUNK):
            await self._act(ports.statuses(page, known, self._pod.name))

    # --- what the centre says of the pod ---------------------------------------------------------------------------

    async def _ports_at_centre(self) -> None:
        started, alive = await self._reach.routings.now(), self._alive
        count, bound, sub_ports = 0, Seen(), Seen()
        async for page in self._centre.ports_of(self._pod.name, deadline=self._deadline):
            count += len(page)
            subnets = {one for port in page for one in subnet_ids(port)}
            copied = [text(port, "id") for port in page]
            bound.add(copied)
            old = [port for port in page if not compare.is_young(port, self._before(started))]
            sub_ports.add(text(port, "id") for port in old if text(port, "device_owner") == SUB_PORT_OWNER)
            await self._act(
                ports.at_centre(
                    page,
                    alive=alive if alive is not None else Seen(),
                    subnets=await self._reach.routings.in_pod_by_central(Kind.SUBNET, subnets, self._pod.id),
                    copies=await self._reach.routings.in_pod_by_central(Kind.PORT, copied, self._pod.id),
                    before=self._before(started),
                )
            )
        async for page in self._centre.claims(deadline=self._deadline):
            await self._act(ports.unbound(page, self._before(started)))
        if len(sub_ports):
            await self._sub_ports(sub_ports, bound, self._before(started))
        self._seen[_CENTRE] = count

    async def _sub_ports(self, sub_ports: Seen, bound: Seen, before: datetime) -> None:
        housed = Seen()
        async for trunks in self._centre.trunks(deadline=self._deadline):
            housed.add(port_id for trunk in trunks for port_id in ports.sub_ports_of(trunk))
            await self._act(ports.astray(trunks, sub_ports, bound))
        async for page in self._centre.ports_of(self._pod.name, owner=SUB_PORT_OWNER, deadline=self._deadline):
            await self._act(ports.loose(page, housed, before))

    # --- all -------------------------------------------------------------------------------------------------------

    def _before(self, started: datetime) -> datetime:
        return started - timedelta(seconds=self._in_flight_s)

    async def _awaited(self) -> Collection[str]:
        """What of the pod's ports jobs look at by themselves."""
        return await self._reach.queue.payload(JobType.PORT_STATUS, self._pod.id, self._pod.id)

    async def _rows(self, kind: Kind, page: Sequence[Holding]) -> dict[str, Routing]:
        ids = [holding.pod_resource_id for holding in page]
        return await self._reach.routings.by_pod_resource(self._pod.id, kind, ids)

    async def _act(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            await self._repair(finding)
