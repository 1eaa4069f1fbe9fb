# SPDX-License-Identifier: Apache-2.0
"""How much of its limits has a project taken, when part of it is still being made and pods count late?

A pod's count (a *reading*) includes what was made before the pod was asked. A *reservation* stands for what a pod is
being asked for, until a reading includes it. All instants are the database's. Everything here is pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tricircle.context import PodId

#: Numbers by quota name, such as ``instances`` or ``gigabytes_gold``.
Amounts = Mapping[str, int]
#: How names begin of what is one user's part of a project's: no service's own name does.
_USERS = "user "
#: A pod's answer may include what was made while it was being asked, for so long at most.
_ANSWERING = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a project used in a pod, as the pod said.

    :ivar seen_at: when the pod was about to be asked
    """

    pod_id: PodId
    amounts: Amounts
    seen_at: datetime

    def completed(self, former: "Reading | None", counted: Iterable["Reservation"]) -> "Reading":
        """With the parts of users of whom the pod was not asked this time: as it said them last, and what it counts
        since. Nothing is taken off that is gone meanwhile: the pod is asked before anybody is held to it.

        :param former: the pod's reading before this one
        :param counted: the reservations that this reading covers
        """
        asked = {_user_in(name) for name in self.amounts}
        parts = [one.amounts for one in counted] + ([] if former is None else [former.amounts])
        kept = added({n: part[n] for n in part if n.startswith(_USERS) and _user_in(n) not in asked} for part in parts)
        return replace(self, amounts={**self.amounts, **kept}) if kept else self

    def supplied(self, older: "Reading") -> "Reading":
        """With the parts of users of whom nothing is known here, as an older reading of the pod tells them: this one
        was asked for later by somebody who did not need them, and is no word against them.
        """
        known = {_user_in(name) for name in self.amounts}
        lacked = {n: value for n, value in older.amounts.items() if n.startswith(_USERS) and _user_in(n) not in known}
        return replace(self, amounts={**self.amounts, **lacked}) if lacked else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What a pod is asked for.

    :ivar until: no call that could use it is under way after this
    :ivar resource_id: what the pod is making of it; None until the pod has said so
    :ivar bound_at: when the pod's own count was known to include it
    """

    id: int
    pod_id: PodId
    amounts: Amounts
    created_at: datetime
    until: datetime
    resource_id: str | None = None
    bound_at: datetime | None = None

    def is_covered(self, reading: Reading) -> bool:
        """Whether the reading (of the same pod) includes all that can ever come of it."""
        is_counted = self.bound_at is not None and self.bound_at < reading.seen_at
        return is_counted or self.until < reading.seen_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a project has taken.

    :ivar used: the sum of the readings
    :ivar reserved: the sum of the reservations that no reading covers
    :ivar doubtful: the part of ``reserved`` that ``used`` may include as well
    """

    used: Amounts = field(default_factory=dict)
    reserved: Amounts = field(default_factory=dict)
    doubtful: Amounts = field(default_factory=dict)

    @property
    def most(self) -> Amounts:
        """What may be taken: as if nothing were counted twice."""
        return added([self.used, self.reserved])

    @property
    def least(self) -> Amounts:
        """What is certainly taken: as if all that may be counted twice were."""
        return {name: amount - self.doubtful.get(name, 0) for name, amount in self.most.items()}


def standing(readings: Iterable[Reading], reservations: Iterable[Reservation]) -> Standing:
    """What the newest reading of every pod and all reservations say together."""
    by_pod = {reading.pod_id: reading for reading in readings}
    reserved: list[Amounts] = []
    doubtful: list[Amounts] = []
    for one in reservations:
        reading = by_pod.get(one.pod_id)
        if reading is not None and one.is_covered(reading):
            continue
        reserved.append(one.amounts)
        if reading is not None and reading.seen_at > one.created_at - _ANSWERING:
            doubtful.append(one.amounts)
    used = added(reading.amounts for reading in by_pod.values())
    return Standing(used=used, reserved=added(reserved), doubtful=added(doubtful))


def of_user(user_id: str, amounts: Amounts) -> dict[str, int]:
    """One user's part of what a project has or takes, to be written beside the project's.

    >>> of_user("u1", {"cores": 2})
    {'user u1 cores': 2}
    """
    return {f"{_USERS}{user_id} {name}": amount for name, amount in amounts.items()}


def users_part(user_id: str, amounts: Amounts) -> dict[str, int]:
    """What ``of_user`` wrote.

    >>> users_part("u1", {"cores": 7, "user u1 cores": 2, "user u2 cores": 3})
    {'cores': 2}
    """
    begin = f"{_USERS}{user_id} "
    return {name.removeprefix(begin): amount for name, amount in amounts.items() if name.startswith(begin)}


def _user_in(name: str) -> str:
    """Whose part a name tells; empty: the project's."""
    return name.removeprefix(_USERS).rpartition(" ")[0] if name.startswith(_USERS) else ""


def added(parts: Iterable[Amounts]) -> dict[str, int]:
    """The sum, name by name.

    >>> added([{"volumes": 1}, {"volumes": 2, "gigabytes": 3}])
    {'volumes': 3, 'gigabytes': 3}
    """
    total: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total
