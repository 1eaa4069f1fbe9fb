# SPDX-License-Identifier: Apache-2.0
"""Is a network that a recovery made again shared with all who use it, or does the recovery know that it is not?"""

import pytest

from tests.api.whole import Whole
from tricircle.app.rooms import open_rooms
from tricircle.copies.bodies import refused_as
from tricircle.errors import UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.recovery.sharing import share
from tricircle.testing.exchange import Json


async def _shared(cloud: Whole, network: Json, *projects: str) -> None:
    rooms = open_rooms(cloud.settings)
    try:
        await share(rooms.clients.as_service(rooms.registry.central(Service.NETWORK)), network, projects)
    finally:
        await rooms.close()


async def _network(cloud: Whole) -> Json:
    said = await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {"name": "front"}})
    assert said.status == 201, said.body
    made: Json = said.json()["network"]
    return made


def _targets(cloud: Whole, network: Json) -> list[str]:
    policies = cloud.centre.neutron.resources["rbac_policies"].values()
    return [one["target_tenant"] for one in policies if one["object_id"] == network["id"]]


async def test_all_but_the_owner_get_a_share_and_only_once(cloud: Whole) -> None:
    network = await _network(cloud)
    for _ in range(2):
        await _shared(cloud, network, cloud.project_id("demo"), cloud.project_id("alt"))
        assert _targets(cloud, network) == [cloud.project_id("alt")]


async def test_a_limit_is_no_share(cloud: Whole) -> None:
    """Neutron answers it with the status of a share that is there already."""
    network = await _network(cloud)
    cloud.centre.neutron.quotas.defaults["rbac_policy"] = 0
    with pytest.raises(UpstreamStatusError) as caught:
        await _shared(cloud, network, cloud.project_id("alt"))
    assert (caught.value.status, refused_as(caught.value.body)) == (409, "OverQuota")
    assert _targets(cloud, network) == []
    cloud.centre.neutron.quotas.defaults["rbac_policy"] = 10
    await _shared(cloud, network, cloud.project_id("alt"))
    assert _targets(cloud, network) == [cloud.project_id("alt")]
