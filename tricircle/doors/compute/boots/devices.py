# SPDX-License-Identifier: Apache-2.0
"""Which block devices has a server, by its request and by its image, and which of them must the pod make? Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tricircle.model.device import NewVolume

Device = Mapping[str, object]


def devices(server: Mapping[str, object]) -> list[Device]:
    """The block devices of a boot's ``server``, in either of Nova's notations."""
    for key in ("block_device_mapping_v2", "block_device_mapping"):
        if isinstance(found := server.get(key), list) and found:
            return [device for device in found if isinstance(device, Mapping)]
    return []


def devices_of_image(image: Mapping[str, object]) -> list[Device]:
    """The block devices that an image brings along: JSON in a property. An image of a server with volumes has such.

    >>> devices_of_image({"block_device_mapping": '[{"snapshot_id": "s1"}]'}), devices_of_image({})
    ([{'snapshot_id': 's1'}], [])
    """
    said = image.get("block_device_mapping")
    try:
        found = msgspec.json.decode(said) if isinstance(said, str) else None
    except msgspec.DecodeError:
        return []  # what is wrong with it the pod says
    return [device for device in found if isinstance(device, Mapping)] if isinstance(found, list) else []


def root_image(found: Sequence[Device]) -> str | None:
    """The image that the first disk is made from, where a request has none of its own: its devices count, too."""
    return next((_source(device, "image") for device in found if str(device.get("boot_index")) == "0"), None)


def merged(asked: Sequence[Device], of_image: Sequence[Device]) -> list[Device]:
    """All devices of a server, as Nova merges them: those of the image give way by name, but its first disk stays.

    >>> merged([{"device_name": "vdb", "uuid": "v"}], [{"device_name": "/dev/vdb"}, {"device_name": "/dev/vda"}])
    [{'device_name': 'vdb', 'uuid': 'v'}, {'device_name': '/dev/vda'}]
    """
    if any(str(device.get("boot_index")) == "0" for device in of_image):
        asked = [one for one in asked if str(one.get("boot_index")) != "0" or one.get("source_type") != "image"]
    names = {_name(device) for device in asked} - {""}
    return [*asked, *(device for device in of_image if _name(device) not in names)]


def sources(found: Sequence[Device], kind: str) -> Iterator[str]:
    """Ids of one kind that block devices are made from, in both notations."""
    for device in found:
        if identifier := _source(device, kind):
            yield identifier


def new_volumes(found: Sequence[Device], type_names: Mapping[str, str]) -> list[NewVolume]:
    """The volumes that a pod makes for one server with these devices.

    :param type_names: names of volume types by what the devices call them

    >>> new_volumes([{"snapshot_id": "s1"}, {"volume_id": "v1"}], {})
    [NewVolume(size_gib=0, type_name=None, snapshot_id='s1', image_id=None)]
    """
    return [
        NewVolume(
            size_gib=_size(device.get("volume_size")),
            type_name=type_names.get(str(device.get("volume_type"))),
            snapshot_id=_source(device, "snapshot"),
            image_id=_source(device, "image"),
        )
        for device in found
        if _makes_volume(device)
    ]


def _name(device: Device) -> str:
    return str(device.get("device_name") or "").removeprefix("/dev/")


def _makes_volume(device: Device) -> bool:
    if device.get("no_device"):
        return False
    if _source(device, "snapshot"):
        return device.get("destination_type") != "local"
    return device.get("source_type") in ("image", "blank") and device.get("destination_type") == "volume"


def _source(device: Device, kind: str) -> str | None:
    if device.get("source_type") == kind and isinstance(uuid := device.get("uuid"), str) and uuid:
        return uuid
    identifier = device.get(f"{kind}_id")
    return identifier if isinstance(identifier, str) and identifier else None


def _size(value: object) -> int:
    # Python refuses to read numbers of thousands of digits.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
