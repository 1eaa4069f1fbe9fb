# SPDX-License-Identifier: Apache-2.0
"""May a project have so much more storage? Limits are the central Cinder's; usage is what the pods count.

What fits is reserved until the pod answers: Cinder counts before it does. Pods are asked only when the project has a
limit at all.
"""

from collections.abc import Mapping

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.copies.bodies import member
from tricircle.copies.volume_types import PREFIX
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.sources import size_of, type_of
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.model.reservation import Amounts
from tricircle.pods.registry import Registry
from tricircle.road.allowance import Allowance, Hold
from tricircle.upstream.client import Clients, ServiceClient

#: The limit on the size of one volume; nothing is used up of it.
PER_VOLUME = "per_volume_gigabytes"


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

    async def usage(self, client: ServiceClient, project_id: ProjectId, deadline: Deadline, *, is_own: bool) -> Amounts:
        """Everything that Cinder limits, by central quota name."""
        path = f"/v3/os-quota-sets/{project_id}"
        used = used_of(member(await client.get(path, params={"usage": "True"}, deadline=deadline), "quota_set"))
        if not {"volumes", "gigabytes"} <= used.keys():
            # Written down, it would count for nothing used.
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return used

    async def includes(self, client: ServiceClient, resource_id: str, deadline: Deadline) -> bool:
        """True: what Cinder has accepted it has counted."""
        return True


class Quota:
    """Takes from the central limits."""

    def __init__(self, *, clients: Clients, registry: Registry, allowance: Allowance) -> None:
        self._clients = clients
        self._registry = registry
        self._allowance = allowance

    async def take(self, context: RequestContext, pod: Pod, asked: Amounts, *, largest_gib: int | None = None) -> Hold:
        """What is reserved for one call to ``pod``, as far as the project has limits.

        :param asked: GiB and numbers by quota name, in any order
        :param largest_gib: the size of the volume that is asked for
        :raises QuotaExceededError: Cinder's words for the limit that Cinder would name
        """
        limits = await self._limits(context)
        most = limits.get(PER_VOLUME, -1)
        if largest_gib is not None and 0 <= most < largest_gib:
            raise words.too_big(largest_gib, most)
        bounded = {name: limits[name] for name in sorted(asked) if limits.get(name, -1) >= 0}
        if not bounded:
            return Hold()

        def fit(taken: Amounts) -> list[Amounts]:
            for name, limit in bounded.items():
                if taken.get(name, 0) + asked[name] <= limit:
                    continue
                if "gigabytes" in name:
                    raise words.too_large(name, asked[name], limit, taken.get(name, 0))
                raise words.too_many(name, limit)
            return [asked]

        return await self._allowance.take(context, pod, fit)

    async def take_transfer(self, context: RequestContext, pod: Pod, transfer_id: str) -> Hold:
        """What is reserved for taking over a volume. Only the service user sees it before it is the caller's.

        Raises as ``take``; snapshots that come with the volume are not counted before.
        """
        client = self._clients.as_service(self._registry.target(pod, Service.BLOCK_STORAGE))
        try:
            transfer = await client.get(f"/v3/os-volume-transfer/{transfer_id}", deadline=context.deadline)
            volume_id = member(transfer, "transfer").get("volume_id")
            volume = member(await client.get(f"/v3/volumes/{volume_id}", deadline=context.deadline), "volume")
        except UpstreamStatusError:
            return Hold()  # the pod will say what is wrong with it
        size = size_of(volume)
        return await self.take(context, pod, of_volume(size, type_of(volume)), largest_gib=size)

    async def _limits(self, context: RequestContext) -> Amounts:
        """What the centre allows the caller's project, by quota name; -1 is no limit."""
        client = self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
        answer = await client.get(f"/v3/os-quota-sets/{context.project_id}", deadline=context.deadline)
        return {name: value for name, value in member(answer, "quota_set").items() if isinstance(value, int)}


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
