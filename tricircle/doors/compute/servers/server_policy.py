# SPDX-License-Identifier: Apache-2.0
"""May the caller do to a server what begins elsewhere than in its pod?

Whatever a pod is asked for, its Nova judges. But some calls begin at the centre, with ports and groups, where nobody
judges by Nova's rules, and a few end there. Nova looks for the server first and asks its policy then; so do we.
"""

from urllib.parse import quote

from tricircle.doors.compute.pod_faults import refused
from tricircle.errors import ForbiddenError
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier
from tricircle.road.needs import Authorises
from tricircle.road.route import Located


class ServerPolicy:
    """Nova's rules about servers, as the operator set them here (``http/policy/rules.py``)."""

    def __init__(self, *, carrier: Carrier, policies: Authorises) -> None:
        self._carrier = carrier
        self._policies = policies

    async def refusal(self, request: Request, located: Located, rule: str) -> Answer | None:
        """The pod's 404 if the caller may not, and the server is not there any more; None if the caller may.

        :raises ForbiddenError: the caller may not (Nova's words)
        """
        target = {"project_id": located.routing.project_id}
        try:
            self._policies.authorize(request.context, rule, target)
        except ForbiddenError:
            path = f"/servers/{quote(request.params['server_id'], safe='')}"
            reply = await self._carrier.to_pod(request, located.pod, method="GET", path=path, query=b"")
            if reply.status != 404:
                raise
            return await refused(self._carrier, request, located.pod, reply)
        return None
