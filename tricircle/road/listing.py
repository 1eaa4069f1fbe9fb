# SPDX-License-Identifier: Apache-2.0
"""What must the road know of a collection, to make one list of many pods' lists? Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.zone_filter import ZoneFilter

Item = dict[str, object]
Query = list[tuple[str, str]]
#: (sort key as the API names it, whether it is descending), most significant first.
Order = tuple[tuple[str, bool], ...]


class Paging(StrEnum):
    """How a service names order and place in a query."""

    NOVA = "nova"  # sort_key and sort_dir repeated; an unknown marker is 400
    CINDER = "cinder"  # sort=a:asc,b or sort_key and sort_dir; offset; with_count; an unknown marker is 404
    NONE = "none"  # the whole list at once


@dataclass(frozen=True, slots=True)
class Declared:
    """A filter that names a declared thing by its id, which may be another one in each pod.

    :ivar needs_copy: a pod without a copy holds nothing of it, though it may have something of its own by that id;
        else it is asked by the id as it is
    """

    kind: Kind
    needs_copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the road must know to merge a collection of pods.

    :ivar order: the order when the client names none
    :ivar ties: sort keys that the service appends to the client's, in the direction of the first
    :ivar unique: sort key that Nova appends to the client's (not to ``order``) together with one direction, rising
    :ivar ignored: sort keys that the service takes and passes over, with their directions
    :ivar hidden: sort keys of which items show nothing that sorts alike, or only some items do: what is equal in the
        keys before one of these comes pod after pod, as does what lacks a key's field
    :ivar given: sort keys of which every item has a value
    :ivar fields: JSON fields of sort keys that have another name there (``{"image_ref": "image/id"}``)
    :ivar brief: keys of an item that stay when the row's path is the brief list; None when the row is the detailed one
    :ivar links: JSON key of the page links; None when the service sends none: then a pod is asked until it has no more
    :ivar noun: what an unknown marker is called in the error (``Volume``), or all of the error with ``{}`` for it
    :ivar knows_deleted: whether the service knows deleted items as markers, and lists them to who asks for changes
    :ivar id_key: JSON key of what a marker names
    :ivar zone_filter: the filter by AZ; None: the service has none, or knows it for nobody
    :ivar declared: filters that name declared things
    :ivar rank: which part of a pod's list an item belongs to, lowest first, whatever the sort key; a pod lists its
        parts one after the other (Nova: servers that were not handed to a cell, then the rest). None: one part
    :ivar adapt: a pod's query from the client's (without marker, limit, offset); None: this pod cannot hold an answer
    """

    paging: Paging
    order: Order = (("created_at", True),)
    ties: tuple[str, ...] = ("created_at",)
    unique: str | None = None
    ignored: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset(("created_at", "id", "uuid", "project_id", "user_id", "size", "status"))
    fields: Mapping[str, str] = field(default_factory=dict)
    brief: tuple[str, ...] | None = None
    links: str | None = None
    noun: str = "Resource"
    knows_deleted: bool = False
    id_key: str = "id"
    zone_filter: ZoneFilter | None = None
    declared: Mapping[str, Declared] = field(default_factory=dict)
    rank: Callable[[Item], int] | None = None
    adapt: Callable[[Query, Pod], Query | None] | None = None
