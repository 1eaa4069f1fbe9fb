# SPDX-License-Identifier: Apache-2.0
"""Do networks and ports come to a pod whose Neutron has no ``port-security``, as ML2 has not by default?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.copies.sky import Sky, open_sky, soon
from tricircle.copies import networks, port_content
from tricircle.copies.port_security import EXTENSION, SECURITY
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.model.pod import Pod

LACKING = ["provider", "quotas"]


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[Sky]:
    async with open_sky(tmp_path) as made:
        made.inside["pod1"].aliases.remove(EXTENSION)
        yield made


@pytest.fixture
async def pod(sky: Sky) -> Pod:
    """One that is known to lack it."""
    return await sky.pod(extensions=LACKING)


async def port(sky: Sky, network: dict[str, Any], **fields: object) -> dict[str, Any]:
    """A port of demo's at the centre, in no group."""
    owned = {"network_id": network["id"], "project_id": network["project_id"], "security_groups": []}
    return await sky.make("ports", "port", **owned, **fields)


async def test_networks_and_ports_go_without_the_word(sky: Sky, pod: Pod) -> None:
    network = await sky.network()
    await sky.subnet(network)
    wanted = await port(sky, network)
    await sky.ports.check(pod, wanted, deadline=soon())
    routing = await sky.ports.ensure(pod, wanted, deadline=soon())
    made = sky.inside["pod1"].resources["ports"][str(routing.pod_resource_id)]
    assert made["mac_address"] == wanted["mac_address"]
    there = await sky.reach.network(pod).get(f"/v2.0/ports/{made['id']}", deadline=soon())
    assert SECURITY not in there["port"]  # type: ignore[operator]


async def test_what_has_to_be_without_port_security_is_refused_before_anything_is_made(sky: Sky, pod: Pod) -> None:
    network = await sky.network()
    bare = await sky.network(port_security_enabled=False)
    for where in (network, bare):
        await sky.subnet(where)
    open_port = await port(sky, network, port_security_enabled=False)
    for wanted, named in ((open_port, f"Port {open_port['id']}"), (await port(sky, bare), f"Network {bare['id']}")):
        told = f"{named} is without port security and cannot be in availability zone az1."
        for ask in (sky.ports.check, sky.ports.ensure):
            with pytest.raises(ConflictError) as refused:
                await ask(pod, wanted, deadline=soon())
            assert str(refused.value) == told
    assert not sky.inside["pod1"].resources["ports"]
    # In a pod that has it, it can be.
    other = await sky.pod("pod2", extensions=[EXTENSION])
    routing = await sky.ports.ensure(other, open_port, deadline=soon())
    assert sky.inside["pod2"].resources["ports"][str(routing.pod_resource_id)][SECURITY] is False


async def test_a_pod_of_which_nothing_is_known_is_asked(sky: Sky) -> None:
    network = await sky.network()
    with pytest.raises(UpstreamStatusError, match="Unrecognized attribute"):
        await sky.copied(await sky.pod(), network)


def test_what_the_pod_does_not_show_is_not_asked_for() -> None:
    """Jobs and sweeps would else see a difference for ever."""
    pod = Pod(id="pod1", name="Pod1", az_name="az1")  # type: ignore[arg-type]
    network = {"id": "n", "name": "a", SECURITY: True, "dns_domain": "example."}
    present = {"name": "a", "description": "tricircle:n"}
    assert networks.difference(network, pod, present) == {}
    assert networks.difference(network, pod, {**present, SECURITY: False, "dns_domain": ""}) == {
        SECURITY: True,
        "dns_domain": "example.",
    }
    wanted = {"name": "p", SECURITY: True}
    assert port_content.difference(wanted, {"name": "p"}) == {}
    assert port_content.difference(wanted, {"name": "p", SECURITY: False}) == {SECURITY: True}
