# SPDX-License-Identifier: Apache-2.0
"""Does a slice stay with the pod as long as a subnet there may use it?"""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.addresses import Slice
from tricircle.copies.ensure import Create
from tricircle.copies.subnets import Subnets
from tricircle.errors import ConflictError, UnavailableError, UpstreamStatusError
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
NETWORK = Routing(
    id=1, central_id="net1", kind=Kind.NETWORK, pod_id=POD.id, project_id=ProjectId("demo"), pod_resource_id="copy1"
)
SUBNET = {"id": "sub1", "project_id": "demo", "cidr": "10.0.0.0/24", "enable_dhcp": True, "gateway_ip": "10.0.0.1"}


class Addresses:
    """Gives one slice and writes down whether it came back."""

    def __init__(self) -> None:
        self.released: list[str] = []

    async def hold(self, *_given: object, **_named: object) -> Slice:
        return Slice(port_id="slice1", addresses=("10.0.0.2",))

    async def check(self, *_given: object, **_named: object) -> None:
        """There is room."""

    async def release(self, port_id: str, **_named: object) -> None:
        self.released.append(port_id)


@pytest.mark.parametrize(
    ("error", "is_released"),
    [
        (UnavailableError("not sent"), True),
        (UpstreamStatusError(400, "refused", "Pod1/network"), True),
        (UpstreamStatusError(409, "in use", "Pod1/network"), False),
        (UpstreamStatusError(504, "<h1>504</h1>", "Pod1/network"), False),
    ],
)
async def test_a_slice_goes_only_when_the_pod_certainly_has_no_subnet(error: Exception, *, is_released: bool) -> None:
    """Else the centre would give to servers what the pod's DHCP uses."""

    async def post(_path: str, **_named: object) -> dict[str, object]:
        raise error

    async def nothing(*_given: object) -> None:
        return None

    async def none(*_given: object) -> list[Routing]:
        return []

    async def subnet(*_given: object, **_named: object) -> dict[str, object]:
        return SUBNET

    async def ensure(_wanted: object, *, create: Create, **_named: object) -> object:
        return await create()

    addresses = Addresses()
    reach = SimpleNamespace(
        routings=SimpleNamespace(copy_in=nothing, copies_of=none),
        central=SimpleNamespace(subnet=subnet),
        network=lambda _pod: SimpleNamespace(post=post),
        ensure=ensure,
    )
    with pytest.raises(type(error)):
        await Subnets(reach, addresses).ensure(POD, "sub1", NETWORK, deadline=Deadline.after(5))  # type: ignore[arg-type]
    assert bool(addresses.released) == is_released


async def test_router_advertisements_are_refused_before_anything_is_made() -> None:
    """In a second pod; what is said names where the subnet is."""
    subnets: dict[str, dict[str, object]] = {"sub1": SUBNET, "ra": {**SUBNET, "ipv6_address_mode": "slaac"}}
    asked = []

    async def subnet(subnet_id: str, **_named: object) -> dict[str, object]:
        return subnets[subnet_id]

    async def zone_elsewhere(_kind: Kind, subnet_id: str, _pod: Pod) -> str | None:
        asked.append(subnet_id)
        return "az7"

    async def nowhere(*_given: object) -> list[Routing]:
        return []

    reach = SimpleNamespace(
        central=SimpleNamespace(subnet=subnet),
        zone_elsewhere=zone_elsewhere,
        routings=SimpleNamespace(copies_of=nowhere),
    )
    copies = Subnets(reach, Addresses())  # type: ignore[arg-type]
    await copies.check(POD, ["sub1"], deadline=Deadline.after(5))
    assert asked == []
    with pytest.raises(ConflictError, match=r"router advertisements .*: it is in az7"):
        await copies.check(POD, ["sub1", "ra"], deadline=Deadline.after(5))


class Queue:
    """Writes down what is filed."""

    def __init__(self) -> None:
        self.filed: list[tuple[object, ...]] = []

    async def append(self, *given: object, **named: object) -> int:
        self.filed.append((*given, *sorted(named.items())))
        return len(self.filed)


class Pool(Addresses):
    """A subnet at the centre that has so many addresses for a pod."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    async def hold(self, _pod: object, _subnet: object, count: int, **_named: object) -> Slice:  # type: ignore[override]
        if count > self.size:
            raise ConflictError("No more IP addresses available")
        return Slice(port_id="slice1", addresses=tuple(f"10.0.0.{2 + number}" for number in range(count)))


@pytest.mark.parametrize(("size", "pooled"), [(4, ["10.0.0.3", "10.0.0.4", "10.0.0.5"]), (2, ["10.0.0.3"])])
async def test_a_slice_grows_with_the_dhcp_agents_where_there_is_room(size: int, pooled: list[str]) -> None:
    """The pod gave the network to three of its agents, and has a gateway of its own."""
    present = {**SUBNET, "id": "there", "network_id": "copy1", "gateway_ip": "10.0.0.2", "allocation_pools": []}
    put: list[dict[str, object]] = []
    copy = replace(NETWORK, id=2, central_id="sub1", kind=Kind.SUBNET, pod_resource_id="there")

    async def get(path: str, **_named: object) -> dict[str, object]:
        if path.endswith("/dhcp-agents"):
            assert path == "/v2.0/networks/copy1/dhcp-agents"
            return {"agents": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}
        return {"subnet": present}

    async def sent(_path: str, *, body: dict[str, dict[str, object]], **_named: object) -> dict[str, object]:
        put.append(body["subnet"])
        return body

    async def others(*_given: object) -> list[Routing]:
        return [replace(copy, id=1, details={"is_home": True}), copy]

    async def update(*_given: object, **_named: object) -> None:
        return None

    reach = SimpleNamespace(
        routings=SimpleNamespace(copies_of=others, update=update),
        network=lambda _pod: SimpleNamespace(get=get, put=sent),
    )
    copies = Subnets(reach, Pool(size))  # type: ignore[arg-type]
    await copies._update(POD, copy, {**SUBNET, "network_id": "net1"}, Deadline.after(5))
    assert [pool["start"] for pool in put[0]["allocation_pools"]] == pooled  # type: ignore[index,attr-defined]


@pytest.mark.parametrize(("facts", "count"), [({}, 0), ({"dhcp_agents": 1}, 0), ({"dhcp_agents": 2}, 1)])
async def test_a_pod_with_several_agents_is_looked_at_again(facts: dict[str, object], count: int) -> None:
    bound = replace(NETWORK, id=2, central_id="sub1", kind=Kind.SUBNET, pod_resource_id="there")

    async def subnet(*_given: object, **_named: object) -> dict[str, object]:
        return SUBNET

    async def nothing(*_given: object) -> None:
        return None

    async def none(*_given: object) -> list[Routing]:
        return []

    async def ensure(*_given: object, **_named: object) -> Routing:
        return bound

    queue = Queue()
    reach = SimpleNamespace(
        routings=SimpleNamespace(copy_in=nothing, copies_of=none),
        central=SimpleNamespace(subnet=subnet),
        recheck_adopted=nothing,
        ensure=ensure,
        queue=queue,
    )
    pod = replace(POD, facts=facts)
    assert await Subnets(reach, Addresses()).ensure(pod, "sub1", NETWORK, deadline=Deadline.after(5)) == bound  # type: ignore[arg-type]
    wanted = (JobType.SUBNET, "sub1", "demo", ("delay_s", 10.0), ("pod_id", "pod1"))
    assert queue.filed == [wanted] * count
