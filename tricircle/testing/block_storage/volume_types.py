# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do with volume types, their extra specs and who may use the private ones?"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, plain, route

#: Extra specs that everybody sees.
_FOR_ALL = ("RESKEY:availability_zones", "multiattach", "replication_enabled")


def is_listed(kind: Json, asked: Asked) -> bool:
    """Whether a list of types holds this one, which the caller may use: an administrator says what is wanted."""
    wanted = str(asked.one("is_public", "true")).lower()
    if not asked.caller.is_admin or wanted == "none":
        return True
    if wanted == "true":
        return kind["is_public"] or asked.caller.project_id in kind["_projects"]
    return not kind["is_public"]


class VolumeTypes:
    """Types. ``is_in_use`` is the fake Cinder's answer to whether a volume has the type."""

    def __init__(self, is_in_use: Callable[[str], bool]) -> None:
        self.stored: dict[str, Json] = {}
        self._is_in_use = is_in_use
        #: Ids of types by project: those that projects have as their defaults.
        self.defaults: dict[str, str] = {}
        self._new_type({"name": "__DEFAULT__", "description": "Default Volume Type"})

    def routes(self) -> Sequence[Route]:
        """Paths of types."""
        return [
            route("GET", "/types", self._list_types),
            route("POST", "/types", self._create_type),
            route("GET", "/types/{type_id}", self._show_type),
            route("PUT", "/types/{type_id}", self._update_type),
            route("DELETE", "/types/{type_id}", self._delete_type),
            route("POST", "/types/{type_id}/action", self._type_access),
            route("GET", "/types/{type_id}/os-volume-type-access", self._list_access),
            route("GET", "/types/{type_id}/extra_specs", self._specs),
            route("POST", "/types/{type_id}/extra_specs", self._set_specs),
            route("DELETE", "/types/{type_id}/extra_specs/{key}", self._unset_spec),
            route("GET", "/default-types", self._list_defaults),
            route("PUT", "/default-types/{project_id}", self._set_default),
            route("DELETE", "/default-types/{project_id}", self._unset_default),
            route("GET", "/types/{type_id}/encryption", self._encryption),
            route("POST", "/types/{type_id}/encryption", self._encrypt),
            route("PUT", "/types/{type_id}/encryption/{encryption_id}", self._reencrypt),
            route("DELETE", "/types/{type_id}/encryption/{encryption_id}", self._decrypt),
        ]

    def _new_type(self, given: Json) -> Json:
        made = {
            "id": new_id(), "name": given["name"], "description": given.get("description"),
            "is_public": given.get("os-volume-type-access:is_public", True),
            "extra_specs": dict(given.get("extra_specs") or {}), "_projects": set(), "_encryption": {},
            "qos_specs_id": None,
        }  # fmt: skip
        self.stored[made["id"]] = made
        return made

    def fits(self, type_id: str, host: str) -> bool:
        """Whether volumes of a type can be on a host: ``name@backend#pool``."""
        backend = self.stored[type_id]["extra_specs"].get("volume_backend_name") if type_id in self.stored else None
        return backend is None or backend == host.partition("@")[2].partition("#")[0]

    def _list_types(self, asked: Asked) -> Said:
        shown = [one for one in self._types_of(asked) if is_listed(one, asked)]
        return Said(body={"volume_types": [self._type_shown(asked, one) for one in shown]})

    def _create_type(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:type_create")
        given = asked.part("volume_type")
        if "id" in given:
            raise Refusal(400, "Additional properties are not allowed ('id' was unexpected)")
        if any(one["name"] == given.get("name") for one in self.stored.values()):
            raise Refusal(409, f"Volume Type {given.get('name')} already exists.")
        return Said(body={"volume_type": self._type_shown(asked, self._new_type(given))})

    def _show_type(self, asked: Asked, type_id: str) -> Said:
        kind = self.default(asked.caller.project_id) if type_id == "default" else self._type(asked, type_id)
        return Said(body={"volume_type": self._type_shown(asked, kind)})

    def _update_type(self, asked: Asked, type_id: str) -> Said:
        asked.need_admin("volume_extension:type_update")
        kind = self._type(asked, type_id)
        given = asked.part("volume_type")
        if any(one["name"] == given.get("name") and one is not kind for one in self.stored.values()):
            raise Refusal(409, f"Volume Type {given['name']} already exists.")
        kind |= {k: v for k, v in given.items() if k in ("name", "description", "is_public")}
        return Said(body={"volume_type": self._type_shown(asked, kind)})

    def _delete_type(self, asked: Asked, type_id: str) -> Said:
        asked.need_admin("volume_extension:type_delete")
        self._type(asked, type_id)
        if self._is_in_use(type_id):
            raise Refusal(400, "Target volume type is still in use.")
        if type_id in self.defaults.values():
            raise Refusal(400, f"The volume type {type_id} is a default volume type and cannot be deleted.")
        del self.stored[type_id]
        return Said(status=202)

    def _list_defaults(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:default_get_all")
        shown = [{"project_id": project, "volume_type_id": kind} for project, kind in self.defaults.items()]
        return Said(body={"default_types": shown})

    def _set_default(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("volume_extension:default_set_or_update")
        named = asked.part("default_type")["volume_type"]
        kind = next((one["id"] for one in self._types_of(asked) if named in (one["id"], one["name"])), None)
        if kind is None:
            raise Refusal(400, f"Volume type with name {named} could not be found.")
        self.defaults[project_id] = kind
        return Said(body={"default_type": {"project_id": project_id, "volume_type_id": kind}})

    def _unset_default(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("volume_extension:default_unset")
        self.defaults.pop(project_id, None)
        return Said(status=204)

    def _type_access(self, asked: Asked, type_id: str) -> Said:
        asked.need_admin("volume_extension:volume_type_access:addProjectAccess")
        kind, body = self._type(asked, type_id), asked.json()
        if (given := body.get("addProjectAccess")) is not None:
            if given["project"] in kind["_projects"]:
                text = f"Volume type access for {type_id} / {given['project']} combination already exists."
                raise Refusal(409, text)
            kind["_projects"].add(given["project"])
        else:
            kind["_projects"].discard(body["removeProjectAccess"]["project"])
        return Said(status=202)

    def _list_access(self, asked: Asked, type_id: str) -> Said:
        asked.need_admin("volume_extension:volume_type_access:get_all_for_type")
        projects = sorted(self._type(asked, type_id)["_projects"])
        return Said(body={"volume_type_access": [{"volume_type_id": type_id, "project_id": one} for one in projects]})

    def _specs(self, asked: Asked, type_id: str) -> Said:
        return Said(body={"extra_specs": self._type(asked, type_id)["extra_specs"]})

    def _set_specs(self, asked: Asked, type_id: str) -> Said:
        asked.need_admin("volume_extension:types_extra_specs:create")
        self._type(asked, type_id)["extra_specs"] |= asked.part("extra_specs")
        return Said(body=asked.json())

    def _unset_spec(self, asked: Asked, type_id: str, key: str) -> Said:
        asked.need_admin("volume_extension:types_extra_specs:delete")
        if self._type(asked, type_id)["extra_specs"].pop(key, None) is None:
            raise Refusal(404, f"Volume Type {type_id} has no extra specs with key {key}.")
        return Said(status=202)

    def _encryption(self, asked: Asked, type_id: str) -> Said:
        asked.need_admin("volume_extension:volume_type_encryption:get")
        return Said(body=self._type(asked, type_id)["_encryption"])

    def _encrypt(self, asked: Asked, type_id: str) -> Said:
        kind = self._changeable(asked, type_id, "Cannot create encryption specs. Volume type in use.")
        if kind["_encryption"]:
            raise Refusal(400, f"Volume type encryption for type {type_id} already exists.")
        kind["_encryption"] = {**asked.part("encryption"), "encryption_id": new_id(), "volume_type_id": type_id}
        return Said(body={"encryption": kind["_encryption"]})

    def _reencrypt(self, asked: Asked, type_id: str, encryption_id: str) -> Said:
        kind = self._changeable(asked, type_id, "Cannot update encryption specs. Volume type in use.")
        kind["_encryption"] |= asked.part("encryption")
        return Said(body=asked.json())

    def _decrypt(self, asked: Asked, type_id: str, encryption_id: str) -> Said:
        kind = self._changeable(asked, type_id, "Cannot delete encryption specs. Volume type in use.")
        if not kind["_encryption"]:
            raise Refusal(404, f"Volume type encryption for type {type_id} does not exist.")
        kind["_encryption"] = {}
        return Said(status=202)

    def _changeable(self, asked: Asked, type_id: str, refusal: str) -> Json:
        asked.need_admin("volume_extension:volume_type_encryption:create")
        kind = self._type(asked, type_id)
        if self._is_in_use(type_id):
            raise Refusal(400, refusal)
        return kind

    def _types_of(self, asked: Asked) -> list[Json]:
        project = asked.caller.project_id
        return [one for one in self.stored.values()
                if one["is_public"] or asked.caller.is_admin or project in one["_projects"]]  # fmt: skip

    def _type(self, asked: Asked, type_id: str) -> Json:
        for kind in self._types_of(asked):
            if kind["id"] == type_id:
                return kind
        raise Refusal(404, f"Volume type {type_id} could not be found.")

    def wanted(self, asked: Asked, wanted: Any) -> Json | None:
        """The type of this name or id; None when none is wanted. :raises Refusal: 404."""
        if not wanted:
            return None
        for kind in self._types_of(asked):
            if wanted in (kind["id"], kind["name"]):
                return kind
        by_name = "" if re.fullmatch(r"[0-9a-f-]{36}", str(wanted)) else "with name "
        raise Refusal(404, f"Volume type {by_name}{wanted} could not be found.")

    def default(self, project_id: str) -> Json:
        """The type of a project's volume for which none is named: its own default, or the pod's."""
        own = self.defaults.get(project_id)
        return next(iter(self.stored.values())) if own is None else self.stored[own]

    def _type_shown(self, asked: Asked, kind: Json) -> Json:
        shown = plain(kind)
        shown["os-volume-type-access:is_public"] = kind["is_public"]
        if not asked.caller.is_admin:
            shown["extra_specs"] = {key: value for key, value in kind["extra_specs"].items() if key in _FOR_ALL}
            del shown["qos_specs_id"]
        return shown
