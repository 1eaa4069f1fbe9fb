# SPDX-License-Identifier: Apache-2.0
"""Which versions of the Admin API are there, and what is in v1.0? Open to everybody: clients look before they have a
token."""

from tricircle.http.message import Answer, Request

#: When v1.0 was first published, as the first release said it.
_UPDATED = "2015-09-09T00:00:00Z"
_RESOURCES = ("bindings", "jobs", "pods", "routings")


class VersionCalls:
    """Handlers of the discovery documents.

    :param endpoint: address of the Admin API for links, without version
    """

    def __init__(self, *, endpoint: str) -> None:
        self._endpoint = endpoint

    async def root(self, _request: Request) -> Answer:
        """GET /: the versions."""
        links = [{"rel": "self", "href": f"{self._endpoint}/v1.0/"}]
        version = {"id": "v1.0", "status": "CURRENT", "updated": _UPDATED, "links": links}
        return Answer.json(200, {"versions": [version]})

    async def v1(self, _request: Request) -> Answer:
        """GET /v1.0: the resources."""
        links = [{"rel": "self", "href": f"{self._endpoint}/v1.0"}]
        links += [{"rel": name, "href": f"{self._endpoint}/v1.0/{name}"} for name in _RESOURCES]
        return Answer.json(200, {"version": "1.0", "links": links})
