# SPDX-License-Identifier: Apache-2.0
"""Where does a trunk go with its parent, and how does a port leave that a trunk holds?"""

from types import SimpleNamespace

import pytest

from tricircle.context import Deadline, PodId
from tricircle.copies.trunked import remove_port
from tricircle.copies.trunks import Trunks, difference, trunk_of
from tricircle.errors import ConflictError, RetryLaterError, UpstreamStatusError
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
