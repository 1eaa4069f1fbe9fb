# SPDX-License-Identifier: Apache-2.0
"""Which AZs are there, and which of them can be used now? Answered from the pods that are registered."""

import logging
from collections.abc import Iterable

import msgspec

from tricircle.doors.compute.needs import KnownPods, Pulses
from tricircle.doors.compute.operators.aggregate_zones import AggregateZones, OtherZones
from tricircle.doors.compute.zones import zone_of
from tricircle.errors import BadUpstreamAnswerError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.host_names import full_name
from tricircle.model.pod import Pod, PodState, Service
from tricircle.road.carrier import Carrier
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

#: Where Nova keeps the services that run no servers.
_INTERNAL = "internal"


class AvailabilityZones:
    """``GET /os-availability-zone`` and, for administrators, ``.../detail``.

    :param others: the AZs that aggregates of the centre make
    """

    def __init__(self, *, carrier: Carrier, pods: KnownPods, health: Pulses, others: AggregateZones) -> None:
        self._carrier = carrier
        self._pods = pods
        self._health = health
        self._others = others

    async def index(self, request: Request) -> Answer:
        """All AZs without hosts, those that can be used first, as Nova has it."""
        try:
            others = await self._others.all(request)
        except TricircleError as error:
            LOG.warning("availability zones of aggregates are not listed: %s", error)
            others = OtherZones()
        zones = [_zone(name, up, None) for name, up in await self._zones(others.pods)]
        return Answer.json(200, {"availabilityZoneInfo": zones}, self._carrier.incomplete(request, others.lacking))

    async def detail(self, request: Request) -> Answer:
        """All AZs with the hosts of their pods."""
        fan = await self._carrier.fan_out(request)
        hosts: dict[str, dict[str, object]] = {}
        for pod, reply in fan.replies:
            if reply.status >= 400:
                return await self._carrier.answer(request, pod, reply)
            for zone, members in _hosts(reply).items():
                name = _INTERNAL if zone == _INTERNAL else str(zone_of(pod, zone))
                known = hosts.setdefault(name, {})
                known.update({str(full_name(pod, host)): services for host, services in members.items()})
        shown = [_zone(name, up, hosts.get(name, {}) if up else None) for name, up in await self._zones(hosts)]
        if _INTERNAL in hosts:
            shown.insert(0, _zone(_INTERNAL, True, hosts[_INTERNAL]))
        return Answer.json(200, {"availabilityZoneInfo": shown}, self._carrier.incomplete(request, fan.gaps))

    async def _zones(self, others: Iterable[str]) -> list[tuple[str, bool]]:
        """Names, and whether a pod of the AZ can be used. Others are those that pods have just named."""
        known = {_INTERNAL, *await self._pods.az_names()}
        usable = {name: True for name in others if name not in known}
        for pod in await self._pods.pods():
            if not pod.is_central:
                usable[pod.az_name] = usable.get(pod.az_name, False) or self._is_usable(pod)
        return sorted(usable.items(), key=lambda zone: (not zone[1], zone[0]))

    def _is_usable(self, pod: Pod) -> bool:
        return pod.state is not PodState.DISABLED and self._health.answers(pod, Service.COMPUTE)


def _zone(name: str, is_available: bool, hosts: object) -> dict[str, object]:
    return {"zoneName": name, "zoneState": {"available": is_available}, "hosts": hosts}


def _hosts(reply: Reply) -> dict[str, dict[str, object]]:
    """Hosts by zone, as one pod says."""
    try:
        found = msgspec.convert(reply.json(), _Detail)
    except msgspec.ValidationError as error:
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.") from error
    return {zone.zoneName: zone.hosts or {} for zone in found.availabilityZoneInfo}


class _Zone(msgspec.Struct):
    zoneName: str  # noqa: N815  (Nova's word)
    hosts: dict[str, object] | None = None


class _Detail(msgspec.Struct):
    availabilityZoneInfo: list[_Zone]  # noqa: N815  (Nova's word)
