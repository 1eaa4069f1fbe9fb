# SPDX-License-Identifier: Apache-2.0
"""What size had a server before it was resized? Nova knows, and tells nobody; going back to it may be over a limit.

The size is kept with the server's routing from the resize to its confirmation. Whatever ends a resize without us (Nova
by itself, an operator in the pod) leaves it there; it is replaced by the next one.
"""

import logging
from collections.abc import Mapping

from tricircle.doors.compute.needs import KnownRoutings
from tricircle.doors.compute.quotas.amounts import Amounts
from tricircle.doors.compute.servers.notes import note
from tricircle.errors import TricircleError
from tricircle.model.routing import Kind, Routing
from tricircle.road.route import Located

LOG = logging.getLogger(__name__)

#: Where it is among a routing's details.
_KEY = "resized_from"


class Sizes:
    """Former sizes of servers. Nothing here fails for the database: the pod has done what was asked for."""

    def __init__(self, routings: KnownRoutings) -> None:
        self._routings = routings

    async def before(self, server: Located) -> Amounts | None:
        """The size before the last resize; None when none is known. Another process may have written it down just now,
        so what this one remembers of the server does not do.
        """
        routing: Routing | None = server.routing
        try:
            routing = await self._routings.copy_in(Kind.SERVER, server.routing.central_id, server.pod.id)
        except TricircleError as error:
            LOG.warning("a server's former size is as this process remembers it: %s", error)
        size = None if routing is None else routing.details.get(_KEY)
        return Amounts.of(size) if isinstance(size, Mapping) else None

    async def note(self, server: Located, server_id: str, size: Amounts) -> None:
        """The server had this size and is being resized."""
        await note(self._routings, server, server_id, {_KEY: size.named()}, "the former size")

    async def forget(self, server: Located) -> None:
        """There is no way back any more."""
        try:
            if await self.before(server) is not None:
                await self._routings.update(server.routing.id, details={_KEY: None})
        except TricircleError as error:
            LOG.warning("a server's former size is kept longer than needed: %s", error)
