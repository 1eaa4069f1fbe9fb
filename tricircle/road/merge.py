# SPDX-License-Identifier: Apache-2.0
"""How do the lists of many pods become one? Pure; see ``docs/decisions/0008-lists.md``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tricircle.model.pod import Pod

Item = dict[str, object]
Query = list[tuple[str, str]]


class Paging(StrEnum):
    """How a service names order and place in a query."""

    NOVA = "nova"  # sort_key and sort_dir repeated; an unknown marker is 400
    CINDER = "cinder"  # sort=a:asc,b or sort_key and sort_dir; offset; with_count; an unknown marker is 404
    NONE = "none"  # the whole list at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the road must know to merge a collection of pods.

    :ivar order: (sort key as the API names it, whether it is descending) when the client names none
    :ivar fields: sort keys whose JSON field has another name (``{"created_at": "created"}``)
    :ivar brief: keys of an item that stay when the row's path is the brief list; None when the row is the detailed one
    :ivar noun: what an unknown marker is called in the error (``Volume``)
    :ivar zone_filter: query parameter that names an AZ: answered by choosing pods, not passed on
    :ivar rank: which part of a pod's list an item belongs to, lowest first, whatever the sort key; a pod lists its
        parts one after the other (Nova: servers without a cell, then those of cell0, then the rest). None: one part
    :ivar adapt: a pod's query from the client's (without marker, limit, offset); None: this pod cannot hold an answer
    """

    paging: Paging
    order: tuple[tuple[str, bool], ...] = (("created_at", True),)
    fields: Mapping[str, str] = field(default_factory=dict)
    brief: tuple[str, ...] | None = None
    noun: str = "Resource"
    id_key: str = "id"
    zone_filter: str | None = "availability_zone"
    rank: Callable[[Item], int] | None = None
    adapt: Callable[[Query, Pod], Query | None] | None = None
