# SPDX-License-Identifier: Apache-2.0
"""How many calls does it take to see ports plugged in, and how long does anybody look?"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.job_runs import job_run
from tricircle.context import PodId, ProjectId
from tricircle.copies.reach import Reach
from tricircle.copies.statuses import Statuses, awaited, changed, plugged
from tricircle.errors import RetryLaterError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
TRUNK = {"trunk_id": "trunk1", "sub_ports": [{"port_id": "sub1"}]}


def _row(number: int, kind: Kind, central_id: str) -> Routing:
    copy_id, project_id = f"{central_id}-copy", ProjectId("demo")
    return Routing(
        id=number, central_id=central_id, kind=kind, pod_id=POD.id, project_id=project_id, pod_resource_id=copy_id
    )


class House:
    """A centre, a pod and the books; everything that is asked or written is noted."""

    def __init__(self, *port_ids: str) -> None:
        self.rows = {one: _row(number, Kind.PORT, one) for number, one in enumerate(port_ids)}
        self.trunks: dict[str, Routing] = {}
        self.central = {one: {"id": one, "status": "DOWN", "admin_state_up": True} for one in port_ids}
        self.pod: dict[str, dict[str, object]] = {f"{one}-copy": {"status": "DOWN"} for one in port_ids}
        self.state = PodState.ENABLED
        self.refused = "none"
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.filed: list[dict[str, object]] = []

    def reach(self) -> Reach:
        house: Any = self
        made = object.__new__(Reach)
        for name in ("routings", "registry", "central", "queue"):
            object.__setattr__(made, name, _Central(self) if name == "central" else house)
        object.__setattr__(made, "clients", self)
        return made

    def target(self, *_: object) -> None: ...

    def as_service(self, *_: object) -> "_Pod":
        return _Pod(self)

    async def get(self, _pod_id: str) -> Pod:
        return replace(POD, state=self.state)

    async def ports_of_server(self, server_id: str, _pod_id: str) -> list[Routing]:
        return list(self.rows.values()) if server_id == "server1" else []

    async def by_central(self, kind: Kind, ids: Iterable[str], _pod_id: str) -> dict[str, Routing]:
        rows = self.rows if kind is Kind.PORT else self.trunks
        return {one: rows[one] for one in ids if one in rows}

    async def update(self, routing_id: int, *, details: Mapping[str, object]) -> bool:
        for rows in (self.rows, self.trunks):
            rows |= {one: replace(row, details=details) for one, row in rows.items() if row.id == routing_id}
        return True

    async def append(self, type_: JobType, resource_id: str, _project_id: str, **given: Any) -> int:
        assert (type_, resource_id, given["pod_id"]) == (JobType.PORT_STATUS, POD.id, POD.id)
        self.filed.append(given["payload"])
        return 1


class _Central:
    def __init__(self, house: House) -> None:
        self.house, self.networking = house, self
        self.target = None

    async def ports(self, filters: Mapping[str, Any], **_: object) -> list[dict[str, object]]:
        self.house.asked.append("centre")
        return [self.house.central[one] for one in filters["id"] if one in self.house.central]

    async def get(self, path: str, **_: object) -> dict[str, object]:
        assert path.startswith("/v2.0/trunks?")
        return {"trunks": [{"id": "trunk1", "status": "DOWN"}]}

    async def put(self, path: str, *, body: object, **_: object) -> None:
        assert body == {"port": {}}
        if path.endswith(self.house.refused):
            raise UpstreamStatusError(400, "No.", "centre")
        self.house.shown.append(path.rsplit("/", 1)[1])


class _Pod:
    target = None

    def __init__(self, house: House) -> None:
        self.house = house

    async def get(self, path: str, **_: object) -> dict[str, object]:
        self.house.asked.append("pod")
        if path.startswith("/v2.0/trunks?"):
            return {"trunks": [{"id": "trunk1-copy", "status": "ACTIVE"}]}
        return {"ports": [{"id": one, **body} for one, body in self.house.pod.items() if f"id={one}" in path]}


def run(*payloads: dict[str, object], older_s: float = 0.0) -> JobRun:
    """A job that was filed so many seconds ago."""
    payload = {key: time.time() - older_s for one in payloads for key in one}
    return job_run(JobType.PORT_STATUS, POD.id, POD.id, payload=payload, seconds=5)


async def test_many_ports_cost_one_call_each_to_pod_and_centre() -> None:
    house = House(*(f"port{number}" for number in range(100)))
    with pytest.raises(RetryLaterError) as said:
        await Statuses(house.reach()).agree(run(plugged("server1")))
    assert house.asked == ["centre", "pod"]
    assert (house.shown, house.filed, said.value.after_s) == ([], [], 1.0)


async def test_a_port_that_the_centre_refuses_holds_up_no_other() -> None:
    house = House("port1", "port2")
    house.refused = "port1"
    house.pod = {one: {"status": "ACTIVE"} for one in house.pod}
    assert await Statuses(house.reach()).agree(run(awaited("port1"), awaited("port2")))
    assert (house.shown, house.filed) == (["port2"], [])


async def test_what_is_settled_is_written_and_the_rest_looked_at_later() -> None:
    house = House("port1", "port2")
    house.pod["port1-copy"]["status"] = "ACTIVE"
    report = await Statuses(house.reach()).agree(run(awaited("port1"), awaited("port2"), older_s=20))
    assert report == {"statuses": {"port1": "ACTIVE", "port2": "DOWN"}}
    assert house.rows["port1"].details == {"status": "ACTIVE"}
    assert (house.shown, [list(one) for one in house.filed]) == (["port1"], [["port/port2"]])


async def test_what_the_pod_could_not_bind_is_settled() -> None:
    house = House("port1")
    house.pod["port1-copy"]["binding:vif_type"] = "binding_failed"
    assert await Statuses(house.reach()).agree(run(plugged("server1"))) == {"statuses": {"port1": "ERROR"}}
    assert (house.shown, house.filed) == (["port1"], [])


@pytest.mark.parametrize(
    ("payload", "older_s", "is_over"),
    [(plugged("s"), 800, False), (plugged("s"), 901, True), (changed("s"), 50, False), (changed("s"), 61, True)],
)
async def test_nobody_looks_for_ever(payload: dict[str, object], older_s: float, is_over: bool) -> None:
    house = House("port1")
    only = run({key.replace("/s", "/server1"): value for key, value in payload.items()}, older_s=older_s)
    if is_over:
        assert await Statuses(house.reach()).agree(only) == {"statuses": {"port1": "DOWN"}}
    else:
        with pytest.raises(RetryLaterError):
            await Statuses(house.reach()).agree(only)
    assert house.filed == []


async def test_a_port_that_is_gone_or_switched_off_is_not_awaited() -> None:
    house = House("port1")
    house.central["port1"]["admin_state_up"] = False
    assert await Statuses(house.reach()).agree(run(awaited("port1"), awaited("port9"))) == {
        "statuses": {"port1": "DOWN"}
    }
    assert (house.shown, house.filed) == ([], [])


async def test_sub_ports_and_trunk_come_with_the_parent() -> None:
    house = House("port1", "sub1")
    house.central["port1"]["trunk_details"] = TRUNK
    house.trunks["trunk1"] = _row(9, Kind.TRUNK, "trunk1")
    for body in house.pod.values():
        body["status"] = "ACTIVE"
    report = await Statuses(house.reach()).agree(run(awaited("port1")))
    assert report == {"statuses": {"port1": "ACTIVE", "sub1": "ACTIVE"}}
    assert house.trunks["trunk1"].details == {"status": "ACTIVE"}
    assert (house.shown, house.filed) == (["port1", "sub1"], [])


async def test_a_pod_that_is_switched_off_is_not_asked() -> None:
    house = House("port1")
    house.state = PodState.DISABLED
    with pytest.raises(RetryLaterError):
        await Statuses(house.reach()).agree(run(awaited("port1")))
    assert house.asked == []
