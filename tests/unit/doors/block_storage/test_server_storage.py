# SPDX-License-Identifier: Apache-2.0
"""When does a pod count the volumes of a new server, and which servers boot from one?"""

from typing import Any, cast

import pytest

from tricircle.context import Deadline
from tricircle.doors.block_storage.quotas.quota import VolumeCounts
from tricircle.doors.block_storage.quotas.server_storage import _is_root


class Nova:
    """Shows one server."""

    def __init__(self, server: dict[str, object] | None) -> None:
        self.server = server

    async def get(self, _path: str, **_given: object) -> dict[str, object]:
        return {} if self.server is None else {"server": self.server}


def building(task: str) -> dict[str, object]:
    return {"status": "BUILD", "OS-EXT-STS:task_state": task}


@pytest.mark.parametrize(
    ("server", "volumes", "is_counted"),
    [
        (building("scheduling"), 1, False),
        (building("block_device_mapping"), 1, True),
        (building("block_device_mapping"), 2, False),
        (building("spawning"), 2, True),
        ({"status": "ERROR"}, 2, True),
        (None, 1, True),
    ],
)
async def test_volumes_are_counted_when_nova_has_asked_for_them(
    server: dict[str, object] | None, volumes: int, *, is_counted: bool
) -> None:
    """The only one as soon as devices are mapped: filling it may take minutes."""
    client = cast("Any", Nova(server))
    amounts = {"volumes": volumes, "gigabytes": volumes}
    assert await VolumeCounts().includes(client, "s1", amounts, Deadline.after(5)) is is_counted


@pytest.mark.parametrize(
    ("device", "server_id", "is_root"),
    [("/dev/vda", "s1", True), ("/dev/sda", "s1", True), ("/dev/vdb", "s1", False), ("/dev/vda", "s2", False)],
)
def test_a_server_with_an_image_can_boot_from_a_volume(device: str, server_id: str, *, is_root: bool) -> None:
    assert _is_root({"attachments": [{"server_id": "s1", "device": device}]}, server_id) is is_root
