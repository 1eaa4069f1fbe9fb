# SPDX-License-Identifier: Apache-2.0
"""Are the pods of the running lab whole: does each boot, store, connect, and differ from its twin?"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import openstack
import pytest
from openstack.compute.v2.flavor import Flavor
from openstack.compute.v2.server import Server
from openstack.connection import Connection

from lab import canaries, seed
from lab.topology import load_lab

pytestmark = [
    pytest.mark.lab,
    # The SDK warns about its own future.
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
LAB = load_lab(ROOT)
SECONDS = 60.0


def connect(cloud: str) -> Connection:
    loader = openstack.config.OpenStackConfig(config_files=[str(LAB.state / "clouds.yaml")], load_envvars=False)
    return Connection(config=loader.get_one(cloud=cloud))


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {SECONDS:.0f} s"
        time.sleep(0.2)


@pytest.fixture(params=[pod.name for pod in LAB.pods])
def pod(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with connect(request.param) as connection:
        connection.lab_pod = next(pod for pod in LAB.pods if pod.name == request.param)
        yield connection


@pytest.fixture
def name() -> str:
    return f"smoke-{uuid4().hex[:8]}"


@pytest.fixture
def network(pod: Connection, name: str) -> Iterator[object]:
    made = pod.network.create_network(name=name)
    pod.network.create_subnet(network_id=made.id, name=name, ip_version=4, cidr="10.20.0.0/24")
    yield made
    until(
        lambda: not [port for port in pod.network.ports(network_id=made.id) if port.device_owner[:8] == "compute:"], ""
    )
    pod.network.delete_network(made)


@pytest.fixture
def server(pod: Connection, name: str, network: object) -> Iterator[object]:
    made = pod.compute.create_server(
        name=name,
        flavor_id=own_flavor(pod).id,
        image_id=an_image(pod),
        networks=[{"uuid": network.id}],  # type: ignore[attr-defined]
    )
    yield pod.compute.wait_for_server(made, interval=0.2, wait=SECONDS)
    pod.compute.delete_server(made)
    pod.compute.wait_for_delete(made, interval=0.2, wait=SECONDS)


@pytest.fixture
def volume(pod: Connection, name: str) -> Iterator[object]:
    made = pod.block_storage.create_volume(name=name, size=1)
    yield pod.block_storage.wait_for_status(made, "available", interval=0.2, wait=SECONDS)
    pod.block_storage.delete_volume(made)
    pod.block_storage.wait_for_delete(made, interval=0.2, wait=SECONDS)


def an_image(pod: Connection) -> str:
    """The id of the public image of the Glance that the pod's Nova uses."""
    name = canaries.names(pod.lab_pod).image if LAB.has_own_glance(pod.lab_pod) else seed.IMAGE
    answer = pod.session.get(f"{LAB.glance_of(pod.lab_pod)}/v2/images?name={name}")
    return str(answer.json()["images"][0]["id"])


def own_flavor(pod: Connection) -> Flavor:
    """The flavor that the pod had before tricircle knew it."""
    return next(flavor for flavor in pod.compute.flavors() if flavor.name == canaries.names(pod.lab_pod).flavor)


def test_a_server_gets_an_address_and_a_port_that_is_up(pod: Connection, server: object, network: object) -> None:
    assert server.status == "ACTIVE"  # type: ignore[attr-defined]
    assert list(server.addresses) == [network.name]  # type: ignore[attr-defined]
    port = next(iter(pod.network.ports(device_id=server.id)))  # type: ignore[attr-defined]
    until(lambda: pod.network.get_port(port.id).status == "ACTIVE", "the port's becoming ACTIVE")
    assert pod.network.get_port(port.id).binding_vif_type == "ovs"


def test_a_volume_is_attached_and_detached(pod: Connection, server: object, volume: object) -> None:
    attachment = pod.compute.create_volume_attachment(server, volume_id=volume.id)  # type: ignore[attr-defined]
    pod.block_storage.wait_for_status(volume, "in-use", interval=0.2, wait=SECONDS)
    pod.compute.delete_volume_attachment(server, attachment)
    pod.block_storage.wait_for_status(volume, "available", interval=0.2, wait=SECONDS)


def test_all_services_of_the_pod_are_up(pod: Connection) -> None:
    compute = {service.binary: service.state for service in pod.compute.services()}
    assert compute == {"nova-conductor": "up", "nova-scheduler": "up", "nova-compute": "up"}
    storage = {service.binary: service.state for service in pod.block_storage.services()}
    assert storage == {"cinder-backup": "up", "cinder-scheduler": "up", "cinder-volume": "up"}
    assert all(agent.is_alive for agent in pod.network.agents())


def test_zones_hosts_and_flavors_are_those_of_a_hostile_twin(pod: Connection) -> None:
    described = pod.lab_pod
    assert [zone.name for zone in pod.compute.availability_zones()] == [described.zone]
    assert [zone.name for zone in pod.block_storage.availability_zones()] == [described.zone]
    assert {host.name for host in pod.compute.hypervisors()} == set(LAB.hosts)
    flavor = own_flavor(pod)
    assert (flavor.id, flavor.vcpus, flavor.ram) == (
        (f"canary-{described.number}", 1, 64) if described.number % 2 else ("1", 3, 333)
    )


@pytest.mark.parametrize("pod", [pod.name for pod in LAB.pods if pod.page_limit], indirect=True)
def test_pages_are_as_small_as_the_pod_says(pod: Connection) -> None:
    limit = pod.lab_pod.page_limit
    prefix = f"page-{uuid4().hex[:8]}"
    pod.compute.create_server(
        name=prefix,
        flavor_id=own_flavor(pod).id,
        image_id=an_image(pod),
        networks="none",
        min_count=limit + 1,
    )

    def mine() -> list[Server]:
        return [server for server in pod.compute.servers() if server.name.startswith(prefix)]

    try:
        # Nova shows a server twice or not at all in the moment in which it gets its host.
        until(lambda: [server.status for server in mine()] == ["ACTIVE"] * (limit + 1), "that all are ACTIVE")
        page = pod.compute.get("/servers", params={"limit": 1000}).json()
        assert len(page["servers"]) == limit
        assert "servers_links" in page
    finally:
        for server in mine():
            pod.compute.delete_server(server)
        until(lambda: not mine(), "that all are gone")
