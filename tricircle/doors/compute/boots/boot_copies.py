# SPDX-License-Identifier: Apache-2.0
"""Which copies does a boot need beside ports, and how are they called in the pod?"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.copies.keypairs import routing_id
from tricircle.doors.compute.boots.boot_request import PodNaming, hints_in
from tricircle.doors.compute.boots.order import Order
from tricircle.doors.compute.needs import (
    FlavorCopies,
    ImageCopies,
    KeypairCopies,
    ProjectBindings,
    ServerGroupCopies,
    ServerStorage,
    VanishedCopies,
    VolumeTypeCopies,
)
from tricircle.doors.compute.together import caught, value
from tricircle.model.routing import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class BootCopies:
    """Who makes the copies that a boot needs beside ports. ``bindings``: who may be in a pod."""

    bindings: ProjectBindings
    flavors: FlavorCopies
    keypairs: KeypairCopies
    server_groups: ServerGroupCopies
    volume_types: VolumeTypeCopies
    storage: ServerStorage
    images: ImageCopies
    vanished: VanishedCopies


async def named(copies: BootCopies, order: Order) -> PodNaming:
    """What is named differently in the pod, after copies of everything were made there."""
    pod, parts, context, deadline = order.pod, order.parts, order.context, order.deadline
    await copies.bindings.ensure(context.project_id, pod, deadline)
    async with asyncio.TaskGroup() as group:
        flavor = group.create_task(
            caught(copies.flavors.ensure(pod, parts.flavor, project_id=context.project_id, deadline=deadline))
        )
        keypair = group.create_task(caught(_keypair(copies, order)))
        server_group = group.create_task(caught(_server_group(copies, order)))
        types = group.create_task(caught(_volume_types(copies, order)))
        images = group.create_task(caught(_images(copies, order)))
        wanted = group.create_task(caught(copies.storage.ensure_types(context, pod, order.volumes)))
    value(keypair.result())
    return PodNaming(
        flavor_id=value(flavor.result()),
        networks=None,
        zone=order.wanted.zone.at(pod.pod_az_name),
        hints=hints_in(pod, order.wanted, value(server_group.result())),
        volume_types=value(types.result()),
        images=value(images.result()),
        image_types=value(wanted.result()),
    )


async def forget_vanished(copies: BootCopies, order: Order) -> bool:
    """Whether copies that the boot names are gone in the pod; they are forgotten then."""
    parts = order.parts
    kinds_and_ids = [(Kind.FLAVOR, str(parts.flavor["id"]))]
    if parts.keypair is not None:
        kinds_and_ids.append((Kind.KEYPAIR, routing_id(order.context.user_id, str(parts.keypair["name"]))))
    if parts.server_group is not None:
        kinds_and_ids.append((Kind.SERVER_GROUP, str(parts.server_group["id"])))
    kinds_and_ids += [(Kind.VOLUME_TYPE, str(one["id"])) for one in parts.volume_types.values()]
    kinds_and_ids += [(Kind.IMAGE, str(one["id"])) for one in parts.images.values()]
    found = await caught(copies.vanished.forget(order.pod, kinds_and_ids, order.deadline))
    return found is True


async def _keypair(copies: BootCopies, order: Order) -> None:
    if order.parts.keypair is not None:
        await copies.keypairs.ensure(order.pod, order.context, order.parts.keypair, order.deadline)


async def _server_group(copies: BootCopies, order: Order) -> str | None:
    if order.parts.server_group is None:
        return None
    return await copies.server_groups.ensure(order.pod, order.context, order.parts.server_group, order.deadline)


async def _volume_types(copies: BootCopies, order: Order) -> Mapping[str, str]:
    return {
        asked: await copies.volume_types.ensure(order.pod, volume_type, order.deadline)
        for asked, volume_type in order.parts.volume_types.items()
    }


async def _images(copies: BootCopies, order: Order) -> Mapping[str, str]:
    """Ids in the pod that differ from those that the request names."""
    found: dict[str, str] = {}
    for asked, image in order.parts.images.items():
        project_id = order.context.project_id
        pod_id = await copies.images.ensure(order.pod, image, project_id=project_id, deadline=order.deadline)
        if pod_id != asked:
            found[asked] = pod_id
    return found
