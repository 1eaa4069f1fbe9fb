# SPDX-License-Identifier: Apache-2.0
"""How much storage may a project have, and how much has it? Limits of the centre, usage of the pods."""

import msgspec

from tricircle.context import ProjectId
from tricircle.copies.bodies import member
from tricircle.doors.block_storage.quota import NAMES
from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.pods.bindings import Bindings
from tricircle.road.carrier import Carrier
from tricircle.road.gather import marks


class Limits:
    """``GET /limits``, and ``GET /os-quota-sets/{project_id}`` with ``usage=True``."""

    def __init__(self, *, carrier: Carrier, bindings: Bindings) -> None:
        self._carrier = carrier
        self._bindings = bindings

    async def limits(self, request: Request) -> Answer:
        """Limits and usage of the caller's project, or for administrators of ``project_id``."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = _object(answer)
        absolute = member(member(body, "limits"), "absolute")
        asked = next((value for name, value in request.query_pairs() if name in ("project_id", "tenant_id")), None)
        is_asked_for = asked is not None and request.context.is_admin
        replies, missing = await self._ask(
            request, ProjectId(asked or "") if is_asked_for else request.context.project_id
        )
        for reply in replies:
            used = member(member(reply, "limits"), "absolute")
            for _, name in NAMES.values():
                absolute[name] = _number(absolute.get(name)) + _number(used.get(name))
        return _answered(answer, body, missing)

    async def quota_set(self, request: Request) -> Answer:
        """The centre's limits; with ``usage=True`` what the pods use beside them."""
        answer = await self._carrier.central(request)
        wants_usage = any(name == "usage" and value.lower() in ("true", "1") for name, value in request.query_pairs())
        if answer.status != 200 or not wants_usage:
            return answer
        body = _object(answer)
        quota = member(body, "quota_set")
        replies, missing = await self._ask(request, ProjectId(request.params["project_id"]))
        for reply in replies:
            for name, used in member(reply, "quota_set").items():
                ours = quota.get(name)
                if isinstance(ours, dict) and isinstance(used, dict):
                    for key in ("in_use", "reserved"):
                        ours[key] = _number(ours.get(key)) + _number(used.get(key))
        return _answered(answer, body, missing)

    async def _ask(self, request: Request, project_id: ProjectId) -> tuple[list[dict[str, object]], tuple[Pod, ...]]:
        bound = await self._bindings.pods_of(project_id)
        pods = [pod for pod in await self._carrier.pods() if pod.id in bound]
        fan = await self._carrier.fan_out(request, pods=pods)
        return [reply.json() for _, reply in fan.replies if reply.status == 200], fan.missing


def _answered(answer: Answer, body: dict[str, object], missing: tuple[Pod, ...]) -> Answer:
    answer.body = msgspec.json.encode(body)
    answer.headers += marks(missing)
    return answer


def _object(answer: Answer) -> dict[str, object]:
    body = msgspec.json.decode(answer.body) if isinstance(answer.body, bytes) else None
    if not isinstance(body, dict):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return body


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
