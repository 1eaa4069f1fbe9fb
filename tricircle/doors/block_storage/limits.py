# SPDX-License-Identifier: Apache-2.0
"""How much storage may a project have, and how much has it? Limits of the centre, usage of the pods, added up."""

from collections.abc import Mapping

import msgspec

from tricircle.context import ProjectId
from tricircle.copies.bodies import member
from tricircle.doors.block_storage.quota import used_of
from tricircle.errors import UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.pods.bindings import Bindings
from tricircle.road.carrier import Carrier
from tricircle.road.gather import marks

_USED = (
    "totalVolumesUsed",
    "totalGigabytesUsed",
    "totalSnapshotsUsed",
    "totalBackupsUsed",
    "totalBackupGigabytesUsed",
)
_TRUE = ("true", "1", "t", "on", "y", "yes")
_NOBODY = "No availability zone answers at the moment."


class Limits:
    """``GET /limits``, ``GET /os-quota-sets/{project_id}?usage=True``, ``GET /volumes/summary``."""

    def __init__(self, *, carrier: Carrier, bindings: Bindings) -> None:
        self._carrier = carrier
        self._bindings = bindings

    async def limits(self, request: Request) -> Answer:
        """Limits and usage of the caller's project, or for administrators of ``project_id``."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = answer.object()
        absolute = member(member(body, "limits"), "absolute")
        asked = next((value for name, value in request.query_pairs() if name in ("project_id", "tenant_id")), None)
        is_asked_for = asked is not None and request.context.is_admin
        replies, missing = await self._ask(
            request, ProjectId(asked or "") if is_asked_for else request.context.project_id
        )
        for reply in replies:
            used = member(member(reply, "limits"), "absolute")
            for name in _USED:
                absolute[name] = _number(absolute.get(name)) + _number(used.get(name))
        return _answered(answer, body, missing)

    async def quota_set(self, request: Request) -> Answer:
        """The centre's limits; with ``usage=True`` what the pods use beside them."""
        answer = await self._carrier.central(request)
        wants_usage = any(name == "usage" and value.lower() in _TRUE for name, value in request.query_pairs())
        if answer.status != 200 or not wants_usage:
            return answer
        body = answer.object()
        quota = member(body, "quota_set")
        replies, missing = await self._ask(request, ProjectId(request.params["project_id"]))
        for reply in replies:
            for name, used in used_of(member(reply, "quota_set")).items():
                ours = quota.get(name)
                if isinstance(ours, dict):
                    ours["in_use"] = _number(ours.get("in_use")) + used
        return _answered(answer, body, missing)

    async def summary(self, request: Request) -> Answer:
        """Number, size and metadata of all volumes that the query is about."""
        fan = await self._carrier.fan_out(request)
        if not fan.replies:
            raise UnavailableError(_NOBODY)
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        pod, first = next((pod, reply) for pod, reply in fan.replies if reply.status < 300)
        total = member(first.json(), "volume-summary")
        for reply in fan.good[1:]:
            _add(total, member(reply.json(), "volume-summary"))
        answer = await self._carrier.answer_json(request, pod, first, {"volume-summary": total})
        answer.headers += marks(fan.lacking)
        return answer

    async def _ask(self, request: Request, project_id: ProjectId) -> tuple[list[dict[str, object]], tuple[Pod, ...]]:
        """What the project's pods say, and which of them did not."""
        bound = await self._bindings.pods_of(project_id)
        pods = [pod for pod in await self._carrier.pods() if pod.id in bound]
        fan = await self._carrier.fan_out(request, pods=pods)
        return [reply.json() for reply in fan.good], fan.lacking


def _add(total: dict[str, object], more: Mapping[str, object]) -> None:
    for name in ("total_count", "total_size"):
        total[name] = _number(total.get(name)) + _number(more.get(name))
    metadata = total.get("metadata")
    for key, values in _items(more.get("metadata")):
        if isinstance(metadata, dict):
            known = metadata.setdefault(key, [])
            known += [value for value in values if value not in known]


def _items(metadata: object) -> list[tuple[str, list[object]]]:
    if not isinstance(metadata, Mapping):
        return []
    return [(str(key), list(values)) for key, values in metadata.items() if isinstance(values, list)]


def _answered(answer: Answer, body: dict[str, object], missing: tuple[Pod, ...]) -> Answer:
    answer.body = msgspec.json.encode(body)
    answer.headers += marks(missing)
    return answer


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
