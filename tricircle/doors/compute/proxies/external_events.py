# SPDX-License-Identifier: Apache-2.0
"""To which Nova does an event go that another service has for servers?

To that of each server's pod. The central Nova reads the whole list first: it knows who may send what and in which
form, and no server, so what it answers is what Nova says when it knows none; of those that are in a pod the pod's word
takes its place. Events name ports by the centre's ids, where a pod has others.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from tricircle.context import PodId, RequestContext
from tricircle.errors import BadUpstreamAnswerError, NotFoundError, UpstreamStatusError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.road.carrier import Carrier
from tricircle.upstream.reply import Reply

#: What Nova says of the whole when it says no of a part.
_PARTLY = 207
#: What the tag of these is: a port's id.
_OF_PORTS = "network-"

Event = Mapping[str, object]


class FindsServers(Protocol):
    """Routings (``ledger/routings.py``)."""

    async def owned(self, kind: Kind, resource_id: str) -> Routing | None:
        """Where an owned resource lives; None when nothing is written down."""
        ...

    async def copy_in(self, kind: Kind, central_id: str, pod_id: PodId) -> Routing | None:
        """The copy of one declared resource in one pod."""
        ...


class ExternalEvents:
    """``POST /os-server-external-events``."""

    def __init__(self, *, carrier: Carrier, routings: FindsServers) -> None:
        self._carrier = carrier
        self._routings = routings

    async def create(self, request: Request) -> Answer:
        """Every event to its server's pod; their answers in the order of the question.

        :raises UnavailableError: of some server it cannot be known now where it is: nothing was sent
        :raises OutcomeUnknownError: a pod did not answer; events may be sent again
        """
        answer = await self._carrier.central(request)
        if answer.status >= 300:
            return answer
        told = _events(answer.object())
        asked = _events(await request.json())
        places: dict[str, Pod] = {}
        for server_id in {str(event.get("server_uuid")) for event in asked}:
            if (pod := await self._pod(server_id, request.context)) is not None:
                places[server_id] = pod
        by_pod: dict[PodId, list[int]] = defaultdict(list)
        for place, event in enumerate(asked):
            if (pod := places.get(str(event.get("server_uuid")))) is not None:
                by_pod[pod.id].append(place)
        pods = {pod.id: pod for pod in places.values()}
        said = await asyncio.gather(
            *(self._send(request, pods[key], [asked[i] for i in which]) for key, which in by_pod.items())
        )
        events: list[Event] = list(told)
        for which, words in zip(by_pod.values(), said, strict=True):
            for place, word in zip(which, words, strict=True):
                events[place] = {**told[place], "status": word.get("status"), "code": word.get("code")}
        status = 200 if all(event.get("code") == 200 for event in events) else _PARTLY
        made = Answer.json(status, {"events": events})
        # The centre's answer has the headers of versions and ids.
        made.headers = answer.headers
        return made

    async def _pod(self, server_id: str, context: RequestContext) -> Pod | None:
        """The server's pod; None when every pod said that it has no such server.

        Services may send events of servers that they may not see: what is written down counts before who asks.
        """
        routing = await self._routings.owned(Kind.SERVER, server_id)
        if routing is not None:
            for pod in await self._carrier.pods():
                if pod.id == routing.pod_id:
                    return pod
        try:
            return (await self._carrier.locate(Kind.SERVER, server_id, context)).pod
        except NotFoundError:
            return None

    async def _send(self, request: Request, pod: Pod, events: Sequence[Event]) -> Sequence[Event]:
        body: dict[str, object] = {"events": [await self._in_pod(event, pod) for event in events]}
        reply: Reply = await self._carrier.to_pod(request, pod, body=body)
        if reply.status >= 300:
            raise UpstreamStatusError(reply.status, _text(reply), f"{pod.name}/compute")
        said = _events(reply.json())
        if len(said) != len(events):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return said

    async def _in_pod(self, event: Event, pod: Pod) -> Event:
        tag = event.get("tag")
        if not str(event.get("name")).startswith(_OF_PORTS) or not isinstance(tag, str):
            return event
        copy = await self._routings.copy_in(Kind.PORT, tag, pod.id)
        return event if copy is None or not copy.pod_resource_id else {**event, "tag": copy.pod_resource_id}


def _events(document: Mapping[str, object]) -> list[Event]:
    events = document.get("events")
    return [event for event in events if isinstance(event, Mapping)] if isinstance(events, list) else []


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace") if isinstance(reply.body, bytes) else ""
