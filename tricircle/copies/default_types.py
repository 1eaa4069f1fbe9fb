# SPDX-License-Identifier: Apache-2.0
"""What type does a volume of a project get in a pod when nobody names one?

Nova asks its own Cinder for volumes of new servers, and a restored backup may make one: no request for them comes by
that could name a type. So the project's default in the pod is made the centre's, right before.
"""

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import member, rows
from tricircle.errors import ConflictError
from tricircle.model.pod import Pod, Service
from tricircle.pods.spoken import spoken
from tricircle.upstream.client import ServiceClient

#: From here on a project can have a default of its own.
VERSION = "3.62"
_PATH = "/v3/default-types"


async def current(client: ServiceClient, deadline: Deadline) -> str:
    """The name of the type that a volume of the client's project gets; empty when the pod's operator has set none."""
    answer = await client.get("/v3/types/default", deadline=deadline, ok=(404,))
    return str(member(answer, "volume_type")["name"]) if "volume_type" in answer else ""


async def point(client: ServiceClient, project_id: ProjectId, name: str, deadline: Deadline) -> None:
    """Make the type of this name the project's default. ``client``: the service user's, at ``VERSION``."""
    body = {"default_type": {"volume_type": name}}
    await client.put(f"{_PATH}/{project_id}", body=body, deadline=deadline)


async def release(client: ServiceClient, type_id: str, deadline: Deadline) -> None:
    """No project has this type as its default any more: Cinder deletes no other."""
    for one in rows(await client.get(_PATH, deadline=deadline), "default_types"):
        if one.get("volume_type_id") == type_id:
            await client.delete(f"{_PATH}/{one['project_id']}", deadline=deadline, ok=(404,))


def check_able(pod: Pod, central_name: str) -> None:
    """:raises ConflictError: the pod is too old to have other defaults than its own"""
    if spoken(pod, Service.BLOCK_STORAGE, VERSION) != VERSION:
        raise ConflictError(
            f"A volume for which no type is named cannot get the default one there ({central_name}). Name a type."
        )
