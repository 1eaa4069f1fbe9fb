# SPDX-License-Identifier: Apache-2.0
"""With what is a row asked, so that the answer tells who may?

The table of good requests (``tests/fuzz``) is what rows are asked with; here is what tells more. A body that is refused
for its form tells nothing of who asks, nor does an id of nothing where things are looked for first. ``@spare-<kind>``
is a thing of the row's own, made anew when somebody was allowed to end it.
"""

from typing import Any

Json = dict[str, Any]

#: What stands for the parameters of rows that no table of calls has.
PARAMETERS = {
    "server_id": "@victim",
    "volume_id": "@victim-volume",
    "snapshot_id": "@snapshot",
    "project_id": "@project",
    "flavor_id": "@flavor",
    "image_id": "@image",
    "version_id": "v2.1",
}
#: Another name for the same, under which Nova itself answers 500 to everybody.
SAME = {"/os-volumes_boot": "/servers"}

_RENAMED = {"server": {"name": "x"}}
_FILE = {"snapshot_id": "x", "type": "qcow2", "new_file": "x"}
_ASSISTED = {"snapshot": {"volume_id": "@nobody", "create_info": _FILE}}
#: Nova says yes to who asks for an address on a network that the server is not on, and fails; and of several who ask
#: for one address, one after the other, it may be free for one.
_COMPUTE: dict[str, Json] = {
    "POST /servers/{server_id}/action addFixedIp": {"path": "/servers/@server/action"},
    "POST /servers/{server_id}/os-interface": {
        "path": "/servers/@server/os-interface",
        "body": {"interfaceAttachment": {"net_id": "@network"}},
    },
    "DELETE /servers/{server_id}": {"path": "/servers/@spare-server"},
    "DELETE /os-volumes_boot/{server_id}": {"path": "/os-volumes_boot/@spare-server"},
    "POST /servers/{server_id}/action forceDelete": {"path": "/servers/@spare-server/action"},
    "DELETE /os-server-groups/{group_id}": {"path": "/os-server-groups/@spare-server-group"},
    "PUT /os-volumes_boot/{server_id}": {"body": _RENAMED},
    "POST /os-volumes_boot/{server_id}/action": {"body": {"confirmResize": None}},
    "PUT /os-aggregates/{aggregate_id}": {"path": "/os-aggregates/999999", "body": {"aggregate": {"name": "@unique"}}},
    "DELETE /os-aggregates/{aggregate_id}": {"path": "/os-aggregates/999999"},
    "POST /os-aggregates/{aggregate_id}/images": {
        "path": "/os-aggregates/999999/images",
        "body": {"cache": [{"id": "@image"}]},
    },
    "POST /os-assisted-volume-snapshots": {"body": _ASSISTED},
    "PUT /os-hosts/{host}": {"body": {"status": "enable"}},
    "POST /os-volumes": {"body": {"volume": {"size": 1, "snapshot_id": "@nobody"}}},
    "POST /os-snapshots": {"body": {"snapshot": {"volume_id": "@volume"}}},
    "GET /images/detail": {"version": "2.35"},
    "GET /os-hypervisors/statistics": {"version": "2.52"},
    "GET /os-hypervisors/{pattern}/search": {"version": "2.52"},
    "GET /os-hypervisors/{pattern}/servers": {"version": "2.52"},
}
_CLUSTER = {"name": "nobodys", "binary": "cinder-volume"}
_SERVICE = {"host": "nobodys", "binary": "cinder-volume"}
_MANAGED = {"volume": {"host": "nobodys", "ref": {"source-name": "x"}}}
_MANAGED_SNAPSHOT = {"snapshot": {"volume_id": "@nobody", "ref": {"source-name": "x"}}}
_HANDED_OVER = {"transfer": {"volume_id": "@victim-volume", "name": "t"}}
_ON_VICTIM = {"path": "/volumes/@victim-volume/action"}
_BLOCK_STORAGE: dict[str, Json] = {
    "POST /attachments": {"body": {"attachment": {"volume_uuid": "@victim-volume", "instance_uuid": "@nobody"}}},
    "POST /backups": {"body": {"backup": {"volume_id": "@volume", "snapshot_id": "@nobody"}}},
    "POST /os-volume-transfer": {"body": _HANDED_OVER},
    "POST /volume-transfers": {"body": _HANDED_OVER},
    "POST /cgsnapshots": {"body": {"cgsnapshot": {"consistencygroup_id": "@nobody"}}},
    "POST /consistencygroups": {"body": {"consistencygroup": {"volume_types": "@nobody"}}},
    "POST /consistencygroups/create_from_src": {"body": {"consistencygroup-from-src": {"cgsnapshot_id": "@nobody"}}},
    "PUT /clusters/disable": {"body": _CLUSTER},
    "PUT /clusters/enable": {"body": _CLUSTER},
    "POST /manageable_snapshots": {"body": _MANAGED_SNAPSHOT},
    "POST /os-snapshot-manage": {"body": _MANAGED_SNAPSHOT},
    "POST /os-volume-manage": {"body": _MANAGED},
    "PUT /os-services/disable": {"body": _SERVICE},
    "PUT /os-services/disable-log-reason": {"body": {**_SERVICE, "disabled_reason": "x"}},
    "PUT /os-services/failover": {"body": {"host": "nobodys"}},
    "PUT /qos-specs/{qos_id}": {"body": {"qos_specs": {"a": "b"}}},
    "PUT /qos-specs/{qos_id}/delete_keys": {"body": {"keys": ["a"]}},
    "PUT /types/{type_id}/encryption/{encryption_id}": {"body": {"encryption": {"cipher": "x"}}},
    "POST /volumes/{volume_id}/action os-force_detach": _ON_VICTIM,
    "POST /volumes/{volume_id}/action os-migrate_volume": _ON_VICTIM,
    "POST /volumes/{volume_id}/action os-reset_status": _ON_VICTIM,
    # A volume with snapshots is refused to whoever may.
    "POST /volumes/{volume_id}/action os-unmanage": {"path": "/volumes/@volume/action"},
    "POST /volumes/{volume_id}/action revert": {
        "path": "/volumes/@volume/action",
        "body": {"revert": {"snapshot_id": "@snapshot"}},
    },
}
_NETWORK: dict[str, Json] = {"DELETE /ports/{port_id}": {"path": "/ports/@spare-port"}}
_IMAGE: dict[str, Json] = {
    "DELETE /images/{image_id}": {"path": "/images/@spare-image"},
    "DELETE /images/{image_id}/members/{member_id}": {"path": "/images/@spare-shared-image/members/@other-project"},
    "PUT /images/{image_id}/members/{member_id}": {"path": "/images/@spare-shared-image/members/@other-project"},
    "POST /images/{image_id}/actions/{action}": {"path": "/images/@spare-active-image/actions/deactivate"},
}
#: By door: rows whose *yes* is that the call was carried out. Elsewhere a refusal of what is asked for counts as well.
CARRIED_OUT: dict[str, frozenset[str]] = {
    "compute": frozenset({"POST /servers/{server_id}/os-interface"}),
    "block-storage": frozenset(),
    "network": frozenset(),
    "image": frozenset(),
    "admin": frozenset(),
}
#: By door and by the name of a row: what is asked otherwise.
ASKED: dict[str, dict[str, Json]] = {
    "compute": _COMPUTE,
    "block-storage": _BLOCK_STORAGE,
    "network": _NETWORK,
    "image": _IMAGE,
    "admin": {},
}
