# SPDX-License-Identifier: Apache-2.0
"""How does the centre come to know again what runs in pods, so that no address, MAC or VLAN id is handed out twice?

What is missing (``missing.py``) is made at the centre with the very identifiers that it has in the pod. Neutron does
not let anybody choose ids, so it has a new one; the mark in the pod still names the old one, and a job writes it anew.
Whoever was interrupted finds by the natural key what was made before: VLAN id, CIDR, MAC; a group by its name. A
project may have several groups of one name: one that copies are marked with, or whose rules are others, is not the one.
So it is with QoS policies.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tricircle.audit.findings import Part
from tricircle.context import Deadline
from tricircle.copies import qos_policies
from tricircle.copies.bodies import Body, member, rows, text
from tricircle.errors import NotFoundError, TricircleError
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Centre, Declared
from tricircle.recovery.missing import (
    Missing,
    Names,
    Seen,
    may_be_original,
    missing,
    network_body,
    port_body,
    rule_bodies,
    server_of,
    subnet_body,
)
from tricircle.recovery.record_keeper import RecordKeeper
from tricircle.recovery.recoverable import addresses_of
from tricircle.recovery.report import Did, Report
from tricircle.recovery.sharing import share
from tricircle.recovery.trunks import bind_parent, make_trunk, trunk_body
from tricircle.upstream.client import collect

_CALL_S = 60.0
_KEY = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
_REMEDY = "Free at the centre what stands in its way, and run this again before the doors open."
_DEFAULT = "tricircle-"


@dataclass(slots=True)
class _Made:
    """New originals: their ids by those that marks name, and their bodies by id.

    :ivar before: ids of what was there already; an earlier attempt made it
    :ivar address_groups: those of tenants' address groups among them
    """

    before: frozenset[str]
    address_groups: frozenset[str]
    names: dict[Kind, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in _COLLECTIONS})
    bodies: dict[Kind, dict[str, Body]] = field(default_factory=lambda: {kind: {} for kind in _COLLECTIONS})

    def add(self, kind: Kind, marked: str, body: Body) -> None:
        """Remember one."""
        self.names[kind][marked] = text(body, "id")
        self.bodies[kind][text(body, "id")] = body


_COLLECTIONS: Mapping[Kind, tuple[str, str]] = {
    Kind.NETWORK: ("networks", "network"),
    Kind.SUBNET: ("subnets", "subnet"),
    Kind.SECURITY_GROUP: ("security-groups", "security_group"),
    Kind.QOS_POLICY: ("qos/policies", "policy"),
    Kind.PORT: ("ports", "port"),
    Kind.TRUNK: ("trunks", "trunk"),
}


class Importer:
    """Makes originals of what pods have."""

    def __init__(self, centre: Centre, keeper: RecordKeeper, report: Report) -> None:
        self._centre = centre
        self._keeper = keeper
        self._report = report
        self._is_rehearsal = keeper.is_rehearsal

    async def run(self, pods: Sequence[Contents], declared: Declared) -> Declared:
        """What is declared afterwards; holdings in ``pods`` name the new originals as theirs."""
        wanted = missing(pods, declared)
        if self._is_rehearsal:
            self._announce(wanted)
            return declared
        made = _made(declared)
        taken = _marked(pods, Kind.QOS_POLICY)
        candidates = {one: known for one, known in declared.policies.items() if one not in taken}
        for marked, copies in wanted.policies.items():
            users = wanted.policy_users[marked]
            await self._try(Kind.QOS_POLICY, marked, copies, made, self._policy(copies, users, candidates))
        for contents in pods:
            contents.rename(Kind.QOS_POLICY, made.names[Kind.QOS_POLICY])
        declared = _with(declared, made)
        for marked, copies in wanted.networks.items():
            await self._try(Kind.NETWORK, marked, copies, made, self._network(copies, pods, wanted, declared))
        for marked, copies in wanted.subnets.items():
            await self._try(Kind.SUBNET, marked, copies, made, self._subnet(copies, pods, made, declared))
        for marked, copies in wanted.groups.items():
            await self._try(Kind.SECURITY_GROUP, marked, copies, made, self._group(copies, pods, made, declared))
        declared = _with(declared, made)
        for marked, copies in wanted.groups.items():
            await self._rules(marked, copies, pods, made)
        for contents in pods:
            for kind in (Kind.NETWORK, Kind.SUBNET, Kind.SECURITY_GROUP):
                contents.rename(kind, made.names[kind])
            contents.rename(Kind.ADDRESS_GROUP, made.names[Kind.SECURITY_GROUP])
        for marked, copies in wanted.ports.items():
            await self._try(Kind.PORT, marked, copies, made, self._port(copies, pods, wanted, declared))
        for contents in pods:
            contents.rename(Kind.PORT, made.names[Kind.PORT])
        await self._trunks(wanted, pods, made, _with(declared, made))
        return _with(declared, made)

    def _announce(self, wanted: Missing) -> None:
        named = {Kind.QOS_POLICY: wanted.policies, Kind.NETWORK: wanted.networks, Kind.SUBNET: wanted.subnets}
        named |= {Kind.SECURITY_GROUP: wanted.groups, Kind.PORT: wanted.ports, Kind.TRUNK: wanted.trunks}
        for kind, found in named.items():
            for copies in found.values():
                self._say(kind, copies[0], "would be made at the centre")

    def _say(self, kind: Kind, seen: Seen, what: str) -> None:
        self._report.count(seen.pod.name, kind, Did.IMPORTED)
        self._report.note(f"Pod {seen.pod.name}: {kind} {seen.holding.pod_resource_id} ({_facts(seen)}) {what}.")

    async def _try(self, kind: Kind, marked: str, copies: Sequence[Seen], made: _Made, work: Awaitable[Body]) -> None:
        """Make one. What fails is said, and stands in nobody's way but that of what stands on it."""
        seen = copies[0]
        try:
            body = await work
        except TricircleError as error:
            self._report.problem(
                f"Pod {seen.pod.name}: {kind} {seen.holding.pod_resource_id} ({_facts(seen)}) is used there and "
                f"unknown at the centre, where it could not be made: {error}",
                _REMEDY,
            )
            return
        made.add(kind, marked, body)
        if text(body, "id") not in made.before:
            self._say(kind, seen, f"was unknown at the centre, and is {text(body, 'id')} there now")

    async def _policy(self, copies: Sequence[Seen], users: Sequence[str], candidates: dict[str, Body]) -> Body:
        """A QoS policy with its rules; it belongs to whoever has most ports with it.

        :param candidates: those of the centre that may be it, by id. The one that is leaves them, even where its rules
            cannot be written: what is the original of one is none of another
        """
        body = copies[0].body
        project_id = max(sorted(set(users)), key=users.count)
        for policy_id, known in candidates.items():
            is_alike = (known.get("name"), known.get("project_id")) == (body.get("name"), project_id)
            if is_alike and (not rows(known, "rules") or "rules" not in qos_policies.difference(known, body)):
                policy = candidates.pop(policy_id)
                break
        else:
            policy = await self._post(Kind.QOS_POLICY, {"name": text(body, "name"), "project_id": project_id})
        client, deadline = self._centre.client(Service.NETWORK), Deadline.after(_CALL_S)
        await qos_policies.write_rules(client, policy, body, deadline)
        return member(await client.get(f"{qos_policies.PATH}/{text(policy, 'id')}", deadline=deadline), "policy")

    async def _network(
        self, copies: Sequence[Seen], pods: Sequence[Contents], wanted: Missing, declared: Declared
    ) -> Body:
        projects = _projects(copies, pods, wanted)
        contents = _contents_of(copies[0], pods)
        body = network_body(copies, projects[0], _known_ids(contents, Kind.QOS_POLICY, declared.policies))
        network: Body
        for known in declared.networks.values():
            is_same = known.get(_KEY[2]) is not None and all(known.get(name) == body.get(name) for name in _KEY)
            if is_same and known.get("project_id") in projects and known.get("name") == body["name"]:
                network = known
                break
        else:
            network = await self._post(Kind.NETWORK, body)
        try:
            # Also what an earlier attempt made, which may have ended before all shares were there.
            await share(self._centre.client(Service.NETWORK), network, projects)
        except TricircleError as error:
            # Addresses in use on it must be known all the same.
            shown = f"Network {text(network, 'id')} could not be shared with everybody who uses it: {error}"
            self._report.problem(shown, _REMEDY)
        return network

    async def _subnet(self, copies: Sequence[Seen], pods: Sequence[Contents], made: _Made, declared: Declared) -> Body:
        network = _network_of(copies[0], pods, {**declared.networks, **made.bodies[Kind.NETWORK]}, made)
        for known in declared.subnets.values():
            if (known.get("network_id"), known.get("cidr")) == (network["id"], copies[0].body.get("cidr")):
                return known
        return await self._post(Kind.SUBNET, subnet_body(copies, str(network["id"]), text(network, "project_id")))

    async def _group(self, copies: Sequence[Seen], pods: Sequence[Contents], made: _Made, declared: Declared) -> Body:
        body, project_id = copies[0].body, text(copies[0].body, "project_id")
        name = text(body, "name")
        # That of a project's default group is named after its id.
        name = "default" if name == _DEFAULT + str(copies[0].holding.central_id) else name
        taken = _marked(pods, Kind.SECURITY_GROUP) | set(made.names[Kind.SECURITY_GROUP].values())
        for group_id, known in declared.groups.items():
            is_alike = name == "default" or (group_id not in taken and may_be_original(known, body))
            if is_alike and (known.get("project_id"), known.get("name")) == (project_id, name):
                return known
        client = self._centre.client(Service.NETWORK)
        if name == "default":
            group = await self._default_group(project_id)
        else:
            wanted: dict[str, object] = {"name": name, "project_id": project_id}
            if body.get("stateful") is False:
                wanted["stateful"] = False
            group = await self._post(Kind.SECURITY_GROUP, wanted)
        for rule in rows(group, "security_group_rules"):
            path = f"/v2.0/security-group-rules/{text(rule, 'id')}"
            await client.delete(path, deadline=Deadline.after(_CALL_S), ok=(404,))
        return {**group, "security_group_rules": []}

    async def _default_group(self, project_id: str) -> Body:
        """Nobody may make one: Neutron does, when it is asked for those of a project that has none."""
        client, filters = self._centre.client(Service.NETWORK), {"project_id": project_id, "name": "default"}
        found = await collect(client, "/v2.0/security-groups", "security_groups", Deadline.after(_CALL_S), filters)
        if not found:
            raise NotFoundError(f"project {project_id} has no default group")
        return found[0]

    async def _rules(self, marked: str, copies: Sequence[Seen], pods: Sequence[Contents], made: _Made) -> None:
        """The rules of a group that was just made; all groups are there now, so rules may name them."""
        group_id = made.names[Kind.SECURITY_GROUP].get(marked)
        group = made.bodies[Kind.SECURITY_GROUP].get(group_id or "")
        if group is None or rows(group, "security_group_rules"):
            return
        named = made.names[Kind.SECURITY_GROUP]
        contents = _contents_of(copies[0], pods)
        groups = {
            one.pod_resource_id: named.get(one.central_id, one.central_id)
            for one in (*contents.lists[Kind.SECURITY_GROUP], *contents.lists.get(Kind.ADDRESS_GROUP, ()))
            if one.central_id in named or one.central_id in made.before
        }
        client, written = self._centre.client(Service.NETWORK), []
        for body in rule_bodies(copies[0], str(group_id), groups, made.address_groups):
            try:
                answer = await client.post(
                    "/v2.0/security-group-rules", body={"security_group_rule": body}, deadline=Deadline.after(_CALL_S)
                )
                written.append(member(answer, "security_group_rule"))
            except TricircleError as error:
                self._report.problem(f"A rule of security group {group_id} could not be made: {error}", _REMEDY)
        made.bodies[Kind.SECURITY_GROUP][str(group_id)] = {**group, "security_group_rules": written}

    async def _port(
        self, copies: Sequence[Seen], pods: Sequence[Contents], wanted: Missing, declared: Declared
    ) -> Body:
        seen = copies[0]
        contents = _contents_of(seen, pods)
        network = contents.by_id(Kind.NETWORK)[text(seen.body, "network_id")]
        for known in declared.ports.values():
            key = (known.get("network_id"), known.get("mac_address"))
            if key == (network.central_id, seen.body.get("mac_address")):
                return known
        identifiers = addresses_of(seen.body) | {text(seen.body, "mac_address")}
        await self._keeper.release(str(network.central_id), identifiers)
        names = Names(
            subnets=_central_ids(contents, Kind.SUBNET),
            groups=_known_ids(contents, Kind.SECURITY_GROUP, declared.groups),
            policies=_known_ids(contents, Kind.QOS_POLICY, declared.policies),
            known={field for port in (*declared.ports.values(), *declared.slices.values()) for field in port},
        )
        host_name = contents.host_names.get(text(seen.body, "device_id"), "")
        body = port_body(seen, str(network.central_id), names, host_name)
        if seen.holding.pod_resource_id in wanted.parents():
            del body["binding:host_id"]  # see trunks.py
        return await self._post(Kind.PORT, body)

    async def _trunks(self, wanted: Missing, pods: Sequence[Contents], made: _Made, declared: Declared) -> None:
        for marked, copies in wanted.trunks.items():
            await self._try(Kind.TRUNK, marked, copies, made, self._trunk(copies[0], pods, made, declared))
        for contents in pods:
            contents.rename(Kind.TRUNK, made.names[Kind.TRUNK])

    async def _trunk(self, seen: Seen, pods: Sequence[Contents], made: _Made, declared: Declared) -> Body:
        """A trunk, on ports that the centre knows by now; its parent is bound when it is there."""
        contents, client = _contents_of(seen, pods), self._centre.client(Service.NETWORK)
        wanted = trunk_body(seen, _known_ids(contents, Kind.PORT, declared.ports))
        trunk = await make_trunk(client, wanted, declared.trunks.values())
        parent = declared.ports[str(wanted["port_id"])]
        server_id = text(contents.by_id(Kind.PORT)[text(seen.body, "port_id")].body, "device_id")
        bound = await bind_parent(client, seen, server_id, parent)
        made.bodies[Kind.PORT][text(parent, "id")] = bound
        return trunk

    async def _post(self, kind: Kind, body: Mapping[str, object]) -> dict[str, object]:
        collection, singular = _COLLECTIONS[kind]
        client = self._centre.client(Service.NETWORK)
        answer = await client.post(f"/v2.0/{collection}", body={singular: body}, deadline=Deadline.after(_CALL_S))
        return member(answer, singular)


def _made(declared: Declared) -> _Made:
    known = (
        declared.networks,
        declared.subnets,
        declared.groups,
        declared.address_groups,
        declared.ports,
        declared.trunks,
    )
    before = frozenset(one for bodies in (*known, declared.policies) for one in bodies)
    return _Made(before=before, address_groups=frozenset(declared.address_groups))


def _contents_of(seen: Seen, pods: Sequence[Contents]) -> Contents:
    return next(one for one in pods if one.pod.id == seen.pod.id)


def _central_ids(contents: Contents, kind: Kind) -> dict[str, str]:
    """Central ids of a pod's copies by their ids there."""
    return {one.pod_resource_id: one.central_id for one in contents.lists[kind] if one.central_id is not None}


def _known_ids(contents: Contents, kind: Kind, declared: Mapping[str, Body]) -> dict[str, str]:
    """The same, of those that the centre knows."""
    ids = _central_ids(contents, kind) if contents.has(kind) else {}
    return {pod_id: central_id for pod_id, central_id in ids.items() if central_id in declared}


def _marked(pods: Sequence[Contents], kind: Kind) -> set[str]:
    """Central ids of what has a copy in some pod. What an interrupted run has made has none yet."""
    found = (one for contents in pods for one in contents.lists.get(kind, ()))
    return {one.central_id for one in found if one.central_id is not None}


def _network_of(seen: Seen, pods: Sequence[Contents], known: Mapping[str, Body], made: _Made) -> Body:
    """The central network of a subnet. :raises NotFoundError: it could not be made"""
    contents = _contents_of(seen, pods)
    holding = contents.by_id(Kind.NETWORK).get(text(seen.body, "network_id"))
    marked = holding.central_id if holding is not None else None
    network = known.get(made.names[Kind.NETWORK].get(marked or "", marked or ""))
    if network is None:
        raise NotFoundError("its network is unknown there too.")
    return network


def _projects(copies: Sequence[Seen], pods: Sequence[Contents], wanted: Missing) -> list[str]:
    """Whose a network is: the project that it is shared with in the pods. Of several the first owns it."""
    networks = {seen.holding.pod_resource_id for seen in copies}
    shared = {
        text(policy.body, "target_tenant")
        for contents in pods
        for policy in contents.lists.get(Part.RBAC_POLICY, ())
        if policy.body.get("object_id") in networks and policy.body.get("action") == "access_as_shared"
    } - {"*", ""}
    users = [
        text(seen.body, "project_id")
        for ports in wanted.ports.values()
        for seen in ports
        if seen.body.get("network_id") in networks
    ]
    # Whoever has most ports on it comes first.
    return sorted(shared | set(users), key=lambda project: (-users.count(project), project))


def _facts(seen: Seen) -> str:
    """What tells an operator which object it is: VLAN id, CIDR, addresses and server, or the name."""
    body = seen.body
    if seen.holding.kind is Kind.PORT:
        addresses = ", ".join(text(ip, "ip_address") for ip in rows(body, "fixed_ips"))
        holder = f"server {server_id}" if (server_id := server_of(body)) else "a sub-port"
        return f"{addresses}; {text(body, 'mac_address')}; {holder}"
    if seen.holding.kind is Kind.TRUNK:
        return f"{text(body, 'name')}; on port {text(body, 'port_id')}"
    if seen.holding.kind is Kind.NETWORK:
        return f"{text(body, 'name')}; {text(body, _KEY[0])} {text(body, _KEY[2])}"
    return text(body, "cidr") or text(body, "name")


def _with(declared: Declared, made: _Made) -> Declared:
    ports = made.bodies[Kind.PORT]
    fixed_ips = [ip for port in ports.values() for ip in rows(port, "fixed_ips")]
    addresses = {(text(ip, "subnet_id"), text(ip, "ip_address")) for ip in fixed_ips}
    return replace(
        declared,
        policies={**declared.policies, **made.bodies[Kind.QOS_POLICY]},
        networks={**declared.networks, **made.bodies[Kind.NETWORK]},
        subnets={**declared.subnets, **made.bodies[Kind.SUBNET]},
        groups={**declared.groups, **made.bodies[Kind.SECURITY_GROUP]},
        ports={**declared.ports, **ports},
        trunks={**declared.trunks, **made.bodies[Kind.TRUNK]},
        addresses=declared.addresses | addresses,
    )
