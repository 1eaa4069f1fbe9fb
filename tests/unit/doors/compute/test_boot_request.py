# SPDX-License-Identifier: Apache-2.0
"""Is the body of a boot read as Nova reads it, and passed on whole?"""

from typing import Any

import msgspec
import pytest

from tricircle.doors.compute.boots.boot_request import Networking, NicWish, PodNaming, Zone, parse, pod_document
from tricircle.doors.compute.boots.devices import new_volumes
from tricircle.errors import InvalidRequestError
from tricircle.model.device import NewVolume


def body(**fields: Any) -> dict[str, Any]:
    return {"server": {"name": " vm1 ", "flavorRef": "http://x/flavors/m1?a=b", "imageRef": "i", **fields}}


@pytest.mark.parametrize(
    ("networks", "networking", "nics"),
    [
        (None, Networking.UNNAMED, ()),
        ([], Networking.UNNAMED, ()),
        ("auto", Networking.AUTO, ()),
        ("none", Networking.NONE, ()),
        (
            [{"port": "p", "tag": "t"}, {"uuid": "br-n", "fixed_ip": "10.0.0.9", "port": None}],
            Networking.LISTED,
            (NicWish(port_id="p", tag="t"), NicWish(network_id="n", fixed_ip="10.0.0.9")),
        ),
    ],
)
def test_networks(networks: object, networking: Networking, nics: tuple[NicWish, ...]) -> None:
    asked = parse(body() if networks is None else body(networks=networks))
    assert (asked.networking, asked.nics) == (networking, nics)


def test_names_ids_and_counts() -> None:
    asked = parse(body(min_count="2", max_count=3, key_name="k", security_groups=[{"name": "a"}, {"name": "a"}, {}]))
    assert (asked.name, asked.flavor_id, asked.key_name) == ("vm1", "m1", "k")
    assert (asked.min_count, asked.max_count) == (2, 3)
    assert asked.group_names == ("a",)
    assert parse(body(min_count=2)).max_count == 2
    assert parse(body()).group_names is None


def test_block_devices_in_both_notations() -> None:
    new = [
        {"source_type": "volume", "uuid": "v"},
        {"source_type": "snapshot", "uuid": "s"},
        {"source_type": "image", "uuid": "i", "volume_type": "fast"},
        {"source_type": "blank", "destination_type": "volume"},
    ]
    asked = parse(body(block_device_mapping_v2=new))
    assert (asked.volume_ids, asked.snapshot_ids, asked.device_image_ids) == (("v",), ("s",), ("i",))
    assert asked.volume_types == ("fast",)
    old = parse(body(block_device_mapping=[{"volume_id": "v", "device_name": "vda"}, {"snapshot_id": "s"}]))
    assert (old.volume_ids, old.snapshot_ids) == (("v",), ("s",))


@pytest.mark.parametrize(
    ("text", "zone", "pod_zone", "sent"),
    [
        ("az1", Zone(name="az1"), "", None),
        ("az1", Zone(name="az1"), "nova", "nova"),
        ("az1:h", Zone(name="az1", host="h"), "", ":h"),
        ("az1:h:n", Zone(name="az1", host="h", node="n"), "nova", "nova:h:n"),
        ("az1::n", Zone(name="az1", node="n"), "nova", "nova::n"),
        (":h", Zone(host="h"), "", ":h"),
        (None, Zone(), "nova", "nova"),
    ],
)
def test_zones(text: str | None, zone: Zone, pod_zone: str, sent: str | None) -> None:
    parsed = Zone.parse(text)
    assert parsed == zone
    assert parsed.at(pod_zone) == sent


def test_a_zone_with_too_many_colons() -> None:
    with pytest.raises(InvalidRequestError, match="Unable to parse availability_zone"):
        Zone.parse("a:b:c:d")


def test_every_field_is_passed_on() -> None:
    """What is not named differently in the pod goes as it came; groups, counts and the AZ do not."""
    given = body(
        accessIPv4="1.2.3.4",
        adminPass="x",
        metadata={"a": "b"},
        user_data="YQ==",
        config_drive=True,
        key_name="k",
        description="d",
        tags=["t"],
        trusted_image_certificates=["c"],
        host="h",
        hypervisor_hostname="n",
        hostname="hn",
        personality=[],
        availability_zone="az1",
        security_groups=[{"name": "g"}],
        min_count=1,
        max_count=2,
        return_reservation_id=True,
        networks=[{"uuid": "n"}],
        block_device_mapping_v2=[{"source_type": "blank", "volume_type": "fast"}, {"source_type": "image"}],
        **{"OS-DCF:diskConfig": "AUTO"},
    )
    given["os:scheduler_hints"] = {"group": "central", "query": "q"}
    naming = PodNaming(
        flavor_id="f", networks=[{"port": "p"}], zone="nova", name="vm1-1", hints={"group": "pod"},
        volume_types={"fast": "slow"},
    )  # fmt: skip
    sent = pod_document(parse(given), naming)
    dropped = {"security_groups", "min_count", "max_count", "return_reservation_id"}
    changed = {
        "flavorRef": "f", "networks": [{"port": "p"}], "availability_zone": "nova", "name": "vm1-1",
        "block_device_mapping_v2": [{"source_type": "blank", "volume_type": "slow"}, {"source_type": "image"}],
    }  # fmt: skip
    expected = {key: value for key, value in given["server"].items() if key not in dropped} | changed
    assert sent == {"server": expected, "os:scheduler_hints": {"group": "pod", "query": "q"}}
    assert given["server"]["flavorRef"].startswith("http"), "the client's body is never changed"


def device(source: str, **fields: object) -> dict[str, object]:
    uuid = {} if source == "blank" else {"uuid": "u"}
    return {"source_type": source, "destination_type": "volume", "volume_size": 2, **uuid, **fields}


@pytest.mark.parametrize(
    ("asked", "volume"),
    [
        (device("blank"), NewVolume(size_gib=2)),
        (device("blank", volume_size="3", volume_type="7"), NewVolume(size_gib=3, type_name="gold")),
        (device("image", volume_type="gold"), NewVolume(size_gib=2, type_name="gold", image_id="u")),
        (device("snapshot", volume_size=None), NewVolume(snapshot_id="u")),
        ({"snapshot_id": "u", "volume_size": ""}, NewVolume(snapshot_id="u")),
        (device("volume"), None),
        ({"volume_id": "u"}, None),
        (device("blank", destination_type="local"), None),
        (device("image", destination_type="local", boot_index=0), None),
        ({"device_name": "vdb", "no_device": True}, None),
    ],
)
def test_volumes_that_a_pod_makes(asked: dict[str, object], volume: NewVolume | None) -> None:
    key = "block_device_mapping_v2" if "source_type" in asked else "block_device_mapping"
    made = new_volumes(parse(body(**{key: [asked]})).devices, {"7": "gold", "gold": "gold"})
    assert made == ([] if volume is None else [volume])


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        ({"imageRef": "i"}, "i"),
        # Clients describe the image once more; the image's own first disk takes its place.
        ({"imageRef": "i", "block_device_mapping_v2": [device("image", uuid="i", boot_index=0)]}, "i"),
        ({"imageRef": "", "block_device_mapping_v2": [device("image", uuid="i", boot_index=0)]}, "i"),
        ({"imageRef": "", "block_device_mapping_v2": [device("image", uuid="i", boot_index="0")]}, "i"),
    ],
)
def test_devices_that_an_image_brings_along_are_the_servers(fields: dict[str, object], root: str) -> None:
    mapping = [
        {"source_type": "snapshot", "snapshot_id": "s", "boot_index": 0, "device_name": "/dev/vda", "volume_size": 2},
        {"source_type": "volume", "volume_id": "v", "boot_index": -1, "device_name": "/dev/vdb"},
    ]
    images = {root: {"id": root, "block_device_mapping": msgspec.json.encode(mapping).decode(), "bdm_v2": "True"}}
    whole = parse(body(**fields)).with_image(images)
    assert (whole.snapshot_ids, whole.volume_ids, whole.device_image_ids) == (("s",), ("v",), ())
    assert new_volumes(whole.devices, {}) == [NewVolume(size_gib=2, snapshot_id="s")]


def test_a_request_takes_the_place_of_an_images_devices_by_name() -> None:
    old = [{"snapshot_id": "s", "device_name": "vda"}, {"volume_id": "v", "device_name": "/dev/vdb"}]
    images = {"i": {"block_device_mapping": msgspec.json.encode(old).decode()}}
    asked = parse(body(imageRef="i", block_device_mapping_v2=[device("volume", uuid="mine", device_name="vdb")]))
    assert asked.with_image(images).volume_ids == ("mine",)
    assert asked.with_image(images).snapshot_ids == ("s",)
    for image in ({}, {"block_device_mapping": "{"}, {"block_device_mapping": "7"}):
        assert asked.with_image({"i": image}) is asked
