# SPDX-License-Identifier: Apache-2.0
"""Who are we? The service user's session and its token, renewed before it ends."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session
from oslo_log import log

from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import UnavailableError

LOG = log.getLogger(__name__)

_GROUP = "service_user"
#: A call to Keystone may not hang for ever where ``timeout`` is not set; seconds.
_KEYSTONE_TIMEOUT_S = 10.0
#: A token is handed out only while it lives at least this long; seconds.
_LEAST_LIFE_S = 60.0
#: The part of a token's life after which it is renewed.
_RENEW_AFTER = 0.8
_AWAY = "The identity service cannot be reached. Please try again later."


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of ours; times are of the wall clock, in seconds."""

    value: str
    renew_at: float
    last_use_at: float


def open_session(settings: Settings) -> Session:
    """A keystoneauth session of the service user, for threads. :raises UnavailableError: the section has no
    credentials
    """
    loading.register_session_conf_options(settings.raw, _GROUP)
    loading.register_auth_conf_options(settings.raw, _GROUP)
    plugin = loading.load_auth_from_conf_options(settings.raw, _GROUP)
    if plugin is None:
        raise UnavailableError(f"[{_GROUP}] has no auth_type")
    timeout = settings.raw[_GROUP].timeout or _KEYSTONE_TIMEOUT_S
    return loading.load_session_from_conf_options(settings.raw, _GROUP, auth=plugin, timeout=timeout)


class ServiceTokens:
    """The service user's token (a ``TokenSource``). One per process.

    :param session: from :func:`open_session`; None opens one from ``settings`` on first use
    """

    def __init__(self, settings: Settings, *, session: Any = None, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self._token: _Token | None = None
        self._flight: asyncio.Future[_Token] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service-token")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def token(self, deadline: Deadline) -> str:
        """A token that lives at least a minute. It is renewed in good time, once for all who ask.

        :raises UnavailableError: Keystone cannot be asked, or refuses us, and no usable token is left
        """
        now = self._clock()
        known = self._token
        if known is not None and now < known.renew_at:
            return known.value
        flight = self._flight
        if flight is None:
            flight = asyncio.get_running_loop().run_in_executor(self._thread, self._fetch)
            self._flight = flight
            flight.add_done_callback(self._landed)
        if known is not None and now < known.last_use_at:
            return known.value
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                return (await asyncio.shield(flight)).value
        except (TimeoutError, ClientException) as error:
            raise UnavailableError(_AWAY) from error

    def forget(self, token: str) -> None:
        """Do not hand out ``token`` any more: an upstream refused it."""
        if self._token is not None and self._token.value == token:
            self._token = None

    def _landed(self, flight: "asyncio.Future[_Token]") -> None:
        self._flight = None
        if flight.cancelled():
            return
        error = flight.exception()
        if error is None:
            self._token = flight.result()
        else:
            LOG.error("No token for the service user: %s: %s", type(error).__name__, error)

    def _fetch(self) -> _Token:
        if self._session is None:
            self._session = open_session(self._settings)
        plugin = self._session.auth
        plugin.invalidate()
        access = plugin.get_access(self._session)
        now = self._clock()
        life_s = access.expires.timestamp() - now
        return _Token(
            value=access.auth_token,
            renew_at=now + min(life_s * _RENEW_AFTER, life_s - _LEAST_LIFE_S),
            last_use_at=now + life_s - _LEAST_LIFE_S,
        )
