# SPDX-License-Identifier: Apache-2.0
"""What of an action on a server is about images, where the server's pod has a Glance of its own?

An image that an action names gets its copy in the pod first; one that the pod begins to make of the server is announced
at the centre before its owner learns its id. Pods that use the central Glance need nothing of it.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from tricircle.context import RequestContext
from tricircle.doors.compute.declared.lookups import Declared
from tricircle.doors.compute.needs import ImageCopies, ImageHomes
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError
from tricircle.model.pod import Pod
from tricircle.upstream.reply import Reply

Document = dict[str, object]

#: By action: where an image is named, and how Nova refuses one that is not there.
_NAMED = {
    "rebuild": ("imageRef", "Cannot find image for rebuild"),
    "rescue": ("rescue_image_ref", "Requested rescue image '{id}' is not valid"),
}
#: Actions that make an image without telling its id.
_SHELVING = "shelve"
_BACKUP = "createBackup"


class ServerImages:
    """Images of actions on servers."""

    def __init__(self, *, declared: Declared, copies: ImageCopies, homes: ImageHomes) -> None:
        self._declared = declared
        self._copies = copies
        self._homes = homes

    async def prepared(self, context: RequestContext, pod: Pod, document: Document) -> Document:
        """The body as the pod is to be asked, after a copy of the image that it names was made there.

        :raises InvalidRequestError: the centre shows the caller no such image (Nova's words)
        :raises UnavailableError: the copy is not there yet
        """
        action = next(iter(document), "")
        asked = document.get(action)
        key, refusal = _NAMED.get(action, ("", ""))
        if not isinstance(asked, Mapping) or not isinstance(named := asked.get(key), str) or not named:
            return document
        if not self._copies.has_own(pod):
            return document
        image_id = urlsplit(named).path.rsplit("/", 1)[-1]
        image = await self._declared.image(context, image_id, context.deadline)
        if image is None:
            raise InvalidRequestError(refusal.format(id=named))
        if image.get("status") != "active":
            raise InvalidRequestError(f"Image {image_id} is not active.")
        in_pod = await self._copies.ensure(pod, image, project_id=context.project_id, deadline=context.deadline)
        return {**document, action: {**asked, key: in_pod}}

    async def made(
        self, context: RequestContext, pod: Pod, server_id: str, *, document: Document, reply: Reply
    ) -> None:
        """Announce what the pod begins to make.

        :raises ForbiddenError, QuotaExceededError: the centre does not take it
        """
        if reply.status >= 300 or not self._copies.has_own(pod):
            return
        action = next(iter(document), "")
        if action == _SHELVING:
            await self._homes.announce_of_server(context, pod, server_id, {"is_shelved": True})
            return
        asked = document.get(action)
        payload = {}
        if action == _BACKUP and isinstance(asked, Mapping):
            payload = {"rotation": int(str(asked.get("rotation", 0)))}
        if (image_id := _image_id(reply)) is not None:
            await self._homes.announce(context, pod, image_id, payload)

    async def unshelved(self, context: RequestContext, pod: Pod, server_id: str) -> None:
        """The pod deletes what the server was kept in when it runs again: the centre follows."""
        if self._copies.has_own(pod):
            await self._homes.watch_shelved(context, pod, server_id)


def _image_id(reply: Reply) -> str | None:
    """The new image's id: below 2.45 it is only in a ``Location``. A backup that rotates away at once has none."""
    location = reply.header(b"location")
    if location is not None:
        return urlsplit(location.decode("latin-1")).path.rsplit("/", 1)[-1]
    try:
        image_id = reply.json().get("image_id") if reply.body else None
    except BadUpstreamAnswerError:
        return None
    return str(image_id) if image_id else None
