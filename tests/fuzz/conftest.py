# SPDX-License-Identifier: Apache-2.0
"""What do the runs share? A gateway that is watched, and a world of things to name."""

from collections.abc import Iterator

import pytest

from tests.functional.region_world import Region
from tests.fuzz.relays import Watched, watched
from tests.fuzz.world import World, world


# Of the package: the lab's own gateway is back before other tests run.
@pytest.fixture(scope="package")
def stage() -> Iterator[Watched]:
    """Our gateway behind relays, in the place of the lab's own."""
    with watched() as made:
        yield made


@pytest.fixture(scope="package")
def things(stage: Watched) -> Iterator[World]:
    """What requests name."""
    with world(Region()) as made:
        yield made
