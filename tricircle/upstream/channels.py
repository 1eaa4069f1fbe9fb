# SPDX-License-Identifier: Apache-2.0
"""How is a WebSocket to a pod's console proxy opened?

The same trust and patience as for other calls to pods; no redirect is followed, no proxy of the environment is asked,
and no ``Origin`` is sent: whose page may connect is decided where the user's own connection comes in.
"""

import logging
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tricircle.conf.settings import UpstreamSettings
from tricircle.errors import UnavailableError
from tricircle.upstream.trust import trust_of

LOG = logging.getLogger(__name__)
#: The library writes whole heads of requests to its log, tokens included.
SILENT = logging.getLogger("tricircle.websockets")
SILENT.setLevel(logging.CRITICAL + 1)

#: Bytes of one message at most; console proxies send 64 kB at once, clients less.
MESSAGE_BYTES = 1024 * 1024
#: Messages of one side that may wait for the other: none is read above the first, and again below the second.
WAITING = (4, 1)
#: Seconds for the farewell.
CLOSE_S = 5.0

#: The words of other rooms.
Channel = ClientConnection


class Channels:
    """Opens WebSockets to pods.

    :param ping_s: seconds between two questions whether the pod is still there
    """

    def __init__(self, settings: UpstreamSettings, *, ping_s: float) -> None:
        self._trust = trust_of(settings)
        self._ping_s = ping_s

    async def open(self, url: str, subprotocols: Sequence[str], *, within_s: float, label: str) -> Channel:
        """A WebSocket that is open.

        :param url: ``ws://`` or ``wss://``, with the pod's token
        :param label: operator's words for the other end, for logs
        :raises UnavailableError: it cannot be opened, or not in time
        """
        try:
            return await _Connect(
                url,
                subprotocols=[Subprotocol(one) for one in subprotocols] or None,
                ssl=self._trust if url.startswith("wss:") else None,
                proxy=None,
                compression=None,
                open_timeout=within_s,
                ping_interval=self._ping_s,
                ping_timeout=self._ping_s,
                close_timeout=CLOSE_S,
                max_size=MESSAGE_BYTES,
                max_queue=WAITING,
                user_agent_header=None,
                logger=SILENT,
            )
        except (OSError, TimeoutError, WebSocketException, UnicodeError) as error:
            # Texts of the library may hold the URL; an OSError's says only why there is no connection.
            why = f": {error}" if type(error).__module__ == "builtins" else ""
            LOG.warning("%s: no console: %s%s", label, type(error).__name__, why)
            raise UnavailableError("The console cannot be reached now. Please try again later.") from None


class _Connect(connect):
    """Goes nowhere but where it was sent."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow nothing."""
        return exc
