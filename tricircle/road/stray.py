# SPDX-License-Identifier: Apache-2.0
"""What becomes of a call that no row names? It goes where an id in its path lives, if one does.

A pod of a newer release may serve paths that our tables do not have yet; an accidental 404 of ours would tell a client
that its resource is gone.
"""

from tricircle.errors import BadUpstreamAnswerError, NotFoundError, NotImplementedByUsError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import unshaped
from tricircle.road.route import ID, PROBES
from tricircle.road.table import NotAllowed
from tricircle.upstream.reply import Reply


class Strays:
    """Calls without a row at one door."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        #: By the segment that stands in front of an id: ``servers`` -> server.
        self._kinds = {
            probe.path.strip("/").split("/")[-1]: kind
            for kind, probe in PROBES.items()
            if probe.service is carrier.service
        }

    def may_mean(self, segments: tuple[str, ...], match: NotAllowed | None) -> bool:
        """Whether something in a path could be located. ``match``: the table has the path, with other verbs."""
        if match is not None and not self._kinds:
            return False  # nothing of this service is in pods: the table has all verbs that there are
        names_kind = len(segments) >= 2 and segments[0] in self._kinds
        return names_kind or any(ID.match(segment) for segment in segments)

    async def answer(self, request: Request, segments: tuple[str, ...]) -> Answer | None:
        """The pod's answer; None when nothing in the path can be located.

        :raises NotFoundError, UnavailableError: as ``Carrier.locate``
        :raises NotImplementedByUsError: an id stands there, but nobody knows of what, and a pod may have the path
        """
        if len(segments) >= 2 and segments[0] in self._kinds:
            located = await self._carrier.locate(self._kinds[segments[0]], segments[1], request.context)
            return await self._through(request, located.pod)
        ids = [segment for segment in segments if ID.match(segment)]
        for resource_id in ids:
            for kind in self._kinds.values():
                try:
                    located = await self._carrier.locate(kind, resource_id, request.context)
                except NotFoundError:
                    continue
                return await self._through(request, located.pod)
        if ids and not await self._is_nowhere(request):
            raise NotImplementedByUsError(f"{request.method} {request.path} is not available in this cloud.")
        return None

    async def _is_nowhere(self, request: Request) -> bool:
        """Whether every pod says that there is no such path at all: so it is in no verb, and with no id."""
        fan = await self._carrier.fan_out(request, query=b"")
        return bool(fan.replies) and not fan.gaps and all(_is_no_path(reply) for _, reply in fan.replies)

    async def _through(self, request: Request, pod: Pod) -> Answer:
        """The pod's answer as far as it can be made ours: errors by the door's shape, the rest by names of fields.

        Not 501 in place of a body that no shape knows: the pod may have carried the call out, and a client that hears
        "not implemented" would believe that nothing happened.
        """
        reply = await self._carrier.to_pod(request, pod)
        if not (200 <= reply.status < 300 and isinstance(reply.body, bytes) and reply.body):
            return await self._carrier.answer(request, pod, reply)
        try:
            body = unshaped(reply.json(), pod)
        except BadUpstreamAnswerError:
            # No JSON object: nothing in it has a name to go by.
            return await self._carrier.answer(request, pod, reply)
        return await self._carrier.answer_json(request, pod, reply, body)


def _is_no_path(reply: Reply) -> bool:
    """Whether a service does not know the path: of a resource that is not there it speaks in another form."""
    return reply.status == 404 and isinstance(reply.body, bytes) and b"itemNotFound" not in reply.body
