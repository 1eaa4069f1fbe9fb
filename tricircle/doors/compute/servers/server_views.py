# SPDX-License-Identifier: Apache-2.0
"""How is a server's body shown that comes from a pod? Pure.

Ids of servers, volumes and images are the same everywhere; links are rewritten as bytes by the road. What differs:
AZ, ``hostId``, flavors that had to take another name in the pod, ids of ports, networks, subnets and server groups,
and the ``default`` security group, of which every pod has one of its own, so that ours bears another name there.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from tricircle.copies.flavor_content import PREFIX, central_id, central_name
from tricircle.copies.image import content as image_content
from tricircle.copies.volume_types import central_name as type_name
from tricircle.doors.compute.boots.host_queries import seen_query
from tricircle.doors.compute.operators.operator_views import host_for
from tricircle.doors.compute.zones import pinned_to, zone_of
from tricircle.model.routing import ASKED_AZ, Kind
from tricircle.road.rewrite import Facts, Item, PodSideId, Shape, host_id

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DEFAULT_GROUP = re.compile(r"tricircle-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
#: Where texts of Nova name a host; the name is the first group.
_HOSTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=Compute host )(\S+)(?= could not be found)",
        r"(?<=Compute service of )(\S+)(?= is )",
        r"(?<=on host )([\w.-]*\w)",
        r"(?<=[Hh]ost ')([^']+)(?=')",
        r"(?<=[Hh]ost: )([\w.-]*\w)",
    )
)
#: How a pod calls a flavor that had to take another name there.
_DISTINCT_FLAVOR = re.compile(rf"(?<=Flavor ){re.escape(PREFIX)}")
#: Servers that one call made have one reservation, though the pod made them one by one (``launches.py``).
_RESERVATION = "OS-EXT-SRV-ATTR:reservation_id"
#: Kinds whose ids differ between pod and centre and stand in texts.
TEXT_KINDS = (Kind.PORT, Kind.NETWORK, Kind.SUBNET, Kind.SECURITY_GROUP, Kind.SERVER_GROUP)


def group_name(pod_group_name: object) -> object:
    """A security group's name as its owner knows it.

    >>> group_name("tricircle-0f2a9f2e-31a5-4a5f-9c0b-0d3f9bb0a001"), group_name("web")
    ('default', 'web')
    """
    is_ours = isinstance(pod_group_name, str) and _DEFAULT_GROUP.match(pod_group_name)
    return "default" if is_ours else pod_group_name


def ids_in(text: object) -> Iterator[str]:
    """UUIDs in a text."""
    return (match.group() for match in _UUID.finditer(text)) if isinstance(text, str) else iter(())


def collect_text(text: object) -> Iterator[PodSideId]:
    """Everything that ids in a text may mean."""
    return ((kind, found) for found in ids_in(text) for kind in TEXT_KINDS)


def clean_text(text: str, facts: Facts) -> str:
    """A pod's text with central ids, and for tenants without names of hosts, regions and zones of the pod."""

    def central(match: re.Match[str]) -> str:
        for kind in TEXT_KINDS:
            if (found := facts.central_id(kind, match.group())) is not None:
                return found
        return match.group()

    text = _DISTINCT_FLAVOR.sub("", _UUID.sub(central, text))
    if facts.context.is_admin:
        return text
    for pattern in _HOSTS:
        text = pattern.sub("(hidden)", text)
    for name in (facts.pod.name, facts.pod.pod_az_name):
        if name:
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?!\.?[\w-])", facts.pod.az_name, text)
    return text


def _collect_server(item: Item) -> Iterator[PodSideId]:
    if "pinned_availability_zone" in item or _RESERVATION in item:
        yield Kind.SERVER, str(item.get("id"))
    for group_id in _texts(item.get("server_groups")):
        yield Kind.SERVER_GROUP, group_id
    if isinstance(hints := item.get("scheduler_hints"), Mapping):
        if "query" in hints:
            yield Kind.SERVER, str(item.get("id"))
        for group_id in _texts(hints.get("group")):
            yield Kind.SERVER_GROUP, group_id
    if isinstance(fault := item.get("fault"), Mapping):
        yield from collect_text(fault.get("message"))


def _apply_server(item: Item, facts: Facts) -> Item:
    for key, change in _SERVER_FIELDS.items():
        if key in item:
            item[key] = change(item[key], facts)
    if "pinned_availability_zone" in item:
        item["pinned_availability_zone"] = _pinned(item, facts)
    if isinstance(hints := item.get("scheduler_hints"), dict) and "query" in hints:
        item["scheduler_hints"] = {**hints, "query": _query(item, hints["query"], facts)}
    if _RESERVATION in item:
        routing = facts.ids.get((Kind.SERVER, str(item.get("id"))))
        item[_RESERVATION] = (routing.details.get("reservation_id") if routing else None) or item[_RESERVATION]
    return item


def _query(item: Item, query: object, facts: Facts) -> object:
    routing = facts.ids.get((Kind.SERVER, str(item.get("id"))))
    details, is_admin = {} if routing is None else routing.details, facts.context.is_admin
    if isinstance(query, list):
        return [seen_query(one, facts.pod, details, is_admin=is_admin) for one in query]
    return seen_query(query, facts.pod, details, is_admin=is_admin)


def _pinned(item: Item, facts: Facts) -> object:
    """The AZ that the user asked for. The pod may have been given none, since the AZ is the whole pod."""
    routing = facts.ids.get((Kind.SERVER, str(item.get("id"))))
    asked = routing.details.get(ASKED_AZ) if routing is not None else None
    return pinned_to(facts.pod, asked, item["pinned_availability_zone"])


def _flavor(flavor: object, _facts: Facts) -> object:
    if not isinstance(flavor, dict):
        return flavor
    if isinstance(pod_id := flavor.get("id"), str):
        flavor["id"] = central_id(pod_id)
        if flavor["id"] != pod_id and isinstance(links := flavor.get("links"), list):
            flavor["links"] = [_renamed(link, pod_id, str(flavor["id"])) for link in links]
    if isinstance(name := flavor.get("original_name"), str):
        flavor["original_name"] = central_name(name)
    return flavor


def _image(image: object, _facts: Facts) -> object:
    if isinstance(image, dict) and isinstance(pod_id := image.get("id"), str):
        image["id"] = image_content.central_id(pod_id)
        if image["id"] != pod_id and isinstance(links := image.get("links"), list):
            image["links"] = [_renamed(link, pod_id, str(image["id"])) for link in links]
    return image


def _renamed(link: object, old: str, new: str) -> object:
    if isinstance(link, dict) and isinstance(href := link.get("href"), str):
        return {**link, "href": href.removesuffix(old) + new}
    return link


def _groups(groups: object, _facts: Facts) -> object:
    if not isinstance(groups, list):
        return groups
    return [{**group, "name": group_name(group.get("name"))} if isinstance(group, dict) else group for group in groups]


def _server_groups(group_ids: object, facts: Facts) -> object:
    if not isinstance(group_ids, list):
        return group_ids
    return [facts.central_id(Kind.SERVER_GROUP, str(group_id)) or group_id for group_id in group_ids]


def _hints(hints: object, facts: Facts) -> object:
    if not isinstance(hints, dict) or "group" not in hints:
        return hints
    group = hints["group"]
    if isinstance(group, list):
        return {**hints, "group": _server_groups(group, facts)}
    return {**hints, "group": facts.central_id(Kind.SERVER_GROUP, str(group)) or group}


def _fault(fault: object, facts: Facts) -> object:
    if isinstance(fault, dict) and isinstance(message := fault.get("message"), str):
        return {**fault, "message": clean_text(message, facts)}
    return fault


_SERVER_FIELDS: Mapping[str, Callable[[object, Facts], object]] = {
    "OS-EXT-AZ:availability_zone": lambda value, facts: zone_of(facts.pod, value),
    "OS-EXT-SRV-ATTR:host": lambda value, facts: host_for(facts, value),
    "OS-EXT-SRV-ATTR:hypervisor_hostname": lambda value, facts: host_for(facts, value),
    "hostId": lambda value, facts: host_id(facts.pod.id, value),
    "flavor": _flavor,
    "image": _image,
    "security_groups": _groups,
    "server_groups": _server_groups,
    "scheduler_hints": _hints,
    "fault": _fault,
}


def _collect_interface(item: Item) -> Iterator[PodSideId]:
    yield Kind.PORT, str(item.get("port_id"))
    yield Kind.NETWORK, str(item.get("net_id"))
    for address in _addresses(item):
        yield Kind.SUBNET, str(address.get("subnet_id"))


def _apply_interface(item: Item, facts: Facts) -> Item:
    for key, kind in (("port_id", Kind.PORT), ("net_id", Kind.NETWORK)):
        if isinstance(pod_id := item.get(key), str):
            item[key] = facts.central_id(kind, pod_id) or pod_id
    for address in _addresses(item):
        if isinstance(subnet_id := address.get("subnet_id"), str):
            address["subnet_id"] = facts.central_id(Kind.SUBNET, subnet_id) or subnet_id
    return item


def _addresses(item: Item) -> Iterable[Item]:
    addresses = item.get("fixed_ips")
    return [address for address in addresses if isinstance(address, dict)] if isinstance(addresses, list) else []


def _collect_instance_action(item: Item) -> Iterator[PodSideId]:
    yield from collect_text(item.get("message"))
    for event in _events(item):
        yield from collect_text(event.get("details"))


def _apply_instance_action(item: Item, facts: Facts) -> Item:
    if isinstance(message := item.get("message"), str):
        item["message"] = clean_text(message, facts)
    for event in _events(item):
        if "hostId" in event:
            event["hostId"] = host_id(facts.pod.id, event["hostId"])
        if "host" in event:
            event["host"] = host_for(facts, event["host"])
        if isinstance(details := event.get("details"), str):
            event["details"] = clean_text(details, facts)
    return item


def _events(item: Item) -> list[Item]:
    events = item.get("events")
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def _apply_proxied_volume(item: Item, facts: Facts) -> Item:
    if isinstance(name := item.get("volumeType"), str):
        item["volumeType"] = type_name(name)
    if "availabilityZone" in item:
        item["availabilityZone"] = zone_of(facts.pod, item["availabilityZone"])
    return item


def _collect_fault(item: Item) -> Iterator[PodSideId]:
    return collect_text(item.get("message"))


def _apply_fault(item: Item, facts: Facts) -> Item:
    if isinstance(message := item.get("message"), str):
        item["message"] = clean_text(message, facts)
    return item


def _texts(value: object) -> Iterator[str]:
    members = value if isinstance(value, list) else [value]
    return (member for member in members if isinstance(member, str))


#: A server, brief or detailed.
SERVER = Shape(apply=_apply_server, collect=_collect_server)
#: One entry of ``os-interface``.
INTERFACE = Shape(apply=_apply_interface, collect=_collect_interface)
#: What an error's body holds.
FAULT = Shape(apply=_apply_fault, collect=_collect_fault)
#: One entry of ``os-instance-actions``.
INSTANCE_ACTION = Shape(apply=_apply_instance_action, collect=_collect_instance_action)
#: A volume as the compute API shows it, up to 2.35.
PROXIED_VOLUME = Shape(apply=_apply_proxied_volume)
