# SPDX-License-Identifier: Apache-2.0
"""Which versions of the compute API do we speak? Documents as Nova's, with our links and the range that we serve."""

from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier

LEGACY, CURRENT = "v2.0", "v2.1"
_SEGMENTS = {LEGACY: "v2", CURRENT: "v2.1"}
_STATUS = {LEGACY: "DEPRECATED", CURRENT: "CURRENT"}
_UPDATED = {LEGACY: "2025-07-04T12:00:00Z", CURRENT: "2013-07-23T11:33:21Z"}
_MEDIA = {LEGACY: "2", CURRENT: "2.1"}
_DOCUMENTATION = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}


class Versions:
    """What is said of versions: at ``/`` and at paths without a version, with or without a token, under a version."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def all(self, _request: Request) -> Answer:
        """Every version."""
        return Answer.json(200, {"versions": [await self._version(one) for one in (LEGACY, CURRENT)]})

    async def choices(self, request: Request) -> Answer:
        """Where a path without a version may lead: 300, as Nova says it of any such path."""
        choices = [
            {
                "id": one,
                "status": _STATUS[one],
                "links": [{"rel": "self", "href": self._carrier.link(f"/{_SEGMENTS[one]}{request.path}")}],
                "media-types": _media(one),
            }
            for one in (LEGACY, CURRENT)
        ]
        return Answer.json(300, {"choices": choices})

    async def one(self, request: Request) -> Answer:
        """The version that the path begins with, or one that it names.

        :raises NotFoundError: there is none of this name
        """
        own = LEGACY if _is_legacy(request) else CURRENT
        named = own if own == LEGACY else request.params.get("version_id", own)
        if named not in _SEGMENTS:
            raise NotFoundError("The resource could not be found.")
        version = await self._version(named)
        # Whatever is named, the document stands where it was asked for.
        own_link = {"rel": "self", "href": self._carrier.link(f"/{_SEGMENTS[own]}/")}
        version["links"] = [own_link, _DOCUMENTATION]
        version["media-types"] = _media(named)
        return Answer.json(200, {"version": version})

    async def _version(self, version_id: str) -> dict[str, object]:
        highest = lowest = ""
        if version_id == CURRENT:
            served = await self._carrier.served()
            lowest, highest = str(served.lowest), str(served.highest)
        return {
            "id": version_id,
            "status": _STATUS[version_id],
            "version": highest,
            "min_version": lowest,
            "updated": _UPDATED[version_id],
            "links": [{"rel": "self", "href": self._carrier.link(f"/{_SEGMENTS[version_id]}/")}],
        }


def _media(version_id: str) -> list[dict[str, str]]:
    kind = f"application/vnd.openstack.compute+json;version={_MEDIA[version_id]}"
    return [{"base": "application/json", "type": kind}]


def _is_legacy(request: Request) -> bool:
    return request.root == "/v2" or request.root.startswith("/v2/")
