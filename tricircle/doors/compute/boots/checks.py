# SPDX-License-Identifier: Apache-2.0
"""Is everything that a boot names there, and what is it? Read only, all at once; nothing is made before all is good."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tricircle.context import Deadline, PodId, RequestContext
from tricircle.doors.compute.boots.boot_request import BootRequest
from tricircle.doors.compute.boots.choice import Choice, Company
from tricircle.doors.compute.boots.devices import Device
from tricircle.doors.compute.boots.group_pods import GroupPods
from tricircle.doors.compute.boots.nics import Nic, Nics
from tricircle.doors.compute.declared.lookups import Body, Declared
from tricircle.doors.compute.together import caught, value
from tricircle.errors import InvalidRequestError
from tricircle.http.message import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a boot is made of, as the centre has it.

    :ivar devices: all block devices, those that the image brings along, too
    :ivar images: by id: what is booted from, and what block devices are made from
    :ivar volume_types: by what the request calls them
    :ivar held_by: the pods that hold all that the request refers to; None: it refers to nothing that runs
    :ivar company: where members of its group are, and servers that hints name
    """

    flavor: Body
    devices: tuple[Device, ...] = ()
    keypair: Body | None = None
    server_group: Body | None = None
    images: Mapping[str, Body] = field(default_factory=dict)
    volume_types: Mapping[str, Body] = field(default_factory=dict)
    nics: tuple[Nic, ...] = ()
    held_by: frozenset[PodId] | None = None
    company: Company = field(default_factory=Company)

    def beside(self, pods: frozenset[PodId]) -> "Parts":
        """The same in one of these pods."""
        return replace(self, held_by=_common(self.held_by, pods))


class Checks:
    """Looks up what boots name."""

    def __init__(self, *, declared: Declared, nics: Nics, choice: Choice, group_pods: GroupPods) -> None:
        self._declared = declared
        self._nics = nics
        self._choice = choice
        self._group_pods = group_pods

    async def parts(self, request: Request, wanted: BootRequest) -> Parts:
        """All parts of a boot. Of several mistakes the one is told that Nova would find first.

        :raises InvalidRequestError, ConflictError, ForbiddenError: in Nova's words
        """
        context, deadline = request.context, request.context.deadline
        refuse_several(wanted)
        await self._choice.check_zone(wanted)
        async with asyncio.TaskGroup() as group:
            flavor = group.create_task(caught(self._declared.flavor(context, wanted.flavor_id, deadline)))
            images = group.create_task(caught(self._images(wanted, context, deadline)))
            nics = group.create_task(
                caught(self._nics.of_boot(context, wanted.networking, wanted.nics, wanted.group_names, deadline))
            )
            keypair = group.create_task(caught(self._keypair(wanted, context, deadline)))
            held_by = group.create_task(caught(self._choice.held_by(wanted, context)))
            apart = group.create_task(caught(self._choice.apart(wanted, context)))
            server_group = group.create_task(caught(self._server_group(wanted, context, deadline)))
            volume_types = group.create_task(caught(self._volume_types(wanted, context, deadline)))
        found_flavor = value(flavor.result())
        found_images = value(images.result())
        whole = wanted.with_image(found_images)
        group_of = value(server_group.result())
        members = frozenset() if group_of is None else await self._group_pods.of(request, str(group_of["id"]))
        found_nics = value(nics.result())
        hinted = await self._choice.hinted(wanted, found_nics)
        hinted = _common(hinted, await self._choice.wired(wanted, found_nics, deadline))
        holders, types = value(held_by.result()), value(volume_types.result())
        if whole is not wanted:
            refuse_several(whole)
            holders = await self._choice.held_by(whole, context)
            found_images = await self._images(whole, context, deadline)
            types = await self._volume_types(whole, context, deadline)
        holders = _common(holders, await self._choice.typed(wanted, types.values()))
        return Parts(
            flavor=found_flavor,
            devices=whole.devices,
            images=found_images,
            nics=found_nics,
            keypair=value(keypair.result()),
            held_by=_common(_beside(holders, group_of, members), hinted),
            company=_company(group_of, members, value(apart.result())),
            server_group=group_of,
            volume_types=types,
        )

    async def _images(self, wanted: BootRequest, context: RequestContext, deadline: Deadline) -> Mapping[str, Body]:
        found: dict[str, Body] = {}
        if wanted.image_id is not None:
            found[wanted.image_id] = await self._declared.boot_image(context, wanted.image_id, deadline)
        for image_id in wanted.device_image_ids:
            if image_id not in found:
                found[image_id] = await self._declared.device_image(context, image_id, deadline)
        return found

    async def _keypair(self, wanted: BootRequest, context: RequestContext, deadline: Deadline) -> Body | None:
        return None if wanted.key_name is None else await self._declared.keypair(context, wanted.key_name, deadline)

    async def _server_group(self, wanted: BootRequest, context: RequestContext, deadline: Deadline) -> Body | None:
        if wanted.server_group_id is None:
            return None
        return await self._declared.server_group(context, wanted.server_group_id, deadline)

    async def _volume_types(
        self, wanted: BootRequest, context: RequestContext, deadline: Deadline
    ) -> Mapping[str, Body]:
        return {asked: await self._declared.volume_type(context, asked, deadline) for asked in wanted.volume_types}


def _beside(held_by: frozenset[PodId] | None, group: Body | None, members: frozenset[PodId]) -> frozenset[PodId] | None:
    """Servers of an affinity group share a host, so they share a pod; the first one may be anywhere."""
    return _common(held_by, members) if is_together(group) and members else held_by


def is_together(group: Body | None) -> bool:
    """Whether members of a group must share a host."""
    return group is not None and group.get("policy") == "affinity"


def _common(one: frozenset[PodId] | None, other: frozenset[PodId] | None) -> frozenset[PodId] | None:
    """What both allow; None allows everything."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _company(group: Body | None, members: frozenset[PodId], apart: frozenset[PodId]) -> Company:
    """Members of an anti-affinity group that are in different pods share no host; the softer policies are wishes."""
    policy = None if group is None else group.get("policy")
    if policy == "soft-affinity":
        return Company(near=members, apart=apart)
    return Company(apart=apart | members if policy in ("anti-affinity", "soft-anti-affinity") else apart)


def refuse_several(wanted: BootRequest) -> None:
    """What several servers by one call cannot have.

    :raises InvalidRequestError: Nova's words
    """
    if wanted.max_count <= 1:
        return
    if any(nic.fixed_ip for nic in wanted.nics):
        raise InvalidRequestError(
            "Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified."
        )
    if any(nic.port_id for nic in wanted.nics):
        raise InvalidRequestError(
            "Failed to launch instances: Unable to launch multiple instances with a single configured port ID. "
            "Please launch your instance one by one with different ports."
        )
    if wanted.server.get("hostname"):
        raise InvalidRequestError("Unable to allocate a single hostname to multiple instances")
    if wanted.volume_ids:
        raise InvalidRequestError("Cannot attach one or more volumes to multiple instances")
