# SPDX-License-Identifier: Apache-2.0
"""What of an image is nobody's business but the operator's? Where its data lies."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier

#: URLs: paths on hosts, pools of back ends. Ids of the centre's stores are for users: imports and deletions name them.
HIDDEN = ("locations", "direct_url")
_NEEDLES = tuple(f'"{key}"'.encode() for key in HIDDEN)


class Glances(Protocol):
    """Which pods have a Glance of their own (``copies/image/images.py``)."""

    def has_own(self, pod: Pod) -> bool:
        """Whether the pod may have one."""
        ...


class Images:
    """The special cases of calls that show images, and of those that copies of images follow."""

    def __init__(self, *, carrier: Carrier, glances: Glances) -> None:
        self._carrier = carrier
        self._glances = glances

    async def forward(self, request: Request) -> Answer:
        """Glance's answer; without the places of the data, unless an administrator asks."""
        return self._without_places(request, await self._carrier.central(request))

    async def change(self, request: Request) -> Answer:
        """A change of an image, or of who may use it: copies follow in pods that have a Glance of their own."""
        return self._without_places(request, await self._declared(request))

    async def _declared(self, request: Request) -> Answer:
        if not any(self._glances.has_own(pod) for pod in await self._carrier.pods()):
            return await self._carrier.central(request)
        return await self._carrier.central_with_jobs(request, [(JobType.IMAGE, request.params["image_id"])])

    @staticmethod
    def _without_places(request: Request, answer: Answer) -> Answer:
        body = answer.body
        if request.context.is_admin or not 200 <= answer.status < 300 or not isinstance(body, bytes):
            return answer
        # Glance shows none of them in its default settings: then nothing is decoded.
        if any(needle in body for needle in _NEEDLES):
            answer.body = msgspec.json.encode(without_places(_decoded(body)))
        return answer


def without_places(body: Mapping[str, object]) -> dict[str, object]:
    """An image, or a list of images, without the places of their data.

    >>> without_places({"images": [{"id": "i", "locations": []}], "first": "/v2/images"})
    {'images': [{'id': 'i'}], 'first': '/v2/images'}
    """
    made = {key: value for key, value in body.items() if key not in HIDDEN}
    members = made.get("images")
    if isinstance(members, list):
        made["images"] = [without_places(member) if isinstance(member, dict) else member for member in members]
    return made


def _decoded(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadUpstreamAnswerError("The image service sent an answer that cannot be read.") from error
    if not isinstance(value, dict):
        raise BadUpstreamAnswerError("The image service sent an answer that cannot be read.")
    return value
