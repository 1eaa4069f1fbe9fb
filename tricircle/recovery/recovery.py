# SPDX-License-Identifier: Apache-2.0
"""How is everything known again that pods hold, after our tables were lost or fell behind?

Pods are asked, the centre is asked, and rows are written that say what both say. Nothing is changed in a pod. What
cannot be read completely removes no row. Every step may be repeated; an interruption costs what was not written yet.

Pods go at the same time, and in each of them: networks with what belongs to them, then what runs there, then what it
was made of. Subnets wait for those of all pods, since only together they say where a subnet is at home.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tricircle.audit.findings import Holding, Part
from tricircle.audit.inventory import OWNED, Inventory
from tricircle.context import Deadline, PodId
from tricircle.copies.bodies import text
from tricircle.copies.server_ports import PERHAPS_CLAIMED
from tricircle.copies.shares import ACTION, EVERYBODY, LENDABLE
from tricircle.errors import TricircleError
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.recovery import recoverable
from tricircle.recovery.adopted import Adopted, adopted
from tricircle.recovery.at_once import at_once
from tricircle.recovery.bindings import BindingRecovery
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Centre, Declared
from tricircle.recovery.facts import Fact, Sorted, owned
from tricircle.recovery.holds import holds, leftovers
from tricircle.recovery.images import ImageCopies
from tricircle.recovery.importing import Importer
from tricircle.recovery.kinds import Kinds, groups_of_servers, of_flavors
from tricircle.recovery.record_keeper import RecordKeeper
from tricircle.recovery.report import Report
from tricircle.recovery.servers import memberships, server
from tricircle.recovery.slices import SliceRecovery

#: Seconds for one list of one pod, all pages.
_LIST_S = 900.0
_PODS_AT_ONCE = 4
#: Rows that are written while a long list is still being read.
_PORTION = 1000
_NETWORKING = (Kind.QOS_POLICY, Kind.NETWORK, Kind.SUBNET, Kind.SECURITY_GROUP, Kind.ADDRESS_GROUP)
_SHARED = {lendable.object_type for lendable in LENDABLE.values()}
#: Copies that only a project that used the pod has there.
_BINDING = (Kind.PORT, Kind.SECURITY_GROUP, Kind.SERVER_GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a recovery works with.

    :ivar before: what was changed at the centre later may be the work of a request that is under way
    """

    inventory: Inventory
    centre: Centre
    kinds: Kinds
    images: ImageCopies
    keeper: RecordKeeper
    bindings: BindingRecovery
    importer: Importer
    slices: SliceRecovery
    report: Report
    before: datetime


Work = Callable[[Contents], Awaitable[None]]


class Recovery:
    """Recovers what pods hold."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._report = means.report
        self._keeper = means.keeper

    async def run(self, pods: Sequence[Pod], users: Iterable[str]) -> None:
        """Everything in these pods.

        :param users: whose key pairs to look for, beside those of servers' owners
        :raises TricircleError: the centre cannot be read, or the database does not answer
        """
        self._report.progress("centre: reading what is declared")
        declared = await self._means.centre.declared(Deadline.after(_LIST_S))
        zones = recoverable.asked_zones(declared)
        read = [Contents(pod) for pod in pods]
        await _each(read, self._read)
        await _each(read, lambda contents: self._owned(contents, zones))
        declared = await self._means.importer.run(read, declared)
        declared = await self._means.slices.run(read, declared)
        await _each(read, lambda contents: self._networks(contents, declared))
        home = recoverable.homes(((contents.pod, contents.lists.get(Kind.SUBNET, ())) for contents in read), declared)
        await _each(read, lambda contents: self._ports(contents, declared, home))
        await _each(read, lambda contents: self._hold(contents, declared))
        await self._claims(read, declared)
        await _each(read, lambda contents: self._kinds(contents, declared))
        await self._keypairs(read, users)
        bind, owner_id = self._means.bindings.run, declared.owner_id
        await _each(read, lambda contents: bind(contents.pod, contents.projects, owner_id=owner_id))

    async def _read(self, contents: Contents) -> None:
        """What networks consist of, with all ports, and groups, of which servers are members."""
        for kind in (*_NETWORKING, Kind.PORT, Kind.TRUNK, Part.RBAC_POLICY, Kind.SERVER_GROUP):
            await self._listed(contents, kind)

    async def _listed(self, contents: Contents, kind: Kind | Part) -> Sequence[Holding] | None:
        """All objects of a kind, remembered; None when they cannot be read, which is said."""
        self._report.progress(f"{contents.pod.name}: {kind}")
        try:
            found = [
                one async for one in self._means.inventory.each(contents.pod, kind, deadline=Deadline.after(_LIST_S))
            ]
        except TricircleError as error:
            self._unread(contents, kind, error)
            return None
        contents.lists[kind] = found
        return found

    def _unread(self, contents: Contents, kind: Kind | Part, error: TricircleError) -> None:
        self._report.problem(
            f"Pod {contents.pod.name}: what it holds of {kind} could not be read: {error.__cause__ or error}",
            "Mend the pod, and run this again. What was written down of it before stays as it was.",
        )

    async def _owned(self, contents: Contents, zones: Mapping[str, str]) -> None:
        for kind in OWNED:
            await self._owned_kind(contents, kind, zones)

    async def _owned_kind(self, contents: Contents, kind: Kind, zones: Mapping[str, str]) -> None:
        """Write what runs while it is read: of these lists only ids are kept."""
        seen: set[str] = set()
        portion: list[Fact] = []
        groups = memberships(contents.lists[Kind.SERVER_GROUP]) if contents.has(Kind.SERVER_GROUP) else None
        self._report.progress(f"{contents.pod.name}: {kind}")
        try:
            async for one in self._means.inventory.each(contents.pod, kind, deadline=Deadline.after(_LIST_S)):
                seen.add(one.pod_resource_id)
                learnt = contents.learn(one)
                if kind is Kind.SERVER:
                    portion.append(server(contents.pod, learnt, zones.get(one.pod_resource_id), groups))
                else:
                    portion.append(owned(contents.pod, kind, learnt))
                if len(portion) == _PORTION:
                    await self._keeper.put(contents.pod, kind, portion)
                    self._report.progress(f"{contents.pod.name}: {kind}, {len(seen)} so far")
                    portion = []
        except TricircleError as error:
            self._unread(contents, kind, error)
            await self._keeper.put(contents.pod, kind, portion)
            return
        await self._keeper.put(contents.pod, kind, portion)
        if self._means.inventory.holds(contents.pod, kind):
            await self._keeper.prune(contents.pod, kind, known=seen, there=seen)
        if kind is Kind.SERVER:
            contents.servers = frozenset(seen)

    async def _networks(self, contents: Contents, declared: Declared) -> None:
        """QoS policies, networks and security groups."""
        pod, lists = contents.pod, contents.lists
        if contents.has(Kind.QOS_POLICY):
            policies = recoverable.policies(pod, lists[Kind.QOS_POLICY], declared)
            await self._settle(contents, Kind.QOS_POLICY, policies)
        shares = shares_of(lists[Part.RBAC_POLICY]) if contents.has(Part.RBAC_POLICY) else {}
        if contents.has(Kind.NETWORK, Part.RBAC_POLICY):
            copied = _routings_of(contents, Kind.QOS_POLICY)
            networks = recoverable.networks(pod, lists[Kind.NETWORK], shares, declared, copied)
            networks.facts.update(self._adopted(contents, declared).networks)
            await self._settle(contents, Kind.NETWORK, networks)
        if contents.has(Kind.SECURITY_GROUP, Kind.ADDRESS_GROUP):
            remotes = recoverable.address_groups(pod, lists[Kind.ADDRESS_GROUP], declared)
            await self._settle(contents, Kind.ADDRESS_GROUP, remotes)
            groups = recoverable.groups(pod, lists[Kind.SECURITY_GROUP], declared, remotes, shares)
            await self._settle(contents, Kind.SECURITY_GROUP, groups)

    def _adopted(self, contents: Contents, declared: Declared) -> Adopted:
        if not contents.has(Kind.SUBNET):
            return Adopted()
        found = adopted(contents, declared)
        for pod_network_id in found.gone:
            self._report.note(
                f"Pod {contents.pod.name}: network {pod_network_id} had been adopted and is not there any more. Its "
                "addresses stay kept at the centre: delete the ports that keep them when the pod uses none."
            )
        return found

    async def _ports(self, contents: Contents, declared: Declared, home: Mapping[str, PodId]) -> None:
        """Subnets, ports, and ends of servers that nobody noticed."""
        pod, lists, made = contents.pod, contents.lists, contents.made
        if Kind.NETWORK not in made or Kind.SECURITY_GROUP not in made:
            return
        if contents.has(Kind.SUBNET):
            subnets = recoverable.subnets(pod, lists[Kind.SUBNET], made[Kind.NETWORK], declared, home)
            subnets.facts.update(adopted(contents, declared).subnets)
            await self._settle(contents, Kind.SUBNET, subnets)
        if contents.has(Kind.SUBNET, Kind.PORT):
            policies = _routings_of(contents, Kind.QOS_POLICY)
            copies = recoverable.Copies(made[Kind.NETWORK], made[Kind.SUBNET], made[Kind.SECURITY_GROUP], policies)
            ports = recoverable.ports(pod, lists[Kind.PORT], copies, declared)
            await self._settle(contents, Kind.PORT, ports)
            if contents.has(Kind.TRUNK):
                await self._settle(contents, Kind.TRUNK, recoverable.trunks(pod, lists[Kind.TRUNK], ports, declared))
            if contents.servers is not None:
                for server_id, project in recoverable.lost_ends(pod, contents.servers, ports, declared).items():
                    await self._keeper.file(pod, JobType.SERVER_PORTS, server_id, project, dict(PERHAPS_CLAIMED))

    async def _claims(self, read: Sequence[Contents], declared: Declared) -> None:
        """Ports that a boot made and never bound. They are in no pod: the job of any finds that out."""
        for claim, project in recoverable.lost_claims(declared, self._means.before).items() if read else ():
            await self._keeper.file(read[0].pod, JobType.SERVER_PORTS, claim, project, dict(PERHAPS_CLAIMED))

    async def _hold(self, contents: Contents, declared: Declared) -> None:
        """Copies that nobody needs, and identifiers that nobody may be given."""
        if not contents.has(Kind.NETWORK, Kind.SUBNET, Kind.PORT):
            return
        for kind, fact in leftovers(contents, declared):
            await self._keeper.put(contents.pod, kind, [fact])
            self._report.note(
                f"Pod {contents.pod.name}: no server uses {kind} {fact.routing.pod_resource_id}, and the centre does "
                "not know it: the next sweep removes it."
            )
        await self._keeper.hold(contents.pod, list(holds(contents, declared)))

    async def _kinds(self, contents: Contents, declared: Declared) -> None:
        """Server groups, flavors, volume types and images."""
        deadline, kinds, pod = Deadline.after(_LIST_S), self._means.kinds, contents.pod
        if contents.has(Kind.SERVER_GROUP):
            groups = groups_of_servers(pod, contents.lists[Kind.SERVER_GROUP], declared)
            await self._settle(contents, Kind.SERVER_GROUP, groups)
        try:
            if (found := await self._listed(contents, Kind.FLAVOR)) is not None:
                access = await kinds.access(pod, found, deadline)
                await self._settle(contents, Kind.FLAVOR, of_flavors(pod, found, access, contents.flavors, declared))
            if (found := await self._listed(contents, Kind.VOLUME_TYPE)) is not None:
                types = await kinds.volume_types(pod, found, contents.types, declared, deadline)
                await self._settle(contents, Kind.VOLUME_TYPE, types)
        except TricircleError as error:
            self._unread(contents, Kind.VOLUME_TYPE if Kind.FLAVOR in contents.made else Kind.FLAVOR, error)
        await self._images(contents)

    async def _images(self, contents: Contents) -> None:
        """Images, where the pod has a Glance of its own."""
        if not self._means.images.are_in(contents.pod):
            return
        try:
            if (found := await self._listed(contents, Kind.IMAGE)) is not None:
                images = await self._means.images.found(contents.pod, found, Deadline.after(_LIST_S))
                await self._settle(contents, Kind.IMAGE, images)
        except TricircleError as error:
            self._unread(contents, Kind.IMAGE, error)

    async def _keypairs(self, pods: Sequence[Contents], users: Iterable[str]) -> None:
        """Key pairs, which no list of a pod shows without their user. Those of users that are not known stay written
        down."""
        asked = set(users).union(*(contents.users for contents in pods))
        self._report.progress(f"keypair: asking for those of {len(asked)} users")
        for contents in pods:
            try:
                pairs = await self._means.kinds.keypairs(contents.pod, asked, Deadline.after(_LIST_S))
            except TricircleError as error:
                self._unread(contents, Kind.KEYPAIR, error)
                continue
            await self._keeper.put(contents.pod, Kind.KEYPAIR, pairs)

    async def _settle(self, contents: Contents, kind: Kind, found: Sorted) -> None:
        """Write what was found, remove what was not, and name the strangers."""
        contents.made[kind] = found
        contents.projects |= {fact.routing.project_id for fact in found.facts.values() if kind in _BINDING}
        await self._keeper.put(contents.pod, kind, found.facts.values())
        strange = {str(one.holding.central_id) for one in found.strangers}
        # An object is the copy of one original: a row that binds it to another one goes.
        copies = {fact.routing.pod_resource_id for fact in found.facts.values()}
        there = {one.pod_resource_id for one in contents.lists[kind]} - copies
        await self._keeper.prune(contents.pod, kind, known=strange | found.facts.keys(), there=there)
        for one in found.strangers:
            self._report.note(
                f"Pod {contents.pod.name}: {kind} {one.holding.pod_resource_id} bears the mark of "
                f"{one.holding.central_id}, but {one.why}."
            )


async def _each(pods: Sequence[Contents], work: Work) -> None:
    """Do it for every pod, some at the same time."""
    await at_once([work(contents) for contents in pods], limit=_PODS_AT_ONCE)


def _routings_of(contents: Contents, kind: Kind) -> Mapping[str, Routing]:
    """The copies that were found, by central id; none of a kind that could not be read."""
    return contents.made[kind].routings() if kind in contents.made else {}


def shares_of(policies: Iterable[Holding]) -> dict[str, frozenset[str]]:
    """The projects that each network and security group of a pod is shared with, by its id there."""
    found: dict[str, frozenset[str]] = {}
    for policy in policies:
        body = policy.body
        target = text(body, "target_tenant")
        is_share = body.get("object_type") in _SHARED and body.get("action") == ACTION
        if is_share and target != EVERYBODY:
            object_id = text(body, "object_id")
            found[object_id] = found.get(object_id, frozenset()) | {target}
    return found
