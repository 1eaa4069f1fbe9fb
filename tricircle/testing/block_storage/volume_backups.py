# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do with backups of volumes?"""

import itertools
from collections.abc import Sequence
from typing import Protocol

from tricircle.testing.block_storage.storage_lists import BACKUPS, links_to
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, plain, route


class Owner(Protocol):
    """What backups ask of the fake Cinder."""

    zone: str
    max_limit: int
    volumes: dict[str, Json]

    def now(self) -> str:
        """The time as Cinder writes it."""
        ...


class VolumeBackups:
    """Backups; one that was begun is there by the time somebody looks again."""

    def __init__(self, owner: Owner) -> None:
        self.stored: dict[str, Json] = {}
        self._owner = owner
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Paths of backups."""
        return [
            route("GET", "/backups", self._list),
            route("GET", "/backups/detail", self._list),
            route("POST", "/backups", self._create),
            route("GET", "/backups/{backup_id}", self._show),
            route("DELETE", "/backups/{backup_id}", self._delete),
        ]

    def _get(self, asked: Asked, backup_id: str) -> Json:
        found = self.stored.get(backup_id)
        if found is None or not asked.sees(found["_project"]):
            raise Refusal(404, f"Backup {backup_id} could not be found.")
        found["status"] = "available" if found["status"] == "creating" else found["status"]
        return found

    def _list(self, asked: Asked) -> Said:
        wants_all = asked.one("all_tenants", "0") in ("1", "True", "true") and asked.caller.is_admin
        seen = [self._get(asked, one["id"]) for one in self.stored.values() if asked.sees(one["_project"])]
        mine = [one for one in seen if wants_all or one["_project"] == asked.caller.project_id]
        manner = BACKUPS.manner(self._owner, lambda: seen)
        return Said(body=BACKUPS.body(asked, mine, manner, lambda one, is_detail: _shown(asked, one, is_detail)))

    def _create(self, asked: Asked) -> Said:
        given = asked.part("backup")
        volume = self._owner.volumes.get(str(given.get("volume_id")))
        if volume is None or not asked.sees(volume["_project"]):
            raise Refusal(404, f"Volume {given.get('volume_id')} could not be found.")
        made = {
            "id": new_id(), "name": given.get("name"), "description": given.get("description"), "status": "creating",
            "size": volume["size"], "volume_id": volume["id"], "snapshot_id": given.get("snapshot_id"),
            "created_at": self._owner.now(), "updated_at": None, "availability_zone": self._owner.zone,
            "_project": asked.caller.project_id, "_number": next(self._numbers),
        }  # fmt: skip
        self.stored[made["id"]] = made
        return Said(status=202, body={"backup": _shown(asked, made, is_detail=False)})

    def _show(self, asked: Asked, backup_id: str) -> Said:
        return Said(body={"backup": _shown(asked, self._get(asked, backup_id))})

    def _delete(self, asked: Asked, backup_id: str) -> Said:
        self._get(asked, backup_id)
        del self.stored[backup_id]
        return Said(status=202)


def _shown(asked: Asked, backup: Json, is_detail: bool = True) -> Json:
    links = links_to(asked, f"backups/{backup['id']}")
    if not is_detail:
        return {"id": backup["id"], "name": backup["name"], "links": links}
    more = {"fail_reason": None, "container": None, "object_count": 0, "is_incremental": False, "data_timestamp": None,
            "has_dependent_backups": False}  # fmt: skip
    return {**plain(backup), **more, "links": links}
