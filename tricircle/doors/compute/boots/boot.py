# SPDX-License-Identifier: Apache-2.0
"""How does a boot come about in the chosen pod, and how is it as if it had never been when the pod refuses?

The ports at the centre come first: what is known by then to be impossible is refused before the pod is touched. Then
copies of all that the boot names are made at once, and the pod is asked with the user's own token. What is not sent or
refused is undone. What was sent without an answer keeps its ports until their claim's job has seen what came of it.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tricircle.copies.vanished import NAMES_UNKNOWN
from tricircle.doors.compute.boots.boot_copies import BootCopies, forget_vanished, named
from tricircle.doors.compute.boots.boot_request import PodNaming, hints_of, pod_document
from tricircle.doors.compute.boots.host_queries import remembered
from tricircle.doors.compute.boots.nic_ports import Claim, NicPorts
from tricircle.doors.compute.boots.order import Order
from tricircle.doors.compute.needs import JobFiles, KnownRoutings
from tricircle.doors.compute.pod_faults import check_answered, refused, rename
from tricircle.doors.compute.servers.down_cells import booted
from tricircle.doors.compute.together import caught, settled, unsent, value, with_own_time
from tricircle.errors import MAY_HAVE_HAPPENED, BadUpstreamAnswerError, TricircleError
from tricircle.http import microversions
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import ASKED_AZ, Kind
from tricircle.road.carrier import Carrier
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

#: So many servers of one call are asked for at once.
_AT_ONCE = 8
#: ``networks: none`` exists from here on.
_NONE_VERSION = (2, 37)
#: From here on a server's description is not its name unless the request says so.
_DESCRIPTION_VERSION = (2, 19)


@dataclass(frozen=True, slots=True)
class Made:
    """A server that a pod has accepted.

    :ivar others: those that were made after it by the same call
    """

    server_id: str
    reply: Reply
    others: tuple[str, ...] = ()


class Boot:
    """Makes servers in pods."""

    def __init__(
        self,
        *,
        carrier: Carrier,
        copies: BootCopies,
        ports: NicPorts,
        routings: KnownRoutings,
        jobs: JobFiles,
    ) -> None:
        self._carrier = carrier
        self._copies = copies
        self._ports = ports
        self._routings = routings
        self._jobs = jobs

    async def run(self, order: Order) -> Made | Answer:
        """The first server that was made, or the pod's refusal.

        :raises UnavailableError: not sent; nothing is left behind
        :raises OutcomeUnknownError: sent without an answer
        """
        started = time.perf_counter()
        naming, claim = await unsent(self._prepare(order))
        order.request.timings["copies"] = (time.perf_counter() - started) * 1000
        outcome = await caught(self._one(order, naming, claim, 0))
        if (
            isinstance(outcome, Reply)
            and outcome.status in NAMES_UNKNOWN
            and await forget_vanished(self._copies, order)
        ):
            # An operator had deleted in the pod what the boot names: it is made anew.
            naming, claim = await unsent(self._prepare(order))
            outcome = await caught(self._one(order, naming, claim, 0))
        made, failed = await self._others(order, naming, outcome)
        if failed is None:
            return _first(made)
        if len(made) >= order.wanted.min_count:
            LOG.info("%d of %d servers were made", len(made), order.count)
            return _first(made)
        await self._take_back(order, made)
        if isinstance(failed, Reply):
            return await refused(self._carrier, order.request, order.pod, failed)
        raise failed

    async def _prepare(self, order: Order) -> tuple[PodNaming, Claim]:
        """Copies, binding and the ports of the first server; the ports are released if anything fails."""
        claim = await self._claimed(order)
        async with asyncio.TaskGroup() as group:
            naming = group.create_task(caught(named(self._copies, order)))
            ports = group.create_task(caught(self._ports.realise(claim, order.deadline)))
        outcomes = naming.result(), ports.result()
        if any(isinstance(outcome, TricircleError) for outcome in outcomes):
            await self._ports.release(claim)
        value(outcomes[1])
        return value(outcomes[0]), claim

    async def _claimed(self, order: Order) -> Claim:
        zone = order.wanted.zone.name
        return await self._ports.claim(order.context, order.pod, order.parts.nics, order.deadline, asked_az=zone)

    async def _realised(self, order: Order) -> Claim:
        claim = await self._claimed(order)
        try:
            await self._ports.realise(claim, order.deadline)
        except TricircleError:
            await self._ports.release(claim)
            raise
        return claim

    async def _others(
        self, order: Order, naming: PodNaming, first: Made | Reply | TricircleError
    ) -> tuple[list[Made], Reply | TricircleError | None]:
        """Those that were made of all servers, some at once when the first was; and what ended it before the last.

        Of several failures the one that counts is of a server that may have come to be.
        """
        made: list[Made] = []
        outcomes = [first]
        while True:
            made += [one for one in outcomes if isinstance(one, Made)]
            failed = [one for one in outcomes if not isinstance(one, Made)]
            if failed:
                return made, max(failed, key=lambda one: isinstance(one, MAY_HAVE_HAPPENED))
            if len(made) == order.count:
                return made, None
            numbers = range(len(made), min(len(made) + _AT_ONCE, order.count))
            outcomes = await settled([self._another(order, naming, number) for number in numbers])

    async def _another(self, order: Order, naming: PodNaming, index: int) -> Made | Reply:
        return await self._one(order, naming, await self._realised(order), index)

    async def _one(self, order: Order, naming: PodNaming, claim: Claim, index: int) -> Made | Reply:
        """Ask the pod for one server. A reply is its refusal; the ports are released then."""
        name = f"{order.wanted.name}-{index + 1}" if order.count > 1 else None
        naming = replace(naming, networks=claim.pod_networks() or "none", name=name)
        try:
            document = pod_document(order.wanted, naming, order.request.microversion)
            request, body = _versioned(order.request, document, has_nics=bool(claim.ports))
            reply = await order.share.send(self._sent(request, order.pod, body))
        except MAY_HAVE_HAPPENED:
            raise  # a server may have come to be, and it has the ports: the claim's job sees what came of it
        except TricircleError:
            await self._ports.release(claim)
            raise
        if reply.status >= 300:
            rename(reply, claim.names())
            await self._ports.release(claim)
            return reply
        if request is not order.request:
            # It was sent at another version than the client's: the road names the client's instead.
            reply.headers = [pair for pair in reply.headers if pair[0] not in microversions.HEADERS]
        server_id = _server_id(reply)
        await self._note(order, server_id)
        await self._ports.give(claim, server_id, order.deadline)
        return Made(server_id, reply)

    async def _sent(self, request: Request, pod: Pod, body: dict[str, object]) -> Reply:
        reply = await self._carrier.to_pod(request, pod, method="POST", path="/servers", query=b"", body=body)
        check_answered(reply)
        return reply

    async def _note(self, order: Order, server_id: str) -> None:
        """Write the routing. Without it the server is looked for in the pods, so a database that is away fails no
        boot."""
        parts, wanted = order.parts, order.wanted
        details = dict(booted(parts.flavor, wanted.server.get("imageRef"), order.context, wanted.server_group_id))
        details |= remembered(hints_of(wanted.document), wanted.shown_query)
        if wanted.zone.name:
            details[ASKED_AZ] = wanted.zone.name
        try:
            await self._routings.record(Kind.SERVER, server_id, order.pod.id, order.context.project_id, details=details)
        except TricircleError as error:
            LOG.warning("server %s has no routing: %s", server_id, error)

    async def _take_back(self, order: Order, made: list[Made]) -> None:
        """Delete servers of a call that could not make as many as were asked for at least."""
        request = with_own_time(order.request)
        for one in made:
            job = self._jobs.append(
                JobType.SERVER_PORTS, one.server_id, order.context.project_id, pod_id=order.pod.id, delay_s=5
            )
            path = f"/servers/{one.server_id}"
            deletion = self._carrier.to_pod(request, order.pod, method="DELETE", path=path, query=b"", body=b"")
            # Neither waits for the other: without the job the server goes all the same.
            for outcome in await settled([job, deletion]):
                if isinstance(outcome, TricircleError):
                    LOG.warning("server %s of an unfinished call may be left: %s", one.server_id, outcome)


def _first(made: list[Made]) -> Made:
    return replace(made[0], others=tuple(one.server_id for one in made[1:]))


def _versioned(request: Request, body: dict[str, object], *, has_nics: bool) -> tuple[Request, dict[str, object]]:
    """A server without a network must say so, or the pod picks one of its own; old versions have no word for that.

    Such a boot is sent at the first version that has: between the two, only the default description differs.
    """
    version = request.microversion or (2, 0)
    if has_nics or version >= _NONE_VERSION:
        return request, body
    server = body["server"]
    if version < _DESCRIPTION_VERSION and isinstance(server, dict):
        body = {**body, "server": {**server, "description": server.get("name")}}
    return replace(request, root="/v2.1", microversion=_NONE_VERSION), body


def _server_id(reply: Reply) -> str:
    server = reply.json().get("server")
    if not isinstance(server, Mapping) or not isinstance(server.get("id"), str):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return str(server["id"])
