# SPDX-License-Identifier: Apache-2.0
"""Where does a trunk go with its parent, and how does a port leave that a trunk holds?"""

import asyncio
from types import SimpleNamespace

import pytest

from tests.job_runs import job_run
from tricircle.audit.findings import What
from tricircle.audit.ports import astray
from tricircle.context import Deadline, PodId
from tricircle.copies.trunked import remove_port
from tricircle.copies.trunks import Trunks, difference, trunk_of
from tricircle.errors import ConflictError, RetryLaterError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod

SUB_PORT = {"port_id": "s1", "segmentation_type": "vlan", "segmentation_id": 7}
TRUNK = {"id": "t1", "name": "t", "admin_state_up": True, "port_id": "p1", "sub_ports": [SUB_PORT]}
COPY = {**TRUNK, "id": "x", "description": "tricircle:t1", "sub_ports": [{**SUB_PORT, "port_id": "copy1"}]}
POD = Pod(id=PodId("p1"), name="Pod1", az_name="az1", facts={"network_extensions": ["router"]})
CLIENT_ERRORS = {"parent": "PortInUseAsTrunkParent", "sub-port": "PortInUseAsSubPort"}


def test_a_parent_names_its_trunk() -> None:
    assert trunk_of({"trunk_details": {"trunk_id": "t1", "sub_ports": []}}) == "t1"
    assert trunk_of({"id": "p1"}) == ""


def test_sub_ports_are_compared_by_their_copies() -> None:
    assert difference(TRUNK, {"s1": "copy1"}, COPY) == []
    assert difference(TRUNK, {}, COPY) == ["sub_ports"]
    assert difference({**TRUNK, "name": "u", "sub_ports": []}, {}, COPY) == ["name", "sub_ports"]


async def test_a_pod_without_trunks_is_refused_before_it_is_asked() -> None:
    port = {"id": "p1", "trunk_details": {"trunk_id": "t1"}}
    nobody = SimpleNamespace()
    with pytest.raises(ConflictError, match="az1 offers no trunks"):
        await Trunks(nobody, nobody).ensure(POD, port, deadline=Deadline.after(5))  # type: ignore[arg-type]


class _Neutron:
    """A pod that refuses the first deletion of the port."""

    def __init__(self, refusal: str) -> None:
        self.refusal, self.calls = refusal, list[tuple[str, str]]()

    async def delete(self, path: str, **_: object) -> None:
        self.calls.append(("DELETE", path))
        if path == "/v2.0/ports/c1" and len(self.calls) == 1:
            raise UpstreamStatusError(409, self.refusal, "Pod1/network")

    async def put(self, path: str, **_: object) -> None:
        self.calls.append(("PUT", path))

    async def get(self, path: str, **_: object) -> dict[str, object]:
        return {"trunks": [{"id": "x", "admin_state_up": False}]}


def _reach(neutron: _Neutron) -> SimpleNamespace:
    async def by_pod_resource(*_: object) -> dict[str, object]:
        return {}

    return SimpleNamespace(network=lambda _pod: neutron, routings=SimpleNamespace(by_pod_resource=by_pod_resource))


async def test_a_parent_leaves_with_its_trunk_even_a_disabled_one() -> None:
    neutron = _Neutron(CLIENT_ERRORS["parent"])
    await remove_port(_reach(neutron), POD, "c1", Deadline.after(5))  # type: ignore[arg-type]
    gone = ("DELETE", "/v2.0/ports/c1")
    assert neutron.calls == [gone, ("PUT", "/v2.0/trunks/x"), ("DELETE", "/v2.0/trunks/x"), gone]


async def test_a_sub_port_waits_for_its_trunk() -> None:
    with pytest.raises(RetryLaterError):
        await remove_port(_reach(_Neutron(CLIENT_ERRORS["sub-port"])), POD, "c1", Deadline.after(5))  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", ["NetworkInUse", "<html>conflict</html>"])
async def test_other_refusals_are_errors(refusal: str) -> None:
    with pytest.raises(UpstreamStatusError):
        await remove_port(_reach(_Neutron(refusal)), POD, "c1", Deadline.after(5))  # type: ignore[arg-type]


class _Centre:
    """A trunk with two sub-ports that Pod1 carries; what is written is noted."""

    def __init__(self, parent_host: str) -> None:
        self.networking, self.parent_host = self, parent_host
        self.written: list[tuple[str, object, object]] = []

    async def trunk(self, *_: object, **__: object) -> dict[str, object]:
        return {**TRUNK, "sub_ports": [SUB_PORT, {**SUB_PORT, "port_id": "s2", "segmentation_id": 8}]}

    async def port(self, port_id: str, **_: object) -> dict[str, object]:
        return {"id": port_id, "binding:host_id": self.parent_host}

    async def ports(self, filters: dict[str, list[str]], **_: object) -> list[dict[str, object]]:
        hosts = {"s1": "Pod1", "s2": ""}
        return [{"id": one, "binding:host_id": hosts[one], "revision_number": 5} for one in filters["id"]]

    async def reply(self, method: str, path: str, *, body: object, headers: object, **_: object) -> SimpleNamespace:
        assert method == "PUT"
        self.written.append((path, body, headers))
        return SimpleNamespace(status=412)


def _job(**payload: object) -> JobRun:
    return job_run(JobType.TRUNK, "t1", POD.id, payload=payload, seconds=5)


async def _agree(centre: _Centre, **payload: object) -> None:
    async def nothing(*_: object) -> list[object]:
        return []

    routings = SimpleNamespace(copies_of=nothing)
    reach = SimpleNamespace(central=centre, routings=routings, registry=SimpleNamespace(pods=nothing))
    await Trunks(reach, SimpleNamespace()).agree(_job(**payload))  # type: ignore[arg-type]


async def test_sub_ports_that_stayed_without_their_parent_are_freed() -> None:
    """Unless somebody changed them since: a boot may have come."""
    centre = _Centre("")
    await _agree(centre)
    assert centre.written == [], "nobody looks at each change"
    await _agree(centre, differs=True)
    free = {"port": {"binding:host_id": "", "device_owner": ""}}
    assert centre.written == [("/v2.0/ports/s1", free, [(b"if-match", b"revision_number=5")])]


async def test_sub_ports_beside_their_parent_stay() -> None:
    centre = _Centre("Pod1")
    await _agree(centre, differs=True)
    assert centre.written == []


async def test_a_sweep_sees_sub_ports_without_their_parent() -> None:
    trunks = [TRUNK, {**TRUNK, "id": "t2", "port_id": "p2"}, {**TRUNK, "id": "t3", "sub_ports": []}]
    found = list(astray(trunks, {"s1"}, {"p2", "s1"}))
    assert [(one.central_id, one.what) for one in found] == [("t1", What.DIFFERS)]
    assert list(astray(trunks, set(), {"s1"})) == []


async def test_many_sub_ports_are_made_at_once_but_not_all() -> None:
    now, most = 0, 0

    class Ports:
        async def ensure(self, _pod: Pod, port: dict[str, object], **_: object) -> SimpleNamespace:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return SimpleNamespace(pod_resource_id=f"{port['id']}-copy")

    async def ports(filters: dict[str, list[str]], **_: object) -> list[dict[str, object]]:
        return [{"id": one, "binding:host_id": "Pod1"} for one in filters["id"]]

    rows = [{**SUB_PORT, "port_id": f"s{number}", "segmentation_id": number} for number in range(1, 151)]

    async def trunk(*_: object, **__: object) -> dict[str, object]:
        return {"id": "t1", "sub_ports": rows}

    reach = SimpleNamespace(central=SimpleNamespace(ports=ports, trunk=trunk))
    made = await Trunks(reach, Ports())._sub_ports(POD, await trunk(), Deadline.after(5))  # type: ignore[arg-type]
    assert made == {f"s{number}-copy": ("vlan", number) for number in range(1, 151)}
    assert 1 < most <= 8
