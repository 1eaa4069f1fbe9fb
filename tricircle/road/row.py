# SPDX-License-Identifier: Apache-2.0
"""What happens to a call? One row of a door's table says it, as data."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tricircle.http.message import Handler, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.listing import Item, Listing
from tricircle.road.rewrite import Shape

#: (request, pods that do not answer, room on the page) -> what stands in a list for what they hold.
StandIns = Callable[[Request, Sequence[Pod], int], Awaitable[list[Item]]]


class Behaviour(StrEnum):
    """What the road does with a call."""

    ROUTE = "route"  # find the pod by the id in the path, forward, rewrite
    PLACE = "place"  # choose a pod, make copies of what is named, forward, record: always a handler
    GATHER = "gather"  # ask all pods that can hold answers, merge as one list
    SUM = "sum"  # ask, add up, put beside the central limits: always a handler
    CENTRAL = "central"  # forward to the central stock service
    OURS = "ours"  # answer ourselves: always a handler
    DECLARE = "declare"  # as CENTRAL, then file jobs so that copies follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a door's table. The first three fields may be given by position.

    :ivar methods: upper-case verbs
    :ivar path: template under the version (and the project id, where the client wrote one):
        ``/servers/{server_id}/action``; a last segment ``{rest...}`` takes one or more segments
    :ivar kind: what the path's id names; needed by ROUTE without a handler
    :ivar id_param: name of the path's parameter that holds this id
    :ivar collection: JSON key of the list of items in a pod's answer (``servers``)
    :ivar singular: JSON key of the one item in a pod's answer (``server``)
    :ivar detail_path: for GATHER: where to ask pods for the whole items, when it is not ``path`` (only detail carries
        sort keys)
    :ivar listing: for GATHER: order, brief form, how the service pages
    :ivar stand_ins: for GATHER: what stands first in the list for what pods hold that do not answer; None: nothing does
    :ivar handler: replaces what the behaviour does by itself
    :ivar shape: how items that come from a pod are made ours
    :ivar policy: rule of ours to check before anything else
    :ivar min_version: lowest microversion at which the row exists; outside of it another row of the same path may
    :ivar max_version: highest microversion at which the row exists
    :ivar jobs: for DECLARE: job types to file when the centre said yes, each with the path's parameter that holds the
        id
    :ivar is_public: no token needed (version documents)
    :ivar is_streamed: bodies of both directions are passed on as they come, without a limit of ours
    """

    methods: tuple[str, ...] = field(kw_only=False)
    path: str = field(kw_only=False)
    behaviour: Behaviour = field(kw_only=False)
    kind: Kind | None = None
    id_param: str | None = None
    collection: str | None = None
    singular: str | None = None
    detail_path: str | None = None
    listing: Listing | None = None
    stand_ins: StandIns | None = None
    handler: Handler | None = None
    shape: Shape | None = None
    policy: str | None = None
    min_version: str | None = None
    max_version: str | None = None
    jobs: tuple[tuple[JobType, str], ...] = ()
    is_public: bool = False
    is_streamed: bool = False

    def __post_init__(self) -> None:
        """Refuse rows that cannot work, when the process starts. :raises ValueError: with the row's path."""
        if self.behaviour in (Behaviour.PLACE, Behaviour.SUM, Behaviour.OURS) and self.handler is None:
            raise ValueError(f"{self.path}: behaviour {self.behaviour} needs a handler")
        if self.behaviour is Behaviour.ROUTE and self.handler is None and (self.kind is None or self.id_param is None):
            raise ValueError(f"{self.path}: a route without a handler needs kind and id_param")
        if (
            self.behaviour is Behaviour.GATHER
            and self.handler is None
            and (self.listing is None or self.collection is None)
        ):
            raise ValueError(f"{self.path}: a gather without a handler needs listing and collection")
