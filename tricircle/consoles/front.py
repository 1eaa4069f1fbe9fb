# SPDX-License-Identifier: Apache-2.0
"""What becomes of a request at the console proxy: a page, an open console, or a refusal?

The library (``websockets``) speaks the protocol; here is decided. A console is open in the pod before its user is told
so, and nobody is asked for anything before the page is known to be welcome and the token to be good. Refusals have no
body: clients take what follows a head for the console's first message.
"""

import logging
import ssl
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tricircle.conf.settings import ConsoleSettings
from tricircle.consoles.pages import ASKED, KnowsPods, Pages, pod_of
from tricircle.consoles.sessions import Session, Sessions, TooManyError
from tricircle.consoles.visits import Visit, is_welcome, visit_of
from tricircle.errors import TricircleError, UnavailableError
from tricircle.model.console import OpenedConsole, channel_of
from tricircle.observe import metrics
from tricircle.upstream.channels import CLOSE_S, MESSAGE_BYTES, SILENT, WAITING, Channel
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)


class OpensConsoles(Protocol):
    """Who was given which console (``ledger/consoles.py``)."""

    async def use(self, token: str) -> OpenedConsole | None:
        """The console that a token opens; counts as a use."""
        ...


class OpensChannels(Protocol):
    """WebSockets to pods (``upstream/channels.py``)."""

    async def open(self, url: str, subprotocols: list[str], *, within_s: float, label: str) -> Channel:
        """One that is open. :raises UnavailableError: it cannot be had"""
        ...


class Visitor(ServerConnection):
    """A client's connection, and what was opened for it."""

    session: Session | None = None
    channel: Channel | None = None
    opened: OpenedConsole | None = None
    asked: str = ""
    is_relayed: bool = False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone. What was opened for it and never used is let go of."""
        super().connection_lost(exc)
        if not self.is_relayed:
            self.abandon()

    def abandon(self) -> None:
        """Let go at once."""
        if self.channel is not None:
            self.channel.transport.abort()
        if self.session is not None:
            self.session.leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what the front works."""

    consoles: OpensConsoles
    pods: KnowsPods
    pages: Pages
    channels: OpensChannels
    sessions: Sessions


class Front:
    """The console proxy's listener."""

    def __init__(self, means: Means, settings: ConsoleSettings) -> None:
        self._means = means
        self._settings = settings
        place = urlsplit(settings.public_endpoint)
        self._prefix = place.path
        self._scheme = place.scheme
        self._hosts = {(place.hostname or "").lower(), *(host.lower() for host in settings.allowed_origins)}

    async def listen(self) -> Server:
        """Begin to listen. :raises OSError: nobody may listen there"""
        chosen = self._settings
        return await serve(
            self._carry,
            chosen.host,
            chosen.port,
            reuse_port=True,
            ssl=_certificate(chosen),
            create_connection=Visitor,
            process_request=self._decide,  # type: ignore[arg-type]  # our own kind of connection
            process_response=self._open,  # type: ignore[arg-type]
            server_header=None,
            compression=None,
            open_timeout=chosen.open_timeout_s,
            ping_interval=chosen.ping_s,
            ping_timeout=chosen.ping_s,
            close_timeout=CLOSE_S,
            max_size=MESSAGE_BYTES,
            max_queue=WAITING,
            logger=SILENT,
        )

    async def _decide(self, visitor: Visitor, request: Request) -> Response | None:
        """A page or a refusal; None: the upgrade may go on."""
        if request.path == "/healthz":
            return _response(200, [("content-type", "application/json")], b'{"status": "ok"}')
        visit = visit_of(request.path, request.headers.get_all("cookie"), prefix=self._prefix)
        is_upgrade = "upgrade" in request.headers
        if visit is None:
            return _refusal(404, "unknown" if is_upgrade else "")
        try:
            return await (self._admit(visitor, request, visit) if is_upgrade else self._page(request, visit))
        except UnavailableError as error:
            LOG.warning("not available now: %s", error.message)
            return _refusal(503, "unavailable" if is_upgrade else "")

    async def _page(self, request: Request, visit: Visit) -> Response:
        if request.method != "GET":
            return _response(405, [("allow", "GET")])
        asked = [
            (name, value.encode("latin-1"))
            for name in ASKED
            if "\n" not in (value := ", ".join(request.headers.get_all(name.decode()))) and value
        ]
        return _leaving(await self._means.pages.fetch(visit, asked))

    async def _admit(self, visitor: Visitor, request: Request, visit: Visit) -> Response | None:
        origins = request.headers.get_all("origin")
        if not is_welcome(origins, scheme=self._scheme, hosts=self._hosts):
            return _refusal(403, "origin")
        visitor.opened = await self._means.consoles.use(visit.token) if visit.token else None
        if visitor.opened is None:
            return _refusal(403, "token")
        try:
            visitor.session = self._means.sessions.enter(visitor.opened.console)
        except TooManyError:
            return _refusal(429, "too_many")
        visitor.asked = visit.file
        return None

    async def _open(self, visitor: Visitor, request: Request, response: Response) -> Response | None:
        """The upgrade is in order: open the console in its pod before saying so."""
        opened = visitor.opened
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS or opened is None:
            # The library's own refusals say in their bodies what only its programmers understand.
            return None if opened is None else _refusal(response.status_code, "handshake")
        offered = [one.strip() for line in request.headers.get_all("sec-websocket-protocol") for one in line.split(",")]
        try:
            pod = await pod_of(opened.console, self._means.pods)
            if pod is None:
                return _refusal(404, "unknown")
            visitor.channel = await self._means.channels.open(
                channel_of(opened, visitor.asked),
                [one for one in offered if one],
                within_s=self._settings.open_timeout_s,
                label=f"{pod.name}/console",
            )
        except TricircleError:
            return _refusal(502, "unavailable")
        if visitor.channel.subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = visitor.channel.subprotocol
        return None

    async def _carry(self, visitor: ServerConnection) -> None:
        if not isinstance(visitor, Visitor) or visitor.session is None or visitor.channel is None:
            return
        visitor.is_relayed = True
        session, console = visitor.session, visitor.session.console
        word = "failed"
        metrics.console_opened(console.type)
        try:
            word = await session.relay(visitor, visitor.channel, limit_s=self._settings.session_limit_s)
        finally:
            visitor.abandon()
            seconds = time.monotonic() - session.started
            metrics.console_closed(console.type, word, sent=session.sent, received=session.received)
            LOG.info(
                "console %s of server %s: user %s project %s from %s time: %.1f up: %d down: %d ended: %s",
                console.type,
                console.server_id,
                console.user_id,
                console.project_id,
                _address(visitor),
                seconds,
                session.sent,
                session.received,
                word,
            )


def _address(visitor: ServerConnection) -> str:
    place = visitor.remote_address
    return str(place[0]) if isinstance(place, tuple) and place else "-"


def _refusal(status: int, reason: str) -> Response:
    if reason:
        metrics.console_refused(reason)
    return _response(status, [])


def _leaving(reply: Reply) -> Response:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers]
    return _response(reply.status, headers, reply.body if isinstance(reply.body, bytes) else b"")


def _response(status: int, headers: list[tuple[str, str]], body: bytes = b"") -> Response:
    own = [("date", formatdate(usegmt=True)), ("connection", "close")]
    if status != HTTPStatus.NOT_MODIFIED:
        own.append(("content-length", str(len(body))))
    return Response(status, HTTPStatus(status).phrase, Headers([*headers, *own]), body)


def _certificate(settings: ConsoleSettings) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context
