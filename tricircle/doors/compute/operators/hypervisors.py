# SPDX-License-Identifier: Apache-2.0
"""What do administrators see of the hypervisors behind the pods?

Hypervisors have no routings: whoever knows an id is found by asking all pods. Numbers (ids below 2.53) exist in
several pods; then the first pod's is shown, as Nova does with several cells.
"""

from collections.abc import Callable
from urllib.parse import quote, urlencode

from tricircle.doors.compute.operators.machines import items_in
from tricircle.doors.compute.operators.operator_views import HYPERVISOR
from tricircle.http.message import Answer, Request
from tricircle.model.host_names import name_in, pod_named
from tricircle.model.reservation import added
from tricircle.road.carrier import Carrier
from tricircle.road.fan_out import FanOut
from tricircle.road.gaps import NONSENSE, Gap, refusal_of
from tricircle.road.row import Row

_UNKNOWABLE = "It cannot be known now whether this hypervisor exists, because an availability zone does not answer."
#: Which refusal says most when no pod knows an id.
_TELLING = (401, 403, 400, 410, 404)
_PATTERN = "hypervisor_hostname_pattern"


class Hypervisors:
    """``/os-hypervisors`` and everything below."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def index(self, request: Request, row: Row) -> Answer:
        """The list of ``row``. With a pattern (from 2.53 on) it has no pages, and none that match are a 404."""
        pairs = request.query_pairs()
        pattern = dict(pairs).get(_PATTERN)
        if pattern is None or (request.microversion or (2, 1)) < (2, 53):
            return await self._carrier.gather(request, row)

        def asked(name: str) -> tuple[str, bytes]:
            query = [(key, name if key == _PATTERN else value) for key, value in pairs]
            return row.path, urlencode(query).encode()

        return await self._matching(request, pattern, asked)

    async def show(self, request: Request) -> Answer:
        """What the first pod says that knows the id of the path.

        :raises UnavailableError: none that answered knows it, and one did not answer
        """
        fan = await self._carrier.fan_out(request)
        for pod, reply in fan.replies:
            if reply.status < 300:
                return await self._carrier.answer(request, pod, reply, singular="hypervisor", shape=HYPERVISOR)
        return await self._refusal(request, fan)

    async def uptime(self, request: Request) -> Answer:
        """How long a hypervisor has been up (up to 2.87): asked of the pod that knows the id, and of no other."""
        path = f"/os-hypervisors/{quote(request.params['hypervisor_id'], safe='')}"
        fan = await self._carrier.fan_out(request, path=path, query=b"")
        for pod, known in fan.replies:
            if known.status < 300:
                reply = await self._carrier.to_pod(request, pod)
                return await self._carrier.answer(request, pod, reply, singular="hypervisor", shape=HYPERVISOR)
        return await self._refusal(request, fan)

    async def search(self, request: Request) -> Answer:
        """Those whose names match a pattern, with or without their servers (up to 2.52)."""
        what = request.path.rstrip("/").rsplit("/", 1)[-1]

        def asked(name: str) -> tuple[str, bytes]:
            return f"/os-hypervisors/{quote(name, safe='')}/{what}", request.query

        return await self._matching(request, request.params["pattern"], asked)

    async def statistics(self, request: Request) -> Answer:
        """Sums over all hypervisors of all pods (up to 2.87)."""
        fan = await self._carrier.fan_out(request)
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        parts, lacking = list[dict[str, int]](), list(fan.lacking)
        for pod, reply in fan.replies:
            part = reply.json().get("hypervisor_statistics") if reply.status < 300 else None
            if isinstance(part, dict):
                parts.append({name: value for name, value in part.items() if isinstance(value, int)})
            elif reply.status < 300:
                lacking.append(Gap(pod, NONSENSE))
        if not parts:
            raise self._carrier.unknowable(request, lacking, "No availability zone answers. Please try again later.")
        headers = self._carrier.incomplete(request, lacking)
        return Answer.json(200, {"hypervisor_statistics": added(parts)}, headers)

    async def _matching(self, request: Request, pattern: str, asked: Callable[[str], tuple[str, bytes]]) -> Answer:
        """A full name is asked of its pod by the pod's own name for it; any other pattern is asked of all.

        :param asked: path and query by which a pattern is asked for
        """
        pods = await self._carrier.members()
        if (pod := pod_named(pods, pattern)) is not None:
            pattern, pods = name_in(pod, pattern), (pod,)
        path, query = asked(pattern)
        fan = await self._carrier.fan_out(request, path=path, query=query, pods=pods)
        items = [
            (pod, item)
            for pod, reply in fan.replies
            if reply.status < 300
            for item in items_in(reply.json(), "hypervisors")
        ]
        if not items:
            return await self._refusal(request, fan)
        shown = await self._carrier.shaped_items(items, HYPERVISOR, request.context)
        return Answer.json(200, {"hypervisors": shown}, self._carrier.incomplete(request, _lacking(fan)))

    async def _refusal(self, request: Request, fan: FanOut) -> Answer:
        if fan.gaps or not fan.replies:
            raise self._carrier.unknowable(request, fan.gaps, _UNKNOWABLE)
        pod, reply = min(fan.replies, key=lambda one: _telling(one[1].status))
        return await self._carrier.answer(request, pod, reply)


def _lacking(fan: FanOut) -> list[Gap]:
    """What a search lacks. A pod in which nothing matches says 404."""
    return [*fan.gaps, *(refusal_of(pod, reply) for pod, reply in fan.replies if reply.status not in (200, 404))]


def _telling(status: int) -> int:
    return _TELLING.index(status) if status in _TELLING else len(_TELLING)
