# SPDX-License-Identifier: Apache-2.0
"""Which good requests to the image, network, identity and Admin APIs are there to be spoiled?"""

from collections.abc import Iterator

from tests.fuzz.calls import Call

_PATCH = "application/openstack-images-v2.1-json-patch"
_PAGE = (("limit", "1"), ("sort_key", "name"), ("sort_dir", "asc"), ("name", "x"))


def image() -> Iterator[Call]:
    """Of the image API."""
    new = {"name": "@unique", "disk_format": "raw", "container_format": "bare", "min_disk": 0, "tags": ["t"]}
    more = {**new, "visibility": "private", "min_ram": 1, "protected": False, "os_hidden": False, "colour": "red"}
    yield Call(method="POST", path="/images", body=new)
    yield Call(method="POST", path="/images", body=more)
    yield Call(method="GET", path="/images", query=(*_PAGE, ("marker", "@own-image"), ("visibility", "all")))
    yield Call(method="GET", path="/images", query=(("size_min", "1"), ("tag", "t"), ("member_status", "all")))
    yield Call(method="GET", path="/images", query=(("created_at", "gt:2020-01-01T00:00:00Z"), ("sort", "name:asc")))
    one = "/images/@own-image"
    yield Call(method="GET", path=one)
    for path, change in (
        (one, {"op": "replace", "path": "/name", "value": "n"}),
        (one, {"op": "add", "path": "/colour", "value": "red"}),
        ("/images/@foreign-image", {"op": "remove", "path": "/nobodys"}),
    ):
        yield Call(method="PATCH", path=path, body=[change], media=_PATCH)
    yield Call(method="PATCH", path=one, body=[{"op": "replace", "path": "/name", "value": "n"}])
    yield Call(method="DELETE", path="/images/@nobody")
    yield Call(method="GET", path=f"{one}/members")
    yield Call(method="POST", path=f"{one}/members", body={"member": "@other-project"})
    yield Call(method="PUT", path=f"{one}/members/@nobody", body={"status": "accepted"})
    yield Call(method="DELETE", path=f"{one}/members/@nobody")
    yield Call(method="PUT", path=f"{one}/tags/one")
    yield Call(method="DELETE", path=f"{one}/tags/nobodys")
    yield Call(method="GET", path=f"{one}/file")
    yield Call(method="PUT", path="/images/@nobody/file", body={"not": "data"})
    yield Call(method="PUT", path="/images/@nobody/stage", body={"not": "data"})
    imported = {"method": {"name": "web-download", "uri": "http://127.0.0.1:1/x"}, "all_stores": True}
    yield Call(method="POST", path=f"{one}/import", body=imported)
    for action in ("deactivate", "reactivate"):
        yield Call(method="POST", path=f"/images/@nobody/actions/{action}")
    for path in ("/schemas/image", "/schemas/images", "/tasks", "/info/import", "/info/stores", "/metadefs/namespaces"):
        yield Call(method="GET", path=path, query=(("limit", "1"),))
    yield Call(method="POST", path="/tasks", body={"type": "import", "input": {"import_from": "http://x/y"}})
    space = {"namespace": "@unique", "display_name": "d", "visibility": "private", "protected": False}
    yield Call(method="POST", path="/metadefs/namespaces", body=space)
    yield Call(method="DELETE", path=f"/stores/nobodys{one}")
    yield Call(method="GET", path="/cache", who="admin")


def network() -> Iterator[Call]:
    """Of the network API."""
    wanted = {"name": "@unique", "admin_state_up": True, "shared": False, "mtu": 1400, "description": "d"}
    yield Call(method="POST", path="/networks", body={"network": wanted})
    yield Call(method="POST", path="/networks", body={"networks": [wanted]})
    yield Call(method="GET", path="/networks", query=(*_PAGE, ("fields", "id"), ("marker", "@network")))
    yield Call(method="GET", path="/networks/@network", query=(("fields", "id"),))
    yield Call(method="PUT", path="/networks/@network", body={"network": {"name": "n", "admin_state_up": True}})
    yield Call(method="DELETE", path="/networks/@nobody")
    subnet = {
        "network_id": "@nobody",
        "ip_version": 4,
        "cidr": "10.78.0.0/24",
        "gateway_ip": "10.78.0.1",
        "enable_dhcp": True,
        "dns_nameservers": ["10.0.0.1"],
        "allocation_pools": [{"start": "10.78.0.10", "end": "10.78.0.20"}],
        "host_routes": [{"destination": "10.9.0.0/24", "nexthop": "10.78.0.3"}],
    }
    yield Call(method="POST", path="/subnets", body={"subnet": subnet})
    yield Call(method="GET", path="/subnets", query=_PAGE)
    yield Call(method="GET", path="/subnets/@subnet")
    yield Call(method="PUT", path="/subnets/@subnet", body={"subnet": {"name": "n", "dns_nameservers": ["10.0.0.2"]}})
    port = {
        "network_id": "@network",
        "name": "@unique",
        "admin_state_up": True,
        "fixed_ips": [{"subnet_id": "@subnet", "ip_address": "10.77.0.200"}],
        "security_groups": ["@group-id"],
        "allowed_address_pairs": [{"ip_address": "10.1.1.1"}],
        "device_id": "",
        "mac_address": "fa:16:3e:00:00:01",
    }
    yield Call(method="POST", path="/ports", body={"port": port})
    yield Call(method="GET", path="/ports", query=(*_PAGE, ("fixed_ips", "ip_address=10.77.0.200")))
    yield Call(method="GET", path="/ports/@port")
    yield Call(method="PUT", path="/ports/@port", body={"port": {"name": "n", "admin_state_up": True}})
    yield Call(method="DELETE", path="/ports/@nobody")
    yield Call(method="POST", path="/security-groups", body={"security_group": {"name": "@unique", "stateful": True}})
    yield Call(method="GET", path="/security-groups", query=_PAGE)
    yield Call(method="GET", path="/security-groups/@group-id")
    rule = {
        "security_group_id": "@nobody",
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 90,
        "remote_ip_prefix": "10.0.0.0/8",
    }
    yield Call(method="POST", path="/security-group-rules", body={"security_group_rule": rule})
    yield Call(method="GET", path="/security-group-rules", query=_PAGE)
    yield Call(method="GET", path="/quotas/@project")
    yield Call(method="PUT", path="/quotas/@project", body={"quota": {"network": 10}})
    yield Call(method="GET", path="/extensions/quotas")
    yield Call(method="GET", path="/agents")
    yield Call(method="GET", path="/availability_zones")
    policy = {"object_type": "network", "object_id": "@nobody", "action": "access_as_shared", "target_tenant": "*"}
    yield Call(method="POST", path="/rbac-policies", body={"rbac_policy": policy})
    yield from _less_usual_networking()


def _less_usual_networking() -> Iterator[Call]:
    """What tenants make beside networks and ports, and the centre's own driver looks at as well."""
    yield Call(method="PUT", path="/networks/@network/tags", body={"tags": ["a", "b"]})
    sub_ports = [{"port_id": "@nobody", "segmentation_type": "vlan", "segmentation_id": 7}]
    trunk = {"port_id": "@deleted-port", "name": "@unique", "admin_state_up": True, "sub_ports": sub_ports}
    yield Call(method="POST", path="/trunks", body={"trunk": trunk})
    yield Call(method="POST", path="/trunks", body={"trunk": {"port_id": "@port", "name": "@unique"}})
    yield Call(method="GET", path="/trunks", query=(*_PAGE, ("status", "DOWN"), ("port_id", "@port")))
    yield Call(method="PUT", path="/trunks/@nobody/add_subports", body={"sub_ports": sub_ports})
    group = {"name": "@unique", "description": "d", "addresses": ["10.1.0.0/24", "2001:db8::1/128"]}
    yield Call(method="POST", path="/address-groups", body={"address_group": group})
    yield Call(method="PUT", path="/address-groups/@nobody/add_addresses", body={"addresses": ["10.1.0.0/24"]})
    pool = {"name": "@unique", "prefixes": ["10.80.0.0/16"], "default_prefixlen": 26, "default_quota": 100}
    yield Call(method="POST", path="/subnetpools", body={"subnetpool": pool})
    yield Call(method="POST", path="/address-scopes", body={"address_scope": {"name": "@unique", "ip_version": 4}})
    policy = {"name": "@unique", "description": "d", "shared": False}
    for who in ("member", "admin"):
        yield Call(method="POST", path="/qos/policies", body={"policy": policy}, who=who)
        limit = {"max_kbps": 1000, "max_burst_kbps": 100, "direction": "egress"}
        path = "/qos/policies/@nobody/bandwidth_limit_rules"
        yield Call(method="POST", path=path, body={"bandwidth_limit_rule": limit}, who=who)
    more = {"network_id": "@network", "binding:vnic_type": "normal", "port_security_enabled": True, "dns_name": "d"}
    yield Call(method="POST", path="/ports", body={"ports": [more]})
    change = {"allowed_address_pairs": [{"ip_address": "10.1.1.0/24", "mac_address": "fa:16:3e:00:00:02"}]}
    yield Call(method="PUT", path="/ports/@port", body={"port": {**change, "security_groups": ["@group-id"]}})
    hinted = {"name": "@unique", "availability_zone_hints": ["nobodys"], "port_security_enabled": True}
    yield Call(method="POST", path="/networks", body={"network": hinted})
    provided = {"provider:network_type": "vlan", "provider:physical_network": "nobodys", "provider:segmentation_id": 7}
    yield Call(method="POST", path="/networks", body={"network": {"name": "@unique", **provided}}, who="admin")


def identity() -> Iterator[Call]:
    """Of the identity API. No call of these can lock an account: the lab's Keystone counts no failures."""
    who = {"name": "@user-name", "domain": {"id": "default"}, "password": "wrong"}
    auth = {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": {"project": {"id": "@project"}}}
    yield Call(method="POST", path="/auth/tokens", body={"auth": auth})
    token = {"identity": {"methods": ["token"], "token": {"id": "@nobody"}}, "scope": {"system": {"all": True}}}
    yield Call(method="POST", path="/auth/tokens", body={"auth": token}, query=(("nocatalog", ""),))
    app = {
        "identity": {"methods": ["application_credential"], "application_credential": {"id": "@nobody", "secret": "s"}}
    }
    yield Call(method="POST", path="/auth/tokens", body={"auth": app})
    for path in ("/auth/catalog", "/auth/projects", "/auth/domains", "/auth/system", "/users", "/projects", "/domains"):
        yield Call(method="GET", path=path, query=(("name", "x"),))
    yield Call(method="GET", path="/regions/RegionOne")
    yield Call(method="GET", path="/regions", query=(("parent_region_id", "x"),))
    yield Call(method="GET", path="/endpoints", query=(("interface", "public"),))
    yield Call(method="GET", path="/endpoints/@nobody")
    yield Call(method="GET", path="/services")
    yield Call(method="GET", path="/users/@user")
    yield Call(method="GET", path="/users/@user/projects")
    yield Call(method="GET", path="/projects/@project")
    yield Call(method="PATCH", path="/projects/@project", body={"project": {"name": "n", "description": "d"}})
    yield Call(method="POST", path="/users/@user/password", body={"user": {"original_password": "x", "password": "y"}})
    yield Call(
        method="POST", path="/projects", body={"project": {"name": "p", "domain_id": "default", "enabled": True}}
    )
    made = {"name": "@unique", "secret": "s", "roles": [{"name": "reader"}], "unrestricted": False}
    yield Call(method="POST", path="/users/@user/application_credentials", body={"application_credential": made})
    yield Call(method="GET", path="/users/@user/application_credentials")
    yield Call(method="GET", path="/role_assignments", query=(("user.id", "@user"),))
    yield Call(method="GET", path="/limits")
    yield Call(method="GET", path="/registered_limits")
    yield Call(method="GET", path="/OS-TRUST/trusts", query=(("trustor_user_id", "@user"),))
    trust = {
        "trustor_user_id": "@user",
        "trustee_user_id": "@nobody",
        "impersonation": True,
        "roles": [{"name": "reader"}],
    }
    yield Call(method="POST", path="/OS-TRUST/trusts", body={"trust": trust})
    yield Call(method="GET", path="/credentials")
    yield Call(method="POST", path="/ec2tokens", body={"credentials": {"access": "x", "signature": "y"}})
    yield Call(method="GET", path="/OS-EP-FILTER/projects/@project/endpoints")


def admin() -> Iterator[Call]:
    """Of the Admin API, which nobody else has."""
    pod = {"pod_name": "Nobodys", "az_name": "nowhere", "pod_az_name": "x", "dc_name": "d"}
    for who in ("admin", "member"):
        yield Call(method="POST", path="/pods", body={"pod": pod}, who=who)
        yield Call(
            method="GET", path="/pods", query=(("limit", "1"), ("marker", "@nobody"), ("az_name", "az1")), who=who
        )
        yield Call(method="GET", path="/pods/@nobody", who=who)
        yield Call(method="PUT", path="/pods/@nobody", body={"pod": {"state": "enabled", "az_name": "x"}}, who=who)
        yield Call(method="DELETE", path="/pods/@nobody", query=(("force", "false"),), who=who)
        binding = {"pod_binding": {"tenant_id": "@nobody", "pod_id": "@nobody"}}
        yield Call(method="POST", path="/bindings", body=binding, who=who)
        yield Call(method="GET", path="/bindings", query=(("limit", "1"), ("tenant_id", "@project")), who=who)
        yield Call(method="GET", path="/bindings/@nobody", who=who)
        yield Call(method="DELETE", path="/bindings/@nobody", who=who)
        job = {"job": {"type": "nobodys", "resource": {"id": "@nobody"}, "project_id": "@project"}}
        yield Call(method="POST", path="/jobs", body=job, who=who)
        query = (("limit", "1"), ("type", "x"), ("status", "new"), ("resource_id", "@nobody"))
        yield Call(method="GET", path="/jobs", query=query, who=who)
        yield Call(method="GET", path="/jobs/999999999", who=who)
        yield Call(method="PUT", path="/jobs/999999999", who=who)
        yield Call(method="DELETE", path="/jobs/999999999", who=who)
        yield Call(method="DELETE", path="/jobs", query=(("older_than", "999999999"),), who=who)
        yield Call(method="GET", path="/jobs/schemas", who=who)
        query = (("limit", "1"), ("marker", "1"), ("pod_name", "Pod1"), ("resource_type", "network"))
        yield Call(method="GET", path="/routings", query=query, who=who)
        query = (("top_id", "@network"), ("bottom_id", "@nobody"), ("project_id", "@project"), ("pod_id", "x"))
        yield Call(method="GET", path="/routings", query=query, who=who)
        yield Call(method="GET", path="/routings/999999999", who=who)
        yield Call(method="GET", path="/topologies/@network", who=who)
        wanted = {"network_id": "@network", "pod_name": "Pod1", "pod_network_id": "@inner-network"}
        yield Call(method="POST", path="/adoptions/observe", body={"adoption": wanted}, who=who)
        wanted = {"network_id": "@network", "pod_name": "Pod1", "pod_network_id": "@nobody"}
        yield Call(method="POST", path="/adoptions", body={"adoption": wanted}, who=who)
        yield Call(method="DELETE", path="/adoptions/999999999", who=who)
