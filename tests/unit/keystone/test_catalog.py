# SPDX-License-Identifier: Apache-2.0
"""Regions, services and endpoints: listed, and made when they are missing."""

import pytest

from tests.unit.keystone.fake import FakeKeystone
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import UnavailableError
from tricircle.keystone.catalog import Catalog


def soon() -> Deadline:
    return Deadline.after(5.0)


async def test_what_is_missing_is_made_once_and_agrees_afterwards(settings: Settings, keystone: FakeKeystone) -> None:
    catalog = Catalog(settings)
    for _ in range(2):
        await catalog.ensure_region("RegionOne", soon())
        region = await catalog.ensure_region("Pod1", soon(), parent_id="RegionOne")
        service = await catalog.ensure_service("compute", "nova", soon())
        endpoint = await catalog.ensure_endpoint(service.id, "public", "RegionOne", "http://a/compute", soon())
    assert region.parent_id == "RegionOne"
    assert [found.id for found in await catalog.regions(soon())] == ["RegionOne", "Pod1"]
    assert [found.type for found in await catalog.services(soon())] == ["compute"]
    assert await catalog.endpoints(soon(), "RegionOne") == [endpoint]
    assert await catalog.endpoints(soon(), "Pod1") == []


async def test_a_moved_endpoint_and_a_missing_parent_are_put_right(settings: Settings, keystone: FakeKeystone) -> None:
    catalog = Catalog(settings)
    await catalog.ensure_region("Pod1", soon())
    service = await catalog.ensure_service("compute", "nova", soon())
    first = await catalog.ensure_endpoint(service.id, "public", "Pod1", "http://old", soon())
    moved = await catalog.ensure_endpoint(service.id, "public", "Pod1", "http://new", soon())
    assert (moved.id, moved.url) == (first.id, "http://new")
    assert (await catalog.ensure_region("Pod1", soon(), parent_id="RegionOne")).parent_id == "RegionOne"
    assert len(keystone.endpoints) == len(keystone.regions) == 1


async def test_without_keystone_it_says_so(settings: Settings, keystone: FakeKeystone) -> None:
    keystone.is_down = True
    with pytest.raises(UnavailableError):
        await Catalog(settings).regions(soon())
