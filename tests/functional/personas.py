# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what? Personas with tokens of their own, and a call for every row that we answer ourselves."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from unittest.mock import Mock

from lab.topology import PASSWORD
from tests.functional.persona_calls import ASKED, CARRIED_OUT, PARAMETERS, SAME
from tests.functional.region_world import Json, Region, ask, eventually, unique
from tests.fuzz import other_calls
from tests.fuzz.calls import Call, compute
from tests.fuzz.mutations import Case, plain
from tests.fuzz.spares import Spares
from tests.fuzz.storage_calls import block_storage
from tests.fuzz.wire import Heard, send
from tests.fuzz.world import THEIRS, Side, World
from tricircle.doors.admin import rows as admin_rows
from tricircle.doors.block_storage import rows as storage_rows
from tricircle.doors.compute import rows as compute_rows
from tricircle.doors.image import rows as image_rows
from tricircle.doors.network import rows as network_rows
from tricircle.road.door import Door
from tricircle.road.path import canonical
from tricircle.road.row import Behaviour, Row
from tricircle.road.table import DoorTable, Match

#: In the order of the table. ``foreign admin``: administrator of another project; ``domain admin``: of a domain.
PERSONAS = ("reader", "member", "manager", "admin", "foreign admin", "domain admin", "service")
#: By door: what makes it, good requests, the microversion that its rows are asked at.
DOORS_WITH_ROWS: dict[str, tuple[Callable[..., Door], Callable[[], Iterator[Call]], tuple[int, int] | None]] = {
    "compute": (compute_rows.door, compute, (2, 90)),
    "block-storage": (storage_rows.door, block_storage, (3, 59)),
    "network": (network_rows.door, other_calls.network, None),
    "image": (image_rows.door, other_calls.image, None),
    "admin": (admin_rows.door, other_calls.admin, None),
}
_OWN = frozenset({Behaviour.OURS, Behaviour.SUM, Behaviour.GATHER, Behaviour.PLACE})
#: A thing that a row has for itself.
_SPARE = re.compile(r"@spare-([a-z-]+)")
_DOMAIN = {"domain": {"id": "default"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One call of one row."""

    door: str
    row: Row
    call: Call

    @property
    def name(self) -> str:
        """As the table names it."""
        action = self.call.name.rpartition("/action ")[2] if "/action " in self.call.name else ""
        return f"{self.call.method} {self.row.path}" + (f" {action}" if action else "")


def probes(door: str) -> list[Probe]:
    """A call for every row of a door that we answer ourselves; for rows of actions, one for each action."""
    made, calls, version = DOORS_WITH_ROWS[door]
    parameters = [Mock() for _ in inspect.signature(made).parameters]
    opened = made(*parameters)
    table = DoorTable(opened.rows, versions=opened.versions, is_project_optional=False)
    root = "/" + min(opened.versions, key=lambda one: (len(one) < 3, one))
    found: dict[str, Probe] = {}
    for call in calls():
        match = table.match(call.method, table.split(canonical(root + call.path)))
        wanted = _version(call.version) or version
        at = match.at(wanted) if isinstance(match, Match) else None
        if at is not None and is_ours(at[0]):
            probe = Probe(door=door, row=at[0], call=replace(call, query=()))
            found.setdefault(probe.name, probe)
    known = {(probe.row.path, probe.call.method) for probe in found.values()}
    for row in opened.rows:
        for method in row.methods:
            if is_ours(row) and (row.path, method) not in known:
                probe = Probe(door=door, row=row, call=_call(method, row, version))
                found.setdefault(probe.name, probe)
    telling = ASKED[door]
    asked = [replace(one, call=replace(one.call, **telling.get(name, {}))) for name, one in found.items()]
    return sorted(asked, key=lambda probe: (probe.row.path, probe.name))


def is_ours(row: Row) -> bool:
    """Whether more than passing on is done for a row, and somebody must be known for it."""
    return not row.is_public and (row.handler is not None or row.behaviour in _OWN)


def _call(method: str, row: Row, version: tuple[int, int] | None) -> Call:
    path = re.sub(r"\{(\w+)(\.\.\.)?\}", lambda match: PARAMETERS.get(match[1], "@nobody"), row.path)
    lowest, highest = _version(row.min_version), _version(row.max_version)
    if version is not None and highest is not None:
        version = min(version, highest)
    if version is not None and lowest is not None:
        version = max(version, lowest)
    if method == "DELETE":
        path = re.sub(r"@[\w-]+", "@nobody", path)
    text = None if version is None else f"{version[0]}.{version[1]}"
    return Call(method=method, path=path, body={} if method in ("POST", "PUT") else None, version=text)


def _version(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    major, _, minor = text.partition(".")
    return int(major), int(minor)


class Company:
    """Everybody in turn: users with one role in the world's project, and strangers with more."""

    def __init__(self, region: Region, things: World) -> None:
        self._region = region
        self._things = things
        self._users: list[str] = []
        self._spares = Spares(things)
        #: Of each row, on each side.
        self._spare_ids: dict[tuple[str, int], str] = {}
        mine, foreign = things.tenant.project_id, things.stranger.project_id
        self.tokens = {name: self._token(name, mine) for name in ("reader", "member", "manager")}
        self.tokens["admin"] = self._token("admin", mine)
        self.tokens["foreign admin"] = self._token("admin", foreign)
        self.tokens["domain admin"] = self._token("admin", None)
        self.tokens["service"] = self._token("service", foreign)

    def asks(self, probe: Probe, persona: str, place: int) -> Heard | None:
        """What a persona is told at the door (``OURS``) or at the service itself (``THEIRS``)."""
        side = self._things.sides(probe.door)[place]
        if side is None:
            return None
        path = SAME.get(probe.call.path, probe.call.path) if place == THEIRS else probe.call.path
        named = _SPARE.search(path)
        if named is not None:
            path = path.replace(named[0], self._spare(probe, named[1], place))
        call = replace(probe.call, who=persona, path=path)
        case: Case = plain(call, probe.door)
        own = replace(side, tokens=self.tokens)
        heard = self._heard(case, own, place)
        if is_refused(probe, heard):
            # Somebody else may be at work on the same thing.
            heard = eventually(lambda: self._heard(case, own, place), lambda seen: seen.status != 409, probe.name, 60)
        if sort(heard) == "yes":
            self._spare_ids.pop((probe.name, place), None)
        return heard

    def _spare(self, probe: Probe, kind: str, place: int) -> str:
        """What a row has for itself, until somebody may end it."""
        known = self._spare_ids.get((probe.name, place))
        if known is None:
            known = self._spare_ids[probe.name, place] = self._spares.make(kind, place)
        return known

    def _heard(self, case: Case, side: Side, place: int) -> Heard:
        sent = self._things.request(case, side, place)

        def ask() -> Heard:
            return send(side.host, side.port, sent)

        # On a busy machine a pod may be late, and then nobody knows what it would have said.
        heard = eventually(ask, lambda seen: seen.status != 503, case.call.name, 60)
        self._things.take_back(side, sent, heard)
        return heard

    def _token(self, role: str, project_id: str | None) -> str:
        """A token of a new user with one role in a project; without one, in the domain."""
        admin, name = self._region.admin, unique(f"persona-{role}")
        user = admin.make("identity", "users", "user", name=name, password=PASSWORD, domain_id="default")
        self._users.append(str(user["id"]))
        (known,) = admin.list("identity", "roles", name=role)
        where = f"/projects/{project_id}" if project_id else "/domains/default"
        admin.good("PUT", "identity", f"{where}/users/{user['id']}/roles/{known['id']}")
        who = {"id": user["id"], "password": PASSWORD}
        scope: Json = {"project": {"id": project_id}} if project_id else _DOMAIN
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}}
        answer = ask("POST", f"{self._region.identity}/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def leave(self) -> None:
        """Nobody is left."""
        for user in self._users:
            for pair in self._region.admin.list("compute", "os-keypairs", user_id=user):
                path = f"/os-keypairs/{pair['keypair']['name']}?user_id={user}"
                self._region.admin.delete("compute", path)
            self._region.admin.delete("identity", f"/users/{user}")


def is_refused(probe: Probe, heard: Heard) -> bool:
    """Whether what was asked for is refused to who may, of a call that has to be carried out."""
    return probe.name in CARRIED_OUT[probe.door] and sort(heard) == "yes" and heard.status >= 400


def sort(heard: Heard) -> str:
    """What an answer means for who asked: ``no`` (403), ``not there`` (404), ``yes``."""
    return {403: "no", 404: "not there", 401: "401"}.get(heard.status, "yes")


MARKS = {"yes": "yes", "refused": "refused", "no": "-", "not there": "404", "401": "401", "500": "500", "501": "501"}


def line(probe: Probe, answers: Sequence[str]) -> str:
    """One line of the page."""
    return f"| {probe.door} | `{probe.name}` | " + " | ".join(MARKS[answer] for answer in answers) + " |"
