# SPDX-License-Identifier: Apache-2.0
"""Does a subnet come to a pod where another one has its addresses: a former one, a late one, or a stranger?"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.copies.sky import Sky, open_sky, soon
from tricircle.copies.bodies import mark, marked
from tricircle.errors import ConflictError, UnavailableError, UpstreamStatusError
from tricircle.model.routing import Kind
from tricircle.testing.ailments import Ailment, Lie, Symptom
from tricircle.testing.exchange import Asked, Said


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[Sky]:
    async with open_sky(tmp_path) as made:
        yield made


def marks(sky: Sky) -> set[str | None]:
    """Of which subnets the first pod has copies."""
    return {marked(one["description"]) for one in sky.inside["pod1"].resources["subnets"].values()}


def slices(sky: Sky) -> list[list[str]]:
    """The addresses that the centre keeps for pods, by port."""
    ports = sky.central.resources["ports"].values()
    return [[ip["ip_address"] for ip in one["fixed_ips"]] for one in ports if one["device_owner"] == "network:dhcp"]


@pytest.mark.parametrize("cidr", ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16"])
async def test_it_waits_until_the_former_one_has_left(sky: Sky, cidr: str) -> None:
    """As when a tenant deletes a subnet, makes another, and boots before our job was there."""
    pod, network = await sky.pod(), await sky.network()
    copy = await sky.copied(pod, network)
    former = await sky.subnet(network)
    left = await sky.subnets.ensure(pod, former["id"], copy, deadline=soon())
    del sky.central.resources["subnets"][former["id"]]
    subnet = await sky.subnet(network, cidr)
    made = asyncio.ensure_future(sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon()))
    done, _ = await asyncio.wait({made}, timeout=0.5)
    assert not done
    assert marks(sky) == {former["id"]}
    del sky.inside["pod1"].resources["subnets"][str(left.pod_resource_id)]
    routing = await made
    assert marks(sky) == {subnet["id"]}
    assert sky.inside["pod1"].resources["subnets"][str(routing.pod_resource_id)]["cidr"] == cidr


async def test_what_does_not_leave_in_time_is_503_and_the_next_one_comes_through(sky: Sky) -> None:
    pod, network = await sky.pod(), await sky.network()
    copy = await sky.copied(pod, network)
    former = await sky.subnet(network)
    left = await sky.subnets.ensure(pod, former["id"], copy, deadline=soon())
    del sky.central.resources["subnets"][former["id"]]
    subnet = await sky.subnet(network)
    with pytest.raises(UnavailableError, match=r"still being removed\. Try again later") as told:
        await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon(0.6))
    assert str(left.pod_resource_id) not in str(told.value)
    kept = slices(sky)
    del sky.inside["pod1"].resources["subnets"][str(left.pod_resource_id)]
    routing = await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon())
    assert routing.is_bound
    assert slices(sky) == kept


async def test_a_late_call_of_ours_is_adopted_and_its_addresses_stay_kept(sky: Sky) -> None:
    """It makes the subnet between our look and our call."""
    pod, network = await sky.pod(), await sky.network()
    copy, subnet = await sky.copied(pod, network), await sky.subnet(network)
    piece = await sky.addresses.hold(pod, subnet, 1, deadline=soon())
    client = sky.reach.network(pod)
    pools = [{"start": address, "end": address} for address in piece.addresses]
    late = {
        "network_id": copy.pod_resource_id,
        "cidr": subnet["cidr"],
        "ip_version": 4,
        "allocation_pools": pools,
        "description": mark(subnet["id"]),
    }
    made = await client.post("/v2.0/subnets", body={"subnet": late}, deadline=soon())
    routing = await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon())
    assert routing.pod_resource_id == made["subnet"]["id"]  # type: ignore[index]
    assert slices(sky) == [list(piece.addresses)]
    assert len(await sky.reach.routings.copies_of(Kind.SUBNET, subnet["id"])) == 1


async def test_a_strangers_subnet_is_a_refusal_that_names_nothing_of_the_pod(sky: Sky) -> None:
    """Also one with a mark: tenants can write those."""
    pod, network = await sky.pod(), await sky.network()
    copy, subnet = await sky.copied(pod, network), await sky.subnet(network)
    client = sky.reach.network(pod)
    theirs = {
        "network_id": copy.pod_resource_id, "cidr": "10.0.0.0/25", "ip_version": 4, "project_id": sky.project("demo"),
        "description": mark(subnet["id"]),
    }  # fmt: skip
    await client.post("/v2.0/subnets", body={"subnet": theirs}, deadline=soon())
    with pytest.raises(ConflictError) as told:
        await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon())
    assert str(told.value) == f"Subnet {subnet['id']} cannot be in availability zone az1. Use another subnet."


def hide_subnets(sky: Sky) -> list[str]:
    """The first pod shows nobody a subnet from now on; the methods of calls about them, as they come."""
    calls: list[str] = []

    def say(asked: Asked, said: Said) -> Said:
        calls.append(asked.method)
        return Said(body={"subnets": []}) if asked.method == "GET" else said

    lie = Ailment(symptom=Symptom.LYING, lie=Lie(say=say), only=lambda asked: asked.path == "/v2.0/subnets")
    sky.cloud.apps["pod1"].fall_ill(lie, ["network"])
    return calls


async def test_an_overlap_that_the_pod_does_not_show_is_a_refusal_after_one_more_attempt(
    sky: Sky, caplog: pytest.LogCaptureFixture
) -> None:
    pod, network = await sky.pod(), await sky.network()
    copy, subnet = await sky.copied(pod, network), await sky.subnet(network)
    theirs = {"network_id": copy.pod_resource_id, "cidr": "10.0.0.0/25", "ip_version": 4}
    await sky.reach.network(pod).post("/v2.0/subnets", body={"subnet": theirs}, deadline=soon())
    calls = hide_subnets(sky)
    began = time.monotonic()
    with pytest.raises(ConflictError, match=r"cannot be in availability zone az1\. Use another subnet"):
        await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon(5))
    assert calls.count("POST") == 2
    assert time.monotonic() - began >= 0.3
    assert "says that another one overlaps with it, and shows none" in caplog.text


async def test_without_time_for_one_more_attempt_it_is_503(sky: Sky) -> None:
    pod, network = await sky.pod(), await sky.network()
    copy, subnet = await sky.copied(pod, network), await sky.subnet(network)
    theirs = {"network_id": copy.pod_resource_id, "cidr": "10.0.0.0/25", "ip_version": 4}
    await sky.reach.network(pod).post("/v2.0/subnets", body={"subnet": theirs}, deadline=soon())
    calls = hide_subnets(sky)
    with pytest.raises(UnavailableError, match="Try again later"):
        await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon(0.29))
    assert calls.count("POST") <= 1


async def test_other_refusals_are_passed_on_and_give_the_addresses_back(sky: Sky) -> None:
    pod, network = await sky.pod(), await sky.network()
    copy, subnet = await sky.copied(pod, network), await sky.subnet(network)
    del sky.inside["pod1"].resources["networks"][str(copy.pod_resource_id)]
    with pytest.raises(UpstreamStatusError, match="404"):
        await sky.subnets.ensure(pod, subnet["id"], copy, deadline=soon())
    assert slices(sky) == []


async def test_a_subnet_for_services_without_dhcp_is_in_one_pod(sky: Sky) -> None:
    """Nobody could keep an address for the second pod's gateway, and that is what is said."""
    network = await sky.network()
    subnet = await sky.subnet(network, enable_dhcp=False, service_types=["compute:az1", "compute:az2"])
    first, second = await sky.pod("pod1"), await sky.pod("pod2")
    await sky.subnets.check(first, [subnet["id"]], deadline=soon())
    routing = await sky.subnets.ensure(first, subnet["id"], await sky.copied(first, network), deadline=soon())
    assert routing.details["gateway_ip"] == "10.0.0.1"
    told = f"Subnet {subnet['id']} is for certain services and has no DHCP.* gateway of availability zone az2"
    with pytest.raises(ConflictError, match=told):
        await sky.subnets.check(second, [subnet["id"]], deadline=soon())
    with pytest.raises(ConflictError, match=told):
        await sky.subnets.ensure(second, subnet["id"], await sky.copied(second, network), deadline=soon())
    assert slices(sky) == []
    # The remedies that are named are ones.
    client = sky.reach.central.networking
    path = f"/v2.0/subnets/{subnet['id']}"
    await client.put(path, body={"subnet": {"enable_dhcp": True}}, deadline=soon())
    await sky.subnets.check(second, [subnet["id"]], deadline=soon())
    await sky.subnets.ensure(second, subnet["id"], await sky.copied(second, network), deadline=soon())
    assert [len(one) for one in slices(sky)] == [2]


async def test_a_full_subnet_is_called_full(sky: Sky) -> None:
    network = await sky.network()
    pool = [{"start": "10.0.0.5", "end": "10.0.0.5"}]
    subnet = await sky.subnet(network, allocation_pools=pool)
    first, second = await sky.pod("pod1"), await sky.pod("pod2")
    await sky.subnets.ensure(first, subnet["id"], await sky.copied(first, network), deadline=soon())
    with pytest.raises(ConflictError, match="No more IP addresses available on network"):
        await sky.subnets.ensure(second, subnet["id"], await sky.copied(second, network), deadline=soon())
