# SPDX-License-Identifier: Apache-2.0
"""Who asks, on whose behalf, and until when?"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NewType

ProjectId = NewType("ProjectId", str)
PodId = NewType("PodId", str)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant (``time.monotonic`` seconds) after which nobody waits any more. It only shrinks."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """A deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    def within(self, seconds: float) -> "Deadline":
        """This deadline or ``seconds`` from now, whichever comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))


def has_role(wanted: str, roles: Iterable[str]) -> bool:
    """Whether a role is among the names of some, which to policies are the same in capitals.

    >>> has_role("admin", ["reader", "Admin"]), has_role("admin", ["reader"])
    (True, False)
    """
    return wanted.lower() in (role.lower() for role in roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """The identified caller of one request, as validated by Keystone.

    ``token`` is the caller's own token; it acts for the caller in pods and at the centre. ``is_admin`` is only a
    hint for what an answer may show (policy decides what is allowed): true when the roles hold ``admin_role``.
    ``has_access_rules``: the token is of an application credential that may make certain calls only, which services
    refuse altogether unless they are told what they are called in such rules. ``expires_at``: when the token ends, in
    seconds of the wall clock; None is not known.
    """

    request_id: str
    global_request_id: str | None = None
    token: str = field(repr=False)
    user_id: str
    project_id: ProjectId
    project_name: str | None = None
    domain_id: str | None = None
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    system_scope: str | None = None
    roles: frozenset[str]
    admin_role: str = "admin"
    has_access_rules: bool = False
    expires_at: float | None = None
    deadline: Deadline

    @property
    def is_admin(self) -> bool:
        """Whether the token holds the admin role."""
        return has_role(self.admin_role, self.roles)

    def policy_values(self) -> dict[str, object]:
        """The credentials as oslo.policy reads them."""
        return {
            "user_id": self.user_id,
            "project_id": self.project_id,
            "domain_id": self.domain_id,
            "user_domain_id": self.user_domain_id,
            "project_domain_id": self.project_domain_id,
            "system_scope": self.system_scope,
            "roles": sorted(self.roles),
        }
