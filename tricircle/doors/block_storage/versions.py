# SPDX-License-Identifier: Apache-2.0
"""Which versions of the block-storage API do we speak? A document as Cinder's, with the range that we serve."""

from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier

_MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}]


class Versions:
    """``/`` and ``/v3/``."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def all(self, _request: Request) -> Answer:
        """Every version, with 300 as Cinder says it at its root."""
        return Answer.json(300, await self._document())

    async def one(self, request: Request) -> Answer:
        """The one version; without a last slash, the way there."""
        if not request.path.endswith("/"):
            return Answer(status=302, headers=[(b"location", self._carrier.link("/v3/").encode())])
        return Answer.json(200, await self._document())

    async def _document(self) -> dict[str, object]:
        served = await self._carrier.served()
        version = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": str(served.highest),
            "min_version": str(served.lowest),
            "updated": "2023-08-31T00:00:00Z",
            "links": [
                {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                {"rel": "self", "href": self._carrier.link("/v3/")},
            ],
            "media-types": _MEDIA,
        }
        return {"versions": [version]}
