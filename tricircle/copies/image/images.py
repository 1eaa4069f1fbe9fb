# SPDX-License-Identifier: Apache-2.0
"""How does an image of the centre come to be in a pod that has a Glance of its own, and how does it follow changes?

A pod whose catalog names the central Glance, or no image service, needs nothing. Where another address turns out to
be the central Glance too (it shows the very image), that is written down, and nothing is copied or ever removed there.

Whoever needs an image in a pod files a job and waits for the copy as long as his time allows: a worker carries the data
over, however long that takes and whoever waits. What exists only in part is gone on with; what a pod refuses to fill is
given up for a distinct id (``image_content.py``).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.bodies import Body, words
from tricircle.copies.ensure import Found
from tricircle.copies.image import content
from tricircle.copies.image.copying import Copying
from tricircle.copies.image.glances import Glances, show_image
from tricircle.copies.reach import Reach
from tricircle.copies.visit import must_look, visit
from tricircle.errors import NotFoundError, RetryLaterError, UnavailableError, UpstreamStatusError
from tricircle.jobs.reports import Report
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import ServiceClient

LOG = logging.getLogger(__name__)

#: What of a request's time is kept for what is done with the image: seconds, and a part of it at most.
_KEPT_S, _KEPT_PART = 10.0, 0.25
#: Seconds between two looks whether a copy has come, at first and at most.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
_LEASE_S = 60.0
_OWNER = "images"
#: A run that only waits for its turn says nothing about the image.
_WAITS = RetryLaterError.__name__


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy that is bound, and its original."""

    pod: Pod
    routing: Routing
    image: Body

    @property
    def id(self) -> str:
        """Of the copy in its pod."""
        return str(self.routing.pod_resource_id)


class Images:
    """Copies of images. Everything here is done as the service user."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._glances = Glances(reach)
        self._copying = Copying(reach, self._glances)

    def has_own(self, pod: Pod) -> bool:
        """Whether the pod may have a Glance of its own."""
        return self._glances.is_own(pod)

    async def holders(self, image_id: str) -> Mapping[PodId, int]:
        """By pod: 1 where the image is, as far as copies are written down. Pods that use the central Glance count;
        where all do, none is better than another."""
        pods = await self._reach.registry.enabled()
        if not any(self.has_own(pod) for pod in pods):
            return {}
        there = {copy.pod_id: 1 for copy in await self._reach.routings.copies_of(Kind.IMAGE, image_id) if copy.is_bound}
        return there | {pod.id: 1 for pod in pods if not self.has_own(pod)}

    async def ensure(self, pod: Pod, image: Body, *, project_id: ProjectId, deadline: Deadline) -> str:
        """The id by which ``project_id`` can use an image in the pod.

        :param image: the central body, as the caller or an administrator sees it
        :raises UnavailableError: it is not there yet: the text says how much of it is, for tenants
        """
        if not self.has_own(pod):
            return str(image["id"])
        try:
            return await self._ensured(pod, image, project_id, deadline)
        except UpstreamStatusError as error:
            LOG.warning("image %s cannot be had in pod %s: %s", image["id"], pod.name, error)
            raise _not_now(image, pod) from error

    async def _ensured(self, pod: Pod, image: Body, project_id: ProjectId, deadline: Deadline) -> str:
        image_id = str(image["id"])
        known = await self._reach.routings.copy_in(Kind.IMAGE, image_id, pod.id)
        if known is None or not known.is_bound:
            known = await self._awaited(pod, image, deadline)
        if known.details.get("is_ours") and not _serves(known, image, project_id):
            await self._follow_now(pod, known, project_id, deadline)
        return str(known.pod_resource_id)

    async def bring(self, run: JobRun) -> Report | None:
        """Job body: carry an image into a pod, unless it is there."""
        pod = await self._reach.registry.get(run.pod_id)
        image = await self._glances.original(run.resource_id, run.deadline)
        if pod is None or image is None or image.get("status") != "active" or not self.has_own(pod):
            return None
        return await self._copying.bring(pod, image, run.deadline)

    async def agree(self, run: JobRun) -> None:
        """Job body: copies follow their original, and go with it."""
        image = await self._glances.original(run.resource_id, run.deadline)

        async def work(pod: Pod, copy: Routing) -> None:
            if image is None:
                await self._part(pod, copy, run.deadline)
            elif not copy.details.get("is_ours"):
                if must_look(run):
                    await self._reach.routings.forget(copy.id)  # the next use looks for it
            elif _must_follow(run, copy, image):
                await self._follow(_Copy(pod, copy, image), run.deadline)

        async def find(pod: Pod, _copy: Routing) -> Found | None:
            return await self._copying.left_behind(pod, run.resource_id, run.deadline)

        await visit(self._reach, run, Kind.IMAGE, work=work, find=find)

    # --- waiting ---------------------------------------------------------------------------------------------------

    async def _awaited(self, pod: Pod, image: Body, deadline: Deadline) -> Routing:
        image_id = str(image["id"])
        if (there := await self._copying.there_already(pod, image, deadline)) is not None:
            return there
        job_id = await self._reach.queue.append(
            JobType.IMAGE_COPY, image_id, ProjectId(content.owner_of(image)), pod_id=pod.id
        )
        left_s = deadline.remaining_s()
        pause_s, until = _FIRST_PAUSE_S, deadline.within(left_s - min(_KEPT_S, left_s * _KEPT_PART))
        while True:
            copy = await self._reach.routings.copy_in(Kind.IMAGE, image_id, pod.id)
            if copy is not None and copy.is_bound:
                return copy
            trouble = await self._reach.queue.trouble(job_id)
            if trouble is not None and not trouble.startswith(_WAITS):
                raise _not_now(image, pod)
            if until.remaining_s() == 0:
                raise UnavailableError(_so_far(image, copy, pod), retry_after_s=30)
            await asyncio.sleep(min(pause_s, until.remaining_s()))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _follow_now(self, pod: Pod, copy: Routing, project_id: ProjectId, deadline: Deadline) -> None:
        """Make the copy agree before somebody uses it. Somebody else's hand on it may be doing just that."""
        # What the caller saw may be less than all of it: properties can be hidden from tenants.
        image = await self._glances.original(copy.central_id, deadline)
        if image is None:
            raise NotFoundError(f"No image found with ID {copy.central_id}")
        if _serves(copy, image, project_id):
            return
        lease = await self._reach.leases.hold(copy, owner=_OWNER, ttl_s=_LEASE_S)
        is_there = False
        if lease is not None:
            try:
                is_there = await self._follow(_Copy(pod, copy, image), deadline)
            finally:
                await self._reach.leases.release(lease)
        if not is_there:
            raise UnavailableError("What the request names is being changed. Try again later.", retry_after_s=2)

    # --- following -------------------------------------------------------------------------------------------------

    async def _follow(self, copy: _Copy, deadline: Deadline) -> bool:
        """Make one copy agree, its lease held; False, and forgotten, when it is not there any more."""
        client, image, routing = self._glances.of(copy.pod), copy.image, copy.routing
        present = await show_image(client, copy.id, deadline)
        if present is None:
            await self._reach.routings.forget(routing.id)
            if routing.details.get("is_shelved"):
                # The pod deletes what a shelved server was kept in when the server is back, or goes.
                await self._glances.delete(self._glances.central(), str(image["id"]), deadline)
            return False
        companions = await self._copying.companions(copy.pod, image, deadline)
        if changes := content.changes(image, present, companions):
            await self._glances.patch(client, copy.id, changes, deadline)
        members = await self._glances.share(image, (client, copy.id), deadline)
        await _make_usable(client, copy.id, image, present, deadline)
        await self._reach.routings.update(routing.id, details={"members": members}, revision=content.digest(image))
        return True

    async def _part(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """The original is gone. Where the centre has only forgotten it (it is older than its pods), it comes home."""
        client, copy_id = self._glances.of(pod), str(copy.pod_resource_id)
        present = await show_image(client, copy_id, deadline) if copy.details.get("is_ours") else None
        if present is not None:
            if await self._glances.reserve(present, copy.central_id, deadline):
                job = JobType.IMAGE_HOME
                await self._reach.queue.append(job, copy.central_id, copy.project_id, pod_id=pod.id)
                return
            await self._glances.delete(client, copy_id, deadline)
        await self._reach.routings.forget(copy.id)


def _must_follow(run: JobRun, copy: Routing, image: Body) -> bool:
    """Members are no part of the digest: copies of what is shared are always looked at."""
    return must_look(run) or copy.revision != content.digest(image) or image.get("visibility") == "shared"


async def _make_usable(client: ServiceClient, copy_id: str, image: Body, present: Body, deadline: Deadline) -> None:
    """A copy of what its owner or an administrator has taken out of use is out of use."""
    path, wanted, there = f"/v2/images/{copy_id}", image.get("status"), present.get("status")
    if wanted == "deactivated" and there == "active":
        await client.post(f"{path}/actions/deactivate", deadline=deadline)
    elif wanted == "active" and there == "deactivated":
        await client.post(f"{path}/actions/reactivate", deadline=deadline)


def _serves(copy: Routing, image: Body, project_id: ProjectId) -> bool:
    """Whether a copy is as the image is now, and the project may use it."""
    if copy.revision != content.digest(image):
        return False
    is_members_only = image.get("visibility") == "shared" and project_id != content.owner_of(image)
    return not is_members_only or str(project_id) in words(copy.details, "members")


def _not_now(image: Body, pod: Pod) -> UnavailableError:
    text = f"Image {image['id']} cannot be had in availability zone {pod.az_name} now. Try again later."
    return UnavailableError(text, retry_after_s=30)


def _so_far(image: Body, copy: Routing | None, pod: Pod) -> str:
    copied = copy.details.get("copied") if copy is not None else None
    size = content.size_of(image)
    done = f" ({100 * copied // size} % done)" if isinstance(copied, int) and size else ""
    return f"Image {image['id']} is being copied to availability zone {pod.az_name}{done}. Try again later."
