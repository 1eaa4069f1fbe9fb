# SPDX-License-Identifier: Apache-2.0
"""What does the body of ``POST /servers`` ask for, and what must a pod be sent instead? Pure.

The rehearsal (``rehearsal.py``) has already had the body checked by Nova itself; the reading here is only careful,
not strict.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit

from tricircle.context import PodId
from tricircle.doors.compute.boots.devices import Device, devices, devices_of_image, merged, root_image, sources
from tricircle.doors.compute.boots.host_queries import in_pod, text_of
from tricircle.errors import ConflictError, InvalidRequestError
from tricircle.model.pod import Pod

#: From here on a block device may name its volume's type.
_TYPES_VERSION = (2, 67)
_TYPE_UNNAMED = (
    "The volume type that the image asks for is called otherwise in the availability zone. Name it in the block "
    "device, at microversion 2.67 or later."
)
_HINT_KEYS = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")


class Networking(StrEnum):
    """Which of Nova's four ways of choosing networks a boot uses."""

    LISTED = "listed"  # networks and ports are named
    UNNAMED = "unnamed"  # nothing said: the only network that the project sees, or none
    AUTO = "auto"  # as UNNAMED, and the network service makes one when there is none
    NONE = "none"  # no network at all


@dataclass(frozen=True, slots=True, kw_only=True)
class NicWish:
    """One entry of ``networks``: a port of the user's, or a network (with an address of the user's choice)."""

    port_id: str | None = None
    network_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """``availability_zone`` taken apart as Nova does: ``az``, ``az:host``, ``az:host:node``, ``az::node``.

    :ivar pod_zone: what pods call it, when an aggregate of the centre makes this AZ; None: pods are the AZ
    """

    name: str | None = None
    host: str = ""
    node: str = ""
    pod_zone: str | None = None

    @classmethod
    def parse(cls, text: str | None) -> "Zone":
        """:raises InvalidRequestError: for more than two colons

        >>> Zone.parse("az1::node")
        Zone(name='az1', host='', node='node', pod_zone=None)
        """
        if not text or not text.strip():
            return cls()
        parts = text.strip().split(":")
        if len(parts) > 3:
            raise InvalidRequestError("Invalid input received: Unable to parse availability_zone")
        name, host, node = (*parts, "", "")[:3]
        return cls(name=name or None, host=host, node=node)

    def at(self, pod_zone: str) -> str | None:
        """What the pod is given: its own zone's name (``""`` = none) with the host that was forced; None for
        nothing."""
        pod_zone = self.pod_zone or pod_zone
        if self.node:
            return f"{pod_zone}:{self.host}:{self.node}"
        if self.host:
            return f"{pod_zone}:{self.host}"
        return pod_zone or None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRequest:
    """What a boot asks for.

    :ivar document: the whole body; never changed
    :ivar group_names: names or ids of security groups as asked, in order; None when nothing was asked
    :ivar devices: its block devices, in either notation; those of its image, too, once it is known (``with_image``)
    :ivar server_group_id: the ``group`` scheduler hint
    :ivar near_server_ids: servers in whose pod the new one must be (``same_host``)
    :ivar apart_server_ids: servers whose pods are better avoided (``different_host``)
    :ivar host_query: the ``query`` hint, read, when it may name hosts of pods (``places.py``)
    :ivar shown_query: the same as it is shown to others than administrators
    :ivar within: the pods that the AZ or a named host leaves; None: neither says (``places.py``)
    """

    document: Mapping[str, object] = field(repr=False)
    server: Mapping[str, object] = field(repr=False)
    name: str
    flavor_id: str
    image_id: str | None
    key_name: str | None
    zone: Zone
    networking: Networking
    nics: tuple[NicWish, ...]
    group_names: tuple[str, ...] | None
    devices: tuple[Device, ...] = ()
    server_group_id: str | None = None
    near_server_ids: tuple[str, ...] = ()
    apart_server_ids: tuple[str, ...] = ()
    host_query: Sequence[object] | None = None
    shown_query: object = None
    within: frozenset[PodId] | None = None
    min_count: int = 1
    max_count: int = 1
    wants_reservation_id: bool = False

    @property
    def volume_ids(self) -> tuple[str, ...]:
        """Volumes that the server gets."""
        return tuple(sources(self.devices, "volume"))

    @property
    def snapshot_ids(self) -> tuple[str, ...]:
        """Snapshots that its volumes are made from."""
        return tuple(sources(self.devices, "snapshot"))

    @property
    def device_image_ids(self) -> tuple[str, ...]:
        """Images that its block devices are made from."""
        return tuple(sources(self.devices, "image"))

    @property
    def volume_types(self) -> tuple[str, ...]:
        """What its block devices call their volume types."""
        return tuple(dict.fromkeys(str(one["volume_type"]) for one in self.devices if one.get("volume_type")))

    def with_image(self, images: Mapping[str, Mapping[str, object]]) -> "BootRequest":
        """The same with the block devices that the image which it boots from brings along.

        :param images: at least that one, by id
        """
        booted = self.image_id or root_image(self.devices)
        more = devices_of_image(images.get(booted or "", {}))
        return replace(self, devices=tuple(merged(self.devices, more))) if more else self


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNaming:
    """What names of the request are called in the chosen pod.

    :ivar networks: value for the pod's ``networks``; None leaves the key out
    :ivar zone: value for ``availability_zone``; None leaves it out
    :ivar images: ids in the pod by what the request calls them, where they differ
    :ivar image_types: by image, what the type that it wants is called there, where its own word means another
    :ivar name: the server's name, when it differs from what was asked (several servers by one call)
    :ivar hints: values of scheduler hints, where they differ
    """

    flavor_id: str
    networks: Sequence[Mapping[str, object]] | str | None
    zone: str | None
    name: str | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    volume_types: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    image_types: Mapping[str, str] = field(default_factory=dict)


def parse(document: Mapping[str, object]) -> BootRequest:
    """Read a body that passed the rehearsal. :raises InvalidRequestError: for what only we look at"""
    server = document.get("server")
    if not isinstance(server, Mapping):
        raise InvalidRequestError("'server' is a required property")
    networking, nics = _networks(server.get("networks"))
    hints = hints_of(document)
    min_count = _count(server.get("min_count"), 1)
    return BootRequest(
        document=document,
        server=server,
        name=str(server.get("name", "")).strip(),
        flavor_id=urlsplit(str(server.get("flavorRef", ""))).path.rsplit("/", 1)[-1],
        image_id=_text(server.get("imageRef")),
        key_name=_text(server.get("key_name")),
        zone=Zone.parse(_text(server.get("availability_zone"))),
        networking=networking,
        nics=nics,
        group_names=_group_names(server.get("security_groups")),
        devices=tuple(devices(server)),
        server_group_id=next(iter(_texts(hints.get("group"))), None),
        near_server_ids=tuple(_texts(hints.get("same_host"))),
        apart_server_ids=tuple(_texts(hints.get("different_host"))),
        min_count=min_count,
        max_count=_count(server.get("max_count"), min_count),
        wants_reservation_id=bool(server.get("return_reservation_id", False)),
    )


def pod_document(request: BootRequest, naming: PodNaming, version: tuple[int, int] | None = None) -> dict[str, object]:
    """The body for the pod: the user's, with what is named differently there.

    Security groups are left out: the ports carry them, and a pod looks for names among its own.

    :raises ConflictError: an image wants a type that is called otherwise there, which cannot be said in ``version``
    """
    unsaid = naming.image_types.keys() - {str(one.get("uuid")) for one in devices(request.server)}
    if unsaid or (naming.image_types and (version or (2, 0)) < _TYPES_VERSION):
        raise ConflictError(_TYPE_UNNAMED)
    dropped = {"security_groups", "networks", "availability_zone", "min_count", "max_count", "return_reservation_id"}
    server: dict[str, object] = {key: value for key, value in request.server.items() if key not in dropped}
    server["flavorRef"] = naming.flavor_id
    if naming.networks is not None:
        server["networks"] = naming.networks
    if naming.zone is not None:
        server["availability_zone"] = naming.zone
    if naming.name is not None:
        server["name"] = naming.name
    if isinstance(image := server.get("imageRef"), str):
        server["imageRef"] = naming.images.get(image, image)
    if naming.volume_types or naming.images or naming.image_types:
        server["block_device_mapping_v2"] = [_renamed(device, naming) for device in devices(server)]
    document = {key: value for key, value in request.document.items() if key != "server"}
    document["server"] = server
    for key in _HINT_KEYS:
        if isinstance(hints := document.get(key), Mapping):
            document[key] = {name: naming.hints.get(name, value) for name, value in hints.items()}
    return document


def _networks(value: object) -> tuple[Networking, tuple[NicWish, ...]]:
    if isinstance(value, str):
        return (Networking.NONE if value == "none" else Networking.AUTO), ()
    if not isinstance(value, list) or not value:
        return Networking.UNNAMED, ()
    return Networking.LISTED, tuple(_nic(entry) for entry in value if isinstance(entry, Mapping))


def _nic(entry: Mapping[str, object]) -> NicWish:
    port_id = _text(entry.get("port"))
    return NicWish(
        port_id=port_id,
        network_id=None if port_id else network_id(_text(entry.get("uuid"))),
        fixed_ip=_text(entry.get("fixed_ip")),
        tag=_text(entry.get("tag")),
    )


def network_id(text: str | None) -> str | None:
    """A network's id as Nova takes it: an old client may send ``br-<id>``.

    >>> network_id("br-c0ffee")
    'c0ffee'
    """
    return text.removeprefix("br-") if text else text


def _renamed(device: Mapping[str, object], naming: PodNaming) -> Mapping[str, object]:
    made = dict(device)
    if isinstance(volume_type := device.get("volume_type"), str) and volume_type in naming.volume_types:
        made["volume_type"] = naming.volume_types[volume_type]
    if device.get("source_type") == "image" and isinstance(image := device.get("uuid"), str):
        made["uuid"] = naming.images.get(image, image)
        if device.get("destination_type") == "volume" and not device.get("volume_type") and image in naming.image_types:
            made["volume_type"] = naming.image_types[image]
    return made


def _group_names(value: object) -> tuple[str, ...] | None:
    """As Nova: without those that have no name, each once. None: nothing was asked."""
    if not isinstance(value, list):
        return None
    names = [str(entry["name"]) for entry in value if isinstance(entry, Mapping) and entry.get("name")]
    return tuple(dict.fromkeys(names))


def hints_in(pod: Pod, request: BootRequest, server_group_id: str | None) -> dict[str, str]:
    """The scheduler hints that are others in a pod.

    :param server_group_id: of the group's copy
    """
    hints = {} if server_group_id is None else {"group": server_group_id}
    if request.host_query is not None:
        hints["query"] = text_of(in_pod(request.host_query, pod))
    return hints


def hints_of(document: Mapping[str, object]) -> Mapping[str, object]:
    """The scheduler hints of a body, under either name."""
    for key in _HINT_KEYS:
        if isinstance(hints := document.get(key), Mapping):
            return hints
    return {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> Iterator[str]:
    members = value if isinstance(value, list) else [value]
    yield from (member for member in members if isinstance(member, str) and member)


def _count(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | str) and not isinstance(value, bool) else default
