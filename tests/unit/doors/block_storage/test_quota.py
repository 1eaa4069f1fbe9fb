# SPDX-License-Identifier: Apache-2.0
"""Whose limits count for what a token of no project makes? Nobody's."""

from typing import Any, cast

from tests.unit.road.scripted import caller, pod
from tricircle.doors.block_storage.quotas.quota import Quota, of_snapshot

#: Nobody is asked anything.
NOBODY = cast("Any", None)


async def test_an_administrator_of_a_domain_takes_from_nobodys_limits() -> None:
    quota = Quota(clients=NOBODY, registry=NOBODY, allowance=NOBODY)
    hold = await quota.take(caller("", "admin"), pod("Pod1", "az1"), of_snapshot(1, "gold"), largest_gib=1)
    assert (hold.count, hold.ids) == (0, ())
