# SPDX-License-Identifier: Apache-2.0
"""Which versions of the block-storage API do we speak? A document as Cinder's, with the range that all pods share."""

from tricircle.http.message import Answer, Request
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry
from tricircle.road.carrier import Carrier
from tricircle.road.versions import common_range

_MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}]


class Versions:
    """``/`` and ``/v3/``."""

    def __init__(self, *, carrier: Carrier, registry: Registry) -> None:
        self._carrier = carrier
        self._registry = registry

    async def all(self, _request: Request) -> Answer:
        """Every version, with 300 as Cinder says it at its root."""
        return Answer.json(300, await self._document())

    async def one(self, _request: Request) -> Answer:
        """The one version."""
        return Answer.json(200, await self._document())

    async def _document(self) -> dict[str, object]:
        shared = common_range(Service.BLOCK_STORAGE, await self._registry.pods())
        version = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": str(shared.highest),
            "min_version": str(shared.lowest),
            "updated": "2023-08-31T00:00:00Z",
            "links": [
                {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                {"rel": "self", "href": self._carrier.link("/v3/")},
            ],
            "media-types": _MEDIA,
        }
        return {"versions": [version]}
