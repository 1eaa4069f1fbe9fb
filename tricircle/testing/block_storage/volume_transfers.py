# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do when a volume changes hands?"""

import itertools
from collections.abc import Sequence
from typing import Protocol

from tricircle.testing.block_storage.storage_lists import TRANSFERS
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route

_PAGED_SINCE = (3, 59)


class Owner(Protocol):
    """What transfers ask of the fake Cinder."""

    max_limit: int
    volumes: dict[str, Json]
    snapshots: dict[str, Json]

    def now(self) -> str:
        """The time as Cinder writes it."""
        ...


class VolumeTransfers:
    """Transfers; the one who has the key takes the volume over."""

    def __init__(self, owner: Owner) -> None:
        self.stored: dict[str, Json] = {}
        self._owner = owner
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Paths of transfers, old and new."""
        made: list[Route] = []
        for path in ("/os-volume-transfer", "/volume-transfers"):
            made += [
                route("GET", path, self._list),
                route("GET", f"{path}/detail", self._list),
                route("POST", path, self._create),
                route("GET", f"{path}/{{transfer_id}}", self._show),
                route("DELETE", f"{path}/{{transfer_id}}", self._delete),
                route("POST", f"{path}/{{transfer_id}}/accept", self._accept),
            ]
        return made

    def _mine(self, asked: Asked) -> list[Json]:
        wants_all = asked.caller.is_admin and asked.one("all_tenants", "0") in ("1", "True", "true")
        mine = [one for one in self.stored.values() if wants_all or one["_project"] == asked.caller.project_id]
        return sorted(mine, key=lambda one: (one["created_at"], one["id"]))

    def _get(self, asked: Asked, transfer_id: str) -> Json:
        found = self.stored.get(transfer_id)
        if found is None or not asked.sees(found["_project"]):
            raise Refusal(404, f"Transfer {transfer_id} could not be found.")
        return found

    def _list(self, asked: Asked) -> Said:
        mine = self._mine(asked)
        if asked.version < _PAGED_SINCE:
            # Whatever is asked for is a filter that nothing meets.
            is_asked = any(name != "all_tenants" for name, _ in asked.query)
            is_brief = not asked.path.endswith("detail")
            shown = [] if is_asked else [self._shown(asked, one, is_brief=is_brief) for one in mine]
            return Said(body={"transfers": shown})
        seen = [one for one in self.stored.values() if asked.sees(one["_project"])]
        manner = TRANSFERS.manner(self._owner, lambda: seen)
        body = TRANSFERS.body(
            asked, mine, manner, lambda one, is_detail: self._shown(asked, one, is_brief=not is_detail)
        )
        # An offset is left out once more, of what was left.
        body["transfers"] = body["transfers"][int(asked.one("offset") or 0) :]
        return Said(body=body)

    def _create(self, asked: Asked) -> Said:
        volume_id = str(asked.part("transfer").get("volume_id"))
        volume = self._owner.volumes.get(volume_id)
        if volume is None or not asked.sees(volume["_project"]):
            raise Refusal(404, f"Volume {volume_id} could not be found.")
        made = {
            "id": new_id(), "volume_id": volume_id, "name": asked.part("transfer").get("name"), "_key": new_id()[:16],
            "created_at": self._owner.now(), "_project": volume["_project"], "_number": next(self._numbers),
            "_no_snapshots": bool(asked.part("transfer").get("no_snapshots")) and asked.version >= (3, 55),
        }  # fmt: skip
        volume["status"] = "awaiting-transfer"
        self.stored[made["id"]] = made
        return Said(status=202, body={"transfer": {**self._shown(asked, made), "auth_key": made["_key"]}})

    def _show(self, asked: Asked, transfer_id: str) -> Said:
        return Said(body={"transfer": self._shown(asked, self._get(asked, transfer_id))})

    def _delete(self, asked: Asked, transfer_id: str) -> Said:
        self._owner.volumes[self._get(asked, transfer_id)["volume_id"]]["status"] = "available"
        del self.stored[transfer_id]
        return Said(status=202)

    def _accept(self, asked: Asked, transfer_id: str) -> Said:
        found = self.stored.get(transfer_id)
        if found is None:
            raise Refusal(404, f"Transfer {transfer_id} could not be found.")
        if asked.part("accept").get("auth_key") != found["_key"]:
            text = f"Invalid auth key: Attempt to transfer {transfer_id} with invalid auth key."
            raise Refusal(400, text)
        volume = self._owner.volumes[found["volume_id"]]
        volume |= {"_project": asked.caller.project_id, "user_id": asked.caller.user_id, "status": "available"}
        for snapshot in self._owner.snapshots.values():
            if snapshot["volume_id"] == volume["id"] and not found["_no_snapshots"]:
                snapshot["_project"] = asked.caller.project_id
        del self.stored[transfer_id]
        return Said(status=202, body={"transfer": self._shown(asked, found, is_brief=True)})

    @staticmethod
    def _shown(asked: Asked, one: Json, *, is_brief: bool = False) -> Json:
        links = [{"rel": "self", "href": f"{asked.root}{asked.prefix}/os-volume-transfer/{one['id']}"}]
        fields = ("id", "volume_id", "name") if is_brief else ("id", "created_at", "volume_id", "name")
        more = {"no_snapshots": one["_no_snapshots"]} if asked.version >= (3, 55) and not is_brief else {}
        return {key: one[key] for key in fields} | {"links": links} | more
