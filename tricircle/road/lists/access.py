# SPDX-License-Identifier: Apache-2.0
"""What does the making of lists ask of the pages' source? Only these calls; ``pages.Pages`` answers them."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tricircle.context import Deadline, PodId, RequestContext
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.listing import Item
from tricircle.road.rewrite import Shape
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply


class Access(Protocol):
    """What gathering needs of a door."""

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        """One GET to this door's service of ``pod``; links in the body are ours already."""
        ...

    async def shaped_items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        """Items of several pods made ours, in the given order."""
        ...

    async def find(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        """One item of a row's collection and its pod. Raises as ``Carrier.locate``."""
        ...

    async def written(self, row: Row, marker: str, context: RequestContext) -> tuple[Pod, datetime] | None:
        """The pod of one item of a row's collection, and when it was made, as it is written down; None: it is not."""
        ...

    async def copies(self, kind: Kind, central_id: str) -> Mapping[PodId, str]:
        """The id of a declared thing in each pod that has a copy."""
        ...

    def refusal(self, request: Request, pod: Pod, reply: Reply) -> Awaitable[Answer]:
        """A pod's error as it leaves."""
        ...

    def page_link(self, request: Request, query: str) -> str:
        """An absolute URL of the request's own path with another query."""
        ...

    @property
    def door_name(self) -> str:
        """For keys and metrics."""
        ...
