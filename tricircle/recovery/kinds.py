# SPDX-License-Identifier: Apache-2.0
"""Which copies of flavors, volume types, server groups and key pairs does a pod have?

A pod's own flavor or type that is used in place of a copy bears no mark: it is known again where a server or a volume
of the pod uses it. Others are found by their next use, as they were the first time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from tricircle.audit.findings import Holding
from tricircle.context import Deadline
from tricircle.copies import flavor_content, keypairs
from tricircle.copies.bodies import Body, rows, text
from tricircle.copies.volume_type_content import QOS_PREFIX, Content, complete
from tricircle.copies.volume_types import DEFAULT_TYPE, PREFIX
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.registry import Registry
from tricircle.pods.spoken import spoken
from tricircle.recovery.at_once import at_once
from tricircle.recovery.declared import Centre, Declared
from tricircle.recovery.facts import ANYBODY, Fact, Sorted, Stranger, Why, sort
from tricircle.upstream.client import Clients, ServiceClient, collect

_COMPUTE_VERSION = "2.85"
_KEYPAIR_VERSION = "2.35"
#: Users whose key pairs are asked for at the same time.
_AT_ONCE = 8


def groups_of_servers(pod: Pod, holdings: Iterable[Holding], declared: Declared) -> Sorted:
    """Server groups: by the mark in their name, the project and the policy. Pure."""

    def judge(holding: Holding, group: Body) -> bool:
        is_owner = holding.project_id == group.get("project_id")
        return is_owner and holding.body.get("policy") == group.get("policy")

    def make(holding: Holding, group: Body) -> Fact:
        return Fact(routing=_routing(pod, Kind.SERVER_GROUP, text(group, "id"), holding))

    return sort(pod, holdings, declared.server_groups, judge, make)


def of_flavors(
    pod: Pod,
    holdings: Sequence[Holding],
    access: Mapping[str, Sequence[str]],
    used: Collection[str],
    declared: Declared,
) -> Sorted:
    """Flavors. Pure.

    :param access: the projects that may use a private flavor, by its id in the pod
    :param used: names of the flavors that servers in the pod have
    """

    def judge(holding: Holding, flavor: Body) -> bool:
        return flavor_content.central_id(holding.pod_resource_id) == flavor_content.central_id(text(flavor, "id"))

    def make(holding: Holding, flavor: Body, *, is_ours: bool = True) -> Fact:
        present = {**holding.body, "name": flavor_content.central_name(text(holding.body, "name"))}
        agrees = flavor_content.digest(present) == flavor_content.digest({**flavor, "name": present["name"]})
        agrees = agrees and text(holding.body, "name") in (flavor["name"], flavor_content.PREFIX + text(flavor, "name"))
        details = {"is_ours": is_ours, "projects": sorted(access.get(holding.pod_resource_id, ()))}
        routing = _routing(pod, Kind.FLAVOR, text(flavor, "id"), holding)
        routing = replace(routing, details=details, revision=flavor_content.digest(flavor) if agrees else "")
        return Fact(routing=routing, job=None if agrees else JobType.FLAVOR)

    found = sort(pod, holdings, declared.flavors, judge, make)
    for holding in holdings:
        flavor = declared.flavors.get(holding.pod_resource_id)
        if flavor is None or holding.central_id is not None or holding.pod_resource_id in found.facts:
            continue
        is_same = flavor_content.digest(holding.body) == flavor_content.digest(flavor)
        if is_same and holding.body.get("name") in used:
            found.facts[holding.pod_resource_id] = make(holding, flavor, is_ours=False)
    return found


class Kinds:
    """Reads what the comparison of these kinds needs beyond a list."""

    def __init__(self, clients: Clients, registry: Registry, centre: Centre) -> None:
        self._clients = clients
        self._registry = registry
        self._centre = centre
        self._pairs: dict[str, dict[str, Body]] = {}

    async def access(self, pod: Pod, holdings: Iterable[Holding], deadline: Deadline) -> dict[str, list[str]]:
        """The projects that may use each private flavor of the pod, by its id there."""
        client = self._compute(pod, _COMPUTE_VERSION)
        found = {}
        for holding in holdings:
            if holding.body.get("os-flavor-access:is_public", True):
                continue
            path = f"/v2.1/flavors/{quote(holding.pod_resource_id, safe='')}/os-flavor-access"
            answer = await client.get(path, deadline=deadline, ok=(404,))
            found[holding.pod_resource_id] = [text(row, "tenant_id") for row in rows(answer, "flavor_access")]
        return found

    async def volume_types(
        self, pod: Pod, holdings: Sequence[Holding], used: Collection[str], declared: Declared, deadline: Deadline
    ) -> Sorted:
        """Volume types. ``used``: names of the types that volumes in the pod have."""
        found = Sorted()
        for holding in holdings:
            if holding.central_id is None:
                continue
            central = declared.volume_types.get(holding.central_id)
            if central is None:
                found.strangers.append(Stranger(pod=pod, holding=holding, why=Why.UNKNOWN))
            else:
                found.facts[holding.central_id] = await self._type(pod, holding, central, deadline, is_ours=True)
        by_name = {text(central, "name"): type_id for type_id, central in declared.volume_types.items()}
        for holding in holdings:
            name = text(holding.body, "name")
            type_id = by_name.get(name)
            if holding.central_id is None and type_id is not None and type_id not in found.facts and name in used:
                fact = await self._type(pod, holding, declared.volume_types[type_id], deadline, is_ours=False)
                if fact.job is None:
                    found.facts[type_id] = fact
        return found

    async def _type(self, pod: Pod, holding: Holding, central: Body, deadline: Deadline, *, is_ours: bool) -> Fact:
        wanted = (await complete(self._centre.client(Service.BLOCK_STORAGE), central, deadline)).at(pod)
        client = self._clients.as_service(self._registry.target(pod, Service.BLOCK_STORAGE))
        present = await complete(client, holding.body, deadline)
        agrees = _is_copy(present, wanted) if is_ours else _is_alike(present, wanted)
        routing = replace(
            _routing(pod, Kind.VOLUME_TYPE, text(central, "id"), holding),
            details={"name": present.name, "is_ours": is_ours},
            revision=wanted.digest if agrees else "",
        )
        return Fact(routing=routing, job=None if agrees else JobType.VOLUME_TYPE)

    async def keypairs(self, pod: Pod, users: Collection[str], deadline: Deadline) -> list[Fact]:
        """The key pairs of these users that the pod has as the centre has them. A user that nobody knows has none."""
        pods_nova = self._compute(pod, _KEYPAIR_VERSION)

        async def of(user_id: str) -> list[Fact]:
            central = await self._central_pairs(user_id, deadline)
            present = await _pairs(pods_nova, user_id, deadline) if central else {}
            same = [name for name in present if name in central and _digest(present, name) == _digest(central, name)]
            return [_pair(pod, user_id, name, present[name]) for name in same]

        found = await at_once([of(user_id) for user_id in sorted(users)], limit=_AT_ONCE)
        return [fact for facts in found for fact in facts]

    async def _central_pairs(self, user_id: str, deadline: Deadline) -> dict[str, Body]:
        """Remembered, since every pod is compared with the same."""
        if user_id not in self._pairs:
            self._pairs[user_id] = await _pairs(self._centre.client(Service.COMPUTE), user_id, deadline)
        return self._pairs[user_id]

    def _compute(self, pod: Pod, version: str) -> ServiceClient:
        target = self._registry.target(pod, Service.COMPUTE)
        return self._clients.as_service(target, spoken(pod, Service.COMPUTE, version))


async def _pairs(client: ServiceClient, user_id: str, deadline: Deadline) -> dict[str, Body]:
    found = await collect(client, "/v2.1/os-keypairs", "keypairs", deadline, {"user_id": user_id})
    pairs = [item["keypair"] for item in found if isinstance(item.get("keypair"), dict)]
    return {text(pair, "name"): pair for pair in pairs if isinstance(pair, dict)}


def _digest(pairs: Mapping[str, Body], name: str) -> str:
    return keypairs.digest(pairs[name])


def _pair(pod: Pod, user_id: str, name: str, pair: Body) -> Fact:
    return Fact(
        routing=Routing(
            id=0,
            central_id=keypairs.routing_id(user_id, name),
            kind=Kind.KEYPAIR,
            pod_id=pod.id,
            project_id=ANYBODY,
            pod_resource_id=name,
            revision=keypairs.digest(pair),
        )
    )


def _routing(pod: Pod, kind: Kind, central_id: str, holding: Holding) -> Routing:
    return Routing(
        id=0,
        central_id=central_id,
        kind=kind,
        pod_id=pod.id,
        project_id=(holding.project_id or ANYBODY) if kind is Kind.SERVER_GROUP else ANYBODY,
        pod_resource_id=holding.pod_resource_id,
        created_at=holding.created_at,
    )


def _is_copy(present: Content, wanted: Content) -> bool:
    """Whether a copy of ours consists of what is wanted; its QoS spec has a name of its own."""
    is_named = present.name in (wanted.name, PREFIX + wanted.name)
    if not is_named or present.specs != wanted.specs or present.encryption != wanted.encryption:
        return False
    mine, theirs = present.qos, wanted.qos
    if mine is None or theirs is None:
        return mine is theirs
    has_name = mine.name == QOS_PREFIX + theirs.id
    return has_name and (mine.consumer, mine.specs) == (theirs.consumer, theirs.specs)


def _is_alike(present: Content, wanted: Content) -> bool:
    """Whether a pod's own type serves in place of a copy, see ``copies/volume_types.py``."""
    if wanted.name == DEFAULT_TYPE:
        return present.encryption == wanted.encryption
    return present.is_like(wanted)
