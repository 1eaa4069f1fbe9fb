# SPDX-License-Identifier: Apache-2.0
"""What happens when a backup is restored? The pod is scripted here; ``tests/functional`` asks a real one."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
import pytest

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.doors.block_storage.quotas.quota import of_backup, of_snapshot, of_volume
from tricircle.doors.block_storage.volumes.derived import Derivation, Derived
from tricircle.doors.block_storage.volumes.handovers import Handovers
from tricircle.doors.block_storage.volumes.volume_views import ZONED
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.errors import InvalidRequestError, NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.allowance import Hold
from tricircle.upstream.reply import Reply

PODS = {name: Pod(id=PodId(name), name=name, az_name=f"az-{name}", pod_az_name=f"in-{name}") for name in ("p1", "p2")}


@dataclass
class Script:
    """A carrier, and all else that the handlers need: where things are, what pods answer, what was done."""

    places: dict[tuple[Kind, str], str] = field(default_factory=dict)
    answers: dict[tuple[str, str], object] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    done: list[tuple[str, ...]] = field(default_factory=list)
    sent: list[object] = field(default_factory=list)
    queries: list[bytes] = field(default_factory=list)
    versions: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    async def locate(self, kind: Kind, resource_id: str, _context: RequestContext) -> Any:
        if (kind, resource_id) not in self.places:
            raise NotFoundError(f"{kind} {resource_id} could not be found.")
        return type("Located", (), {"pod": PODS[self.places[kind, resource_id]]})

    async def to_pod(self, request: Request, pod: Pod, **given: Any) -> Reply:
        method, path = given.get("method") or request.method, given.get("path") or request.path
        self.done.append((method, path, pod.id))
        self.sent.append(given.get("body"))
        self.versions[path] = request.microversion
        self.queries += [given["query"]] if given.get("query") else []
        status = self.statuses.get(path, 200 if method == "GET" else 202)
        return Reply(status=status, headers=[], body=msgspec.json.encode(self.answers.get((method, path), {})))

    async def answer(self, _request: Request, _pod: Pod, reply: Reply, **_given: Any) -> Answer:
        return Answer(status=reply.status, body=reply.body)

    async def record(self, kind: Kind, resource_id: str, pod: Pod, _context: RequestContext) -> None:
        self.done.append(("record", kind, resource_id, pod.id))

    async def forget(self, kind: Kind, resource_id: str) -> None:
        self.done.append(("forget", kind, resource_id))

    async def take(self, _context: RequestContext, pod: Pod, asked: dict[str, int], **_given: Any) -> Hold:
        self.done.append(("take", pod.id, *(f"{name}={asked[name]}" for name in sorted(asked))))
        return Hold()

    async def ensure(self, first: Any, _second: Any, _deadline: Deadline) -> str:
        self.done.append(("ensure", getattr(first, "id", first)))
        return "gold"

    async def ensure_default(
        self, pod: Pod, _context: RequestContext, default: dict[str, object], _deadline: Deadline
    ) -> None:
        self.done.append(("default", pod.id, str(default["name"])))

    async def default(self, _context: RequestContext) -> dict[str, object]:
        return {"id": "t", "name": "gold"}

    def handovers(self) -> Handovers:
        return Handovers(self.needs())

    def needs(self) -> Needs:
        return Needs(
            carrier=cast("Any", self),
            registry=cast("Any", None),
            selection=cast("Any", None),
            clients=cast("Any", None),
            bindings=cast("Any", self),
            quota=cast("Any", self),
            types=cast("Any", self),
            copies=cast("Any", self),
            vanished=cast("Any", None),
            sources=cast("Any", None),
            images=cast("Any", None),
        )


def request(body: object, **params: str) -> Request:
    context = RequestContext(
        request_id="req-1",
        token="t",
        user_id="u",
        project_id=ProjectId("p"),
        roles=frozenset({"member"}),
        deadline=Deadline.after(5),
    )
    sent = [{"type": "http.request", "body": msgspec.json.encode(body), "more_body": False}]

    async def receive() -> dict[str, object]:
        return cast("dict[str, object]", sent.pop())

    return Request(
        method="POST",
        path="/v3/here",
        query=b"",
        headers=[],
        receive=receive,
        body_limit=10_000,
        context=context,
        params=params,
    )


async def test_a_backup_is_restored_into_a_new_volume_of_its_pod() -> None:
    script = Script(
        places={(Kind.BACKUP, "b"): "p2"},
        answers={
            ("GET", "/backups/b"): {"backup": {"size": 3}},
            ("POST", "/v3/here"): {"restore": {"backup_id": "b", "volume_id": "v"}},
        },
    )
    answer = await script.handovers().restore(request({"restore": {"name": "x"}}, backup_id="b"))
    assert answer.status == 202
    assert script.done == [
        ("GET", "/backups/b", "p2"),
        ("default", "p2", "gold"),
        ("take", "p2", "gigabytes=3", "gigabytes_gold=3", "volumes=1", "volumes_gold=1"),
        ("POST", "/v3/here", "p2"),
        ("forget", Kind.VOLUME, "v"),
        ("record", Kind.VOLUME, "v", "p2"),
    ]


async def test_a_backup_is_restored_into_a_volume_beside_it() -> None:
    script = Script(places={(Kind.BACKUP, "b"): "p2", (Kind.VOLUME, "v"): "p2"})
    await script.handovers().restore(request({"restore": {"volume_id": "v"}}, backup_id="b"))
    assert [step[0] for step in script.done] == ["POST"]


async def test_a_backup_is_not_restored_across_pods() -> None:
    script = Script(places={(Kind.BACKUP, "b"): "p2", (Kind.VOLUME, "v"): "p1"})
    with pytest.raises(InvalidRequestError, match="different places"):
        await script.handovers().restore(request({"restore": {"volume_id": "v"}}, backup_id="b"))
    assert script.done == []


@pytest.mark.parametrize(("zone", "inside"), [(None, None), ("az-p2", "in-p2")])
async def test_a_backup_is_made_beside_its_volume(zone: str | None, inside: str | None) -> None:
    script = Script(
        places={(Kind.VOLUME, "v"): "p2"},
        answers={("GET", "/volumes/v"): {"volume": {"size": 2}}, ("POST", "/v3/here"): {"backup": {"id": "b"}}},
    )
    backup = Derivation(
        entity="backup",
        kind=Kind.BACKUP,
        sources=(("volume_id", Kind.VOLUME),),
        price=of_backup,
        shape=ZONED,
    )
    make = Derived(carrier=cast("Any", script), quota=cast("Any", script)).making(backup)
    wanted = {"volume_id": "v"} | ({} if zone is None else {"availability_zone": zone})
    await make(request({"backup": wanted}))
    assert script.done[1:] == [
        ("take", "p2", "backup_gigabytes=2", "backups=1"),
        ("POST", "/v3/here", "p2"),
        ("record", Kind.BACKUP, "b", "p2"),
    ]
    sent = cast("dict[str, dict[str, object]]", script.sent[-1])["backup"]
    assert sent.get("availability_zone") == inside


async def test_a_backup_in_another_zone_is_refused() -> None:
    script = Script(places={(Kind.VOLUME, "v"): "p2"})
    backup = Derivation(entity="backup", kind=Kind.BACKUP, sources=(("volume_id", Kind.VOLUME),))
    make = Derived(carrier=cast("Any", script), quota=cast("Any", script)).making(backup)
    with pytest.raises(InvalidRequestError, match="Availability zone 'az-p1' is invalid"):
        await make(request({"backup": {"volume_id": "v", "availability_zone": "az-p1"}}))
    assert script.done == []


GROUP_VOLUMES = {"volumes": [{"id": "a", "size": 2, "volume_type": "gold"}, {"id": "b", "size": 3}]}


@pytest.mark.parametrize("source", ["source_group_id", "group_snapshot_id"])
async def test_a_group_takes_what_its_volumes_take(source: str) -> None:
    script = Script(
        places={(Kind.GROUP, "g"): "p2", (Kind.GROUP_SNAPSHOT, "gs"): "p2"},
        answers={
            ("GET", "/group_snapshots/gs"): {"group_snapshot": {"group_id": "g"}},
            ("GET", "/volumes/detail"): GROUP_VOLUMES,
            ("POST", "/v3/here"): {"group": {"id": "new"}},
        },
    )
    group = Derivation(
        entity="create-from-src",
        kind=Kind.GROUP,
        sources=(("group_snapshot_id", Kind.GROUP_SNAPSHOT), ("source_group_id", Kind.GROUP)),
        price=of_volume,
        once={"groups": 1},
        answered_as="group",
    )
    make = Derived(carrier=cast("Any", script), quota=cast("Any", script)).making(group)
    await make(request({"create-from-src": {source: "g" if source == "source_group_id" else "gs"}}))
    assert script.queries == [b"group_id=g"]
    assert script.done[-3:] == [
        ("take", "p2", "gigabytes=5", "gigabytes_gold=2", "groups=1", "volumes=2", "volumes_gold=1"),
        ("POST", "/v3/here", "p2"),
        ("record", Kind.GROUP, "new", "p2"),
    ]


async def test_a_snapshot_of_a_group_takes_one_of_every_volume() -> None:
    script = Script(places={(Kind.GROUP, "g"): "p2"}, answers={("GET", "/volumes/detail"): GROUP_VOLUMES})
    sources = (("group_id", Kind.GROUP),)
    snapshot = Derivation(entity="group_snapshot", kind=Kind.GROUP_SNAPSHOT, sources=sources, price=of_snapshot)
    make = Derived(carrier=cast("Any", script), quota=cast("Any", script)).making(snapshot)
    await make(request({"group_snapshot": {"group_id": "g"}}))
    assert ("take", "p2", "gigabytes=5", "gigabytes_gold=2", "snapshots=2", "snapshots_gold=1") in script.done


@pytest.mark.parametrize(("asked", "filtered"), [((3, 0), (3, 10)), (None, (3, 10)), ((3, 9), (3, 10)), ((3, 70),) * 2])
async def test_a_consistency_group_takes_what_its_own_volumes_take(
    asked: tuple[int, int] | None, filtered: tuple[int, int]
) -> None:
    """Below 3.10 Cinder passes over the filter by group, and below 3.14 it has no snapshots of groups."""
    script = Script(
        places={(Kind.GROUP_SNAPSHOT, "gs"): "p2"},
        answers={
            ("GET", "/group_snapshots/gs"): {"group_snapshot": {"group_id": "g"}},
            ("GET", "/volumes/detail"): GROUP_VOLUMES,
        },
    )
    group = Derivation(
        entity="consistencygroup-from-src",
        kind=Kind.GROUP,
        sources=(("cgsnapshot_id", Kind.GROUP_SNAPSHOT),),
        price=of_volume,
    )
    make = Derived(carrier=cast("Any", script), quota=cast("Any", script)).making(group)
    await make(replace(request({group.entity: {"cgsnapshot_id": "gs"}}), microversion=asked))
    assert script.versions["/volumes/detail"] == filtered
    assert script.versions["/group_snapshots/gs"] == max(filtered, (3, 14))
    assert script.versions["/v3/here"] == asked
    assert script.queries == [b"group_id=g"]


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        ({"/volumes/detail": 500}, GROUP_VOLUMES),
        ({"/volumes/detail": 403}, GROUP_VOLUMES),
        ({"/group_snapshots/gs": 500}, GROUP_VOLUMES),
        ({}, {"volumes": None}),
        # More behind it, again and again.
        ({}, GROUP_VOLUMES | {"volumes_links": [{"rel": "next", "href": "http://p2/v3/volumes/detail?marker=b"}]}),
    ],
)
async def test_nothing_is_made_of_a_group_whose_volumes_cannot_be_read(
    statuses: dict[str, int], shown: dict[str, object]
) -> None:
    script = Script(
        places={(Kind.GROUP_SNAPSHOT, "gs"): "p2"},
        answers={
            ("GET", "/group_snapshots/gs"): {"group_snapshot": {"group_id": "g"}},
            ("GET", "/volumes/detail"): shown,
        },
        statuses=statuses,
    )
    sources = (("group_snapshot_id", Kind.GROUP_SNAPSHOT),)
    group = Derivation(entity="create-from-src", kind=Kind.GROUP, sources=sources, price=of_volume)
    make = Derived(carrier=cast("Any", script), quota=cast("Any", script)).making(group)
    with pytest.raises(UnavailableError):
        await make(request({"create-from-src": {"group_snapshot_id": "gs"}}))
    assert {step[0] for step in script.done} == {"GET"}
