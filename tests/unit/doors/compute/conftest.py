# SPDX-License-Identifier: Apache-2.0
"""The cloud in memory that the tests of this folder share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, cloud


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[Cloud]:
    """A centre and two pods; a flavor ``m1`` and an image are there."""
    made = await cloud(tmp_path)
    made.flavor()
    made.apps["central"].glance.images[IMAGE] = {
        "id": IMAGE, "name": "cirros", "status": "active", "owner": "x", "visibility": "public",
    }  # fmt: skip
    yield made
    await made.engine.dispose()
