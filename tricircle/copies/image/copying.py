# SPDX-License-Identifier: Apache-2.0
"""How is an image of the centre made in a pod's own Glance, once, and whole?

The record first, under the central id or a distinct one, with our mark; then the data. A record without data is gone on
with by the next run. Who reads along sees how far it is in the routing's details (``copied``, bytes).
"""

import logging
from collections import Counter
from collections.abc import Mapping

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.image import content
from tricircle.copies.image.data import Side, transfer
from tricircle.copies.image.glances import Glances, show_image
from tricircle.copies.reach import Reach
from tricircle.errors import BadUpstreamAnswerError, ConflictError, RetryLaterError, UpstreamStatusError
from tricircle.jobs.reports import Report
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.observe import metrics
from tricircle.upstream.client import ServiceClient

LOG = logging.getLogger(__name__)

#: Copies that one worker carries into one pod at the same time: other jobs of the pod need its room, too.
_AT_ONCE = 4
#: Seconds after which another worker goes on with what a dead one began.
LEASE_S = 30.0
_BUSY_S = 1.0


class Copying:
    """Makes copies in pods."""

    def __init__(self, reach: Reach, glances: Glances) -> None:
        self._reach = reach
        self._glances = glances
        self._running: Counter[str] = Counter()

    async def bring(self, pod: Pod, image: Body, deadline: Deadline) -> Report:
        """Have the image in the pod; what was done.

        :raises RetryLaterError: enough is being carried into this pod, or somebody writes the same image
        :raises ConflictError: the pod takes it under no id
        """
        if self._running[pod.id] >= _AT_ONCE:
            raise RetryLaterError("Other images are being carried into the pod.", after_s=_BUSY_S)
        self._running[pod.id] += 1
        try:
            return await self._bring(pod, image, deadline)
        finally:
            self._running[pod.id] -= 1

    async def _bring(self, pod: Pod, image: Body, deadline: Deadline) -> Report:
        image_id = str(image["id"])
        companions = await self.companions(pod, image, deadline)
        made: dict[str, object] = {}

        async def find() -> Found | None:
            return await self.left_behind(pod, image_id, deadline)

        async def create() -> Found:
            found = await self._make(pod, image, companions, deadline)
            made["bytes"] = content.size_of(image) if found.details["is_ours"] else 0
            return found

        copy = await self._reach.ensure(
            _wanted(pod, image), find=find, create=create, deadline=deadline, lease_s=LEASE_S
        )
        return {**made, "pod": pod.name, "pod_resource_id": copy.pod_resource_id}

    async def there_already(self, pod: Pod, image: Body, deadline: Deadline) -> Routing | None:
        """The routing of an image that the pod's Glance shows without our doing: it is the centre's by another name, or
        the pod's operator keeps the same image under the same id."""
        present = await show_image(self._glances.of(pod), str(image["id"]), deadline)
        if present is None or content.marked(present) is not None or not _serves_as_it_is(image, present):
            return None
        found = _as_it_is(image)

        async def there() -> Found:
            return found

        return await self._reach.ensure(_wanted(pod, image), find=there, create=there, deadline=deadline)

    async def left_behind(self, pod: Pod, image_id: str, deadline: Deadline) -> Found | None:
        """What an earlier run has made and did not write down: only what is whole counts."""
        for present in await self._glances.marked(self._glances.of(pod), image_id, deadline):
            if present.get("status") in ("active", "deactivated"):
                # What it is now is not known: whoever uses it next makes it agree.
                return Found(pod_resource_id=text(present, "id"), details={"is_ours": True}, revision="")
        return None

    async def companions(self, pod: Pod, image: Body, deadline: Deadline) -> dict[str, str]:
        """What the properties that name other images (kernel and ramdisk) are to say in the pod; copies are made."""
        found: dict[str, str] = {}
        for key in content.COMPANIONS:
            other_id = text(image, key)
            other = await self._glances.original(other_id, deadline) if other_id else None
            if other is None or other.get("status") != "active" or other["id"] == image["id"]:
                continue
            if any(text(other, name) for name in content.COMPANIONS):
                continue  # a kernel needs no kernel, and this could go round for ever
            await self._bring(pod, other, deadline)
            copy = await self._reach.routings.copy_in(Kind.IMAGE, other_id, pod.id)
            found[key] = str(copy.pod_resource_id) if copy is not None else other_id
        return found

    # --- one image in one pod --------------------------------------------------------------------------------------

    async def _make(self, pod: Pod, image: Body, companions: Mapping[str, str], deadline: Deadline) -> Found:
        client, image_id = self._glances.of(pod), str(image["id"])
        present = await show_image(client, image_id, deadline)
        if present is not None and content.marked(present) is None and _serves_as_it_is(image, present):
            return _as_it_is(image)
        for record in await self._glances.marked(client, image_id, deadline):
            if record.get("status") == "saving":
                raise RetryLaterError("Somebody writes this copy.", after_s=_BUSY_S * 5)
            if record.get("status") == "queued":
                return await self._go_on(pod, image, record, companions, deadline)
            await self._glances.delete(client, text(record, "id"), deadline)
        record_id = await self._record(client, image, companions, deadline)
        await self._carry(pod, image, record_id, deadline)
        return await self._finish(pod, image, record_id, deadline)

    async def _record(
        self, client: ServiceClient, image: Body, companions: Mapping[str, str], deadline: Deadline
    ) -> str:
        for pod_id in content.pod_ids(str(image["id"])):
            body = content.new_copy(image, pod_id, companions)
            try:
                await client.post("/v2/images", body=body, deadline=deadline)
            except UpstreamStatusError as error:
                if error.status != 409:
                    raise
                continue  # there is such an image, or there was once
            return pod_id
        raise ConflictError(f"Image {image['id']} cannot be had there: its id is taken.")

    async def _go_on(
        self, pod: Pod, image: Body, record: Body, companions: Mapping[str, str], deadline: Deadline
    ) -> Found:
        client, record_id = self._glances.of(pod), text(record, "id")
        if changes := content.changes(image, record, companions):
            await self._glances.patch(client, record_id, changes, deadline)
        try:
            await self._carry(pod, image, record_id, deadline)
        except UpstreamStatusError as error:
            if error.status >= 500 and error.status != 503:
                # A record whose data was once refused can never be filled: the next run takes another id.
                await self._glances.delete(client, record_id, deadline)
            raise
        return await self._finish(pod, image, record_id, deadline)

    async def _carry(self, pod: Pod, image: Body, record_id: str, deadline: Deadline) -> None:
        image_id = str(image["id"])
        row = await self._reach.routings.copy_in(Kind.IMAGE, image_id, pod.id)
        before = 0

        async def progress(passed: int) -> None:
            nonlocal before
            metrics.image_carried(pod.name, "out", passed - before)
            before = passed
            if row is not None:
                await self._reach.routings.update(row.id, details={"copied": passed})

        LOG.info("image %s (%d bytes) is carried into pod %s", image_id, content.size_of(image), pod.name)
        source, sink = Side(self._glances.central(), image_id), Side(self._glances.of(pod), record_id)
        await transfer(image, source, sink, progress, deadline)

    async def _finish(self, pod: Pod, image: Body, record_id: str, deadline: Deadline) -> Found:
        client = self._glances.of(pod)
        present = await show_image(client, record_id, deadline)
        if present is None or present.get("status") != "active" or not content.is_same_data(image, present):
            raise BadUpstreamAnswerError(f"The copy of image {image['id']} is not what it should be.")
        members = await self._glances.share(image, (client, record_id), deadline)
        details: dict[str, object] = {"is_ours": True, "members": members, "copied": None}
        return Found(pod_resource_id=record_id, details=details, revision=content.digest(image))


def _wanted(pod: Pod, image: Body) -> Wanted:
    owner = ProjectId(content.owner_of(image))
    return Wanted(kind=Kind.IMAGE, central_id=str(image["id"]), pod=pod, project_id=owner)


def _as_it_is(image: Body) -> Found:
    return Found(pod_resource_id=str(image["id"]), details={"is_ours": False}, revision=content.digest(image))


def _serves_as_it_is(image: Body, present: Body) -> bool:
    """Whether an image of the pod that bears the central id is the very image, or one of the operator's that is equal:
    then it is used, and never touched.
    """
    is_the_same = all(image.get(key) == present.get(key) for key in ("created_at", "owner", "checksum", "size"))
    is_equal = content.is_same_data(image, present) and image.get("visibility") == present.get("visibility")
    return present.get("status") == "active" and (is_the_same or (is_equal and image["owner"] == present.get("owner")))
