# SPDX-License-Identifier: Apache-2.0
"""What is a sum over pods when one of them, or all of them, refuse to say their part?"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
import pytest

from tests.unit.doors.counted import newly_counted
from tests.unit.road.scripted import World, json_reply, pod, request
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import Deadline, ProjectId
from tricircle.doors.block_storage.quotas.limits import Limits as VolumeLimits
from tricircle.doors.block_storage.quotas.quota import VolumeCounts
from tricircle.doors.compute.operators.hypervisors import Hypervisors
from tricircle.doors.compute.quotas.limits import Limits as ServerLimits
from tricircle.doors.compute.quotas.quota import ServerCounts
from tricircle.doors.compute.quotas.usage import Usage
from tricircle.errors import InvalidRequestError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.ledger.reservations import Reservations, Wanted
from tricircle.model.pod import PodState, Service
from tricircle.model.reservation import Reading
from tricircle.pods.bindings import Bindings
from tricircle.pods.registry import Registry
from tricircle.road.allowance import Allowance
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import metadata
from tricircle.upstream.client import Clients
from tricircle.upstream.reply import Call, Reply

VOLUMES_USED = (
    "totalVolumesUsed",
    "totalGigabytesUsed",
    "totalSnapshotsUsed",
    "totalBackupsUsed",
    "totalBackupGigabytesUsed",
)
ONE, TWO = pod("Pod1", "az1"), pod("Pod2", "az2")
NEXT = {"rel": "next", "href": "http://pod.internal/v2.1/os-simple-tenant-usage?marker=b"}
REFUSED = json_reply(403, {"forbidden": {"code": 403, "message": "no"}})


class Bound:
    """A project that is bound to these pods."""

    def __init__(self, pods: Collection[str]) -> None:
        self._pods = set(pods)

    async def pods_of(self, _project_id: str) -> set[str]:
        return self._pods


class Token:
    """The service user's token."""

    async def token(self, _deadline: Deadline) -> str:
        return "services-token"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """A database in which nobody has written anything down yet."""
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path / 'sums.db'}"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


async def ask(
    there: World, engine: Engine, what: str, asked: Request, bound: Collection[str] = (ONE.id, TWO.id)
) -> Answer:
    bindings = cast("Bindings", Bound(bound))
    servers, volumes = (
        Allowance(
            counts,
            books=Reservations(engine),
            clients=Clients(cast("Any", there.upstreams), Token()),
            registry=cast("Registry", there.registry),
            bindings=bindings,
        )
        for counts in (ServerCounts(), VolumeCounts())
    )
    handlers: dict[str, Any] = {
        "usage": Usage(carrier=there.carrier).index,
        "usage of one": Usage(carrier=there.carrier).show,
        "statistics": Hypervisors(carrier=there.carrier).statistics,
        "summary": VolumeLimits(carrier=there.carrier, allowance=volumes).summary,
        "server limits": ServerLimits(carrier=there.carrier, bindings=bindings, allowance=servers).limits,
        "volume quota": VolumeLimits(carrier=there.carrier, allowance=volumes).quota_set,
        "volume limits": VolumeLimits(carrier=there.carrier, allowance=volumes).limits,
    }
    answer: Answer = await handlers[what](asked)
    return answer


PARTS = {
    "usage": {"tenant_usages": [{"tenant_id": "p1", "total_hours": 1.0}]},
    "statistics": {"hypervisor_statistics": {"count": 1}},
    "summary": {"volume-summary": {"total_count": 1, "total_size": 1}},
    "server limits": {
        "limits": {"absolute": dict.fromkeys(("totalInstancesUsed", "totalCoresUsed", "totalRAMUsed"), 1)}
    },
    "volume limits": {"limits": {"absolute": dict.fromkeys(VOLUMES_USED, 1)}},
}
_COUNTED = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes")
#: Where pods are asked by ourselves, and what they say there.
READINGS = {
    "server limits": ("/v2.1/limits", PARTS["server limits"]),
    "volume limits": (
        "/v3/os-quota-sets/p1",
        {"quota_set": {name: {"in_use": 1, "reserved": 0, "limit": -1} for name in _COUNTED}},
    ),
}


def said(there: World, pod_id: str, what: str, reply: Reply | None = None) -> None:
    """What a pod answers to the part of a sum: its part, unless ``reply`` is given."""
    path, part = READINGS.get(what, ("/v2.1/sum", PARTS[what]))
    there.upstreams.said[pod_id, path] = json_reply(200, part) if reply is None else reply


@pytest.mark.parametrize("what", list(PARTS))
async def test_one_pods_refusal_makes_a_sum_incomplete(engine: Engine, what: str) -> None:
    there = World((ONE, TWO))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    said(there, "id-Pod1", what, REFUSED)
    said(there, "id-Pod2", what)
    with newly_counted() as counted:
        answer = await ask(there, engine, what, request("GET", "/sum"))
    assert isinstance(answer.body, bytes)
    assert (answer.status, msgspec.json.decode(answer.body)) == (200, PARTS[what])
    assert answer.header(INCOMPLETE_HEADER) == b"az1"
    assert counted == {("Pod1", "compute", "status 403"): 1}


@pytest.mark.parametrize("what", ["usage", "statistics", "summary"])
async def test_what_every_pod_refuses_is_refused(engine: Engine, what: str) -> None:
    there = World((ONE, TWO))
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = there.upstreams.said["id-Pod2", "/v2.1/sum"] = REFUSED
    assert (await ask(there, engine, what, request("GET", "/sum"))).status == 403


async def test_a_bad_limit_of_a_whole_answer_is_refused(engine: Engine) -> None:
    """It is not passed on to the pods; the centre says whether it is good, and is not asked for a marker."""
    there = World((ONE, TWO))
    for pod_id in (ONE.id, TWO.id):
        said(there, pod_id, "usage")
    bad = json_reply(400, {"badRequest": {"code": 400, "message": "Invalid input for query parameters limit."}})
    there.upstreams.said["central", "/v2.1/sum"] = bad
    assert (await ask(there, engine, "usage", request("GET", "/sum", query="limit=x&marker=m"))).status == 400
    (centre,) = [call.path for target, call in there.upstreams.calls if target.pod == "central"]
    assert centre == "/v2.1/sum?limit=x"
    assert (await ask(there, engine, "usage", request("GET", "/sum", query="marker=m"))).status == 400


def used(project: str, *servers: str) -> dict[str, Any]:
    """A project's usage in one pod: each server two hours with three CPUs."""
    rows = [{"instance_id": one, "hours": 2.0, "vcpus": 3, "memory_mb": 64, "local_gb": 1} for one in servers]
    return {"tenant_id": project, "start": "then", "stop": "now", "total_hours": 2.0 * len(rows), "server_usages": rows}


@pytest.mark.parametrize(
    ("query", "expected", "following"),
    [
        ("limit=2", {"p1": ["a", "b"]}, "b"),
        ("limit=2&marker=b", {"p1": ["c"], "p2": ["d"]}, "d"),
        ("limit=2&marker=d", {}, None),
        ("marker=a", {"p1": ["b", "c"], "p2": ["d"]}, None),
        ("limit=9", {"p1": ["a", "b", "c"], "p2": ["d"]}, None),
    ],
)
async def test_usage_comes_in_pages_of_servers(
    engine: Engine, query: str, expected: dict[str, list[str]], following: str | None
) -> None:
    """A client that goes on until a page is empty comes to an end, and counts nobody twice."""
    there = World((ONE, TWO))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"tenant_usages": []})
    said(there, "id-Pod1", "usage", json_reply(200, {"tenant_usages": [used("p1", "a", "c")]}))
    said(there, "id-Pod2", "usage", json_reply(200, {"tenant_usages": [used("p2", "d"), used("p1", "b")]}))
    asked = request("GET", "/sum", query=query)
    asked.microversion = (2, 40)
    body = (await ask(there, engine, "usage", asked)).object()
    found = body["tenant_usages"]
    assert isinstance(found, list)
    assert {one["tenant_id"]: one["total_vcpus_usage"] / 6 for one in found} == {
        project: len(servers) for project, servers in expected.items()
    }
    assert all("server_usages" not in one for one in found), "it was not asked for in detail"
    links = body.get("tenant_usages_links")
    assert (links is None) is (following is None)
    if isinstance(links, list):
        assert f"marker={following}" in links[0]["href"]
    assert "detailed=1" in there.upstreams.calls[-1][1].path


@dataclass
class ManyServers:
    """A pod's usage in pages of two servers, as Nova sends it whether or not a page is asked for. ``broken``: instead
    of the page behind a marker."""

    servers: tuple[str, ...]
    key: str = "tenant_usages"
    broken: dict[str, Reply | Exception] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)

    def __call__(self, call: Call) -> Reply:
        asked = dict(parse_qsl(call.path.partition("?")[2]))
        assert "limit" not in asked
        self.versions.append(dict(call.headers)[b"openstack-api-version"].decode())
        marker = asked.get("marker", "")
        broken = self.broken.get(marker)
        if isinstance(broken, Exception):
            raise broken
        if broken is not None:
            return broken
        start = self.servers.index(marker) + 1 if marker else 0
        page = self.servers[start : start + 2]
        parts = [used("p1", *page)] if page else []
        body: dict[str, Any] = {self.key: parts if self.key == "tenant_usages" else next(iter(parts), {})}
        if len(page) == 2 and self.versions[-1] != "compute 2.1":
            href = f"http://pod.internal/v2.1/os-simple-tenant-usage?marker={page[-1]}&start=then"
            body[f"{self.key}_links"] = [{"rel": "next", "href": href}]
        return json_reply(200, body)


MODERN = (pod("Pod1", "az1", compute="2.90"), pod("Pod2", "az2", compute="2.90"))


async def hours(there: World, engine: Engine, version: tuple[int, int], query: str = "start=then") -> Answer:
    """All projects' usage."""
    return await ask(there, engine, "usage", request("GET", "/sum", query=query, microversion=version))


@pytest.mark.parametrize("version", [(2, 1), (2, 39), (2, 40), (2, 90)])
@pytest.mark.parametrize("query", ["", "limit=100"])
async def test_usage_of_more_servers_than_a_pod_tells_at_once(
    engine: Engine, version: tuple[int, int], query: str
) -> None:
    there = World(MODERN)
    many, few = ManyServers(("a", "b", "c", "d", "e")), ManyServers(("f", "g"))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"tenant_usages": []})
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = many
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = few
    answer = await hours(there, engine, version, query)
    body = answer.object()
    (one,) = cast("list[dict[str, Any]]", body["tenant_usages"])
    assert (one["total_hours"], answer.header(INCOMPLETE_HEADER), list(body)) == (14.0, None, ["tenant_usages"])
    asked = max(version, (2, 40))
    assert many.versions == [f"compute {asked[0]}.{asked[1]}"] * 3
    assert len(few.versions) == 2


async def test_one_projects_usage_is_read_to_its_end_too(engine: Engine) -> None:
    there = World(MODERN)
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = ManyServers(("a", "b", "c"), key="tenant_usage")
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = ManyServers((), key="tenant_usage")
    answer = await Usage(carrier=there.carrier).show(request("GET", "/sum", microversion=(2, 1)))
    usage = cast("dict[str, Any]", answer.object()["tenant_usage"])
    assert [one["instance_id"] for one in usage["server_usages"]] == ["a", "b", "c"]


async def test_an_older_pod_is_asked_in_the_version_that_it_has(engine: Engine) -> None:
    there = World((pod("Pod1", "az1", compute="2.38"), MODERN[1]))
    old = ManyServers(("a", "b"))
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = old
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = ManyServers(("c",))
    answer = await hours(there, engine, (2, 1))
    (one,) = cast("list[dict[str, Any]]", answer.object()["tenant_usages"])
    assert (one["total_hours"], old.versions) == (6.0, ["compute 2.1"])


@pytest.mark.parametrize(
    "broken",
    [
        UnavailableError("no"),
        json_reply(500, {}),
        json_reply(400, {"badRequest": {"code": 400, "message": "marker"}}),
        json_reply(200, []),
        # In a circle, and on and on without anything.
        json_reply(200, {"tenant_usages": [used("p1", "a", "b")], "tenant_usages_links": [NEXT]}),
        json_reply(200, {"tenant_usages": [], "tenant_usages_links": [{**NEXT, "href": "?marker=x"}]}),
    ],
)
async def test_a_pod_whose_usage_breaks_off_is_left_out_and_named(engine: Engine, broken: Reply | Exception) -> None:
    there = World(MODERN)
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = ManyServers(("a", "b", "c", "d"), broken={"b": broken})
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = ManyServers(("f",))
    answer = await hours(there, engine, (2, 40))
    (one,) = cast("list[dict[str, Any]]", answer.object()["tenant_usages"])
    assert (one["total_hours"], answer.header(INCOMPLETE_HEADER)) == (2.0, b"az1")


@pytest.mark.parametrize("silence", [UnavailableError("no"), json_reply(503, {}), REFUSED])
async def test_a_marker_is_unknown_only_when_everybody_was_heard(engine: Engine, silence: Reply | Exception) -> None:
    there = World(MODERN)
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"tenant_usages": []})
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = ManyServers(("a",))
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = ManyServers(("b",))
    with pytest.raises(InvalidRequestError, match="Marker c could not be found"):
        await hours(there, engine, (2, 40), "marker=c")
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = silence
    with pytest.raises(UnavailableError, match="where the marker is"):
        await hours(there, engine, (2, 40), "marker=a")
    assert (await hours(there, engine, (2, 40), "marker=b")).status == 200


@pytest.mark.parametrize("query", ["%6Cimit=abc", "l%69mit=abc&%6darker=b", "limit=abc"])
async def test_an_encoded_name_in_a_query_is_the_same_name(engine: Engine, query: str) -> None:
    there = World(MODERN)

    def centre(call: Call) -> Reply:
        assert call.path == "/v2.1/sum?limit=abc"
        return json_reply(400, {"badRequest": {"code": 400, "message": "Invalid input for query parameters limit."}})

    there.upstreams.said["central", "/v2.1/sum"] = centre
    assert (await hours(there, engine, (2, 40), query)).status == 400
    assert [target.pod for target, _ in there.upstreams.calls] == ["central"]


async def test_one_projects_usage_comes_in_pages_without_a_word_of_detail(engine: Engine) -> None:
    """From 2.75 on Nova refuses it where all is in detail anyway."""
    there = World((ONE, TWO))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"tenant_usage": {}})
    said(there, "id-Pod1", "usage", json_reply(200, {"tenant_usage": used("p1", "a", "c")}))
    said(there, "id-Pod2", "usage", json_reply(200, {"tenant_usage": used("p1", "b")}))
    asked = request("GET", "/sum", query="limit=2")
    asked.microversion = (2, 75)
    body = (await ask(there, engine, "usage of one", asked)).object()
    usage = body["tenant_usage"]
    assert isinstance(usage, dict)
    assert [one["instance_id"] for one in usage["server_usages"]] == ["a", "b"]
    assert "marker=b" in str(body["tenant_usage_links"])
    assert not [call.path for _, call in there.upstreams.calls if "detailed" in call.path]


async def test_pods_are_not_asked_for_detail_twice(engine: Engine) -> None:
    there = World(MODERN)
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"tenant_usages": []})
    for one in MODERN:
        there.upstreams.said[one.id, "/v2.1/sum"] = ManyServers(("a",))
    query = "%64etailed=0&start=2026-01-01T00%3A00%3A00&limi%74=1"
    assert (await hours(there, engine, (2, 40), query)).status == 200
    asked = {call.path.partition("?")[2] for target, call in there.upstreams.calls if target.pod != "central"}
    assert asked == {"start=2026-01-01T00%3A00%3A00&detailed=1"}


@pytest.mark.parametrize("what", ["server limits", "volume limits"])
async def test_a_pod_that_is_silent_counts_with_what_it_said_last(engine: Engine, what: str) -> None:
    """To whichever process it said so: it is written down."""
    there, service = World((ONE, TWO)), Service.COMPUTE if what.startswith("server") else Service.BLOCK_STORAGE
    books = Reservations(engine)
    used = dict.fromkeys(("instances", "cores", "ram", "volumes", "gigabytes", "snapshots"), 4)
    reading = Reading(pod_id=ONE.id, amounts=used, seen_at=await books.time())
    await books.look(ProjectId("p1"), service, [reading])
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    said(there, "id-Pod1", what, REFUSED)
    said(there, "id-Pod2", what)
    answer = await ask(there, engine, what, request("GET", "/sum"))
    assert isinstance(answer.body, bytes)
    absolute = msgspec.json.decode(answer.body)["limits"]["absolute"]
    assert absolute["totalInstancesUsed" if service is Service.COMPUTE else "totalVolumesUsed"] == 5
    assert answer.header(INCOMPLETE_HEADER) == b"az1"


@pytest.mark.parametrize("what", ["summary", "server limits", "volume limits"])
async def test_one_pods_nonsense_makes_a_sum_incomplete(engine: Engine, what: str) -> None:
    """It is JSON, and not what was asked for."""
    there = World((ONE, TWO))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    said(there, "id-Pod1", what, json_reply(200, {}))
    said(there, "id-Pod2", what)
    answer = await ask(there, engine, what, request("GET", "/sum"))
    assert isinstance(answer.body, bytes)
    assert (answer.status, msgspec.json.decode(answer.body)) == (200, PARTS[what])
    assert answer.header(INCOMPLETE_HEADER) == b"az1"


async def test_no_query_of_a_client_decides_what_is_written_down(engine: Engine) -> None:
    """Cinder takes one value of ``usage``, and without usage it says nothing that could be counted."""
    there, books = World((ONE, TWO)), Reservations(engine)
    there.upstreams.said["central", "/v2.1/os-quota-sets/p1"] = json_reply(
        200, {"quota_set": {"volumes": {"limit": 9}}}
    )
    for pod_id in ("id-Pod1", "id-Pod2"):
        said(there, pod_id, "volume limits")
    asked = request("GET", "/os-quota-sets/p1", query="usage=true&usage=false")
    asked.params["project_id"] = "p1"
    assert (await ask(there, engine, "volume quota", asked)).status == 200
    assert (await books.look(ProjectId("p1"), Service.BLOCK_STORAGE, [])).used["volumes"] == 2
    asked_of_pods = {query for pod_id, _, query in there.upstreams.asked() if pod_id != "central"}
    assert asked_of_pods == {"/v3/os-quota-sets/p1?usage=True"}


async def test_a_pod_that_is_switched_off_is_not_asked(engine: Engine) -> None:
    there = World((ONE, replace(TWO, state=PodState.DISABLED)))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    said(there, "id-Pod1", "server limits")
    with newly_counted() as counted:
        answer = await ask(there, engine, "server limits", request("GET", "/sum"))
    assert {pod_id for pod_id, _, _ in there.upstreams.asked()} == {"central", "id-Pod1"}
    assert answer.header(INCOMPLETE_HEADER) == b"az2"
    assert counted == {("Pod2", "compute", "disabled"): 1}


async def test_a_reservation_before_the_binding_is_settled_too(engine: Engine) -> None:
    """A gateway died between the two: the pod is asked although the project is not bound to it."""
    there, books = World((ONE, TWO)), Reservations(engine)
    wanted = Wanted(
        project_id=ProjectId("p1"),
        service=Service.BLOCK_STORAGE,
        pod_id=ONE.id,
        fit=lambda _taken: [{"volumes": 1}],
        until_s=-60,
    )
    assert (await books.take(wanted, [])).ids
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    said(there, "id-Pod1", "volume limits")
    await ask(there, engine, "volume limits", request("GET", "/sum"), bound=())
    assert await books.open_in(ProjectId("p1"), Service.BLOCK_STORAGE) == frozenset()
