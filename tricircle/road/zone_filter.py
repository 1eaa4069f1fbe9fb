# SPDX-License-Identifier: Apache-2.0
"""Which pods is a list about that is filtered by an AZ, and how is each asked for its part? Pure.

What counts is the AZ that items show: a pod's own AZs are all that of the pod (``rewrite.zone``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tricircle.context import RequestContext
from tricircle.model.pod import Pod
from tricircle.road.collation import key

Version = tuple[int, int]
#: From the first microversion on, without an end.
ALWAYS: tuple[Version, Version | None] = ((0, 0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneFilter:
    """A list's filter by AZ.

    Where the service does not honour it for whoever asks, it goes on as it is: the pods pass it over, or refuse it.

    :ivar name: the query parameter
    :ivar members: the first and last microversion at which the service honours it for members; None: at none. For
        administrators it always does
    :ivar asks: the value that a pod is asked with; None: the pods that are the AZ are asked, and without the filter
    """

    name: str = "availability_zone"
    members: tuple[Version, Version | None] | None = ALWAYS
    asks: Callable[[str, Pod], str] | None = None

    def is_honoured(self, context: RequestContext, microversion: Version | None) -> bool:
        """Whether the service filters by it for this caller, unless an operator told it otherwise."""
        if context.is_admin or self.members is None:
            return context.is_admin
        first, last = self.members
        version = microversion or (0, 0)
        return first <= version and (last is None or version <= last)

    def about(self, pods: Sequence[Pod], zone: str | None) -> tuple[Pod, ...]:
        """The pods that may hold what the filter leaves. The name of a pod's AZ means that AZ and no other.

        >>> pods = [Pod(id="1", name="P1", az_name="az1"), Pod(id="2", name="P2", az_name="az2")]
        >>> [pod.name for pod in ZoneFilter().about(pods, "az2")], ZoneFilter().about(pods, "az3")
        (['P2'], ())
        """
        if zone is None:
            return tuple(pods)
        named = tuple(pod for pod in pods if key(pod.az_name) == key(zone))
        return named if named or self.asks is None else tuple(pods)
