# SPDX-License-Identifier: Apache-2.0
"""Is the snapshot of the pods fresh, cheap, and there when the database is not?"""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tricircle.conf.settings import CentralSettings, DatabaseSettings
from tricircle.context import PodId
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.pods.registry import FRESH_S, STALE_S, Registry
from tricircle.store.engine import create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.reply import Target

CENTRAL = CentralSettings(
    compute_url="http://centre:8774",
    block_storage_url="http://centre:8776",
    image_url="http://centre:9292",
    network_url="http://centre:9696",
    identity_url="http://centre:5000",
)


def a_pod(name: str, az: str, state: PodState = PodState.ENABLED) -> Pod:
    endpoint = Endpoint(service=Service.COMPUTE, url=f"http://{name}:8774", prefix="/v2.1")
    return Pod(id=PodId(f"id-of-{name}"), name=name, az_name=az, state=state, endpoints={Service.COMPUTE: endpoint})


class Switch:
    """An engine that can be taken away: then it leads to a port where nobody listens. Counts transactions."""

    def __init__(self, there: AsyncEngine) -> None:
        self.there = there
        self.away = create_engine(DatabaseSettings(connection="mysql://nobody@127.0.0.1:1/none", connect_timeout_s=1))
        self.is_there = True
        self.transactions = 0

    def begin(self) -> object:
        self.transactions += 1
        return (self.there if self.is_there else self.away).begin()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def switch(engine: AsyncEngine) -> Switch:
    async with transaction(engine) as connection:
        for pod in (
            a_pod("RegionOne", ""),
            a_pod("Pod1", "az1"),
            a_pod("Pod2", "az2", PodState.DRAINING),
            a_pod("Pod3", "az3", PodState.DISABLED),
            a_pod("Pod4", "az1"),
        ):
            await PodRows.insert(connection, pod)
    return Switch(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(switch: Switch, clock: Clock) -> Registry:
    return Registry(switch, CENTRAL, clock=clock)  # type: ignore[arg-type]


def names(pods: tuple[Pod, ...]) -> list[str]:
    return [pod.name for pod in pods]


async def test_who_is_asked_and_who_takes_new_things(registry: Registry) -> None:
    assert names(await registry.pods()) == ["Pod1", "Pod2", "Pod3", "Pod4", "RegionOne"]
    assert names(await registry.enabled()) == ["Pod1", "Pod2", "Pod4"]
    assert names(await registry.accepting()) == ["Pod1", "Pod4"]
    assert names(await registry.accepting("az2")) == []
    assert await registry.az_names() == ("az1", "az2", "az3")


async def test_one_pod_by_id_and_by_name(registry: Registry) -> None:
    found = await registry.by_name("Pod1")
    assert found is not None
    assert await registry.get(found.id) == found
    assert await registry.by_name("Pod9") is None
    assert await registry.get(PodId("nobody")) is None


async def test_targets(registry: Registry) -> None:
    pod = await registry.by_name("Pod1")
    assert pod is not None
    target = registry.target(pod, Service.COMPUTE)
    assert target == Target(pod="id-of-Pod1", service=Service.COMPUTE, url="http://Pod1:8774", label="Pod1/compute")
    assert registry.central(Service.NETWORK).url == "http://centre:9696"
    with pytest.raises(NotFoundError) as caught:
        registry.target(pod, Service.IMAGE)
    assert "Pod1" not in caught.value.message


async def test_a_snapshot_is_read_once_while_fresh_and_by_one_reader(
    registry: Registry, switch: Switch, clock: Clock
) -> None:
    await asyncio.gather(*(registry.pods() for _ in range(20)))
    assert switch.transactions == 1
    clock.now += FRESH_S
    await asyncio.gather(*(registry.pods() for _ in range(20)))
    assert switch.transactions == 2


async def test_a_change_is_seen_at_once_by_who_made_it(registry: Registry, switch: Switch) -> None:
    await registry.pods()
    async with transaction(switch.there) as connection:
        await PodRows.insert(connection, a_pod("Pod5", "az5"))
    assert await registry.by_name("Pod5") is None
    registry.forget()
    assert await registry.by_name("Pod5") is not None


async def test_a_database_that_is_away_is_not_noticed_for_a_minute(
    registry: Registry, switch: Switch, clock: Clock
) -> None:
    before = await registry.pods()
    switch.is_there = False
    clock.now += STALE_S - 1
    assert await registry.pods() == before
    asked = switch.transactions
    assert await registry.pods() == before
    assert switch.transactions == asked
    clock.now += FRESH_S
    with pytest.raises(UnavailableError):
        await registry.pods()
    with pytest.raises(UnavailableError):
        await registry.pods()
    assert switch.transactions == asked + 1
    switch.is_there = True
    clock.now += 1
    assert await registry.pods() == before
