# SPDX-License-Identifier: Apache-2.0
"""How many servers fit, and in which words is it said that they do not?"""

import doctest
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, json_of
from tricircle.context import Deadline
from tricircle.doors.compute.quotas import allowed, amounts
from tricircle.doors.compute.quotas.allowed import Scope, fitting, is_narrower
from tricircle.doors.compute.quotas.amounts import Amounts
from tricircle.doors.compute.quotas.usage import summed
from tricircle.errors import QuotaExceededError
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.store.engine import transaction
from tricircle.testing.exchange import Asked, Refusal, Said

ONE = Amounts(1, 2, 64)


def test_as_many_as_fit() -> None:
    assert fitting([Scope(Amounts(10, -1, -1), Amounts(9, 0, 0))], ONE, (1, 5)) == 1
    assert fitting([Scope(Amounts(-1, 20, 640), Amounts(9, 12, 0))], ONE, (1, 5)) == 4
    assert fitting([Scope(Amounts(-1, -1, -1), Amounts(900, 900, 900))], ONE, (3, 5)) == 5
    both = [Scope(Amounts(10, 20, 640), Amounts(8, 16, 512)), Scope(Amounts(3, 20, 640), Amounts(2, 4, 128))]
    assert fitting(both, ONE, (1, 5)) == 1


def test_examples() -> None:
    for module in (allowed, amounts):
        result = doctest.testmod(module)
        assert (result.attempted > 0, result.failed) == (True, 0)


@pytest.mark.parametrize(
    ("user", "project", "is_so"),
    [
        (Amounts(10, 20, 640), Amounts(10, 20, 640), False),
        (Amounts(9, 20, 640), Amounts(10, 20, 640), True),
        (Amounts(11, 20, -1), Amounts(10, 20, 640), False),
        (Amounts(10, 20, 640), Amounts(10, 20, -1), True),
        (Amounts(-1, -1, -1), Amounts(-1, -1, -1), False),
        (Amounts(0, -1, -1), Amounts(0, -1, -1), False),
    ],
)
def test_whose_use_has_to_be_known(user: Amounts, project: Amounts, is_so: bool) -> None:
    assert is_narrower(user, project) is is_so


USERS, PROJECTS = Scope(Amounts(2, 9, -1), Amounts(2, 4, 128)), Scope(Amounts(10, 9, -1), Amounts(5, 9, 320))


@pytest.mark.parametrize(
    ("scopes", "text"),
    [
        ([Scope(Amounts(10, 99, -1), Amounts(5, 9, 320)), USERS], "instances: Requested 1, but already used 2 of 2 "),
        ([PROJECTS, Scope(Amounts(5, 9, -1), Amounts(2, 4, 128))], "cores: Requested 2, but already used 9 of 9 "),
        # As in Nova: the user's numbers stand for all, where one of the user's limits alone is too low.
        ([PROJECTS, USERS], "cores, instances: Requested 2, 1, but already used 4, 2 of 9, 2 "),
    ],
)
def test_too_many_for_the_project_or_for_the_user(scopes: list[Scope], text: str) -> None:
    with pytest.raises(QuotaExceededError) as caught:
        fitting(scopes, ONE, (1, 1))
    assert caught.value.message.startswith(f"Quota exceeded for {text}")


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
        fitting([Scope(limits, usage)], ONE, counts)
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


def resized(asked: Asked, **_path: str) -> Said:
    """A pod that knows one flavor."""
    if asked.json().get("resize", {"flavorRef": "m2"})["flavorRef"] != "m2":
        raise Refusal(400, "No.")
    return Said(status=202)


async def act(sky: Cloud, server_id: str, body: dict[str, object]) -> int:
    """One action, by somebody who does not wait for a second look."""
    context = replace(sky.context(), deadline=Deadline.after(4))
    return (await sky.ask("POST", f"/servers/{server_id}/action", body, context=context)).status


async def test_growth_counts_until_the_resize_is_done(sky: Cloud) -> None:
    """Nova says yes at once, and counts the new size when the server has moved."""
    nova = sky.apps["pod1"].nova
    nova._act = resized  # type: ignore[method-assign]
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


async def test_a_users_own_limit_counts_what_the_user_has(sky: Cloud) -> None:
    """In all pods; what others of the project have does not count."""
    await booted(sky)
    users_limit(sky, "demo", instances=1)
    for zone in ("az1", "az2"):
        with pytest.raises(QuotaExceededError, match="Requested 1, but already used 1 of 1 instances"):
            await booted(sky, availability_zone=zone)
    users_limit(sky, "demo")
    users_limit(sky, "admin", cores=1)
    assert await boot_as(sky, "admin") == 202
    with pytest.raises(QuotaExceededError, match="Requested 1, but already used 1 of 1 cores"):
        await boot_as(sky, "admin")
    await booted(sky, availability_zone="az2")


async def test_a_users_limit_is_asked_for_by_nobody_who_has_none(sky: Cloud) -> None:
    await booted(sky)
    asked = [path for to, _, path, _ in sky.wires.calls if "os-quota-sets" in path and "/detail" in path]
    assert asked == []


async def test_a_centre_that_finds_no_keystone_holds_nobody_to_limits_of_users(
    sky: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes none either: Nova asks Keystone for the project first."""
    nova = sky.apps["central"]

    async def without_keystone(scope: dict[str, Any], receive: object, send: Callable[..., Awaitable[None]]) -> None:
        if "os-quota-sets" not in scope["path"] or b"user_id" not in scope["query_string"]:
            await nova(scope, receive, send)
            return
        fault = {"badRequest": {"code": 400, "message": "Nova was unable to find Keystone service endpoint."}}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(fault).encode()})

    sky.apps["central"] = without_keystone
    await booted(sky)
    assert "does its [keystone] lead to Keystone?" in caplog.text


async def test_a_pod_that_is_silent_counts_for_the_user_as_it_said_last(sky: Cloud) -> None:
    users_limit(sky, "demo", instances=2)
    await booted(sky)
    await booted(sky, availability_zone="az2")
    with pytest.raises(QuotaExceededError):
        await booted(sky)  # both pods say what the user has
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    await sky.ask("GET", "/limits")
    with pytest.raises(QuotaExceededError, match="already used 2 of 2 instances"):
        await booted(sky)


async def test_what_grows_or_comes_back_is_held_against_its_users_limit(sky: Cloud) -> None:
    """Whoever lets it grow."""
    nova = sky.apps["pod1"].nova
    nova._act = resized  # type: ignore[method-assign]
    sky.flavor("m2", vcpus=2)
    server_id = await booted(sky)
    users_limit(sky, "demo", cores=1)
    operator = replace(sky.context("admin", "demo"), deadline=Deadline.after(4))
    with pytest.raises(QuotaExceededError, match="Requested 1, but already used 1 of 1 cores"):
        await sky.ask("POST", f"/servers/{server_id}/action", {"resize": {"flavorRef": "m2"}}, context=operator)
    nova.servers[server_id] |= {"status": "SOFT_DELETED", "_is_queued": True}
    users_limit(sky, "demo", cores=0)
    with pytest.raises(QuotaExceededError, match="Requested 1, but already used 0 of 0 cores"):
        await act(sky, server_id, {"restore": None})
    users_limit(sky, "demo", cores=1)
    assert await act(sky, server_id, {"restore": None}) == 202


async def test_a_users_limit_of_items_counts_beside_the_projects(sky: Cloud) -> None:
    server = {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none", "metadata": {"a": "1", "b": "2"}}
    users_limit(sky, "demo", metadata_items=1)
    with pytest.raises(QuotaExceededError, match="Maximum number of metadata items exceeds 1"):
        await sky.ask("POST", "/servers", {"server": server})
    users_limit(sky, "demo", metadata_items=-1)
    assert (await sky.ask("POST", "/servers", {"server": server})).status == 202


async def boot_as(sky: Cloud, user: str) -> int:
    """A boot in the same project by another user."""
    server = {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none", "availability_zone": "az1"}
    context = replace(sky.context(user, "demo"), deadline=Deadline.after(4))
    return (await sky.ask("POST", "/servers", {"server": server}, context=context)).status


def users_limit(sky: Cloud, user: str, **limits: int) -> None:
    key = sky.identities.projects["demo"].id, sky.context(user, user).user_id
    sky.apps["central"].nova.quotas.users[key] = limits


def limit(sky: Cloud, **limits: int) -> None:
    sky.apps["central"].nova.quotas.stored = {sky.identities.projects["demo"].id: limits}


async def reserved(sky: Cloud) -> int:
    async with transaction(sky.engine) as connection:
        return len((await connection.exec_driver_sql("SELECT id FROM tricircle_reservations")).all())
