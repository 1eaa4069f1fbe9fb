# SPDX-License-Identifier: Apache-2.0
"""What is done in all pods at once when an administrator names no host: log levels, cleaning up after services.

Cinder itself passes over services that are down; so is a pod that does not answer passed over, and its AZ named.
"""

import asyncio
from collections.abc import Mapping, Sequence

from tricircle.copies.bodies import rows
from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.operators.host_calls import HostCalls
from tricircle.doors.block_storage.operators.hosts import Hosts, show
from tricircle.errors import BadUpstreamAnswerError, NotAcceptableError, OutcomeUnknownError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, PodState, Service
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import DISABLED, NONSENSE, SILENT, TOO_OLD, Gap, refusal_of
from tricircle.upstream.reply import Reply

_NOBODY = "No availability zone answers at the moment."
#: What workers clean up, and what a routing calls it.
_RESOURCES = {"volume": Kind.VOLUME, "snapshot": Kind.SNAPSHOT}


class Everywhere:
    """``PUT /os-services/get-log`` and ``set-log``, ``POST /workers/cleanup``."""

    def __init__(self, *, carrier: Carrier, hosts: Hosts, calls: HostCalls) -> None:
        self._carrier = carrier
        self._hosts = hosts
        self._calls = calls

    async def logs(self, request: Request) -> Answer:
        """Log levels of the services of one ``server``, or of all."""
        document = await request.json()
        server = document.get("server")
        if isinstance(server, str) and server:
            pod, inner = await self._hosts.find(request, server)
            reply = await self._carrier.to_pod(request, pod, body={**document, "server": inner})
            return await self._merged(request, [(pod, reply)], [], ("log_levels",))
        return await self._all(request, document, ("log_levels",))

    async def cleanup(self, request: Request) -> Answer:
        """Clean up after services: those of a host or cluster, those that work on a resource, or all."""
        document = await request.json() if await request.body() else {}
        pod = None
        if document.get("host") or document.get("cluster_name"):
            pod, document = await self._calls.addressed(request, document)
        elif isinstance(resource_id := document.get("resource_id"), str) and resource_id:
            kind = _RESOURCES.get(str(document.get("resource_type", "volume")).lower())
            pod = (await self._carrier.locate(kind, resource_id, request.context)).pod if kind else None
        elif document.get("service_id") is not None and len(await self._members()) > 1:
            raise words.service_id_alone()
        lists = ("cleaning", "unavailable")
        if pod is None:
            return await self._all(request, document, lists)
        reply = await self._carrier.to_pod(request, pod, body=document)
        return await self._merged(request, [(pod, reply)], [], lists)

    async def _all(self, request: Request, document: Mapping[str, object], lists: Sequence[str]) -> Answer:
        pods = await self._members()
        said = await asyncio.gather(*(self._ask(request, pod, document) for pod in pods))
        answered = [(pod, one) for pod, one in zip(pods, said, strict=True) if not isinstance(one, Gap)]
        gaps = [one for one in said if isinstance(one, Gap)]
        if not answered:
            raise self._carrier.unknowable(request, gaps, _NOBODY)
        return await self._merged(request, answered, gaps, lists)

    async def _members(self) -> Sequence[Pod]:
        """All pods that have storage, those that are switched off too."""
        return [pod for pod in await self._carrier.members() if Service.BLOCK_STORAGE in pod.endpoints]

    async def _ask(self, request: Request, pod: Pod, document: Mapping[str, object]) -> Reply | Gap:
        if pod.state is PodState.DISABLED:
            return Gap(pod, DISABLED)
        try:
            reply = await self._carrier.to_pod(request, pod, body=dict(document))
        except NotAcceptableError:
            return Gap(pod, TOO_OLD)
        except (UnavailableError, OutcomeUnknownError):
            return Gap(pod, SILENT)
        return Gap(pod, SILENT) if reply.status >= 500 else reply

    async def _merged(
        self,
        request: Request,
        answered: Sequence[tuple[Pod, Reply]],
        gaps: Sequence[Gap],
        lists: Sequence[str],
    ) -> Answer:
        """One answer of several: what is listed in them, or the refusal of all."""
        good = [(pod, reply) for pod, reply in answered if reply.status < 300]
        if not good:
            pod, reply = answered[0]
            return await self._carrier.answer(request, pod, reply)
        lacking = [*gaps, *(refusal_of(pod, reply) for pod, reply in answered if reply.status >= 300)]
        pod, reply = good[0]
        if not reply.body:
            answer = await self._carrier.answer(request, pod, reply)
        else:
            body: dict[str, list[object]] = {name: [] for name in lists}
            for one, part in good:
                try:
                    said = {name: rows(part.json(), name) for name in lists}
                except BadUpstreamAnswerError:
                    lacking.append(Gap(one, NONSENSE))
                    continue
                for name, items in said.items():
                    body[name] += [show(item, one) for item in items]
            if len(lacking) == len(gaps) + len(answered):
                raise self._carrier.unknowable(request, lacking, _NOBODY)
            answer = await self._carrier.answer_json(request, pod, reply, {**body})
        answer.headers += self._carrier.incomplete(request, lacking)
        return answer
