# SPDX-License-Identifier: Apache-2.0
"""Which storage pools are there for a volume type? Each pod is asked by the name that the type's copy has there.

A pod filters by what *its* type of the name consists of, which may be another than the centre's. So the copies come
first, as for a volume: asking where a type can be had is a use of it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from tricircle.context import Deadline, PodId
from tricircle.doors.block_storage.operators.hosts import Hosts
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.errors import ConflictError, NotFoundError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.listing import Listing, Query
from tricircle.road.row import Row

LOG = logging.getLogger(__name__)

_FILTER, _FILTERED_FROM = "volume_type", (3, 35)


class Pools:
    """``GET /scheduler-stats/get_pools``."""

    def __init__(self, needs: Needs, hosts: Hosts) -> None:
        self._needs = needs
        self._hosts = hosts

    async def index(self, request: Request, row: Row) -> Answer:
        """The pools of all pods; with ``volume_type`` those that fit it.

        :raises NotFoundError: there is no such type (Cinder's words)
        """
        asked = next((value for key, value in reversed(request.query_pairs()) if key == _FILTER), "")
        is_filtered = bool(asked) and (request.microversion or (3, 0)) >= _FILTERED_FROM
        if not is_filtered or not request.context.is_admin or row.listing is None:
            # Below 3.35 the filter is passed over. Who may not ask is told so by the pods; nothing is copied for that.
            return await self._needs.carrier.gather(request, row)
        names = await self._names(request, asked)
        return await self._needs.carrier.gather(request, replace(row, listing=_by(row.listing, names)))

    async def _names(self, request: Request, asked: str) -> Mapping[PodId, str | None]:
        """What the type is called in each pod; None where it cannot be had. Pods have as long as for a list.

        :raises NotFoundError: the centre does not have the type
        """
        volume_type = await self._needs.types.find(request.context, asked)
        pods = await self._hosts.pods()
        deadline = self._needs.carrier.list_deadline(request.context)
        names = await asyncio.gather(*(self._name(pod, volume_type, asked, deadline) for pod in pods))
        return {pod.id: name for pod, name in zip(pods, names, strict=True)}

    async def _name(self, pod: Pod, volume_type: Mapping[str, object], asked: str, deadline: Deadline) -> str | None:
        try:
            return await self._needs.copies.ensure(pod, volume_type, deadline)
        except ConflictError:
            return None
        except NotFoundError:
            raise
        except TricircleError as error:
            # Whatever is wrong with one pod: it is asked as we were, and says what it has to say, or is named as
            # missing.
            LOG.warning("pod %s has no copy of a volume type for a list of pools: %s", pod.name, error)
            return asked


def _by(listing: Listing, names: Mapping[PodId, str | None]) -> Listing:
    """The listing that asks each pod by its own name of the type."""
    inner: Callable[[Query, Pod], Query | None] | None = listing.adapt

    def adapt(query: Query, pod: Pod) -> Query | None:
        name = names.get(pod.id)
        if name is None:
            return None
        query = [(key, name if key == _FILTER else value) for key, value in query]
        return query if inner is None else inner(query, pod)

    return replace(listing, adapt=adapt)
