# SPDX-License-Identifier: Apache-2.0
"""Is a server held to the AZ that its user asked for last, and is that what is shown of it?"""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, json_of
from tricircle.errors import ConflictError, InvalidRequestError
from tricircle.model.pod import Service
from tricircle.store.engine import transaction
from tricircle.store.pods import PodRows

UNPIN, NEWEST = "2.91", "2.104"


async def booted(sky: Cloud, zone: str | None) -> str:
    server = {
        "name": "vm",
        "flavorRef": "m1",
        "imageRef": IMAGE,
        "networks": [{"uuid": sky.network(sky.identities.projects["demo"].id)}],
        **({"availability_zone": zone} if zone else {}),
    }
    answer = await sky.ask("POST", "/servers", {"server": server})
    assert answer.status == 202, answer.body
    return str(json_of(answer)["server"]["id"])


async def shown(sky: Cloud, server_id: str) -> Any:
    return json_of(await sky.ask("GET", f"/servers/{server_id}", version="2.96"))["server"]["pinned_availability_zone"]


async def pin(sky: Cloud, server_id: str, zone: str | None) -> Any:
    body = {"server": {"pinned_availability_zone": zone}}
    answer = await sky.ask("PUT", f"/servers/{server_id}", body, version=NEWEST)
    assert answer.status == 200, answer.body
    return json_of(answer)["server"]["pinned_availability_zone"]


async def act(sky: Cloud, server_id: str, action: str, value: object = None, *, version: str = UNPIN) -> int:
    answer = await sky.ask("POST", f"/servers/{server_id}/action", {action: value}, version=version)
    return int(answer.status)


def sent(sky: Cloud, server_id: str, pod: str = "pod1") -> Any:
    return sky.wires.sent(pod, "POST", f"/v2.1/servers/{server_id}/action")[-1]


async def name_zones(sky: Cloud) -> None:
    """Pods are given the name of an AZ of theirs with everything, as the operator said."""
    async with transaction(sky.engine) as connection:
        for pod in await PodRows.list(connection):
            if not pod.is_central:
                zone = sky.apps[pod.id].neutron.zone
                await PodRows.update(connection, replace(pod, pod_az_name=zone))
    sky.registry.forget()


async def aggregate(sky: Cloud) -> None:
    """The AZ ``fast``, in Pod1."""
    admin = sky.context("admin", "admin")
    made = {"aggregate": {"name": "f", "availability_zone": "fast"}}
    answer = await sky.ask("POST", "/os-aggregates", made, context=admin)
    path = f"/os-aggregates/{json_of(answer)['aggregate']['id']}/action"
    answer = await sky.ask("POST", path, {"add_host": {"host": "Pod1.canaryhost-1"}}, context=admin)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("is_named", [False, True])
async def test_a_server_that_comes_back_to_no_az_is_held_to_none(sky: Cloud, is_named: bool) -> None:
    if is_named:
        await name_zones(sky)
    server_id = await booted(sky, "az1")
    assert await shown(sky, server_id) == "az1"
    await act(sky, server_id, "shelve")
    assert await act(sky, server_id, "unshelve") == 202
    assert await shown(sky, server_id) == "az1"
    await act(sky, server_id, "shelve")
    assert await act(sky, server_id, "unshelve", {"availability_zone": None}) == 202
    assert await shown(sky, server_id) is None
    await act(sky, server_id, "shelve")
    assert await act(sky, server_id, "unshelve", {"availability_zone": "az1"}) == 202
    assert await shown(sky, server_id) == "az1"
    assert sent(sky, server_id)["unshelve"]["availability_zone"] == ("canary-1" if is_named else None)


@pytest.mark.parametrize("version", ["2.77", "2.90", UNPIN, NEWEST])
async def test_a_server_goes_to_an_az_of_an_aggregate_and_back(sky: Cloud, version: str) -> None:
    """What it was held to before counts no more, in its pod neither."""
    await aggregate(sky)
    server_id = await booted(sky, "az1")
    for zone, in_pod in (("fast", "tricircle.fast"), ("az1", None)):
        await act(sky, server_id, "shelve")
        assert await act(sky, server_id, "unshelve", {"availability_zone": zone}, version=version) == 202
        assert await shown(sky, server_id) == zone
        assert sky.apps["pod1"].nova.servers[server_id]["_zone"] == in_pod


async def test_an_older_pod_is_not_asked_for_what_it_does_not_know(sky: Cloud) -> None:
    async with transaction(sky.engine) as connection:
        for pod in await PodRows.list(connection):
            if not pod.is_central:
                older = replace(pod.endpoints[Service.COMPUTE], max_version="2.90")
                await PodRows.update(connection, replace(pod, endpoints={**pod.endpoints, Service.COMPUTE: older}))
    sky.registry.forget()
    server_id = await booted(sky, "az1")
    await act(sky, server_id, "shelve", version="2.90")
    assert await act(sky, server_id, "unshelve", {"availability_zone": "az1"}, version="2.90") == 202
    assert sent(sky, server_id) == {"unshelve": None}


async def test_what_was_refused_changes_nothing(sky: Cloud) -> None:
    server_id = await booted(sky, "az1")
    # It is not shelved.
    assert await act(sky, server_id, "unshelve", {"availability_zone": None}) == 409
    await act(sky, server_id, "shelve")
    with pytest.raises(InvalidRequestError, match="cannot be unshelved in az2"):
        await act(sky, server_id, "unshelve", {"availability_zone": "az2"})
    assert await shown(sky, server_id) == "az1"


async def test_a_server_may_be_pinned_to_the_az_of_an_aggregate_that_it_is_in(sky: Cloud) -> None:
    await aggregate(sky)
    server_id = await booted(sky, "fast")
    assert await pin(sky, server_id, "fast") == "fast"
    with pytest.raises(ConflictError, match="Unpin first"):
        await pin(sky, server_id, "az1")
    assert await pin(sky, server_id, None) is None
    with pytest.raises(ConflictError, match="its current availability zone 'fast', but 'az1' was requested"):
        await pin(sky, server_id, "az1")
    assert await pin(sky, server_id, "fast") == "fast"
    assert sky.apps["pod1"].nova.servers[server_id]["_zone"] == "tricircle.fast"
    assert await shown(sky, server_id) == "fast"


@pytest.mark.parametrize("is_named", [False, True])
async def test_a_server_that_asked_for_none_is_held_to_none(sky: Cloud, is_named: bool) -> None:
    """Though its pod may have been given the AZ that all servers there are given."""
    if is_named:
        await name_zones(sky)
    server_id = await booted(sky, None)
    pod_id = next(pod for pod in ("pod1", "pod2") if server_id in sky.apps[pod].nova.servers)
    number = pod_id.removeprefix("pod")
    assert sky.apps[pod_id].nova.servers[server_id]["_zone"] == (f"canary-{number}" if is_named else None)
    assert await shown(sky, server_id) is None
    assert await pin(sky, server_id, f"az{number}") == f"az{number}"
    assert await pin(sky, server_id, None) is None
    assert sky.apps[pod_id].nova.servers[server_id]["_zone"] is None
