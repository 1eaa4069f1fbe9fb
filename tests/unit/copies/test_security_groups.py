# SPDX-License-Identifier: Apache-2.0
"""Has a group's copy all rules, whatever the pod's limits are and whether or not it knows address groups?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.copies.sky import Sky, open_sky, soon
from tricircle.context import PodId
from tricircle.copies.address_groups import EXTENSION
from tricircle.copies.limits import post_for
from tricircle.copies.security_group_rules import wanted_rules
from tricircle.copies.security_group_writing import write_rules
from tricircle.errors import UnavailableError, UpstreamStatusError
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.testing.network.quotas import NetworkQuotas


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[Sky]:
    async with open_sky(tmp_path) as made:
        made.central.quotas.defaults = {}
        yield made


async def group(sky: Sky, ports: range = range(0), **rule: object) -> dict[str, Any]:
    """A group of alt's that opens these TCP ports."""
    owner = {"project_id": sky.project("alt")}
    made = await sky.make("security-groups", "security_group", name="shared", **owner)
    for port in ports:
        values = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": port}
        values |= {"port_range_max": port, "security_group_id": made["id"], **owner, **rule}
        await sky.make("security-group-rules", "security_group_rule", **values)
    return made


def rules(sky: Sky, copy: Routing) -> list[dict[str, Any]]:
    """The copy's rules for TCP."""
    there = sky.inside["pod1"].resources["security_group_rules"].values()
    return [one for one in there if one["security_group_id"] == copy.pod_resource_id and one["protocol"]]


async def for_demo(sky: Sky, pod: Pod, made: dict[str, Any]) -> Routing:
    """The copy, as soon as a port of demo's needs it: the owner never used the pod."""
    return await sky.groups.ensure(pod, made["id"], sky.project("demo"), deadline=soon(60))


async def test_all_rules_are_there_where_the_owners_limits_stood_in_the_way(sky: Sky) -> None:
    made = await group(sky, range(1, 121))
    copy = await for_demo(sky, await sky.pod(), made)
    assert {rule["port_range_min"] for rule in rules(sky, copy)} == set(range(1, 121))
    found = await sky.reach.routings.copy_in(Kind.SECURITY_GROUP, made["id"], PodId("pod1"))
    assert found is not None
    assert found.revision is not None, "it is whole"
    quota = sky.inside["pod1"].quotas.stored[sky.project("alt")]
    assert quota == {"security_group": -1, "security_group_rule": -1}
    assert await sky.cloud.bindings.lifted(await sky.pod(), soon()) == frozenset(), "it does not look like a binding"


async def test_there_may_be_as_many_groups_as_the_centre_has(sky: Sky) -> None:
    pod = await sky.pod()
    made = [await group(sky) for _ in range(12)]
    for one in made:
        assert (await for_demo(sky, pod, one)).is_bound
    assert len(sky.inside["pod1"].resources["security_groups"]) >= 12


async def test_limits_that_came_back_are_lifted_by_the_next_change(sky: Sky) -> None:
    made = await group(sky, range(1, 4))
    copy = await for_demo(sky, await sky.pod(), made)
    sky.inside["pod1"].quotas.stored[sky.project("alt")] = {"security_group_rule": 0}
    for rule in rules(sky, copy):
        del sky.inside["pod1"].resources["security_group_rules"][rule["id"]]
    await sky.groups.fill(await sky.pod(), copy, soon())
    assert len(rules(sky, copy)) == 3


async def test_a_pod_that_keeps_its_limits_is_no_success(
    sky: Sky, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As one whose limits are Keystone's: it says yes to a change and keeps them."""
    monkeypatch.setattr(NetworkQuotas, "_set", NetworkQuotas._show)
    made = await group(sky, range(1, 121))
    pod = await sky.pod()
    with pytest.raises(UnavailableError, match="does not accept the project"):
        await for_demo(sky, pod, made)
    assert "keeps limits of project" in caplog.text
    found = await sky.reach.routings.copy_in(Kind.SECURITY_GROUP, made["id"], pod.id)
    assert found is not None
    assert found.revision is None, "it is not whole"


async def test_a_rule_that_is_there_already_is_no_failure(sky: Sky) -> None:
    """Somebody writes one while we do."""
    made = await group(sky, range(1, 6))
    pod = await sky.pod()
    copy = await for_demo(sky, pod, made)
    one = dict(rules(sky, copy)[0])
    for rule in rules(sky, copy):
        del sky.inside["pod1"].resources["security_group_rules"][rule["id"]]
    others = sky.inside["pod1"].resources["security_group_rules"]
    shown = await sky.reach.network(pod).get(f"/v2.0/security-groups/{copy.pod_resource_id}", deadline=soon())
    others[one["id"]] = one
    await write_rules(
        sky.reach.network(pod),
        shown["security_group"],
        wanted_rules(await central(sky, made), {}),
        soon(),  # type: ignore[arg-type]
    )
    assert sorted(rule["port_range_min"] for rule in rules(sky, copy)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("count", [3, 5, 150])
async def test_a_tenants_address_group_is_a_rule_for_each_where_pods_know_no_address_groups(
    sky: Sky, count: int
) -> None:
    """However many: nothing else there could stand for it."""
    addresses = [f"10.9.{number}.0/24" for number in range(count)]
    mine = await sky.make("address-groups", "address_group", project_id=sky.project("alt"), addresses=addresses)
    made = await group(sky, range(80, 81), remote_address_group_id=mine["id"])
    copy = await for_demo(sky, await sky.pod(extensions=[]), made)
    assert {rule["remote_ip_prefix"] for rule in rules(sky, copy)} == set(addresses)


async def test_a_group_of_too_many_members_is_its_copy_where_pods_know_no_address_groups(sky: Sky) -> None:
    network = await sky.network("alt")
    await sky.subnet(network)
    remote = await group(sky)
    for _ in range(4):
        owned = {"network_id": network["id"], "project_id": sky.project("alt")}
        await sky.make("ports", "port", **owned, security_groups=[remote["id"]])
    made = await group(sky, range(80, 81), remote_group_id=remote["id"])
    copy = await for_demo(sky, await sky.pod(extensions=[]), made)
    (rule,) = rules(sky, copy)
    there = sky.inside["pod1"].resources["security_groups"][rule["remote_group_id"]]
    assert there["description"] == f"tricircle:{remote['id']}"


async def test_a_tenants_address_group_is_one_where_pods_know_them(sky: Sky) -> None:
    mine = await sky.make("address-groups", "address_group", project_id=sky.project("alt"), addresses=["10.9.0.0/24"])
    made = await group(sky, range(80, 81), remote_address_group_id=mine["id"])
    copy = await for_demo(sky, await sky.pod(extensions=[EXTENSION]), made)
    (rule,) = rules(sky, copy)
    assert rule["remote_ip_prefix"] is None
    held = sky.inside["pod1"].resources["address_groups"][rule["remote_address_group_id"]]
    assert held["addresses"] == ["10.9.0.0/24"]


async def test_what_is_no_limit_is_passed_on(sky: Sky) -> None:
    """And lifts nothing."""
    pod = await sky.pod()
    client = sky.reach.network(pod)
    with pytest.raises(UpstreamStatusError, match="SecurityGroupDefaultAlreadyExists"):
        await post_for(
            client,
            "/v2.0/security-groups",
            {"security_group": {"name": "default"}},
            project_id="p",
            limits=("security_group",),
            deadline=soon(),
        )
    assert "p" not in sky.inside["pod1"].quotas.stored


async def central(sky: Sky, made: dict[str, Any]) -> Any:
    return await sky.reach.central.security_group(made["id"], deadline=soon())
