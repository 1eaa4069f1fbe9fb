# SPDX-License-Identifier: Apache-2.0
"""Where do users find the images that the compute API still shows (up to 2.35)?"""

import msgspec

from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import Item, items_of


class ImageLinks:
    """Answers of the central Nova about images, whose ``alternate`` links lead past us to the image service.

    :param image_base: public endpoint, door prefix and version of the image door, no slash at the end
    """

    def __init__(self, *, carrier: Carrier, image_base: str) -> None:
        self._carrier = carrier
        self._image_base = image_base

    async def central(self, request: Request) -> Answer:
        """The central answer, with links to our image door."""
        answer = await self._carrier.central(request)
        if answer.status != 200 or not isinstance(answer.body, bytes):
            return answer
        body = answer.object()
        for image in items_of(body, singular="image", collection="images"):
            self._relink(image)
        answer.body = msgspec.json.encode(body)
        return answer

    def _relink(self, image: Item) -> None:
        links = image.get("links")
        for link in links if isinstance(links, list) else ():
            if isinstance(link, dict) and link.get("rel") == "alternate":
                link["href"] = f"{self._image_base}/images/{image.get('id')}"
