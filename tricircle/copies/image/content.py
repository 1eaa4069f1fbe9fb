# SPDX-License-Identifier: Apache-2.0
"""What of an image is the same in every Glance, and under which id may its copy stand in a pod? Pure.

A Glance never takes the id of an image that it once deleted. So a copy has the central id where the pod takes it, and
else a *distinct* one that is made of it, from which the central id is read without a look-up (``central_id``).

The mark is a tag: a property would be inherited by servers and volumes, and by the images that are made of them.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tricircle.copies.bodies import Body, text, words
from tricircle.errors import UpstreamStatusError

#: Every copy has this tag, and one that names its original.
TAG = "tricircle"
_MARK = "tricircle:"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: Distinct ids are UUIDs of versions and variants that nobody hands out; which of them, tells how often an id was lost.
_VERSIONS, _VARIANTS = "fedc", (0b00, 0b01, 0b11, 0b10)
_VERSION_AT, _VARIANT_AT = 14, 19
_RANDOM = "4"

#: What Glance itself says of an image: never a property that somebody gave it.
_ITS_OWN = frozenset(
    (
        *("id", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "owner", "visibility"),
        *("created_at", "updated_at", "self", "file", "schema", "locations", "direct_url", "stores", "tags", "name"),
        *("min_disk", "min_ram", "disk_format", "container_format", "protected", "os_hidden"),
    )
)
#: Properties that a service keeps for its own use.
_RESERVED = "os_glance"
#: How Glance begins the text of its own 404, for reading and for deleting.
_GONE = ("No image found with ID", "Failed to find image")
_FIELDS = ("name", "visibility", "owner", "min_disk", "min_ram")
_FORMATS = ("disk_format", "container_format")
#: Properties that name other images: a server that boots from this one needs them too.
COMPANIONS = ("kernel_id", "ramdisk_id")


def mark(image_id: str) -> str:
    """The tag that names the original of a copy.

    >>> mark("4f")
    'tricircle:4f'
    """
    return _MARK + image_id


def marked(image: Body) -> str | None:
    """The central id that an image's tags name; None without a mark."""
    found = [tag.removeprefix(_MARK) for tag in words(image, "tags") if tag.startswith(_MARK)]
    return found[0] if len(found) == 1 and found[0] else None


def pod_ids(image_id: str) -> Iterator[str]:
    """Ids under which a copy may stand in a pod, best first.

    >>> next(pod_ids("c0ffee00-0000-4000-8000-000000000001"))
    'c0ffee00-0000-4000-8000-000000000001'
    >>> list(pod_ids("c0ffee00-0000-4000-8000-000000000001"))[1]
    'c0ffee00-0000-f000-0000-000000000001'
    """
    yield image_id
    if not _UUID.fullmatch(image_id) or image_id[_VERSION_AT] != _RANDOM or int(image_id[_VARIANT_AT], 16) >> 2 != 0b10:
        return  # chosen by hand: nothing could be read back from another one
    for version in _VERSIONS:
        for variant in _VARIANTS:
            yield _with(image_id, version, variant)


def central_id(pod_image_id: str) -> str:
    """The image's id at the centre.

    >>> central_id("c0ffee00-0000-f000-0000-000000000001"), central_id("snap")
    ('c0ffee00-0000-4000-8000-000000000001', 'snap')
    """
    if _UUID.fullmatch(pod_image_id) and pod_image_id[_VERSION_AT] in _VERSIONS:
        return _with(pod_image_id, _RANDOM, 0b10)
    return pod_image_id


def _with(image_id: str, version: str, variant: int) -> str:
    nibble = int(image_id[_VARIANT_AT], 16) & 0b0011 | variant << 2
    behind = image_id[_VERSION_AT + 1 : _VARIANT_AT]
    return f"{image_id[:_VERSION_AT]}{version}{behind}{nibble:x}{image_id[_VARIANT_AT + 1 :]}"


def properties(image: Body) -> dict[str, str]:
    """What was given to an image beside Glance's own fields."""
    return {
        key: str(value)
        for key, value in image.items()
        if key not in _ITS_OWN and not key.startswith(_RESERVED) and value is not None
    }


def content(image: Body) -> dict[str, object]:
    """What a copy is to have as its original has it; formats aside, all of it can change."""
    found: dict[str, object] = {field: image.get(field) for field in (*_FIELDS, *_FORMATS)}
    return found | {"properties": properties(image), "is_usable": image.get("status") == "active"}


def digest(image: Body) -> str:
    """A digest of all that copies follow (64 characters)."""
    return hashlib.sha256(msgspec.json.encode(content(image), order="sorted")).hexdigest()


def is_same_data(one: Body, other: Body) -> bool:
    """Whether two images certainly consist of the same bytes. No hash, no certainty."""
    names = ("os_hash_algo", "os_hash_value")
    if all(one.get(name) and one.get(name) == other.get(name) for name in names):
        return True
    return bool(one.get("checksum")) and (one["checksum"], one.get("size")) == (
        other.get("checksum"),
        other.get("size"),
    )


def difference(image: Body, present: Body) -> list[str]:
    """In what an image of a pod is not the copy that it should be; companions and marks aside."""
    wanted, there = content(image), content(present)
    found = [key for key in (*_FIELDS, "is_usable") if wanted[key] != there[key]]
    if _compared(wanted["properties"]) != _compared(there["properties"]):
        found.append("properties")
    if marked(present) != image["id"]:
        found.append("tags")
    return found


def _compared(given: object) -> dict[str, object]:
    return {key: value for key, value in given.items() if key not in COMPANIONS} if isinstance(given, Mapping) else {}


def new_copy(image: Body, pod_image_id: str, companions: Mapping[str, str]) -> dict[str, object]:
    """The body that makes a copy's record. Protected is only the original: a copy has to go when that goes."""
    body: dict[str, object] = {field: image[field] for field in (*_FIELDS, *_FORMATS) if image.get(field) is not None}
    return {**properties(image), **companions, **body, "id": pod_image_id, "tags": [TAG, mark(str(image["id"]))]}


def new_original(present: Body, image_id: str) -> dict[str, object]:
    """The body that makes the original of an image that was born in a pod. Its owner is whoever creates it."""
    fields = ("name", "visibility", "min_disk", "min_ram", *_FORMATS)
    body: dict[str, object] = {field: present[field] for field in fields if present.get(field) is not None}
    return originally(properties(present)) | body | {"id": image_id}


def originally(given: Mapping[str, str]) -> dict[str, object]:
    """Properties as they are at the centre: what names another image names the original."""
    return {key: central_id(value) if _UUID.fullmatch(value) else value for key, value in given.items()}


Patch = Sequence[Mapping[str, object]]


def changes(image: Body, present: Body, companions: Mapping[str, str]) -> Patch:
    """What makes a copy agree, as JSON patch of Glance's; usability and members aside.

    >>> changes({"id": "i", "name": "b"}, {"id": "i", "name": "a", "tags": ["tricircle", "tricircle:i"]}, {})
    [{'op': 'replace', 'path': '/name', 'value': 'b'}]
    """
    made: list[Mapping[str, object]] = [
        {"op": "replace", "path": f"/{field}", "value": image.get(field)}
        for field in _FIELDS
        if image.get(field) != present.get(field) and image.get(field) is not None
    ]
    wanted, there = properties(image) | dict(companions), properties(present)
    made += [
        {"op": "replace" if key in there else "add", "path": _path(key), "value": value}
        for key, value in wanted.items()
        if there.get(key) != value
    ]
    made += [{"op": "remove", "path": _path(key)} for key in there if key not in wanted]
    tags = words(present, "tags")
    if not {TAG, mark(str(image["id"]))} <= set(tags):
        kept = [tag for tag in tags if not tag.startswith(_MARK) and tag != TAG]
        made.append({"op": "replace", "path": "/tags", "value": [*kept, TAG, mark(str(image["id"]))]})
    return made


def completion(original: Body, present: Body) -> Patch:
    """What the original lacks of an image that has become ready in a pod. What its owner changed since stays."""
    lacking: list[Mapping[str, object]] = [
        {"op": "add", "path": _path(key), "value": value}
        for key, value in originally(properties(present)).items()
        if key not in original
    ]
    fields = [
        {"op": "replace", "path": f"/{field}", "value": present[field]}
        for field in (*_FORMATS, "min_disk", "min_ram")
        if present.get(field) and not original.get(field)
    ]
    return [*lacking, *fields]


def _path(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def is_gone(error: UpstreamStatusError) -> bool:
    """Whether Glance itself says that there is no such image; a proxy's 404 speaks of something else."""
    return error.status == 404 and any(words in error.body for words in _GONE)


def size_of(image: Body) -> int:
    """Bytes of its data; 0 when nobody knows yet."""
    size = image.get("size")
    return size if isinstance(size, int) else 0


def owner_of(image: Body) -> str:
    """The project that owns it."""
    return text(image, "owner")
