# SPDX-License-Identifier: Apache-2.0
"""Does a port that is found again, or made anew, still end with its server when the gateway had made it?"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.job_runs import job_run
from tricircle.context import PodId, ProjectId
from tricircle.copies.lost_ports import LostPorts
from tricircle.copies.origins import GATEWAY, USER, profile_of
from tricircle.copies.ports import Ports
from tricircle.errors import UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.ledger.leases import Lease
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
ROW = Routing(
    id=7, central_id="port1", kind=Kind.PORT, pod_id=POD.id, project_id=ProjectId("demo"), pod_resource_id="gone"
)


def central_port(origin: str | None, **fields: object) -> dict[str, object]:
    """A port that server1 has in Pod1, or had a moment ago."""
    plugged = {"device_id": "server1", "device_owner": "compute:az1", "binding:host_id": "Pod1"}
    profile = {} if origin is None else profile_of(origin, None)
    return {"id": "port1", "project_id": "demo", "network_id": "net1", "binding:profile": profile, **plugged, **fields}


def job(**payload: object) -> JobRun:
    """A job about the port."""
    return job_run(JobType.PORT, "port1", POD.id, payload=payload)


class Books:
    """The routing of the port, bound or not, or none; and its lease."""

    def __init__(self, row: Routing | None) -> None:
        self.row = row
        self.bound: dict[str, object] = {}

    async def copy_in(self, _kind: Kind, _id: str, _pod_id: str) -> Routing | None:
        return self.row

    async def copies_of(self, _kind: Kind, _id: str) -> list[Routing]:
        return [self.row] if self.row is not None else []

    async def forget(self, _id: int) -> bool:
        return True

    async def hold(self, _row: Routing, **_how: object) -> object:
        return "lease"

    async def take(self, *_what: object, **_how: object) -> Lease:
        key = {"kind": ROW.kind, "central_id": ROW.central_id, "pod_id": ROW.pod_id, "project_id": ROW.project_id}
        return Lease(routing_id=7, **key, owner="test", ttl_s=10, is_new=False)  # type: ignore[arg-type]

    async def bind(self, _lease: Lease, pod_id: str, *, details: dict[str, object], **_how: object) -> Routing:
        self.bound = details
        return replace(ROW, pod_resource_id=pod_id, details=details)

    async def unbind(self, _lease: object) -> None:
        return None

    async def drop(self, _lease: object) -> None:
        self.row = None

    async def release(self, _lease: object) -> None:
        return None


class PodServices:
    """The pod's Nova, where the server runs, and its Neutron, where the port is seen in lists only."""

    target = SimpleNamespace(url="")

    async def get(self, path: str, **_given: object) -> dict[str, Any]:
        if path.endswith("/os-interface"):
            return {"interfaceAttachments": []}
        if path.startswith("/v2.1/servers/"):
            return {"server": {"id": "server1", "status": "ACTIVE"}}
        if path.startswith("/v2.0/ports/"):
            raise UpstreamStatusError(404, '{"NeutronError": {"type": "PortNotFound"}}', "Pod1/network")
        return {"ports": [{"id": "left", "fixed_ips": []}]}

    async def post(self, _path: str, **_given: object) -> dict[str, Any]:
        return {}

    async def delete(self, _path: str, **_given: object) -> dict[str, Any]:
        return {}


def reach_of(books: Books, port: dict[str, object]) -> Any:
    """What the bodies of the jobs reach."""

    async def get(_pod_id: str) -> Pod:
        return POD

    async def named(_port_id: str, **_given: object) -> dict[str, object]:
        return port

    async def nothing(*_what: object) -> bool:
        return False

    async def filed(*_what: object, **_given: object) -> int:
        return 1

    return SimpleNamespace(
        routings=books,
        leases=books,
        registry=SimpleNamespace(get=get),
        central=SimpleNamespace(port=named),
        queue=SimpleNamespace(is_waiting=nothing, append=filed),
        compute=lambda _pod, _version: PodServices(),
        network=lambda _pod: PodServices(),
    )


@pytest.mark.parametrize(
    ("row", "kept", "expected"),
    [
        (None, GATEWAY, GATEWAY),
        (None, None, USER),
        (ROW, GATEWAY, GATEWAY),
        (replace(ROW, details={"origin": USER}), None, USER),
        (replace(ROW, details={"origin": GATEWAY}), None, GATEWAY),
    ],
)
async def test_a_copy_that_is_made_anew_keeps_its_maker(row: Routing | None, kept: str | None, expected: str) -> None:
    made: list[dict[str, object]] = []

    async def ensure(_pod: Pod, _port: object, *, details: dict[str, object], **_given: object) -> Routing:
        made.append(details)
        return replace(ROW, pod_resource_id="new")

    lost = LostPorts(reach_of(Books(row), central_port(kept)), SimpleNamespace(ensure=ensure))  # type: ignore[arg-type]
    assert await lost.agree(job(missing=True)) == {"copy": "new", "server": "server1"}
    assert made == [{"origin": expected, "server_id": "server1"}]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (central_port(GATEWAY), {"origin": GATEWAY, "server_id": "server1"}),
        (central_port(None), {"server_id": "server1"}),
        # The server has it in another pod: what is left here goes.
        (central_port(GATEWAY, **{"binding:host_id": "Pod2"}), {"origin": GATEWAY}),
    ],
)
async def test_a_copy_that_a_dead_attempt_left_is_adopted_with_what_the_centre_knows(
    port: dict[str, object], expected: dict[str, object]
) -> None:
    books = Books(replace(ROW, pod_resource_id=None))
    none: Any = None
    await Ports(reach_of(books, port), networks=none, subnets=none, groups=none, policies=none).agree(job())
    assert books.bound == {**expected, "network_id": "net1"}
