# SPDX-License-Identifier: Apache-2.0
"""How much storage may a project have, and how much has it? Limits of the centre, usage of the pods, added up.

A pod that does not answer counts with what it said last, to whomever of us; the answer is marked as incomplete then.
"""

from collections.abc import Mapping

import msgspec

from tricircle.context import ProjectId
from tricircle.copies.bodies import member
from tricircle.doors.block_storage.quota import used_of
from tricircle.errors import UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.reservation import Amounts, added
from tricircle.pods.bindings import Bindings
from tricircle.road.allowance import Allowance
from tricircle.road.carrier import Carrier
from tricircle.road.gather import marks

#: What ``/limits`` calls the use of these quotas.
_USED = {
    "totalVolumesUsed": "volumes",
    "totalGigabytesUsed": "gigabytes",
    "totalSnapshotsUsed": "snapshots",
    "totalBackupsUsed": "backups",
    "totalBackupGigabytesUsed": "backup_gigabytes",
}
_TRUE = ("true", "1", "t", "on", "y", "yes")
_NOBODY = "No availability zone answers at the moment."


class Limits:
    """``GET /limits``, ``GET /os-quota-sets/{project_id}?usage=True``, ``GET /volumes/summary``."""

    def __init__(self, *, carrier: Carrier, bindings: Bindings, allowance: Allowance) -> None:
        self._carrier = carrier
        self._bindings = bindings
        self._allowance = allowance

    async def limits(self, request: Request) -> Answer:
        """Limits and usage of the caller's project, or for administrators of ``project_id``."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = answer.object()
        absolute = member(member(body, "limits"), "absolute")
        asked = next((value for name, value in request.query_pairs() if name in ("project_id", "tenant_id")), None)
        project_id = ProjectId(asked) if asked and request.context.is_admin else request.context.project_id
        replies, missing = await self._ask(request, project_id)
        # Less than all that is limited is said here, so it is not written down as a reading.
        parts: list[Amounts] = [_used(reply) for _, reply in replies]
        parts.append(await self._allowance.last(project_id, but={pod.id for pod, _ in replies}))
        total = added(parts)
        for name, ours in _USED.items():
            absolute[name] = _number(absolute.get(name)) + total.get(ours, 0)
        return _answered(answer, body, missing)

    async def quota_set(self, request: Request) -> Answer:
        """The centre's limits; with ``usage=True`` what the pods use beside them.

        ``reserved`` is what is being made and not yet counted by its pod.
        """
        answer = await self._carrier.central(request)
        wants_usage = any(name == "usage" and value.lower() in _TRUE for name, value in request.query_pairs())
        if answer.status != 200 or not wants_usage:
            return answer
        body = answer.object()
        quota, project_id = member(body, "quota_set"), ProjectId(request.params["project_id"])
        seen_at = await self._allowance.begin(request.context, project_id)
        replies, missing = await self._ask(request, project_id)
        said = {pod.id: used_of(member(reply, "quota_set")) for pod, reply in replies}
        taken = await self._allowance.look(project_id, said, seen_at)
        for field, amounts in (("in_use", taken.used), ("reserved", taken.reserved)):
            for name, amount in amounts.items():
                ours = quota.get(name)
                if isinstance(ours, dict):
                    ours[field] = _number(ours.get(field)) + amount
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

    async def _ask(
        self, request: Request, project_id: ProjectId
    ) -> tuple[list[tuple[Pod, dict[str, object]]], tuple[Pod, ...]]:
        """What the project's pods say, and which of them did not."""
        bound = await self._bindings.pods_of(project_id)
        pods = [pod for pod in await self._carrier.pods() if pod.id in bound]
        fan = await self._carrier.fan_out(request, pods=pods)
        return [(pod, reply.json()) for pod, reply in fan.replies if reply.status < 300], fan.lacking


def _used(answer: Mapping[str, object]) -> dict[str, int]:
    absolute = member(member(answer, "limits"), "absolute")
    return {ours: _number(absolute.get(name)) for name, ours in _USED.items()}


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
