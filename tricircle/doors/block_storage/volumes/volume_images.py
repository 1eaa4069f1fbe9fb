# SPDX-License-Identifier: Apache-2.0
"""What of a volume is about images, where its pod has a Glance of its own?

What a volume is made of, or filled anew with, gets its copy in the pod first; an image that a volume is uploaded to is
announced at the centre before its owner learns its id. Pods that use the central Glance need nothing of it.
"""

from collections.abc import Mapping

from tricircle.context import RequestContext
from tricircle.copies.image.homes import ImageHomes
from tricircle.copies.image.images import Images
from tricircle.doors.block_storage.volumes.sources import Sources
from tricircle.errors import InvalidRequestError, NotFoundError
from tricircle.model.pod import Pod
from tricircle.road.route import ID
from tricircle.upstream.reply import Reply

#: Names of the image that a new volume is made of, and of the one that it is filled anew with.
NEW, ANEW = ("imageRef", "image_id"), ("image_id",)


class VolumeImages:
    """Images of volumes."""

    def __init__(self, *, sources: Sources, copies: Images, homes: ImageHomes) -> None:
        self._sources = sources
        self._copies = copies
        self._homes = homes

    async def prepared(
        self, context: RequestContext, pod: Pod, asked: Mapping[str, object], names: tuple[str, ...]
    ) -> dict[str, object]:
        """What is asked for as the pod is to be asked, after a copy of the image that is named was made there.

        :raises InvalidRequestError, NotFoundError: there is no such image for the caller; or it is not ready
            (Cinder's words)
        :raises UnavailableError: the copy is not there yet
        """
        made = dict(asked)
        if not self._copies.has_own(pod):
            return made
        for name in names:
            reference = asked.get(name)
            if not isinstance(reference, str) or not reference:
                continue
            if names is ANEW and not ID.match(reference):
                continue  # only ids are taken here; the pod says so
            image = await self._image(context, reference, names)
            if image.get("status") != "active":
                raise InvalidRequestError(f"Invalid input received: Image {image['id']} is not active.")
            deadline = context.deadline
            made[name] = await self._copies.ensure(pod, image, project_id=context.project_id, deadline=deadline)
        return made

    async def _image(self, context: RequestContext, reference: str, names: tuple[str, ...]) -> Mapping[str, object]:
        try:
            return await self._sources.image(context, reference)
        except InvalidRequestError as error:
            if names is not ANEW:
                raise
            raise NotFoundError(f"Image {reference} could not be found.") from error

    async def uploaded(self, context: RequestContext, pod: Pod, reply: Reply, key: str) -> None:
        """Announce the image that a volume is uploaded to.

        :raises ForbiddenError, QuotaExceededError: the centre does not take it
        """
        said = reply.json().get(key) if reply.status < 300 and self._copies.has_own(pod) else None
        if isinstance(said, Mapping) and isinstance(image_id := said.get("image_id"), str):
            await self._homes.announce(context, pod, image_id)
