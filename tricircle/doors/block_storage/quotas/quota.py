# SPDX-License-Identifier: Apache-2.0
"""May a project have so much more storage? Limits are the central Cinder's; usage is what the pods count.

What fits is reserved until the pod answers: Cinder counts before it does. What is reserved for the volumes of a new
server is so until Nova has had them made. Pods are asked only when the project has a limit at all.
"""

from collections.abc import Mapping

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.copies.bodies import member
from tricircle.copies.volume_types import PREFIX
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.volumes.sources import size_of, type_of
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.model.reservation import Amounts, added
from tricircle.pods.registry import Registry
from tricircle.pods.spoken import spoken
from tricircle.road.allowance import Allowance, Hold
from tricircle.upstream.client import Clients, ServiceClient, collect

#: The limit on the size of one volume; nothing is used up of it.
PER_VOLUME = "per_volume_gigabytes"
#: What Nova is about when it has had all volumes of a server made.
_AFTER_VOLUMES = "spawning"
#: While they are being made.
_AT_VOLUMES = "block_device_mapping"
#: From here on a transfer says whether snapshots go with the volume; they do unless it says not.
_TRANSFER_VERSION = "3.55"


def of_volume(size_gib: int, type_name: str | None) -> dict[str, int]:
    """What one volume takes from the project's limits; those of its type are counted by the type's name.

    >>> of_volume(2, "gold")
    {'gigabytes': 2, 'volumes': 1, 'gigabytes_gold': 2, 'volumes_gold': 1}
    """
    return _with_type({"gigabytes": size_gib, "volumes": 1}, type_name)


def of_growth(size_gib: int, type_name: str | None) -> dict[str, int]:
    """What a volume takes that grows by so many GiB."""
    return _with_type({"gigabytes": size_gib}, type_name)


def of_retype(size_gib: int, type_name: str) -> dict[str, int]:
    """What a volume of this size takes from the limits of its new type; the others it has already."""
    return {f"gigabytes_{type_name}": size_gib, f"volumes_{type_name}": 1}


def of_snapshot(size_gib: int, type_name: str | None) -> dict[str, int]:
    """What one snapshot takes: Cinder counts its GiB among those of volumes."""
    return _with_type({"gigabytes": size_gib, "snapshots": 1}, type_name)


def of_backup(size_gib: int, _type_name: str | None) -> dict[str, int]:
    """What one backup takes."""
    return {"backup_gigabytes": size_gib, "backups": 1}


class VolumeCounts:
    """What pods' Cinders count (``road/allowance.py``)."""

    service: Service = Service.BLOCK_STORAGE
    version: str | None = None
    maker: Service = Service.COMPUTE

    async def usage(
        self, client: ServiceClient, project_id: ProjectId, deadline: Deadline, *, is_own: bool, user_id: str = ""
    ) -> Amounts:
        """Everything that Cinder limits, by central quota name."""
        path = f"/v3/os-quota-sets/{project_id}"
        used = used_of(member(await client.get(path, params={"usage": "True"}, deadline=deadline), "quota_set"))
        if not {"volumes", "gigabytes"} <= used.keys():
            # Written down, it would count for nothing used.
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return used

    async def includes(self, client: ServiceClient, resource_id: str, amounts: Amounts, deadline: Deadline) -> bool:
        """Whether the volumes of a new server are made, or never will be.

        Nova asks for the first as soon as it maps devices, and waits for each before it asks for the next one; filling
        them may take minutes. Nothing else is named: what Cinder itself has accepted it has counted.
        """
        answer = await client.get(f"/v2.1/servers/{resource_id}", deadline=deadline, ok=(404,))
        server = answer.get("server")
        if not isinstance(server, Mapping):
            return True
        made = (_AFTER_VOLUMES, _AT_VOLUMES) if amounts.get("volumes") == 1 else (_AFTER_VOLUMES,)
        return server.get("status") != "BUILD" or server.get("OS-EXT-STS:task_state") in made


class Quota:
    """Takes from the central limits."""

    def __init__(self, *, clients: Clients, registry: Registry, allowance: Allowance) -> None:
        self._clients = clients
        self._registry = registry
        self._allowance = allowance

    async def take(
        self,
        context: RequestContext,
        pod: Pod,
        asked: Amounts,
        *,
        largest_gib: int | None = None,
        counts: tuple[int, int] = (1, 1),
        owner: ProjectId | None = None,
    ) -> Hold:
        """What is reserved for calls to ``pod``, as far as the project has limits; nothing when it has none.

        :param asked: GiB and numbers by quota name, in any order, for one call
        :param largest_gib: the size of the volume that is asked for
        :param counts: how many such calls at least, and at most
        :param owner: whose limits, when an administrator changes what is another project's; the size of one volume is
            bounded by the caller's own all the same, as in Cinder
        :raises QuotaExceededError: not even the least; Cinder's words for the limit that Cinder would name
        """
        limits = await self._limits(context, context.project_id)
        most = limits.get(PER_VOLUME, -1)
        if largest_gib is not None and 0 <= most < largest_gib:
            raise words.too_big(largest_gib, most)
        if owner not in (None, context.project_id):
            limits = await self._limits(context, owner)
        bounded = {name: limits[name] for name in sorted(asked) if limits.get(name, -1) >= 0 and asked[name] > 0}
        if not bounded:
            return Hold()

        def fit(taken: Amounts) -> list[Amounts]:
            return fitting(bounded, taken, asked, counts)

        return await self._allowance.take(context, pod, fit, project_id=owner)

    async def take_transfer(self, context: RequestContext, pod: Pod, transfer_id: str) -> Hold:
        """What is reserved for taking over a volume with its snapshots. Only the service user sees them before they are
        the caller's. Raises as ``take``."""
        # Before that version no snapshots came along.
        version = spoken(pod, Service.BLOCK_STORAGE, _TRANSFER_VERSION)
        client = self._clients.as_service(self._registry.target(pod, Service.BLOCK_STORAGE), version)
        deadline = context.deadline
        try:
            transfer = member(await client.get(f"/v3/os-volume-transfer/{transfer_id}", deadline=deadline), "transfer")
            volume_id = str(transfer.get("volume_id"))
            volume = member(await client.get(f"/v3/volumes/{volume_id}", deadline=deadline), "volume")
            snapshots: list[dict[str, object]] = []
            if version == _TRANSFER_VERSION and not transfer.get("no_snapshots"):
                asked = {"volume_id": volume_id, "all_tenants": "1"}
                snapshots = await collect(client, "/v3/snapshots", "snapshots", deadline, asked)
        except UpstreamStatusError:
            return Hold()  # the pod will say what is wrong with it
        size, type_name = size_of(volume), type_of(volume)
        parts = [of_volume(size, type_name), *(of_snapshot(size_of(one), type_name) for one in snapshots)]
        return await self.take(context, pod, added(parts), largest_gib=size)

    async def _limits(self, context: RequestContext, project_id: ProjectId | None) -> Amounts:
        """What the centre allows a project, by quota name; -1 is no limit. Administrators may ask for any.

        Nothing limits who is in no project, such as an administrator of a domain: Cinder counts what he makes for
        nobody.
        """
        if not project_id:
            return {}
        client = self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
        answer = await client.get(f"/v3/os-quota-sets/{project_id}", deadline=context.deadline)
        return {name: value for name, value in member(answer, "quota_set").items() if isinstance(value, int)}


def fitting(limits: Amounts, taken: Amounts, one: Amounts, counts: tuple[int, int]) -> list[Amounts]:
    """``one`` as often as it fits, at most ``counts[1]`` times.

    >>> fitting({"volumes": 5}, {"volumes": 1}, {"volumes": 2, "gigabytes": 2}, (1, 3))
    [{'volumes': 2, 'gigabytes': 2}, {'volumes': 2, 'gigabytes': 2}]

    :param limits: those that there are; of each, ``one`` takes something
    :raises QuotaExceededError: not even ``counts[0]`` times
    """
    least, room = counts
    for name, limit in limits.items():
        used = taken.get(name, 0)
        room = min(room, max(0, limit - used) // one[name])
        if room >= least:
            continue
        if "gigabytes" in name:
            raise words.too_large(name, one[name], limit, used)
        raise words.too_many(name, limit)
    return [one] * room


def _with_type(amounts: dict[str, int], type_name: str | None) -> dict[str, int]:
    """The same once more by the type's name: so its own limits are called."""
    return amounts if type_name is None else amounts | {f"{key}_{type_name}": n for key, n in amounts.items()}


def used_of(quota_set: Mapping[str, object]) -> dict[str, int]:
    """What a pod's ``quota_set`` with usage says is used, reservations included, by *central* quota name.

    >>> used_of({"volumes": {"limit": 1, "in_use": 2, "reserved": 1}, "volumes_tricircle.gold": {"in_use": 4}})
    {'volumes': 3, 'volumes_gold': 4}
    """
    used: dict[str, int] = {}
    for name, value in quota_set.items():
        if not isinstance(value, Mapping):
            continue
        amounts = [value.get("in_use"), value.get("reserved")]
        central = name.replace(f"_{PREFIX}", "_", 1)
        used[central] = used.get(central, 0) + sum(amount for amount in amounts if isinstance(amount, int))
    return used
