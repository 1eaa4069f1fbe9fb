# SPDX-License-Identifier: Apache-2.0
"""Where may a shelved server come back, and to which AZ is it held then?

A server does not change pods, so an AZ that is named must be in its own. Where the pod is the AZ and has no AZ to be
given, the pod is told to hold the server to none: whatever it was held to before, of an aggregate, counts no more.
"""

from collections.abc import Mapping
from dataclasses import replace

from tricircle.doors.compute import words
from tricircle.doors.compute.boots.places import Places, host_in
from tricircle.doors.compute.needs import KnownPods, KnownRoutings
from tricircle.doors.compute.pod_faults import refused
from tricircle.doors.compute.rehearsal import ZONE_IN_UNSHELVE, is_since, rehearse_on_server
from tricircle.doors.compute.servers.notes import note_zone
from tricircle.doors.compute.servers.server_images import ServerImages
from tricircle.errors import InvalidRequestError
from tricircle.http import microversions
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.route import Located
from tricircle.road.versions import serves

_ZONE = "availability_zone"
#: Since when the AZ may be null: the server is held to none any more.
_NULL_SINCE = (2, 91)

Document = dict[str, object]


class Unshelving:
    """The action ``unshelve``."""

    def __init__(
        self, *, carrier: Carrier, routings: KnownRoutings, places: Places, images: ServerImages, pods: KnownPods
    ) -> None:
        self._carrier = carrier
        self._routings = routings
        self._places = places
        self._images = images
        self._pods = pods

    async def act(self, request: Request, document: Document) -> Answer:
        """Bring the server back. From 2.77 on an AZ may be named; below, Nova takes anything and heeds nothing of it.

        :raises InvalidRequestError: there is no such AZ, or it is not in the server's pod
        """
        located = await self._carrier.locate(Kind.SERVER, request.params["server_id"], request.context)
        if not is_since(request, ZONE_IN_UNSHELVE):
            return await self._brought_back(request, located, document)
        pod = located.pod
        asked = host_in(pod, document["unshelve"])
        names_zone = isinstance(asked, Mapping) and _ZONE in asked
        zone = asked[_ZONE] if isinstance(asked, Mapping) and names_zone else None
        if not isinstance(asked, Mapping) or not isinstance(zone, str):
            answer = await self._brought_back(request, located, {**document, "unshelve": asked})
        else:
            if (refusal := await rehearse_on_server(self._carrier, request, document)) is not None:
                return refusal
            pod_zone = pod.pod_az_name if zone == pod.az_name else await self._other_zone(request, pod, zone)
            answer = await self._brought_into(request, located, asked, pod_zone or None)
        if names_zone and answer.status < 300:
            await note_zone(self._routings, located, request.params["server_id"], zone)
        return answer

    async def _brought_into(
        self, request: Request, located: Located, asked: Mapping[str, object], pod_zone: str | None
    ) -> Answer:
        """Back in an AZ of the pod, or in the pod, which is the AZ."""
        change = {**asked, _ZONE: pod_zone}
        if pod_zone is None and not is_since(request, _NULL_SINCE):
            if serves(located.pod, Service.COMPUTE, _NULL_SINCE):
                return await self._brought_back(
                    replace(request, microversion=_NULL_SINCE), located, {"unshelve": change}, is_raised=True
                )
            del change[_ZONE]
        return await self._brought_back(request, located, {"unshelve": change or None})

    async def _brought_back(
        self, request: Request, located: Located, document: Document, *, is_raised: bool = False
    ) -> Answer:
        """:param is_raised: it is sent in another version than the client's, which the road names instead"""
        pod, server_id = located.pod, request.params["server_id"]
        reply = await self._carrier.to_pod(request, pod, body=document)
        if is_raised:
            reply.headers = [pair for pair in reply.headers if pair[0] not in microversions.HEADERS]
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        await self._images.unshelved(request.context, pod, server_id)
        return await self._carrier.answer(request, pod, reply)

    async def _other_zone(self, request: Request, pod: Pod, zone: str) -> str:
        """An AZ that an aggregate makes. :raises InvalidRequestError: there is none, or it is not in this pod"""
        pod_zone = await self._places.zone_in(request, pod, zone)
        if pod_zone is None and zone not in await self._pods.az_names():
            raise InvalidRequestError(words.AZ_NOT_AVAILABLE)
        if pod_zone is None:
            raise InvalidRequestError(
                f"The server is in availability zone {pod.az_name} and cannot be unshelved in {zone}."
            )
        return pod_zone
