# SPDX-License-Identifier: Apache-2.0
"""Does a slice stay with the pod as long as a subnet there may use it?"""

from types import SimpleNamespace

import pytest

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.addresses import Slice
from tricircle.copies.ensure import Create
from tricircle.copies.subnets import Subnets
from tricircle.errors import ConflictError, UnavailableError, UpstreamStatusError
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
        (UpstreamStatusError(409, "overlaps", "Pod1/network"), False),
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
