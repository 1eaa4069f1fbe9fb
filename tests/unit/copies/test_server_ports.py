# SPDX-License-Identifier: Apache-2.0
"""Is a port left alone that a server has, although the boot's last word about it did not reach the centre?"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.server_ports import GATEWAY, ServerPorts
from tricircle.errors import RetryLaterError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
COPY = Routing(
    id=7,
    central_id="port1",
    kind=Kind.PORT,
    pod_id=POD.id,
    project_id=ProjectId("demo"),
    pod_resource_id="copy1",
    details={"origin": GATEWAY, "server_id": "server1"},
)


class Books:
    """The routing of one port, which names the server already."""

    def __init__(self) -> None:
        self.forgotten: list[int] = []

    async def ports_of_server(self, server_id: str, _pod_id: str) -> list[Routing]:
        return [COPY] if server_id == "server1" else []

    async def copy_in(self, _kind: Kind, central_id: str, _pod_id: str) -> Routing | None:
        return COPY if central_id == "port1" else None

    async def update(self, _routing_id: int, **_facts: object) -> bool:
        return True

    async def owned(self, _kind: Kind, _id: str) -> Routing | None:
        return None

    async def forget(self, routing_id: int) -> bool:
        self.forgotten.append(routing_id)
        return True


class Neutron:
    """A Neutron that shows one port and writes down what is done to it."""

    def __init__(self, port: dict[str, object]) -> None:
        self.port = port
        self.deleted: list[str] = []
        self.written: dict[str, object] = {}

    async def get(self, _path: str, **_given: object) -> dict[str, object]:
        return {"port": self.port}

    async def put(self, _path: str, *, body: dict[str, Any], **_given: object) -> dict[str, object]:
        self.written |= body["port"]
        return {"port": self.port}

    async def delete(self, path: str, **_given: object) -> dict[str, object]:
        self.deleted.append(path)
        return {}

    async def ports(self, filters: dict[str, str], **_given: object) -> list[dict[str, object]]:
        return [self.port] if self.port["device_id"] == filters["device_id"] else []


class NoServer:
    """A Nova without the server that is asked for."""

    async def get(self, _path: str, **_given: object) -> dict[str, object]:
        raise UpstreamStatusError(404, '{"itemNotFound": {}}', "Pod1/compute")


class Removed:
    """``copies/ports.py``: writes down what is removed."""

    def __init__(self) -> None:
        self.ports: list[str] = []

    async def remove(self, _pod: Pod, port_id: str, _deadline: Deadline) -> None:
        self.ports.append(port_id)


@pytest.mark.parametrize("owner", ["", "compute:az1"])
@pytest.mark.parametrize("holder", ["server1", ""])
async def test_a_claims_job_gives_the_server_the_port_that_it_has(owner: str, holder: str) -> None:
    """Ours (without owner) or the user's: what a server holds in the pod is given to it, else the claim is undone."""
    central = Neutron({"id": "port1", "device_id": "claim1", "device_owner": owner, "binding:host_id": "Pod1"})
    in_pod = Neutron({"id": "copy1", "device_id": holder})

    async def get(_pod_id: str) -> Pod:
        return POD

    removed = Removed()
    reach = SimpleNamespace(
        routings=Books(),
        registry=SimpleNamespace(get=get),
        compute=lambda _pod, _version: NoServer(),
        network=lambda _pod: in_pod,
        central=SimpleNamespace(ports=central.ports, networking=central),
    )
    run = JobRun(
        type=JobType.SERVER_PORTS,
        resource_id="claim1",
        pod_id=POD.id,
        project_id=ProjectId("demo"),
        revision=None,
        payload={},
        deadline=Deadline.after(10),
    )
    await ServerPorts(reach, removed).agree(run)  # type: ignore[arg-type]
    if holder:
        assert central.written == {"device_id": "server1", "device_owner": "compute:az1"}
        assert (central.deleted, in_pod.deleted, removed.ports) == ([], [], [])
    else:
        assert bool(central.deleted) == (owner == "")
        assert bool(removed.ports) == (owner != "")


async def test_an_attempt_to_copy_is_settled_before_it_is_forgotten() -> None:
    """Nobody knows what it made in the pod, so what it may have there must not be given to others."""
    books, filed = Books(), []
    central = Neutron({"id": "port1", "device_id": "server1", "device_owner": "compute:az1"})

    async def attempts(_server_id: str, _pod_id: str) -> list[Routing]:
        return [replace(COPY, pod_resource_id=None)]

    async def get(_pod_id: str) -> Pod:
        return POD

    async def append(job_type: JobType, resource_id: str, _project_id: str, *, pod_id: str) -> None:
        filed.append((job_type, resource_id, pod_id))

    books.ports_of_server = attempts  # type: ignore[method-assign]
    reach = SimpleNamespace(
        routings=books,
        registry=SimpleNamespace(get=get),
        compute=lambda _pod, _version: NoServer(),
        network=lambda _pod: central,
        central=SimpleNamespace(ports=central.ports, networking=central),
        queue=SimpleNamespace(append=append),
    )
    run = JobRun(
        type=JobType.SERVER_PORTS,
        resource_id="server1",
        pod_id=POD.id,
        project_id=ProjectId("demo"),
        revision=None,
        payload={},
        deadline=Deadline.after(10),
    )
    with pytest.raises(RetryLaterError):
        await ServerPorts(reach, Removed()).agree(run)  # type: ignore[arg-type]
    assert (filed, books.forgotten, central.deleted) == ([(JobType.PORT, "port1", POD.id)], [], [])
