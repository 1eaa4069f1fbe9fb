# SPDX-License-Identifier: Apache-2.0
"""What has a recovery learnt of one pod so far? Only memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tricircle.audit.findings import Holding, Part
from tricircle.context import ProjectId
from tricircle.copies.bodies import text
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.recovery.facts import ANYBODY, Sorted

_HOST_NAME = "OS-EXT-SRV-ATTR:hostname"


@dataclass(slots=True)
class Contents:
    """What was learnt of one pod so far.

    :ivar lists: objects by kind; a kind whose list could not be read is missing
    :ivar made: what was made of them
    :ivar servers: the ids of all servers; None when they are not known
    :ivar host_names: what each server is called inside, and by its pod's DNS
    :ivar flavors, types: names of those that servers and volumes have
    :ivar projects, users: who has something there
    :ivar volumes: whose each volume is; lists of attachments do not say it
    """

    pod: Pod
    lists: dict[Kind | Part, list[Holding]] = field(default_factory=dict)
    made: dict[Kind, Sorted] = field(default_factory=dict)
    servers: frozenset[str] | None = None
    host_names: dict[str, str] = field(default_factory=dict)
    flavors: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    projects: set[ProjectId] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    volumes: dict[str, ProjectId] = field(default_factory=dict)
    _by_id: dict[Kind | Part, dict[str, Holding]] = field(default_factory=dict)

    def has(self, *kinds: Kind | Part) -> bool:
        """Whether these lists were read completely."""
        return all(kind in self.lists for kind in kinds)

    def learn(self, holding: Holding) -> Holding:
        """Remember of something that runs what others want to know; with its project, where only we know it."""
        if holding.kind is Kind.ATTACHMENT:
            return replace(holding, project_id=self.volumes.get(text(holding.body, "volume_id")))
        if holding.project_id is not None:
            self.projects.add(holding.project_id)
        if holding.kind is Kind.SERVER:
            self.users.add(text(holding.body, "user_id"))
            self.host_names[holding.pod_resource_id] = text(holding.body, _HOST_NAME)
            flavor = holding.body.get("flavor")
            self.flavors.add(text(flavor, "original_name") if isinstance(flavor, dict) else "")
        elif holding.kind is Kind.VOLUME:
            self.types.add(text(holding.body, "volume_type"))
            self.volumes[holding.pod_resource_id] = holding.project_id or ANYBODY
        return holding

    def by_id(self, kind: Kind | Part) -> dict[str, Holding]:
        """The objects of a list by their ids in the pod."""
        if kind not in self._by_id:
            self._by_id[kind] = {one.pod_resource_id: one for one in self.lists.get(kind, ())}
        return self._by_id[kind]

    def rename(self, kind: Kind, names: Mapping[str, str]) -> None:
        """Objects of which the centre has made new originals: central ids by those that their marks name."""
        if kind not in self.lists:
            return  # what could not be read is not empty
        self._by_id.pop(kind, None)
        self.lists[kind] = [
            replace(one, central_id=names.get(one.central_id or "", one.central_id)) for one in self.lists[kind]
        ]
