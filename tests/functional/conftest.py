# SPDX-License-Identifier: Apache-2.0
"""What do tests through the doors share: the running region, and for every module a project of its own."""

from collections.abc import Iterator

import pytest

from tests.functional.region_world import Json, Region, unique
from tests.functional.tenants import Tenant


@pytest.fixture(scope="session")
def region() -> Region:
    """The running lab, with its pods registered; without a lab these tests must fail."""
    opened = Region()
    opened.registered()
    return opened


@pytest.fixture(scope="module")
def tenant(region: Region) -> Iterator[Tenant]:
    """A project of the module's own; nothing is left of it anywhere."""
    made = Tenant(region)
    yield made
    made.sweep()


@pytest.fixture(scope="module")
def flavor(region: Region) -> Iterator[Json]:
    """A small flavor of the centre."""
    name = unique("fn-flavor")
    made = region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    yield made
    assert region.admin.delete("compute", f"/flavors/{made['id']}") == 202


@pytest.fixture(scope="session")
def image_id(region: Region) -> str:
    """The image that the lab puts at the centre."""
    return region.image_id()
