# SPDX-License-Identifier: Apache-2.0
"""Of what does a flavor consist, and under which id and name may a copy of it stand in a pod? Pure."""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from tricircle.copies.bodies import mark
from tricircle.model.routing import Routing

#: What distinct copies begin with. A central flavor that begins with it always gets a distinct copy, so one strip is
#: exact.
PREFIX = "tricircle."
#: Nova's column width for ids and names of flavors.
_MAX_LENGTH = 255


def central_id(pod_flavor_id: str) -> str:
    """The flavor's id at the centre.

    >>> central_id("tricircle.m1.small"), central_id("m1.small")
    ('m1.small', 'm1.small')
    """
    return pod_flavor_id.removeprefix(PREFIX)


def central_name(pod_flavor_name: str) -> str:
    """The flavor's name at the centre (as servers embed it from microversion 2.47)."""
    return pod_flavor_name.removeprefix(PREFIX)


def number(value: object) -> float:
    """A size as a number; Nova shows "no swap" as an empty string below 2.75."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    return float(value or 0)


def content(flavor: Mapping[str, object]) -> dict[str, object]:
    """What can never change about a flavor, whatever microversion showed it."""
    sizes = ("vcpus", "ram", "disk", "swap", "OS-FLV-EXT-DATA:ephemeral")
    found: dict[str, object] = {name: number(flavor.get(name)) for name in sizes}
    found["rxtx_factor"] = number(flavor.get("rxtx_factor", 1.0))
    found["is_public"] = bool(flavor.get("os-flavor-access:is_public", True))
    return found


def extra_specs(flavor: Mapping[str, object]) -> dict[str, str]:
    """Its extra specs, as texts."""
    specs = flavor.get("extra_specs")
    return {str(key): str(value) for key, value in specs.items()} if isinstance(specs, Mapping) else {}


def digest(flavor: Mapping[str, object]) -> str:
    """A digest of name, sizes, visibility and extra specs (64 characters); the description does not count."""
    shape = [str(flavor.get("name", "")), content(flavor), extra_specs(flavor)]
    return hashlib.sha256(msgspec.json.encode(shape, order="sorted")).hexdigest()


def identities(flavor: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(id, name) pairs under which a copy may stand in a pod, best first."""
    own_id, own_name = str(flavor["id"]), str(flavor["name"])
    if not own_id.startswith(PREFIX) and not own_name.startswith(PREFIX):
        yield own_id, own_name
    if len(PREFIX) + max(len(own_id), len(own_name)) <= _MAX_LENGTH:
        yield PREFIX + own_id, PREFIX + own_name


def is_ours(present: Mapping[str, object], flavor_id: str) -> bool:
    """Whether a flavor of a pod carries our mark for this one."""
    return present.get("description") == mark(flavor_id)


def agrees(present: Mapping[str, object], name: str, flavor: Mapping[str, object]) -> bool:
    """Whether a flavor of a pod is like this one under that name."""
    return (
        present.get("name") == name
        and content(present) == content(flavor)
        and extra_specs(present) == extra_specs(flavor)
    )


def difference(flavor: Mapping[str, object], copy: Routing, present: Mapping[str, object]) -> list[str]:
    """In what a flavor of a pod is not the copy of the central one that its routing says it is."""
    found = [] if content(present) == content(flavor) else ["content"]
    if extra_specs(present) != extra_specs(flavor):
        found.append("extra_specs")
    if central_name(str(present.get("name"))) != central_name(str(flavor["name"])):
        found.append("name")
    if copy.details.get("is_ours") and not is_ours(present, str(flavor["id"])):
        found.append("description")
    return found


def body_of(flavor: Mapping[str, object], flavor_id: str, name: str) -> dict[str, object]:
    """What to POST for a copy under this id and name."""
    return {
        "flavor": {
            "id": flavor_id,
            "name": name,
            "vcpus": flavor.get("vcpus"),
            "ram": flavor.get("ram"),
            "disk": flavor.get("disk"),
            "swap": int(number(flavor.get("swap"))),
            "OS-FLV-EXT-DATA:ephemeral": flavor.get("OS-FLV-EXT-DATA:ephemeral", 0),
            "rxtx_factor": flavor.get("rxtx_factor", 1.0),
            "os-flavor-access:is_public": content(flavor)["is_public"],
            "description": mark(str(flavor["id"])),
        }
    }
