# SPDX-License-Identifier: Apache-2.0
"""When does our own token stand beside the caller's on a call to a service?

A service token tells a service that the call is part of one that was let in already: it then takes a token that has
ended since, and does not hold the call against the access rules of an application credential. Both were looked at on
our threshold. But it also says that no user stands there: with it Cinder lets a volume in use be detached, Neutron lets
a server's port be deleted and Glance shows what only services may see. So it stands only where it opens nothing.
"""

import time
from collections.abc import Callable

from tricircle.context import Deadline, RequestContext
from tricircle.http.message import Headers
from tricircle.model.pod import Service
from tricircle.road.needs import OwnTokens

#: Who has so little time left may be late when the service looks; seconds.
_LATE_S = 5.0
_READS = frozenset(("GET", "HEAD"))
#: What is made by a POST to a path that ends so, block storage takes from users and services alike.
_MADE = ("/volumes", "/snapshots", "/backups", "/groups", "/group_snapshots")


class Vouching:
    """Puts a service token to the calls that need one.

    :param tokens: ours
    :param clock: the wall clock in seconds, which a token's end is compared with
    """

    def __init__(self, tokens: OwnTokens, *, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._clock = clock

    async def headers(
        self, context: RequestContext, service: Service, call: tuple[str, str], deadline: Deadline, *, is_own: bool
    ) -> Headers:
        """The header for one call, none where there shall be none.

        :param call: method and path, with or without a query
        :param is_own: the caller asked for this very method and path
        :raises UnavailableError: no token of ours can be had: nothing was sent
        """
        is_late = context.expires_at is not None and context.expires_at <= self._clock() + _LATE_S
        if not (is_late or (context.has_access_rules and not is_own)) or not is_harmless(service, *call):
            return []
        return [(b"x-service-token", (await self._tokens.token(deadline)).encode())]


def is_harmless(service: Service, method: str, path: str) -> bool:
    """Whether a service does the same for a user with and without a service token.

    >>> is_harmless(Service.COMPUTE, "POST", "/v2.1/servers")
    True
    >>> is_harmless(Service.BLOCK_STORAGE, "POST", "/v3/volumes/1/action")
    False
    >>> is_harmless(Service.NETWORK, "DELETE", "/v2.0/ports/1")
    False
    """
    if service is Service.COMPUTE:
        return True
    if service is not Service.BLOCK_STORAGE:
        return False
    return method in _READS or (method == "POST" and path.partition("?")[0].endswith(_MADE))
