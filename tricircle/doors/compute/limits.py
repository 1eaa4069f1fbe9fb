# SPDX-License-Identifier: Apache-2.0
"""How many servers may a project have, and how many has it? Limits of the centre, usage of the pods."""

from collections.abc import Mapping

import msgspec

from tricircle.context import ProjectId
from tricircle.doors.compute.needs import ProjectBindings
from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.gather import marks

#: What runs is counted in pods; everything else that Nova counts (server groups, key pairs) is at the centre.
_USED = ("totalInstancesUsed", "totalCoresUsed", "totalRAMUsed")
_RUNNING = ("instances", "cores", "ram")


class Limits:
    """``GET /limits`` and ``GET /os-quota-sets/{project_id}/detail``."""

    def __init__(self, *, carrier: Carrier, bindings: ProjectBindings) -> None:
        self._carrier = carrier
        self._bindings = bindings

    async def limits(self, request: Request) -> Answer:
        """Limits and usage of the caller's project, or for administrators of ``tenant_id``."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        project_id = next((value for name, value in request.query_pairs() if name == "tenant_id"), None)
        body = answer.object()
        absolute = _member(_member(body, "limits"), "absolute")
        replies, missing = await self._ask(request, ProjectId(project_id or request.context.project_id))
        for reply in replies:
            used = _member(_member(reply, "limits"), "absolute")
            for name in _USED:
                absolute[name] = _number(absolute.get(name)) + _number(used.get(name))
        return _answered(answer, body, missing)

    async def detail(self, request: Request) -> Answer:
        """Limits and usage of a project, resource by resource."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = answer.object()
        quota = _member(body, "quota_set")
        replies, missing = await self._ask(request, ProjectId(request.params["project_id"]))
        for reply in replies:
            for name in _RUNNING:
                ours = _member(quota, name)
                used = _member(_member(reply, "quota_set"), name)
                ours["in_use"] = _number(ours.get("in_use")) + _number(used.get("in_use"))
        return _answered(answer, body, missing)

    async def _ask(self, request: Request, project_id: ProjectId) -> tuple[list[dict[str, object]], tuple[Pod, ...]]:
        """What the project's pods say, and which of them did not."""
        bound = await self._bindings.pods_of(project_id)
        pods = [pod for pod in await self._carrier.pods() if pod.id in bound]
        fan = await self._carrier.fan_out(request, pods=pods)
        return [reply.json() for reply in fan.good], fan.lacking


def _answered(answer: Answer, body: Mapping[str, object], missing: tuple[Pod, ...]) -> Answer:
    answer.body = msgspec.json.encode(body)
    answer.headers += marks(missing)
    return answer


def _member(body: Mapping[str, object], key: str) -> dict[str, object]:
    member = body.get(key)
    if not isinstance(member, dict):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return member


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
