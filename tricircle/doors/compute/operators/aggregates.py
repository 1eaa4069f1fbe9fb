# SPDX-License-Identifier: Apache-2.0
"""What happens to aggregates, which are written down at the centre while their hosts are pods'?

Name, id and metadata are the centre's. A pod's own aggregates are its operator's affair and are not shown. What pods
may refuse (an AZ of a host with servers) is done there first; then the centre writes it down.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from tricircle.doors.compute.needs import KnownPods
from tricircle.doors.compute.operators.aggregate_copies import (
    PATH,
    ZONE,
    AggregateCopies,
    Body,
    Copy,
    copies_in,
    hosts_in,
    metadata_in,
)
from tricircle.doors.compute.operators.machines import Machine, Machines
from tricircle.doors.compute.together import with_own_time
from tricircle.doors.compute.zones import PREFIX, zone_in
from tricircle.errors import BadUpstreamAnswerError, ConflictError, InvalidRequestError, NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier
from tricircle.upstream.reply import Reply

#: An id that no aggregate has: a call about it is refused for its form, or because there is none.
_NOBODY = f"{PATH}/0"
_UNKNOWABLE = "It cannot be known now which hosts are in this aggregate, because an availability zone does not answer."
_Change = Callable[[Copy], Awaitable[Reply]]


class Aggregates:
    """``/os-aggregates`` and everything below."""

    def __init__(self, *, carrier: Carrier, copies: AggregateCopies, machines: Machines, pods: KnownPods) -> None:
        self._carrier = carrier
        self._copies = copies
        self._machines = machines
        self._pods = pods

    async def index(self, request: Request) -> Answer:
        """All aggregates of the centre with the hosts that they have in all pods."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = answer.object()
        aggregates = body.get("aggregates")
        return await self._with_hosts(request, answer, body, aggregates if isinstance(aggregates, list) else [])

    async def show(self, request: Request) -> Answer:
        """One aggregate with its hosts."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = answer.object()
        return await self._with_hosts(request, answer, body, [body.get("aggregate")])

    async def update(self, request: Request) -> Answer:
        """A new name, which only the centre knows, or a new AZ."""
        document = await request.json()
        wanted = document.get("aggregate")
        if not isinstance(wanted, Mapping) or not isinstance(wanted.get(ZONE), str):
            return await self.show(request)
        zone = str(wanted[ZONE])

        async def change(copy: Copy) -> Reply:
            return await self._rezone(request, copy, {ZONE: zone})

        return await self._changed(request, document, change, zone)

    async def delete(self, request: Request) -> Answer:
        """Delete an aggregate without hosts."""
        copies = await self._own_copies(request)
        if any(copy.hosts for copy in copies):
            # Nova's words, the verb included.
            aggregate_id = request.params["aggregate_id"]
            text = f"Cannot remove host from aggregate {aggregate_id}. Reason: Host aggregate is not empty."
            raise InvalidRequestError(text)
        answer = await self._carrier.central(request)
        if answer.status < 300:
            for copy in copies:
                await self._copies.remove(request, copy)
        return answer

    async def act(self, request: Request) -> Answer:
        """Add or remove a host, or set metadata. What is no object Nova refuses in more ways than one."""
        try:
            document = await request.json()
        except InvalidRequestError:
            return await self._carrier.central(request)
        action = next(iter(document), "")
        content = document.get(action)
        if action == "set_metadata" and isinstance(content, Mapping):
            return await self._set_metadata(request, document, content)
        if action in ("add_host", "remove_host") and isinstance(content, Mapping):
            return await self._change_host(request, document, action, str(content.get("host", "")))
        return await self._carrier.central(request)

    async def images(self, request: Request) -> Answer:
        """Let the hosts of an aggregate fetch images: each pod its own."""
        copies = [copy for copy in await self._own_copies(request) if copy.hosts]
        if not copies:
            return await self._carrier.central(request)
        document = await request.json()
        if (refusal := await self._rehearse(request, f"{_NOBODY}/images", document)) is not None:
            return refusal
        for copy in copies:
            path = f"{copy.path}/images"
            reply = await self._carrier.to_pod(request, copy.pod, path=path, body=document)
            if reply.status >= 300:
                return await self._carrier.answer(request, copy.pod, reply)
        return await self._carrier.answer(request, copies[0].pod, reply)

    async def _set_metadata(self, request: Request, document: Body, content: Body) -> Answer:
        metadata = content.get("metadata")
        wanted = metadata if isinstance(metadata, Mapping) else {}
        zone = wanted.get(ZONE)

        async def change(copy: Copy) -> Reply:
            return await self._rezone(request, copy, wanted)

        return await self._changed(request, document, change, str(zone) if zone else None)

    async def _rezone(self, request: Request, copy: Copy, metadata: Body) -> Reply:
        return await self._copies.act(request, copy, "set_metadata", {"metadata": metadata_in(copy.pod, metadata)})

    async def _changed(self, request: Request, document: Body, change: _Change, zone: str | None) -> Answer:
        """Change the copies and then the centre; when one refuses, those before it get their AZ back."""
        copies = await self._own_copies(request)
        if copies:
            where = request.path[len(request.root) :].replace(f"/{request.params['aggregate_id']}", "/0", 1)
            if (refusal := await self._rehearse(request, where, document)) is not None:
                return refusal
        for copy in copies:
            self._check_zone(copy, zone)
        done: list[Copy] = []
        for copy in copies:
            reply = await change(copy)
            if reply.status >= 300:
                await self._restore(request, done)
                return await self._carrier.answer(request, copy.pod, reply)
            done.append(copy)
        answer = await self._carrier.central(request)
        if answer.status >= 300:
            await self._restore(request, done)
            return answer
        body = answer.object()
        return await self._with_hosts(request, answer, body, [body.get("aggregate")])

    @staticmethod
    def _check_zone(copy: Copy, zone: str | None) -> None:
        """As in Nova, an aggregate cannot leave an AZ of its own while it has hosts."""
        if zone is None or not copy.hosts or not copy.zone or zone_in(copy.pod, zone):
            return
        reason = f"One or more hosts already in availability zone(s) ['{copy.zone.removeprefix(PREFIX)}']"
        raise InvalidRequestError(f"Cannot update aggregate {copy.aggregate_id}. Reason: {reason}.")

    async def _restore(self, request: Request, done: Sequence[Copy]) -> None:
        own = with_own_time(request)
        for copy in done:
            if copy.zone is not None:
                await self._copies.act(own, copy, "set_metadata", {"metadata": {ZONE: copy.zone}})

    async def _change_host(self, request: Request, document: Body, action: str, host: str) -> Answer:
        aggregate_id = request.params["aggregate_id"]
        # An aggregate that nobody has: the centre may know a host (docs/decisions/0048), which gets into none.
        if (refusal := await self._rehearse(request, f"{_NOBODY}/action", document)) is not None:
            return refusal
        answer = await self._carrier.central(request, method="GET", path=f"{PATH}/{aggregate_id}", query=b"")
        if answer.status != 200:
            return answer
        body = answer.object()
        aggregate = body.get("aggregate")
        if not isinstance(aggregate, dict):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        machine = await self._machines.find(request, host)
        if action == "add_host":
            refused = await self._add(request, aggregate, machine, host)
        else:
            refused = await self._remove(request, aggregate_id, machine, host)
        if refused is not None:
            return refused
        return await self._with_hosts(request, answer, body, [aggregate])

    async def _add(self, request: Request, aggregate: Body, machine: Machine | None, host: str) -> Answer | None:
        if machine is None:
            raise NotFoundError(f"Compute host {host} could not be found.")
        if aggregate.get(ZONE) in set(await self._pods.az_names()) - {machine.pod.az_name}:
            reason = f"One or more hosts already in availability zone(s) ['{machine.pod.az_name}']"
            raise ConflictError(f"Cannot add host to aggregate {aggregate['id']}. Reason: {reason}.")
        copy = await self._copies.ensure(request, machine.pod, aggregate)
        if isinstance(copy, Reply):
            return await self._carrier.answer(request, machine.pod, copy)
        reply = await self._copies.act(request, copy, "add_host", {"host": machine.name})
        if reply.status < 300:
            return None
        if not copy.hosts:
            await self._copies.remove(with_own_time(request), copy)
        return await self._carrier.answer(request, machine.pod, reply)

    async def _remove(self, request: Request, aggregate_id: str, machine: Machine | None, host: str) -> Answer | None:
        not_there = NotFoundError(f"Cannot remove host {host} in aggregate {aggregate_id}")
        if machine is None:
            raise not_there
        copies = copies_in(await self._copies.all(request))
        copy = next((one for one in copies if one.aggregate_id == aggregate_id and one.pod.id == machine.pod.id), None)
        if copy is None or machine.name not in copy.hosts:
            raise not_there
        reply = await self._copies.act(request, copy, "remove_host", {"host": machine.name})
        if reply.status >= 300:
            return await self._carrier.answer(request, copy.pod, reply)
        if copy.hosts == (machine.name,):
            # A pod refuses while a host is in it that was added in this moment.
            await self._copies.remove(request, copy)
        return None

    async def _own_copies(self, request: Request) -> list[Copy]:
        """The copies of the path's aggregate. :raises UnavailableError: a pod that may have one does not answer"""
        fan = await self._copies.all(request)
        if fan.gaps:
            raise self._carrier.unknowable(request, fan.gaps, _UNKNOWABLE)
        aggregate_id = request.params["aggregate_id"]
        return [copy for copy in copies_in(fan) if copy.aggregate_id == aggregate_id]

    async def _rehearse(self, request: Request, path: str, document: Body) -> Answer | None:
        """The centre's refusal of a call that it cannot carry out; None when it says only that nothing is there."""
        answer = await self._carrier.central(request, path=path, query=b"", body=dict(document))
        if answer.status == 404:
            return None
        if answer.status < 400:
            raise BadUpstreamAnswerError("The central compute service did not refuse a rehearsal.")
        return answer

    async def _with_hosts(
        self, request: Request, answer: Answer, body: dict[str, object], aggregates: Sequence[object]
    ) -> Answer:
        if not aggregates:
            return answer
        fan = await self._copies.all(request)
        copies = copies_in(fan)
        for aggregate in aggregates:
            if isinstance(aggregate, dict):
                aggregate["hosts"] = hosts_in(copies, str(aggregate.get("id")))
        answer.body = msgspec.json.encode(body)
        answer.headers += self._carrier.incomplete(request, fan.lacking)
        return answer
