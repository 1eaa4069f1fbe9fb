# SPDX-License-Identifier: Apache-2.0
"""How does what a pod said become what we say? Pure: bytes and records in, bytes and records out."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.context import RequestContext
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

#: One resource as a pod's JSON has it, decoded.
Item = dict[str, object]
#: Names one copy in a pod: its kind and its id there.
PodSideId = tuple[Kind, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What may be needed to make an item ours.

    :ivar pod: where the item comes from
    :ivar ids: routings of the copies that the shape's ``collect`` named, by their pod-side id; what we did not make is
        missing
    :ivar known: what the shape's ``prepare`` returned
    """

    pod: Pod
    context: RequestContext
    ids: Mapping[PodSideId, Routing] = field(default_factory=dict)
    known: object = None

    def central_id(self, kind: Kind, pod_side_id: str) -> str | None:
        """The central id of a copy, or None when the object in the pod is not a copy of ours."""
        routing = self.ids.get((kind, pod_side_id))
        return None if routing is None else routing.central_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How items of one kind that come from a pod are made ours. Links need no shape: they are rewritten as bytes.

    :ivar apply: item and facts -> the item as users see it; may change the item in place and return it
    :ivar collect: which pod-side ids of copies stand in an item; looked up for all items of an answer at once
    :ivar prepare: anything else that must be looked up for all items of one pod's answer at once (network names from
        the centre, ...); its result is ``facts.known``
    """

    apply: Callable[[Item, Facts], Item]
    collect: Callable[[Item], Iterable[PodSideId]] | None = None
    prepare: Callable[[Pod, RequestContext, Sequence[Item]], Awaitable[object]] | None = None


def items_of(body: Mapping[str, object], *, singular: str | None, collection: str | None) -> list[Item]:
    """The items in a decoded answer: those under ``collection``, or the one under ``singular``; none when the key is
    missing.

    >>> items_of({"server": {"id": "a"}}, singular="server", collection=None)
    [{'id': 'a'}]
    """
    if collection is not None and isinstance(members := body.get(collection), list):
        return [member for member in members if isinstance(member, dict)]
    if singular is not None and isinstance(one := body.get(singular), dict):
        return [one]
    return []


def shaped(
    body: Mapping[str, object], facts: Facts, shape: Shape, *, singular: str | None, collection: str | None
) -> dict[str, object]:
    """A decoded answer with every item made ours; other keys stay as they are."""
    made = dict(body)
    if collection is not None and isinstance(members := made.get(collection), list):
        made[collection] = [shape.apply(member, facts) if isinstance(member, dict) else member for member in members]
    elif singular is not None and isinstance(one := made.get(singular), dict):
        made[singular] = shape.apply(one, facts)
    return made


def host_id(pod_id: str, pod_host_id: object) -> object:
    """A ``hostId`` that differs between pods whose hosts bear one name (Nova hashes only project and host name).

    Anything but a non-empty text stays as it is: a server without a host has an empty one.
    """
    if not isinstance(pod_host_id, str) or not pod_host_id:
        return pod_host_id
    return hashlib.sha224((pod_id + pod_host_id).encode()).hexdigest()


def zone(pod: Pod, pod_zone: object) -> object:
    """The AZ that users see for what lives in ``pod``; empty and null stay, since a resource without a host has no
    AZ."""
    return pod.az_name if isinstance(pod_zone, str) and pod_zone else pod_zone


def unshaped(body: Mapping[str, object], pod: Pod) -> dict[str, object]:
    """What no shape knows, with every AZ and every ``hostId`` made ours, wherever in it they stand.

    Flavors and copies in it keep their pod-side names: which fields hold them, only a shape can tell.
    """
    return {key: _of_field(key, value, pod) for key, value in body.items()}


def _of_field(key: str, value: object, pod: Pod) -> object:
    if key in ("hostId", "host_id"):
        return host_id(pod.id, value)
    if key.endswith("availability_zone") or key == "zoneName":
        return zone(pod, value)
    if isinstance(value, list):
        return [_of_field("", member, pod) for member in value]
    return unshaped(value, pod) if isinstance(value, dict) else value
