# SPDX-License-Identifier: Apache-2.0
"""Does a server land where the AZ hints of its networks let it, and is it said where it may?"""

from dataclasses import replace

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, json_of
from tricircle.errors import InvalidRequestError
from tricircle.store.engine import transaction
from tricircle.store.pods import PodRows


def _wanted(*networks: str, zone: str | None = None) -> dict[str, object]:
    server: dict[str, object] = {"name": "s", "flavorRef": "m1", "imageRef": IMAGE}
    server["networks"] = [{"uuid": network} for network in networks]
    return {"server": server | ({"availability_zone": zone} if zone else {})}


def _network(sky: Cloud, name: str, *hints: str) -> str:
    project = sky.identities.projects["demo"].id
    return sky.network(project, name, availability_zone_hints=list(hints))


@pytest.mark.parametrize("zone", ["az1", "az2"])
async def test_a_boot_without_az_follows_the_hint(sky: Cloud, zone: str) -> None:
    network = _network(sky, "net1", zone)
    server_id = json_of(await sky.ask("POST", "/servers", _wanted(network)))["server"]["id"]
    assert [name for name, app in sky.apps.items() if server_id in app.nova.servers] == [f"pod{zone[-1]}"]


async def test_another_az_is_refused_before_anything_is_made(sky: Cloud) -> None:
    network = _network(sky, "net1", "az1")
    with pytest.raises(InvalidRequestError, match=f"Network {network} .* must be in: az1"):
        await sky.ask("POST", "/servers", _wanted(network, zone="az2"))
    assert not sky.central_ports()
    assert not any(app.nova.servers for app in sky.apps.values())


async def test_networks_that_have_no_az_in_common(sky: Cloud) -> None:
    networks = [_network(sky, name, zone) for name, zone in (("net1", "az1"), ("net2", "az2"))]
    with pytest.raises(InvalidRequestError, match="must be in: az2"):
        await sky.ask("POST", "/servers", _wanted(*networks))
    assert not sky.central_ports()


async def test_an_interface_on_a_network_of_another_az_is_refused(sky: Cloud) -> None:
    here, there = _network(sky, "net1", "az1"), _network(sky, "net2", "az2")
    server_id = json_of(await sky.ask("POST", "/servers", _wanted(here)))["server"]["id"]
    before = len(sky.central_ports())
    body = {"interfaceAttachment": {"net_id": there}}
    with pytest.raises(InvalidRequestError, match=f"Network {there} .* must be in: az2"):
        await sky.ask("POST", f"/servers/{server_id}/os-interface", body)
    assert len(sky.central_ports()) == before


async def _wire(sky: Cloud, **wires: tuple[str, ...]) -> None:
    """Write down what pods' agents have told."""
    async with transaction(sky.engine) as connection:
        for pod in await PodRows.list(connection):
            if pod.name in wires:
                await PodRows.update(connection, replace(pod, facts={"wires": list(wires[pod.name])}))
    sky.registry.forget()


@pytest.mark.parametrize(("there", "lacks"), [("Pod1", "Pod2"), ("Pod2", "Pod1")])
async def test_a_boot_without_az_goes_where_the_wire_is(sky: Cloud, there: str, lacks: str) -> None:
    network = _network(sky, "net1")
    sky.apps["central"].neutron.resources["networks"][network]["provider:physical_network"] = "island"
    await _wire(sky, **{there: ("wan", "island"), lacks: ("wan",)})
    server_id = json_of(await sky.ask("POST", "/servers", _wanted(network)))["server"]["id"]
    assert [name for name, app in sky.apps.items() if server_id in app.nova.servers] == [there.lower()]


@pytest.mark.parametrize(("second", "count"), [(("wan",), 1), (("wan", "island"), 2)])
async def test_the_centre_is_asked_only_where_wires_differ(sky: Cloud, second: tuple[str, ...], count: int) -> None:
    network = _network(sky, "net1")
    await _wire(sky, Pod1=("wan",), Pod2=second)
    await sky.ask("POST", "/servers", _wanted(network))
    assert len(sky.wires.sent("central", "GET", "/v2.0/networks")) == count
