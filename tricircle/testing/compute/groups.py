# SPDX-License-Identifier: Apache-2.0
"""What does the fake Nova do with server groups? Nobody is ever in one: that the list is there is all that it knows."""

from collections.abc import Sequence

from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route

_TOO_OLD = "Creating an anti-affinity group with rule max_server_per_host > 1 is not yet supported."


class ServerGroups:
    """Server groups; one belongs to the project that made it, and administrators see and delete any.

    :ivar knows_a_compute: whether Nova has the record of a compute service, without which it takes not every rule
    """

    def __init__(self) -> None:
        self.stored: dict[str, Json] = {}
        self.knows_a_compute = True

    def routes(self) -> Sequence[Route]:
        """Paths of server groups."""
        return [
            route("GET", "/os-server-groups", self._list),
            route("POST", "/os-server-groups", self._create),
            route("GET", "/os-server-groups/{group_id}", self._show),
            route("DELETE", "/os-server-groups/{group_id}", self._delete),
        ]

    def _list(self, asked: Asked) -> Said:
        of_everybody = asked.caller.is_admin and asked.one("all_projects") is not None
        mine = [one for one in self.stored.values() if of_everybody or one["project_id"] == asked.caller.project_id]
        first, limit = int(asked.one("offset") or 0), asked.one("limit")
        last = None if limit is None else first + int(limit)
        return Said(body={"server_groups": [_shown(asked, one) for one in mine[first:last]]})

    def _create(self, asked: Asked) -> Said:
        given = asked.part("server_group")
        if not self.knows_a_compute and int(given.get("rules", {}).get("max_server_per_host", 1)) > 1:
            raise Refusal(409, _TOO_OLD)
        policy = given.get("policy") or given["policies"][0]
        made = {"id": new_id(), "name": given["name"], "policy": policy, "rules": given.get("rules", {}), "members": [],
                "project_id": asked.caller.project_id, "user_id": asked.caller.user_id}  # fmt: skip
        self.stored[made["id"]] = made
        return Said(body={"server_group": _shown(asked, made)})

    def _get(self, asked: Asked, group_id: str) -> Json:
        found = self.stored.get(group_id)
        if found is None or not asked.sees(found["project_id"]):
            raise Refusal(404, f"Instance group {group_id} could not be found.")
        return found

    def _show(self, asked: Asked, group_id: str) -> Said:
        return Said(body={"server_group": _shown(asked, self._get(asked, group_id))})

    def _delete(self, asked: Asked, group_id: str) -> Said:
        del self.stored[self._get(asked, group_id)["id"]]
        return Said(status=204)


def _shown(asked: Asked, group: Json) -> Json:
    shown = {key: group[key] for key in ("id", "name", "members")}
    if asked.version >= (2, 64):
        shown |= {"policy": group["policy"], "rules": group["rules"]}
    else:
        shown |= {"policies": [group["policy"]], "metadata": {}}
    if asked.version >= (2, 13):
        shown |= {"project_id": group["project_id"], "user_id": group["user_id"]}
    return shown
