# SPDX-License-Identifier: Apache-2.0
"""How is a body of block storage shown that comes from a pod? Pure.

Ids of volumes and of what is made of them are the same everywhere. What differs: AZ, volume types (their ids, and names
that had to be others in the pod), the id of the storage service, and names of hosts, which are for administrators.
"""

import re
import uuid
from collections.abc import Iterator, Mapping

from tricircle.copies.image import content as image_content
from tricircle.copies.volume_types import PREFIX, central_name
from tricircle.model.host_names import full_name
from tricircle.model.routing import Kind
from tricircle.road.rewrite import Facts, Item, PodSideId, Shape, zone

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: host@backend#pool, as Cinder writes places. Nothing is looked at twice: pods repeat to us whatever a client said, and
#: in 70,000 letters each could be where a name begins.
_WORD = r"[\w-]++(?:\.[\w-]++)*+"
_PLACE = re.compile(rf"(?<![\w.-])[\w.-]++@{_WORD}(?:#{_WORD})?")


#: Fields of a volume that name a host or a cluster.
_PLACES = ("os-vol-host-attr:host", "cluster_name")


def _collect_volume(item: Item) -> Iterator[PodSideId]:
    if isinstance(type_id := item.get("volume_type_id"), str):
        yield Kind.VOLUME_TYPE, type_id


def _apply_volume(item: Item, facts: Facts) -> Item:
    if "availability_zone" in item:
        item["availability_zone"] = zone(facts.pod, item["availability_zone"])
    if isinstance(name := item.get("volume_type"), str):
        item["volume_type"] = central_name(name)
    if isinstance(type_id := item.get("volume_type_id"), str):
        item["volume_type_id"] = facts.central_id(Kind.VOLUME_TYPE, type_id) or type_id
    if isinstance(service := item.get("service_uuid"), str):
        item["service_uuid"] = hidden_service(facts.pod.id, service)
    for key in _PLACES:
        if key in item and facts.context.is_admin:
            item[key] = full_name(facts.pod, item[key])
        elif key in item:
            del item[key]  # whatever the pod's policy says, hosts are nothing for tenants
    for attachment in _attachments(item):
        # Cinder shows it to services, too: no client of ours is one of a pod's.
        if "host_name" in attachment:
            attachment["host_name"] = full_name(facts.pod, attachment["host_name"]) if facts.context.is_admin else None
    if isinstance(image := item.get("volume_image_metadata"), dict) and isinstance(image.get("image_id"), str):
        image["image_id"] = image_content.central_id(image["image_id"])
    return item


def _attachments(item: Item) -> list[Item]:
    attachments = item.get("attachments")
    return [one for one in attachments if isinstance(one, dict)] if isinstance(attachments, list) else []


def hidden_service(pod_id: str, service_uuid: str) -> str:
    """An id for a pod's storage service: the same for the same service, and none that the pod knows."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{pod_id}/{service_uuid}"))


def _apply_zoned(item: Item, facts: Facts) -> Item:
    for key in ("availability_zone", "zone"):
        if key in item:
            item[key] = zone(facts.pod, item[key])
    return item


def _collect_group(item: Item) -> Iterator[PodSideId]:
    if isinstance(group_type := item.get("group_type"), str):
        yield Kind.GROUP_TYPE, group_type
    types = item.get("volume_types")
    for type_id in types if isinstance(types, list) else []:
        yield Kind.VOLUME_TYPE, str(type_id)


def _apply_group(item: Item, facts: Facts) -> Item:
    if isinstance(group_type := item.get("group_type"), str):
        item["group_type"] = facts.central_id(Kind.GROUP_TYPE, group_type) or group_type
    types = item.get("volume_types")
    if isinstance(types, list):
        item["volume_types"] = [facts.central_id(Kind.VOLUME_TYPE, str(one)) or one for one in types]
    return _apply_zoned(item, facts)


def _collect_group_snapshot(item: Item) -> Iterator[PodSideId]:
    if isinstance(group_type := item.get("group_type_id"), str):
        yield Kind.GROUP_TYPE, group_type


def _apply_group_snapshot(item: Item, facts: Facts) -> Item:
    if isinstance(group_type := item.get("group_type_id"), str):
        item["group_type_id"] = facts.central_id(Kind.GROUP_TYPE, group_type) or group_type
    return item


def _collect_upload(item: Item) -> Iterator[PodSideId]:
    volume_type = item.get("volume_type")
    if isinstance(volume_type, Mapping):
        yield Kind.VOLUME_TYPE, str(volume_type.get("id"))


def _apply_upload(item: Item, facts: Facts) -> Item:
    """An upload tells all about the type, as the pod has it; what tenants may know of it is its id and name."""
    volume_type = item.get("volume_type")
    if isinstance(volume_type, Mapping):
        type_id = str(volume_type.get("id"))
        central_id = facts.central_id(Kind.VOLUME_TYPE, type_id) or type_id
        item["volume_type"] = {
            "id": central_id,
            "name": central_name(str(volume_type.get("name"))),
            "is_public": volume_type.get("is_public"),
        }
    return item


def _apply_message(item: Item, facts: Facts) -> Item:
    if isinstance(text := item.get("user_message"), str):
        item["user_message"] = clean_text(text, facts)
    return item


def _collect_fault(item: Item) -> Iterator[PodSideId]:
    message = item.get("message")
    for found in _UUID.findall(message) if isinstance(message, str) else []:
        yield Kind.VOLUME_TYPE, found


def _apply_fault(item: Item, facts: Facts) -> Item:
    if isinstance(message := item.get("message"), str):
        item["message"] = clean_text(message, facts)
    return item


def clean_text(text: str, facts: Facts) -> str:
    """A pod's text with central ids and names, and for tenants without names of hosts, regions and zones of the pod."""
    text = _UUID.sub(lambda m: facts.central_id(Kind.VOLUME_TYPE, m.group()) or m.group(), text).replace(PREFIX, "")
    if facts.context.is_admin:
        return text
    text = _PLACE.sub("(hidden)", text)
    for name in (facts.pod.name, facts.pod.pod_az_name):
        if name:
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", facts.pod.az_name, text)
    return text


#: A volume, brief or detailed.
VOLUME = Shape(apply=_apply_volume, collect=_collect_volume)
#: A backup, a service: what has a zone of the pod and nothing else.
ZONED = Shape(apply=_apply_zoned)
#: A generic volume group.
GROUP = Shape(apply=_apply_group, collect=_collect_group)
#: A snapshot of one.
GROUP_SNAPSHOT = Shape(apply=_apply_group_snapshot, collect=_collect_group_snapshot)
#: What ``os-volume_upload_image`` answers.
UPLOAD = Shape(apply=_apply_upload, collect=_collect_upload)
#: A message to the user.
MESSAGE = Shape(apply=_apply_message)
#: What an error's body holds.
FAULT = Shape(apply=_apply_fault, collect=_collect_fault)
