# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/topologies/{network_id}``: how is the picture of a network over all pods put together?"""

import asyncio
import re

from tricircle.doors.admin.topology import Json, Seen, piece_ids, show_topology
from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.model.job_view import LIVE, JobFilter, JobView
from tricircle.model.routing import Kind, RoutingFilter, RoutingView
from tricircle.store.engine import Connection, Engine, transaction
from tricircle.store.job_views import JobViews
from tricircle.store.pods import PodRows
from tricircle.store.routing_views import RoutingViews
from tricircle.upstream.central import Central

#: How many ids one statement may name, and how many rows are read for one picture.
_CHUNK, _MOST = 500, 10_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class TopologyCalls:
    """Handlers of the calls on topologies.

    :param central: the central Neutron, which knows the pieces
    """

    def __init__(self, engine: Engine, central: Central) -> None:
        self._engine = engine
        self._central = central

    async def show(self, request: Request) -> Answer:
        """GET /topologies/{network_id}: where the network, its subnets and its ports are.

        A network that the centre has deleted is shown as long as a pod holds a piece of it that is known to be one, and
        so are its subnets and ports that the centre has deleted: their routings say on which network they are.
        """
        network_id = request.params["network_id"]
        if not _UUID.fullmatch(network_id):
            raise _missing(network_id)
        network, pieces = await self._pieces(network_id, request)
        async with transaction(self._engine) as connection:
            ids = piece_ids(pieces) | {network_id}
            routings = await _routings(connection, ids, network_id)
            jobs = await _jobs(connection, ids | {view.routing.central_id for view in routings})
            pods = await PodRows.list(connection)
        if network is None and not routings and not jobs:
            raise _missing(network_id)
        seen = Seen(network=network or {"id": network_id}, pieces=pieces, routings=routings, jobs=jobs)
        return Answer.json(200, {"topology": show_topology(seen, pods)})

    async def _pieces(self, network_id: str, request: Request) -> tuple[Json | None, dict[Kind, list[Json]]]:
        deadline = request.context.deadline
        try:
            network = await self._central.network(network_id, deadline=deadline)
        except NotFoundError:
            return None, {}
        subnets, ports = await asyncio.gather(
            self._central.subnets({"network_id": network_id}, deadline=deadline),
            self._central.ports({"network_id": network_id}, deadline=deadline),
        )
        return network, {Kind.NETWORK: [network], Kind.SUBNET: [*subnets], Kind.PORT: [*ports]}


def _missing(network_id: str) -> NotFoundError:
    return NotFoundError(f"Network {network_id} could not be found, neither at the centre nor in a pod.")


async def _routings(connection: Connection, ids: set[str], network_id: str) -> list[RoutingView]:
    """Those of the pieces that the centre knows, and of others that were on the network."""
    kinds = (Kind.NETWORK, Kind.SUBNET, Kind.PORT)
    on_it = await RoutingViews.page(connection, RoutingFilter(network_id=network_id), before=None, limit=_MOST)
    found = [view for view in on_it if view.routing.central_id not in ids]
    for chunk in _chunks(ids):
        wanted = RoutingFilter(central_ids=chunk, kinds=kinds)
        found += await RoutingViews.page(connection, wanted, before=None, limit=_MOST)
    return found


async def _jobs(connection: Connection, ids: set[str]) -> list[JobView]:
    found: list[JobView] = []
    for chunk in _chunks(ids):
        wanted = JobFilter(statuses=LIVE, resource_ids=chunk)
        found += await JobViews.page(connection, wanted, before=None, limit=_MOST)
    return found


def _chunks(ids: set[str]) -> list[list[str]]:
    ordered = sorted(ids)
    return [ordered[at : at + _CHUNK] for at in range(0, len(ordered), _CHUNK)]
