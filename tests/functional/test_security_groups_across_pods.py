# SPDX-License-Identifier: Apache-2.0
"""Do rules that name a group know its members in all pods? With the real centre and the Neutrons of two real pods."""

import asyncio
import uuid

import pytest

from tests.functional.network_tables import Tables
from tests.functional.network_world import CONF, Json, World
from tests.functional.outage import without_network_of
from tricircle.conf.load import load
from tricircle.context import ProjectId
from tricircle.model.routing import Kind

pytestmark = pytest.mark.lab

#: Seconds in which a change must be in every pod; the median is far below (benchmarks/networking.py).
_SOON_S = 45


@pytest.fixture
def tables() -> Tables:
    return Tables(load(["--config-file", str(CONF)], prog="test").database.connection)


def _group(world: World, **values: object) -> Json:
    """A new group that lets its own members in, as a default group does."""
    group = world.demo.make("security-groups", "security_group", name=f"web-{uuid.uuid4().hex[:8]}", **values)
    # What is first goes last: ports have it.
    world.made.insert(0, ("security-groups", group["id"]))
    for ethertype in ("IPv4", "IPv6"):
        _rule(world, group, ethertype=ethertype, remote_group_id=group["id"])
    return group


def _rule(world: World, group: Json, **values: object) -> Json:
    wanted = {"security_group_id": group["id"], "direction": "ingress", **values}
    return world.demo.make("security-group-rules", "security_group_rule", **wanted)


async def _realised(world: World, network: Json, group: Json, number: int, **values: object) -> Json:
    """A port that lives in a pod; as the centre has it."""
    port = world.port(network, world.pods[number], security_groups=[group["id"]], **values)
    await world.ports.ensure(world.pods[number], port, details={"origin": "user"}, deadline=world.deadline())
    return port


def _address(port: Json) -> str:
    return f"{port['fixed_ips'][0]['ip_address']}/32"


def _known(world: World, number: int, group: Json) -> set[str] | None:
    """What a pod knows of the members of a group; None: it has no such address group."""
    found = world.marked(number, "address-groups", group["id"])
    assert len(found) <= 1
    return set(found[0]["addresses"]) if found else None


async def _both_know(world: World, group: Json, *addresses: str) -> None:
    await world.until(lambda: all(_known(world, number, group) == set(addresses) for number in (0, 1)), _SOON_S)


def _runs(tables: Tables, group: Json) -> object:
    """How many jobs about the members of a group have run."""
    sql = "SELECT COUNT(*) AS runs FROM tricircle_job_history WHERE type = 'address_group' AND resource_id = %s"
    return tables.run(sql, group["id"])[0]["runs"]


async def test_members_in_two_pods_know_each_other(world: World) -> None:
    network = world.network()
    world.subnet(network)
    group = _group(world)
    ports = [await _realised(world, network, group, number) for number in (0, 1)]
    await _both_know(world, group, *(_address(port) for port in ports))
    for number in (0, 1):
        (copy,) = world.marked(number, "security-groups", group["id"])
        (members,) = world.marked(number, "address-groups", group["id"])
        inward = [rule for rule in copy["security_group_rules"] if rule["direction"] == "ingress"]
        assert {(rule["ethertype"], rule["remote_address_group_id"]) for rule in inward} == {
            ("IPv4", members["id"]),
            ("IPv6", members["id"]),
        }
        assert not [rule for rule in copy["security_group_rules"] if rule["remote_group_id"]]
        assert members["project_id"] != copy["project_id"] == group["project_id"]
    # A second boot looks at nothing of this again, and its address follows.
    third = await _realised(world, network, group, 0)
    await _both_know(world, group, *(_address(port) for port in (*ports, third)))


async def test_a_member_changes_and_goes(world: World) -> None:
    network = world.network()
    world.subnet(network)
    group = _group(world)
    here, there = [await _realised(world, network, group, number) for number in (0, 1)]
    world.demo.change(
        "ports",
        "port",
        there["id"],
        fixed_ips=[{"ip_address": "10.20.0.77"}],
        # Any port may have an address of a prefix: that one opens nothing.
        allowed_address_pairs=[{"ip_address": "10.20.0.99"}, {"ip_address": "10.20.0.0/25"}],
    )
    await _both_know(world, group, _address(here), "10.20.0.77/32", "10.20.0.99/32")
    # A port that no pod has counts, too, as in one Neutron.
    loose = world.demo.make("ports", "port", network_id=network["id"], security_groups=[group["id"]])
    await _both_know(world, group, _address(here), "10.20.0.77/32", "10.20.0.99/32", _address(loose))
    world.demo.change("ports", "port", loose["id"], security_groups=[])
    await _both_know(world, group, _address(here), "10.20.0.77/32", "10.20.0.99/32")
    assert world.service.delete("ports", there["id"]) == 204
    await _both_know(world, group, _address(here))


async def test_both_families(world: World) -> None:
    network = world.network()
    world.subnet(network)
    world.subnet(
        network, "fd00:20::/64", ip_version=6, ipv6_address_mode="dhcpv6-stateful", ipv6_ra_mode="dhcpv6-stateful"
    )
    group = _group(world)
    ports = [await _realised(world, network, group, number) for number in (0, 1)]
    wanted = {ip["ip_address"] for port in ports for ip in port["fixed_ips"]}
    assert len(wanted) == 4
    await _both_know(world, group, *(f"{one}/128" if ":" in one else f"{one}/32" for one in wanted))


async def test_an_address_waits_until_every_pod_has_let_go(world: World) -> None:
    """From other projects; the one that the group belongs to lets itself in."""
    network = world.network(world.service, shared=True)
    world.subnet(network, user=world.service)
    group = _group(world)
    here, there = [await _realised(world, network, group, number) for number in (0, 1)]
    await _both_know(world, group, _address(here), _address(there))
    address = here["fixed_ips"][0]["ip_address"]
    theirs = str(world.network(world.alt)["project_id"])
    own = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": address}], "security_groups": []}}
    wanted = {"port": {**own["port"], "project_id": theirs}}
    with without_network_of("Pod2"):
        assert await world.call(world.service.delete, "ports", here["id"]) == 204
        await world.until(lambda: _known(world, 0, group) == {_address(there)}, _SOON_S)
        await world.until(lambda: not world.marked(0, "ports", here["id"]), _SOON_S)
        # The pod that had the port has let go of it, but in the other one a rule may still let its address in.
        status, answer = await world.call(world.service, "POST", "/ports", wanted)
        assert (status, answer["NeutronError"]["type"]) == (409, "IpAddressAlreadyAllocated")
        assert "Pod2" not in str(answer)
        own["port"]["project_id"] = here["project_id"]
        status, answer = await world.call(world.service, "POST", "/ports", own)
        assert status == 201, answer
        assert await world.call(world.service.delete, "ports", answer["port"]["id"]) == 204
    await world.until(lambda: world.service("POST", "/ports", wanted)[0] == 201, 90)
    assert _known(world, 1, group) == {_address(there)}


async def test_rules_that_name_other_groups_come_and_go(world: World) -> None:
    network = world.network()
    world.subnet(network)
    web, base = _group(world), _group(world)
    port = await _realised(world, network, web, 0)
    member = await _realised(world, network, base, 1)
    rule = _rule(world, web, protocol="tcp", port_range_min=80, port_range_max=90, remote_group_id=base["id"])
    await world.until(lambda: _known(world, 0, base) == {_address(member)}, _SOON_S)
    assert world.demo.delete("security-group-rules", rule["id"]) == 204
    await world.until(lambda: _known(world, 0, base) is None, _SOON_S)
    assert _known(world, 0, web) == {_address(port)}
    await world.settled()
    assert {copy.pod_id for copy in await world.reach.routings.copies_of(Kind.ADDRESS_GROUP, str(base["id"]))} == {
        world.pods[1].id
    }


async def test_a_tenants_own_address_group_is_copied(world: World) -> None:
    offices = world.demo.make("address-groups", "address_group", name="offices", addresses=["192.0.2.0/24"])
    world.made.insert(0, ("address-groups", offices["id"]))
    network = world.network()
    world.subnet(network)
    group = _group(world)
    _rule(world, group, protocol="tcp", remote_address_group_id=offices["id"])
    await _realised(world, network, group, 0)
    assert _known(world, 0, offices) == {"192.0.2.0/24"}
    status, _ = world.demo("PUT", f"/address-groups/{offices['id']}/add_addresses", {"addresses": ["fd00:9::/48"]})
    assert status == 200
    await world.until(lambda: _known(world, 0, offices) == {"192.0.2.0/24", "fd00:9::/48"}, _SOON_S)


async def test_stateless_groups_stay_so(world: World) -> None:
    network = world.network()
    world.subnet(network)
    group = _group(world, stateful=False)
    await _realised(world, network, group, 0)
    (copy,) = world.marked(0, "security-groups", group["id"])
    assert copy["stateful"] is False
    # In use: the centre says what one Neutron says, and no pod is asked.
    status, answer = world.demo("PUT", f"/security-groups/{group['id']}", {"security_group": {"stateful": True}})
    assert (status, answer["NeutronError"]["type"]) == (409, "SecurityGroupInUse")
    # One that no port has any more follows.
    spare = _group(world, stateful=False)
    owner = ProjectId(str(spare["project_id"]))
    await world.groups.ensure(world.pods[0], str(spare["id"]), owner, deadline=world.deadline())
    world.demo.change("security-groups", "security_group", spare["id"], stateful=True)
    await world.until(lambda: world.marked(0, "security-groups", spare["id"])[0]["stateful"] is True, _SOON_S)


async def test_nothing_of_ours_is_left(world: World) -> None:
    network = world.network()
    world.subnet(network)
    group = _group(world)
    ports = [await _realised(world, network, group, number) for number in (0, 1)]
    for port in ports:
        assert world.service.delete("ports", port["id"]) == 204
    assert world.demo.delete("networks", network["id"]) == 204
    assert world.demo.delete("security-groups", group["id"]) == 204

    def left() -> list[Json]:
        collections = ("security-groups", "address-groups")
        return [one for number in (0, 1) for what in collections for one in world.marked(number, what, group["id"])]

    await world.until(lambda: not left())
    await world.settled()
    for kind in (Kind.SECURITY_GROUP, Kind.ADDRESS_GROUP):
        assert not await world.reach.routings.copies_of(kind, str(group["id"]))


async def test_first_uses_at_once_make_one_address_group(world: World) -> None:
    network = world.network()
    world.subnet(network)
    group = _group(world)
    ports = await asyncio.gather(*(_realised(world, network, group, 0) for _ in range(4)))
    assert len(world.marked(0, "address-groups", group["id"])) == 1
    await world.until(lambda: _known(world, 0, group) == {_address(port) for port in ports}, _SOON_S)


async def test_changes_at_once_are_few_visits(world: World, tables: Tables) -> None:
    """Of many ports made at once each pod hears a few times, and not once for each."""
    network = world.network()
    world.subnet(network)
    group = _group(world)
    first = [await _realised(world, network, group, number) for number in (0, 1)]
    await world.settled()
    before = _runs(tables, group)
    wanted = [{"network_id": network["id"], "security_groups": [group["id"]]} for _ in range(20)]
    status, answer = world.demo("POST", "/ports", {"ports": wanted})
    assert status == 201, answer
    await _both_know(world, group, *(_address(port) for port in (*first, *answer["ports"])))
    await world.settled()
    assert _runs(tables, group) - before < 20
