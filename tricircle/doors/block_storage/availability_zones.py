# SPDX-License-Identifier: Apache-2.0
"""Which AZs does the block-storage API show? Those of the pods that take something new there."""

from tricircle.http.message import Answer, Request
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry


class AvailabilityZones:
    """``GET /os-availability-zone``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def index(self, _request: Request) -> Answer:
        """Every AZ; one in which no pod takes volumes now is shown as not available."""
        accepting = {pod.az_name for pod in await self._registry.accepting() if Service.BLOCK_STORAGE in pod.endpoints}
        zones = [
            {"zoneName": name, "zoneState": {"available": name in accepting}}
            for name in sorted(await self._registry.az_names())
        ]
        return Answer.json(200, {"availabilityZoneInfo": zones})
