# SPDX-License-Identifier: Apache-2.0
"""How much storage may a project have, and how much has it? Limits of the centre, usage of the pods, added up.

A pod that does not answer counts with what it said last, to whomever of us; the answer is marked as incomplete then.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from tricircle.context import ProjectId
from tricircle.copies.bodies import member
from tricircle.doors.block_storage import words
from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.allowance import Allowance
from tricircle.road.carrier import Carrier
from tricircle.road.fan_out import FanOut
from tricircle.road.gaps import NONSENSE, Gap
from tricircle.upstream.reply import Reply

#: What ``/limits`` calls the use of these quotas.
_USED = {
    "totalVolumesUsed": "volumes",
    "totalGigabytesUsed": "gigabytes",
    "totalSnapshotsUsed": "snapshots",
    "totalBackupsUsed": "backups",
    "totalBackupGigabytesUsed": "backup_gigabytes",
}
_TRUE = ("true", "1", "t", "on", "y", "yes")
#: From here on the limits of another project can be asked for (``LIMITS_ADMIN_FILTER``).
_OF_OTHERS = (3, 39)
_NOBODY = "No availability zone answers at the moment."


def _whose(request: Request) -> ProjectId:
    """Whose limits Cinder tells: an administrator names a project, from 3.39 on."""
    context, query = request.context, dict(request.query_pairs())
    if not context.is_admin or (request.microversion or (3, 0)) < _OF_OTHERS:
        return context.project_id
    return ProjectId(query.get("project_id") or query.get("tenant_id") or context.project_id)


class Limits:
    """``GET /limits``, ``/os-quota-sets/{project_id}``, ``GET /volumes/summary``."""

    def __init__(self, *, carrier: Carrier, allowance: Allowance) -> None:
        self._carrier = carrier
        self._allowance = allowance

    async def limits(self, request: Request) -> Answer:
        """Limits and usage of the caller's project, or for administrators of ``project_id``."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        body = answer.object()
        absolute = member(member(body, "limits"), "absolute")
        project_id = _whose(request)
        taken, missing = await self._allowance.survey(request.context, project_id)
        for name, ours in _USED.items():
            absolute[name] = _number(absolute.get(name)) + taken.used.get(ours, 0)
        return self._answered(request, answer, body, missing)

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
        taken, missing = await self._allowance.survey(request.context, project_id)
        for field, amounts in (("in_use", taken.used), ("reserved", taken.reserved)):
            for name, amount in amounts.items():
                ours = quota.get(name)
                if isinstance(ours, dict):
                    ours[field] = _number(ours.get(field)) + amount
        return self._answered(request, answer, body, missing)

    async def change(self, request: Request) -> Answer:
        """``PUT /os-quota-sets/{project_id}``: the centre's answer.

        As in Cinder a limit that the project has of its own already cannot be put below what is used.
        """
        wanted = (await request.json()).get("quota_set")
        if request.context.is_admin and isinstance(wanted, Mapping):
            await self._check(request, {str(name): limit for name, limit in wanted.items() if _is_limit(name, limit)})
        return await self._carrier.central(request)

    async def _check(self, request: Request, wanted: Mapping[str, int]) -> None:
        """:raises InvalidRequestError: a limit is below what is used (Cinder's words)"""
        if not wanted:
            return
        path = f"/os-quota-sets/{quote(request.params['project_id'], safe='')}"
        own, usual = [
            await self._carrier.central(request, method="GET", path=where, query=b"")
            for where in (path, f"{path}/defaults")
        ]
        if own.status != 200 or usual.status != 200:
            return  # the centre says it again
        limits, defaults = member(own.object(), "quota_set"), member(usual.object(), "quota_set")
        taken, _ = await self._allowance.survey(request.context, ProjectId(request.params["project_id"]))
        for name, limit in wanted.items():
            used = taken.used.get(name, 0) + taken.reserved.get(name, 0)
            if limit < used and limits.get(name) != defaults.get(name):
                raise words.limit_below_use(name, used, limit)

    async def summary(self, request: Request) -> Answer:
        """Number, size and metadata of all volumes that the query is about."""
        fan = await self._carrier.fan_out(request)
        if not fan.replies:
            raise self._carrier.unknowable(request, fan.gaps, _NOBODY)
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        parts, lacking = _parts(fan)
        if not parts:
            raise self._carrier.unknowable(request, lacking, _NOBODY)
        pod, first, total = parts[0]
        for _, _, part in parts[1:]:
            _add(total, part)
        answer = await self._carrier.answer_json(request, pod, first, {"volume-summary": total})
        answer.headers += self._carrier.incomplete(request, lacking)
        return answer

    def _answered(self, request: Request, answer: Answer, body: dict[str, object], missing: tuple[Gap, ...]) -> Answer:
        answer.body = msgspec.json.encode(body)
        answer.headers += self._carrier.incomplete(request, missing)
        return answer


def _is_limit(name: object, limit: object) -> bool:
    """Whether something can be used of a limit, and there is one."""
    is_number = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0
    return is_number and name != "per_volume_gigabytes"


def _parts(fan: FanOut) -> tuple[list[tuple[Pod, Reply, dict[str, object]]], list[Gap]]:
    """The summaries of the pods, and the pods that sent none."""
    parts, lacking = [], list(fan.lacking)
    for pod, reply in fan.replies:
        if reply.status >= 300:
            continue
        try:
            parts.append((pod, reply, member(reply.json(), "volume-summary")))
        except BadUpstreamAnswerError:
            lacking.append(Gap(pod, NONSENSE))
    return parts, lacking


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


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
