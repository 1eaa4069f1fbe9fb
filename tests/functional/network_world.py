# SPDX-License-Identifier: Apache-2.0
"""The real centre and two real pods, as tests of networking see them.

Everything of ours runs inside the test (copies, ledger, a worker); Keystone, the central Neutron with our drivers, the
pods' Neutrons and MariaDB are those of the running lab.
"""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
import sqlalchemy as sa

from tests.functional.region_world import PATIENCE
from tricircle.conf.load import load
from tricircle.conf.settings import Settings
from tricircle.context import Deadline, PodId
from tricircle.copies import address_groups, qos_policies, trunks
from tricircle.copies.address_groups import AddressGroups
from tricircle.copies.addresses import Addresses
from tricircle.copies.ensure import Ensure
from tricircle.copies.networks import Networks
from tricircle.copies.owner import Owner
from tricircle.copies.ports import Ports
from tricircle.copies.qos_policies import QosPolicies
from tricircle.copies.reach import Reach
from tricircle.copies.remote_groups import RemoteGroups
from tricircle.copies.security_groups import SecurityGroups
from tricircle.copies.server_ports import ServerPorts
from tricircle.copies.statuses import Statuses
from tricircle.copies.subnets import Subnets
from tricircle.copies.trunks import Trunks
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import Worker
from tricircle.keystone.session import ServiceTokens
from tricircle.ledger.leases import Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.pods.registry import Registry
from tricircle.store import tables
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools

Json = dict[str, object]

#: Another lab than the one in this tree.
CONF = Path(os.environ.get("TRICIRCLE_LAB_CONF", ".lab/etc/tricircle.conf"))
PASSWORD = "labpw"
PODS = {"Pod1": "az1", "Pod2": "az2"}
_OFFSETS = {Service.NETWORK: 696, Service.COMPUTE: 774, Service.IMAGE: 292}


class Rest:
    """One user at one Neutron (or Nova), with plain requests: the tenant's side of the story."""

    def __init__(self, keystone: str, url: str, user: str, project: str) -> None:
        self._keystone, self._url, self._user, self._project = keystone, url, user, project
        self._session = requests.Session()
        self._session.trust_env = False
        self._token: str | None = None

    def __call__(self, method: str, path: str, body: object = None, **params: object) -> tuple[int, Json]:
        """Status and JSON of one call."""
        if self._token is None:
            self._token = self._sign_in()
        answer = self._session.request(
            method,
            self._url + path,
            json=body,
            params=params,
            headers={"X-Auth-Token": self._token},
            timeout=60 * PATIENCE,
        )
        return answer.status_code, answer.json() if answer.content else {}

    def make(self, collection: str, member: str, **values: object) -> Json:
        """A new object, which must be accepted."""
        status, answer = self("POST", f"/{collection}", {member: values})
        assert status in (200, 201, 202), answer
        return answer[member]

    def show(self, collection: str, member: str, object_id: object) -> Json | None:
        """An object, or None when it is not there."""
        status, answer = self("GET", f"/{collection}/{object_id}")
        assert status in (200, 404), answer
        return answer[member] if status == 200 else None

    def list(self, collection: str, member: str | None = None, **filters: object) -> list[Json]:
        """All that match."""
        status, answer = self("GET", f"/{collection}", **filters)
        assert status == 200, answer
        return answer[member or collection.replace("-", "_")]

    def change(self, collection: str, member: str, object_id: object, **values: object) -> Json:
        """A change, which must be accepted."""
        status, answer = self("PUT", f"/{collection}/{object_id}", {member: values})
        assert status == 200, answer
        return answer[member]

    def delete(self, collection: str, object_id: object) -> int:
        """The status of a deletion."""
        return self("DELETE", f"/{collection}/{object_id}")[0]

    def upload(self, path: str, data: bytes) -> int:
        """The status of sending bytes; after any other call."""
        headers = {"X-Auth-Token": str(self._token), "Content-Type": "application/octet-stream"}
        return self._session.put(self._url + path, data=data, headers=headers, timeout=60).status_code

    def _sign_in(self) -> str:
        domain = {"id": "default"}
        user = {"name": self._user, "domain": domain, "password": PASSWORD}
        scope = {"project": {"name": self._project, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self._session.post(f"{self._keystone}/v3/auth/tokens", json=body, timeout=60)
        return answer.headers["X-Subject-Token"]


@dataclass(slots=True, kw_only=True)
class World:
    """What a test has in its hands. ``demo`` and ``alt`` are tenants at the centre."""

    settings: Settings
    reach: Reach
    networks: Networks
    subnets: Subnets
    groups: SecurityGroups
    remote_groups: RemoteGroups
    policies: QosPolicies
    trunks: Trunks
    ports: Ports
    statuses: Statuses
    server_ports: ServerPorts
    pods: list[Pod]
    demo: Rest
    alt: Rest
    service: Rest
    #: Administrators directly at the Neutron of each pod.
    inside: list[Rest]
    made: list[tuple[str, object]] = field(default_factory=list)

    @staticmethod
    def deadline(seconds: float = 60) -> Deadline:
        """Enough for a busy machine."""
        return Deadline.after(seconds * PATIENCE)

    async def call(self, function: Callable[..., object], *args: object, **kwargs: object) -> object:
        """A blocking call beside the loop."""
        return await asyncio.to_thread(function, *args, **kwargs)

    def network(self, user: Rest | None = None, **values: object) -> Json:
        """A new central network of a tenant; it is deleted when the test ends."""
        network = (user or self.demo).make("networks", "network", **{"name": f"net-{uuid.uuid4().hex[:8]}", **values})
        self.made.append(("networks", network["id"]))
        return network

    def subnet(self, network: Json, cidr: str = "10.20.0.0/24", user: Rest | None = None, **values: object) -> Json:
        """A new central subnet."""
        return (user or self.demo).make(
            "subnets", "subnet", **{"network_id": network["id"], "cidr": cidr, "ip_version": 4, **values}
        )

    def port(self, network: Json, pod: Pod, user: Rest | None = None, **values: object) -> Json:
        """A new central port, bound to a pod as the gateway does it."""
        made = (user or self.demo).make("ports", "port", **{"network_id": network["id"], **values})
        change = {"binding:host_id": pod.name, "device_id": f"claim-{uuid.uuid4()}", "device_owner": "compute:az"}
        return self.service.change("ports", "port", made["id"], **change)

    def marked(self, number: int, collection: str, central_id: object) -> list[Json]:
        """What a pod holds with the mark of a central object."""
        return self.inside[number].list(collection, description=f"tricircle:{central_id}")

    async def until(self, condition: Callable[[], object], seconds: float = 45) -> None:
        """Wait until something becomes true; the worker runs meanwhile."""
        end = time.monotonic() + seconds * PATIENCE
        while not await self.call(condition):
            assert time.monotonic() < end, "it did not come to pass"
            await asyncio.sleep(0.1)

    async def settled(self, seconds: float = 120) -> None:
        """Wait until no job of networking waits; one that met a pod that was switched off comes again in a minute."""
        ours = {JobType.NETWORK, JobType.SUBNET, JobType.PORT, JobType.SECURITY_GROUP}
        ours |= {JobType.ADDRESS_GROUP, JobType.QOS_POLICY, JobType.TRUNK}
        end = time.monotonic() + seconds * PATIENCE
        while [job for job in await self.reach.queue.waiting() if job.type in ours]:
            assert time.monotonic() < end, "jobs are left"
            await asyncio.sleep(0.1)

    def clean(self) -> None:
        """Delete what the test left at the centre."""
        for collection, object_id in reversed(self.made):
            for port in self.service.list("ports", network_id=object_id) if collection == "networks" else []:
                self.service.delete("ports", port["id"])
            self.service.delete(collection, object_id)


@asynccontextmanager
async def open_world(*, conf: Path = CONF) -> AsyncIterator[World]:
    """The world, with a worker that carries out networking's jobs as long as it is open."""
    settings = load(["--config-file", str(conf)], prog="test")
    engine = create_engine(settings.database)
    registry = Registry(engine, settings.central)
    pods, added = await _pods(engine, settings)
    pools = Pools(settings.upstream)
    clients = Clients(pools, ServiceTokens(settings))
    queue, routings, leases = Queue(engine), Routings(engine), Leases(engine)
    central = Central(clients, registry.central)
    reach = Reach(
        ensure=Ensure(leases, routings),
        leases=leases,
        routings=routings,
        registry=registry,
        clients=clients,
        central=central,
        queue=queue,
        owner=Owner(),
    )
    world = _world(settings, reach, pods)
    worker = Worker(queue, _bodies(world), settings.worker)
    running = asyncio.ensure_future(worker.run())
    try:
        yield world
        await world.call(world.clean)
        await world.settled()
    finally:
        worker.stop()
        await running
        await pools.close()
        await _forget(engine, world, added)
        await engine.dispose()


def _world(settings: Settings, reach: Reach, pods: list[Pod]) -> World:
    keystone, network = settings.central.identity_url, settings.central.network_url + "/v2.0"
    policies = QosPolicies(reach)
    networks = Networks(reach, policies)
    address_groups = AddressGroups(reach, rules_at_most=settings.networking.rules_per_remote_group)
    groups = SecurityGroups(reach, address_groups)
    subnets = Subnets(reach, Addresses(reach.central, reach.owner))
    ports = Ports(reach, networks=networks, subnets=subnets, groups=groups, policies=policies)
    return World(
        settings=settings,
        reach=reach,
        networks=networks,
        subnets=subnets,
        groups=groups,
        remote_groups=RemoteGroups(reach, address_groups, groups),
        policies=policies,
        trunks=Trunks(reach, ports),
        ports=ports,
        statuses=Statuses(reach),
        server_ports=ServerPorts(reach, ports),
        pods=pods,
        demo=Rest(keystone, network, "demo", "demo"),
        alt=Rest(keystone, network, "alt", "alt"),
        service=Rest(keystone, network, "tricircle", "service"),
        inside=[Rest(keystone, pod.endpoints[Service.NETWORK].url + "/v2.0", "admin", "admin") for pod in pods],
    )


def _bodies(world: World) -> Mapping[JobType, Callable[..., Awaitable[None]]]:
    return {
        JobType.NETWORK: world.networks.agree,
        JobType.SUBNET: world.subnets.agree,
        JobType.PORT: world.ports.agree,
        JobType.SECURITY_GROUP: world.groups.agree,
        JobType.ADDRESS_GROUP: world.remote_groups.agree,
        JobType.QOS_POLICY: world.policies.agree,
        JobType.TRUNK: world.trunks.agree,
        JobType.SERVER_PORTS: world.server_ports.agree,
        JobType.PORT_STATUS: world.statuses.agree,
    }


async def _pods(engine: Engine, settings: Settings) -> tuple[list[Pod], list[PodId]]:
    """The lab's pods; those that nobody registered yet are, for as long as the test runs."""
    base = int(settings.central.network_url.rsplit(":", 1)[1]) - _OFFSETS[Service.NETWORK]
    added: list[PodId] = []
    async with transaction(engine) as connection:
        known = {pod.name: pod for pod in await PodRows.list(connection)}
        for number, (name, az_name) in enumerate(PODS.items(), start=1):
            if name in known:
                continue
            endpoints = {
                service: Endpoint(service=service, url=f"http://127.0.0.1:{base + 1000 * number + offset}")
                for service, offset in _OFFSETS.items()
            }
            facts = {"network_extensions": [address_groups.EXTENSION, qos_policies.EXTENSION, trunks.EXTENSION]}
            pod = Pod(id=PodId(str(uuid.uuid4())), name=name, az_name=az_name, endpoints=endpoints, facts=facts)
            await PodRows.insert(connection, pod)
            added.append(pod.id)
            known[name] = pod
    return [known[name] for name in PODS], added


async def _forget(engine: Engine, world: World, added: list[PodId]) -> None:
    """Take back the registration of pods, with the copies of security groups that may stay in a pod."""
    for pod, inside in zip(world.pods, world.inside, strict=True):
        if pod.id not in added:
            continue
        for group in await world.call(inside.list, "security-groups"):
            if str(group["description"]).startswith("tricircle:"):
                await world.call(inside.delete, "security-groups", group["id"])
        for group in await world.call(inside.list, "address-groups"):
            if str(group["description"]).startswith("tricircle:"):
                await world.call(inside.delete, "address-groups", group["id"])
        async with transaction(engine) as connection:
            await connection.execute(sa.delete(tables.routings).where(tables.routings.c.pod_id == pod.id))
            await PodRows.delete(connection, pod.id)
