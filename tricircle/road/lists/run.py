# SPDX-License-Identifier: Apache-2.0
"""What is known of one list while it is made?"""

import asyncio
from dataclasses import dataclass, field

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.http.message import Request
from tricircle.model.pod import Pod
from tricircle.road.listing import Listing
from tricircle.road.lists.merge import Merge
from tricircle.road.lists.paging import Wish
from tricircle.road.lists.stream import Stream
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply


@dataclass(slots=True)
class Run:
    """What happens while one list is made."""

    request: Request
    row: Row
    listing: Listing
    wish: Wish
    merge: Merge
    path: str
    deadline: Deadline
    loaded: dict[PodId, str | None] = field(default_factory=dict)
    refusals: dict[PodId, Reply] = field(default_factory=dict)
    answered: set[PodId] = field(default_factory=set)
    counts: dict[PodId, int] = field(default_factory=dict)
    missing: list[tuple[Pod, str]] = field(default_factory=list)
    pending: dict[asyncio.Task[None], Stream] = field(default_factory=dict)
    is_late: bool = False

    @property
    def owner(self) -> ProjectId | None:
        """Whose items pods may show; None: anybody's."""
        context = self.request.context
        is_wide = context.is_admin or any(name.startswith("all_") for name, _ in self.wish.filters)
        return None if is_wide else context.project_id or None

    def miss(self, stream: Stream, reason: str) -> None:
        """A pod's part of the list is not had, or not to its end."""
        self.merge.fail(stream)
        self.missing.append((stream.pod, reason))
