# SPDX-License-Identifier: Apache-2.0
"""What is known of a boot, when everything about it was looked at and a pod is chosen?"""

from collections.abc import Sequence
from dataclasses import dataclass

from tricircle.context import Deadline, RequestContext
from tricircle.doors.compute.boots.boot_request import BootRequest
from tricircle.doors.compute.boots.checks import Parts
from tricircle.doors.compute.quotas.quota import Share
from tricircle.http.message import Request
from tricircle.model.device import NewVolume
from tricircle.model.pod import Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One boot that is known to be good.

    :ivar share: how many servers are made, and what is reserved for them; ``wanted.min_count`` must succeed
    :ivar volumes: those that the pod makes for one server
    """

    request: Request
    wanted: BootRequest
    parts: Parts
    pod: Pod
    share: Share
    volumes: Sequence[NewVolume] = ()

    @property
    def count(self) -> int:
        """How many servers are made."""
        return self.share.count

    @property
    def context(self) -> RequestContext:
        """Who boots."""
        return self.request.context

    @property
    def deadline(self) -> Deadline:
        """Until when."""
        return self.request.context.deadline
