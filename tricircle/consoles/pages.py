# SPDX-License-Identifier: Apache-2.0
"""What does a browser get that loads a console's page? The pod's own file, without anything that names the pod.

Only files below the folder of the console's page are fetched, only by GET, and of the pod's headers only those pass
that say what the file is.
"""

from typing import Protocol
from urllib.parse import quote, urljoin

from tricircle.consoles.visits import Visit
from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.model.console import SERIAL, Console, OpenedConsole, wants_token
from tricircle.model.pod import Pod, PodState, Service
from tricircle.upstream.reply import Call, Headers, Reply, Target

_PASSED = frozenset((b"content-type", b"content-encoding", b"cache-control", b"etag", b"last-modified", b"vary"))
#: What a browser may say of what it has and takes.
ASKED = (b"accept", b"accept-encoding", b"accept-language", b"if-none-match", b"if-modified-since")
#: The page's address has the token in it: it must reach nobody else, and no file may be taken for what it is not.
_OURS: Headers = [(b"referrer-policy", b"no-referrer"), (b"x-content-type-options", b"nosniff")]
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class FindsConsoles(Protocol):
    """Who was given which console (``ledger/consoles.py``)."""

    async def page(self, console_id: str) -> Console | None:
        """The console whose pages have this id in their addresses."""
        ...

    async def look(self, token: str) -> OpenedConsole | None:
        """What a token stands for."""
        ...


class KnowsPods(Protocol):
    """The pods as last read (``pods/registry.py``)."""

    async def pods(self) -> tuple[Pod, ...]:
        """All pods, the central region's row included."""
        ...


class Fetches(Protocol):
    """Calls to upstreams (``upstream/pool.py``)."""

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        """What an upstream answers."""
        ...


class Pages:
    """The pages of consoles.

    :param prefix: path of the public endpoint, ``/consoles`` or nothing
    :param within_s: seconds for one file
    """

    def __init__(
        self, consoles: FindsConsoles, pods: KnowsPods, pools: Fetches, *, prefix: str, within_s: float
    ) -> None:
        self._consoles = consoles
        self._pods = pods
        self._pools = pools
        self._prefix = prefix
        self._within_s = within_s

    async def fetch(self, visit: Visit, headers: Headers) -> Reply:
        """One file as it leaves; whatever the pod says of failures is said in our words.

        :param headers: those of :data:`ASKED` that the browser sent
        :raises UnavailableError: the database or the pod does not answer
        """
        console = await self._consoles.page(visit.console_id) if visit.console_id else None
        pod = None if console is None else await pod_of(console, self._pods)
        if console is None or pod is None or console.type == SERIAL:
            return _plain(404)
        query = ""
        if wants_token(console.type) and visit.token:
            opened = await self._consoles.look(visit.token)
            if opened is None or opened.console.id != console.id:
                return _plain(403)
            query = f"?token={quote(opened.token)}"
        call = Call(method="GET", path=f"/{visit.file}{query}", headers=headers)
        target = Target(pod.id, Service.COMPUTE, console.base, f"{pod.name}/console")
        try:
            reply = await self._pools.send(target, call, Deadline.after(self._within_s))
        except (BadUpstreamAnswerError, OutcomeUnknownError):
            return _plain(502)
        return self._ours(console, visit, reply)

    def _ours(self, console: Console, visit: Visit, reply: Reply) -> Reply:
        passed = [(name, value) for name, value in reply.headers if name in _PASSED]
        if reply.status in (200, 304):
            return Reply(status=reply.status, headers=[*passed, *_OURS], body=reply.body)
        if reply.status in _REDIRECTS:
            place = self._inside(console, visit, (reply.header(b"location") or b"").decode("latin-1"))
            return _plain(502) if place is None else _plain(302, (b"location", place))
        return _plain(404 if reply.status in (401, 403, 404, 405) else 502)

    def _inside(self, console: Console, visit: Visit, location: str) -> bytes | None:
        """Our address of a place to which the pod sends the browser; None when it leads out of the folder."""
        root = console.base + "/"
        try:
            place = urljoin(root + visit.file, location)
        except ValueError:
            return None
        path = place.partition("?")[0].partition("#")[0]
        if not path.startswith(root) or ".." in path or not path.isascii() or not path.isprintable():
            return None
        return f"{self._prefix}/{console.id}/{path[len(root) :]}".encode()


async def pod_of(console: Console, pods: KnowsPods) -> Pod | None:
    """The pod that shows a console; None when it is no more. :raises UnavailableError: it is switched off"""
    pod = next((pod for pod in await pods.pods() if pod.id == console.pod_id), None)
    if pod is not None and pod.state is PodState.DISABLED:
        raise UnavailableError("The console cannot be reached now. Please try again later.")
    return pod


def _plain(status: int, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status=status, headers=[*headers, *_OURS])
