# SPDX-License-Identifier: Apache-2.0
"""Which good requests to the block-storage API are there to be spoiled?"""

from collections.abc import Iterator
from typing import Any

from tests.fuzz.calls import Call

_NEW = "3.59"
_VOLUME = {"size": 1, "name": "fuzz", "availability_zone": "@zone"}
_PAGE = (("limit", "1"), ("sort", "created_at:asc"), ("offset", "0"), ("name", "x"))
#: Asked of a volume that nobody else needs.
_ACTIONS: tuple[Any, ...] = (
    {"os-attach": {"instance_uuid": "@nobody", "mountpoint": "/dev/vdc", "mode": "rw"}},
    {"os-detach": {"attachment_id": "@nobody"}},
    {"os-reserve": None},
    {"os-unreserve": None},
    {"os-begin_detaching": None},
    {"os-roll_detaching": None},
    {"os-initialize_connection": {"connector": {"host": "x", "ip": "10.0.0.1"}}},
    {"os-terminate_connection": {"connector": {"host": "x"}}},
    {"os-extend": {"new_size": 2}},
    {"os-update_readonly_flag": {"readonly": False}},
    {"os-set_bootable": {"bootable": True}},
    {"os-set_image_metadata": {"metadata": {"a": "b"}}},
    {"os-show_image_metadata": None},
    {"os-unset_image_metadata": {"key": "a"}},
    {"os-retype": {"new_type": "__DEFAULT__", "migration_policy": "never"}},
    {"os-volume_upload_image": {"image_name": "up", "container_format": "bare", "disk_format": "raw"}},
    {"revert": {"snapshot_id": "@nobody"}},
    {"os-reimage": {"image_id": "@nobody"}},
    {"no-such-action": {}},
)
_ADMIN_ACTIONS: tuple[Any, ...] = (
    {"os-reset_status": {"status": "available"}},
    {"os-force_detach": {"attachment_id": "@nobody"}},
    {"os-migrate_volume": {"host": "nobodys"}},
    {"os-unmanage": None},
)


def block_storage() -> Iterator[Call]:
    """Of the block-storage API."""
    yield from _volumes()
    yield from _derived()
    yield from _handed_over()
    yield from _declared()
    yield from _operators()


def _volumes() -> Iterator[Call]:
    for version in ("3.0", _NEW):
        yield Call(method="POST", path="/volumes", body={"volume": _VOLUME}, version=version)
    more = {
        **_VOLUME,
        "description": "d",
        "metadata": {"a": "b"},
        "volume_type": "__DEFAULT__",
        "snapshot_id": None,
        "source_volid": None,
        "imageRef": None,
        "consistencygroup_id": None,
        "multiattach": False,
    }
    hints = {"different_host": ["@volume"], "local_to_instance": "@server"}
    yield Call(method="POST", path="/volumes", body={"volume": more}, version=_NEW)
    yield Call(
        method="POST", path="/volumes", body={"volume": _VOLUME, "OS-SCH-HNT:scheduler_hints": hints}, version=_NEW
    )
    for source in (
        {"snapshot_id": "@snapshot"},
        {"source_volid": "@volume"},
        {"imageRef": "@image"},
        {"backup_id": "@nobody"},
    ):
        yield Call(method="POST", path="/volumes", body={"volume": {**_VOLUME, **source}}, version=_NEW)
    for path in ("/volumes", "/volumes/detail"):
        yield Call(method="GET", path=path, query=(*_PAGE, ("marker", "@volume"), ("with_count", "1")), version=_NEW)
        yield Call(
            method="GET", path=path, query=(("sort_key", "name"), ("sort_dir", "asc"), ("status", "x")), version="3.0"
        )
    yield Call(method="GET", path="/volumes/summary", version=_NEW)
    one = "/volumes/@volume"
    yield Call(method="GET", path=one, version=_NEW)
    yield Call(
        method="PUT", path=one, body={"volume": {"name": "n", "description": "d", "metadata": {"a": "b"}}}, version=_NEW
    )
    yield Call(
        method="DELETE", path="/volumes/@deleted-volume", query=(("cascade", "true"), ("force", "false")), version=_NEW
    )
    for action in _ACTIONS:
        version = "3.68" if "os-reimage" in action else _NEW
        yield Call(method="POST", path="/volumes/@victim-volume/action", body=action, version=version)
    for action in _ADMIN_ACTIONS:
        yield Call(method="POST", path="/volumes/@nobody/action", body=action, version=_NEW, who="admin")
    yield Call(method="GET", path=f"{one}/metadata", version=_NEW)
    yield Call(method="POST", path=f"{one}/metadata", body={"metadata": {"key": "value"}}, version=_NEW)
    yield Call(method="PUT", path=f"{one}/metadata", body={"metadata": {"key": "value"}}, version=_NEW)
    yield Call(method="PUT", path=f"{one}/metadata/key", body={"meta": {"key": "value"}}, version=_NEW)
    yield Call(method="DELETE", path=f"{one}/metadata/nobodys", version=_NEW)
    yield Call(method="GET", path=f"{one}/encryption", version=_NEW)


def _derived() -> Iterator[Call]:
    snapshot = {"volume_id": "@volume", "name": "s", "description": "d", "force": False, "metadata": {"a": "b"}}
    yield Call(method="POST", path="/snapshots", body={"snapshot": snapshot}, version=_NEW)
    yield Call(method="POST", path="/snapshots", body={"snapshot": {"volume_id": "@nobody"}}, version="3.0")
    for path in ("/snapshots", "/snapshots/detail"):
        yield Call(method="GET", path=path, query=(*_PAGE, ("volume_id", "@volume")), version=_NEW)
    yield Call(method="GET", path="/snapshots/@snapshot", version=_NEW)
    yield Call(
        method="PUT", path="/snapshots/@snapshot", body={"snapshot": {"name": "n", "description": "d"}}, version=_NEW
    )
    yield Call(method="DELETE", path="/snapshots/@nobody", version=_NEW)
    yield Call(method="PUT", path="/snapshots/@snapshot/metadata", body={"metadata": {"a": "b"}}, version=_NEW)
    state = {"os-reset_status": {"status": "available"}}
    yield Call(method="POST", path="/snapshots/@snapshot/action", body=state, version=_NEW)
    backup = {"volume_id": "@nobody", "name": "b", "container": "c", "incremental": False, "force": False}
    yield Call(method="POST", path="/backups", body={"backup": backup}, version=_NEW)
    yield Call(method="GET", path="/backups/detail", query=_PAGE, version=_NEW)
    yield Call(method="GET", path="/backups/@nobody", version=_NEW)
    yield Call(method="PUT", path="/backups/@nobody", body={"backup": {"name": "n"}}, version=_NEW)
    restore = {"restore": {"volume_id": "@volume", "name": "r"}}
    yield Call(method="POST", path="/backups/@nobody/restore", body=restore, version=_NEW)
    record = {"backup-record": {"backup_service": "x", "backup_url": "eA=="}}
    yield Call(method="POST", path="/backups/import_record", body=record, version=_NEW)


def _handed_over() -> Iterator[Call]:
    attachment = {"volume_uuid": "@nobody", "instance_uuid": "@server", "connector": {"host": "x"}, "mode": "rw"}
    yield Call(method="POST", path="/attachments", body={"attachment": attachment}, version=_NEW)
    yield Call(method="GET", path="/attachments", query=_PAGE, version=_NEW)
    yield Call(method="GET", path="/attachments/@nobody", version=_NEW)
    connector = {"attachment": {"connector": {"host": "x"}}}
    yield Call(method="PUT", path="/attachments/@nobody", body=connector, version=_NEW)
    yield Call(method="DELETE", path="/attachments/@nobody", version=_NEW)
    yield Call(method="POST", path="/attachments/@nobody/action", body={"os-complete": {}}, version=_NEW)
    for path in ("/os-volume-transfer", "/volume-transfers"):
        transfer = {"transfer": {"volume_id": "@nobody", "name": "t"}}
        yield Call(method="POST", path=path, body=transfer, version=_NEW)
        yield Call(method="GET", path=f"{path}/detail", query=_PAGE, version=_NEW)
        yield Call(method="GET", path=f"{path}/@nobody", version=_NEW)
        yield Call(method="POST", path=f"{path}/@nobody/accept", body={"accept": {"auth_key": "k"}}, version=_NEW)
    group = {"group": {"name": "g", "group_type": "@nobody", "volume_types": ["@nobody"], "description": "d"}}
    yield Call(method="POST", path="/groups", body=group, version=_NEW)
    yield Call(method="GET", path="/groups/detail", query=_PAGE, version=_NEW)
    yield Call(method="GET", path="/groups/@nobody", version=_NEW)
    yield Call(method="PUT", path="/groups/@nobody", body={"group": {"name": "n"}}, version=_NEW)
    yield Call(method="POST", path="/groups/@nobody/action", body={"delete": {"delete-volumes": False}}, version=_NEW)
    source = {"create-from-src": {"name": "g", "group_snapshot_id": "@nobody"}}
    yield Call(method="POST", path="/groups/action", body=source, version=_NEW)
    taken = {"group_snapshot": {"group_id": "@nobody", "name": "s", "description": "d"}}
    yield Call(method="POST", path="/group_snapshots", body=taken, version=_NEW)
    yield Call(method="GET", path="/group_snapshots/@nobody", version=_NEW)


def _declared() -> Iterator[Call]:
    yield Call(method="GET", path="/types", query=(("limit", "1"), ("is_public", "None")), version=_NEW)
    yield Call(method="GET", path="/types/@nobody", version=_NEW)
    yield Call(method="GET", path="/types/default", version=_NEW)
    kind = {"volume_type": {"name": "@unique", "description": "d", "extra_specs": {"a": "b"}}}
    for who in ("member", "admin"):
        yield Call(method="POST", path="/types", body=kind, version=_NEW, who=who)
        yield Call(method="PUT", path="/types/@nobody", body={"volume_type": {"name": "n"}}, version=_NEW, who=who)
        qos = {"qos_specs": {"name": "@unique", "consumer": "back-end", "a": "b"}}
        yield Call(method="POST", path="/qos-specs", body=qos, version=_NEW, who=who)
        encryption = {"encryption": {"provider": "luks", "control_location": "front-end", "key_size": 128}}
        yield Call(method="POST", path="/types/@nobody/encryption", body=encryption, version=_NEW, who=who)
    specs = {"extra_specs": {"a": "b"}}
    yield Call(method="POST", path="/types/@nobody/extra_specs", body=specs, version=_NEW, who="admin")
    access = {"addProjectAccess": {"project": "@project"}}
    yield Call(method="POST", path="/types/@nobody/action", body=access, version=_NEW, who="admin")
    yield Call(method="GET", path="/limits", version=_NEW)
    yield Call(method="GET", path="/os-availability-zone", version=_NEW)
    yield Call(method="GET", path="/extensions", version=_NEW)
    yield Call(method="GET", path="/os-quota-sets/@project", query=(("usage", "true"),), version=_NEW)
    yield Call(method="GET", path="/os-quota-sets/@project/defaults", version=_NEW)
    quota = {"quota_set": {"volumes": 500, "gigabytes": 5000}}
    yield Call(method="PUT", path="/os-quota-sets/@project", body=quota, version=_NEW)
    yield Call(method="PUT", path="/os-quota-sets/@other-project", body=quota, version=_NEW, who="admin")
    yield Call(method="GET", path="/resource_filters", query=(("resource", "volume"),), version=_NEW)
    for path in ("/default-types", "/group_types", "/qos-specs"):
        yield Call(method="GET", path=path, version="3.62")


def _operators() -> Iterator[Call]:
    for who in ("member", "admin"):
        for path in ("/os-services", "/os-hosts", "/scheduler-stats/get_pools", "/clusters", "/messages"):
            yield Call(method="GET", path=path, query=(("limit", "1"),), version=_NEW, who=who)
        yield Call(
            method="PUT",
            path="/os-services/enable",
            body={"host": "x", "binary": "cinder-volume"},
            version=_NEW,
            who=who,
        )
        manage = {"volume": {"host": "nobodys", "ref": {"source-name": "x"}, "name": "m"}}
        yield Call(method="POST", path="/manageable_volumes", body=manage, version=_NEW, who=who)
        yield Call(method="POST", path="/workers/cleanup", body={"host": "nobodys"}, version=_NEW, who=who)
    yield Call(method="GET", path="/messages/@nobody", version=_NEW)
    yield Call(method="DELETE", path="/messages/@nobody", version=_NEW)
