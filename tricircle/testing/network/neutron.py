# SPDX-License-Identifier: Apache-2.0
"""What does the fake Neutron do? Networks, subnets, ports, security groups, quotas and RBAC policies."""

import ipaddress
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from tricircle.testing.exchange import UNROUTED, Asked, Json, Refusal, Route, Said, new_id, route
from tricircle.testing.lists import Manner, in_order, matching
from tricircle.testing.network import sharing
from tricircle.testing.network.address_groups import add_addresses, new_address_group, remove_addresses
from tricircle.testing.network.addresses import fixed_ips
from tricircle.testing.network.quotas import NetworkQuotas

#: Collection -> (key of one, name of the error when it is not there, its text).
_NOUNS = {
    "networks": ("network", "NetworkNotFound", "Network {0} could not be found."),
    "subnets": ("subnet", "SubnetNotFound", "Subnet {0} could not be found."),
    "ports": ("port", "PortNotFound", "Port {0} could not be found."),
    "security_groups": ("security_group", "SecurityGroupNotFound", "Security group {0} does not exist"),
    "security_group_rules": (
        "security_group_rule", "SecurityGroupRuleNotFound", "Security group rule {0} does not exist",
    ),
    "address_groups": ("address_group", "AddressGroupNotFound", "Address group {0} could not be found."),
    "rbac_policies": ("rbac_policy", "RbacPolicyNotFound", "RBAC policy of type network with ID {0} not found"),
}  # fmt: skip
_KINDS = {404: "HTTPNotFound", 405: "HTTPMethodNotAllowed", 403: "PolicyNotAuthorized"}
#: Fields that only operators see.
_HIDDEN = ("binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details", "provider:network_type",
           "provider:physical_network", "provider:segmentation_id", "_number")  # fmt: skip
_ALIASES = (
    "address-group", "security-groups-remote-address-group",
    "agent", "availability_zone", "binding", "default-subnetpools", "extra_dhcp_opt", "net-mtu", "net-mtu-writable",
    "port-security", "project-id", "provider", "quotas", "rbac-policies", "router", "security-group",
    "standard-attr-description", "standard-attr-revisions", "standard-attr-tag", "standard-attr-timestamp",
)  # fmt: skip


#: Words of bodies, and the extension that brings them.
_EXTENDED = {"port_security_enabled": "port-security"}


class Neutron:
    """The fake network service of one pod: its availability ``zone`` and, by collection, what it holds."""

    name = "network"
    public = re.compile(r"/?")

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.resources: dict[str, dict[str, Json]] = {name: {} for name in _NOUNS}
        self.quotas = NetworkQuotas(self._used)
        #: Type and physical network of a network for which none are named.
        self.provider: tuple[str, str | None] = ("vxlan", None)
        self.agent_id = new_id()
        self.aliases = list(_ALIASES)
        self._numbers = itertools.count(1)
        self._vlans = itertools.count(1001)
        self._macs = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Neutron's paths."""
        made = [route("GET", "/", self._versions), route("GET", "/v2.0/extensions", self._extensions)]
        made += [route("GET", "/v2.0/availability_zones", self._zones), route("GET", "/v2.0/agents", self._agents)]
        made += self.quotas.routes()
        for collection in _NOUNS:
            path = "/v2.0/" + collection.replace("_", "-")
            made += [
                route("GET", path, self._bound(self._list, collection)),
                route("POST", path, self._bound(self._create, collection)),
                route("GET", path + "/{id}", self._bound(self._show, collection)),
                route("PUT", path + "/{id}", self._bound(self._update, collection)),
                route("DELETE", path + "/{id}", self._bound(self._delete, collection)),
            ]
        verbs = {"add_addresses": add_addresses, "remove_addresses": remove_addresses}
        made += [
            route("PUT", f"/v2.0/address-groups/{{id}}/{verb}", self._verb(change)) for verb, change in verbs.items()
        ]
        return made

    def understand(self, asked: Asked) -> str:
        """Neutron has one version and no project in its paths."""
        return asked.path

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """Neutron's form of an error; a missing token is answered in front of it."""
        if refusal.status == 401:
            body: Json = {"error": {"code": 401, "title": "Unauthorized", "message": refusal.message}}
            return Said(status=401, body=body, headers=refusal.headers)
        kind = refusal.kind.removeprefix(UNROUTED) or _KINDS.get(refusal.status, "HTTPBadRequest")
        body = {"NeutronError": {"type": kind, "message": refusal.message, "detail": ""}}
        return Said(status=refusal.status, body=body, headers=refusal.headers)

    def finish(self, asked: Asked, said: Said) -> Said:
        """Neutron adds nothing."""
        return said

    # --- what other fakes of the pod ask ---------------------------------------------------------------------------

    def find(self, collection: str, resource_id: str) -> Json | None:
        """A stored resource, whoever asks."""
        return self.resources[collection].get(resource_id)

    def bind(self, port_id: str, server_id: str, host: str) -> None:
        """A server takes the port."""
        port = self.resources["ports"][port_id]
        port |= {"device_id": server_id, "device_owner": f"compute:{self.zone}", "status": "ACTIVE"}
        port["binding:host_id"] = host
        port["revision_number"] += 1

    def release(self, port_id: str) -> None:
        """The server that had the port let go of it; the port stays."""
        if (port := self.find("ports", port_id)) is not None:
            port |= {"device_id": "", "device_owner": "", "status": "DOWN", "binding:host_id": ""}
            port["revision_number"] += 1

    def default_group(self, project_id: str) -> Json:
        """The project's ``default`` group, made when it is asked for."""
        for group in self.resources["security_groups"].values():
            if group["name"] == "default" and group["project_id"] == project_id:
                return group
        group = self._store("security_groups", self._security_group({}, project_id, "default"))
        for ethertype in ("IPv4", "IPv6"):
            self._rule(group, "ingress", ethertype, remote_group_id=group["id"])
        return group

    # --- version, extensions, quotas -------------------------------------------------------------------------------

    def _versions(self, asked: Asked) -> Said:
        links = [{"rel": "self", "href": f"{asked.root}/v2.0/"}]
        return Said(body={"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})

    def _extensions(self, asked: Asked) -> Said:
        made = [
            {"alias": alias, "name": alias, "description": "", "updated": "", "links": []} for alias in self.aliases
        ]
        return Said(body={"extensions": made})

    def _zones(self, asked: Asked) -> Said:
        zones = [{"name": self.zone, "resource": kind, "state": "available"} for kind in ("network", "router")]
        return Said(body={"availability_zones": zones})

    def _agents(self, asked: Asked) -> Said:
        if not asked.caller.is_admin:
            return Said(body={"agents": []})
        agent = {"id": self.agent_id, "binary": "neutron-openvswitch-agent", "agent_type": "Open vSwitch agent",
                 "host": "canaryhost-1", "alive": True, "admin_state_up": True, "availability_zone": None,
                 "configurations": {"bridge_mappings": {"stretch": "br-stretch"}}}  # fmt: skip
        return Said(body={"agents": [agent]})

    # --- the collections -------------------------------------------------------------------------------------------

    def _list(self, asked: Asked, collection: str) -> Said:
        if collection == "security_groups":
            self.default_group(dict(asked.query).get("project_id") or asked.caller.project_id)
        keys = [value for name, value in asked.query if name == "sort_key"]
        if len(keys) != len([value for name, value in asked.query if name == "sort_dir"]):
            raise Refusal(400, "The number of sort_keys and sort_dirs must be same")
        mine = [one for one in self.resources[collection].values() if self._sees(asked, one)]
        fields = {key for one in mine for key in one} | {"id"}
        # Of a list it is asked what is in it.
        groups = {value for name, value in asked.query if name == "security_groups" and collection == "ports"}
        mine = [one for one in mine if not groups or groups & set(one["security_groups"])]
        found = matching(mine, asked, sorted(fields - {"security_groups"}))
        if keys:
            sort_keys = {name: name for name in fields}
            manner = Manner(sort_keys=sort_keys, marker_refusal=lambda marker: Refusal(404, marker))
            found = in_order(found, asked, manner)
        body: Json = {}
        limit = asked.one("limit")
        if limit is not None:
            found = self._behind(found, collection, asked.one("marker"))
            if len(found) > int(limit):
                found = found[: int(limit)]
                body[f"{collection}_links"] = [{"rel": "next", "href": f"{asked.root}/v2.0/{collection}?limit={limit}"}]
        wanted = [value for name, value in asked.query if name == "fields"]
        shown = [self._shown(asked, one) for one in found]
        if wanted:
            shown = [{name: value for name, value in one.items() if name in wanted} for one in shown]
        return Said(body={collection: shown, **body})

    def _behind(self, found: list[Json], collection: str, marker: str | None) -> list[Json]:
        if marker is None:
            return found
        if marker not in self.resources[collection]:
            raise self._missing(collection, marker)
        ids = [one["id"] for one in found]
        return found[ids.index(marker) + 1 :]

    def _create(self, asked: Asked, collection: str) -> Said:
        singular = _NOUNS[collection][0]
        body = asked.json()
        if isinstance(several := body.get(collection), list):
            return Said(status=201, body={collection: self._make_all(asked, collection, several)})
        return Said(
            status=201, body={singular: self._shown(asked, self._make(asked, collection, asked.part(singular)))}
        )

    def _make_all(self, asked: Asked, collection: str, several: Sequence[Json]) -> list[Json]:
        """All, or none."""
        before, held = len(self.resources[collection]), self.resources[collection]
        try:
            for number, wanted in enumerate(several):
                self._make(asked, collection, wanted, len(several) - number)
        except Refusal:
            for one in list(held)[before:]:
                del held[one]
            raise
        return [self._shown(asked, one) for one in list(held.values())[before:]]

    def _make(self, asked: Asked, collection: str, wanted: Json, more: int = 1) -> Json:
        singular = _NOUNS[collection][0]
        project = str(wanted.get("project_id") or wanted.get("tenant_id") or asked.caller.project_id)
        if not asked.sees(project):
            raise Refusal(403, "(rule:create) is disallowed by policy")
        self._check_words(wanted)
        self.quotas.check(project, singular, more)
        makers: dict[str, Callable[[Json, str], Json]] = {
            "networks": self._network,
            "subnets": self._subnet,
            "ports": self._port,
            "security_groups": self._new_group,
            "security_group_rules": self._new_rule,
            "address_groups": lambda given, _project: new_address_group(given),
            "rbac_policies": lambda given, _project: sharing.new_policy(self.resources, given),
        }
        return self._store(collection, {**makers[collection](wanted, project), "project_id": project})

    def _show(self, asked: Asked, collection: str, id: str) -> Said:  # noqa: A002 - the name in the path
        return Said(body={_NOUNS[collection][0]: self._shown(asked, self._get(asked, collection, id))})

    def _update(self, asked: Asked, collection: str, id: str) -> Said:  # noqa: A002
        stored = self._get(asked, collection, id)
        if not asked.sees(stored["project_id"]):
            text = f"rule:update_{_NOUNS[collection][0]} is disallowed by policy"
            raise Refusal(403, text)
        condition = asked.headers.get("if-match")
        if condition is not None and condition != f"revision_number={stored['revision_number']}":
            text = f"Constrained to {condition.partition('=')[2]}, but current revision is {stored['revision_number']}"
            raise Refusal(412, text, "RevisionNumberConstraintFailed")
        self._check_words(asked.part(_NOUNS[collection][0]))
        stored |= asked.part(_NOUNS[collection][0])
        stored["revision_number"] += 1
        stored["updated_at"] = _now()
        return Said(body={_NOUNS[collection][0]: self._shown(asked, stored)})

    def _delete(self, asked: Asked, collection: str, id: str) -> Said:  # noqa: A002
        self._get(asked, collection, id)
        ports = self.resources["ports"].values()
        if collection == "networks":
            if any(port["network_id"] == id for port in ports):
                text = f"Unable to complete operation on network {id}. There are one or more ports still in use."
                raise Refusal(409, text, "NetworkInUse")
            for below, field in (("subnets", "network_id"), ("rbac_policies", "object_id")):
                for one in [one for one in self.resources[below].values() if one[field] == id]:
                    del self.resources[below][one["id"]]
        if collection == "rbac_policies":
            sharing.refuse_used(self.resources, self.resources[collection][id])
        if collection == "subnets" and any(ip["subnet_id"] == id for port in ports for ip in port["fixed_ips"]):
            raise Refusal(409, f"Unable to complete operation on subnet {id}.", "SubnetInUse")
        if collection == "security_groups" and any(id in port["security_groups"] for port in ports):
            raise Refusal(409, f"Security Group {id} in use.", "SecurityGroupInUse")
        rules = self.resources["security_group_rules"]
        if collection == "address_groups" and any(rule["remote_address_group_id"] == id for rule in rules.values()):
            raise Refusal(
                409, f"Address group {id} is in use on one or more security group rules.", "AddressGroupInUse"
            )
        if collection == "security_groups":
            for rule in [one for one in rules.values() if id in (one["security_group_id"], one["remote_group_id"])]:
                del rules[rule["id"]]
            for share in [one for one in self.resources["rbac_policies"].values() if one["object_id"] == id]:
                del self.resources["rbac_policies"][share["id"]]
        del self.resources[collection][id]
        return Said(status=204)

    # --- how one of a kind is made ---------------------------------------------------------------------------------

    def _network(self, given: Json, project: str) -> Json:
        kind, physnet = self.provider
        made = {
            "name": "", "description": "", "admin_state_up": True, "status": "ACTIVE", "mtu": 1450, "shared": False,
            "router:external": False, "port_security_enabled": True, "availability_zone_hints": [],
            "availability_zones": [self.zone], "provider:network_type": kind, "provider:physical_network": physnet,
            "provider:segmentation_id": next(self._vlans), **given,
        }  # fmt: skip
        if made["provider:network_type"] == "vlan":
            key = ("provider:physical_network", "provider:segmentation_id")
            for other in self.resources["networks"].values():
                if all(other[field] == made[field] for field in key):
                    text = (
                        f"Unable to create the network. The VLAN {made[key[1]]} on physical network {made[key[0]]} is "
                        "in use."
                    )
                    raise Refusal(409, text, "VlanIdInUse")
        return made

    def groups_seen(self, asked: Asked) -> dict[str, Json]:
        """The security groups that a caller sees, by id."""
        held = self.resources["security_groups"]
        return {group_id: group for group_id, group in held.items() if self._sees(asked, group)}

    def _subnet(self, given: Json, project: str) -> Json:
        network = self._get_any("networks", str(given.get("network_id")))
        cidr = ipaddress.ip_network(str(given["cidr"]))
        for other in self.resources["subnets"].values():
            there = ipaddress.ip_network(other["cidr"])
            if other["network_id"] == network["id"] and there.version == cidr.version and there.overlaps(cidr):
                text = f"Requested subnet with cidr: {cidr} for network: {network['id']} overlaps with another subnet"
                raise Refusal(400, f"Invalid input for operation: {text}.", "InvalidInput")
        pools = [{"start": str(cidr[2]), "end": str(cidr[-2])}]
        return {
            "name": "", "description": "", "enable_dhcp": True, "dns_nameservers": [], "host_routes": [],
            "gateway_ip": str(cidr[1]), "allocation_pools": pools, **given, "network_id": network["id"],
        }  # fmt: skip

    def _port(self, given: Json, project: str) -> Json:
        network = self._get_any("networks", str(given.get("network_id")))
        mac = str(given.get("mac_address") or f"fa:16:3e:{next(self._macs):06x}")
        mac = mac if mac.count(":") == 5 else f"fa:16:3e:{mac[9:11]}:{mac[11:13]}:{mac[13:15]}"
        for other in self.resources["ports"].values():
            if other["network_id"] == network["id"] and other["mac_address"] == mac:
                text = f"Unable to complete operation for network {network['id']}. The mac address {mac} is in use."
                raise Refusal(409, text, "MacAddressInUse")
        groups = given.get("security_groups", [self.default_group(project)["id"]])
        for group in groups:
            self._get_any("security_groups", group)
        return {
            "name": "", "description": "", "admin_state_up": True, "status": "DOWN", "device_id": "",
            "device_owner": "", "binding:host_id": "", "binding:vnic_type": "normal", "binding:profile": {},
            "binding:vif_type": "unbound", "port_security_enabled": True, "allowed_address_pairs": [],
            "extra_dhcp_opts": [], **given, "mac_address": mac, "security_groups": groups,
            "fixed_ips": fixed_ips(
                self.resources, network["id"], given.get("fixed_ips"), str(given.get("device_owner") or "")
            ),
        }  # fmt: skip

    def _new_group(self, given: Json, project: str) -> Json:
        self.default_group(project)
        if given.get("name") == "default":
            raise Refusal(409, "Default security group already exists.", "SecurityGroupDefaultAlreadyExists")
        return self._security_group(given, project, str(given.get("name", "")))

    def _security_group(self, given: Json, project: str, name: str) -> Json:
        group = {"description": "", "stateful": True, **given, "id": new_id(), "name": name, "project_id": project}
        for ethertype in ("IPv4", "IPv6"):
            self._rule(group, "egress", ethertype)
        return group

    def _rule(self, group: Json, direction: str, ethertype: str, **fields: object) -> Json:
        rule = {
            "direction": direction, "ethertype": ethertype, "protocol": None, "port_range_min": None,
            "port_range_max": None, "remote_ip_prefix": None, "remote_group_id": None, "remote_address_group_id": None,
            "description": "", **fields, "security_group_id": group["id"], "project_id": group["project_id"],
        }  # fmt: skip
        return self._store("security_group_rules", rule)

    def _new_rule(self, given: Json, project: str) -> Json:
        group = self._get_any("security_groups", str(given.get("security_group_id")))
        rule = {
            "ethertype": "IPv4", "protocol": None, "port_range_min": None, "port_range_max": None,
            "remote_ip_prefix": None, "remote_group_id": None, "remote_address_group_id": None, "description": "",
            **given, "security_group_id": group["id"],
        }  # fmt: skip
        if rule["remote_address_group_id"] is not None:
            self._get_any("address_groups", rule["remote_address_group_id"])
        told_apart = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
                      "remote_group_id", "remote_address_group_id", "security_group_id")  # fmt: skip
        for other in self.resources["security_group_rules"].values():
            if all(other[key] == rule.get(key) for key in told_apart):
                raise Refusal(409, f"Security group rule already exists. Rule id is {other['id']}.",
                              "SecurityGroupRuleExists")  # fmt: skip
        return rule

    def _verb(self, change: Callable[[Json, Sequence[str]], None]) -> Callable[..., Said]:
        def answer(asked: Asked, id: str) -> Said:  # noqa: A002 - the name in the path
            group = self._get(asked, "address_groups", id)
            change(group, asked.json().get("addresses", []))
            group["revision_number"] += 1
            return Said(body={"address_group": self._shown(asked, group)})

        return answer

    # --- small things ----------------------------------------------------------------------------------------------

    @staticmethod
    def _bound(answer: Callable[..., Said], collection: str) -> Callable[..., Said]:
        return lambda asked, **values: answer(asked, collection, **values)

    def _store(self, collection: str, made: Json) -> Json:
        now = _now()
        stored = {"id": new_id(), "tags": [], "revision_number": 0, "created_at": now, "updated_at": now, **made}
        stored["tenant_id"] = stored["project_id"]
        stored["_number"] = next(self._numbers)
        self.resources[collection][stored["id"]] = stored
        return stored

    def _sees(self, asked: Asked, one: Json) -> bool:
        if asked.sees(one["project_id"]) or bool(one.get("router:external")):
            return True
        can_be_shared = "mtu" in one or "cidr" in one or "stateful" in one
        return can_be_shared and sharing.is_shared_with(self.resources, one, asked.caller.project_id)

    def _used(self, project_id: str, singular: str) -> int:
        collection = next((name for name, (one, *_) in _NOUNS.items() if one == singular), "")
        return sum(one["project_id"] == project_id for one in self.resources.get(collection, {}).values())

    def _check_words(self, wanted: Json) -> None:
        """What ML2 knows only by a driver that not everybody loads."""
        unknown = [word for word, alias in _EXTENDED.items() if word in wanted and alias not in self.aliases]
        if unknown:
            raise Refusal(400, f"Unrecognized attribute(s) '{', '.join(unknown)}'", "HTTPBadRequest")

    def _get(self, asked: Asked, collection: str, resource_id: str) -> Json:
        found = self.find(collection, resource_id)
        if found is None or not self._sees(asked, found):
            raise self._missing(collection, resource_id)
        return found

    def _get_any(self, collection: str, resource_id: str) -> Json:
        found = self.find(collection, resource_id)
        if found is None:
            raise self._missing(collection, resource_id)
        return found

    def _missing(self, collection: str, resource_id: str) -> Refusal:
        _, kind, text = _NOUNS[collection]
        return Refusal(404, text.format(resource_id), kind)

    def _shown(self, asked: Asked, one: Json) -> Json:
        hidden: Iterable[str] = ("_number",) if asked.caller.is_admin else _HIDDEN
        unknown = [word for word, alias in _EXTENDED.items() if alias not in self.aliases]
        shown = {name: value for name, value in one.items() if name not in hidden and name not in unknown}
        if "cidr" not in one and "mtu" in one:
            shown["shared"] = sharing.is_shared_with(self.resources, one, asked.caller.project_id)
            shown["subnets"] = [s["id"] for s in self.resources["subnets"].values() if s["network_id"] == one["id"]]
        if "stateful" in one:
            rules = self.resources["security_group_rules"].values()
            shown["security_group_rules"] = [rule for rule in rules if rule["security_group_id"] == one["id"]]
        return shown


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
