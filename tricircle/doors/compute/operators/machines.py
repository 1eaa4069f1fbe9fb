# SPDX-License-Identifier: Apache-2.0
"""Which pod has the machine that an administrator names? See ``docs/decisions/0029-hosts.md``.

A full name (``<pod>.<host>``) says it. A plain one is looked for in all pods and must be in one of them only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tricircle.errors import InvalidRequestError
from tricircle.http.message import Request
from tricircle.model.host_names import full_name, name_in, pod_named
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.fan_out import FanOut

_UNKNOWABLE = "It cannot be known now whether this host exists, because an availability zone does not answer."


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine: its pod, and its name there."""

    pod: Pod
    name: str


class Machines:
    """Finds machines by name."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def find(self, request: Request, name: str) -> Machine | None:
        """The machine; None when no pod has one of that name. Whether a full name's pod has it, the pod says.

        :raises InvalidRequestError: several pods have one of that name; the text says how to name each
        :raises UnavailableError: a pod that might have it does not answer
        """
        pod = pod_named(await self._carrier.pods(), name)
        if pod is not None:
            return Machine(pod, name_in(pod, name))
        fan = await self._carrier.fan_out(request, path="/os-services", query=urlencode({"host": name}).encode())
        found = [pod for pod, hosts in hosts_of(fan, "services", "host") if name in hosts]
        return self._only(request, found, fan, name)

    async def find_node(self, request: Request, name: str) -> Machine | None:
        """As ``find``, by the name of a hypervisor."""
        pod = pod_named(await self._carrier.pods(), name)
        if pod is not None:
            return Machine(pod, name_in(pod, name))
        fan = await self._carrier.fan_out(request, path="/os-hypervisors", query=b"")
        found = [pod for pod, nodes in hosts_of(fan, "hypervisors", "hypervisor_hostname") if name in nodes]
        return self._only(request, found, fan, name)

    def _only(self, request: Request, found: list[Pod], fan: FanOut, name: str) -> Machine | None:
        if len(found) > 1:
            names = ", ".join(sorted(str(full_name(pod, name)) for pod in found))
            text = f"There are several hosts named {name}. Name one of them as it is listed: {names}."
            raise InvalidRequestError(text)
        if found:
            return Machine(found[0], name)
        if fan.gaps:
            raise self._carrier.unknowable(request, fan.gaps, _UNKNOWABLE)
        return None


def hosts_of(fan: FanOut, collection: str, key: str) -> list[tuple[Pod, frozenset[str]]]:
    """Names by pod, as lists of all pods have them."""
    return [
        (pod, frozenset(str(item.get(key)) for item in items_in(reply.json(), collection)))
        for pod, reply in fan.replies
        if reply.status == 200
    ]


def items_in(body: Mapping[str, object], collection: str) -> list[dict[str, object]]:
    """The objects of a list in a pod's answer."""
    members = body.get(collection)
    return [member for member in members if isinstance(member, dict)] if isinstance(members, list) else []
