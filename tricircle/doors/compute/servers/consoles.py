# SPDX-License-Identifier: Apache-2.0
"""How does a user come to a server's console without learning where the pod shows it?

The pod is asked and says yes or no in its own words; of a yes the user gets everything but the URL, which is one of
our console proxy (``tricircle/consoles``) with a token of ours.
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

from tricircle.context import PodId, RequestContext
from tricircle.doors.compute.pod_faults import refused
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError, NotFoundError, NotImplementedByUsError
from tricircle.http.message import Answer, Request
from tricircle.model.console import CARRIED, SPICE_DIRECT, OpenedConsole, PodConsole, taken_apart, users_url
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier

#: Actions up to 2.5, one for each protocol; a pod of an old release knows more of them than a new one.
ACTIONS = ("os-getVNCConsole", "os-getSPICEConsole", "os-getRDPConsole", "os-getSerialConsole")
#: Who may ask what a token stands for; Nova's own name and default.
LOOK_RULE = "os_compute_api:os-console-auth-tokens"
#: Before it, Nova answered for consoles of Hyper-V only, which are no more.
_TOKENS_SINCE = (2, 31)


class GivesConsoles(Protocol):
    """Who was given which console (``ledger/consoles.py``)."""

    async def issue(
        self, context: RequestContext, pod_id: PodId, server_id: str, type_: str, pod: PodConsole
    ) -> tuple[str, str]:
        """Give the caller a console; its id and its token."""
        ...

    async def look(self, token: str) -> OpenedConsole | None:
        """What a token stands for; None when it stands for nothing (any more)."""
        ...


class KnowsPods(Protocol):
    """The pods as last read (``pods/registry.py``)."""

    async def pods(self) -> tuple[Pod, ...]:
        """All pods, the central region's row included."""
        ...


class ConsoleCalls:
    """The actions of consoles, ``/servers/{server_id}/remote-consoles`` and ``/os-console-auth-tokens``.

    :param endpoint: where users reach the console proxy, no slash at the end
    :param spice_direct_endpoint: where users reach a proxy of SPICE's own protocol; empty: there is none
    """

    def __init__(
        self, *, carrier: Carrier, consoles: GivesConsoles, pods: KnowsPods, endpoint: str, spice_direct_endpoint: str
    ) -> None:
        self._carrier = carrier
        self._consoles = consoles
        self._pods = pods
        self._endpoint = endpoint
        self._spice_direct_endpoint = spice_direct_endpoint

    async def act(self, request: Request) -> Answer:
        """An action of ``POST /servers/{server_id}/action`` (up to 2.5)."""
        return await self._give(request, "console")

    async def create(self, request: Request) -> Answer:
        """``POST /servers/{server_id}/remote-consoles`` (2.6 and later)."""
        return await self._give(request, "remote_console")

    async def show_token(self, request: Request) -> Answer:
        """``GET /os-console-auth-tokens/{token}``: what the pod says of the console that a token of ours stands for.

        Hosts and ports are for administrators, and for the proxies that act for them.

        :raises InvalidRequestError: below 2.31
        :raises NotFoundError: nobody was given this token, or it has expired
        """
        if (request.microversion or (2, 1)) < _TOKENS_SINCE:
            raise InvalidRequestError(
                "The server could not comply with the request since it is either malformed or otherwise incorrect."
            )
        opened = await self._consoles.look(request.params["token"])
        pod = None if opened is None else await self._pod(opened.console.pod_id)
        if opened is None or pod is None:
            raise NotFoundError("Token not found")
        reply = await self._carrier.to_pod(request, pod, path=f"/os-console-auth-tokens/{quote(opened.token, safe='')}")
        return await self._carrier.answer(request, pod, reply)

    async def _give(self, request: Request, key: str) -> Answer:
        server_id = request.params["server_id"]
        pod = (await self._carrier.locate(Kind.SERVER, server_id, request.context)).pod
        if not pod_may_be_asked(await request.json(), has_spice_direct=bool(self._spice_direct_endpoint)):
            raise InvalidRequestError(f"Unavailable console type {SPICE_DIRECT}.")
        reply = await self._carrier.to_pod(request, pod)
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        said = reply.json().get(key)
        if not isinstance(said, Mapping) or not isinstance(said.get("url"), str):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        type_ = str(said.get("type"))
        if type_ not in CARRIED and type_ != SPICE_DIRECT:
            raise NotImplementedByUsError("Unable to get console, functionality not implemented")
        parts = taken_apart(type_, said["url"])
        if parts is None:
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        console_id, token = await self._consoles.issue(request.context, pod.id, server_id, type_, parts)
        if type_ == SPICE_DIRECT:
            url = f"{self._spice_direct_endpoint}?token={token}"
        else:
            url = users_url(self._endpoint, console_id, type_, parts, token)
        return await self._carrier.answer_json(request, pod, reply, {key: {**said, "url": url}})

    async def _pod(self, pod_id: PodId) -> Pod | None:
        return next((pod for pod in await self._pods.pods() if pod.id == pod_id), None)


def pod_may_be_asked(document: Mapping[str, object], *, has_spice_direct: bool) -> bool:
    """Whether the console that is asked for, if the pod has it, can be reached by a user.

    >>> pod_may_be_asked({"remote_console": {"protocol": "spice", "type": "spice-direct"}}, has_spice_direct=False)
    False
    """
    asked = document.get("remote_console")
    is_direct = isinstance(asked, Mapping) and (asked.get("protocol"), asked.get("type")) == ("spice", SPICE_DIRECT)
    return has_spice_direct or not is_direct
