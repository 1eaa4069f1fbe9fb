# SPDX-License-Identifier: Apache-2.0
"""How are operations played, killed and settled, one after the other, and how are all of them judged together?"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import requests

from tests.functional.region_world import PATIENCE, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant
from tests.kill.operations import SHARED_NETWORK, Operation, Props, Repeatable, Scene
from tests.kill.stage import Stage
from tests.kill.trigger import CUTS, KILLS, Party, Point, Role
from tests.kill.truth import RESERVED, Truth, contradictions, look
from tests.kill.whose import is_gone

#: Seconds that jobs of an operation get to run until its worker counts as one that does not come to the point.
_JOBS_S = 20.0 * PATIENCE
#: The longest that the call takes at whose answer somebody dies.
_STRIKES_S = 90.0 * PATIENCE
#: Rows that are due within this time belong to what was just done.
_SOON = "INTERVAL 3 SECOND"
#: Nothing is due later than this after the last kill: precautions are filed for a minute, claims a little longer.
_SETTLED_S = 150.0
#: Nova attaches a server's ports one after the other, and gives each a minute, in which it waits as well.
_AT_ONCE = max(1, round(6 / PATIENCE))
#: So many scenes are prepared, and then played.
_AHEAD = 6
#: How often a scene is begun.
_TRIES = 3
_SHARED = "shared"
_OWNED = (
    ("compute", "servers"),
    ("block-storage", "snapshots"),
    ("block-storage", "volumes"),
    ("network", "trunks"),
    ("network", "ports"),
    ("network", "networks"),
    ("network", "security-groups"),
    ("network", "address-groups"),
)
_LIMITS = (
    ("compute", "/os-quota-sets", ("instances", "cores", "ram")),
    ("block-storage", "/os-quota-sets", ("volumes", "snapshots", "gigabytes")),
    ("network", "/quotas", ("security_group", "security_group_rule", "port", "network", "subnet")),
)
_DUE = f"SELECT type FROM tricircle_jobs WHERE failed_at IS NULL AND not_before < UTC_TIMESTAMP() + {_SOON}"
#: Not those of earlier scenes that wait for what a dead worker held.
_NEW = f"{_DUE} AND last_error IS NULL"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One operation, and where somebody dies in it."""

    operation: Operation
    point: Point


@dataclass(kw_only=True)
class Company:
    """Everybody who plays: the region, the stage, and the tenants that were made."""

    region: Region
    stage: Stage
    props: Props
    scenes: list[Scene] = field(default_factory=list)
    spoiled: list[Scene] = field(default_factory=list)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    tried: Counter[tuple[str, Role, Party, bool]] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def learn(self, operations: Sequence[Operation]) -> list[Plan]:
        """Play each once without a kill; all points that there are."""
        found: list[Plan] = []
        for scene in self.prepared(operations):
            self.stage.trigger.arm(None)
            scene.told = scene.operation.act(self.props, scene)
            assert scene.told.is_done, (str(scene), scene.told.body)
            self._let_jobs_run(_JOBS_S)
            for (role, party), count in sorted(self.stage.trigger.counted().items()):
                for number in range(1, count + 1):
                    points = [Point(role=role, party=party, number=number, when=when) for when in (*KILLS, *CUTS)]
                    found += [Plan(operation=scene.operation, point=point) for point in points]
        return found

    def play(self, plans: Sequence[Plan], until: float) -> int:
        """Play them, each in a scene of its own, with its kill, and begin nothing new after ``until`` (of the monotonic
        clock). How many were played.
        """
        played = 0
        while played < len(plans) and time.monotonic() < until:
            some = plans[played : played + _AHEAD]
            for scene, plan in zip(self.prepared([plan.operation for plan in some]), some, strict=True):
                self.play_one(scene, plan.point)
            played += len(some)
        return played

    def judge(self) -> list[str]:
        """All that is wrong once everything has come to rest, and again after tenants deleted what they see."""
        self._settle()
        for scene in self.scenes:
            if isinstance(scene.operation, Repeatable):
                scene.operation.repeat(self.props, scene)
        truth = self._look()
        kept = frozenset(port for scene in self.scenes + self.spoiled for port in scene.ports)
        problems = list(contradictions(truth, kept))
        for scene in self.scenes:
            problems += [f"{scene}: {problem}" for problem in scene.operation.judge(scene, truth)]
            if not (scene.point or scene.told.is_done):
                problems.append(f"{scene}: nobody died, and it did not succeed: {scene.told.body}")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(leave, self.tenants.values()))
        self._settle()
        truth = self._look()
        for scene in self.scenes:
            gone = [place for place, net_id in scene.theirs if net_id not in ids(truth.networks[place])]
            problems += [f"{scene}: the network of the operator of {place} is gone" for place in gone]
        return problems + [f"afterwards: {left}" for left in leftovers(truth)]

    def close(self) -> None:
        """Take the tenants themselves away, and their scenes with them."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(Tenant.sweep, self.tenants.values()))
        for place, network_id in (one for scene in self.scenes + self.spoiled for one in scene.theirs):
            operator = self.region.pods[place]
            for port in operator.list("network", "ports", network_id=network_id):
                operator.delete("network", f"/ports/{port['id']}")
            operator.delete("network", f"/networks/{network_id}")
        self.tenants.clear()
        self.scenes.clear()
        self.spoiled.clear()

    def _look(self) -> Truth:
        return look(self.region, self.stage, list(self.tenants.values()))

    def prepared(self, operations: Sequence[Operation]) -> list[Scene]:
        names = [unique("kill") for _ in operations]
        keys = [_SHARED if op.shares_project else name for op, name in zip(operations, names, strict=True)]
        new = [key for key in dict.fromkeys(keys) if key not in self.tenants]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self.tenants.update(zip(new, pool.map(self._tenant, new), strict=True))
            scenes = list(pool.map(self.scene, operations, keys))
        self._let_jobs_run(_JOBS_S, _NEW)
        self.scenes += scenes
        return scenes

    def scene(self, operation: Operation, key: str) -> Scene:
        """A scene that is prepared. What a busy machine spoils is begun anew; what it left is judged with the rest."""
        left = _TRIES
        while True:
            scene, left = Scene(operation=operation, tenant=self.tenants[key], name=unique("kill")), left - 1
            try:
                operation.prepare(self.props, scene)
            except (AssertionError, requests.RequestException) as error:
                print(f"{scene} was not prepared, {left} more tries: {error}")
                self.spoiled.append(scene)
                if not left:
                    raise
            else:
                return scene

    def _tenant(self, key: str) -> Tenant:
        """A project without limits; with a network that its scenes share."""
        made, admin = Tenant(self.region), self.region.admin
        for service, path, words in _LIMITS:
            member = "quota" if service == "network" else "quota_set"
            admin.good("PUT", service, f"{path}/{made.project_id}", {member: dict.fromkeys(words, 100_000)})
        if key == _SHARED:
            made.network(name=SHARED_NETWORK)
        return made

    def play_one(self, scene: Scene, point: Point) -> None:
        trigger = self.stage.trigger
        trigger.arm(point)
        scene.told = scene.operation.act(self.props, scene)
        if point.role is Role.WORKER:
            self._let_jobs_run(_JOBS_S)
        fell = trigger.disarm()
        if fell and point.when in KILLS:
            dead = trigger.struck(_STRIKES_S)
            # Only then is nobody's call accepted by one that dies.
            eventually(lambda: is_gone(dead), bool, "the process is gone")
        self.stage.tend()
        if fell:
            scene.point = f"{point}, {fell}"
            self.tried[scene.operation.name, point.role, point.party, point.when in KILLS] += 1
        else:
            self.missed.append(f"{scene.operation.name}: {point} ({scene.told.status})")

    def _let_jobs_run(self, seconds: float, due: str = _DUE) -> None:
        """Until nothing is due, somebody died, or the time is up."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.stage.trigger.fell and self.stage.rows(due):
            time.sleep(0.1 * PATIENCE)

    def _settle(self) -> None:
        """Let jobs and a sweep of all pods end."""
        self.stage.tend()
        self._wait_for_jobs()
        swept = self.stage.manage("sweep", "--wait", str(_SETTLED_S * PATIENCE))
        print(swept.stdout + swept.stderr[-2000:])
        self._wait_for_jobs()

    def _wait_for_jobs(self) -> None:
        projects = {tenant.project_id for tenant in self.tenants.values()}

        def waiting() -> list[Json]:
            rows = self.stage.rows("SELECT project_id, type, resource_id, last_error FROM tricircle_jobs")
            return [row for row in rows + self.stage.rows(RESERVED) if row["project_id"] in projects]

        with suppress(AssertionError):
            eventually(waiting, lambda rows: not rows, "all jobs are done", seconds=_SETTLED_S)


def leave(tenant: Tenant) -> None:
    """Delete everything that the tenant sees, with the tenant's own hands, as often as it takes."""
    with suppress(AssertionError):
        eventually(lambda: _delete_seen(tenant), lambda left: not left, f"{tenant.name} sees nothing", seconds=300)


def _delete_seen(tenant: Tenant) -> list[str]:
    """Ask for the deletion of all that is seen, users before what they use; what was there."""
    here, seen = tenant.here, []
    for service, collection in _OWNED:
        for thing in here.list(service, collection):
            is_ours = thing.get("device_owner") == "network:dhcp" or thing.get("name") == "default"
            if thing.get("project_id", tenant.project_id) == tenant.project_id and not is_ours:
                path = f"/{collection}/{thing['id']}"
                seen.append(path)
                here.delete(service, path)
    for pair in here.list("compute", "os-keypairs"):
        here.delete("compute", f"/os-keypairs/{pair['keypair']['name']}")
    return seen


def leftovers(truth: Truth) -> Iterator[str]:
    """What is there although its owner has deleted all that he saw. Groups ``default`` cannot be deleted."""
    for kind in ("servers", "volumes", "snapshots"):
        yield from (f"{kind} {thing_id}" for thing_id in ids(getattr(truth, kind)))
    for kind in ("ports", "networks", "subnets", "groups", "trunks"):
        for place, things in getattr(truth, kind).items():
            for thing in things:
                is_default = kind == "groups" and "default" in (thing["name"], _original_name(truth, thing))
                if thing["project_id"] in truth.projects and not is_default:
                    yield f"{place} {kind} {thing['id']} {thing.get('device_id', '')} {thing['description']}"
    yield from contradictions(truth, frozenset())


def _original_name(truth: Truth, thing: dict[str, object]) -> object:
    mark = str(thing["description"])
    return next((group["name"] for group in truth.groups["RegionOne"] if mark.endswith(str(group["id"]))), "")


def sample(plans: Sequence[Plan], size: int, seed: int) -> list[Plan]:
    """One of every k, by the seed. Not every k-th: moments alternate, and some k would meet only one of them."""
    step, dice = max(1, len(plans) // size), random.Random(seed)
    return [dice.choice(plans[start : start + step]) for start in range(0, len(plans), step)]
