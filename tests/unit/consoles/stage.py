# SPDX-License-Identifier: Apache-2.0
"""A console proxy of ours that listens, and a pod's that the test directs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tricircle.conf.settings import ConsoleSettings, DatabaseSettings, UpstreamSettings
from tricircle.consoles.front import Front, Means
from tricircle.consoles.pages import Pages
from tricircle.consoles.sessions import Sessions
from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.ledger.consoles import Consoles
from tricircle.model.console import taken_apart, users_url
from tricircle.model.pod import Pod, PodState
from tricircle.store.engine import create_engine, transaction
from tricircle.store.tables import metadata
from tricircle.upstream.channels import Channels
from tricircle.upstream.pool import Pools

#: The pod's secret; a reader of anything but the pod's own wire must not find it.
POD_TOKEN = "canary-pod-token-7711"
HOST = "127.0.0.1"
Talk = Callable[[ServerConnection], Awaitable[None]]


async def echo(socket: ServerConnection) -> None:
    """Say the same."""
    async for message in socket:
        await socket.send(message)


@dataclass
class PodProxy:
    """A console proxy in a pod: what it does, and what it saw."""

    talk: Talk = echo
    files: dict[str, Response] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def file(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        """Put a file there."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.files[path] = Response(status, "Said", Headers({**named, "Content-Length": str(len(body))}), body)

    def decide(self, _socket: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if "upgrade" in request.headers:
            return self.files.get("refuse")
        return self.files.get(request.path.partition("?")[0]) or Response(404, "Not Found", Headers())


class KnownPods:
    """One pod."""

    def __init__(self) -> None:
        self.pod: Pod | None = Pod(id=PodId("pod1"), name="canary-Pod1", az_name="az1")

    async def pods(self) -> tuple[Pod, ...]:
        return () if self.pod is None else (self.pod,)

    def switch_off(self) -> None:
        assert self.pod is not None
        self.pod = replace(self.pod, state=PodState.DISABLED)


@dataclass(kw_only=True)
class Stage:
    """All that a test needs."""

    pod: PodProxy
    pods: KnownPods
    consoles: Consoles
    sessions: Sessions
    settings: ConsoleSettings
    port: int
    scheme: str

    async def url(self, type_: str = "novnc", *, user: str = "u", page: str = "vnc_lite.html") -> str:
        """A user's URL of a console."""
        query = {"path": f"?token={POD_TOKEN}"} if type_ == "novnc" else {"token": POD_TOKEN}
        kind = self.scheme.replace("http", "ws") if type_ == "serial" else self.scheme
        parts = taken_apart(type_, f"{kind}://{HOST}:{self.pod.port}/{page}?{urlencode(query)}")
        assert parts is not None
        who = RequestContext(
            request_id="r", token="t", user_id=user, project_id=ProjectId("p"), roles=frozenset(),
            deadline=Deadline.after(9),
        )  # fmt: skip
        console_id, token = await self.consoles.issue(who, PodId("pod1"), "server-1", type_, parts)
        return users_url(f"http://{HOST}:{self.port}", console_id, type_, parts, token)

    async def token(self, **more: str) -> str:
        """Only the token of a new console."""
        return (await self.url(**more)).rpartition("token%3D")[2]

    def connect(self, token: str, path: str = "/", **more: object) -> connect:
        """What a page's script does."""
        given: dict[str, object] = {"compression": None, "proxy": None, **more}
        return connect(f"ws://{HOST}:{self.port}{path}?token={token}", **given)  # type: ignore[arg-type]

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> bytes:
        """The whole answer, head and body, to a request for a page."""
        path = url.partition(f":{self.port}")[2] or url
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{self.port}", *map(": ".join, (headers or {}).items())]
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer

    @property
    def is_empty(self) -> bool:
        """Whether nobody has a console open."""
        return self.sessions.open == 0


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, ten seconds at most."""
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def stage(
    tmp_path: Path,
    *,
    settings: ConsoleSettings | None = None,
    upstream: UpstreamSettings | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Stage]:
    """Both proxies, listening."""
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path}/consoles"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
    chosen = replace(settings or ConsoleSettings(), port=0, public_endpoint=f"http://{HOST}:1")
    trust = upstream or UpstreamSettings(connect_timeout_s=1)
    consoles, pods, pools = (
        Consoles(engine, ttl_s=chosen.token_ttl_s, uses=chosen.token_uses),
        KnownPods(),
        Pools(trust),
    )
    sessions = Sessions(most=chosen.sessions, per_user=chosen.sessions_per_user)
    means = Means(
        consoles=consoles,
        pods=pods,
        pages=Pages(consoles, pods, pools, prefix="", within_s=chosen.open_timeout_s),
        channels=Channels(trust, ping_s=chosen.ping_s),
        sessions=sessions,
    )
    pod = PodProxy()

    async def talk(socket: ServerConnection) -> None:
        await pod.talk(socket)

    async with serve(
        talk, HOST, 0, process_request=pod.decide, ssl=tls, compression=None, subprotocols=["binary", "other"],  # type: ignore[list-item]
        select_subprotocol=lambda _socket, offered: offered[-1] if offered else None,
    ) as theirs:  # fmt: skip
        pod.port = next(iter(theirs.sockets)).getsockname()[1]
        ours = await Front(means, chosen).listen()
        port = next(iter(ours.sockets)).getsockname()[1]
        try:
            yield Stage(
                pod=pod, pods=pods, consoles=consoles, sessions=sessions, settings=chosen, port=port,
                scheme="https" if tls else "http",
            )  # fmt: skip
        finally:
            ours.close()
            await ours.wait_closed()
            await pools.close()
            await engine.dispose()


__all__ = ["HOST", "POD_TOKEN", "ClientConnection", "PodProxy", "Stage", "echo", "stage", "until"]
