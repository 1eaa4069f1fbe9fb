# SPDX-License-Identifier: Apache-2.0
"""What follows when key pairs and server groups change at the centre, beyond what a row can say?"""

import logging
from collections.abc import Mapping

import msgspec

from tricircle.copies.keypairs import routing_id
from tricircle.copies.server_groups import marked_id
from tricircle.doors.compute.needs import ServerGroupCopies
from tricircle.errors import TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.road.carrier import Carrier

LOG = logging.getLogger(__name__)


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

    def __init__(self, *, carrier: Carrier, copies: ServerGroupCopies) -> None:
        self._carrier = carrier
        self._copies = copies

    async def index(self, request: Request) -> Answer:
        """The groups with the members that they have in all pods."""
        return await self._with_members(request, "server_groups")

    async def show(self, request: Request) -> Answer:
        """One group with its members."""
        return await self._with_members(request, "server_group")

    async def delete(self, request: Request) -> Answer:
        """Delete it at the centre, and its copies at once: only its owner's token can."""
        answer = await self._carrier.central(request)
        if answer.status < 300:
            try:
                await self._copies.remove(request.context, request.params["group_id"], request.context.deadline)
            except TricircleError as error:
                # It is gone for its owner; what is left in a pod limits nobody.
                LOG.warning("a copy of server group %s is left: %s", request.params["group_id"], error)
        return answer

    async def _with_members(self, request: Request, key: str) -> Answer:
        answer = await self._carrier.central(request)
        body = answer.object() if answer.status == 200 else {}
        found = body.get(key)
        groups = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
        if not groups:
            return answer
        members = await self._members(request)
        for group in groups:
            group["members"] = members.get(str(group.get("id")), [])
        answer.body = msgspec.json.encode(body)
        return answer

    async def _members(self, request: Request) -> Mapping[str, list[object]]:
        """Ids of servers by central group; copies are recognised by their name."""
        everybody = b"all_projects=True" if b"all_projects" in request.query else b""
        fan = await self._carrier.fan_out(request, path="/os-server-groups", query=everybody)
        members: dict[str, list[object]] = {}
        for _, reply in fan.replies:
            groups = reply.json().get("server_groups") if reply.status == 200 else None
            for group in groups if isinstance(groups, list) else ():
                if (group_id := marked_id(group.get("name"))) is not None:
                    members.setdefault(group_id, []).extend(group.get("members", []))
        return members
