# SPDX-License-Identifier: Apache-2.0
"""Which good requests are there to be spoiled? Tables; ``@name`` stands for a thing that the world has twice.

A call that would change or end what others need is asked of things of its own (``@victim``), or of things that are
not there: what a mutation leaves good must not spoil the next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One good request.

    :ivar version: the microversion that it is asked at; None sends none
    :ivar who: ``member`` or ``admin``
    :ivar media: what the body is said to be
    :ivar schema: the service's own schema of the body, if it is known; mutations aim at its bounds
    """

    method: str
    path: str
    body: Json = None
    query: tuple[tuple[str, str], ...] = ()
    version: str | None = None
    who: str = "member"
    media: str = "application/json"
    schema: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """For reports."""
        action = next(iter(self.body), "") if self.path.endswith("/action") and isinstance(self.body, dict) else ""
        return f"{self.method} {self.path} {action}".strip()


BOOT = {
    "name": "fuzz",
    "flavorRef": "@flavor",
    "imageRef": "@image",
    "networks": [{"uuid": "@network"}],
    "availability_zone": "@zone",
}
_ADMIN_ACTIONS: tuple[Json, ...] = (
    {"os-resetState": {"state": "active"}},
    {"os-migrateLive": {"host": None, "block_migration": "auto"}},
    {"migrate": {"host": None}},
    {"evacuate": {"host": "nobodys"}},
    {"injectNetworkInfo": None},
    {"resetNetwork": None},
)
#: Asked of a server that nobody else needs.
_ACTIONS: tuple[Json, ...] = (
    {"os-stop": None},
    {"os-start": None},
    {"reboot": {"type": "SOFT"}},
    {"pause": None},
    {"unpause": None},
    {"suspend": None},
    {"resume": None},
    {"lock": {"locked_reason": "because"}},
    {"unlock": None},
    {"shelve": None},
    {"unshelve": {"availability_zone": "@zone"}},
    {"rescue": {"adminPass": "secret", "rescue_image_ref": "@image"}},
    {"unrescue": None},
    {"resize": {"flavorRef": "@flavor"}},
    {"confirmResize": None},
    {"revertResize": None},
    {"rebuild": {"imageRef": "@image", "name": "again", "metadata": {"a": "b"}}},
    {"createImage": {"name": "taken", "metadata": {"a": "b"}}},
    {"createBackup": {"name": "kept", "backup_type": "daily", "rotation": 1}},
    {"changePassword": {"adminPass": "secret"}},
    {"addSecurityGroup": {"name": "@group"}},
    {"removeSecurityGroup": {"name": "@group"}},
    {"os-getConsoleOutput": {"length": 10}},
    {"os-getVNCConsole": {"type": "novnc"}},
    {"forceDelete": None},
    {"restore": None},
    {"trigger_crash_dump": None},
    {"addFixedIp": {"networkId": "@network"}},
    {"removeFixedIp": {"address": "10.0.0.9"}},
    {"addFloatingIp": {"address": "10.0.0.9"}},
    {"no-such-action": {"a": 1}},
)


def compute() -> Iterator[Call]:
    """Of the compute API."""
    new = "2.90"
    yield from _boots(new)
    for path in ("/servers", "/servers/detail"):
        yield Call(method="GET", path=path, query=_LIST, version=new)
        yield Call(method="GET", path=path, query=(("changes-since", "2020-01-01T00:00:00Z"),), version="2.1")
    yield Call(method="GET", path="/servers/@server", version=new)
    yield Call(method="PUT", path="/servers/@server", body={"server": {"name": "x", "description": "y"}}, version=new)
    yield Call(method="DELETE", path="/servers/@deleted-server", version=new)
    for action in _ACTIONS:
        version = "2.35" if next(iter(action)) in ("addFixedIp", "removeFixedIp", "addFloatingIp") else new
        if "os-getVNCConsole" in action:
            version = "2.5"
        path = "/servers/@deleted-server/action" if "forceDelete" in action else "/servers/@victim/action"
        yield Call(method="POST", path=path, body=action, version=version)
    for action in _ADMIN_ACTIONS:
        yield Call(method="POST", path="/servers/@victim/action", body=action, version=new, who="admin")
    yield from _below_servers(new)
    yield from _declared(new)
    yield from _operators(new)
    yield from _proxied()


_LIST = (("limit", "2"), ("sort_key", "created_at"), ("sort_dir", "asc"), ("name", "x"), ("marker", "@server"))


def _boots(new: str) -> Iterator[Call]:
    device = {"uuid": "@volume", "source_type": "volume", "destination_type": "volume", "boot_index": 0}
    more = {
        **BOOT,
        "metadata": {"a": "b"},
        "user_data": "aGk=",
        "config_drive": True,
        "key_name": "@keypair",
        "security_groups": [{"name": "@group"}],
        "min_count": 1,
        "max_count": 1,
        "description": "d",
        "tags": ["t"],
        "hostname": "h",
        "accessIPv4": "10.0.0.1",
        "OS-DCF:diskConfig": "AUTO",
    }
    hints = {
        "group": "@server-group",
        "same_host": ["@server"],
        "different_host": "@server",
        "query": '["=", "a", "b"]',
    }
    bootable = {key: value for key, value in BOOT.items() if key != "imageRef"}
    yield Call(method="POST", path="/servers", body={"server": BOOT}, version="2.1")
    yield Call(method="POST", path="/servers", body={"server": more}, version=new)
    yield Call(method="POST", path="/servers", body={"server": BOOT, "os:scheduler_hints": hints}, version=new)
    yield Call(
        method="POST", path="/servers", body={"server": {**bootable, "block_device_mapping_v2": [device]}}, version=new
    )
    ports = [{"port": "@port", "tag": "nic"}, {"uuid": "@network", "fixed_ip": "10.77.0.9"}]
    yield Call(method="POST", path="/servers", body={"server": {**BOOT, "networks": ports}}, version=new)
    yield Call(method="POST", path="/os-volumes_boot", body={"server": BOOT}, version="2.79")


def _below_servers(new: str) -> Iterator[Call]:
    one = "/servers/@server"
    yield Call(method="GET", path=f"{one}/metadata", version=new)
    yield Call(method="POST", path=f"{one}/metadata", body={"metadata": {"key": "value"}}, version=new)
    yield Call(method="PUT", path=f"{one}/metadata", body={"metadata": {"key": "value"}}, version=new)
    yield Call(method="PUT", path=f"{one}/metadata/key", body={"meta": {"key": "value"}}, version=new)
    yield Call(method="DELETE", path=f"{one}/metadata/nobodys", version=new)
    yield Call(method="PUT", path=f"{one}/tags", body={"tags": ["one", "two"]}, version=new)
    yield Call(method="PUT", path=f"{one}/tags/one", version=new)
    yield Call(method="GET", path=f"{one}/tags/one", version=new)
    yield Call(method="DELETE", path=f"{one}/tags/nobodys", version=new)
    for path in ("diagnostics", "ips", "topology", "os-instance-actions", "migrations", "os-security-groups"):
        yield Call(method="GET", path=f"{one}/{path}", version=new)
    yield Call(method="GET", path=f"{one}/ips/nobodys", version=new)
    yield Call(method="GET", path=f"{one}/os-instance-actions/req-nobodys", version=new)
    yield Call(method="GET", path=f"{one}/os-interface", version=new)
    yield Call(method="GET", path=f"{one}/os-interface/@deleted-port", version=new)
    body: Json = {"interfaceAttachment": {"net_id": "@network", "fixed_ips": [{"ip_address": "10.77.0.3"}]}}
    yield Call(method="POST", path="/servers/@deleted-server/os-interface", body=body, version=new)
    wrong = {"interfaceAttachment": {"port_id": "@nobody", "tag": "x"}}
    yield Call(method="POST", path=f"{one}/os-interface", body=wrong, version=new)
    yield Call(method="DELETE", path=f"{one}/os-interface/@deleted-port", version=new)
    yield Call(method="GET", path=f"{one}/os-volume_attachments", query=(("limit", "1"), ("offset", "0")), version=new)
    body = {"volumeAttachment": {"volumeId": "@deleted-volume", "device": "/dev/vdc", "delete_on_termination": True}}
    yield Call(method="POST", path=f"{one}/os-volume_attachments", body=body, version=new)
    swap = {"volumeAttachment": {"volumeId": "@volume"}}
    yield Call(method="PUT", path=f"{one}/os-volume_attachments/@volume", body=swap, version=new)
    yield Call(method="GET", path=f"{one}/os-volume_attachments/@volume", version=new)
    yield Call(method="DELETE", path=f"{one}/os-volume_attachments/@volume", version=new)
    yield Call(method="GET", path=f"{one}/os-server-password", version=new)
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    yield Call(method="POST", path=f"{one}/remote-consoles", body=body, version=new)


def _declared(new: str) -> Iterator[Call]:
    yield Call(
        method="GET", path="/flavors", query=(("limit", "1"), ("sort_key", "name"), ("minRam", "1")), version=new
    )
    yield Call(method="GET", path="/flavors/detail", query=(("is_public", "None"), ("marker", "@flavor")), version=new)
    yield Call(method="GET", path="/flavors/@flavor", version=new)
    yield Call(method="GET", path="/flavors/@flavor/os-extra_specs", version=new)
    flavor = {"name": "@unique", "ram": 64, "vcpus": 1, "disk": 1, "id": "@unique", "rxtx_factor": 1.0, "swap": 0}
    yield Call(method="POST", path="/flavors", body={"flavor": flavor}, version=new)
    yield Call(method="POST", path="/flavors", body={"flavor": flavor}, version=new, who="admin")
    specs = {"extra_specs": {"hw:cpu_policy": "shared"}}
    yield Call(method="POST", path="/flavors/@nobody/os-extra_specs", body=specs, version=new, who="admin")
    access = {"addTenantAccess": {"tenant": "@project"}}
    yield Call(method="POST", path="/flavors/@nobody/action", body=access, version=new, who="admin")
    yield Call(method="GET", path="/os-keypairs", query=(("limit", "1"), ("user_id", "@user")), version=new)
    yield Call(method="GET", path="/os-keypairs/@keypair", version=new)
    yield Call(method="POST", path="/os-keypairs", body={"keypair": {"name": "@unique", "type": "ssh"}}, version="2.90")
    key = {"keypair": {"name": "@unique", "type": "ssh", "public_key": "@public-key"}}
    yield Call(method="POST", path="/os-keypairs", body=key, version="2.92")
    yield Call(method="DELETE", path="/os-keypairs/nobodys", version=new)
    yield Call(method="GET", path="/os-server-groups", query=(("limit", "1"), ("offset", "0")), version=new)
    yield Call(method="GET", path="/os-server-groups/@server-group", version=new)
    group = {"server_group": {"name": "@unique", "policy": "anti-affinity", "rules": {"max_server_per_host": 2}}}
    yield Call(method="POST", path="/os-server-groups", body=group, version=new)
    old = {"server_group": {"name": "@unique", "policies": ["affinity"]}}
    yield Call(method="POST", path="/os-server-groups", body=old, version="2.1")
    yield Call(method="DELETE", path="/os-server-groups/@nobody", version=new)
    yield Call(method="GET", path="/limits", query=(("reserved", "1"),), version=new)
    yield Call(method="GET", path="/os-availability-zone", version=new)
    yield Call(method="GET", path="/os-availability-zone/detail", version=new)
    yield Call(method="GET", path="/extensions/os-servers", version=new)
    yield Call(method="GET", path="/os-quota-sets/@project", query=(("user_id", "@user"),), version=new)
    yield Call(method="GET", path="/os-quota-sets/@project/detail", version=new)
    yield Call(method="GET", path="/os-quota-sets/@project/defaults", version=new)
    yield Call(method="PUT", path="/os-quota-sets/@project", body={"quota_set": {"cores": 10}}, version=new)
    quota = {"quota_set": {"instances": 500, "cores": 500, "force": True}}
    yield Call(method="PUT", path="/os-quota-sets/@other-project", body=quota, version=new, who="admin")
    yield Call(method="GET", path="/os-quota-class-sets/default", version=new, who="admin")
    when = (("start", "2026-01-01T00:00:00"), ("end", "2026-02-01T00:00:00"), ("detailed", "1"), ("limit", "1"))
    yield Call(method="GET", path="/os-simple-tenant-usage", query=when, version=new, who="admin")
    yield Call(method="GET", path="/os-simple-tenant-usage/@project", query=when, version=new)


def _operators(new: str) -> Iterator[Call]:
    for who in ("member", "admin"):
        for path in ("/os-hypervisors", "/os-hypervisors/detail", "/os-services", "/os-migrations", "/os-aggregates"):
            yield Call(method="GET", path=path, query=(("limit", "1"),), version=new, who=who)
        yield Call(method="GET", path="/os-hypervisors/@nobody", version=new, who=who)
        yield Call(method="GET", path="/os-hosts/nobodys", version="2.42", who=who)
        aggregate = {"aggregate": {"name": "@unique", "availability_zone": None}}
        yield Call(method="POST", path="/os-aggregates", body=aggregate, version=new, who=who)
        yield Call(method="PUT", path="/os-services/@nobody", body={"status": "enabled"}, version=new, who=who)
        event = {"events": [{"name": "network-changed", "server_uuid": "@nobody", "status": "completed"}]}
        yield Call(method="POST", path="/os-server-external-events", body=event, version=new, who=who)
    yield Call(
        method="POST", path="/os-aggregates/0/action", body={"add_host": {"host": "x"}}, version=new, who="admin"
    )
    meta = {"set_metadata": {"metadata": {"a": "b"}}}
    yield Call(method="POST", path="/os-aggregates/0/action", body=meta, version=new, who="admin")


def _proxied() -> Iterator[Call]:
    """What Nova still does for others at old versions, and does no more at new ones."""
    for version in ("2.1", "2.90"):
        yield Call(method="GET", path="/images", version=version)
        yield Call(method="GET", path="/images/@image", version=version)
        yield Call(method="GET", path="/os-networks", version=version)
        yield Call(method="GET", path="/os-volumes/@volume", version=version)
        yield Call(method="GET", path="/os-snapshots/@snapshot", version=version)
        yield Call(method="GET", path="/os-security-groups", version=version)
        body = {"security_group": {"name": "@unique", "description": "x"}}
        yield Call(method="POST", path="/os-security-groups", body=body, version=version)
        yield Call(method="GET", path="/os-floating-ips", version=version)
        yield Call(method="GET", path="/os-cells", version=version)
        yield Call(method="GET", path="/os-agents", version=version)
