# SPDX-License-Identifier: Apache-2.0
"""What happens to a request at its door? Stages: parse, identify, negotiate, find the row, authorise, carry."""

import logging
import time
from dataclasses import dataclass, replace

from tricircle.context import Deadline, RequestContext
from tricircle.errors import (
    AbsentError,
    ForbiddenError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    TricircleError,
    UpstreamStatusError,
)
from tricircle.http import microversions
from tricircle.http.dialects import Dialect
from tricircle.http.faults import answer_to
from tricircle.http.headers import UPSTREAM_REQUEST_ID
from tricircle.http.message import Answer, Request, header
from tricircle.model.routing import Kind
from tricircle.observe.logs import without_secrets
from tricircle.road.carrier import Carrier
from tricircle.road.door import Door, ProjectInPath
from tricircle.road.forward import COMPUTE_REQUEST_ID
from tricircle.road.needs import Authorises, Identifies, KnownPods
from tricircle.road.path import Path
from tricircle.road.row import Behaviour, Row
from tricircle.road.stray import Strays
from tricircle.road.table import DoorTable, Match, NotAllowed, Split
from tricircle.road.trip import Trip, in_time
from tricircle.road.versions import Ranges, asked_out_of_range

LOG = logging.getLogger(__name__)

_NO_ACCESS_RULES = (
    "The rules of your application credential allow this call, but a service behind this API takes no application "
    "credentials with access rules. Use one without access rules, or ask the operator of this cloud."
)
_NO_SUCH_CALL = "The resource could not be found."
#: Rows of collections that no single service is asked for, which would refuse a last slash by itself.
_OF_SEVERAL = (Behaviour.GATHER, Behaviour.SUM, Behaviour.PLACE)
#: What may be made of nothing too: the centre, which has nothing that runs, could do more than refuse.
_MADE_OF_NOTHING = (Kind.SERVER, Kind.VOLUME)
_REFUSALS = (400, 403, 404, 409, 410, 413, 415)


@dataclass(frozen=True, slots=True)
class Entrance:
    """A door that is open: with its carrier, if it has calls to carry."""

    door: Door
    carrier: Carrier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadSettings:
    """What the operator decided about the road.

    :ivar boot_deadline_s: for calls that make something in a pod, instead of ``request_deadline_s``
    :ivar identity_url: where callers without a token are sent
    """

    body_limit: int
    request_deadline_s: float
    boot_deadline_s: float
    identity_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What all doors ask before they let somebody through."""

    validator: Identifies
    enforcer: Authorises
    pods: KnownPods
    settings: RoadSettings
    ranges: Ranges


class OpenDoor:
    """A door, its table, and how its requests are answered."""

    def __init__(self, entrance: Entrance, gate: Gate) -> None:
        door = entrance.door
        self.door = door
        self._carrier = entrance.carrier
        self._gate = gate
        self._strays = None if entrance.carrier is None else Strays(entrance.carrier)
        self._table = DoorTable(
            door.rows,
            versions=door.versions,
            root_rows=door.root_rows,
            is_project_optional=door.project_in_path is ProjectInPath.OPTIONAL,
        )
        #: What a request is that has no microversion, where others have one (Nova's legacy v2): the lowest.
        self._unversioned = (
            microversions.parse(microversions.DEFAULTS[door.service])
            if door.has_microversions and door.service is not None
            else None
        )

    async def answer(self, trip: Trip, path: Path) -> Answer:
        """The stages: parse, identify, negotiate, find the row, authorise, carry."""
        split = self._table.split(path)
        match = self._table.match(trip.method, split)
        if self._is_document_astray(split, path):
            match = None
        is_public = self._is_public(match, split)
        started = time.perf_counter()
        context = trip.anonymous() if is_public else await self._identify(trip, path)
        request = self._request(trip, path, split, context)
        request.timings["identify"] = (time.perf_counter() - started) * 1000
        if not isinstance(match, Match):
            return await self._unnamed(trip, request, split, match)
        await self._negotiate(trip, request, split)
        self._check_project(split, context)
        found = match.at(request.microversion or self._unversioned)
        if found is None:
            # To Nova and Cinder a call that this version does not have is no call.
            raise NotFoundError(_NO_SUCH_CALL)
        row, request.params = found
        if path.has_last_slash and self.door.has_microversions and row.behaviour in _OF_SEVERAL:
            # To Nova and Cinder such a path names a member whose id is empty.
            return self._unknown(trip, request)
        if row.behaviour is Behaviour.PLACE:
            # Copies of what the request names are made first: nobody shall find half of them after an ordinary wait.
            request.context = replace(context, deadline=Deadline.after(self._gate.settings.boot_deadline_s))
        if row.policy is not None:
            self._gate.enforcer.authorize(context, row.policy)
        try:
            answer = await self._carry(request, row)
        except UpstreamStatusError as error:
            if error.status == 401:
                # Of a call that we made for the caller: is it the token, which we believed from memory?
                self._distrust(context)
                await self._identify(trip, path)
            raise
        if answer.status == 401 and context.token:
            self._distrust(context)
        return answer

    def _distrust(self, context: RequestContext) -> None:
        """A service refused a token that we found good. :raises ForbiddenError: it refuses all of this kind"""
        self._gate.validator.forget(context.token)
        if context.has_access_rules:
            raise ForbiddenError(_NO_ACCESS_RULES)

    async def _identify(self, trip: Trip, path: Path) -> RequestContext:
        return await self._gate.validator.identify(
            trip.headers,
            trip.method,
            path.text,
            self.door.service,
            trip.request_id,
            trip.deadline,
            global_request_id=trip.global_request_id,
        )

    def _request(self, trip: Trip, path: Path, split: Split, context: RequestContext) -> Request:
        trip.request = Request(
            method=trip.method,
            path=path.text,
            query=trip.query,
            headers=trip.headers,
            receive=trip.receive,
            body_limit=self._gate.settings.body_limit,
            context=context,
            root=split.root,
            in_time=in_time,
        )
        return trip.request

    def _check_project(self, split: Split, context: RequestContext) -> None:
        """Refuse a foreign project id in the path, in the words of Nova and Cinder."""
        if split.project_id is None or split.project_id == context.project_id:
            return
        if self.door.dialect is Dialect.COMPUTE:
            text = (
                f"Malformed request URL: URL's project_id '{split.project_id}' doesn't match Context's project_id "
                f"'{context.project_id}'"
            )
            raise InvalidRequestError(text)
        raise InvalidRequestError("Malformed request url")

    async def _negotiate(self, trip: Trip, request: Request, split: Split) -> None:
        service = self.door.service
        version = split.root.split("/")[1] if split.root else ""
        is_above = not split.root and not self.door.has_versioned_root
        if not self.door.has_microversions or service is None or version in self.door.unversioned or is_above:
            return
        served = self._gate.ranges.of(service, await self._gate.pods.pods())
        try:
            trip.version = microversions.negotiate(
                trip.headers, service, served.lowest, served.highest, latest=served.common
            )
        except NotAcceptableError:
            trip.version = asked_out_of_range(trip.headers, service)
            raise
        request.microversion = trip.version

    async def _carry(self, request: Request, row: Row) -> Answer:
        try:
            return await self._carried(request, row)
        except AbsentError as error:
            answer = await self._refusal(request, row, error)
            if answer is None:
                raise
            return answer

    async def _refusal(self, request: Request, row: Row, error: AbsentError) -> Answer | None:
        """What the central service says to a call about something that nobody has: form and policy are looked at
        first, in its own order and words. None when it cannot be asked.
        """
        is_about_it = row.behaviour is Behaviour.ROUTE and request.params.get(row.id_param or "") == error.resource_id
        is_made_of_it = row.behaviour is Behaviour.PLACE and row.kind not in _MADE_OF_NOTHING
        if self._carrier is None or not (is_about_it or is_made_of_it):
            return None
        try:
            answer = await self._carrier.central(request)
        except TricircleError as why:
            LOG.info("the centre cannot say why it refuses: %s", why)
            return None
        return answer if answer.status in _REFUSALS else None

    async def _carried(self, request: Request, row: Row) -> Answer:
        if row.handler is not None:
            return await row.handler(request)
        carrier = self._carrier
        if carrier is None:
            raise ValueError(f"{row.path}: the door {self.door.name} has no carrier")
        if row.behaviour is Behaviour.ROUTE:
            return await carrier.route(request, row)
        if row.behaviour is Behaviour.GATHER:
            return await carrier.gather(request, row)
        if row.behaviour is Behaviour.DECLARE:
            return await carrier.declare(request, row)
        return await carrier.central(request, is_streamed=row.is_streamed)

    async def _unnamed(self, trip: Trip, request: Request, split: Split, match: NotAllowed | None) -> Answer:
        """What no row names: by an id in the path if there is one that we know, else said clearly.

        To Nova and Cinder a path that they do not know has no version: what the headers say of one is not read.
        """
        can_hold_id = match is None or not match.is_fixed
        if self._strays is not None and split.root and can_hold_id and self._strays.may_mean(split.rest, match):
            await self._negotiate(trip, request, split)
            self._check_project(split, request.context)
            answer = await self._strays.answer(request, split.rest)
            if answer is not None:
                return answer
        if match is not None:
            text = f"The method {request.method} is not allowed for this resource."
            raise MethodNotAllowedError(text, match.methods)
        return self._unknown(trip, request)

    def _unknown(self, trip: Trip, request: Request) -> Answer:
        """404 for a path that is none: it is in no version."""
        trip.version = None
        return self.door.dialect.unknown_path(accept=request.header(b"accept") or b"*/*")

    def _is_document_astray(self, split: Split, path: Path) -> bool:
        """Whether a version's document is asked for below a project, where Nova has it only with a last slash."""
        if split.project_id is None or split.rest:
            return False
        return not (self.door.has_project_document and path.has_last_slash)

    def _is_public(self, match: Match | NotAllowed | None, split: Split) -> bool:
        """Whether no token is needed: version documents, and what Nova and Cinder do not even hand to their API."""
        if isinstance(match, Match):
            return match.is_public and split.project_id is None
        return self.door.has_microversions and not split.root

    def fault(self, error: TricircleError, trip: Trip) -> Answer:
        """The error in this door's words."""
        LOG.info("%s %s: %s", self.door.name, error.code, without_secrets(error.message))
        return answer_to(
            error,
            self.door.dialect,
            identity_uri=self._gate.settings.identity_url,
            accept=header(trip.headers, b"accept") or b"*/*",
        )

    def finish(self, answer: Answer, trip: Trip) -> None:
        """Add what every answer of this door carries."""
        # A redirection is made before a version is read.
        is_silent = answer.header(microversions.HEADER) is None and answer.status != 302
        if is_silent and trip.version is not None and self.door.service is not None:
            answer.headers += microversions.answer_headers(self.door.service, trip.version)
        if self.door.has_microversions:
            # Instance actions and messages name requests as the service did that carried them out.
            carried_as = answer.header(UPSTREAM_REQUEST_ID) or trip.request_id.encode()
            answer.headers.append((COMPUTE_REQUEST_ID, carried_as))
        if trip.request is not None and trip.request.timings:
            stages = (f"{stage};dur={spent:.2f}" for stage, spent in trip.request.timings.items())
            answer.headers.append((b"server-timing", ", ".join(stages).encode()))
