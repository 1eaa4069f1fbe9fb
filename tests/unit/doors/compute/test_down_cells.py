# SPDX-License-Identifier: Apache-2.0
"""What is said of the servers of a pod that does not answer? Nova's own form for cells that are down, key by key."""

from typing import Any

import msgspec
import pytest

from tests.unit.doors.compute.cloud import IMAGE, PUBLIC, Cloud
from tricircle.errors import NotFoundError, UnavailableError
from tricircle.http.message import Answer
from tricircle.model.pod import Service
from tricircle.model.routing import Kind

MARK = b"openstack-incomplete-azs"


def body(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    assert isinstance(answer.body, bytes)
    said: dict[str, Any] = msgspec.json.decode(answer.body)
    return said


async def boot(sky: Cloud, zone: str, **more: object) -> str:
    wanted = {"name": "vm", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none", "availability_zone": zone}
    made = await sky.ask("POST", "/servers", {"server": {**wanted, **more}})
    assert isinstance(made.body, bytes)
    return str(msgspec.json.decode(made.body)["server"]["id"])


@pytest.fixture
async def halved(sky: Cloud) -> tuple[str, str]:
    """A server in each pod; the second pod is away."""
    here, there = await boot(sky, "az1"), await boot(sky, "az2")
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    return here, there


def links(server_id: str, root: str = "/v2.1") -> list[dict[str, str]]:
    project = root.removeprefix("/v2.1")
    return [
        {"rel": "self", "href": f"{PUBLIC}/compute{root}/servers/{server_id}"},
        {"rel": "bookmark", "href": f"{PUBLIC}/compute{project}/servers/{server_id}"},
    ]


async def test_lists_begin_with_minimal_records(sky: Cloud, halved: tuple[str, str]) -> None:
    here, there = halved
    answer = await sky.ask("GET", "/servers")
    first, second = body(answer)["servers"]
    assert first == {"id": there, "status": "UNKNOWN", "links": links(there)}
    assert second["id"] == here
    assert answer.header(MARK) == b"az2"
    context = sky.context()
    root = f"/v2.1/{context.project_id}"
    answer = await sky.ask("GET", "/servers/detail", root=root)
    first, second = body(answer)["servers"]
    created = first.pop("created")
    assert len(created) == len("2026-01-01T00:00:00Z")
    assert first == {"id": there, "status": "UNKNOWN", "tenant_id": context.project_id, "links": links(there, root)}
    assert second["id"] == here


async def test_a_server_itself_is_shown_as_far_as_it_is_known(sky: Cloud, halved: tuple[str, str]) -> None:
    answer = await sky.ask("GET", f"/servers/{halved[1]}")
    server = body(answer)["server"]
    server.pop("created")
    context = sky.context()
    assert server == {
        "id": halved[1],
        "status": "UNKNOWN",
        "tenant_id": context.project_id,
        "user_id": context.user_id,
        "links": links(halved[1]),
        "image": {"id": IMAGE, "links": [{"rel": "bookmark", "href": f"{PUBLIC}/compute/images/{IMAGE}"}]},
        "flavor": {
            "vcpus": 1, "ram": 64, "disk": 1, "ephemeral": 0, "swap": 0, "original_name": "m1", "extra_specs": {},
        },
        "OS-EXT-AZ:availability_zone": "az2",
        "OS-EXT-STS:power_state": 0,
        "server_groups": [],
    }  # fmt: skip
    assert answer.header(MARK) == b"az2"
    assert "server_groups" not in body(await sky.ask("GET", f"/servers/{halved[1]}", version="2.70"))["server"]


@pytest.mark.parametrize("version", ["2.1", "2.68"])
async def test_older_clients_get_none(sky: Cloud, halved: tuple[str, str], version: str) -> None:
    """They would not understand it: the list lacks what is there, as Nova's does, and says from where."""
    answer = await sky.ask("GET", "/servers", version=version)
    assert [server["id"] for server in body(answer)["servers"]] == [halved[0]]
    assert answer.header(MARK) == b"az2"
    with pytest.raises(UnavailableError):
        await sky.ask("GET", f"/servers/{halved[1]}", version=version)


@pytest.mark.parametrize(
    ("query", "is_there"),
    [
        ("deleted=False", True),
        ("availability_zone=az2", True),
        ("availability_zone=az1", False),
        ("deleted=True", False),
        ("name=vm", False),
        ("limit=5", False),
        ("sort_key=created_at", False),
        ("status=ACTIVE", False),
    ],
)
async def test_which_lists_have_them(sky: Cloud, halved: tuple[str, str], query: str, is_there: bool) -> None:
    """None that asks for what only the pod can say, or is a page or in an order of its own."""
    try:
        shown = [server["id"] for server in body(await sky.ask("GET", f"/servers?{query}"))["servers"]]
    except UnavailableError:
        shown = []
    assert (halved[1] in shown) == is_there


async def test_administrators_see_those_of_whom_they_name(sky: Cloud, halved: tuple[str, str]) -> None:
    admin = sky.context("admin", "admin")
    owner, stranger = sky.context().project_id, sky.context("alt", "alt").project_id
    for query, is_there in (
        ("all_tenants=1", True),
        (f"all_tenants=True&project_id={owner}", True),
        (f"all_tenants=1&project_id={stranger}", False),
        (f"project_id={owner}", False),
        ("", False),
    ):
        answer = await sky.ask("GET", f"/servers?{query}", context=admin)
        shown = [one["id"] for one in body(answer)["servers"] if one.get("status") == "UNKNOWN"]
        assert (halved[1] in shown) == is_there, query


async def test_strangers_learn_nothing(sky: Cloud, halved: tuple[str, str]) -> None:
    stranger = sky.context("alt", "alt")
    answer = await sky.ask("GET", "/servers", context=stranger)
    assert body(answer)["servers"] == []
    with pytest.raises((UnavailableError, NotFoundError)):
        await sky.ask("GET", f"/servers/{halved[1]}", context=stranger)


async def test_when_nobody_answers_what_is_known_is_the_list(sky: Cloud, halved: tuple[str, str]) -> None:
    sky.wires.cut.add(("pod1", Service.COMPUTE))
    assert {one["id"] for one in body(await sky.ask("GET", "/servers"))["servers"]} == set(halved)
    with pytest.raises(UnavailableError):
        await sky.ask("GET", "/servers", context=sky.context("alt", "alt"))


async def test_what_is_deleted_is_not_listed(sky: Cloud) -> None:
    """Its pod goes away before anybody saw that it is gone."""
    server_id = await boot(sky, "az2")
    assert (await sky.ask("DELETE", f"/servers/{server_id}")).status == 204
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    assert body(await sky.ask("GET", "/servers"))["servers"] == []
    with pytest.raises(UnavailableError):
        await sky.ask("GET", f"/servers/{server_id}")


async def test_a_server_is_as_old_as_its_pod_said(sky: Cloud) -> None:
    """A boot is written down when it is answered, which may be later."""
    server_id = await boot(sky, "az2")
    made = sky.apps["pod2"].nova.servers[server_id]
    made["created"] = "2020-02-02T02:02:02Z"
    await sky.ask("GET", f"/servers/{server_id}")
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    assert body(await sky.ask("GET", f"/servers/{server_id}"))["server"]["created"] == made["created"]


async def test_what_nobody_booted_through_us_is_known_once_it_was_shown(sky: Cloud) -> None:
    """A row of a sweep or of a recovery has no details."""
    server_id = await boot(sky, "az2")
    known = await sky.routings.owned(Kind.SERVER, server_id)
    assert known is not None
    await sky.routings.update(known.id, details={"seen": None})
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    with pytest.raises(UnavailableError):
        await sky.ask("GET", f"/servers/{server_id}")
    sky.wires.cut.clear()
    shown = body(await sky.ask("GET", f"/servers/{server_id}"))["server"]
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    minimal = body(await sky.ask("GET", f"/servers/{server_id}"))["server"]
    for key in ("flavor", "image", "created", "user_id", "tenant_id"):
        assert minimal[key] == shown[key]
