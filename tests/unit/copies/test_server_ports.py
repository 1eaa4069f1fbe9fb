# SPDX-License-Identifier: Apache-2.0
"""Is a port left alone that a server has, although the boot's last word about it did not reach the centre?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.job_runs import job_run
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.origins import GATEWAY, USER, profile_of
from tricircle.copies.server_ports import CLAIMED, PERHAPS_CLAIMED, ServerPorts, detached
from tricircle.errors import RetryLaterError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.reply import Reply

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

    def __init__(self, copy: Routing | None = COPY) -> None:
        self.copy = copy
        self.forgotten: list[int] = []

    async def ports_of_server(self, server_id: str, _pod_id: str) -> list[Routing]:
        return [self.copy] if self.copy is not None and server_id == "server1" else []

    async def copy_in(self, _kind: Kind, central_id: str, _pod_id: str) -> Routing | None:
        return self.copy if central_id == "port1" else None

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
        self.port = {**self.port, **body["port"]}
        return {"port": self.port}

    async def delete(self, path: str, **_given: object) -> dict[str, object]:
        self.deleted.append(path)
        return {}

    async def named(self, _port_id: str, **_given: object) -> dict[str, object]:
        return self.port

    async def ports(self, filters: dict[str, str], **_given: object) -> list[dict[str, object]]:
        is_there = not self.deleted and self.port["device_id"] == filters["device_id"]
        return [self.port] if is_there else []


class NoServer:
    """A Nova without the server that is asked for; others may be in the making, and some of them may be asked for."""

    target = SimpleNamespace(url="")

    def __init__(
        self,
        *building: dict[str, object],
        on_list: Callable[[], object] = lambda: None,
        date: datetime | None = None,
    ) -> None:
        self.building = list(building)
        self.on_list = on_list
        self.date = date

    async def get(self, path: str, **_given: object) -> dict[str, object]:
        if "status=BUILD" in path:
            self.on_list()
            return {"servers": self.building}
        for server in self.building:
            if path == f"/v2.1/servers/{server['id']}":
                return {"server": server}
        raise UpstreamStatusError(404, '{"itemNotFound": {}}', "Pod1/compute")

    async def reply(self, _method: str, _path: str, **_given: object) -> Reply:
        """Versions, and the time if this Nova is one that tells it."""
        date = [] if self.date is None else [(b"date", format_datetime(self.date, usegmt=True).encode())]
        return Reply(status=200, headers=date, body=b"{}")


class Removed:
    """``copies/ports.py``: writes down what is removed."""

    def __init__(self) -> None:
        self.ports: list[str] = []

    async def remove(self, _pod: Pod, port_id: str, _deadline: Deadline) -> None:
        self.ports.append(port_id)


def reach_of(nova: NoServer, in_pod: Neutron, central: Neutron, copy: Routing = COPY) -> SimpleNamespace:
    """What ``ServerPorts`` reaches; ``filed`` are the jobs that it files."""
    filed: list[tuple[object, ...]] = []

    async def get(_pod_id: str) -> Pod:
        return POD

    async def append(job_type: JobType, resource_id: str, _project_id: str, *, pod_id: str, **_: object) -> None:
        filed.append((job_type, resource_id, pod_id))

    return SimpleNamespace(
        routings=Books(copy),
        registry=SimpleNamespace(get=get),
        compute=lambda _pod, _version: nova,
        network=lambda _pod: in_pod,
        central=SimpleNamespace(port=central.named, ports=central.ports, networking=central),
        queue=SimpleNamespace(append=append),
        filed=filed,
    )


def claims_job(resource_id: str, payload: Mapping[str, object] = CLAIMED) -> JobRun:
    """A job for a claim, or for a server."""
    return job_run(JobType.SERVER_PORTS, resource_id, POD.id, payload=payload)


@pytest.mark.parametrize("owner", ["", "compute:az1"])
@pytest.mark.parametrize("holder", ["server1", ""])
async def test_a_claims_job_gives_the_server_the_port_that_it_has(owner: str, holder: str) -> None:
    """Ours (without owner) or the user's: what a server holds in the pod is given to it, else the claim is undone."""
    central = Neutron({"id": "port1", "device_id": "claim1", "device_owner": owner, "binding:host_id": "Pod1"})
    in_pod = Neutron({"id": "copy1", "device_id": holder})

    removed = Removed()
    reach, run = reach_of(NoServer(), in_pod, central), claims_job("claim1")
    await ServerPorts(reach, removed).agree(run)  # type: ignore[arg-type]
    if holder:
        assert central.written == {"device_id": "server1", "device_owner": "compute:az1"}
        assert (central.deleted, in_pod.deleted, removed.ports) == ([], [], [])
    else:
        assert bool(central.deleted) == (owner == "")
        assert bool(removed.ports) == (owner != "")


async def test_an_attempt_to_copy_is_settled_before_it_is_forgotten() -> None:
    """Nobody knows what it made in the pod, so what it may have there must not be given to others."""
    central = Neutron({"id": "port1", "device_id": "server1", "device_owner": "compute:az1"})
    reach = reach_of(NoServer(), central, central, replace(COPY, pod_resource_id=None))
    with pytest.raises(RetryLaterError):
        await ServerPorts(reach, Removed()).agree(claims_job("server1"))  # type: ignore[arg-type]
    assert reach.filed == [(JobType.PORT, "port1", POD.id)]
    assert (reach.routings.forgotten, central.deleted) == ([], [])


@pytest.mark.parametrize("origin", [GATEWAY, USER, None])
async def test_a_row_that_was_found_again_asks_the_port_who_made_it(origin: str | None) -> None:
    """Ours ends with its server; any other one is its user's."""
    profile = {} if origin is None else profile_of(origin, None)
    central = Neutron({"id": "port1", "device_id": "server1", "binding:profile": profile})
    in_pod = Neutron({"id": "copy1", "device_id": ""})
    reach = reach_of(NoServer(), in_pod, central, replace(COPY, details={"server_id": "server1"}))
    await ServerPorts(reach, Removed()).agree(claims_job("server1"))  # type: ignore[arg-type]
    assert (central.deleted, in_pod.deleted) == (
        ["/v2.0/ports/port1"] if origin == GATEWAY else [],
        ["/v2.0/ports/copy1"],
    )
    assert central.written.get("device_id") == (None if origin == GATEWAY else "")


@pytest.mark.parametrize("has_copy", [True, False])
@pytest.mark.parametrize("of_ours", [{}, {"tricircle": {"asked_az": "az1"}}])
async def test_what_an_operator_wrote_into_a_port_outlives_its_server(has_copy: bool, of_ours: dict[str, Any]) -> None:
    """What we wrote does not."""
    foreign = {"trusted": "true", "capabilities": ["switchdev"]}
    central = Neutron(
        {
            "id": "port1",
            "device_id": "server1",
            "device_owner": "compute:az1",
            "binding:host_id": "Pod1",
            "binding:profile": {**foreign, **of_ours},
        }
    )
    brought = replace(COPY, details={"server_id": "server1", "origin": USER})
    reach = reach_of(NoServer(), Neutron({"id": "copy1", "device_id": ""}), central, brought)
    if not has_copy:
        reach.routings = Books(None)
    await ServerPorts(reach, Removed()).agree(claims_job("server1"))  # type: ignore[arg-type]
    released = {"device_id": "", "device_owner": "", "binding:host_id": ""}
    assert central.written == ({**released, "binding:profile": foreign} if of_ours else released)
    assert central.port["binding:profile"] == foreign


@pytest.mark.parametrize(
    ("age", "addresses", "waits"),
    [(timedelta(seconds=90), {}, True), (timedelta(hours=2), {}, False), (timedelta(seconds=90), {"net": []}, False)],
)
async def test_ports_wait_while_a_server_is_built_that_may_get_them(
    age: timedelta, addresses: dict[str, object], waits: bool
) -> None:
    """The boot was accepted and not answered, and the pod has not yet written into the ports whose they are."""
    central = Neutron({"id": "port1", "device_id": "server1", "device_owner": "", "binding:host_id": "Pod1"})
    in_pod = Neutron({"id": "copy1", "device_id": ""})
    created = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    nova = NoServer({"id": "server2", "created": created, "addresses": addresses})
    job = ServerPorts(reach_of(nova, in_pod, central), Removed())  # type: ignore[arg-type]
    if waits:
        with pytest.raises(RetryLaterError):
            await job.agree(claims_job("server1"))
        assert (central.deleted, in_pod.deleted) == ([], [])
    else:
        await job.agree(claims_job("server1"))
        assert in_pod.deleted == ["/v2.0/ports/copy1"]


@pytest.mark.parametrize("hours", [1, -1, 3])
async def test_how_long_a_server_is_built_is_told_by_the_pods_own_clock(hours: float) -> None:
    """A clock that is behind takes no port from a server that is being built; one before ours holds nobody up."""
    there = datetime.now(UTC) + timedelta(hours=hours)
    for age, waits in ((timedelta(seconds=90), True), (timedelta(minutes=65), False)):
        central = Neutron({"id": "port1", "device_id": "server1", "device_owner": "", "binding:host_id": "Pod1"})
        in_pod = Neutron({"id": "copy1", "device_id": ""})
        nova = NoServer({"id": "server2", "created": (there - age).isoformat(), "addresses": {}}, date=there)
        job = ServerPorts(reach_of(nova, in_pod, central), Removed())  # type: ignore[arg-type]
        if waits:
            with pytest.raises(RetryLaterError):
                await job.agree(claims_job("server1"))
        else:
            await job.agree(claims_job("server1"))
        assert in_pod.deleted == ([] if waits else ["/v2.0/ports/copy1"])


@pytest.mark.parametrize(
    ("payload", "age", "waits"),
    [
        (CLAIMED, timedelta(minutes=50), True),
        (CLAIMED, timedelta(hours=2), False),
        ({}, timedelta(0), False),
        (PERHAPS_CLAIMED, timedelta(minutes=50), True),
        (PERHAPS_CLAIMED, timedelta(hours=2), False),
    ],
)
async def test_only_a_claim_waits_for_servers_that_are_built(
    payload: Mapping[str, object], age: timedelta, waits: bool
) -> None:
    """A server that is gone has no routing either, as soon as somebody was told that it is gone: its ports go at once,
    whatever else the project builds. For a claim, and who cannot tell one, the age of the port counts.
    """
    written = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    central = Neutron({"id": "port1", "device_id": "server1", "updated_at": written, "binding:host_id": "Pod1"})
    in_pod = Neutron({"id": "copy1", "device_id": ""})
    nova = NoServer({"id": "server2", "created": datetime.now(UTC).isoformat(), "addresses": {}})
    job = ServerPorts(reach_of(nova, in_pod, central), Removed())  # type: ignore[arg-type]
    if waits:
        with pytest.raises(RetryLaterError):
            await job.agree(claims_job("server1", payload))
        assert (central.deleted, in_pod.deleted) == ([], [])
    else:
        await job.agree(claims_job("server1", payload))
        assert (central.deleted, in_pod.deleted) == (["/v2.0/ports/port1"], ["/v2.0/ports/copy1"])


def built(server_id: str) -> dict[str, object]:
    """A server whose boot was accepted a moment ago."""
    return {"id": server_id, "status": "BUILD", "created": datetime.now(UTC).isoformat(), "addresses": {}}


@pytest.mark.parametrize("owner", ["", "compute:az1"])
async def test_a_port_whose_row_names_a_server_that_is_built_is_given_to_it(owner: str) -> None:
    """The gateway died between its two notes about a boot; the pod's Nova has not yet written whose the port is."""
    central = Neutron({"id": "port1", "device_id": "claim1", "device_owner": owner, "binding:host_id": "Pod1"})
    in_pod, removed = Neutron({"id": "copy1", "device_id": ""}), Removed()
    reach = reach_of(NoServer(built("server1")), in_pod, central)
    await ServerPorts(reach, removed).agree(claims_job("claim1"))  # type: ignore[arg-type]
    assert central.written == {"device_id": "server1", "device_owner": "compute:az1"}
    assert (central.deleted, in_pod.deleted, removed.ports) == ([], [], [])


@pytest.mark.parametrize("owner", ["", "compute:az1"])
async def test_a_port_without_a_row_of_the_claims_waits_as_well(owner: str) -> None:
    central = Neutron({"id": "port1", "device_id": "claim1", "device_owner": owner, "binding:host_id": "Pod1"})
    in_pod, removed = Neutron({"id": "copy1", "device_id": ""}), Removed()
    reach = reach_of(NoServer(built("server2")), in_pod, central, replace(COPY, details={}))
    with pytest.raises(RetryLaterError):
        await ServerPorts(reach, removed).agree(claims_job("claim1"))  # type: ignore[arg-type]
    assert (central.deleted, central.written, removed.ports) == ([], {}, [])


@pytest.mark.parametrize("claim", ["server1", "claim1"])
async def test_what_the_pod_writes_while_the_job_looks_at_servers_counts(claim: str) -> None:
    """The server got its addresses after the port was seen free, and before the list of servers without them."""
    central = Neutron({"id": "port1", "device_id": claim, "device_owner": "", "binding:host_id": "Pod1"})
    in_pod, removed = Neutron({"id": "copy1", "device_id": ""}), Removed()

    def plug() -> None:
        in_pod.port = {**in_pod.port, "device_id": "server2"}

    copy = replace(COPY, details={"server_id": claim})
    reach = reach_of(NoServer(on_list=plug), in_pod, central, copy)
    await ServerPorts(reach, removed).agree(claims_job(claim))  # type: ignore[arg-type]
    assert central.written == {"device_id": "server2", "device_owner": "compute:az1"}
    assert (central.deleted, in_pod.deleted, removed.ports) == ([], [], [])


class Living:
    """A Nova with the server, and what it shows of its interfaces."""

    target = SimpleNamespace(url="")

    def __init__(self, *macs: str) -> None:
        self.macs = macs

    async def get(self, path: str, **_given: object) -> dict[str, object]:
        if path.endswith("/os-interface"):
            return {"interfaceAttachments": [{"port_id": f"in-pod-{mac}", "mac_addr": mac} for mac in self.macs]}
        return {"server": {"id": "server1", "status": "ACTIVE", "OS-EXT-STS:task_state": None}}


@pytest.mark.parametrize(
    ("holder", "macs", "has_copy", "is_cleared"),
    [
        ("server1", (), False, True),
        ("server1", ("fa:16:3e:00:00:01",), False, False),
        ("server1", (), True, False),
        ("server2", (), False, False),
    ],
)
async def test_what_a_run_left_at_the_centre_after_a_detach_is_let_go(
    holder: str, macs: tuple[str, ...], *, has_copy: bool, is_cleared: bool
) -> None:
    """Copy and routing are gone, and the centre was not told. What is in a server, or copied anew, is not touched."""
    central = Neutron({"id": "port1", "device_id": holder, "mac_address": "fa:16:3e:00:00:01"})
    in_pod = Neutron({"id": "copy1", "device_id": "server1"})
    reach = reach_of(Living(*macs), in_pod, central)  # type: ignore[arg-type]
    reach.routings.ports_of_server = _nothing
    if not has_copy:
        reach.routings.copy_in = _nobody
    run = claims_job("server1", {**detached("port1"), "other": 1})
    await ServerPorts(reach, Removed()).agree(run)  # type: ignore[arg-type]
    assert (central.port["device_id"] == "") is is_cleared
    assert (central.deleted, in_pod.deleted) == ([], [])


async def _nothing(*_given: object) -> list[Routing]:
    return []


async def _nobody(*_given: object) -> None:
    return None
