# SPDX-License-Identifier: Apache-2.0
"""What is written down of an owned resource when a pod has made it, and struck out when it is gone?"""

import logging
from datetime import datetime

from tricircle.context import RequestContext
from tricircle.errors import TricircleError, UnavailableError
from tricircle.http.message import Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.needs import KnownRoutings
from tricircle.road.route import UNKNOWABLE, Located, Locator, is_absent
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)


class Records:
    """Routings, as what pods answer makes and ends them."""

    def __init__(self, routings: KnownRoutings, locator: Locator) -> None:
        self._routings = routings
        self._locator = locator

    async def record(
        self, kind: Kind, resource_id: str, pod: Pod, context: RequestContext, created_at: datetime | None
    ) -> None:
        """Write down that an owned resource was made in ``pod`` for the caller's project. Never fails."""
        try:
            await self._routings.record(kind, resource_id, pod.id, context.project_id, created_at)
        except TricircleError as error:
            LOG.warning("%s %s has no routing: %s", kind, resource_id, error)

    async def forget(self, kind: Kind, resource_id: str) -> None:
        """Strike out the routing of an owned resource that is gone. Never fails: the next 404 strikes it out."""
        try:
            await self._locator.forget(kind, resource_id)
        except TricircleError as error:
            LOG.warning("the routing of %s %s cannot be struck out now: %s", kind, resource_id, error)

    async def disappeared(self, request: Request, row: Row, located: Located, reply: Reply) -> None:
        """A pod's 404 is about the resource only when the path ends with its id, and true only for its owner.

        :raises UnavailableError: it is not the service that says so, but something before it
        """
        context = request.context
        resource_id = request.params[row.id_param or ""]
        # With a slash behind the id it is no path of the service's, which says so in other words.
        is_about_it = request.path.endswith("/" + resource_id) and request.method in ("GET", "DELETE")
        if is_about_it and not is_absent(reply):
            raise UnavailableError(UNKNOWABLE)
        is_owners = located.routing.project_id == context.project_id or context.is_admin
        if not (is_about_it and is_owners and located.routing.id) or row.kind is None:
            return
        await self.forget(row.kind, resource_id)
