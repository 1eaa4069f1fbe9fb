# SPDX-License-Identifier: Apache-2.0
"""Where do users find the images that the compute API still shows (up to 2.35)?"""

from tricircle.doors.compute.needs import KnownPods
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Service
from tricircle.road.carrier import Carrier


class ImageLinks:
    """Answers of the central Nova about images, whose ``alternate`` links lead to the central image service.

    :param image_base: public endpoint, door prefix and version of the image door, no slash at the end
    """

    def __init__(self, *, carrier: Carrier, pods: KnownPods, image_base: str) -> None:
        self._carrier = carrier
        self._pods = pods
        self._image_base = image_base

    async def central(self, request: Request) -> Answer:
        """The central answer, with links to our image door."""
        answer = await self._carrier.central(request)
        if isinstance(answer.body, bytes):
            theirs = self._pods.central(Service.IMAGE).url.encode() + b"/images/"
            answer.body = answer.body.replace(theirs, f"{self._image_base}/images/".encode())
        return answer
