# SPDX-License-Identifier: Apache-2.0
"""Does nobody get a VLAN id, an address or a MAC before the pod that had it has let go? With real Neutrons."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.network_tables import Tables
from tests.functional.network_world import CONF, Json, Rest, World
from tests.functional.outage import without_network_of
from tests.functional.region_world import Region
from tests.functional.sick_pod import Health, sick_pod
from tricircle.conf.load import load
from tricircle.context import PodId, ProjectId
from tricircle.errors import NotFoundError
from tricircle.ledger.leases import Lease
from tricircle.model.quarantine import What
from tricircle.model.routing import Kind

pytestmark = pytest.mark.lab

#: A physical network with two VLAN ids, 101 and 102.
_NARROW = {"provider:network_type": "vlan", "provider:physical_network": "narrow"}
#: What a tenant must not read.
_OURS = ("pod", "quarantine", "tricircle", "az1", "az2")


@pytest.fixture
def tables() -> Tables:
    return Tables(load(["--config-file", str(CONF)], prog="test").database.connection)


async def _realised(world: World, port: Json, number: int = 0) -> Json:
    """The copy of a port in a pod."""
    routing = await world.ports.ensure(world.pods[number], port, deadline=world.deadline())
    copy = world.inside[number].show("ports", "port", routing.pod_resource_id)
    assert copy is not None
    return copy


def _shared_network(world: World, cidr: str) -> tuple[Json, Json]:
    """A network on which several projects have ports."""
    network = world.network(world.service, shared=True)
    return network, world.subnet(network, cidr, world.service)


def _ask_port(world: World, network: Json, **values: object) -> tuple[int, Json]:
    return world.service("POST", "/ports", {"port": {"network_id": network["id"], **values}})


def _ask_network(world: World, **values: object) -> tuple[int, Json]:
    status, answer = world.service("POST", "/networks", {"network": {"name": "another", **_NARROW, **values}})
    if status == 201:
        world.made.append(("networks", answer["network"]["id"]))
    return status, answer


def _refused(answer: tuple[int, Json], error: str) -> None:
    """A refusal in Neutron's own form, that says nothing of ours."""
    status, body = answer
    assert status == 409, body
    assert body["NeutronError"]["type"] == error
    assert not [word for word in _OURS if word in str(body["NeutronError"]["message"]).lower()], body


def _listed(value: str) -> list[str]:
    """The lines of ``tricircle-manage quarantine list`` with this value."""
    command = [str(Path(sys.executable).parent / "tricircle-manage"), "--config-file", str(CONF), "quarantine", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if f" {value} " in line]


def _address(port: Json) -> str:
    return str(port["fixed_ips"][0]["ip_address"])


async def test_a_vlan_id_waits_for_the_pod(world: World) -> None:
    theirs = str(world.network(world.alt)["project_id"])
    network = world.network(world.service, **_NARROW, **{"provider:segmentation_id": 101})
    await world.networks.ensure(world.pods[0], str(network["id"]), ProjectId(theirs), deadline=world.deadline())
    with without_network_of("Pod1"):
        assert world.service.delete("networks", network["id"]) == 204
        wanted = {"provider:segmentation_id": 101, "project_id": theirs}
        _refused(_ask_network(world, **wanted), "VlanIdInUse")
        (line,) = _listed("101")
        assert ("vlan" in line, "narrow" in line, "Pod1" in line, "Pod2" in line) == (True, True, True, False)
        # Of many who want any id, one gets the only one that is free.
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: _ask_network(world), range(8)))
        given = [body["network"]["provider:segmentation_id"] for status, body in answers if status == 201]
        assert given == [102], answers
        assert {status for status, _ in answers} == {201, 503}, answers
    await world.until(lambda: _ask_network(world, **wanted)[0] == 201, 90)
    assert not world.marked(0, "networks", network["id"])
    assert not _listed("101")


async def test_address_and_mac_of_a_port_wait_for_the_pod(world: World) -> None:
    # .2 to .6 can be given out; the pod's slice takes one.
    network, _ = _shared_network(world, "10.20.1.0/29")
    port = world.port(network, world.pods[0])
    await _realised(world, port)
    address, mac = _address(port), str(port["mac_address"])
    with without_network_of("Pod1"):
        assert world.service.delete("ports", port["id"]) == 204
        _refused(_ask_port(world, network, fixed_ips=[{"ip_address": address}]), "IpAddressAlreadyAllocated")
        _refused(_ask_port(world, network, mac_address=mac.upper()), "MacAddressInUse")
        wanted = {"ports": [{"network_id": network["id"], "mac_address": mac}]}
        _refused(world.service("POST", "/ports", wanted), "MacAddressInUse")
        # The address waits for the port, and for what the pod knows of the members of the port's group.
        assert [" port " in line for line in _listed(address)] == [True, False]
        assert len(_listed(mac)) == 1
        # Another tenant, and many at once: of the five addresses one is the slice's, one is held.
        with ThreadPoolExecutor(8) as pool:
            body = {"port": {"network_id": network["id"]}}
            answers = list(pool.map(lambda _: world.alt("POST", "/ports", body), range(8)))
        given = [_address(answer["port"]) for status, answer in answers if status == 201]
        assert len(given) == len(set(given)) == 3, answers
        assert address not in given
        for answer in answers:
            if answer[0] != 201:
                _refused(answer, "IpAddressGenerationFailure")

    def again() -> bool:
        status, answer = _ask_port(world, network, fixed_ips=[{"ip_address": address}], mac_address=mac)
        assert status == 201 or status == 409, answer
        return status == 201

    await world.until(again, 90)
    assert not world.marked(0, "ports", port["id"])
    assert not _listed(address)


async def test_a_changed_address_waits_until_the_pod_follows(world: World) -> None:
    network, subnet = _shared_network(world, "10.20.2.0/24")
    port = world.port(network, world.pods[0])
    await _realised(world, port)
    old, new = _address(port), "10.20.2.77"

    def give(address: str) -> list[Json]:
        return [{"subnet_id": subnet["id"], "ip_address": address}]

    with without_network_of("Pod1"):
        world.service.change("ports", "port", port["id"], fixed_ips=give(new))
        _refused(_ask_port(world, network, fixed_ips=give(old)), "IpAddressAlreadyAllocated")
        # The port itself may change its mind.
        world.service.change("ports", "port", port["id"], fixed_ips=give(old))
        world.service.change("ports", "port", port["id"], fixed_ips=give(new))
        _refused(_ask_port(world, network, fixed_ips=give(old)), "IpAddressAlreadyAllocated")
    await world.until(lambda: _ask_port(world, network, fixed_ips=give(old))[0] == 201, 90)
    (copy,) = world.marked(0, "ports", port["id"])
    assert _address(copy) == new


async def test_a_changed_mac_waits_until_the_pod_has_let_go(world: World) -> None:
    network, _ = _shared_network(world, "10.20.3.0/24")
    port = world.port(network, world.pods[0])
    await _realised(world, port)
    old = str(port["mac_address"])
    with without_network_of("Pod1"):
        # Neutron changes the MAC only of a port that is on no host.
        world.service.change("ports", "port", port["id"], **{"binding:host_id": "", "device_id": ""})
        world.service.change("ports", "port", port["id"], mac_address="fa:16:3e:aa:bb:01")
        _refused(_ask_port(world, network, mac_address=old), "MacAddressInUse")
        other = _ask_port(world, network)[1]["port"]
        answer = world.service("PUT", f"/ports/{other['id']}", {"port": {"mac_address": old}})
        _refused(answer, "MacAddressInUse")
    await world.until(lambda: _ask_port(world, network, mac_address=old)[0] == 201, 90)


async def test_what_no_pod_ever_had_is_free_at_once(world: World, tables: Tables) -> None:
    network = world.network(world.service, **_NARROW, **{"provider:segmentation_id": 101})
    world.subnet(network, "10.20.4.0/24", world.service)
    for _ in range(3):
        status, answer = _ask_port(
            world, network, fixed_ips=[{"ip_address": "10.20.4.9"}], mac_address="fa:16:3e:01:02:03"
        )
        assert status == 201, answer
        assert world.service.delete("ports", answer["port"]["id"]) == 204
        moving = _ask_port(world, network, fixed_ips=[{"ip_address": "10.20.4.9"}])[1]["port"]
        world.service.change("ports", "port", moving["id"], fixed_ips=[{"ip_address": "10.20.4.10"}])
        assert world.service.delete("ports", moving["id"]) == 204
    for _ in range(3):
        assert world.service.delete("networks", network["id"]) == 204
        status, answer = _ask_network(world, **{"provider:segmentation_id": 101})
        assert status == 201, answer
        network = answer["network"]
    assert tables.run("SELECT id FROM tricircle_quarantine WHERE value = '10.20.4.9'"), "it is written without a look"
    assert not _listed("10.20.4.9")


async def test_the_addresses_of_a_slice_wait_for_the_copy_of_the_subnet(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network, "10.20.5.0/24")
    port = world.port(network, world.pods[0])
    await _realised(world, port)
    (piece,) = world.service.list("ports", network_id=network["id"], device_owner="network:dhcp")
    address = _address(piece)
    assert world.service.delete("ports", port["id"]) == 204
    await world.settled()
    with without_network_of("Pod1"):
        assert world.demo.delete("subnets", subnet["id"]) == 204
        again = world.subnet(network, "10.20.5.0/24")
        _refused(_ask_port(world, network, fixed_ips=[{"ip_address": address}]), "IpAddressAlreadyAllocated")
        (line,) = _listed(address)
        assert str(subnet["id"]) in line
    await world.until(lambda: _ask_port(world, network, fixed_ips=[{"ip_address": address}])[0] == 201, 90)
    assert not world.marked(0, "subnets", subnet["id"])
    assert world.service.show("subnets", "subnet", again["id"])


async def test_nobody_gets_an_address_while_the_pod_has_it(world: World) -> None:
    """The pod is up; several want the address in the very moment in which it is let go of."""
    network, _ = _shared_network(world, "10.20.6.0/24")
    wanted = [{"ip_address": "10.20.6.50"}]
    for _ in range(3):
        port = world.service.make("ports", "port", network_id=network["id"], fixed_ips=wanted)
        change = {"binding:host_id": world.pods[0].name, "device_id": "claim-x", "device_owner": "compute:az"}
        port = world.service.change("ports", "port", port["id"], **change)
        await _realised(world, port)

        def first(_: int, port: Json = port) -> list[object]:
            for _ in range(200):
                status, answer = _ask_port(world, network, fixed_ips=wanted)
                if status == 201:
                    left = world.marked(0, "ports", port["id"])
                    return [left, world.service.delete("ports", answer["port"]["id"])]
                assert status == 409, answer
            return []

        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(first, number) for number in range(2)]
            assert world.service.delete("ports", port["id"]) == 204
            for one in waiting:
                assert await world.call(one.result) == [[], 204]


async def test_who_has_his_answer_from_the_gateway_may_have_all_of_it_again(region: Region, world: World) -> None:
    """The gateway answers when the copy is gone: no client sees a quarantine while pods are up."""
    gateway = Rest(world.settings.central.identity_url, region.doors["network"], "tricircle", "service")
    network, _ = _shared_network(world, "10.20.9.0/24")
    wanted = {"fixed_ips": [{"ip_address": "10.20.9.50"}], "mac_address": "fa:16:3e:09:09:09"}
    for _ in range(5):
        port = world.port(network, world.pods[0], world.service, **wanted)
        await _realised(world, port)
        assert await world.call(gateway.delete, "ports", port["id"]) == 204
        status, answer = _ask_port(world, network, **wanted)
        assert status == 201, answer
        assert world.service.delete("ports", answer["port"]["id"]) == 204


async def test_giving_up_a_lost_pod_frees_what_it_held(region: Region, world: World) -> None:
    network = world.network(world.service, **_NARROW, **{"provider:segmentation_id": 101})
    with sick_pod(region) as pod:
        project_id, path = ProjectId(str(network["project_id"])), f"/pods/{pod.pod_id}"
        leases = world.reach.leases
        lease = await leases.take(
            Kind.NETWORK, str(network["id"]), PodId(pod.pod_id), project_id, owner="test", ttl_s=60
        )
        assert isinstance(lease, Lease)
        await leases.bind(lease, "what-it-has")
        pod.be(Health.DOWN)
        assert world.service.delete("networks", network["id"]) == 204
        _refused(_ask_network(world, **{"provider:segmentation_id": 101}), "VlanIdInUse")
        (line,) = _listed("101")
        assert pod.name in line
        assert region.operate("DELETE", f"{path}?force=true").status_code == 409, "it is not even disabled"
        assert region.operate("PUT", path, {"pod": {"state": "disabled"}}).status_code == 200
        assert region.operate("DELETE", path).status_code == 409, "it has a network"
        assert region.operate("DELETE", f"{path}?force=true").status_code == 200
        pod.pod_id = ""  # nothing is left to be removed
        status, answer = _ask_network(world, **{"provider:segmentation_id": 101})
        assert status == 201, answer


async def test_a_port_that_is_gone_meanwhile_is_not_made(world: World) -> None:
    network = world.network()
    world.subnet(network, "10.20.7.0/24")
    port = world.port(network, world.pods[0])
    assert world.service.delete("ports", port["id"]) == 204
    with pytest.raises(NotFoundError):
        await world.ports.ensure(world.pods[0], port, deadline=world.deadline())
    assert not world.marked(0, "ports", port["id"])
    assert not await world.reach.routings.copies_of(Kind.PORT, str(port["id"]))


async def test_nothing_is_let_go_of_without_its_quarantine(world: World, tables: Tables) -> None:
    network = world.network()
    subnet = world.subnet(network, "10.20.8.0/24")
    port = world.port(network, world.pods[0])
    await _realised(world, port)
    for collection, resource, what in (("ports", port, What.MAC), ("networks", network, What.VLAN)):
        async with tables.failing("BEFORE INSERT", "tricircle_quarantine", f"NEW.what = '{what.value}'"):
            assert world.service.delete(collection, resource["id"]) >= 409
        assert world.service.show(collection, collection[:-1], resource["id"])
        assert world.service.delete(collection, resource["id"]) == 204
        await world.settled()
    assert not world.service.show("subnets", "subnet", subnet["id"])
