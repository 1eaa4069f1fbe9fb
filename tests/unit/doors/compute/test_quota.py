# SPDX-License-Identifier: Apache-2.0
"""How many servers fit, and in which words is it said that they do not?"""

from dataclasses import replace

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, json_of
from tricircle.context import Deadline
from tricircle.doors.compute.quotas.quota import Amounts, fitting
from tricircle.doors.compute.quotas.usage import summed
from tricircle.errors import QuotaExceededError
from tricircle.model.routing import Kind
from tricircle.store.engine import transaction
from tricircle.testing.exchange import Asked, Refusal, Said

ONE = Amounts(1, 2, 64)


def test_as_many_as_fit() -> None:
    assert fitting(Amounts(10, -1, -1), Amounts(9, 0, 0), ONE, (1, 5)) == 1
    assert fitting(Amounts(-1, 20, 640), Amounts(9, 12, 0), ONE, (1, 5)) == 4
    assert fitting(Amounts(-1, -1, -1), Amounts(900, 900, 900), ONE, (3, 5)) == 5


@pytest.mark.parametrize(
    ("limits", "usage", "counts", "text"),
    [
        (
            Amounts(10, 20, 51200),
            Amounts(10, 10, 640),
            (1, 1),
            "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
        ),
        (
            Amounts(0, 0, -1),
            Amounts(0, 0, 0),
            (1, 3),
            "Quota exceeded for cores, instances: Requested 6, 1-3, but already used 0, 0 of 0, 0 cores, instances",
        ),
        (
            Amounts(-1, -1, 100),
            Amounts(1, 2, 64),
            (1, 1),
            "Quota exceeded for ram: Requested 64, but already used 64 of 100 ram",
        ),
    ],
)
def test_too_many(limits: Amounts, usage: Amounts, counts: tuple[int, int], text: str) -> None:
    with pytest.raises(QuotaExceededError) as caught:
        fitting(limits, usage, ONE, counts)
    assert caught.value.message == text


def test_usage_is_added_up_per_project() -> None:
    first = {
        "tenant_id": "a",
        "total_hours": 1.0,
        "start": "s",
        "server_usages": [{"name": "x", "flavor": "tricircle.m1"}],
    }
    second = {"tenant_id": "a", "total_hours": 0.5, "start": "s", "server_usages": [{"name": "y"}]}
    other = {"tenant_id": "b", "total_hours": 2}
    assert summed([first, other, second]) == [
        {
            "tenant_id": "a",
            "total_hours": 1.5,
            "start": "s",
            "server_usages": [{"name": "x", "flavor": "m1"}, {"name": "y"}],
        },
        {"tenant_id": "b", "total_hours": 2},
    ]


async def act(sky: Cloud, server_id: str, body: dict[str, object]) -> int:
    """One action, by somebody who does not wait for a second look."""
    context = replace(sky.context(), deadline=Deadline.after(4))
    return (await sky.ask("POST", f"/servers/{server_id}/action", body, context=context)).status


async def test_growth_counts_until_the_resize_is_done(sky: Cloud) -> None:
    """Nova says yes at once, and counts the new size when the server has moved."""
    nova = sky.apps["pod1"].nova

    def resize(asked: Asked, server_id: str) -> Said:
        if asked.json()["resize"]["flavorRef"] != "m2":
            raise Refusal(400, "No.")
        return Said(status=202)

    nova._act = resize  # type: ignore[method-assign]
    sky.flavor("m2", vcpus=2)
    ids = [await booted(sky) for _ in range(2)]
    limit(sky, cores=3)
    assert await act(sky, ids[0], {"resize": {"flavorRef": "m2"}}) == 202
    nova.servers[ids[0]]["status"] = "RESIZE"
    with pytest.raises(QuotaExceededError, match="Requested 1, but already used 3 of 3 cores"):
        await act(sky, ids[1], {"resize": {"flavorRef": "m2"}})
    nova.servers[ids[0]] |= {"status": "VERIFY_RESIZE"}
    nova.servers[ids[0]]["_flavor"]["vcpus"] = 2
    assert json_of(await sky.ask("GET", "/limits"))["limits"]["absolute"]["totalCoresUsed"] == 3
    assert await reserved(sky) == 0


async def test_undoing_a_resize_is_held_against_the_limit(sky: Cloud) -> None:
    """As in Nova: what a server gave away by shrinking may be taken when it wants to grow back."""
    nova = sky.apps["pod1"].nova
    nova._act = lambda asked, server_id: Said(status=202)  # type: ignore[method-assign]
    sky.flavor("m2", vcpus=2)
    shrunk = await booted(sky, flavorRef="m2")
    limit(sky, cores=2)
    assert await act(sky, shrunk, {"resize": {"flavorRef": "m1"}}) == 202
    nova.servers[shrunk] |= {"status": "VERIFY_RESIZE", "_flavor": nova.servers[shrunk]["_flavor"] | {"vcpus": 1}}
    other = await booted(sky)
    with pytest.raises(QuotaExceededError, match="Requested 1, but already used 2 of 2 cores"):
        await act(sky, shrunk, {"revertResize": None})
    del nova.servers[other]
    assert await act(sky, shrunk, {"revertResize": None}) == 202
    nova.servers[shrunk]["status"] = "REVERT_RESIZE"
    with pytest.raises(QuotaExceededError, match="already used 2 of 2 cores"):
        await booted(sky)
    nova.servers[shrunk] |= {"status": "ACTIVE", "_flavor": nova.servers[shrunk]["_flavor"] | {"vcpus": 2}}
    await sky.ask("GET", "/limits")
    assert await reserved(sky) == 0


async def test_the_resize_may_have_been_made_by_another_process(sky: Cloud) -> None:
    """What this one remembers of the server is older."""
    nova = sky.apps["pod1"].nova
    nova._act = lambda asked, server_id: Said(status=202)  # type: ignore[method-assign]
    sky.flavor("m2", vcpus=2)
    shrunk = await booted(sky, flavorRef="m2")
    remembered = await sky.routings.owned(Kind.SERVER, shrunk)
    assert remembered is not None
    assert await act(sky, shrunk, {"resize": {"flavorRef": "m1"}}) == 202
    sky.routings._recent.put(remembered)
    nova.servers[shrunk] |= {"status": "VERIFY_RESIZE", "_flavor": nova.servers[shrunk]["_flavor"] | {"vcpus": 1}}
    limit(sky, cores=1)
    with pytest.raises(QuotaExceededError):
        await act(sky, shrunk, {"revertResize": None})


@pytest.mark.parametrize("action", ["confirmResize", "migrate"])
async def test_a_former_size_counts_only_for_its_own_resize(sky: Cloud, action: str) -> None:
    nova = sky.apps["pod1"].nova
    nova._act = lambda asked, server_id: Said(status=202)  # type: ignore[method-assign]
    sky.flavor("m2", vcpus=2)
    server_id = await booted(sky, flavorRef="m2")
    assert await act(sky, server_id, {"resize": {"flavorRef": "m1"}}) == 202
    assert await act(sky, server_id, {action: None}) == 202
    nova.servers[server_id] |= {"status": "VERIFY_RESIZE", "_flavor": nova.servers[server_id]["_flavor"] | {"vcpus": 1}}
    limit(sky, cores=1)
    assert await act(sky, server_id, {"revertResize": None}) == 202
    assert await reserved(sky) == 0


async def test_a_server_that_comes_back_is_held_against_the_limit(sky: Cloud) -> None:
    nova = sky.apps["pod1"].nova
    nova._act = lambda asked, server_id: Said(status=202)  # type: ignore[method-assign]
    gone = await booted(sky)
    nova.servers[gone] |= {"status": "SOFT_DELETED", "_is_queued": True}
    limit(sky, instances=1)
    other = await booted(sky)
    with pytest.raises(QuotaExceededError, match="already used 1 of 1 instances"):
        await act(sky, gone, {"restore": None})
    del nova.servers[other]
    assert await act(sky, gone, {"restore": None}) == 202
    nova.servers[gone] |= {"status": "ACTIVE", "_is_queued": False}
    await sky.ask("GET", "/limits")
    assert await reserved(sky) == 0


async def booted(sky: Cloud, **fields: str) -> str:
    server = {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none", "availability_zone": "az1"}
    server |= fields
    context = replace(sky.context(), deadline=Deadline.after(4))
    made = str(json_of(await sky.ask("POST", "/servers", {"server": server}, context=context))["server"]["id"])
    await sky.ask("GET", "/limits")
    return made


def limit(sky: Cloud, **limits: int) -> None:
    sky.apps["central"].nova.quotas.stored = {sky.identities.projects["demo"].id: limits}


async def reserved(sky: Cloud) -> int:
    async with transaction(sky.engine) as connection:
        return len((await connection.exec_driver_sql("SELECT id FROM tricircle_reservations")).all())
