# SPDX-License-Identifier: Apache-2.0
"""How many servers may a project have, and how many has it? Limits of the centre, usage of the pods.

A pod that does not answer counts with what it said last, to whomever of us; the answer is marked as incomplete then.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from tricircle.context import ProjectId
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import ProjectBindings
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError
from tricircle.http.message import Answer, Request
from tricircle.model.reservation import Standing, added
from tricircle.road.allowance import Allowance
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import NONSENSE, Gap

#: What runs is counted in pods, by these names; everything else that Nova counts (server groups, key pairs) is at the
#: centre.
_USED = {"totalInstancesUsed": "instances", "totalCoresUsed": "cores", "totalRAMUsed": "ram"}

_TRUE = ("true", "1", "t", "on", "y", "yes")


class Limits:
    """``GET /limits``, ``PUT /os-quota-sets/{project_id}`` and ``GET /os-quota-sets/{project_id}/detail``."""

    def __init__(self, *, carrier: Carrier, bindings: ProjectBindings, allowance: Allowance) -> None:
        self._carrier = carrier
        self._bindings = bindings
        self._allowance = allowance

    async def limits(self, request: Request) -> Answer:
        """Limits and usage of the caller's project, or for administrators of ``tenant_id``."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        asked = next((value for name, value in request.query_pairs() if name == "tenant_id"), None)
        project_id = ProjectId(asked or request.context.project_id)
        body = answer.object()
        absolute = _member(_member(body, "limits"), "absolute")
        taken, missing = await self._allowance.survey(request.context, project_id)
        for name, ours in _USED.items():
            absolute[name] = _number(absolute.get(name)) + taken.used.get(ours, 0)
        return self._answered(request, answer, body, missing)

    async def detail(self, request: Request) -> Answer:
        """Limits and usage of a project, or of one of its users, resource by resource.

        ``reserved`` is what is being made and not yet counted by its pod; a user's share of it is not known.
        """
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        project_id = ProjectId(request.params["project_id"])
        body = answer.object()
        quota = _member(body, "quota_set")
        if any(name == "user_id" for name, _ in request.query_pairs()):
            taken, missing = await self._of_user(request, project_id)
        else:
            taken, missing = await self._allowance.survey(request.context, project_id)
        for name in _USED.values():
            ours = _member(quota, name)
            ours["in_use"] = _number(ours.get("in_use")) + taken.used.get(name, 0)
            ours["reserved"] = _number(ours.get("reserved")) + taken.reserved.get(name, 0)
        return self._answered(request, answer, body, missing)

    async def change(self, request: Request) -> Answer:
        """``PUT``: the centre's answer. As in Nova no limit can be put below what is used, unless it is forced."""
        document = await _document(request)
        wanted = document.get("quota_set")
        if request.context.is_admin and isinstance(wanted, Mapping) and not _is_true(wanted.get("force")):
            await self._check(request, {name: limit for name in wanted if (limit := _limit(name, wanted)) is not None})
        return await self._carrier.central(request)

    async def _check(self, request: Request, wanted: Mapping[str, int]) -> None:
        """:raises InvalidRequestError: a limit is below what is used and reserved (Nova's words)"""
        if not wanted:
            return
        project_id = ProjectId(request.params["project_id"])
        if any(name == "user_id" for name, _ in request.query_pairs()):
            path = f"/os-quota-sets/{quote(project_id, safe='')}/detail"
            taken, _ = await self._of_user(request, project_id, path=path)
        else:
            taken, _ = await self._allowance.survey(request.context, project_id)
        for name, limit in wanted.items():
            used = taken.used.get(name, 0) + taken.reserved.get(name, 0)
            if limit < used:
                raise words.limit_below_use(name, used, limit)

    async def _of_user(
        self, request: Request, project_id: ProjectId, *, path: str | None = None
    ) -> tuple[Standing, tuple[Gap, ...]]:
        """What pods say of one user, and which do not. It is no reading: the client's own query says of whom."""
        bound = await self._bindings.pods_of(project_id)
        pods = [pod for pod in await self._carrier.members() if pod.id in bound]
        fan = await self._carrier.fan_out(request, path=path, pods=pods)
        said, missing = [], list(fan.lacking)
        for pod, reply in fan.replies:
            if reply.status >= 300:
                continue
            try:
                said.append(_in_use(_member(reply.json(), "quota_set")))
            except BadUpstreamAnswerError:
                missing.append(Gap(pod, NONSENSE))
        return Standing(used=added(said)), tuple(missing)

    def _answered(
        self, request: Request, answer: Answer, body: Mapping[str, object], missing: tuple[Gap, ...]
    ) -> Answer:
        answer.body = msgspec.json.encode(body)
        answer.headers += self._carrier.incomplete(request, missing)
        return answer


async def _document(request: Request) -> Mapping[str, object]:
    """The body; empty when it is none that can be read, which the centre says."""
    try:
        return await request.json()
    except InvalidRequestError:
        return {}


def _limit(name: object, wanted: Mapping[str, object]) -> int | None:
    """A limit of what pods use, as Nova reads it; None: there is none, or the centre says what is wrong with it."""
    value = wanted.get(str(name))
    if name not in _USED.values() or isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in _TRUE


def _in_use(quota: Mapping[str, object]) -> dict[str, int]:
    return {name: _number(_member(quota, name).get("in_use")) for name in _USED.values()}


def _member(body: Mapping[str, object], key: str) -> dict[str, object]:
    member = body.get(key)
    if not isinstance(member, dict):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return member


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
