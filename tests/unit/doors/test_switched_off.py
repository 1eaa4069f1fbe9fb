# SPDX-License-Identifier: Apache-2.0
"""What is said of what is in a pod that is switched off, that refuses or talks nonsense? It is named, and counted."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.unit.doors.counted import newly_counted
from tests.unit.road.scripted import World, caller, json_reply, pod, request
from tricircle.doors.block_storage.operators.everywhere import Everywhere
from tricircle.doors.block_storage.operators.hosts import Hosts as StorageHosts
from tricircle.doors.block_storage.operators.somewhere import Somewhere
from tricircle.doors.block_storage.quotas.limits import Limits as VolumeLimits
from tricircle.doors.compute.operators.aggregate_copies import AggregateCopies
from tricircle.doors.compute.operators.aggregates import Aggregates
from tricircle.doors.compute.operators.audit_logs import AuditLogs
from tricircle.doors.compute.operators.availability_zones import AvailabilityZones
from tricircle.doors.compute.operators.hosts import Hosts
from tricircle.doors.compute.operators.hypervisors import Hypervisors
from tricircle.doors.compute.operators.machines import Machines
from tricircle.doors.compute.proxies.storage_proxies import StorageProxies
from tricircle.doors.compute.quotas.usage import Usage
from tricircle.errors import UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import PodState, Service
from tricircle.road.gaps import INCOMPLETE_HEADER
from tricircle.road.row import Behaviour, Row
from tricircle.upstream.reply import Reply

ONE, TWO = pod("Pod1", "az1"), pod("Pod2", "az2")
OFF = replace(TWO, state=PodState.DISABLED)
REFUSED = json_reply(403, {"forbidden": {"code": 403, "message": "no"}})
NONSENSE = Reply(status=200, headers=[(b"content-type", b"application/json")], body=b"{nonsense}")
ROOT = {Service.COMPUTE: "/v2.1", Service.BLOCK_STORAGE: "/v3"}


@dataclass(frozen=True)
class Case:
    """A call that asks all pods.

    :ivar paths: that pods are asked for, under the version
    :ivar part: what a pod says
    """

    path: str
    part: Mapping[str, Any]
    handle: Callable[[World, Request], Awaitable[Answer]]
    paths: tuple[str, ...] = ()
    method: str = "GET"
    service: Service = Service.COMPUTE


def _everywhere(there: World) -> Everywhere:
    return Everywhere(carrier=there.carrier, hosts=StorageHosts(there.carrier), calls=cast("Any", None))


def _zones(there: World) -> AvailabilityZones:
    async def az_names() -> list[str]:
        return ["az1", "az2"]

    there.registry.az_names = az_names  # type: ignore[attr-defined]
    health = SimpleNamespace(answers=lambda _pod, _service: True)
    return AvailabilityZones(
        carrier=there.carrier, pods=cast("Any", there.registry), health=cast("Any", health), others=cast("Any", None)
    )


def _aggregates(there: World) -> Aggregates:
    machines = Machines(carrier=there.carrier)
    copies = AggregateCopies(carrier=there.carrier)
    return Aggregates(carrier=there.carrier, copies=copies, machines=machines, pods=cast("Any", there.registry))


async def _volumes(there: World, asked: Request) -> Answer:
    nobody = cast("Any", None)
    proxies = StorageProxies(carrier=there.carrier, policies=nobody, volume=nobody, snapshot=nobody)
    handler = cast("Any", proxies.index)
    return await proxies.index(
        asked, Row(("GET",), "/os-volumes", Behaviour.GATHER, collection="volumes", handler=handler)
    )


CASES = {
    "usage": Case("/sum", {"tenant_usages": []}, lambda there, asked: Usage(carrier=there.carrier).index(asked)),
    "statistics": Case(
        "/os-hypervisors/statistics",
        {"hypervisor_statistics": {"count": 1}},
        lambda there, asked: Hypervisors(carrier=there.carrier).statistics(asked),
    ),
    "hypervisor search": Case(
        "/os-hypervisors/node/search",
        {"hypervisors": [{"id": 1, "hypervisor_hostname": "node"}]},
        lambda there, asked: Hypervisors(carrier=there.carrier).search(asked),
    ),
    "os-hosts": Case(
        "/os-hosts",
        {"hosts": []},
        lambda there, asked: Hosts(carrier=there.carrier, machines=Machines(carrier=there.carrier)).index(asked),
    ),
    "audit log": Case(
        "/os-instance_usage_audit_log",
        {"instance_usage_audit_logs": {"num_hosts": 1}},
        lambda there, asked: AuditLogs(carrier=there.carrier).index(asked),
    ),
    "aggregates": Case(
        "/os-aggregates", {"aggregates": [{"id": 1}]}, lambda there, asked: _aggregates(there).index(asked)
    ),
    "os-volumes": Case("/os-volumes", {"volumes": []}, _volumes),
    "summary": Case(
        "/volumes/summary",
        {"volume-summary": {"total_count": 1, "total_size": 1}},
        lambda there, asked: VolumeLimits(carrier=there.carrier, allowance=cast("Any", None)).summary(asked),
        service=Service.BLOCK_STORAGE,
    ),
    "log levels": Case(
        "/os-services/get-log",
        {"log_levels": []},
        lambda there, asked: _everywhere(there).logs(asked),
        method="PUT",
        service=Service.BLOCK_STORAGE,
    ),
}
DOORS = {Service.COMPUTE: "compute", Service.BLOCK_STORAGE: "volume"}


async def ask(case: Case, there: World) -> Answer:
    """An administrator's call."""
    asked = request(
        case.method, case.path, root=ROOT[case.service], body=b"{}" if case.method == "PUT" else b"",
        context=caller("p1", "admin"),
    )  # fmt: skip
    asked.params["pattern"] = "node"
    return await case.handle(there, asked)


def world(case: Case, *pods: Any) -> World:
    """Pods that all say their part, and a centre that says the same."""
    there = World(pods, service=case.service, prefix="/" + DOORS[case.service])
    for name in ("central", ONE.id, TWO.id):
        there.upstreams.said[name, ROOT[case.service] + case.path] = json_reply(200, case.part)
    return there


@pytest.mark.parametrize("what", list(CASES))
async def test_a_pod_that_is_switched_off_is_named_and_counted(what: str) -> None:
    case = CASES[what]
    there = world(case, ONE, OFF)
    with newly_counted() as counted:
        answer = await ask(case, there)
    assert (answer.status, answer.header(INCOMPLETE_HEADER)) == (200, b"az2")
    assert counted == {("Pod2", DOORS[case.service], "disabled"): 1}
    assert OFF.id not in {where for where, _, _ in there.upstreams.asked()}


@pytest.mark.parametrize("what", list(CASES))
@pytest.mark.parametrize(("said", "reason"), [(REFUSED, "status 403"), (NONSENSE, "nonsense")])
async def test_one_that_refuses_or_talks_nonsense_is_named_and_counted(what: str, said: Reply, reason: str) -> None:
    case = CASES[what]
    there = world(case, ONE, TWO)
    there.upstreams.said[TWO.id, ROOT[case.service] + case.path] = said
    with newly_counted() as counted:
        answer = await ask(case, there)
    assert (answer.status, answer.header(INCOMPLETE_HEADER)) == (200, b"az2")
    # A change whose answer nobody can read may have been carried out, or not.
    reason = "no answer" if said is NONSENSE and case.method == "PUT" else reason
    assert counted == {("Pod2", DOORS[case.service], reason): 1}


@pytest.mark.parametrize("what", list(CASES))
async def test_a_whole_answer_is_not_marked(what: str) -> None:
    case = CASES[what]
    with newly_counted() as counted:
        answer = await ask(case, world(case, ONE, TWO))
    assert (answer.status, answer.header(INCOMPLETE_HEADER), counted) == (200, None, {})


async def test_hosts_of_zones_lack_a_pod_that_is_switched_off() -> None:
    there = World((ONE, OFF))
    zone = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": {"node": {}}}
    there.upstreams.said[ONE.id, "/v2.1/os-availability-zone/detail"] = json_reply(
        200, {"availabilityZoneInfo": [zone]}
    )
    with newly_counted() as counted:
        answer = await _zones(there).detail(request("GET", "/os-availability-zone/detail"))
    assert answer.header(INCOMPLETE_HEADER) == b"az2"
    assert counted == {("Pod2", "compute", "disabled"): 1}


async def test_what_may_be_in_a_pod_that_is_switched_off_is_not_called_unknown() -> None:
    """ "Not found" would be said to a client that then forgets it."""
    there = World((ONE, OFF))
    asked = request("GET", "/os-hypervisors/7")
    asked.params["hypervisor_id"] = "7"
    with newly_counted() as counted, pytest.raises(UnavailableError):
        await Hypervisors(carrier=there.carrier).show(asked)
    assert counted == {("Pod2", "compute", "disabled"): 1}
    storage = World((ONE, OFF), service=Service.BLOCK_STORAGE, prefix="/volume")
    with newly_counted() as counted, pytest.raises(UnavailableError):
        await Somewhere(storage.carrier).showing("message")(request("GET", "/messages/m", root="/v3"))
    assert counted == {("Pod2", "volume", "disabled"): 1}
    # A host's full name says which pod it is in.
    for name in ("Pod2.storage@lvm", "storage@lvm"):
        with pytest.raises(UnavailableError):
            await StorageHosts(storage.carrier).find(request("GET", "/", root="/v3"), name)
    with pytest.raises(UnavailableError):
        await Machines(carrier=there.carrier).find(request("GET", "/"), "Pod2.node")
