# SPDX-License-Identifier: Apache-2.0
"""What do pods know of the members of groups that rules name, and what does it cost? With fake pods on real sockets.

The centre's fake has none of our drivers: the jobs that they would file are filed here.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.dying import PATIENT, Deaths
from tests.api.whole import Whole
from tests.job_runs import job_run
from tricircle.app.rooms import Rooms, open_rooms
from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import mark
from tricircle.copies.remote_groups import RemoteGroups
from tricircle.copies.security_groups import UNUSED
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked

Json = dict[str, Any]
GROUPS = "security_groups"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The rooms of a process of ours, and both pods."""

    cloud: Whole
    rooms: Rooms
    pods: list[Pod]

    @property
    def centre(self) -> dict[str, dict[str, Json]]:
        """What the central Neutron holds."""
        return self.cloud.centre.neutron.resources

    def inside(self, number: int, collection: str, central_id: str) -> list[Json]:
        """What has the mark in a pod."""
        held = self.cloud.pods[self.pods[number].name].neutron.resources[collection]
        return [one for one in held.values() if one["description"] == mark(central_id)]

    def rules(self, number: int, central_id: str) -> list[Json]:
        """The ingress rules of a group's copy."""
        (copy,) = self.inside(number, GROUPS, central_id)
        held = self.cloud.pods[self.pods[number].name].neutron.resources["security_group_rules"]
        mine = [one for one in held.values() if one["security_group_id"] == copy["id"]]
        return [one for one in mine if one["direction"] == "ingress"]

    async def make(self, collection: str, **values: object) -> Json:
        """Something of the tenant's at the centre."""
        singular = {"security_groups": "security_group", "ports": "port"}.get(collection, collection[:-1])
        path = f"/network/v2.0/{collection.replace('_', '-')}"
        said = await self.cloud.tenant.ask("POST", path, {singular: values})
        assert said.status == 201, said.body
        return dict(said.json()[singular])

    async def ensure(self, number: int, group: Json) -> None:
        """The group in a pod, as a boot makes it."""
        owner = ProjectId(str(group["project_id"]))
        await self.rooms.copies.groups.ensure(self.pods[number], str(group["id"]), owner, deadline=Deadline.after(10))

    async def follow(self, group: Json, **payload: object) -> None:
        """What the driver files when a member changes, carried out."""
        project_id = ProjectId(str(group["project_id"]))
        await self.rooms.queue.append(JobType.ADDRESS_GROUP, str(group["id"]), project_id, payload=payload)
        await self.cloud.work_off()


@asynccontextmanager
async def stage(cloud: Whole) -> AsyncIterator[Stage]:
    rooms = open_rooms(cloud.settings)
    try:
        pods = sorted((pod for pod in await rooms.registry.pods() if not pod.is_central), key=lambda pod: pod.name)
        yield Stage(cloud=cloud, rooms=rooms, pods=pods)
    finally:
        await rooms.close()


async def _group_and_network(here: Stage) -> tuple[Json, Json]:
    network = await here.make("networks", name="n")
    await here.make("subnets", network_id=network["id"], cidr="10.9.0.0/24", ip_version=4)
    group = await here.make(GROUPS, name="web")
    rule = {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": group["id"]}
    await here.make("security_group_rules", security_group_id=group["id"], **rule)
    return group, network


async def _member(here: Stage, group: Json, network: Json) -> str:
    port = await here.make("ports", network_id=network["id"], security_groups=[group["id"]])
    return f"{port['fixed_ips'][0]['ip_address']}/32"


async def test_any_number_of_changes_costs_a_pod_two_calls(cloud: Whole) -> None:
    async with stage(cloud) as here:
        group, network = await _group_and_network(here)
        first = await _member(here, group, network)
        for number in (0, 1):
            await here.ensure(number, group)
        others = [await _member(here, group, network) for _ in range(5)]
        before = [len(cloud.pods[pod.name].calls("network")) for pod in here.pods]
        await here.follow(group)
        for number, pod in enumerate(here.pods):
            (members,) = here.inside(number, "address_groups", group["id"])
            assert set(members["addresses"]) == {first, *others}
            (rule,) = here.rules(number, group["id"])
            assert (rule["remote_address_group_id"], rule["remote_group_id"]) == (members["id"], None)
            asked = cloud.pods[pod.name].calls("network")[before[number] :]
            assert [verb for verb, _ in asked] == ["GET", "PUT"], asked
        before = [len(cloud.pods[pod.name].calls("network")) for pod in here.pods]
        await here.follow(group)
        assert [len(cloud.pods[pod.name].calls("network")) for pod in here.pods] == [one + 1 for one in before]


async def test_of_two_who_write_rules_at_one_instant_each_rule_is_left_once(cloud: Whole) -> None:
    """Neutron looks for duplicates before it writes, so both callers get theirs."""
    async with stage(cloud) as here:
        group, _ = await _group_and_network(here)
        pod = cloud.pods[here.pods[0].name]
        held = pod.neutron.resources["security_group_rules"]

        def writes(asked: Asked) -> bool:
            return asked.method == "POST" and asked.path.endswith("security-group-rules")

        pod.fall_ill(Ailment(symptom=Symptom.SLOW, delay_s=0.5, only=writes), ["network"])
        writing = asyncio.ensure_future(here.ensure(0, group))
        while not [one for one in held.values() if one["remote_address_group_id"]]:
            assert not writing.done()
            await asyncio.sleep(0.01)
        (rule,) = [one for one in held.values() if one["remote_address_group_id"]]
        held["another"] = {**rule, "id": "another"}
        await writing
        (left,) = here.rules(0, group["id"])
        # One that was written last: OVN has one flow for both, and it goes with either.
        assert left["id"] not in ("another", rule["id"])


async def test_twins_of_a_rule_are_written_anew_by_whoever_fills_the_group(cloud: Whole) -> None:
    """Of what was there before: a sweep has seen them."""
    async with stage(cloud) as here:
        group, _ = await _group_and_network(here)
        await here.ensure(0, group)
        (rule,) = here.rules(0, group["id"])
        held = cloud.pods[here.pods[0].name].neutron.resources["security_group_rules"]
        held["another"] = {**rule, "id": "another"}
        project_id = ProjectId(str(group["project_id"]))
        await here.rooms.queue.append(JobType.SECURITY_GROUP, str(group["id"]), project_id)
        await here.cloud.work_off()
        (left,) = here.rules(0, group["id"])
        assert left["id"] not in ("another", rule["id"])


async def test_what_no_rule_names_goes(cloud: Whole) -> None:
    async with stage(cloud) as here:
        group, network = await _group_and_network(here)
        await _member(here, group, network)
        await here.ensure(0, group)
        await here.follow(group, **{UNUSED: True})
        assert here.inside(0, "address_groups", group["id"]), "a rule names it"
        rule_ids = [key for key, rule in here.centre["security_group_rules"].items() if rule["remote_group_id"]]
        for rule_id in rule_ids:
            del here.centre["security_group_rules"][rule_id]
        await here.rooms.queue.append(JobType.SECURITY_GROUP, str(group["id"]), ProjectId("p"))
        await cloud.work_off()
        assert here.rules(0, group["id"]) == []
        assert here.inside(0, "address_groups", group["id"]) == []
        assert not await here.rooms.routings.copies_of(Kind.ADDRESS_GROUP, str(group["id"]))


async def test_an_address_group_that_is_gone_is_made_again_with_the_rule(cloud: Whole) -> None:
    """Somebody found it unused between the look at it and the rule that was to name it."""
    async with stage(cloud) as here:
        group, network = await _group_and_network(here)
        address = await _member(here, group, network)
        await here.rooms.copies.address_groups.ensure(here.pods[0], str(group["id"]), deadline=Deadline.after(10))
        cloud.pods[here.pods[0].name].neutron.resources["address_groups"].clear()
        await here.ensure(0, group)
        (members,) = here.inside(0, "address_groups", group["id"])
        assert members["addresses"] == [address]
        assert [rule["remote_address_group_id"] for rule in here.rules(0, group["id"])] == [members["id"]]


async def test_with_the_group_its_members_and_the_rules_that_name_them_go(cloud: Whole) -> None:
    async with stage(cloud) as here:
        group, _ = await _group_and_network(here)
        other = await here.make(GROUPS, name="other")
        rule = {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": group["id"]}
        await here.make("security_group_rules", security_group_id=other["id"], **rule)
        await here.ensure(0, other)
        assert len(here.rules(0, other["id"])) == 1
        said = await cloud.tenant.ask("DELETE", f"/network/v2.0/security-groups/{group['id']}")
        assert said.status == 204
        await here.follow(group, deleted=True)
        assert here.rules(0, other["id"]) == []
        assert here.inside(0, "address_groups", group["id"]) == []


@pytest.mark.parametrize("is_small", [True, False])
async def test_a_pod_without_address_groups_has_rules_and_is_never_opener(cloud: Whole, is_small: bool) -> None:
    async with stage(cloud) as here:
        pod = here.pods[0]
        pod.facts["network_extensions"].remove("security-groups-remote-address-group")  # type: ignore[attr-defined]
        group, network = await _group_and_network(here)
        count = 3 if is_small else 65
        addresses = {await _member(here, group, network) for _ in range(count)}
        await here.ensure(0, group)
        assert here.inside(0, "address_groups", group["id"]) == []
        rules = here.rules(0, group["id"])
        if is_small:
            assert {rule["remote_ip_prefix"] for rule in rules} == addresses
            assert not any(rule["remote_group_id"] for rule in rules)
        else:
            (copy,) = here.inside(0, GROUPS, group["id"])
            assert [(rule["remote_ip_prefix"], rule["remote_group_id"]) for rule in rules] == [(None, copy["id"])]


@asynccontextmanager
async def _deaths(cloud: Whole) -> AsyncIterator[tuple[Stage, Deaths]]:
    async with stage(cloud) as here:
        made = Deaths(cloud=cloud, rooms=here.rooms)
        try:
            yield here, made
        finally:
            await made.bury()


@pytest.mark.parametrize("plan", [PATIENT], ids=["patient"])
@pytest.mark.parametrize("is_carried_out", [False, True])
async def test_a_member_that_leaves_is_gone_wherever_its_job_dies(cloud: Whole, is_carried_out: bool) -> None:
    async with _deaths(cloud) as (here, deaths):
        group, network = await _group_and_network(here)
        stays = await _member(here, group, network)
        copies, project_id = here.rooms.copies, ProjectId(str(group["project_id"]))
        following = RemoteGroups(here.rooms.reach, copies.address_groups, copies.groups)
        for number in (0, 1):
            await here.ensure(number, group)
        for question in itertools.count(1):
            goes = await here.make("ports", network_id=network["id"], security_groups=[group["id"]])
            await here.follow(group)
            here.centre["ports"][goes["id"]]["security_groups"] = []
            run = job_run(JobType.ADDRESS_GROUP, str(group["id"]), here.pods[0].id, project_id, seconds=600)
            died = await deaths.dies(following.agree(run), question, is_carried_out=is_carried_out)
            await here.follow(group)
            for number in (0, 1):
                (known,) = here.inside(number, "address_groups", group["id"])
                assert known["addresses"] == [stays], (question, number)
            if not died:
                break
        assert question > 3
