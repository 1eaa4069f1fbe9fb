# SPDX-License-Identifier: Apache-2.0
"""Who are we? The service user's session and its token, renewed before it ends.

A token without the administrator's role is none: what Neutron hides from others it says is not there, in the same
words, and on our side that ends what is known of it. A role can be lost while a token lives, and Keystone tells so when
it is asked about the token; so who is about to believe that something is gone asks (``confirm``).
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException, HttpError
from keystoneauth1.session import Session
from oslo_log import log

from tricircle.conf.settings import Settings
from tricircle.context import Deadline, has_role
from tricircle.errors import IDENTITY_AWAY, SERVICE_AWAY, ServiceUserError, UnavailableError

LOG = log.getLogger(__name__)

_GROUP = "service_user"
#: A call to Keystone may not hang for ever where ``timeout`` is not set; seconds.
_KEYSTONE_TIMEOUT_S = 10.0
#: A token is handed out only while it lives at least this long; seconds.
_LEAST_LIFE_S = 60.0
#: For so long nobody asks again for a token after Keystone gave one without the role; seconds.
_REFUSED_S = 2.0
_UNKNOWN = (401, 404)
#: The part of a token's life after which it is renewed.
_RENEW_AFTER = 0.8


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


class _RoleName(msgspec.Struct):
    name: str


class _TokenBody(msgspec.Struct):
    roles: list[_RoleName] = []


class _TokenDocument(msgspec.Struct):
    """What of Keystone's answer about a token counts here; without a project there are no roles."""

    token: _TokenBody


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
        self._refusal: tuple[ServiceUserError, float] | None = None
        self._checking = asyncio.Lock()
        self._asked, self._checked, self._checked_token = 0, 0, ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service-token")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def begin(self) -> None:
        """Sign in while nobody waits for it, so that the log of a process says at its start what is wrong."""
        self._started()

    async def token(self, deadline: Deadline) -> str:
        """A token that lives at least a minute. It is renewed in good time, once for all who ask.

        :raises ServiceUserError: the service user has no administrator's role
        :raises UnavailableError: Keystone cannot be asked, or refuses us, and no usable token is left
        """
        now = self._clock()
        known = self._token
        if known is not None and now < known.renew_at:
            return known.value
        if self._refusal is not None and now < self._refusal[1]:
            raise ServiceUserError(self._refusal[0].message)
        flight = self._started()
        if known is not None and now < known.last_use_at:
            return known.value
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                return (await asyncio.shield(flight)).value
        except (TimeoutError, ClientException) as error:
            raise UnavailableError(IDENTITY_AWAY) from error

    def forget(self, token: str) -> None:
        """Do not hand out ``token`` any more: an upstream refused it."""
        if self._token is not None and self._token.value == token:
            self._token = None

    async def confirm(self, token: str, deadline: Deadline) -> None:
        """Whether ``token`` holds the administrator's role still. Keystone is asked after this is called, once for all
        who wait; whoever believes an answer that may have hidden something calls it when the answer is there.

        :raises ServiceUserError: it does not
        :raises UnavailableError: it is no token any more, or Keystone cannot be asked
        """
        self._asked += 1
        mine = self._asked
        try:
            async with asyncio.timeout(deadline.remaining_s()), self._checking:
                if self._checked >= mine and self._checked_token == token:
                    return
                covered = self._asked
                await asyncio.get_running_loop().run_in_executor(self._thread, self._check, token)
                self._checked, self._checked_token = covered, token
        except (TimeoutError, ClientException) as error:
            raise UnavailableError(IDENTITY_AWAY) from error
        except UnavailableError as error:
            self._disbelieve(token, error)
            raise

    def _disbelieve(self, token: str, error: UnavailableError) -> None:
        self.forget(token)
        LOG.error("What services say to the service user is not believed: %s", error.message)

    def _started(self) -> "asyncio.Future[_Token]":
        """The sign-in that is under way, which is begun where none is."""
        flight = self._flight
        if flight is None:
            flight = asyncio.get_running_loop().run_in_executor(self._thread, self._fetch)
            self._flight = flight
            flight.add_done_callback(self._landed)
        return flight

    def _landed(self, flight: "asyncio.Future[_Token]") -> None:
        self._flight = None
        if flight.cancelled():
            return
        error = flight.exception()
        if error is None:
            self._token, self._refusal = flight.result(), None
        else:
            if isinstance(error, ServiceUserError):
                # The token of before has lost the role as well: it was never in the token, but with the user.
                self._token, self._refusal = None, (error, self._clock() + _REFUSED_S)
            LOG.error("No token for the service user: %s: %s", type(error).__name__, error)

    def _fetch(self) -> _Token:
        if self._session is None:
            self._session = open_session(self._settings)
        plugin = self._session.auth
        plugin.invalidate()
        access = plugin.get_access(self._session)
        self._need_role(access.role_names)
        now = self._clock()
        life_s = access.expires.timestamp() - now
        return _Token(
            value=access.auth_token,
            renew_at=now + min(life_s * _RENEW_AFTER, life_s - _LEAST_LIFE_S),
            last_use_at=now + life_s - _LEAST_LIFE_S,
        )

    def _check(self, token: str) -> None:
        """Ask Keystone about a token of ours, in the thread."""
        if self._session is None:
            self._session = open_session(self._settings)
        url = f"{self._settings.central.identity_url}/v3/auth/tokens?nocatalog"
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"}
        said = self._session.get(url, headers=headers, authenticated=False, raise_exc=False, log=False)
        if said.status_code in _UNKNOWN:
            raise UnavailableError(SERVICE_AWAY)
        if said.status_code != 200:
            raise HttpError(http_status=said.status_code)
        self._need_role(_roles(said.content))

    def _need_role(self, roles: Iterable[str]) -> None:
        """:raises ServiceUserError: the administrator's role is not among them"""
        wanted, has = self._settings.gateway.admin_role, sorted(roles)
        if not has_role(wanted, has):
            raise ServiceUserError(
                f"The service user of [{_GROUP}] has no role '{wanted}' in its project, only: "
                f"{', '.join(has) or 'none'}. Until it has, nothing is done in its name: 'openstack role add --user "
                f"... --project ... {wanted}', or name the role of administrators in [gateway] admin_role."
            )


def _roles(answer: bytes) -> list[str]:
    """Names of a token's roles. :raises UnavailableError: it is no token that is told of, but a page of a front"""
    try:
        document = msgspec.json.decode(answer, type=_TokenDocument)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnavailableError(IDENTITY_AWAY) from error
    return [role.name for role in document.token.roles]
