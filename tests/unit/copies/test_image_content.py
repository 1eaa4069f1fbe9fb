# SPDX-License-Identifier: Apache-2.0
"""Which id may a copy have, what of an image does it carry, and what makes it agree?"""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.copies.image import content
from tricircle.errors import UpstreamStatusError

ID = "c0ffee00-0000-4000-8000-000000000001"
IMAGE = {
    "id": ID, "name": "cirros", "status": "active", "visibility": "private", "owner": "p", "size": 5, "min_disk": 1,
    "min_ram": 2, "disk_format": "raw", "container_format": "bare", "protected": True, "tags": ["mine"],
    "hw_disk_bus": "virtio", "os_glance_importing_to_stores": "file", "locations": [], "stores": "file",
    "os_hash_algo": "sha512", "os_hash_value": "ab", "checksum": "cd", "img_signature": "s", "kernel_id": "k",
}  # fmt: skip


@given(st.uuids(version=4))
def test_every_distinct_id_tells_the_central_one(image_id: uuid.UUID) -> None:
    found = list(content.pod_ids(str(image_id)))
    assert len(set(found)) == len(found) == 17
    assert {content.central_id(one) for one in found} == {str(image_id)}
    assert {str(uuid.UUID(one)) for one in found} == set(found)


@pytest.mark.parametrize("image_id", ["c0ffee00-0000-1000-8000-000000000001", "chosen"])
def test_ids_chosen_by_hand_have_no_other(image_id: str) -> None:
    """From another one theirs could not be read."""
    assert list(content.pod_ids(image_id)) == [image_id]
    assert content.central_id(image_id) == image_id


def test_a_copy_carries_what_matters() -> None:
    """Not what only its own Glance can say, nor what keeps it from going with its original."""
    body = content.new_copy(IMAGE, "other", {"kernel_id": "k2"})
    assert body == {
        "id": "other", "name": "cirros", "visibility": "private", "owner": "p", "min_disk": 1, "min_ram": 2,
        "disk_format": "raw", "container_format": "bare", "hw_disk_bus": "virtio", "img_signature": "s",
        "kernel_id": "k2", "tags": ["tricircle", f"tricircle:{ID}"],
    }  # fmt: skip


def test_what_comes_home_names_originals() -> None:
    """A base image under a distinct id in the pod is the one that the owner knows; tags are ours, and stay there."""
    distinct = list(content.pod_ids(ID))[3]
    body = content.new_original({**IMAGE, "base_image_ref": distinct, "tags": ["tricircle"]}, "snap")
    assert (body["id"], body["base_image_ref"]) == ("snap", ID)
    assert body.keys().isdisjoint({"tags", "owner", "status", "size", "locations"})


def test_a_copy_that_agrees_is_left_alone() -> None:
    copy = {**IMAGE, "protected": False, "tags": ["tricircle", f"tricircle:{ID}"], "stores": "other"}
    assert content.changes(IMAGE, copy, {}) == []
    assert content.difference(IMAGE, copy) == []


def test_what_differs_is_changed() -> None:
    """The tags of others stay."""
    copy = {**IMAGE, "name": "old", "gone": "x", "a/b": "1", "tags": ["theirs", "tricircle:other"]}
    wanted = {**IMAGE, "a/b": "2", "new": "y"}
    assert content.difference(wanted, copy) == ["name", "properties", "tags"]
    assert content.changes(wanted, copy, {}) == [
        {"op": "replace", "path": "/name", "value": "cirros"},
        {"op": "replace", "path": "/a~1b", "value": "2"},
        {"op": "add", "path": "/new", "value": "y"},
        {"op": "remove", "path": "/gone"},
        {"op": "replace", "path": "/tags", "value": ["theirs", "tricircle", f"tricircle:{ID}"]},
    ]


def test_its_owner_may_change_an_image_on_its_way_home() -> None:
    """Only what is lacking is added."""
    original = {"id": "snap", "name": "renamed", "min_disk": 0, "disk_format": None, "colour": "red"}
    present = {"name": "snap", "min_disk": 3, "disk_format": "qcow2", "colour": "blue", "image_state": "available"}
    assert content.completion(original, present) == [
        {"op": "add", "path": "/image_state", "value": "available"},
        {"op": "replace", "path": "/disk_format", "value": "qcow2"},
        {"op": "replace", "path": "/min_disk", "value": 3},
    ]


def test_the_digest_is_of_what_copies_follow() -> None:
    """Whether it may be used is part of it; tags, sizes and times are not."""
    assert content.digest(IMAGE) == content.digest({**IMAGE, "tags": [], "updated_at": "later", "protected": False})
    changes = ({"name": "n"}, {"status": "deactivated"}, {"hw_disk_bus": "ide"}, {"visibility": "public"})
    assert len({content.digest({**IMAGE, **one}) for one in changes} | {content.digest(IMAGE)}) == 5


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"os_hash_algo": "sha512", "os_hash_value": "ab"}, True),
        ({"os_hash_algo": "sha256", "os_hash_value": "ab", "checksum": "cd", "size": 5}, True),
        ({"os_hash_algo": "sha512", "os_hash_value": "other", "checksum": "cd", "size": 6}, False),
        ({}, False),
    ],
)
def test_the_same_data(other: dict[str, object], is_same: bool) -> None:
    """Without a hash nothing is certain."""
    assert content.is_same_data(IMAGE, other) is is_same


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ([], None),
        (["tricircle"], None),
        (["tricircle:", "x"], None),
        (["tricircle:a", "tricircle:b"], None),
        (["tricircle:a"], "a"),
    ],
)
def test_marks(tags: list[str], found: str | None) -> None:
    assert content.marked({"tags": tags}) == found


@pytest.mark.parametrize(
    ("status", "body", "is_gone"),
    [(404, "No image found with ID x", True), (404, "<html>nginx</html>", False), (410, "No image found", False)],
)
def test_only_glance_itself_says_gone(status: int, body: str, is_gone: bool) -> None:
    assert content.is_gone(UpstreamStatusError(status, body, "Pod1/image")) is is_gone
