# SPDX-License-Identifier: Apache-2.0
"""What of an image is nobody's business but the operator's? Where its data lies."""

from collections.abc import Mapping

import msgspec

from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier

#: URLs and names of stores: paths on hosts, pools of back ends, sites.
HIDDEN = ("locations", "direct_url", "stores")
_NEEDLES = tuple(f'"{key}"'.encode() for key in HIDDEN)


class Images:
    """The special cases of calls whose answers show images."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def forward(self, request: Request) -> Answer:
        """Glance's answer; without the places of the data, unless an administrator asks."""
        answer = await self._carrier.central(request)
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
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadUpstreamAnswerError("The image service sent an answer that cannot be read.") from error
    if not isinstance(value, dict):
        raise BadUpstreamAnswerError("The image service sent an answer that cannot be read.")
    return value
