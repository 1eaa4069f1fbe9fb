# SPDX-License-Identifier: Apache-2.0
"""A centre and two pods in memory behind the compute door: verified fake services, our real road, ledger and copies.

Only the copies of ports are made by a stand-in: how networks come to be in a pod is not the door's business.
"""

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tricircle.app.compute import StorageMakers, compute_door
from tricircle.conf.load import load
from tricircle.conf.settings import CentralSettings, ConsoleSettings, DatabaseSettings, GatewaySettings
from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.copies.ensure import Ensure
from tricircle.copies.flavors import Flavors
from tricircle.copies.image.homes import ImageHomes
from tricircle.copies.image.images import Images
from tricircle.copies.keypairs import Keypairs
from tricircle.copies.owner import Owner
from tricircle.copies.reach import Reach
from tricircle.copies.server_groups import ServerGroups
from tricircle.copies.vanished import Vanished
from tricircle.doors.compute.servers.server_views import FAULT
from tricircle.errors import NotFoundError, OutcomeUnknownError, TricircleError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.http.policy.enforcer import Enforcer
from tricircle.jobs.queue import Queue
from tricircle.ledger.consoles import Consoles
from tricircle.ledger.leases import Leases
from tricircle.ledger.positions import Positions
from tricircle.ledger.reservations import Reservations
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.bindings import Bindings
from tricircle.pods.capacity import Capacity
from tricircle.pods.health import Health
from tricircle.pods.registry import Registry
from tricircle.pods.selection import Selection
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door
from tricircle.road.forward import Forwarder
from tricircle.road.means import Means
from tricircle.road.path import canonical
from tricircle.road.route import Locator
from tricircle.road.table import DoorTable, Match
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.store.tables import metadata
from tricircle.testing.identities import Identities
from tricircle.testing.pods import PREFIXES, FakePod
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.reply import Call, Reply, Target

PUBLIC = "https://cloud.example"
CONSOLES = "https://consoles.example"
IMAGE = "11111111-2222-3333-4444-555555555555"


@dataclass
class Wires:
    """Connections to the fakes, in memory, that can be cut.

    :ivar cut: (pod id or "central", service) that cannot be reached
    :ivar deaf: asked for every call; True: it is carried out, but no answer comes
    """

    apps: dict[str, FakePod]
    cut: set[tuple[str, Service]] = field(default_factory=set)
    deaf: Callable[[Target, Call], bool] = lambda _target, _call: False
    calls: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    def is_open(self, target: Target) -> bool:
        return False

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        assert deadline.remaining_s() > 0
        if (target.pod, target.service) in self.cut:
            raise UnavailableError("A service behind this API cannot be reached. Please try again later.")
        body = call.body if isinstance(call.body, bytes) else b""
        self.calls.append((target.pod, call.method, call.path, body))
        reply = await self._exchange(target, call, body)
        if self.deaf(target, call):
            raise OutcomeUnknownError("no answer")
        return reply

    def sent(self, pod: str, method: str, path: str) -> list[dict[str, Any]]:
        """Bodies of calls to one path (query left out)."""
        return [
            msgspec.json.decode(body or b"{}")
            for to, verb, where, body in self.calls
            if (to, verb, where.partition("?")[0]) == (pod, method, path)
        ]

    async def _exchange(self, target: Target, call: Call, body: bytes) -> Reply:
        path, _, query = call.path.partition("?")
        scope = {
            "type": "http",
            "method": call.method,
            "path": PREFIXES[target.service] + canonical(path).text.replace("%2F", "/"),
            "query_string": query.encode(),
            "headers": [(b"host", urlsplit(target.url).netloc.encode()), *call.headers],
            "scheme": "http",
        }
        started: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Mapping[str, Any]) -> None:
            started.update(event) if event["type"] == "http.response.start" else parts.append(event.get("body", b""))

        await self.apps[target.pod](scope, receive, send)
        headers = [pair for pair in started["headers"] if pair[0] != b"content-length"]
        return Reply(status=started["status"], headers=headers, body=b"".join(parts))


class Token:
    """The service user's token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, deadline: Deadline) -> str:
        return self._token


class PortStandIn:
    """Makes ports in the fake pods, on a network that it makes for each central one."""

    def __init__(self, apps: dict[str, FakePod], routings: Routings) -> None:
        self.apps = apps
        self.routings = routings
        self.fails: UnavailableError | None = None
        #: What the pod cannot have, known before anything is made there.
        self.refuses: TricircleError | None = None

    async def check(self, pod: Pod, port: Mapping[str, Any], *, deadline: Deadline) -> None:
        if self.refuses is not None:
            raise self.refuses

    async def ensure(
        self, pod: Pod, port: Mapping[str, Any], *, details: Mapping[str, object] | None = None, deadline: Deadline
    ) -> Routing:
        if self.fails is not None:
            raise self.fails
        neutron = self.apps[pod.id].neutron
        network = self._network(pod, port["network_id"])
        made = neutron._store(
            "ports",
            {
                **port,
                "id": copy_id(pod, port["id"]),
                "network_id": network,
                "device_id": "",
                "device_owner": "",
                "description": f"tricircle:{port['id']}",
                "security_groups": [neutron.default_group(port["project_id"])["id"]],
                "_number": 0,
            },
        )
        return await self._record(Kind.PORT, port["id"], pod, made["id"], port["project_id"], details)

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        copy = await self.routings.copy_in(Kind.PORT, port_id, pod.id)
        if copy is not None:
            self.apps[pod.id].neutron.resources["ports"].pop(str(copy.pod_resource_id), None)
            await self.routings.forget(copy.id)

    def _network(self, pod: Pod, network_id: str) -> str:
        central = self.apps["central"].neutron.resources["networks"][network_id]
        made = copy_id(pod, network_id)
        networks = self.apps[pod.id].neutron.resources["networks"]
        networks.setdefault(made, {**central, "id": made})
        return made

    async def _record(
        self, kind: Kind, central_id: str, pod: Pod, pod_id: str, project_id: str, details: Mapping[str, object] | None
    ) -> Routing:
        leases = Leases(self.routings._engine)
        lease = await leases.take(kind, central_id, pod.id, ProjectId(project_id), owner="t", ttl_s=30)
        assert not isinstance(lease, Routing)
        assert lease is not None
        return await leases.bind(lease, pod_id, revision="1", details=details or {})


class GroupStandIn:
    """Makes groups in the fake pods."""

    def __init__(self, apps: dict[str, FakePod], ports: PortStandIn) -> None:
        self.apps = apps
        self.ports = ports

    async def ensure(self, pod: Pod, group_id: str, project_id: ProjectId, *, deadline: Deadline) -> Routing:
        known = await self.ports.routings.copy_in(Kind.SECURITY_GROUP, group_id, pod.id)
        if known is not None:
            return known
        central = self.apps["central"].neutron.resources["security_groups"][group_id]
        name = f"tricircle-{group_id}" if central["name"] == "default" else central["name"]
        made = self.apps[pod.id].neutron._store(
            "security_groups", {**central, "id": copy_id(pod, group_id), "name": name}
        )
        return await self.ports._record(Kind.SECURITY_GROUP, group_id, pod, made["id"], central["project_id"], None)


def copy_id(pod: Pod, central_id: str) -> str:
    """The id of a stand-in's copy."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{pod.id}/{central_id}"))


class NoVolumeTypes:
    async def ensure(self, pod: Pod, volume_type: Mapping[str, object], deadline: Deadline) -> str:
        return str(volume_type["name"])

    async def ensure_default(
        self, pod: Pod, context: RequestContext, volume_type: Mapping[str, object], deadline: Deadline
    ) -> None:
        """Pods have the centre's default."""


class Cloud:
    """Everything together. Calls go in as a client makes them, answers come out as it gets them."""

    def __init__(self, engine: Engine, apps: dict[str, FakePod], identities: Identities) -> None:
        self.engine = engine
        self.apps = apps
        self.identities = identities
        self.wires = Wires(apps)
        self.storage_asked: list[tuple[str, Any]] = []
        central = CentralSettings(
            compute_url="http://central/compute",
            block_storage_url="http://central/volume",
            image_url="http://central/image",
            network_url="http://central/network",
            identity_url="http://central/identity",
        )
        self.registry = Registry(engine, central)
        self.clients = Clients(self.wires, Token(identities.sign_in("tricircle", "pw", "service")))  # type: ignore[arg-type]
        self.routings = Routings(engine)
        self.queue = Queue(engine)
        self.ports = PortStandIn(apps, self.routings)
        self.console = ConsoleSettings(public_endpoint=CONSOLES, spice_direct_endpoint="https://spice.example/nova")
        self.consoles = Consoles(engine, ttl_s=600.0)
        self.door = self._door()
        self._table = DoorTable(
            self.door.rows, versions=self.door.versions, root_rows=self.door.root_rows, is_project_optional=True
        )

    def _door(self) -> Door:
        leases = Leases(self.engine)
        self.reach = Reach(
            ensure=Ensure(leases, self.routings),
            leases=leases,
            routings=self.routings,
            registry=self.registry,
            clients=self.clients,
            central=Central(self.clients, self.registry.central),
            queue=self.queue,
            owner=Owner(),
        )
        means = Means(
            pods=self.registry,
            routings=self.routings,
            positions=Positions(self.engine),
            jobs=self.queue,  # type: ignore[arg-type]
            locator=Locator(self.wires, self.registry, self.routings, deadline_s=5),
            list_deadline_s=5,
        )
        forwarder = Forwarder(
            self.wires,
            service=Service.COMPUTE,
            base=PUBLIC + "/compute",
            identity_url=PUBLIC + "/identity",
        )
        self.carrier = Carrier(
            means,
            forwarder,
            door_name="compute",
            service=Service.COMPUTE,
            base=PUBLIC + "/compute",
            fault_shape=FAULT,
        )
        self.bindings = Bindings(self.engine, self.clients, self.registry)
        health = Health(self.wires, self.registry)  # type: ignore[arg-type]
        selection = Selection(self.registry, self.bindings, health, Capacity(self.clients, self.registry))
        copies = SimpleNamespace(
            flavors=Flavors(self.reach),
            keypairs=Keypairs(self.reach),
            server_groups=ServerGroups(self.reach),
            volume_types=NoVolumeTypes(),
            images=Images(self.reach),
            image_homes=ImageHomes(self.reach),
            vanished=Vanished(self.reach),
            ports=self.ports,
            trunks=self.ports,
            groups=GroupStandIn(self.apps, self.ports),
        )
        image_base = PUBLIC + "/image/v2"
        return compute_door(
            self._rooms(copies),
            self.carrier,
            selection=selection,
            health=health,
            image_base=image_base,
            storage=StorageMakers(volume=self._make_volume, snapshot=self._make_snapshot),
            policies=Enforcer(load(["--config-file", os.devnull], prog="test")),
        )

    async def _make_volume(self, request: Request) -> Answer:
        """What the block-storage door does is not this door's business: who asked, and what, is kept."""
        self.storage_asked.append((request.path, await request.json()))
        made = {"id": "v1", "name": "n", "size": 1, "status": "creating", "availability_zone": "az1"}
        return Answer.json(202, {"volume": made})

    async def _make_snapshot(self, request: Request) -> Answer:
        self.storage_asked.append((request.path, await request.json()))
        return Answer.json(202, {"snapshot": {"id": "s1", "volume_id": "v1", "size": 1, "name": "n"}})

    def _rooms(self, copies: SimpleNamespace) -> Any:
        """What the door takes of a process's rooms."""
        return SimpleNamespace(
            clients=self.clients,
            registry=self.registry,
            routings=self.routings,
            queue=self.queue,
            bindings=self.bindings,
            reservations=Reservations(self.engine),
            copies=copies,
            consoles=self.consoles,
            settings=SimpleNamespace(gateway=GatewaySettings(), console=self.console),
        )

    def context(self, user: str = "demo", project: str = "demo") -> RequestContext:
        """A user as Keystone would identify him."""
        token = self.identities.sign_in(user, "pw", project)
        who = self.identities.of(token)
        assert who is not None
        return RequestContext(
            request_id="req-1",
            token=token,
            user_id=who.user_id,
            project_id=ProjectId(who.project_id),
            roles=who.roles,
            deadline=Deadline.after(30),
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        context: RequestContext | None = None,
        version: str = "2.90",
        root: str = "/v2.1",
        raw: bytes | None = None,
    ) -> Answer:
        """One call at the door; raises what the road would turn into an error."""
        where, _, query = path.partition("?")
        context = context or self.context()
        split = self._table.split(canonical(root + where))
        match = self._table.match(method, split)
        assert isinstance(match, Match), f"no row for {method} {path}"
        major, minor = version.split(".")
        found = match.at((int(major), int(minor)))
        assert found is not None, f"no row for {method} {path} at {version}"
        row, params = found
        data = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": data, "more_body": False}

        request = Request(
            method=method,
            path=root + where,
            query=query.encode(),
            headers=[(b"x-auth-token", context.token.encode()), (b"content-type", b"application/json")],
            receive=receive,
            body_limit=100_000,
            context=context,
            root=root,
            params=params,
            microversion=(int(major), int(minor)),
        )
        if row.handler is not None:
            return await row.handler(request)
        does = {
            "route": self.carrier.route,
            "gather": self.carrier.gather,
            "declare": self.carrier.declare,
        }
        if row.behaviour.value in does:
            return await does[row.behaviour.value](request, row)
        return await self.carrier.central(request)

    async def jobs(self) -> list[tuple[JobType, str, str]]:
        """(type, resource, pod) of all that is filed, due or not."""
        async with transaction(self.engine) as connection:
            rows = await connection.exec_driver_sql("SELECT type, resource_id, pod_id FROM tricircle_jobs ORDER BY id")
            return [(JobType(row[0]), row[1], row[2]) for row in rows]

    async def projects_of_jobs(self, resource_id: str) -> set[str]:
        """For which projects jobs of a resource are filed."""
        async with transaction(self.engine) as connection:
            rows = await connection.exec_driver_sql(
                "SELECT project_id FROM tricircle_jobs WHERE resource_id = ?", (resource_id,)
            )
            return {str(row[0]) for row in rows}

    # What tests put into the centre.

    def flavor(self, flavor_id: str = "m1", **fields: object) -> dict[str, Any]:
        """A flavor at the centre."""
        made = _flavor(flavor_id, **fields)
        self.apps["central"].nova.flavors.stored[flavor_id] = made
        return made

    def network(self, project_id: str, name: str = "net1", *, cidr: str = "10.0.0.0/24", **fields: object) -> str:
        """A network with a subnet at the centre; its id."""
        neutron = self.apps["central"].neutron
        network = neutron._store("networks", {**neutron._network({"name": name}, project_id), "project_id": project_id,
                                              **fields})  # fmt: skip
        if cidr:
            wanted = {"network_id": network["id"], "cidr": cidr, "ip_version": 4}
            neutron._store("subnets", {**neutron._subnet(wanted, project_id), "project_id": project_id})
        return str(network["id"])

    def central_ports(self) -> list[dict[str, Any]]:
        """All ports at the centre."""
        return list(self.apps["central"].neutron.resources["ports"].values())

    def pod_ports(self, pod: str) -> list[dict[str, Any]]:
        """All ports in a pod."""
        return list(self.apps[pod].neutron.resources["ports"].values())


def _flavor(flavor_id: str, **fields: object) -> dict[str, Any]:
    return {
        "id": flavor_id, "name": flavor_id, "ram": 64, "vcpus": 1, "disk": 1, "swap": 0, "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0, "description": None, "_specs": {}, "_projects": set(), "_public": True,
        "_number": 1, **fields,
    }  # fmt: skip


async def cloud(tmp_path: Path) -> Cloud:
    """A centre and two pods, with the users demo, alt and admin."""
    identities = Identities()
    identities.add_user("demo", "pw", {"demo": ["member", "reader"]})
    identities.add_user("alt", "pw", {"alt": ["member", "reader"]})
    identities.add_user("admin", "pw", {"admin": ["admin"], "demo": ["admin"]})
    identities.add_user("tricircle", "pw", {"service": ["admin", "service"]})
    central = FakePod("RegionOne", identities)
    central.nova.is_hostless = True
    apps = {"central": central}
    for number in ("1", "2"):
        apps[f"pod{number}"] = FakePod(f"Pod{number}", identities, zone=f"canary-{number}", glance=central.glance)
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path / 'cloud.db'}"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
        for number in ("1", "2"):
            endpoints = {
                service: Endpoint(service=service, url=f"http://pod{number}/{service}", max_version=highest)
                for service, highest in (
                    (Service.COMPUTE, "2.104"),
                    (Service.BLOCK_STORAGE, "3.71"),
                    (Service.NETWORK, None),
                    (Service.IMAGE, None),
                )
            }
            await PodRows.insert(
                connection,
                Pod(id=PodId(f"pod{number}"), name=f"Pod{number}", az_name=f"az{number}", endpoints=endpoints),
            )
    return Cloud(engine, apps, identities)


def json_of(answer: Answer) -> Any:
    """The body of an answer."""
    assert isinstance(answer.body, bytes)
    return msgspec.json.decode(answer.body)


__all__ = ["IMAGE", "PUBLIC", "Cloud", "NotFoundError", "cloud", "json_of"]
