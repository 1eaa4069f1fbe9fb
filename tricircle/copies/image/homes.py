# SPDX-License-Identifier: Apache-2.0
"""How does an image that a pod made (of a server or a volume) come to the centre, under the id that its owner was told?

The pod chooses the id, and its owner learns it at once; so the id is reserved at the centre before he is answered: an
image that is ``queued``, as in any cloud. A job fills it when the pod has. What the pod made stays there as the copy of
its original: a server that is booted from it beside the old one waits for nothing, and no id is lost.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.copies.bodies import Body, rows, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.image import content
from tricircle.copies.image.copying import LEASE_S
from tricircle.copies.image.data import Side, transfer
from tricircle.copies.image.glances import Glances, show_image
from tricircle.copies.reach import Reach
from tricircle.errors import (
    BadUpstreamAnswerError,
    ConflictError,
    ForbiddenError,
    QuotaExceededError,
    RetryLaterError,
    TricircleError,
    UpstreamStatusError,
)
from tricircle.jobs.reports import Report
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.observe import metrics

LOG = logging.getLogger(__name__)

#: States of an image that is still being made, and of one that never will be.
_COMING = ("queued", "saving", "importing", "uploading")
_LOST = ("killed", "deleted", "pending_delete")
#: Seconds between two looks at an image that a pod makes: soon at first, then according to its age.
_SOONEST_S, _LATEST_S = 1.0, 30.0
#: How often a pod is asked whether it has deleted what an unshelved server was kept in: ten minutes in all.
_LOOKS = 30


class ImageHomes:
    """Brings images home."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._glances = Glances(reach)

    async def announce(
        self, context: RequestContext, pod: Pod, image_id: str, payload: Mapping[str, object] | None = None
    ) -> None:
        """Reserve at the centre the id of an image that the pod has begun to make for the caller, and file the job that
        fills it. Nothing is done where the pod uses the central Glance.

        :param payload: for the job: ``rotation``, ``is_shelved``
        :raises ForbiddenError, QuotaExceededError: the centre does not let the caller have it; it is gone in the pod
        """
        if not self._glances.is_own(pod):
            return
        deadline = context.deadline
        try:
            if await self._glances.original(image_id, deadline) is not None:
                return  # the pod's Glance is the centre's, by another name; or a sweep was faster
            present = await show_image(self._glances.of(pod), image_id, deadline)
            if present is None:
                return  # gone already
            await self._reserve(context, pod, present)
        except (ForbiddenError, QuotaExceededError):
            raise
        except TricircleError as error:
            # The pod makes it, whatever is wrong with the centre now: the job reserves it.
            LOG.warning("image %s is not announced yet: %s", image_id, error)
        await self.fetch(pod, image_id, context.project_id, payload)

    async def announce_of_server(
        self, context: RequestContext, pod: Pod, server_id: str, payload: Mapping[str, object] | None = None
    ) -> None:
        """The same for images of a server whose ids the pod did not tell: those that nobody knows yet."""
        if not self._glances.is_own(pod):
            return
        mine = {"instance_uuid": server_id, "owner": context.project_id}
        params = {**mine, "visibility": "all", "sort": "created_at:desc", "limit": "20"}
        try:
            answer = await self._glances.of(pod).get("/v2/images", params=params, deadline=context.deadline)
            found = [text(image, "id") for image in rows(answer, "images") if content.marked(image) is None]
            known = await self._reach.routings.in_pod_by_central(Kind.IMAGE, found, pod.id) if found else {}
        except TricircleError as error:
            LOG.warning("images of server %s are left to the sweep: %s", server_id, error)
            return
        for image_id in found:
            if image_id not in known:
                await self.announce(context, pod, image_id, payload)

    async def watch_shelved(self, context: RequestContext, pod: Pod, server_id: str) -> None:
        """File a job for what a shelved server was kept in: the pod deletes it when the server runs again."""
        params = {"instance_uuid": server_id, "image_type": "snapshot", "visibility": "all"}
        try:
            answer = await self._glances.central().get("/v2/images", params=params, deadline=context.deadline)
            ids = [text(image, "id") for image in rows(answer, "images")]
            known = await self._reach.routings.in_pod_by_central(Kind.IMAGE, ids, pod.id) if ids else {}
        except TricircleError as error:
            LOG.warning("what server %s was kept in is left to the sweep: %s", server_id, error)
            return
        for image_id, copy in known.items():
            if copy.details.get("is_shelved"):
                payload = {"is_shelved": True, "is_leaving": True}
                await self._reach.queue.append(
                    JobType.IMAGE_HOME, image_id, context.project_id, pod_id=pod.id, payload=payload
                )

    async def fetch(
        self, pod: Pod, image_id: str, project_id: ProjectId, payload: Mapping[str, object] | None = None
    ) -> None:
        """Write down that a pod has an image that the centre does not have yet, and file the job."""
        await self._reach.routings.suspect(
            Kind.IMAGE, image_id, pod.id, project_id, {"is_born": True, **(payload or {})}
        )
        await self._reach.queue.append(JobType.IMAGE_HOME, image_id, project_id, pod_id=pod.id, payload=payload)

    async def agree(self, run: JobRun) -> Report | None:
        """Job body: fill the image at the centre when the pod has made it.

        :raises RetryLaterError: the pod is not ready with it, or somebody else fills it
        """
        pod = await self._reach.registry.get(run.pod_id)
        if pod is None or not self._glances.is_own(pod):
            return None
        image_id, deadline = run.resource_id, run.deadline
        present = await show_image(self._glances.of(pod), image_id, deadline)
        if present is None or present.get("status") in _LOST:
            return await self._came_to_nothing(pod, image_id, run)
        if run.payload.get("is_leaving"):
            return await self._wait_for_leave(pod, image_id)
        original = await self._glances.original(image_id, deadline)
        if original is None and not await self._glances.reserve(present, image_id, deadline):
            return await self._unwanted(pod, image_id, deadline)
        if present.get("status") in _COMING:
            raise RetryLaterError("The pod still makes the image.", after_s=_pause_s(present))
        wanted = Wanted(kind=Kind.IMAGE, central_id=image_id, pod=pod, project_id=ProjectId(content.owner_of(present)))

        async def work() -> Found:
            return await self._fill(pod, present, run)

        known = await self._reach.routings.copy_in(Kind.IMAGE, image_id, pod.id)
        try:
            if known is not None and known.is_bound:
                await work()
            else:
                await self._reach.ensure(wanted, find=work, create=work, deadline=deadline, lease_s=LEASE_S)
        except _RefusedError as refusal:
            # As where there is one cloud only: an image that may not be stored is gone.
            LOG.warning("image %s is not taken at the centre: %s", image_id, refusal.message)
            await self._glances.delete(self._glances.central(), image_id, deadline)
            return await self._unwanted(pod, image_id, deadline)
        if run.payload.get("rotation") is not None:
            await self._rotate(present, run)
        return {"pod": pod.name, "bytes": content.size_of(present)}

    # --- the centre ------------------------------------------------------------------------------------------------

    async def _reserve(self, context: RequestContext, pod: Pod, present: Body) -> None:
        image_id = text(present, "id")
        client = self._reach.clients.as_user(context, self._reach.registry.central(Service.IMAGE))
        body = content.new_original(present, image_id)
        try:
            await client.post("/v2/images", body=body, deadline=context.deadline)
        except UpstreamStatusError as error:
            if error.status not in (403, 413):
                raise
            await self._glances.delete(self._glances.of(pod), image_id, context.deadline)
            if error.status == 403:
                raise ForbiddenError("The image may not be created.") from error
            raise QuotaExceededError("Quota exceeded for images.") from error

    async def _fill(self, pod: Pod, present: Body, run: JobRun) -> Found:
        """Data and properties to the centre; then the pod's image is the copy of its original."""
        image_id, deadline, central = run.resource_id, run.deadline, self._glances.central()
        original = await self._glances.original(image_id, deadline)
        if original is None or original.get("status") == "saving":
            raise RetryLaterError("Somebody else fills or deletes the image.", after_s=_SOONEST_S)
        if original.get("status") == "queued":
            await self._carry(pod, original, present, deadline)
            original = await self._glances.original(image_id, deadline) or {}
        if original.get("status") != "active" or not content.is_same_data(original, present):
            raise BadUpstreamAnswerError(f"Image {image_id} at {central.target.label} is not what the pod made.")
        client = self._glances.of(pod)
        if changes := content.changes(original, present, {}):
            await self._glances.patch(client, image_id, changes, deadline)
        members = await self._glances.share(original, (client, image_id), deadline)
        details: dict[str, object] = {"is_ours": True, "members": members, "copied": None}
        if run.payload.get("is_shelved"):
            details["is_shelved"] = True
        return Found(pod_resource_id=image_id, details=details, revision=content.digest(original))

    async def _carry(self, pod: Pod, original: Body, present: Body, deadline: Deadline) -> None:
        image_id, central = str(original["id"]), self._glances.central()
        before = 0

        async def progress(passed: int) -> None:
            nonlocal before
            metrics.image_carried(pod.name, "home", passed - before)
            before = passed

        if changes := content.completion(original, present):
            await self._glances.patch(central, image_id, changes, deadline)
        if present.get("visibility") == "shared":
            # Of another project's server an administrator's image is shared with that project.
            await self._glances.befriend(self._glances.of(pod), image_id, deadline)
        try:
            source, sink = Side(self._glances.of(pod), image_id), Side(central, image_id)
            await transfer(present, source, sink, progress, deadline)
        except UpstreamStatusError as error:
            # Whatever else it says, nobody else has this data: the job rests with the reason, and nothing is deleted.
            if error.target == central.target.label and error.status == 413:
                raise _RefusedError(error.message) from error
            raise

    async def _rotate(self, present: Body, run: JobRun) -> None:
        """Of backups of one server and sort, as many stay as were asked for. (In its own Glance the pod sees to it.)"""
        keep = run.payload.get("rotation")
        params = {
            "owner": content.owner_of(present),
            "image_type": "backup",
            "backup_type": text(present, "backup_type"),
            "instance_uuid": text(present, "instance_uuid"),
            "visibility": "all",
            "sort": "created_at:desc",
            "limit": "1000",
        }
        answer = await self._glances.central().get("/v2/images", params=params, deadline=run.deadline)
        for image in rows(answer, "images")[keep if isinstance(keep, int) else 1000 :]:
            image_id = text(image, "id")
            await self._glances.delete(self._glances.central(), image_id, run.deadline)
            await self._reach.queue.append(JobType.IMAGE, image_id, run.project_id, payload={"deleted": True})

    # --- ends ------------------------------------------------------------------------------------------------------

    async def _came_to_nothing(self, pod: Pod, image_id: str, run: JobRun) -> Report:
        """The pod could not make it, or needs it no more, and has deleted it: so it goes at the centre, too. What its
        owner wanted for its own sake stays there once it is there."""
        original = await self._glances.original(image_id, run.deadline)
        if original is not None and (original.get("status") == "queued" or run.payload.get("is_shelved")):
            await self._glances.delete(self._glances.central(), image_id, run.deadline)
            await self._reach.queue.append(JobType.IMAGE, image_id, run.project_id, payload={"deleted": True})
        await self._forget(pod, image_id)
        return {"pod": pod.name, "came_to_nothing": True}

    async def _wait_for_leave(self, pod: Pod, image_id: str) -> Report:
        """:raises RetryLaterError: the pod still has it, and has had reason to delete it for a short while only"""
        copy = await self._reach.routings.copy_in(Kind.IMAGE, image_id, pod.id)
        looks = copy.details.get("looks", 0) if copy is not None else _LOOKS
        if copy is None or not isinstance(looks, int) or looks >= _LOOKS:
            return {"pod": pod.name, "stays": True}  # if it goes later, a sweep sees it
        await self._reach.routings.update(copy.id, details={"looks": looks + 1})
        raise RetryLaterError("The pod still has the image.", after_s=_SOONEST_S * (1 + looks))

    async def _unwanted(self, pod: Pod, image_id: str, deadline: Deadline) -> Report:
        """Its owner has deleted it at the centre before it came home."""
        await self._glances.delete(self._glances.of(pod), image_id, deadline)
        await self._forget(pod, image_id)
        return {"pod": pod.name, "unwanted": True}

    async def _forget(self, pod: Pod, image_id: str) -> None:
        copy = await self._reach.routings.copy_in(Kind.IMAGE, image_id, pod.id)
        if copy is not None:
            await self._reach.routings.forget_free(copy.id)


class _RefusedError(ConflictError):
    """The central Glance does not take the image."""


def _pause_s(present: Body) -> float:
    """A tenth of the image's age."""
    try:
        born = datetime.fromisoformat(text(present, "created_at"))
    except ValueError:
        return _LATEST_S
    age_s = (datetime.now(UTC) - (born if born.tzinfo else born.replace(tzinfo=UTC))).total_seconds()
    return min(max(age_s / 10, _SOONEST_S), _LATEST_S)
