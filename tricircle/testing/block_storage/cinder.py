# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do? Volumes, snapshots, attachments, and what its parts do: types, groups, hosts ..."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tricircle.testing.block_storage.qos_specs import QosSpecs
from tricircle.testing.block_storage.storage_lists import ATTACHMENTS, SNAPSHOTS, VOLUMES, StorageList, links_to
from tricircle.testing.block_storage.volume_backups import VolumeBackups
from tricircle.testing.block_storage.volume_groups import VolumeGroups
from tricircle.testing.block_storage.volume_hosts import VolumeHosts
from tricircle.testing.block_storage.volume_messages import VolumeMessages
from tricircle.testing.block_storage.volume_quotas import VolumeQuotas
from tricircle.testing.block_storage.volume_transfers import VolumeTransfers
from tricircle.testing.block_storage.volume_types import VolumeTypes
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, plain, route
from tricircle.testing.lists import Manner
from tricircle.testing.microversions import Microversions, fault

VERSIONS = Microversions(word="volume", minimum=(3, 0), maximum=(3, 71))
#: Since when metadata has an ``Etag``.
_MARKED = (3, 15)


class Cinder:
    """The fake block storage service of one pod. ``host`` and ``zone`` are what a real pod would show of itself."""

    name = "block-storage"
    public = re.compile(r"/?")

    def __init__(self, zone: str, host: str = "canaryhost-1@canarybackend#pool", max_limit: int = 1000) -> None:
        self.zone = zone
        self.host = host
        self.max_limit = max_limit
        self.volumes: dict[str, Json] = {}
        self.snapshots: dict[str, Json] = {}
        self.attachments: dict[str, Json] = {}
        self.types = VolumeTypes(lambda type_id: any(one["_type"] == type_id for one in self.volumes.values()))
        self.qos = QosSpecs(self.types)
        self.quotas = VolumeQuotas(self._holdings)
        self.transfers = VolumeTransfers(self)
        self.groups = VolumeGroups(self)
        self.hosts = VolumeHosts(self)
        self.backups = VolumeBackups(self)
        self.messages = VolumeMessages(self)
        self._numbers = itertools.count(1)
        #: Whether an image may be used; the pod's composition puts Glance's answer here.
        self.has_image: Callable[[str], bool] = lambda _image_id: False

    def routes(self) -> Sequence[Route]:
        """Cinder's paths behind version and project."""
        return [
            route("GET", "/", self._versions),
            *self._volume_routes(),
            *self.types.routes(),
            *self.qos.routes(),
            *self.transfers.routes(),
            *self.quotas.routes(),
            *self.groups.routes(),
            *self.hosts.routes(),
            *self.backups.routes(),
            *self.messages.routes(),
            route("GET", "/os-availability-zone", self._zones),
        ]

    def _volume_routes(self) -> list[Route]:
        return [
            route("POST", "/volumes", self._create_volume),
            route("GET", "/volumes", self._list_volumes),
            route("GET", "/volumes/detail", self._list_volumes),
            route("GET", "/volumes/summary", self._summary),
            route("GET", "/volumes/{volume_id}", self._show_volume),
            route("PUT", "/volumes/{volume_id}", self._update_volume),
            route("DELETE", "/volumes/{volume_id}", self._delete_volume),
            route("GET", "/volumes/{volume_id}/metadata", self._metadata),
            route("POST", "/volumes/{volume_id}/metadata", self._set_metadata),
            route("PUT", "/volumes/{volume_id}/metadata", self._replace_metadata),
            route("POST", "/volumes/{volume_id}/action", self._act),
            route("POST", "/snapshots", self._create_snapshot),
            route("GET", "/snapshots", self._list_snapshots),
            route("GET", "/snapshots/detail", self._list_snapshots),
            route("GET", "/snapshots/{snapshot_id}", self._show_snapshot),
            route("DELETE", "/snapshots/{snapshot_id}", self._delete_snapshot),
            route("POST", "/attachments", self._create_attachment),
            route("GET", "/attachments", self._list_attachments),
            route("GET", "/attachments/detail", self._list_attachments),
            route("GET", "/attachments/{attachment_id}", self._show_attachment),
            route("DELETE", "/attachments/{attachment_id}", self._delete_attachment),
        ]

    def understand(self, asked: Asked) -> str:
        """The path behind ``/v3`` or ``/v3/<project id>``. :raises Refusal: 400 for a foreign project."""
        if asked.path == "/":
            asked.version = VERSIONS.minimum
            return "/"
        VERSIONS.negotiate(asked)
        segments = asked.path.strip("/").split("/")
        rest = segments[1:]
        asked.prefix = "/v3"
        if rest and re.fullmatch(r"[0-9a-f-]{32,36}", rest[0]):
            project = rest.pop(0)
            asked.prefix += f"/{project}"
            if asked.who is not None and asked.who.project_id != project:
                raise Refusal(400, "Malformed request url")
        return "/" + "/".join(rest)

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """Cinder's form of an error, which is Nova's."""
        if refusal.status == 413:
            refusal.headers.setdefault("Retry-After", "0")
        return fault(asked, refusal)

    def finish(self, asked: Asked, said: Said) -> Said:
        """Version headers."""
        return VERSIONS.mark(asked, said)

    def _versions(self, asked: Asked) -> Said:
        version = {
            "id": "v3.0", "status": "CURRENT", "version": "3.71", "min_version": "3.0",
            "updated": "2023-08-31T00:00:00Z", "links": [{"rel": "self", "href": f"{asked.root}/v3/"}],
        }  # fmt: skip
        return Said(status=300 if asked.path == "/" else 200, body={"versions": [version]})

    # --- volumes ---------------------------------------------------------------------------------------------------

    def _create_volume(self, asked: Asked) -> Said:
        body = asked.json()
        if not isinstance(given := body.get("volume"), dict):
            raise Refusal(400, "'volume' is a required property")
        size = given.get("size")
        if isinstance(size, str) and not size.isdigit():
            text = f"Invalid input for field/attribute size. Value: {size}. '{size}' does not match '^[0-9]+$'"
            raise Refusal(400, text)
        kind = self.types.wanted(asked, given.get("volume_type"))
        for key, stored, noun in (
            ("snapshot_id", self.snapshots, "Snapshot"),
            ("source_volid", self.volumes, "Volume"),
        ):
            if (source := given.get(key)) is not None:
                if source not in stored:
                    raise Refusal(404, f"{noun} {source} could not be found.")
                size = size or stored[source]["size"]
                kind = kind or self.types.stored[self._source_volume(key, source)["_type"]]
        image = given.get("imageRef") or given.get("image_id")
        # As an id, as a URL that ends with one, or as a name.
        if image is not None and not (self.has_image(image.split("/")[-1]) or self.has_image(image)):
            raise Refusal(400, "Invalid image identifier or unable to access requested image.")
        zone = given.get("availability_zone") or self.zone
        if zone != self.zone:
            raise Refusal(400, f"Availability zone '{zone}' is invalid.")
        self.quotas.check(asked.caller.project_id, int(size or 0))
        owner = asked.caller.user_id, asked.caller.project_id
        made = self._new_volume(owner, given, int(size or 0), kind or self.types.default(owner[1]))
        shown = self._shown(asked, made)
        for key in ("os-vol-tenant-attr:tenant_id", "os-vol-host-attr:host"):
            shown.pop(key, None)  # only lists and single volumes have them
        return Said(status=202, body={"volume": shown})

    def _source_volume(self, key: str, source: str) -> Json:
        return self.volumes[self.snapshots[source]["volume_id"] if key == "snapshot_id" else source]

    def build(self, device: Json, owner: tuple[str, str]) -> Json:
        """Make the volume of a new server's block device, as Nova does for ``owner`` (user, project)."""
        snapshot_id = device.get("uuid") if device["source_type"] == "snapshot" else None
        kind, size = self.types.default(owner[1]), device.get("volume_size")
        if snapshot_id is not None:
            size = size or self.snapshots[snapshot_id]["size"]
            kind = self.types.stored[self._source_volume("snapshot_id", snapshot_id)["_type"]]
        named = [one for one in self.types.stored.values() if one["name"] == device.get("volume_type")]
        return self._new_volume(owner, {"snapshot_id": snapshot_id}, int(size or 0), next(iter(named), kind))

    def _new_volume(self, owner: tuple[str, str], given: Json, size: int, kind: Json) -> Json:
        made = {
            "id": new_id(), "name": given.get("name"), "description": given.get("description"), "size": size,
            "status": "creating", "availability_zone": self.zone, "metadata": given.get("metadata") or {},
            "snapshot_id": given.get("snapshot_id"), "source_volid": given.get("source_volid"),
            "bootable": str(bool(given.get("imageRef") or given.get("image_id"))).lower(),
            "encrypted": False, "multiattach": False, "consistencygroup_id": None, "replication_status": None,
            "user_id": owner[0], "_project": owner[1], "_type": kind["id"], "_group": given.get("group_id"),
            "created_at": self.now(), "updated_at": None, "_number": next(self._numbers),
        }  # fmt: skip
        self.volumes[made["id"]] = made
        return made

    def _list_volumes(self, asked: Asked) -> Said:
        mine = [one for one in self.volumes.values() if self._is_listed(asked, one)]
        for one in mine:
            self._settle(one)
        if (type_id := asked.one("volume_type_id")) is not None and asked.caller.is_admin:
            mine = [one for one in mine if one["_type"] == type_id]
        if (group_id := asked.one("group_id")) is not None and asked.version >= (3, 10):
            mine = [one for one in mine if one["_group"] == group_id]

        def shown(one: Json, is_detail: bool) -> Json:
            return self._shown(asked, one, is_detail=is_detail)

        return Said(body=VOLUMES.body(asked, mine, self._manner(asked, VOLUMES, self.volumes), shown))

    def _summary(self, asked: Asked) -> Said:
        if asked.version < (3, 12):
            return self._show_volume(asked, "summary")
        mine = [one for one in self.volumes.values() if self._is_listed(asked, one)]
        summary: Json = {"total_count": len(mine), "total_size": sum(int(one["size"]) for one in mine)}
        if asked.version >= (3, 36):
            summary["metadata"] = {}
            for key, value in (pair for one in mine for pair in one["metadata"].items()):
                summary["metadata"].setdefault(key, [])
                summary["metadata"][key] += [value] if value not in summary["metadata"][key] else []
        return Said(body={"volume-summary": summary})

    def _show_volume(self, asked: Asked, volume_id: str) -> Said:
        return Said(body={"volume": self._shown(asked, self._volume(asked, volume_id))})

    def _update_volume(self, asked: Asked, volume_id: str) -> Said:
        volume = self._volume(asked, volume_id)
        volume |= {key: value for key, value in asked.part("volume").items() if key in ("name", "description")}
        volume["updated_at"] = self.now()
        return Said(body={"volume": self._shown(asked, volume)})

    def _set_metadata(self, asked: Asked, volume_id: str) -> Said:
        volume = self._volume(asked, volume_id)
        volume["metadata"] |= asked.part("metadata")
        return Said(body={"metadata": volume["metadata"]})

    def _metadata(self, asked: Asked, volume_id: str) -> Said:
        metadata = {"metadata": self._volume(asked, volume_id)["metadata"]}
        if asked.version < _MARKED:
            return Said(body=metadata)
        headers = {"Etag": _mark(metadata), "Content-Type": "text/html; charset=UTF-8"}
        return Said(body=json.dumps(metadata).encode(), headers=headers)

    def _replace_metadata(self, asked: Asked, volume_id: str) -> Said:
        volume = self._volume(asked, volume_id)
        wanted = asked.headers.get("if-match")
        if asked.version >= _MARKED and wanted and _mark({"metadata": volume["metadata"]}) != wanted.strip('"'):
            return Said(status=412, body=b"")
        volume["metadata"] = dict(asked.part("metadata"))
        return Said(body={"metadata": volume["metadata"]})

    def _delete_volume(self, asked: Asked, volume_id: str) -> Said:
        self._volume(asked, volume_id)
        if any(one["volume_id"] == volume_id for one in self.snapshots.values()):
            text = "Invalid volume: Volume status must be available or error and must not have snapshots."
            raise Refusal(400, text)
        if any(one["volume_id"] == volume_id for one in self.attachments.values()):
            raise Refusal(400, "Invalid volume: Volume status must be available or error and must not be attached.")
        del self.volumes[volume_id]
        return Said(status=202)

    def _act(self, asked: Asked, volume_id: str) -> Said:
        volume = self._volume(asked, volume_id)
        body = asked.json()
        action = next(iter(body), "")
        given = body.get(action) or {}
        if action == "os-force_delete":
            asked.need_admin("volume_extension:volume_admin_actions:force_delete")
            del self.volumes[volume_id]
        elif action == "os-unmanage":
            asked.need_admin("volume_extension:volume_unmanage")
            self.hosts.leave(volume_id)
        elif action == "os-migrate_volume":
            asked.need_admin("volume_extension:volume_admin_actions:migrate_volume")
            if str(given.get("host")).partition("#")[0] != self.hosts.backend:
                raise Refusal(400, f"Invalid host: No available service named '{given.get('host')}'")
            raise Refusal(400, "Invalid host: Destination host must be different than the current host.")
        elif action == "os-extend":
            volume["size"] = int(given["new_size"])
        elif action == "os-retype":
            kind = self.types.wanted(asked, given.get("new_type"))
            volume["_type"] = kind["id"] if kind else volume["_type"]
        elif action == "os-reset_status":
            volume["status"] = given["status"]
        else:
            raise Refusal(400, f"There is no such action: {action}")
        return Said(status=202)

    # --- snapshots and attachments ---------------------------------------------------------------------------------

    def _create_snapshot(self, asked: Asked) -> Said:
        given = asked.part("snapshot")
        volume = self._volume(asked, str(given.get("volume_id")))
        return Said(status=202, body={"snapshot": plain(self.snap(volume, given, asked.caller.project_id))})

    def snap(self, volume: Json, given: Json, project_id: str) -> Json:
        """Make a snapshot, as users and Nova have it made."""
        made = {
            "id": new_id(), "volume_id": volume["id"], "name": given.get("name"), "size": volume["size"],
            "description": given.get("description"), "status": "creating", "metadata": given.get("metadata") or {},
            "created_at": self.now(), "updated_at": None, "_project": project_id, "_number": next(self._numbers),
        }  # fmt: skip
        self.snapshots[made["id"]] = made
        return made

    def _list_snapshots(self, asked: Asked) -> Said:
        mine = [one for one in self.snapshots.values() if self._is_listed(asked, one)]
        for one in mine:
            self._settle(one)
        manner = self._manner(asked, SNAPSHOTS, self.snapshots)
        return Said(body=SNAPSHOTS.body(asked, mine, manner, lambda one, _: plain(one)))

    def _show_snapshot(self, asked: Asked, snapshot_id: str) -> Said:
        return Said(body={"snapshot": plain(self._owned(asked, self.snapshots, snapshot_id, "Snapshot"))})

    def _delete_snapshot(self, asked: Asked, snapshot_id: str) -> Said:
        self._owned(asked, self.snapshots, snapshot_id, "Snapshot")
        del self.snapshots[snapshot_id]
        return Said(status=202)

    def _create_attachment(self, asked: Asked) -> Said:
        given = asked.part("attachment")
        volume = self._volume(asked, str(given.get("volume_uuid")))
        made = self.attach(volume["id"], str(given.get("instance_uuid")), asked.caller.project_id)
        return Said(body={"attachment": self._attachment(made)})

    def attach(self, volume_id: str, server_id: str, project_id: str) -> Json:
        """Reserve a volume for a server, as Nova does."""
        made: Json = {
            "id": new_id(), "volume_id": volume_id, "instance": server_id, "instance_id": server_id,
            "status": "reserved",
            "_project": project_id, "_number": next(self._numbers), "created_at": self.now(),
        }  # fmt: skip
        self.attachments[made["id"]] = made
        self.volumes[volume_id]["status"] = "reserved"
        return made

    def _list_attachments(self, asked: Asked) -> Said:
        mine = [one for one in self.attachments.values() if self._is_listed(asked, one)]
        manner = self._manner(asked, ATTACHMENTS, self.attachments)
        brief = ("id", "status", "instance", "volume_id")

        def shown(one: Json, is_detail: bool) -> Json:
            return self._attachment(one) if is_detail else {key: one[key] for key in brief}

        return Said(body=ATTACHMENTS.body(asked, mine, manner, shown))

    @staticmethod
    def _attachment(one: Json) -> Json:
        more = {"attached_at": "", "detached_at": "", "attach_mode": "null", "connection_info": {}}
        return {key: one[key] for key in ("id", "status", "instance", "volume_id")} | more

    def _show_attachment(self, asked: Asked, attachment_id: str) -> Said:
        found = self._owned(asked, self.attachments, attachment_id, "Volume attachment")
        return Said(body={"attachment": self._attachment(found)})

    def _delete_attachment(self, asked: Asked, attachment_id: str) -> Said:
        found = self._owned(asked, self.attachments, attachment_id, "Volume attachment")
        del self.attachments[attachment_id]
        self.volumes[found["volume_id"]]["status"] = "available"
        return Said(body={"attachments": []})

    # --- zones and pools -----------------------------------------------------------------------------------------

    def _zones(self, asked: Asked) -> Said:
        return Said(body={"availabilityZoneInfo": [{"zoneName": self.zone, "zoneState": {"available": True}}]})

    def type_ids(self, asked: Asked, names: Sequence[str]) -> list[str]:
        """Ids of volume types, by id or name. :raises Refusal: 404"""
        return [kind["id"] for name in names if (kind := self.types.wanted(asked, name)) is not None]

    def manage(self, asked: Asked, given: Json, size: int) -> Json:
        """A volume of something that was there before, as it is shown."""
        kind = self.types.wanted(asked, given.get("volume_type")) or self.types.default(asked.caller.project_id)
        made = self._new_volume((asked.caller.user_id, asked.caller.project_id), given, size, kind)
        return self._shown(asked, made)

    @staticmethod
    def now() -> str:
        """The time as Cinder writes what is stored."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000")

    # --- small things ----------------------------------------------------------------------------------------------

    def _manner(self, asked: Asked, what: StorageList, stored: dict[str, Json]) -> Manner:
        return what.manner(self, lambda: (one for one in stored.values() if asked.sees(one["_project"])))

    def _is_listed(self, asked: Asked, one: Json) -> bool:
        wants_all = asked.one("all_tenants", "0") in ("1", "True", "true")
        return one["_project"] == asked.caller.project_id or (wants_all and asked.caller.is_admin)

    def _holdings(self, project_id: str) -> tuple[list[Json], list[Json], dict[str, str]]:
        volumes = [one for one in self.volumes.values() if one["_project"] == project_id]
        snapshots = [one for one in self.snapshots.values() if one["_project"] == project_id]
        return volumes, snapshots, {type_id: str(one["name"]) for type_id, one in self.types.stored.items()}

    def _owned(self, asked: Asked, stored: dict[str, Json], resource_id: str, noun: str) -> Json:
        found = stored.get(resource_id)
        if found is None or not asked.sees(found["_project"]):
            raise Refusal(404, f"{noun} {resource_id} could not be found.")
        return self._settle(found)

    def _volume(self, asked: Asked, volume_id: str) -> Json:
        return self._owned(asked, self.volumes, volume_id, "Volume")

    def _settle(self, one: Json) -> Json:
        # What was begun is done by the time somebody looks again, or has failed.
        if one.get("status") == "creating":
            backend = (
                self.types.stored.get(one.get("_type") or "", {}).get("extra_specs", {}).get("volume_backend_name")
            )
            has_failed = backend is not None and backend != self.host.partition("@")[2].partition("#")[0]
            one["status"] = "error" if has_failed else "available"
            if has_failed:
                self.messages.no_storage(one)
        return one

    def _shown(self, asked: Asked, volume: Json, *, is_detail: bool = True) -> Json:
        links = links_to(asked, f"volumes/{volume['id']}")
        if not is_detail:
            return {"id": volume["id"], "name": volume["name"], "links": links}
        shown = {**plain(volume), "links": links, "volume_type": self.types.stored[volume["_type"]]["name"]}
        shown["attachments"] = []
        shown["os-vol-tenant-attr:tenant_id"] = volume["_project"]
        if asked.version >= (3, 63):
            shown["volume_type_id"] = volume["_type"]
        if asked.version >= (3, 13):
            shown["group_id"] = volume["_group"]
        if asked.version >= (3, 48):
            shown |= {"service_uuid": "canary-service-uuid", "shared_targets": False}
        if asked.caller.is_admin:
            shown["os-vol-host-attr:host"] = self.host
        return shown


def _mark(metadata: Json) -> str:
    return hashlib.md5(json.dumps(metadata).encode(), usedforsecurity=False).hexdigest()
