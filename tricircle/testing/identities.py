# SPDX-License-Identifier: Apache-2.0
"""Who is there, and whose token is this? The memory that the fake Keystone and all fake services share."""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project of the default domain."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a token says. ``expires_at`` is in seconds of the clock that the identities were made with."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: frozenset[str]
    expires_at: float

    @property
    def is_admin(self) -> bool:
        """Whether the role admin is held."""
        return "admin" in self.roles


@dataclass(slots=True)
class _User:
    id: str
    name: str
    password: str
    roles: dict[str, frozenset[str]] = field(default_factory=dict)  # project name -> roles


class Identities:
    """Users, projects and tokens. Every password is the one given; every token can be revoked."""

    def __init__(self, clock: Callable[[], float] = time.time, ttl_s: float = 3600.0) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self.projects: dict[str, Project] = {}
        self._users: dict[str, _User] = {}
        self._tokens: dict[str, Identity] = {}

    def add_user(self, name: str, password: str, roles: dict[str, Iterable[str]]) -> str:
        """A user with roles per project name; projects come to be as they are named. Returns the user's id."""
        user = _User(uuid.uuid4().hex, name, password)
        for project, names in roles.items():
            self.projects.setdefault(project, Project(id=uuid.uuid4().hex, name=project))
            user.roles[project] = frozenset(names)
        self._users[name] = user
        return user.id

    def grant(self, name: str, project: str, roles: Iterable[str]) -> None:
        """Give a user these roles in a project instead of those of before. As in Keystone, they are the user's and not
        the token's: tokens that are there have them at once.
        """
        user = self._users[name]
        user.roles[project] = frozenset(roles)
        for token, identity in self._tokens.items():
            if (identity.user_id, identity.project_name) == (user.id, project):
                self._tokens[token] = replace(identity, roles=user.roles[project])

    def sign_in(self, name: str, password: str, project: str) -> str:
        """A new token. ``project`` is a name or an id. :raises KeyError: wrong name, password or project."""
        user = self._users[name]
        by_id = {known.id: known.name for known in self.projects.values()}
        project = by_id.get(project, project)
        if user.password != password:
            raise KeyError(name)
        token = f"token-{uuid.uuid4().hex}"
        self._tokens[token] = Identity(
            user_id=user.id,
            user_name=user.name,
            project_id=self.projects[project].id,
            project_name=project,
            roles=user.roles[project],
            expires_at=self._clock() + self._ttl_s,
        )
        return token

    def of(self, token: str | None) -> Identity | None:
        """Whose token it is; None for one that is unknown, revoked or expired."""
        identity = self._tokens.get(token or "")
        return identity if identity is not None and identity.expires_at > self._clock() else None

    def revoke(self, token: str) -> None:
        """Make a token worthless."""
        self._tokens.pop(token, None)

    def user_ids(self) -> dict[str, str]:
        """User id -> name."""
        return {user.id: user.name for user in self._users.values()}
