# SPDX-License-Identifier: Apache-2.0
"""Does a survey see what a region has, and say all that is wrong at once?"""

import pytest

from tests.region import SERVICES
from tests.unit.pods.conftest import Bench, soon
from tricircle.keystone.catalog import CatalogEndpoint, CatalogService
from tricircle.model.pod import Endpoint, Service
from tricircle.pods.survey import Surveyor, catalog_urls, physical_networks


async def test_a_good_region(bench: Bench) -> None:
    found = await bench.surveyor.region("Pod1", soon())
    assert found.problems == ()
    assert set(found.endpoints) == {
        Service.COMPUTE,
        Service.BLOCK_STORAGE,
        Service.NETWORK,
        Service.IMAGE,
        Service.PLACEMENT,
    }
    assert found.endpoints[Service.COMPUTE] == Endpoint(
        service=Service.COMPUTE, url=bench.pod1.url("compute"), prefix="/v2.1", min_version="2.1", max_version="2.96"
    )
    assert found.endpoints[Service.BLOCK_STORAGE].prefix == "/v3"
    assert found.facts["wires"] == ["stretch"]
    assert "security-group" in found.facts["network_extensions"]  # type: ignore[operator]
    assert bench.pod2.calls == []


async def test_the_centre_is_where_the_settings_say(bench: Bench) -> None:
    found = await bench.surveyor.centre("RegionOne", soon())
    assert found.problems == ()
    assert found.endpoints[Service.IDENTITY].url == bench.centre.url("identity")
    assert found.endpoints[Service.COMPUTE].max_version == "2.96"


async def test_a_region_that_keystone_does_not_know(bench: Bench) -> None:
    found = await bench.surveyor.region("Pod9", soon())
    assert found.problems == ("Region 'Pod9' does not exist in Keystone. Existing regions: Pod1, Pod2, RegionOne.",)


async def test_everything_wrong_is_said_at_once(bench: Bench) -> None:
    bench.pod1.broken = {"compute": 503, "image": "garbage"}
    del bench.catalog.places["id-network", "public", "Pod1"]
    bench.catalog.put("id-placement", "public", "Pod1", "nonsense")
    bench.catalog.put("id-block-storage", "public", "Pod1", "http://127.0.0.1:1/v3")
    problems = "\n".join((await bench.surveyor.region("Pod1", soon())).problems)
    assert "compute at http://127.0.0.1:" in problems
    assert "with 503 where its version document should be" in problems
    assert "The catalog lists no endpoint of network (type network) in region 'Pod1'." in problems
    assert "The catalog's URL of placement in region 'Pod1' is no http(s) URL: nonsense" in problems
    assert "block-storage at http://127.0.0.1:1 does not answer: " in problems
    assert "what it sends is not a version document" in problems


async def test_image_and_placement_may_be_missing(bench: Bench) -> None:
    for kind in ("image", "placement"):
        del bench.catalog.places[f"id-{kind}", "public", "Pod1"]
    found = await bench.surveyor.region("Pod1", soon())
    assert found.problems == ()
    assert Service.IMAGE not in found.endpoints


async def test_another_service_at_the_address_is_noticed(bench: Bench) -> None:
    bench.catalog.put("id-compute", "public", "Pod1", bench.pod1.catalog_url("network"))
    problems = (await bench.surveyor.region("Pod1", soon())).problems
    assert len(problems) == 1
    assert "answers, but it does not offer version v2.1" in problems[0]


@pytest.mark.parametrize(
    ("status", "words"), [(401, "is it configured for another Keystone?"), (403, "it needs the admin role")]
)
async def test_a_pod_that_does_not_take_our_tokens(bench: Bench, status: int, words: str) -> None:
    bench.pod1.refused["GET compute /v2.1/os-services"] = status
    problems = (await bench.surveyor.region("Pod1", soon())).problems
    assert len(problems) == 1
    assert words in problems[0]


async def test_the_wanted_interface_or_else_the_public_one(bench: Bench) -> None:
    bench.catalog.put("id-compute", "internal", "Pod1", bench.pod2.catalog_url("compute"))
    surveyor = Surveyor(bench.catalog, bench.clients, None, interface="internal")  # type: ignore[arg-type]
    found = await surveyor.region("Pod1", soon())
    assert found.endpoints[Service.COMPUTE].url == bench.pod2.url("compute")
    assert found.endpoints[Service.NETWORK].url == bench.pod1.url("network")


def test_the_best_type_wins_and_what_is_switched_off_does_not_count() -> None:
    services = [
        CatalogService(id="1", type="volumev3"),
        CatalogService(id="2", type="block-storage"),
        CatalogService(id="3", type="compute", is_enabled=False),
        CatalogService(id="4", type="network"),
    ]
    endpoints = [
        CatalogEndpoint(id="a", service_id="1", interface="public", region_id="R", url="http://old"),
        CatalogEndpoint(id="b", service_id="2", interface="public", region_id="R", url="http://new"),
        CatalogEndpoint(id="c", service_id="3", interface="public", region_id="R", url="http://off"),
        CatalogEndpoint(id="d", service_id="4", interface="public", region_id="R", url="http://n", is_enabled=False),
    ]
    assert catalog_urls(endpoints, services, "public") == {Service.BLOCK_STORAGE: "http://new"}
    assert set(SERVICES) == {"compute", "block-storage", "image", "network", "placement"}


def test_physical_networks_of_whatever_agents_say() -> None:
    agents = [{"configurations": {"bridge_mappings": {"b": "x", "a": "y"}}}, {"configurations": None}, {}, "nonsense"]
    assert physical_networks(agents) == ["a", "b"]
    assert physical_networks(None) == []
