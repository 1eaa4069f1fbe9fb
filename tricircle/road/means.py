# SPDX-License-Identifier: Apache-2.0
"""What do the carriers of all doors share?"""

from dataclasses import dataclass, field

from tricircle.model.pod import Pod, PodState
from tricircle.road.needs import JobFiles, KnownPods, KnownPositions, KnownRoutings
from tricircle.road.route import Locator
from tricircle.road.versions import Ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all carriers share.

    :ivar in_flight_s: seconds after which no request is under way any more: so much later runs a job that is filed
        before the change that it is about
    :ivar ranges: which microversions are served
    """

    pods: KnownPods
    routings: KnownRoutings
    positions: KnownPositions
    jobs: JobFiles
    locator: Locator
    list_deadline_s: float
    in_flight_s: float = 180.0
    ranges: Ranges = field(default_factory=Ranges)

    async def members(self) -> tuple[Pod, ...]:
        """All pods, those that are switched off too, not the centre; in their fixed order."""
        return tuple(pod for pod in await self.pods.pods() if not pod.is_central)

    async def in_use(self) -> tuple[Pod, ...]:
        """The pods that are asked (enabled or draining, not the centre), in their fixed order."""
        return tuple(pod for pod in await self.members() if pod.state is not PodState.DISABLED)
