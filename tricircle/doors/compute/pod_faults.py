# SPDX-License-Identifier: Apache-2.0
"""What does a user read when a pod refuses: the pod's words, with the ids and names that the user knows."""

import re
from collections.abc import Mapping

import msgspec

from tricircle.doors.compute.needs import KnownRoutings
from tricircle.doors.compute.server_views import TEXT_KINDS, clean_text, ids_in
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Routing
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import Facts, PodSideId
from tricircle.upstream.reply import Reply

_DISTINCT_FLAVOR = re.compile(r"(?<=Flavor )tricircle\.")


class PodFaults:
    """Makes pods' refusals ours."""

    def __init__(self, *, carrier: Carrier, routings: KnownRoutings) -> None:
        self._carrier = carrier
        self._routings = routings

    async def answer(
        self, request: Request, pod: Pod, reply: Reply, *, named: Mapping[str, str] | None = None
    ) -> Answer:
        """A reply of status 400 or above as it leaves.

        :param named: more words of the pod to be replaced, by what the user called the same thing
        """
        body = _decoded(reply)
        if body is None:
            return await self._carrier.answer(request, pod, reply)
        fault = next((value for value in body.values() if isinstance(value, dict) and "message" in value), None)
        if fault is not None:
            text = str(fault["message"])
            for word, ours in (named or {}).items():
                text = text.replace(word, ours)
            fault["message"] = await self._clean(request, pod, text)
        return await self._carrier.answer_json(request, pod, reply, body)

    async def _clean(self, request: Request, pod: Pod, text: str) -> str:
        found = tuple(dict.fromkeys(ids_in(text)))
        ids: dict[PodSideId, Routing] = {}
        for kind in TEXT_KINDS if found else ():
            known = await self._routings.by_pod_resource(pod.id, kind, found)
            ids.update({(kind, pod_id): routing for pod_id, routing in known.items()})
        facts = Facts(pod=pod, context=request.context, ids=ids)
        return _DISTINCT_FLAVOR.sub("", clean_text(text, facts))


def _decoded(reply: Reply) -> dict[str, object] | None:
    try:
        body = msgspec.json.decode(reply.body) if isinstance(reply.body, bytes) and reply.body else None
    except msgspec.DecodeError:
        return None
    return body if isinstance(body, dict) else None
