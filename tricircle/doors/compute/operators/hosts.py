# SPDX-License-Identifier: Apache-2.0
"""What do administrators see and do with the hosts behind the pods, in Nova's old way (up to 2.42)?"""

from urllib.parse import quote

from tricircle.doors.compute.operators.machines import Machine, Machines, items_in
from tricircle.doors.compute.operators.operator_views import RESOURCE, SERVICE
from tricircle.doors.compute.rehearsal import rehearse
from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.model.host_names import full_name
from tricircle.road.carrier import Carrier
from tricircle.upstream.reply import Reply


class Hosts:
    """``/os-hosts`` and everything below."""

    def __init__(self, *, carrier: Carrier, machines: Machines) -> None:
        self._carrier = carrier
        self._machines = machines

    async def index(self, request: Request) -> Answer:
        """Hosts of all pods, perhaps those of one zone: ``internal`` is in every pod, an AZ in its own."""
        fan = await self._carrier.fan_out(request, query=b"")
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        items = [(pod, item) for pod, reply in fan.replies for item in items_in(reply.json(), "hosts")]
        hosts = await self._carrier.shaped_items(items, SERVICE, request.context)
        zone = dict(request.query_pairs()).get("zone")
        shown = [host for host in hosts if not zone or host.get("zone") == zone]
        return Answer.json(200, {"hosts": shown}, self._carrier.incomplete(request, fan.lacking))

    async def show(self, request: Request) -> Answer:
        """What a host has and what is taken of it."""
        if (refusal := await rehearse(self._carrier, request, None)) is not None:
            return refusal
        machine = await self._machine(request)
        reply = await self._carrier.to_pod(request, machine.pod, path=_path(machine))
        return await self._carrier.answer(request, machine.pod, reply, collection="host", shape=RESOURCE)

    async def update(self, request: Request) -> Answer:
        """Enable it or not, maintenance or not."""
        document = await request.json()
        if (refusal := await rehearse(self._carrier, request, document)) is not None:
            return refusal
        machine = await self._machine(request)
        reply = await self._carrier.to_pod(request, machine.pod, path=_path(machine), body=document)
        return await self._said(request, machine, reply)

    async def power(self, request: Request) -> Answer:
        """Reboot, shut down, start up: what the hypervisor's driver can, which is nothing for most."""
        if (refusal := await rehearse(self._carrier, request, None)) is not None:
            return refusal
        machine = await self._machine(request)
        what = request.path.rstrip("/").rsplit("/", 1)[-1]
        reply = await self._carrier.to_pod(request, machine.pod, path=f"{_path(machine)}/{what}")
        return await self._said(request, machine, reply)

    async def _machine(self, request: Request) -> Machine:
        name = request.params["host"]
        found = await self._machines.find(request, name)
        if found is None:
            # Nova's words for a host that it does not know.
            raise NotFoundError(f"Host '{name}' is not mapped to any cell")
        return found

    async def _said(self, request: Request, machine: Machine, reply: Reply) -> Answer:
        if reply.status >= 300:
            return await self._carrier.answer(request, machine.pod, reply)
        body = {**reply.json(), "host": full_name(machine.pod, machine.name)}
        return await self._carrier.answer_json(request, machine.pod, reply, body)


def _path(machine: Machine) -> str:
    return f"/os-hosts/{quote(machine.name, safe='')}"
