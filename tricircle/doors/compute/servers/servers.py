# SPDX-License-Identifier: Apache-2.0
"""What do we do ourselves when a server is made or deleted?"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tricircle.context import PodId
from tricircle.doors.compute.boots.boot import Boot, Made
from tricircle.doors.compute.boots.boot_request import BootRequest, parse
from tricircle.doors.compute.boots.checks import Checks, Parts, is_together
from tricircle.doors.compute.boots.choice import Choice
from tricircle.doors.compute.boots.devices import new_volumes
from tricircle.doors.compute.boots.group_pods import GroupPods
from tricircle.doors.compute.boots.launches import Launches
from tricircle.doors.compute.boots.order import Order
from tricircle.doors.compute.boots.places import Places
from tricircle.doors.compute.needs import JobFiles, ServerStorage
from tricircle.doors.compute.quotas.allowed import Allowed
from tricircle.doors.compute.quotas.group_limits import GroupLimits, reserved_as
from tricircle.doors.compute.quotas.quota import NOTHING, Quota
from tricircle.doors.compute.rehearsal import rehearse_boot
from tricircle.doors.compute.servers.down_cells import DownCells
from tricircle.doors.compute.servers.item_limits import ItemLimits
from tricircle.doors.compute.together import caught, value
from tricircle.errors import TricircleError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.device import NewVolume
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.row import Row

LOG = logging.getLogger(__name__)

#: How often a pod is chosen for a server that must be with others, when those begin elsewhere meanwhile.
_CHOICES = 4
#: Seconds until the worker looks whether a deleted server's ports are free.
_SOON_S = 1.0


class Servers:
    """``POST /servers`` and ``DELETE /servers/{server_id}``."""

    def __init__(
        self,
        *,
        carrier: Carrier,
        checks: Checks,
        quota: Quota,
        group_limits: GroupLimits,
        group_pods: GroupPods,
        items: ItemLimits,
        storage: ServerStorage,
        places: Places,
        choice: Choice,
        boot: Boot,
        launches: Launches,
    ) -> None:
        self._carrier = carrier
        self._checks = checks
        self._quota = quota
        self._group_limits = group_limits
        self._group_pods = group_pods
        self._items = items
        self._storage = storage
        self._places = places
        self._choice = choice
        self._boot = boot
        self._launches = launches

    async def create(self, request: Request) -> Answer:
        """Boot a server: nothing is made before everything that the request says is known to be good."""
        document = await request.json()
        with _timed(request, "rehearse"):
            refusal = await rehearse_boot(self._carrier, request, document)
        if refusal is not None:
            return refusal
        wanted = await self._places.confined(request, parse(document))
        with _timed(request, "check"):
            parts = await self._checks.parts(request, wanted)
        for _ in range(_CHOICES):
            answer = await self._created(request, wanted, parts)
            if isinstance(answer, Answer):
                return answer
            parts = parts.beside(answer)
        raise UnavailableError("Servers of the group are being made in several places. Please try again later.")

    async def _created(self, request: Request, wanted: BootRequest, parts: Parts) -> Answer | frozenset[PodId]:
        """The answer; or the pods where others began meanwhile with whom the server must be."""
        context = request.context
        with _timed(request, "place"):
            allowed, pod = await self._limits_and_pod(request, wanted, parts)
        is_counted = allowed.group_members >= 0 or is_together(parts.server_group)
        group_id = str(parts.server_group["id"]) if parts.server_group is not None and is_counted else None
        with _timed(request, "reserve"):
            counts = wanted.min_count, wanted.max_count
            beside = NOTHING if group_id is None else reserved_as(group_id, context)
            share = await self._quota.take(context, pod, parts.flavor, counts, allowed, beside=beside)
        async with share.hold:
            if group_id is not None and is_together(parts.server_group):
                others = await self._group_pods.of(request, group_id, share.hold)
                if others and pod.id not in others:
                    return others
            with _timed(request, "reserve"):
                volumes = _volumes(parts)
                taken = await self._storage.take(context, pod, volumes, (wanted.min_count, share.count))
            async with taken:
                share = share.beside(taken)
                if group_id is not None:
                    with _timed(request, "reserve"):
                        await self._group_limits.check(request, group_id, share, allowed.group_members)
                order = Order(request=request, wanted=wanted, parts=parts, pod=pod, share=share, volumes=volumes)
                made = await self._boot.run(order)
        return made if isinstance(made, Answer) else await self._answer(request, pod, wanted, made)

    async def _limits_and_pod(self, request: Request, wanted: BootRequest, parts: Parts) -> tuple[Allowed, Pod]:
        """What is allowed, also in a group, and where. Reserving comes after both: a reservation names its pod."""
        context = request.context
        async with asyncio.TaskGroup() as group:
            limits = group.create_task(caught(self._quota.allowed(context)))
            items = group.create_task(caught(self._items.check_server(context, wanted.server)))
            pod = group.create_task(
                caught(
                    self._choice.pod(
                        replace(wanted, devices=parts.devices),
                        parts.flavor,
                        context,
                        held_by=parts.held_by,
                        version=request.microversion,
                        company=parts.company,
                        deadline=context.deadline,
                    )
                )
            )
        value(items.result())
        return value(limits.result()), value(pod.result())

    async def _answer(self, request: Request, pod: Pod, wanted: BootRequest, made: Made) -> Answer:
        if wanted.wants_reservation_id:
            made.reply.headers = [pair for pair in made.reply.headers if pair[0] != b"location"]
            launched = (made.server_id, *made.others)
            body: dict[str, object] = {"reservation_id": await self._launches.reserved(request.context, pod, launched)}
            return await self._carrier.answer_json(request, pod, made.reply, body)
        body = made.reply.json()
        if isinstance(server := body.get("server"), dict):
            # Nova repeats what was asked for; it was not passed on, because the ports carry the groups.
            server["security_groups"] = wanted.server.get("security_groups", [{"name": "default"}])
        return await self._carrier.answer_json(request, pod, made.reply, body)


def _volumes(parts: Parts) -> list[NewVolume]:
    """The volumes that the pod makes for one of the servers."""
    return new_volumes(parts.devices, {asked: str(found["name"]) for asked, found in parts.volume_types.items()})


@contextmanager
def _timed(request: Request, stage: str) -> Iterator[None]:
    """Note how long a stage took, for ``Server-Timing``."""
    started = time.perf_counter()
    try:
        yield
    finally:
        request.note(stage, started)


class ServerEnds:
    """Whatever ends a server: its ports are looked after by a job.

    The job is filed before the call as well, for later, in case this process does not live to file it afterwards.

    :param in_flight_s: seconds after which no request is under way any more: a job that came earlier would see the
        server as it was before the call
    """

    def __init__(self, *, carrier: Carrier, jobs: JobFiles, down: DownCells, in_flight_s: float) -> None:
        self._carrier = carrier
        self._jobs = jobs
        self._down = down
        self._in_flight_s = in_flight_s

    async def end(self, request: Request, row: Row) -> Answer:
        """Carry out ``row`` (a call that ends the server of the path, or takes something from it)."""
        server_id = request.params["server_id"]
        located = await self._carrier.locate(Kind.SERVER, server_id, request.context)
        project_id = located.routing.project_id
        for_pod = located.pod.id
        early = await self._jobs.append(
            JobType.SERVER_PORTS, server_id, project_id, pod_id=for_pod, delay_s=self._in_flight_s
        )
        answer = await self._carrier.route(request, row)
        if answer.status < 300:
            if request.method == "DELETE" and request.path.endswith("/" + server_id):
                await self._down.note_end(located)
            soon = self._jobs.append(JobType.SERVER_PORTS, server_id, project_id, pod_id=for_pod, delay_s=_SOON_S)
            # The pod has done it, whatever becomes of the database: the other job comes a little later.
            said: object = await caught(soon)
            if not isinstance(said, TricircleError):
                said = await caught(self._jobs.withdraw(early))
            if isinstance(said, TricircleError):
                LOG.warning("ports of server %s are looked after later: %s", server_id, said)
        return answer
