# SPDX-License-Identifier: Apache-2.0
"""What do administrators see and change of the machines behind the pods?

Hosts, hypervisors and services have no routings: whoever knows an id is found by asking all pods. Numbers (ids below
2.53) exist in several pods; then the first pod's is shown, as Nova does with several cells, and nothing is changed.
"""

from collections.abc import Mapping

from tricircle.errors import InvalidRequestError, NotFoundError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier, FanOut
from tricircle.road.gather import marks
from tricircle.upstream.reply import Reply

_UNKNOWABLE = "It cannot be known now whether this resource exists, because an availability zone does not answer."
#: Which refusal says most when no pod knows an id.
_TELLING = (401, 403, 400, 410, 404)


class Fleet:
    """Hypervisors, services and hosts."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def show(self, request: Request) -> Answer:
        """What the first pod says that knows the id of the path.

        :raises UnavailableError: none that answered knows it, and one did not answer
        """
        fan = await self._carrier.fan_out(request)
        for pod, reply in fan.replies:
            if reply.status < 300:
                return await self._carrier.answer(request, pod, reply)
        return await self._refusal(request, fan)

    async def matching(self, request: Request) -> Answer:
        """Hypervisors by a pattern, with or without their servers (up to 2.52): those of all pods."""
        fan = await self._carrier.fan_out(request)
        found: list[object] = []
        for _, reply in fan.replies:
            hypervisors = reply.json().get("hypervisors") if reply.status < 300 else None
            found += hypervisors if isinstance(hypervisors, list) else []
        if not found:
            return await self._refusal(request, fan)
        return Answer.json(200, {"hypervisors": found}, marks(fan.missing))

    async def statistics(self, request: Request) -> Answer:
        """Sums over all hypervisors of all pods (up to 2.87)."""
        fan = await self._carrier.fan_out(request)
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        total: dict[str, int] = {}
        for reply in fan.good:
            statistics = reply.json().get("hypervisor_statistics")
            for name, value in statistics.items() if isinstance(statistics, dict) else ():
                total[name] = total.get(name, 0) + (value if isinstance(value, int) else 0)
        if not fan.replies:
            raise UnavailableError("No availability zone answers. Please try again later.")
        return Answer.json(200, {"hypervisor_statistics": total}, marks(fan.lacking))

    async def change_service(self, request: Request) -> Answer:
        """``PUT`` and ``DELETE`` of a service: in the one pod that has it.

        :raises NotFoundError, InvalidRequestError: no pod has it, or several have
        """
        document = await request.json() if request.method == "PUT" and await request.body() else {}
        pods = await self._pods_with_service(request, document)
        service_id = request.params["service_id"]
        if not pods:
            raise NotFoundError(f"Service {service_id} could not be found.")
        if len(pods) > 1:
            raise InvalidRequestError(f"More than one possible service found with ID {service_id}.")
        reply = await self._carrier.to_pod(request, pods[0])
        return await self._carrier.answer(request, pods[0], reply)

    async def _pods_with_service(self, request: Request, document: Mapping[str, object]) -> list[Pod]:
        fan = await self._carrier.fan_out(request, path="/os-services", query=b"")
        if fan.missing:
            raise UnavailableError(_UNKNOWABLE)
        return [pod for pod, reply in fan.replies if _has_service(reply, request.params["service_id"], document)]

    async def _refusal(self, request: Request, fan: FanOut) -> Answer:
        if fan.missing or not fan.replies:
            raise UnavailableError(_UNKNOWABLE)
        pod, reply = min(fan.replies, key=lambda one: _telling(one[1].status))
        return await self._carrier.answer(request, pod, reply)


def _has_service(reply: Reply, service_id: str, document: Mapping[str, object]) -> bool:
    services = reply.json().get("services") if reply.status == 200 else None
    for service in services if isinstance(services, list) else ():
        if str(service.get("id")) == service_id:
            return True
        # Below 2.53 a verb stands in the place of the id, and the body names host and binary.
        if "host" in document and all(service.get(key) == document.get(key) for key in ("host", "binary")):
            return True
    return False


def _telling(status: int) -> int:
    return _TELLING.index(status) if status in _TELLING else len(_TELLING)
