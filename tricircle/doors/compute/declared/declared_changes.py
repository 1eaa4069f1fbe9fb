# SPDX-License-Identifier: Apache-2.0
"""What follows when key pairs and server groups change at the centre, beyond what a row can say?"""

import msgspec

from tricircle.copies.keypairs import routing_id
from tricircle.doors.compute.declared.group_members import GroupMembers, Members
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.road.carrier import Carrier


class KeypairChanges:
    """``DELETE /os-keypairs/{name}``: the id of a key pair is its user and its name."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def delete(self, request: Request) -> Answer:
        """Delete it at the centre; a job follows in the pods. Administrators may name another ``user_id``."""
        named = next((value for name, value in request.query_pairs() if name == "user_id"), "")
        keypair = routing_id(named or request.context.user_id, request.params["name"])
        return await self._carrier.central_with_jobs(request, [(JobType.KEYPAIR, keypair)])


class ServerGroupChanges:
    """Server groups: written down at the centre, their members are in the pods."""

    def __init__(self, *, carrier: Carrier, members: GroupMembers) -> None:
        self._carrier = carrier
        self._members = members

    async def index(self, request: Request) -> Answer:
        """The groups with the members that they have in all pods."""
        answer = await self._carrier.central(request)
        if answer.status != 200 or not answer.object().get("server_groups"):
            return answer
        of_everybody = any(name == "all_projects" for name, _ in request.query_pairs())
        members = await self._members.of_all(request, of_everybody=of_everybody)
        return self._with_members(request, answer, "server_groups", members)

    async def show(self, request: Request) -> Answer:
        """One group with its members; an administrator's, of whichever project."""
        answer = await self._carrier.central(request)
        if answer.status != 200:
            return answer
        members = await self._members.of_one(request, request.params["group_id"])
        return self._with_members(request, answer, "server_group", members)

    def _with_members(self, request: Request, answer: Answer, key: str, members: Members) -> Answer:
        body = answer.object()
        found = body.get(key)
        for group in found if isinstance(found, list) else [found]:
            if isinstance(group, dict):
                group["members"] = list(members.by_group.get(str(group.get("id")), []))
        answer.body = msgspec.json.encode(body)
        answer.headers += self._carrier.incomplete(request, members.lacking)
        return answer
