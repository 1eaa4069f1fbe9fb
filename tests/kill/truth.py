# SPDX-License-Identifier: Apache-2.0
"""What exists: in the pods and at the centre as their operators see it, in our tables, and as tenants are told?

A snapshot, taken once when all has come to rest, and the rules that hold between its parts whatever was done.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.functional.region_world import Caller, Json, Region, ids
from tests.functional.tenants import Tenant
from tests.kill.stage import Stage

MARK = "tricircle:"
#: What counts as used although no pod has said so.
RESERVED = "SELECT * FROM tricircle_reservations WHERE bound_at IS NULL AND until > UTC_TIMESTAMP()"
CENTRE = "RegionOne"
_NETWORKING = {
    "ports": "ports",
    "networks": "networks",
    "subnets": "subnets",
    "groups": "security-groups",
    "members": "address-groups",
    "policies": "qos/policies",
    "trunks": "trunks",
}
#: Kinds of routings, and where their objects are kept here.
_COPIES = {
    "port": "ports",
    "network": "networks",
    "subnet": "subnets",
    "security_group": "groups",
    "qos_policy": "policies",
    "trunk": "trunks",
}
_RULE = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")


@dataclass(kw_only=True)
class Seen:
    """What one tenant is told: ids by collection, and what a list has that cannot be shown."""

    servers: list[str]
    volumes: list[str]
    snapshots: list[str]
    ports: list[str]
    unshown: list[str]


@dataclass(kw_only=True)
class Truth:
    """Everything that belongs to some projects; networking by place and whole, with what is the service project's."""

    projects: frozenset[str]
    servers: list[Json]
    volumes: list[Json]
    snapshots: list[Json]
    central_servers: list[Json]
    ports: dict[str, list[Json]]
    networks: dict[str, list[Json]]
    subnets: dict[str, list[Json]]
    groups: dict[str, list[Json]]
    members: dict[str, list[Json]]
    policies: dict[str, list[Json]]
    trunks: dict[str, list[Json]]
    seen: dict[str, Seen]
    routings: list[Json] = field(default_factory=list)
    jobs: list[Json] = field(default_factory=list)
    reservations: list[Json] = field(default_factory=list)

    @property
    def pods(self) -> list[str]:
        """The places that are no centre."""
        return [place for place in self.ports if place != CENTRE]

    def copies(self, kind: str, central_id: str) -> list[tuple[str, Json]]:
        """What has the mark of a central object, with its place."""
        found = [(place, thing) for place in self.pods for thing in getattr(self, kind)[place]]
        return [(place, thing) for place, thing in found if thing.get("description") == MARK + central_id]

    def ports_in_pods(self, *, device_id: str) -> list[Json]:
        """The ports of a server, in pods."""
        return [port for place in self.pods for port in self.ports[place] if port["device_id"] == device_id]

    def group(self, group_id: str) -> Json:
        """A group of the centre."""
        return next(group for group in self.groups[CENTRE] if group["id"] == group_id)


def look(region: Region, stage: Stage, tenants: Sequence[Tenant]) -> Truth:
    """The truth about these tenants' projects."""
    projects = frozenset(tenant.project_id for tenant in tenants)
    places: dict[str, Caller] = {CENTRE: region.centre, **region.pods}
    found = {
        kind: {place: caller.list("network", collection) for place, caller in places.items()}
        for kind, collection in _NETWORKING.items()
    }
    running = {"service": "compute", "collection": "servers/detail"}
    return Truth(
        projects=projects,
        servers=_everywhere(region.pods, projects, **running),
        volumes=_everywhere(region.pods, projects, service="block-storage", collection="volumes/detail"),
        snapshots=_everywhere(region.pods, projects, service="block-storage", collection="snapshots/detail"),
        central_servers=_everywhere({CENTRE: region.centre}, projects, **running),
        seen={tenant.project_id: _seen(tenant.here) for tenant in tenants},
        routings=stage.rows("SELECT * FROM tricircle_routings"),
        jobs=stage.rows("SELECT * FROM tricircle_jobs"),
        reservations=stage.rows(RESERVED),
        **found,
    )


def _everywhere(places: dict[str, Caller], projects: frozenset[str], *, service: str, collection: str) -> list[Json]:
    found: list[Json] = []
    for place, caller in places.items():
        path, key = f"/{collection}?all_tenants=1", collection.partition("/")[0]
        while path:
            page = caller.good("GET", service, path)
            found += [{**thing, "place": place} for thing in page[key] if _project(thing) in projects]
            path = next((link["href"] for link in page.get(f"{key}_links", ()) if link["rel"] == "next"), "")
    return found


def _project(thing: Json) -> str:
    keys = ("project_id", "tenant_id", "os-vol-tenant-attr:tenant_id", "os-extended-snapshot-attributes:project_id")
    return next((str(thing[key]) for key in keys if thing.get(key)), "")


def _seen(here: Caller) -> Seen:
    lists = {
        "servers": ids(here.list("compute", "servers")),
        "volumes": ids(here.list("block-storage", "volumes")),
        "snapshots": ids(here.list("block-storage", "snapshots")),
        "ports": ids(here.list("network", "ports")),
    }
    services = {"servers": "compute", "volumes": "block-storage", "snapshots": "block-storage", "ports": "network"}
    unshown = [
        f"{collection}/{thing_id}"
        for collection, listed in lists.items()
        for thing_id in listed
        if here("GET", services[collection], f"/{collection}/{thing_id}").status_code != 200
    ]
    return Seen(**lists, unshown=unshown)


def contradictions(truth: Truth, kept: frozenset[str]) -> Iterator[str]:
    """What is not as it must be, in sentences.

    :param kept: central ports that users made and that no server needs to have
    """
    yield from _invisible(truth)
    yield from _doubled(truth)
    yield from _central_ports(truth, kept)
    for place in truth.pods:
        yield from _ports(truth, place)
        yield from _orphans(truth, place)
        yield from _groups(truth, place)
        yield from _members(truth, place)
        yield from _policies(truth, place)
        yield from _trunks(truth, place)
    yield from _books(truth)


def _invisible(truth: Truth) -> Iterator[str]:
    for project, seen in truth.seen.items():
        for kind in ("servers", "volumes", "snapshots"):
            real = {thing["id"] for thing in getattr(truth, kind) if _project(thing) == project}
            listed = getattr(seen, kind)
            yield from (f"{kind} {thing} is in a pod and invisible" for thing in real - set(listed))
            yield from (f"{kind} {thing} is listed and nowhere" for thing in set(listed) - real)
            yield from (f"{kind} {thing} is listed twice" for thing, count in Counter(listed).items() if count > 1)
        yield from (f"{thing} is listed and cannot be shown" for thing in seen.unshown)
    yield from (f"a server {server['id']} is at the centre" for server in truth.central_servers)


def _doubled(truth: Truth) -> Iterator[str]:
    for kind in ("servers", "volumes", "snapshots"):
        names = Counter((_project(thing), thing["name"]) for thing in getattr(truth, kind))
        yield from (f"{count} {kind} are called {name}" for (_, name), count in names.items() if count > 1)
    for place in truth.pods:
        for kind in _NETWORKING:
            marks = Counter(
                thing["description"]
                for thing in getattr(truth, kind)[place]
                if str(thing.get("description", "")).startswith(MARK)
            )
            yield from (f"{place} has {count} {kind} of {mark}" for mark, count in marks.items() if count > 1)
        macs = Counter((port["network_id"], port["mac_address"]) for port in truth.ports[place])
        yield from (f"{place} has MAC {mac} {count} times" for (_, mac), count in macs.items() if count > 1)
    tags = Counter(net.get("provider:segmentation_id") for net in truth.networks[CENTRE])
    yield from (f"VLAN {tag} was given out {count} times" for tag, count in tags.items() if tag and count > 1)


def _central_ports(truth: Truth, kept: frozenset[str]) -> Iterator[str]:
    servers = {server["id"] for server in truth.servers}
    for port in truth.ports[CENTRE]:
        if port["project_id"] not in truth.projects or port["device_owner"] == "network:dhcp":
            continue
        name, device = f"central port {port['id']}", port["device_id"]
        copies = truth.copies("ports", port["id"])
        if device and device not in servers:
            yield f"{name} belongs to {device}, which is no server"
        if not device and port["id"] not in kept:
            yield f"{name} is of nobody"
        is_inside = port["device_owner"] == "trunk:subport"  # lives with its parent, and has no server of its own
        if not device and not is_inside and (copies or port["binding:host_id"]):
            yield f"{name} is free and has copies {[copy['id'] for _, copy in copies]} or a host"
        if device in servers and [copy["device_id"] for _, copy in copies] != [device]:
            yield f"{name} is of server {device}, and its copies are of {[copy['device_id'] for _, copy in copies]}"


def _ports(truth: Truth, place: str) -> Iterator[str]:
    """Every port of the tenants in a pod is the copy of a port that has the same server, MAC and addresses."""
    central = {port["id"]: port for port in truth.ports[CENTRE]}
    for port in truth.ports[place]:
        if port["project_id"] not in truth.projects or port["device_owner"] == "network:dhcp":
            continue
        original = central.get(str(port["description"]).removeprefix(MARK))
        if original is None:
            yield f"{place} has port {port['id']} ({port['description']}), a copy of nothing"
            continue
        if port["mac_address"] != original["mac_address"] or _addresses(port) != _addresses(original):
            yield f"{place} has port {port['id']} with other addresses than its original"
        if port["device_id"] != original["device_id"]:
            yield f"{place} has port {port['id']} at {port['device_id']!r}, the centre at {original['device_id']!r}"


def _addresses(port: Json) -> list[str]:
    return sorted(fixed["ip_address"] for fixed in port["fixed_ips"])


def _orphans(truth: Truth, place: str) -> Iterator[str]:
    """Whatever has a mark has an original."""
    for kind in _NETWORKING:
        known = {thing["id"] for thing in getattr(truth, kind)[CENTRE]}
        if kind == "members":  # of security groups, beside tenants' address groups
            known |= {group["id"] for group in truth.groups[CENTRE]}
        for thing in getattr(truth, kind)[place]:
            mark = str(thing.get("description", ""))
            if mark.startswith(MARK) and mark.removeprefix(MARK) not in known:
                yield f"{place} has {kind} {thing['id']}, a copy of something that is gone"
    central = {net["id"]: net for net in truth.networks[CENTRE]}
    for net in truth.networks[place]:
        original = central.get(str(net["description"]).removeprefix(MARK))
        if original and net["provider:segmentation_id"] != original["provider:segmentation_id"]:
            yield f"{place} has network {net['id']} on another VLAN than its original"


def _groups(truth: Truth, place: str) -> Iterator[str]:
    """The copies that ports use have the rules of their originals."""
    used = {group for port in truth.ports[place] for group in port["security_groups"]}
    central = {group["id"]: group for group in truth.groups[CENTRE]}
    for group in truth.groups[place]:
        original = central.get(str(group["description"]).removeprefix(MARK))
        if original is None or group["id"] not in used or group["project_id"] not in truth.projects:
            continue
        names = {one["id"]: str(one["description"]).removeprefix(MARK) for one in truth.members[place]}
        if _rules(group, names) != _rules(original, {}):
            yield f"{place} has group {group['id']} with other rules than its original"


def _members(truth: Truth, place: str) -> Iterator[str]:
    """What a pod knows of the members of a group is what the centre says, and some rule there asks."""
    tenants = {group["id"]: group["addresses"] for group in truth.members[CENTRE]}
    named = {rule["remote_address_group_id"] for group in truth.groups[place] for rule in group["security_group_rules"]}
    for known in truth.members[place]:
        mark = str(known["description"])
        if not mark.startswith(MARK):
            continue
        carriers = [port for port in truth.ports[CENTRE] if mark.removeprefix(MARK) in port["security_groups"]]
        wanted = {pair["ip_address"].partition("/")[0] for port in carriers for pair in port["allowed_address_pairs"]}
        wanted |= {fixed["ip_address"] for port in carriers for fixed in port["fixed_ips"]}
        wanted |= {str(address).partition("/")[0] for address in tenants.get(mark.removeprefix(MARK), ())}
        if {str(address).partition("/")[0] for address in known["addresses"]} != wanted:
            yield f"{place} knows members {known['addresses']} of {mark}, the centre {sorted(wanted)}"
        if known["id"] not in named:
            yield f"{place} has address group {known['id']} ({mark}), which no rule names"


def _policies(truth: Truth, place: str) -> Iterator[str]:
    """The copies of QoS policies have the rules of their originals."""
    central = {policy["id"]: policy for policy in truth.policies[CENTRE]}
    for policy in truth.policies[place]:
        original = central.get(str(policy["description"]).removeprefix(MARK))
        if original is not None and _limits(policy) != _limits(original):
            yield f"{place} has policy {policy['id']} with other rules than its original"


def _limits(policy: Json) -> Counter[tuple[str, ...]]:
    passing = ("id", "qos_policy_id")
    return Counter(
        tuple(f"{key}={rule[key]}" for key in sorted(rule) if key not in passing) for rule in policy["rules"]
    )


def _trunks(truth: Truth, place: str) -> Iterator[str]:
    """A trunk is in the pod of its parent, with copies of its sub-ports on their segments, and nowhere else."""
    marks = {port["id"]: str(port["description"]).removeprefix(MARK) for port in truth.ports[place]}
    there = {str(trunk["description"]).removeprefix(MARK): trunk for trunk in truth.trunks[place]}
    hosts = {port["id"]: port["binding:host_id"] for port in truth.ports[CENTRE]}
    for trunk in truth.trunks[CENTRE]:
        if trunk["project_id"] not in truth.projects:
            continue
        copy, is_here = there.get(trunk["id"]), hosts.get(trunk["port_id"]) == place
        if (copy is not None) != is_here:
            yield f"{place} {'lacks' if is_here else 'has'} trunk {trunk['id']}, whose parent is in another place"
        elif copy is not None:
            wanted = {row["port_id"]: row["segmentation_id"] for row in trunk["sub_ports"]}
            found = {marks.get(row["port_id"]): row["segmentation_id"] for row in copy["sub_ports"]}
            if found != wanted or marks.get(copy["port_id"]) != trunk["port_id"]:
                yield f"{place} has trunk {copy['id']} with {found}, the centre {wanted}"


def _rules(group: Json, names: Mapping[str, str]) -> Counter[tuple[str, ...]]:
    """The rules, their remote as the centre calls it. ``names``: central ids by those of address groups in a pod."""
    found: Counter[tuple[str, ...]] = Counter()
    for rule in group["security_group_rules"]:
        tenants = rule["remote_address_group_id"]
        remote = str(rule["remote_group_id"] or names.get(tenants, tenants))
        found[(*(str(rule[key]) for key in _RULE), remote)] += 1
    return found


def _books(truth: Truth) -> Iterator[str]:
    """Our tables say what is, and nothing waits."""
    for job in truth.jobs:
        if job["project_id"] in truth.projects:
            yield f"a job waits: {job['type']} {job['resource_id']} {job['attempts']} {job['last_error']}"
    for reservation in truth.reservations:
        if reservation["project_id"] in truth.projects:
            yield f"{reservation['amounts']} are still reserved, until {reservation['until']}"
    written = {(str(routing["kind"]), routing["pod_resource_id"]) for routing in truth.routings}
    for kind in ("servers", "volumes", "snapshots"):
        for thing in getattr(truth, kind):
            if (kind.removesuffix("s"), thing["id"]) not in written:
                yield f"the books do not have {kind} {thing['id']}"
    for routing in truth.routings:
        if routing["project_id"] in truth.projects:
            yield from _routing(truth, routing)


def _routing(truth: Truth, routing: Json) -> Iterator[str]:
    """A row is bound, its copy is there, and so is its original.

    One of what is gone would keep addresses, MACs and VLAN ids in quarantine for ever.
    """
    kind, central_id, there = str(routing["kind"]), routing["central_id"], routing["pod_resource_id"]
    if not there:
        yield f"the books have a {kind} {central_id} that nobody bound"
    elif kind == "server" and there not in ids(truth.servers):
        yield f"the books have server {there}, which is nowhere"
    if kind not in _COPIES:
        return
    places: dict[str, list[Json]] = getattr(truth, _COPIES[kind])
    if central_id not in ids(places[CENTRE]):
        yield f"the books have {kind} {central_id}, which is gone at the centre"
    if there and not any(there in ids(places[place]) for place in truth.pods):
        yield f"the books have {kind} {central_id} as {there}, which is nowhere"
