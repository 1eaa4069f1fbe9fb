# SPDX-License-Identifier: Apache-2.0
"""Which pod gets a new server? What the boot says becomes a wish; ``pods/selection.py`` chooses.

What the request refers to and what runs in a pod (volumes, snapshots, servers of a hint) pins the pod; else the AZ
decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from tricircle.context import Deadline, PodId, RequestContext
from tricircle.copies.volume_type_content import zones_of
from tricircle.copies.wires import is_wired, uneven
from tricircle.doors.compute import words
from tricircle.doors.compute.boots.boot_request import BootRequest
from tricircle.doors.compute.boots.devices import boots_from_volume
from tricircle.doors.compute.boots.nics import Nic
from tricircle.doors.compute.needs import ImageCopies, KnownPods, PodSelection
from tricircle.doors.compute.networks import Networks
from tricircle.errors import (
    InvalidRequestError,
    NotAcceptableError,
    NotFoundError,
    NoValidPodError,
    UnavailableError,
)
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.pods.capacity import Demand
from tricircle.pods.placement import Wish
from tricircle.road.carrier import Carrier

#: What of a request runs in a pod already, and how Nova names it when it is not there.
_PINNING = ((Kind.VOLUME, "volume"), (Kind.SNAPSHOT, "snapshot"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Where others are that the new server shall rather be with, or rather not."""

    near: frozenset[PodId] = frozenset()
    apart: frozenset[PodId] = frozenset()


_ALONE = Company()


class Choice:
    """Chooses pods for servers."""

    def __init__(
        self,
        *,
        carrier: Carrier,
        pods: KnownPods,
        selection: PodSelection,
        images: ImageCopies | None = None,
        networks: Networks | None = None,
    ) -> None:
        self._carrier = carrier
        self._networks = networks
        self._images = images
        self._pods = pods
        self._selection = selection

    async def check_zone(self, request: BootRequest) -> None:
        """:raises InvalidRequestError: when the AZ that was asked for does not exist (Nova's words)"""
        zone = request.zone
        if zone.name is not None and zone.pod_zone is None and zone.name not in await self._pods.az_names():
            raise InvalidRequestError(words.AZ_NOT_AVAILABLE)

    async def held_by(self, request: BootRequest, context: RequestContext) -> frozenset[PodId] | None:
        """The pods that hold everything that the request refers to; None when it refers to nothing that runs.

        :raises InvalidRequestError: something does not exist, or things are in different pods
        """
        found: dict[str, Pod] = {}
        for kind, noun in _PINNING:
            for identifier in request.volume_ids if kind is Kind.VOLUME else request.snapshot_ids:
                try:
                    found[identifier] = (await self._carrier.locate(kind, identifier, context)).pod
                except NotFoundError as error:
                    raise words.device_not_found(noun, identifier) from error
        near: list[Pod] = []
        for server_id in request.near_server_ids:
            try:
                near.append((await self._carrier.locate(Kind.SERVER, server_id, context)).pod)
            except NotFoundError:
                continue  # Nova, too, ignores what it does not know in a hint
        pods = [*found.values(), *near]
        if not pods:
            return None
        zones = {pod.az_name for pod in found.values()}
        zone = request.zone
        if zone.name is not None and zone.pod_zone is None and zones - {zone.name}:
            raise words.volumes_elsewhere(zone.name, zones)
        if len({pod.id for pod in pods}) > 1:
            raise InvalidRequestError(
                "Block Device Mapping is Invalid: the volumes, snapshots and servers that the request names are in "
                "different places of the cloud and cannot be used by one server."
            )
        return frozenset(pod.id for pod in pods)

    async def hinted(self, request: BootRequest, nics: Sequence[Nic]) -> frozenset[PodId] | None:
        """The pods that all networks are limited to by their AZ hints; None when none is limited.

        :raises InvalidRequestError: none of them is in the AZ that was asked for, or they have none in common
        """
        allowed: frozenset[str] | None = None
        zone = request.zone
        for nic in (nic for nic in nics if nic.zones):
            allowed = nic.zones if allowed is None else allowed & nic.zones
            is_elsewhere = zone.name is not None and zone.pod_zone is None and zone.name not in nic.zones
            if is_elsewhere or not allowed:
                raise words.network_elsewhere(nic.network_id, nic.zones)
        if allowed is None:
            return None
        return frozenset(pod.id for pod in await self._pods.pods() if pod.az_name in allowed)

    async def typed(self, request: BootRequest, types: Iterable[Mapping[str, object]]) -> frozenset[PodId] | None:
        """The pods that volume types are limited to by their AZs; None when none is limited.

        :raises InvalidRequestError: none of them is in the AZ that was asked for, or they have none in common
        """
        allowed: frozenset[PodId] | None = None
        zone, pods = request.zone, await self._pods.pods()
        for volume_type in types:
            if (zones := zones_of(volume_type.get("extra_specs"))) is None:
                continue
            there = frozenset(pod.id for pod in pods if pod.az_name in zones and not pod.is_central)
            allowed = there if allowed is None else allowed & there
            if not allowed or (zone.name is not None and zone.pod_zone is None and zone.name not in zones):
                raise words.type_elsewhere(volume_type["name"], zones)
        return allowed

    async def wired(self, request: BootRequest, nics: Sequence[Nic], deadline: Deadline) -> frozenset[PodId] | None:
        """The pods that are wired to all networks, when the choice is ours; None: any. Where pods have the same wires,
        nobody is asked; when none has them all, the refusal of the first one says which AZs have.
        """
        if self._networks is None or not nics or request.zone.name is not None:
            return None
        pods = await self._pods.accepting()
        if not (some := uneven(pods)):
            return None
        wanted = some & await self._networks.physical_networks([nic.network_id for nic in nics], deadline)
        fit = frozenset(pod.id for pod in pods if not any(is_wired(pod, one) is False for one in wanted))
        return fit if wanted and fit else None

    async def apart(self, request: BootRequest, context: RequestContext) -> frozenset[PodId]:
        """The pods of servers that the new one shall share no host with: in another pod it certainly does not."""
        found = set[PodId]()
        for server_id in request.apart_server_ids:
            try:
                found.add((await self._carrier.locate(Kind.SERVER, server_id, context)).pod.id)
            except (NotFoundError, UnavailableError):
                continue  # Nova, too, ignores what it does not know in a hint
        return frozenset(found)

    async def pod(
        self,
        request: BootRequest,
        flavor: Mapping[str, object],
        context: RequestContext,
        *,
        held_by: frozenset[PodId] | None,
        version: tuple[int, int] | None = None,
        company: Company = Company(),
        deadline: Deadline,
    ) -> Pod:
        """The pod for a server.

        :param version: the microversion that it will be asked in
        :raises NotAcceptableError: nobody who could take it has this version
        :raises InvalidRequestError: no such AZ, or what is referred to is elsewhere
        :raises NoValidPodError: nobody can take it now (503)
        """
        zone, pod_ids = request.zone, held_by
        if request.within is not None:
            pod_ids = request.within if held_by is None else request.within & held_by
        wish = Wish(
            az_name=zone.name if zone.pod_zone is None else None,
            microversion=version,
            pod_ids=pod_ids,
            near=company.near,
            apart=company.apart,
            seed=context.project_id,
        )
        copies = None
        if self._images is not None and request.image_id is not None:
            copies = await self._images.holders(request.image_id)
        try:
            return await self._selection.choose(
                wish,
                project_id=context.project_id,
                demand=demand(request, flavor),
                copies=copies,
                deadline=deadline,
            )
        except NoValidPodError as error:
            if error.refused_by in ("az", "holds"):
                raise InvalidRequestError(error.message) from error
            if error.refused_by == "version":
                raise NotAcceptableError(error.message) from error
            raise


def demand(request: BootRequest, flavor: Mapping[str, object]) -> Demand:
    """What Placement is asked for. A server that boots from a volume needs no local root disk, whether it or its image
    names the volume."""
    is_local = request.image_id is not None and not any(boots_from_volume(one) for one in request.devices)
    local = _size(flavor.get("disk")) if is_local else 0
    local += _size(flavor.get("OS-FLV-EXT-DATA:ephemeral")) + ceil(_size(flavor.get("swap")) / 1024)
    specs = flavor.get("extra_specs")
    traits = {
        str(key).removeprefix("trait:"): value
        for key, value in (specs.items() if isinstance(specs, Mapping) else ())
        if str(key).startswith("trait:")
    }
    return Demand(
        vcpus=_size(flavor.get("vcpus")),
        memory_mib=_size(flavor.get("ram")),
        disk_gib=local,
        required=frozenset(name for name, value in traits.items() if value == "required"),
        forbidden=frozenset(name for name, value in traits.items() if value == "forbidden"),
    )


def _size(value: object) -> int:
    return int(value) if isinstance(value, int | str) and value != "" else 0
