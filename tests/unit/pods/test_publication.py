# SPDX-License-Identifier: Apache-2.0
"""Does the central region list the doors, and does a second run touch nothing?"""

from tests.unit.pods.conftest import MemoryCatalog, soon
from tricircle.conf.settings import GatewaySettings
from tricircle.pods.publication import publish

GATEWAY = GatewaySettings(public_endpoint="https://cloud.example", admin_endpoint="https://admin.example:19999")


def urls(catalog: MemoryCatalog, interface: str) -> dict[str, str]:
    types = {service.id: service.type for service in catalog.listed.values()}
    return {types[key[0]]: place.url for key, place in catalog.places.items() if key[1:] == (interface, "RegionOne")}


async def test_an_empty_keystone_gets_every_service() -> None:
    catalog = MemoryCatalog()
    steps = await publish(catalog, [], GATEWAY, soon())
    assert {step.result for step in steps} == {"created"}
    assert urls(catalog, "public") == {
        "compute": "https://cloud.example/compute/v2.1",
        "compute_legacy": "https://cloud.example/compute/v2/%(project_id)s",
        "block-storage": "https://cloud.example/volume/v3/%(project_id)s",
        "volumev3": "https://cloud.example/volume/v3/%(project_id)s",
        "image": "https://cloud.example/image",
        "network": "https://cloud.example/network",
        "identity": "https://cloud.example/identity",
        "Cascading": "https://admin.example:19999/v1.0",
    }
    assert set(urls(catalog, "public")) - set(urls(catalog, "internal")) == {"identity"}


async def test_twice_does_nothing_twice() -> None:
    catalog = MemoryCatalog()
    await publish(catalog, [], GATEWAY, soon())
    catalog.changes.clear()
    steps = await publish(catalog, [], GATEWAY, soon())
    assert {step.result for step in steps} == {"unchanged"}
    assert catalog.changes == []


async def test_keystone_s_own_internal_address_stays() -> None:
    catalog = MemoryCatalog()
    for interface in ("public", "internal", "admin"):
        catalog.add("RegionOne", {"identity": "http://keystone:5000/v3"}, interface=interface)
    steps = await publish(catalog, [], GATEWAY, soon())
    changed = [step for step in steps if step.result == "changed from http://keystone:5000/v3"]
    assert [step.name for step in changed] == ["identity public"]
    assert urls(catalog, "internal")["identity"] == "http://keystone:5000/v3"
    assert urls(catalog, "admin")["identity"] == "http://keystone:5000/v3"


async def test_regions_of_pods_become_children() -> None:
    catalog = MemoryCatalog()
    for name in ("RegionOne", "Pod1"):
        catalog.add(name, {})
    catalog.add("Pod2", {}, parent="RegionOne")
    steps = await publish(catalog, ["Pod1", "Pod2", "Pod9"], GATEWAY, soon())
    results = {step.name: step.result for step in steps if step.what == "region"}
    assert results == {
        "RegionOne": "unchanged",
        "Pod1": "made a child of RegionOne",
        "Pod2": "unchanged",
        "Pod9": "missing: the pod's region is not in Keystone",
    }
    assert catalog.known["Pod1"].parent_id == "RegionOne"
    assert "Pod9" not in catalog.known


async def test_a_dry_run_changes_nothing() -> None:
    catalog = MemoryCatalog()
    steps = await publish(catalog, [], GATEWAY, soon(), is_dry=True)
    assert len(steps) == 31
    assert catalog.changes == []
