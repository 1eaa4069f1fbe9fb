# SPDX-License-Identifier: Apache-2.0
"""Which versions of the compute API do we speak? Documents as Nova's, with our links and the range that all pods
share."""

from tricircle.doors.compute.needs import KnownPods
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Service
from tricircle.road.carrier import Carrier
from tricircle.road.versions import common_range

_UPDATED = {"v2.0": "2011-01-21T11:33:21Z", "v2.1": "2013-07-23T11:33:21Z"}


class Versions:
    """``/``, ``/v2.1/`` and ``/v2/``, without a token."""

    def __init__(self, *, carrier: Carrier, pods: KnownPods) -> None:
        self._carrier = carrier
        self._pods = pods

    async def all(self, _request: Request) -> Answer:
        """Every version."""
        return Answer.json(200, {"versions": [await self._version("v2.0"), await self._version("v2.1")]})

    async def one(self, request: Request) -> Answer:
        """The version that the path begins with."""
        version_id = "v2.0" if request.root.startswith("/v2/") or request.root == "/v2" else "v2.1"
        version = await self._version(version_id)
        media = "application/vnd.openstack.compute+json;version=" + ("2" if version_id == "v2.0" else "2.1")
        links = version["links"]
        assert isinstance(links, list)  # noqa: S101  (we made it)
        links.append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
        version["media-types"] = [{"base": "application/json", "type": media}]
        return Answer.json(200, {"version": version})

    async def _version(self, version_id: str) -> dict[str, object]:
        highest = lowest = ""
        if version_id == "v2.1":
            shared = common_range(Service.COMPUTE, await self._pods.pods())
            lowest, highest = str(shared.lowest), str(shared.highest)
        segment = "v2" if version_id == "v2.0" else version_id
        return {
            "id": version_id,
            "status": "SUPPORTED" if version_id == "v2.0" else "CURRENT",
            "version": highest,
            "min_version": lowest,
            "updated": _UPDATED[version_id],
            "links": [{"rel": "self", "href": self._carrier.link(f"/{segment}/")}],
        }
