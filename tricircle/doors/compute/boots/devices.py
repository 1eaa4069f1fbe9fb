# SPDX-License-Identifier: Apache-2.0
"""Which block devices does a boot name, and which of them are volumes that the pod has to make? Pure."""

from collections.abc import Iterator, Mapping, Sequence

from tricircle.model.device import NewVolume

Device = Mapping[str, object]


def devices(server: Mapping[str, object]) -> list[Device]:
    """The block devices of a boot's ``server``, in either of Nova's notations."""
    for key in ("block_device_mapping_v2", "block_device_mapping"):
        if isinstance(found := server.get(key), list) and found:
            return [device for device in found if isinstance(device, Mapping)]
    return []


def sources(found: Sequence[Device], kind: str) -> Iterator[str]:
    """Ids of one kind that block devices are made from, in both notations."""
    for device in found:
        if identifier := _source(device, kind):
            yield identifier


def new_volumes(server: Mapping[str, object], type_names: Mapping[str, str]) -> list[NewVolume]:
    """The volumes that a pod makes for one such server.

    :param type_names: names of volume types by what the request calls them

    >>> new_volumes({"block_device_mapping": [{"snapshot_id": "s1"}, {"volume_id": "v1"}]}, {})
    [NewVolume(size_gib=0, type_name=None, snapshot_id='s1', image_id=None)]
    """
    return [
        NewVolume(
            size_gib=_size(device.get("volume_size")),
            type_name=type_names.get(str(device.get("volume_type"))),
            snapshot_id=_source(device, "snapshot"),
            image_id=_source(device, "image"),
        )
        for device in devices(server)
        if _makes_volume(device)
    ]


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
