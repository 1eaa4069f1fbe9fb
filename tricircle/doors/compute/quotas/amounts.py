# SPDX-License-Identifier: Apache-2.0
"""How much of what Nova limits for a project are servers? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.errors import BadUpstreamAnswerError


@dataclass(frozen=True, slots=True)
class Amounts:
    """Servers, cores and MiB of memory."""

    instances: int = 0
    cores: int = 0
    ram: int = 0

    def times(self, count: int) -> "Amounts":
        """For so many servers."""
        return Amounts(self.instances * count, self.cores * count, self.ram * count)

    def named(self) -> dict[str, int]:
        """By Nova's names."""
        return {"instances": self.instances, "cores": self.cores, "ram": self.ram}

    @classmethod
    def of(cls, amounts: Mapping[str, int]) -> "Amounts":
        """From Nova's names."""
        return cls(amounts.get("instances", 0), amounts.get("cores", 0), amounts.get("ram", 0))


@dataclass(frozen=True, slots=True)
class ServerSize(Amounts):
    """One server that exists.

    :ivar user_id: whose it is; empty: nobody says
    """

    user_id: str = ""


def one_of(flavor: Mapping[str, object]) -> Amounts:
    """One server of this flavor."""
    return Amounts(1, number(flavor, "vcpus", 0), number(flavor, "ram", 0))


def size_of(server: Mapping[str, object]) -> ServerSize | None:
    """A server as Nova shows it from 2.47 on; None when it does not say."""
    flavor = server.get("flavor")
    if not isinstance(flavor, Mapping):
        return None
    one = one_of(flavor)
    return ServerSize(one.instances, one.cores, one.ram, str(server.get("user_id") or ""))


def used_by_project(answer: Mapping[str, object]) -> dict[str, int]:
    """What ``limits`` say is used, by Nova's names of quotas."""
    absolute = absolute_of(answer)
    used = Amounts(
        number(absolute, "totalInstancesUsed", 0),
        number(absolute, "totalCoresUsed", 0),
        number(absolute, "totalRAMUsed", 0),
    )
    return used.named()


def used_by_user(answer: Mapping[str, object]) -> dict[str, int]:
    """What the detail of a user's quota set says is used.

    >>> used_by_user({"quota_set": {"instances": {"limit": 3, "in_use": 2, "reserved": 0}, "cores": {}}})
    {'instances': 2, 'cores': 0, 'ram': 0}
    """
    quotas = quota_set_of(answer)
    parts = {name: part for name in Amounts().named() if isinstance(part := quotas.get(name), Mapping)}
    return {name: max(0, number(parts.get(name, {}), "in_use", 0)) for name in Amounts().named()}


def absolute_of(answer: Mapping[str, object]) -> Mapping[str, object]:
    """The absolute limits in an answer to ``limits``. :raises BadUpstreamAnswerError: there are none"""
    limits = answer.get("limits")
    absolute = limits.get("absolute") if isinstance(limits, Mapping) else None
    return _found(absolute)


def quota_set_of(answer: Mapping[str, object]) -> Mapping[str, object]:
    """The limits in an answer to ``os-quota-sets``. :raises BadUpstreamAnswerError: there are none"""
    return _found(answer.get("quota_set"))


def number(values: Mapping[str, object], name: str, default: int) -> int:
    """What is there under a name, if it is a number."""
    value = values.get(name)
    return value if isinstance(value, int) else default


def _found(part: object) -> Mapping[str, object]:
    if not isinstance(part, Mapping):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return part
