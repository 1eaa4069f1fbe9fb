# SPDX-License-Identifier: Apache-2.0
"""What becomes of networks on a physical network that one pod calls otherwise, or that one pod does not have?

The lab's first two pods are wired to ``fibre``, by two names; to ``island`` only the first is.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from lab.services.neutron import own_physnets
from lab.topology import load_lab
from tests.functional.network_world import World
from tests.functional.region_world import ROOT, ZONES, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant
from tricircle.errors import ConflictError
from tricircle.model.pod import WIRES

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(load_lab(ROOT).has_packets, reason="only pods with imitated agents have such wires"),
]

_PHYSNET, _SEGMENT = "provider:physical_network", "provider:segmentation_id"
NAMES = {"Pod1": "fibre", "Pod2": own_physnets(load_lab(ROOT).pods[1])[0]}


@pytest.fixture(scope="module")
def named(region: Region) -> Iterator[None]:
    """Both pods surveyed anew, and the second one's name for ``fibre`` said."""
    known = {pod["pod_name"]: pod["pod_id"] for pod in region.operate("GET", "/pods").json()["pods"]}
    for pod, name in NAMES.items():
        change = {"state": "enabled", "physical_networks": {"fibre": name}}
        said = region.operate("PUT", f"/pods/{known[pod]}", {"pod": change})
        assert said.status_code == 200, said.text
        assert said.json()["pod"]["physical_networks"] == ({"fibre": name} if name != "fibre" else {})
    yield
    region.operate("PUT", f"/pods/{known['Pod2']}", {"pod": {"physical_networks": {}}})


@pytest.fixture(scope="module")
def tenant(region: Region, named: None) -> Iterator[Tenant]:
    """Its things go before the name is taken back."""
    made = Tenant(region)
    yield made
    made.sweep()


def drawn(tenant: Tenant, physnet: str, segment: int) -> Json:
    """A network of the tenant's on a physical network that an administrator named, with a subnet."""
    place = {"provider:network_type": "vlan", _PHYSNET: physnet, _SEGMENT: segment}
    admin = tenant.region.admin
    for old in admin.list("network", "networks", **place):  # what a run that was cut off has left
        assert admin.delete("network", f"/networks/{old['id']}") == 204
    # Others get a VLAN id only when every pod has let go of it.
    body = {"network": {"name": unique(), "project_id": tenant.project_id, **place}}
    made = eventually(lambda: admin("POST", "network", "/networks", body), lambda said: said.status_code != 409, "VLAN")
    assert made.status_code == 201, made.text
    network: Json = made.json()["network"]
    tenant.here.make("network", "subnets", "subnet", network_id=network["id"], ip_version=4, cidr="10.35.0.0/24")
    return network


def copies(region: Region, pod: str, network: Json) -> list[Json]:
    return region.pods[pod].list("network", "networks", description=f"tricircle:{network['id']}")


def booted(tenant: Tenant, zone: str | None, flavor: Json, image_id: str, network: Json) -> requests.Response:
    """What is answered to a boot, once a busy pod is not too late with it."""
    server = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    return eventually(lambda: tenant.boot(zone, **server), lambda said: said.status_code not in (503, 504), "a boot")


def test_one_vlan_is_on_each_pods_own_name_for_its_wire(
    region: Region, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    network = drawn(tenant, "fibre", 3801)
    for pod, zone in ZONES.items():
        answer = booted(tenant, zone, flavor, image_id, network)
        assert answer.status_code == 202, answer.text
        server_id = answer.json()["server"]["id"]
        assert tenant.active(server_id)["status"] == "ACTIVE"
        (copy,) = copies(region, pod, network)
        assert (copy["provider:network_type"], copy[_PHYSNET], copy[_SEGMENT]) == ("vlan", NAMES[pod], 3801)
        (port,) = tenant.here.list("network", "ports", device_id=server_id)
        # Neutron binds it only where an agent is wired to the physical network.
        eventually(
            lambda port=port: tenant.here.good("GET", "network", f"/ports/{port['id']}")["port"]["status"],
            lambda seen: seen == "ACTIVE",
            f"a port in {pod}",
        )


def test_a_pod_without_the_wire_refuses_before_anything_is_made(
    region: Region, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    network = drawn(tenant, "island", 3802)
    answer = booted(tenant, ZONES["Pod2"], flavor, image_id, network)
    assert answer.status_code == 409, answer.text
    said = answer.json()["conflictingRequest"]["message"]
    assert said == f"Network {network['id']} cannot be in availability zone az2. It can be in: az1."
    assert not copies(region, "Pod2", network)
    assert not tenant.here.list("network", "ports", network_id=network["id"])
    # Who names no AZ is led to where the wire is.
    assert booted(tenant, None, flavor, image_id, network).status_code == 202
    assert not copies(region, "Pod2", network)
    (copy,) = copies(region, "Pod1", network)
    assert (copy[_PHYSNET], copy[_SEGMENT]) == ("island", 3802)


async def test_a_pod_that_tells_of_no_wires_is_believed_when_it_refuses(world: World) -> None:
    """Agents may be hidden, or tell nothing: then it is the pod's Neutron that knows."""
    silent = replace(world.pods[1], facts={name: fact for name, fact in world.pods[1].facts.items() if name != WIRES})
    place = {"provider:network_type": "vlan", _PHYSNET: "island", _SEGMENT: 3803}
    network = world.service.make("networks", "network", name=unique(), **place)
    world.made.append(("networks", network["id"]))
    world.subnet(network, user=world.service)
    port = world.port(network, silent, user=world.service)
    with pytest.raises(ConflictError, match=r"cannot be in availability zone az2\. Use another network"):
        await world.ports.ensure(silent, port, details={"origin": "user"}, deadline=world.deadline())
    assert ids(world.marked(1, "networks", network["id"])) == []
