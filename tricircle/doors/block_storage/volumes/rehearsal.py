# SPDX-License-Identifier: Apache-2.0
"""Does Cinder refuse the form of a body that we refuse for another reason? Then its words come first.

Cinder looks at the whole form before it looks for anything. The central Cinder holds no volumes, so that a body which
names a source can never be carried out there. Only refused bodies are rehearsed. See ``docs/decisions/0034-*``.
"""

import uuid
from collections.abc import Mapping

from tricircle.errors import InvalidRequestError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier

#: What a volume is made of; at the centre there is none of it.
_SOURCES = ("snapshot_id", "source_volid")


async def form_refusal(carrier: Carrier, request: Request) -> Answer | None:
    """Cinder's refusal (400) of the form of ``POST /volumes``; None when there is none, or it cannot be asked."""
    try:
        document: Mapping[str, object] = await request.json()
    except InvalidRequestError:
        # No JSON object: nothing can be made of it.
        document = {}
    body: dict[str, object] | None = None
    volume = document.get("volume")
    if isinstance(volume, Mapping) and all(volume.get(source) is None for source in _SOURCES):
        body = {**document, "volume": {**volume, "snapshot_id": str(uuid.uuid4())}}
    try:
        answer = await carrier.central(request, body=body)
    except TricircleError:
        return None
    return answer if answer.status == 400 else None


async def policy_refusal(carrier: Carrier, request: Request, body: dict[str, object]) -> Answer | None:
    """Cinder's refusal (403) of a body that can never be carried out; None when the caller may, or it cannot be asked.

    :param body: names something that cannot exist
    """
    try:
        answer = await carrier.central(request, body=body)
    except TricircleError:
        return None
    return answer if answer.status == 403 else None
