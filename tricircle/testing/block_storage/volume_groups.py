# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do with groups of volumes and their types?"""

import itertools
import re
from collections.abc import Sequence
from typing import Protocol

from tricircle.testing.block_storage.storage_lists import GROUPS
from tricircle.testing.block_storage.volume_types import is_listed
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route


class Owner(Protocol):
    """What groups ask of the fake Cinder."""

    zone: str
    max_limit: int
    volumes: dict[str, Json]

    def now(self) -> str:
        """The time as Cinder writes it."""
        ...

    def type_ids(self, asked: Asked, names: Sequence[str]) -> list[str]:
        """Ids of volume types, by id or name. :raises Refusal: 404"""
        ...


class VolumeGroups:
    """Group types with their specs, and groups; a group is available at once."""

    def __init__(self, owner: Owner) -> None:
        self.types: dict[str, Json] = {}
        self.stored: dict[str, Json] = {}
        self._owner = owner
        self._numbers = itertools.count(1)
        self.new_type({"name": "default_cgsnapshot_type"})

    def routes(self) -> Sequence[Route]:
        """Paths of group types and groups."""
        one, specs = "/group_types/{type_id}", "/group_types/{type_id}/group_specs"
        return [
            route("GET", "/group_types", self._list_types),
            route("POST", "/group_types", self._create_type),
            route("GET", one, self._show_type),
            route("PUT", one, self._update_type),
            route("DELETE", one, self._delete_type),
            route("GET", specs, self._show_specs),
            route("POST", specs, self._set_specs),
            route("DELETE", specs + "/{key}", self._unset_spec),
            route("GET", "/groups", self._list),
            route("GET", "/groups/detail", self._list),
            route("POST", "/groups", self._create),
            route("GET", "/groups/{group_id}", self._show),
            route("POST", "/groups/{group_id}/action", self._act),
        ]

    def new_type(self, given: Json) -> Json:
        """A type as if an operator had made it."""
        made = {
            "id": new_id(), "name": given["name"], "description": given.get("description"),
            "is_public": given.get("is_public", True), "group_specs": {}, "_projects": set(),
        }  # fmt: skip
        self.types[made["id"]] = made
        return made

    # --- types -------------------------------------------------------------------------------------------------------

    def _need(self, asked: Asked, version: tuple[int, int]) -> None:
        if asked.version < version:
            raise Refusal(404, "The resource could not be found.")

    def _type(self, asked: Asked, type_id: str) -> Json:
        self._need(asked, (3, 11))
        kind = self.types.get(type_id)
        if kind is None or kind not in self._types_of(asked):
            raise Refusal(404, f"Group type {type_id} could not be found.")
        return kind

    def _types_of(self, asked: Asked) -> list[Json]:
        return [one for one in self.types.values() if one["is_public"] or asked.caller.is_admin]

    @staticmethod
    def _type_shown(asked: Asked, kind: Json) -> Json:
        hidden = ("_projects",) if asked.caller.is_admin else ("_projects", "group_specs")
        return {key: value for key, value in kind.items() if key not in hidden}

    def _list_types(self, asked: Asked) -> Said:
        self._need(asked, (3, 11))
        shown = [one for one in self._types_of(asked) if is_listed(one, asked)]
        return Said(body={"group_types": [self._type_shown(asked, one) for one in shown]})

    def _create_type(self, asked: Asked) -> Said:
        self._need(asked, (3, 11))
        asked.need_admin("group:group_types:create")
        given = asked.part("group_type")
        if any(one["name"] == given["name"] for one in self.types.values()):
            raise Refusal(409, f"Group Type {given['name']} already exists.")
        return Said(status=202, body={"group_type": self._type_shown(asked, self.new_type(given))})

    def _show_type(self, asked: Asked, type_id: str) -> Said:
        return Said(body={"group_type": self._type_shown(asked, self._type(asked, type_id))})

    def _update_type(self, asked: Asked, type_id: str) -> Said:
        kind = self._type(asked, type_id)
        asked.need_admin("group:group_types:update")
        given = asked.part("group_type")
        if any(one["name"] == given.get("name") and one is not kind for one in self.types.values()):
            raise Refusal(409, f"Group Type {given['name']} already exists.")
        kind |= {key: value for key, value in given.items() if key in ("name", "description", "is_public")}
        return Said(body={"group_type": self._type_shown(asked, kind)})

    def _delete_type(self, asked: Asked, type_id: str) -> Said:
        self._type(asked, type_id)
        asked.need_admin("group:group_types:delete")
        if any(one["group_type"] == type_id for one in self.stored.values()):
            raise Refusal(400, "Target group type is still in use.")
        del self.types[type_id]
        return Said(status=202)

    def _show_specs(self, asked: Asked, type_id: str) -> Said:
        return Said(body={"group_specs": self._type(asked, type_id)["group_specs"]})

    def _set_specs(self, asked: Asked, type_id: str) -> Said:
        kind = self._type(asked, type_id)
        asked.need_admin("group:group_types_specs:create")
        kind["group_specs"] |= asked.part("group_specs")
        return Said(status=202, body=asked.json())

    def _unset_spec(self, asked: Asked, type_id: str, key: str) -> Said:
        kind = self._type(asked, type_id)
        asked.need_admin("group:group_types_specs:delete")
        if kind["group_specs"].pop(key, None) is None:
            raise Refusal(404, f"Group Type {type_id} has no specs with key {key}.")
        return Said(status=202)

    # --- groups ------------------------------------------------------------------------------------------------------

    def _group(self, asked: Asked, group_id: str) -> Json:
        self._need(asked, (3, 13))
        group = self.stored.get(group_id)
        if group is None or not asked.sees(group["_project"]):
            raise Refusal(404, f"Group {group_id} could not be found.")
        return group

    def _list(self, asked: Asked) -> Said:
        self._need(asked, (3, 13))
        wants_all = asked.one("all_tenants") is not None and asked.caller.is_admin
        mine = [one for one in self.stored.values() if wants_all or one["_project"] == asked.caller.project_id]
        seen = [one for one in self.stored.values() if asked.sees(one["_project"])]
        manner = GROUPS.manner(self._owner, lambda: seen)
        body = GROUPS.body(asked, mine, manner, lambda one, is_detail: self._shown(one, is_brief=not is_detail))
        return Said(body=body)

    def _create(self, asked: Asked) -> Said:
        self._need(asked, (3, 13))
        given = asked.part("group")
        wanted = str(given["group_type"])
        by_id = re.fullmatch(r"[0-9a-f-]{36}", wanted) is not None
        kind = next((one for one in self._types_of(asked) if wanted == one["id" if by_id else "name"]), None)
        if kind is None:
            raise Refusal(404, f"Group type {'' if by_id else 'with name '}{wanted} could not be found.")
        zone = given.get("availability_zone") or self.zone
        if zone != self.zone:
            raise Refusal(400, f"Invalid input received: Availability zone '{zone}' is invalid.")
        made = {
            "id": new_id(), "name": given.get("name"), "description": given.get("description"), "status": "available",
            "availability_zone": zone, "group_type": kind["id"], "created_at": self._owner.now(),
            "volume_types": self._owner.type_ids(asked, given["volume_types"]),
            "_project": asked.caller.project_id, "_number": next(self._numbers),
        }  # fmt: skip
        self.stored[made["id"]] = made
        return Said(status=202, body={"group": self._shown(made, is_brief=True)})

    @property
    def zone(self) -> str:
        """The one AZ of the pod."""
        return self._owner.zone

    def _show(self, asked: Asked, group_id: str) -> Said:
        return Said(body={"group": self._shown(self._group(asked, group_id))})

    def _act(self, asked: Asked, group_id: str) -> Said:
        group = self._group(asked, group_id)
        inside = [one for one in self._owner.volumes.values() if one.get("_group") == group_id]
        if inside and not asked.part("delete").get("delete-volumes"):
            text = "Invalid Group: Group is not empty. delete-volumes flag needs to be set."
            raise Refusal(400, text.replace("Group is", f"Group {group['id']} is"))
        for volume in inside:
            del self._owner.volumes[volume["id"]]
        del self.stored[group_id]
        return Said(status=202)

    @staticmethod
    def _shown(group: Json, *, is_brief: bool = False) -> Json:
        return {key: value for key, value in group.items()
                if not key.startswith("_") and (not is_brief or key in ("id", "name"))}  # fmt: skip
