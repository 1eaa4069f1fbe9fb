# SPDX-License-Identifier: Apache-2.0
"""How is the list of servers gathered, sorted and filtered across pods?"""

from collections.abc import Mapping
from dataclasses import replace

from tricircle.doors.compute.boots.launches import Launches
from tricircle.doors.compute.operators.operator_views import by_host
from tricircle.doors.compute.servers.down_cells import DownCells, is_listed
from tricircle.doors.compute.zones import FILTER
from tricircle.http.message import Answer, Request
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.listing import Declared, Item, Listing, Paging
from tricircle.road.row import Row

#: Sort keys that the JSON of a server calls otherwise.
_FIELDS: Mapping[str, str] = {
    "access_ip_v4": "accessIPv4",
    "access_ip_v6": "accessIPv6",
    "created_at": "created",
    "display_description": "description",
    "display_name": "name",
    "host": "OS-EXT-SRV-ATTR:host",
    "hostname": "OS-EXT-SRV-ATTR:hostname",
    "image_ref": "image/id",
    "kernel_id": "OS-EXT-SRV-ATTR:kernel_id",
    "launch_index": "OS-EXT-SRV-ATTR:launch_index",
    "launched_at": "OS-SRV-USG:launched_at",
    "node": "OS-EXT-SRV-ATTR:hypervisor_hostname",
    "power_state": "OS-EXT-STS:power_state",
    "project_id": "tenant_id",
    "ramdisk_id": "OS-EXT-SRV-ATTR:ramdisk_id",
    "root_device_name": "OS-EXT-SRV-ATTR:root_device_name",
    "task_state": "OS-EXT-STS:task_state",
    "terminated_at": "OS-SRV-USG:terminated_at",
    "updated_at": "updated",
    "uuid": "id",
    "vm_state": "OS-EXT-STS:vm_state",
}


def _rank(server: Item) -> int:
    """Nova lists servers that were not handed to a cell yet before all others, whatever the sort key."""
    return 0 if server.get("OS-EXT-STS:task_state") == "scheduling" and not server.get("hostId") else 1


#: The filters of administrators.
_by_host = by_host("host", "node", "hypervisor_hostname")
#: Sort keys that Nova takes below 2.75, and does not sort by.
_IGNORED = frozenset(
    (
        "architecture",
        "cell_name",
        "cleaned",
        "default_ephemeral_device",
        "default_swap_device",
        "deleted",
        "deleted_at",
        "disable_terminate",
        "ephemeral_gb",
        "ephemeral_key_uuid",
        "id",
        "key_data",
        "launched_on",
        "memory_mb",
        "os_type",
        "reservation_id",
        "root_gb",
        "shutdown_terminate",
        "user_data",
        "vcpus",
        "vm_mode",
    )
)
#: Sort keys of which servers show nothing (numbers of a database), words that sort otherwise, or only in some states.
_HIDDEN = frozenset(("auto_disk_config", "instance_type_id", "locked_by", "progress"))
#: What every server has.
_GIVEN = Listing(paging=Paging.NOVA).given | {
    "display_name",
    "hostname",
    "launch_index",
    "locked",
    "power_state",
    "updated_at",
    "vm_state",
}
#: ``/servers/detail``
DETAILED = Listing(
    paging=Paging.NOVA,
    ties=(),
    unique="uuid",
    ignored=_IGNORED,
    hidden=_HIDDEN,
    given=_GIVEN,
    fields=_FIELDS,
    links="servers_links",
    noun="Instance",
    knows_deleted=True,
    zone_filter=FILTER,
    declared={
        # Nova takes any name for a flavor's id, and an operator's own flavor may have that of a central one.
        "flavor": Declared(Kind.FLAVOR, needs_copy=True),
        "image": Declared(Kind.IMAGE),
        "image_ref": Declared(Kind.IMAGE),
    },
    rank=_rank,
    adapt=_by_host,
)
#: ``/servers``: made of the same items, since only they carry what is sorted by.
BRIEF = replace(DETAILED, brief=("id", "name", "links"))


class ServerLists:
    """``GET /servers`` and ``GET /servers/detail``."""

    def __init__(self, *, carrier: Carrier, down: DownCells, launches: Launches) -> None:
        self._carrier = carrier
        self._down = down
        self._launches = launches

    async def gather(self, request: Request, row: Row) -> Answer:
        """The list of ``row``."""
        if is_listed(request):
            row = replace(row, stand_ins=self._down.listed)
        answer = await self._launches.gathered(request, row) or await self._carrier.gather(request, row)
        if answer.status == 403 and row.listing is not None and row.listing.brief and isinstance(answer.body, bytes):
            # Pods were asked for details, which other rules guard: the refusal is of what the user asked.
            answer.body = answer.body.replace(b"api:servers:detail", b"api:servers:index")
        return answer
