# SPDX-License-Identifier: Apache-2.0
"""How is something found that no routing is kept for: a message, a host, a cluster? All pods are asked; one has it."""

from tricircle.http.message import Answer, Handler, Request
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import Shape
from tricircle.upstream.reply import Reply

_UNKNOWABLE = "It cannot be known now whether this resource exists, because an availability zone does not answer."


class Somewhere:
    """Handlers for paths of things that are in one pod, nobody knows which."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def showing(self, singular: str, shape: Shape | None = None) -> Handler:
        """The handler of a GET."""

        async def show(request: Request) -> Answer:
            pod, reply = await self._find(request)
            return await self._carrier.answer(request, pod, reply, singular=singular, shape=shape)

        return show

    async def delete(self, request: Request) -> Answer:
        """A DELETE of what a GET of the same path shows."""
        pod, reply = await self._find(request)
        if reply.status == 200:
            reply = await self._carrier.to_pod(request, pod)
        return await self._carrier.answer(request, pod, reply)

    async def _find(self, request: Request) -> tuple[Pod, Reply]:
        """The pod that shows it; else the refusal of the first.

        :raises UnavailableError: nobody shows it, and somebody did not answer
        """
        fan = await self._carrier.fan_out(request)
        for pod, reply in fan.replies:
            if reply.status == 200:
                return pod, reply
        if fan.gaps or not fan.replies:
            raise self._carrier.unknowable(request, fan.gaps, _UNKNOWABLE)
        return fan.replies[0]
