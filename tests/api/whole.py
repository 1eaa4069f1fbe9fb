# SPDX-License-Identifier: Apache-2.0
"""The whole gateway in one process, in front of verified fake pods on real sockets: what the doors really do.

Keystone, the centre and the pods are the fakes of ``tricircle/testing``; database, listener, doors, road, copies and
pools are ours, put together by ``tricircle.app``. The centre's fakes have none of our drivers: what happens there by
jobs is not seen here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.asgi import AsgiClient
from tricircle.app.gateway import admin, gateway
from tricircle.app.worker import worker
from tricircle.conf.load import load
from tricircle.conf.settings import Settings
from tricircle.jobs.queue import Queue
from tricircle.store.engine import create_engine
from tricircle.testing.identities import Identities
from tricircle.testing.keystone import Keystone
from tricircle.testing.listener import Listener
from tricircle.testing.pods import PREFIXES, FakePod
from tricircle.testing.service import FakeService

PUBLIC = "https://cloud.example:20080"
#: What a service's URL has behind its root in Keystone's catalog.
_BEHIND = {"compute": "/v2.1", "block-storage": "/v3/%(project_id)s"}
_CONFIG = """
[DEFAULT]
[database]
connection = {database}
[keystone_authtoken]
auth_type = password
auth_url = {keystone}/v3
username = tricircle
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
[service_user]
auth_type = password
auth_url = {keystone}/v3
username = tricircle
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
[gateway]
public_endpoint = {public}
list_deadline_s = {list_deadline_s}
request_deadline_s = {request_deadline_s}
boot_deadline_s = {request_deadline_s}
[central]
compute_url = {centre}/compute
block_storage_url = {centre}/volume
image_url = {centre}/image
network_url = {centre}/network
identity_url = {keystone}
[upstream]
connect_timeout_s = 1
breaker_failures = 3
breaker_probe_s = 0.2
[worker]
poll_s = 0.05
sweep_interval_s = 0
"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to build. ``zones``: region name -> (AZ that tenants see, AZ inside the pod, most items of a page).
    ``own_glances``: regions whose pods do not use the central Glance. ``extensions``: by region, aliases of extensions
    that its Neutron has besides."""

    zones: Mapping[str, tuple[str, str, int]] = field(
        default_factory=lambda: {"Pod1": ("az1", "nova", 1000), "Pod2": ("az2", "canary-zone-pod2", 7)}
    )
    list_deadline_s: float = 1.0
    request_deadline_s: float = 10.0
    own_glances: frozenset[str] = frozenset()
    extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The gateway and all around it. ``pods`` and ``ports`` by region name; ``anybody`` has no token."""

    doors: AsgiClient
    operators: AsgiClient
    tenant: AsgiClient
    other: AsgiClient
    admin: AsgiClient
    identities: Identities
    centre: FakePod
    pods: Mapping[str, FakePod]
    ports: Mapping[str, Listener]
    image_id: str
    settings: Settings

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker carries out jobs all the while."""
        async with worker(self.settings) as at_work:
            running = asyncio.ensure_future(at_work.run())
            try:
                yield
            finally:
                at_work.stop()
                await running

    async def work_off(self) -> None:
        """Carry out all jobs that are filed, as the worker does, until none is left that is due."""
        async with worker(self.settings) as working:
            running = asyncio.ensure_future(working.run())
            queue = Queue(create_engine(self.settings.database))
            try:
                async with asyncio.timeout(20):
                    while await queue.waiting() or working.running:
                        await asyncio.sleep(0.05)
            finally:
                working.stop()
                await running

    def project_id(self, name: str) -> str:
        """The id of a project by its name (``demo``, ``alt``, ``admin``)."""
        return self.identities.projects[name].id


@asynccontextmanager
async def whole(plan: Plan, database: str, folder: Path) -> AsyncIterator[Whole]:
    """Everything running, with all pods of the plan registered through the Admin API."""
    identities = _identities()
    keystone = Keystone(identities)
    centre = FakePod("RegionOne", identities, zone="centre")
    centre.neutron.provider = ("vlan", "stretch")
    image_id = centre.glance.add("cirros", bytes(1024), identities.projects["admin"].id)
    pods = {
        region: FakePod(
            region,
            identities,
            zone=inside,
            max_limit=limit,
            glance=None if region in plan.own_glances else centre.glance,
        )
        for region, (_, inside, limit) in plan.zones.items()
    }
    for region, aliases in plan.extensions.items():
        pods[region].neutron.aliases += aliases
    async with AsyncExitStack() as stack:
        identity = await stack.enter_async_context(Listener(FakeService(keystone, identities, "")))
        middle = await stack.enter_async_context(Listener(centre))
        ports = {region: await stack.enter_async_context(Listener(pod)) for region, pod in pods.items()}
        _fill(keystone, identity.url, {"RegionOne": middle} | ports)
        file = folder / "tricircle.conf"
        values = {"database": database, "keystone": identity.url, "centre": middle.url, "public": PUBLIC}
        deadlines = {"list_deadline_s": plan.list_deadline_s, "request_deadline_s": plan.request_deadline_s}
        file.write_text(_CONFIG.format(**values, **deadlines))
        settings = load(["--config-file", str(file)], prog="test")
        doors = await stack.enter_async_context(_living(gateway(settings)))
        operators = await stack.enter_async_context(_living(admin(settings)))
        root = doors.having(x_auth_token=identities.sign_in("admin", "secret", "admin"))
        operator = operators.having(x_auth_token=identities.sign_in("admin", "secret", "admin"))
        await _register(operator, plan)
        yield Whole(
            doors=doors,
            operators=operator,
            tenant=doors.having(x_auth_token=identities.sign_in("demo", "secret", "demo")),
            other=doors.having(x_auth_token=identities.sign_in("alt", "secret", "alt")),
            admin=root,
            identities=identities,
            centre=centre,
            pods=pods,
            ports=ports,
            image_id=image_id,
            settings=settings,
        )


def _identities() -> Identities:
    made = Identities()
    made.add_user("admin", "secret", {"admin": ["admin", "member", "reader"], "demo": ["admin"], "alt": ["admin"]})
    made.add_user("demo", "secret", {"demo": ["member", "reader"]})
    made.add_user("alt", "secret", {"alt": ["member", "reader"]})
    made.add_user("tricircle", "secret", {"service": ["admin", "service"]})
    return made


def _fill(keystone: Keystone, identity_url: str, places: Mapping[str, Listener]) -> None:
    for region, listener in places.items():
        urls = {kind: listener.url + prefix + _BEHIND.get(kind, "") for kind, prefix in PREFIXES.items()}
        parent = None if region == "RegionOne" else "RegionOne"
        keystone.add_region(region, parent, urls | {"identity": f"{identity_url}/v3"})


async def _register(operator: AsgiClient, plan: Plan) -> None:
    wanted: list[dict[str, str]] = [{"pod_name": "RegionOne"}]
    for region, (zone, inside, _) in plan.zones.items():
        pod_zone = inside if region != "Pod1" else ""
        wanted.append({"pod_name": region, "az_name": zone, "pod_az_name": pod_zone})
    for pod in wanted:
        for _ in range(3):
            said = await operator.ask("POST", "/v1.0/pods", {"pod": pod})
            if said.status != 422 or b"does not answer" not in said.body:
                break  # a machine that was busy for as long as a short deadline proves nothing
        assert said.status == 200, said.body


@asynccontextmanager
async def _living(app: object) -> AsyncIterator[AsgiClient]:
    """A client of an application that is told of its end, as a server would tell it."""
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    try:
        yield AsgiClient(app)  # type: ignore[arg-type]
    finally:

        async def receive() -> dict[str, str]:
            return events.pop(0)

        async def send(_event: object) -> None:
            pass

        await app({"type": "lifespan"}, receive, send)  # type: ignore[operator]
