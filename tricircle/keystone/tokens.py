# SPDX-License-Identifier: Apache-2.0
"""Whose token is this, and may it be used for this request?

The judge is the whole auth_token process of keystonemiddleware (access rules of application credentials included),
run in threads. In front of it stands a small cache of positive answers, kept for at most 60 s and never beyond the
token's expiry; the middleware's own cache is switched off, because a shared memcached holds answers of other services
for longer.
"""

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from keystoneauth1.exceptions import ClientException
from keystonemiddleware.auth_token import AuthProtocol, list_opts
from oslo_log import log
from webob import Request, Response

from tricircle.conf.settings import Settings
from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.errors import IDENTITY_AWAY, UnauthorizedError, UnavailableError
from tricircle.model.pod import CATALOG_TYPES, Service
from tricircle.observe import metrics

LOG = log.getLogger(__name__)

#: Service type of the Admin API in the catalog.
ADMIN_SERVICE_TYPE = "Cascading"
#: A call to Keystone may not hang for ever where ``http_connect_timeout`` is not set; seconds.
_KEYSTONE_TIMEOUT_S = 10.0
#: Nobody believes a token longer than this without asking, whatever the settings say; seconds.
_LONGEST_CACHE_S = 60.0
_NO_CACHE = "tricircle.no_cache"
_REFUSED = "The request you have made requires authentication."


class _NoCache:
    """What the middleware takes for its cache: remembers nothing."""

    @staticmethod
    def get(_key: str) -> None:
        return None

    @staticmethod
    def set(_key: str, _value: object, time: int = 0) -> None:
        del time


@dataclass(frozen=True, slots=True)
class _Identity:
    """What Keystone said of a token."""

    token: str = field(repr=False)
    user_id: str
    project_id: ProjectId
    project_name: str | None
    domain_id: str | None
    user_domain_id: str | None
    project_domain_id: str | None
    system_scope: str | None
    roles: frozenset[str]
    expires_at: float
    has_access_rules: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A remembered identity; ``until`` is in seconds of the wall clock, as expiry is."""

    identity: _Identity
    until: float


_Key = bytes | tuple[bytes, Service | None, str, str]


class Validator:
    """Identifies callers by their tokens. One per process.

    :param settings: ``[keystone_authtoken]`` and the cache's options
    :param clock: the wall clock in seconds, which expiry is compared with
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._ttl_s = min(settings.gateway.token_cache_s, _LONGEST_CACHE_S)
        self._size = settings.gateway.token_cache_size
        self._known: OrderedDict[_Key, _Entry] = OrderedDict()
        self._flights: dict[_Key, asyncio.Future[_Identity]] = {}
        self._threads = ThreadPoolExecutor(settings.gateway.token_threads, thread_name_prefix="tokens")
        self._judges: dict[str, AuthProtocol] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the threads; a validation under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def identify(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        method: str,
        path: str,
        service: Service | None,
        request_id: str,
        deadline: Deadline,
        *,
        global_request_id: str | None = None,
    ) -> RequestContext:
        """Who asks. Of ``headers`` only the token is read: identity headers and service tokens of clients mean nothing.

        :param path: path below the door's prefix (``/v2.1/servers``), percent-encoded: what access rules are compared
            with
        :param service: whose door it is; None is the Admin API
        :raises UnauthorizedError: no token, or not valid, or not for this request
        :raises UnavailableError: Keystone cannot be asked
        """
        token = _token_of(headers)
        if token is None:
            metrics.token_checked("refused")
            raise UnauthorizedError(_REFUSED)
        digest = hashlib.sha256(token).digest()
        identity = self._remembered(digest, method, path, service)
        if identity is None:
            identity = await self._asked(digest, token, method, path, service, deadline)
        else:
            metrics.token_checked("cache")
        return RequestContext(
            request_id=request_id,
            global_request_id=global_request_id,
            token=identity.token,
            user_id=identity.user_id,
            project_id=identity.project_id,
            project_name=identity.project_name,
            domain_id=identity.domain_id,
            user_domain_id=identity.user_domain_id,
            project_domain_id=identity.project_domain_id,
            system_scope=identity.system_scope,
            roles=identity.roles,
            admin_role=self._settings.gateway.admin_role,
            has_access_rules=identity.has_access_rules,
            expires_at=identity.expires_at,
            deadline=deadline,
        )

    def forget(self, token: str) -> None:
        """Believe nothing of ``token`` any more: it was revoked through us, or an upstream refused it."""
        digest = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        for key in [key for key in self._known if key == digest or (isinstance(key, tuple) and key[0] == digest)]:
            del self._known[key]

    def _remembered(self, digest: bytes, method: str, path: str, service: Service | None) -> _Identity | None:
        key: _Key = digest
        entry = self._known.get(key)
        if entry is not None and entry.identity.has_access_rules:
            key = (digest, service, method, path)
            entry = self._known.get(key)
        if entry is None:
            return None
        if entry.until <= self._clock():
            del self._known[key]
            return None
        self._known.move_to_end(key)
        return entry.identity

    async def _asked(
        self, digest: bytes, token: bytes, method: str, path: str, service: Service | None, deadline: Deadline
    ) -> _Identity:
        """Ask Keystone, once for all who wait for the same answer."""
        key: _Key = (digest, service, method, path)
        flight = self._flights.get(key)
        if flight is None:
            loop = asyncio.get_running_loop()
            flight = loop.run_in_executor(self._threads, self._judge, token, method, path, service)
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, digest, done))
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise UnavailableError(IDENTITY_AWAY) from error

    def _landed(self, key: _Key, digest: bytes, flight: "asyncio.Future[_Identity]") -> None:
        self._flights.pop(key, None)
        if flight.cancelled():
            return
        if flight.exception() is not None:
            metrics.token_checked("refused")
            return
        metrics.token_checked("keystone")
        identity = flight.result()
        entry = _Entry(identity, min(self._clock() + self._ttl_s, identity.expires_at))
        self._known[digest] = entry
        if identity.has_access_rules:
            self._known[key] = entry
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def _judge(self, token: bytes, method: str, path: str, service: Service | None) -> _Identity:
        """The middleware's judgement, in a thread. A service has several names in catalogs, and rules use one of
        them.
        """
        names = (ADMIN_SERVICE_TYPE,) if service is None else CATALOG_TYPES[service][:2]
        for name in names:
            status, found = self._ask_middleware(name, token, method, path)
            if status == 200 and found is not None:
                return _identity(token, found)
            if status != 401:
                raise UnavailableError(IDENTITY_AWAY)
        raise UnauthorizedError(_REFUSED)

    def _ask_middleware(
        self, service_type: str, token: bytes, method: str, path: str
    ) -> tuple[int, Mapping[str, Any] | None]:
        request = Request.blank(
            "/",
            environ={
                "REQUEST_METHOD": method,
                # Access rules are written for the service's own paths: nothing of the door's prefix may be in front.
                "SCRIPT_NAME": "",
                "PATH_INFO": unquote(path, "latin-1"),
                "HTTP_X_AUTH_TOKEN": token.decode("latin-1"),
                _NO_CACHE: _NoCache(),
            },
        )
        try:
            response: Response = request.get_response(self._judge_for(service_type))
        except ClientException as error:
            LOG.warning("Cannot ask Keystone about a token: %s: %s", type(error).__name__, error)
            raise UnavailableError(IDENTITY_AWAY) from error
        return response.status_int, request.environ.get("keystone.token_info")

    def _judge_for(self, service_type: str) -> AuthProtocol:
        with self._lock:
            judge = self._judges.get(service_type)
            if judge is None:
                judge = self._judges[service_type] = self._made(service_type)
        return judge

    def _made(self, service_type: str) -> AuthProtocol:
        raw = self._settings.raw
        for group, opts in list_opts():
            raw.register_opts(opts, group=group)
        overrides = {
            "oslo_config_config": raw,
            "service_type": service_type,
            "cache": _NO_CACHE,
            "delay_auth_decision": False,
            "include_service_catalog": True,
            "www_authenticate_uri": f"{self._settings.gateway.public_endpoint}/identity",
            "http_connect_timeout": raw.keystone_authtoken.http_connect_timeout or _KEYSTONE_TIMEOUT_S,
        }
        return AuthProtocol(_passed, overrides)


def _passed(_environ: Mapping[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    """The application behind the middleware: whoever gets here is known."""
    start_response("200 OK", [])
    return [b""]


def _token_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == b"x-auth-token":
            return value.strip() or None
    return None


def _identity(token: bytes, info: Mapping[str, Any]) -> _Identity:
    """The facts in Keystone's answer. Raises KeyError when it is none: the middleware has read it before us."""
    body = info["token"]
    user = body["user"]
    project = body.get("project") or {}
    rules = (body.get("application_credential") or {}).get("access_rules")
    return _Identity(
        token=token.decode("latin-1"),
        user_id=user["id"],
        project_id=ProjectId(project.get("id", "")),
        project_name=project.get("name"),
        domain_id=(body.get("domain") or {}).get("id"),
        user_domain_id=(user.get("domain") or {}).get("id"),
        project_domain_id=(project.get("domain") or {}).get("id"),
        system_scope="all" if (body.get("system") or {}).get("all") else None,
        roles=frozenset(role["name"] for role in body.get("roles", ())),
        expires_at=datetime.fromisoformat(body["expires_at"]).timestamp(),
        has_access_rules=rules is not None,
    )
