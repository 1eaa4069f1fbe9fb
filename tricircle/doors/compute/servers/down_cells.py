# SPDX-License-Identifier: Apache-2.0
"""What is said of servers whose pod does not answer? What Nova says of those in a cell that is down, from 2.69 on.

Nova knows such servers from its API database (instance mappings, request specs). Ours are the routings: where a server
is, whose, since when, and, among the details, what it was booted with or how it was last shown.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tricircle.context import ProjectId, RequestContext
from tricircle.doors.compute.needs import ProjectRoutings
from tricircle.doors.compute.zones import FILTER, is_met
from tricircle.errors import TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, PodState
from tricircle.model.remembered import ENDING, SEEN, is_kept, seen_in, seen_of
from tricircle.model.routing import ASKED_AZ, Kind, Routing
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import DISABLED, SILENT, Gap
from tricircle.road.listing import Item, Query
from tricircle.road.route import Located, when

LOG = logging.getLogger(__name__)

#: Where the form begins, and where it has the server groups.
SINCE, _GROUPS_SINCE = (2, 69), (2, 71)
#: What Nova calls what it does not know.
_UNKNOWN = "UNKNOWN"
#: Filters that routings can answer. Nova itself takes none but the first: ``openstack server list`` always sends the
#: second, so by Nova's rule its users would see nothing of a pod that is down.
_ALL, _DELETED, _PROJECTS, _ZONE = "all_tenants", "deleted", ("project_id", "tenant_id"), FILTER.name
_FALSE = frozenset(("0", "f", "false", "off", "n", "no"))
#: What of an embedded flavor is shown.
_FLAVOR = ("vcpus", "ram", "disk", "swap")
_EPHEMERAL = "OS-FLV-EXT-DATA:ephemeral"


class DownCells:
    """The minimal records. Nothing here fails a call for the database."""

    def __init__(self, *, carrier: Carrier, routings: ProjectRoutings) -> None:
        self._carrier = carrier
        self._routings = routings

    async def listed(self, request: Request, pods: Sequence[Pod], room: int) -> list[Item]:
        """Up to ``room`` records of the servers in ``pods`` that a list shows, newest first; for a list of which
        ``is_listed`` says yes."""
        found: list[Routing] = []
        owner, zone = _owner(request), _zone(request)
        for pod in pods:
            try:
                theirs = await self._routings.of_project(Kind.SERVER, pod.id, owner, limit=room)
                found += [one for one in theirs if zone is None or is_met(zone, _shown_zone(one, pod), pod)]
            except TricircleError as error:
                LOG.warning("servers of pod %s cannot be named: %s", pod.name, error)
        known = [routing for routing in found if not routing.details.get(ENDING)]
        known.sort(key=lambda routing: (_born(routing), routing.central_id), reverse=True)
        is_detailed = request.path.rstrip("/").endswith("/detail")
        return [self._record(request, routing, is_detailed=is_detailed) for routing in known[:room]]

    async def shown(self, request: Request, located: Located) -> Answer | None:
        """``GET /servers/{server_id}`` when its pod does not answer; None when that is all that can be said."""
        routing = located.routing
        seen = seen_of(routing)
        is_foreign = routing.project_id != request.context.project_id and not request.context.is_admin
        if (request.microversion or (0, 0)) < SINCE or seen is None or is_foreign or routing.details.get(ENDING):
            return None
        record = self._record(request, routing, is_detailed=True)
        image_id = seen.get("image")
        link = {"rel": "bookmark", "href": self._link(request, f"/images/{image_id}", is_bookmark=True)}
        record |= {
            "image": {"id": image_id, "links": [link]} if image_id else "",
            "flavor": seen.get("flavor"),
            "OS-EXT-AZ:availability_zone": routing.details.get(ASKED_AZ) or _UNKNOWN,
            "OS-EXT-STS:power_state": 0,
            "user_id": seen.get("user_id") or _UNKNOWN,
        }
        if (request.microversion or (0, 0)) >= _GROUPS_SINCE:
            record["server_groups"] = seen.get("server_groups") or []
        return Answer.json(200, {"server": record}, self._carrier.incomplete(request, [_gap(located.pod)]))

    async def note(self, located: Located, server: Mapping[str, Any]) -> None:
        """Remember of a server that was shown what could not be said later, when it is not written down yet."""
        routing = located.routing
        known = seen_of(routing)
        seen = seen_in(server, known or {})
        if not routing.id or seen is None:
            return
        changed: dict[str, object] = {}
        if known is None or any(known.get(key) != value for key, value in seen.items()):
            changed[SEEN] = [{**(known or {}), **seen}]
        if routing.details.get(ENDING) and is_kept(server):
            changed[ENDING] = None
        # A boot on a busy machine is written down later than the pod began it.
        is_age_known = _born(routing) == server.get("created")
        if not changed and is_age_known:
            return
        born = when(server.get("created"))
        try:
            await self._routings.record(
                Kind.SERVER, routing.central_id, located.pod.id, routing.project_id, born, details=changed
            )
        except TricircleError as error:
            LOG.warning("how server %s was shown is not written down: %s", routing.central_id, error)

    async def note_end(self, located: Located) -> None:
        """The pod has accepted that a server be deleted: it is not listed any more when the pod is down."""
        try:
            if located.routing.id:
                await self._routings.update(located.routing.id, details={ENDING: True})
        except TricircleError as error:
            LOG.warning("that server %s ends is not written down: %s", located.routing.central_id, error)

    def _record(self, request: Request, routing: Routing, *, is_detailed: bool) -> Item:
        path = f"/servers/{routing.central_id}"
        links = [
            {"rel": "self", "href": self._link(request, path)},
            {"rel": "bookmark", "href": self._link(request, path, is_bookmark=True)},
        ]
        record: Item = {"id": routing.central_id, "status": _UNKNOWN, "links": links}
        if is_detailed:
            record |= {"tenant_id": routing.project_id, "created": _born(routing)}
        return record

    def _link(self, request: Request, path: str, *, is_bookmark: bool = False) -> str:
        # A bookmark has no version; a project id stands where the client wrote one.
        version = "/" + request.root.strip("/").split("/")[0]
        return self._carrier.link((request.root.removeprefix(version) if is_bookmark else request.root) + path)


def is_listed(request: Request) -> bool:
    """Whether a list shows minimal records: from 2.69, whole (no page, no order), and without filters that only the
    pods can answer."""
    return (request.microversion or (0, 0)) >= SINCE and all(_is_answered(*pair) for pair in request.query_pairs())


def booted(
    flavor: Mapping[str, Any], image_id: object, context: RequestContext, server_group_id: object
) -> Mapping[str, object]:
    """The details of a new server's routing that a minimal record is made of.

    :param flavor: as Nova shows it at 2.75 or later, with its extra specs
    """
    embedded = {key: flavor.get(key) or 0 for key in _FLAVOR}
    embedded |= {"ephemeral": flavor.get(_EPHEMERAL) or 0, "original_name": flavor.get("name")}
    embedded["extra_specs"] = dict(flavor.get("extra_specs") or {})
    groups = [server_group_id] if server_group_id else []
    # In a list: details are merged key by key, and what a flavor has no more must not stay.
    return {SEEN: [{"flavor": embedded, "image": image_id or "", "user_id": context.user_id, "server_groups": groups}]}


def _is_answered(name: str, value: str) -> bool:
    return name in (_ALL, _ZONE, *_PROJECTS) or (name == _DELETED and value.lower() in _FALSE)


def _owner(request: Request) -> ProjectId | None:
    """Whose servers a list holds; None: everybody's. As Nova: without ``all_tenants`` the caller's, whatever else."""
    query: Query = request.query_pairs()
    wants_all = any(name == _ALL and value.lower() not in _FALSE for name, value in query)
    if not (wants_all and request.context.is_admin):
        return request.context.project_id
    named = [value for name, value in query if name in _PROJECTS]
    return ProjectId(named[-1]) if named else None


def _zone(request: Request) -> str | None:
    """The AZ that a list is filtered by, where Nova honours that."""
    if not FILTER.is_honoured(request.context, request.microversion):
        return None
    return next((value for name, value in reversed(request.query_pairs()) if name == FILTER.name), None)


def _shown_zone(routing: Routing, pod: Pod) -> str:
    """The AZ that a server shows, as far as is written down: the one that was asked for, or its pod's."""
    return str(routing.details.get(ASKED_AZ) or pod.az_name)


def _gap(pod: Pod) -> Gap:
    return Gap(pod, DISABLED if pod.state is PodState.DISABLED else SILENT)


def _born(routing: Routing) -> str:
    return "" if routing.created_at is None else routing.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
