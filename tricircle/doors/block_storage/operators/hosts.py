# SPDX-License-Identifier: Apache-2.0
"""Which pod does the name of a storage host or cluster mean, and what are hosts called to administrators? See 0030.

Hosts of two pods may bear one name. So what an administrator is shown has the pod's name in front
(``Pod1.storage@lvm#pool``), and such a name is understood wherever a host is named. One without a pod is understood too
as long as a single pod has such a host.
"""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from tricircle.copies.bodies import rows
from tricircle.errors import InvalidRequestError, UnavailableError
from tricircle.http.message import Request
from tricircle.model.host_names import full_name, name_in, pod_named
from tricircle.model.pod import Pod, PodState, Service
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import DISABLED, Gap
from tricircle.road.listing import Query
from tricircle.road.rewrite import Facts, Item, Shape, zone

#: Fields of answers, and of queries, that name a host or a cluster.
_FIELDS = ("host", "host_name", "cluster", "cluster_name", "os-vol-host-attr:host")
#: No host, and no cluster, has a longer name: Cinder refuses it.
_LONGEST = 255
_NOBODY = "No availability zone answers at the moment."
_UNKNOWABLE = (
    "It cannot be known now which host is meant, because an availability zone does not answer. Name the host with its "
    "pod, as lists show it."
)


def adapting(*parameters: str) -> Callable[[Query, Pod], Query]:
    """How a pod is asked for a list that is filtered by host: with its own names in these parameters.

    A name with another pod in front stays: there is no host of such a name.
    """

    def adapt(query: Query, pod: Pod) -> Query:
        return [(key, name_in(pod, value) if key in parameters else value) for key, value in query]

    return adapt


def show(item: Item, pod: Pod) -> Item:
    """The item with every host and cluster in it named with its pod."""
    for key in _FIELDS:
        if key in item:
            item[key] = full_name(pod, item[key])
    return item


def _apply_service(item: Item, facts: Facts) -> Item:
    item = show(item, facts.pod)
    if "zone" in item:
        item["zone"] = zone(facts.pod, item["zone"])
    return item


def _apply_named(item: Item, facts: Facts) -> Item:
    if "name" in item:
        item["name"] = full_name(facts.pod, item["name"])
    return item


def _apply_usage(item: Item, facts: Facts) -> Item:
    usage = item.get("resource")
    if isinstance(usage, dict):
        item["resource"] = show(usage, facts.pod)
    return item


#: A service or host in a list.
SERVICE = Shape(apply=_apply_service)
#: A pool or a cluster.
NAMED = Shape(apply=_apply_named)
#: One project's use of a host.
USAGE = Shape(apply=_apply_usage)


class Hosts:
    """Finds the pod of a host."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    async def find(self, request: Request, name: str, *, is_cluster: bool = False) -> tuple[Pod, str]:
        """The pod that a host or cluster is in, and its name there.

        A name that nobody has goes to the first pod: it refuses in Cinder's words, as it does whom it does not obey.

        :raises InvalidRequestError: several pods have a host of this name
        :raises UnavailableError: a pod that might have it does not answer
        """
        members = await self._members()
        if (pod := pod_named(members, name)) is not None:
            if pod.state is PodState.DISABLED:
                raise self._carrier.unknowable(request, [Gap(pod, DISABLED)], _NOBODY)
            return pod, name_in(pod, name)
        pods = await self.pods()
        if len(members) == 1 or len(name) > _LONGEST:
            return pods[0], name
        holders = await self._holders(request, name, members, is_cluster=is_cluster)
        if len(holders) > 1:
            names = ", ".join(str(full_name(pod, name)) for pod in holders)
            raise InvalidRequestError(f"Invalid input received: there are several hosts {name}; name one of {names}.")
        return (holders or pods)[0], name

    async def pods(self) -> Sequence[Pod]:
        """The pods that have storage. :raises UnavailableError: there are none"""
        pods = [pod for pod in await self._members() if pod.state is not PodState.DISABLED]
        if not pods:
            raise UnavailableError(_NOBODY)
        return pods

    async def _members(self) -> Sequence[Pod]:
        """Those that are switched off too."""
        return [pod for pod in await self._carrier.members() if Service.BLOCK_STORAGE in pod.endpoints]

    async def _holders(self, request: Request, name: str, pods: Sequence[Pod], *, is_cluster: bool) -> list[Pod]:
        if is_cluster:
            path, collection, asked = "/clusters", "clusters", {"name": name}
        else:
            # Services are per backend: pools are not among them.
            path, collection, asked = "/os-services", "services", {"host": name.partition("#")[0]}
        fan = await self._carrier.fan_out(request, path=path, query=urlencode(asked).encode(), pods=pods)
        if fan.gaps:
            raise self._carrier.unknowable(request, fan.gaps, _UNKNOWABLE)
        return [pod for pod, reply in fan.replies if reply.status == 200 and rows(reply.json(), collection)]
