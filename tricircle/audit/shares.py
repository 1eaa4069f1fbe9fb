# SPDX-License-Identifier: Apache-2.0
"""With whom are networks and security groups shared in a pod, and with whom should they not be any more?

The centre is asked page by page, only about shares with others than the owner, and about their ports only where it
gives them no access.
"""

from collections.abc import Collection, Sequence

from tricircle.audit.centre import Centre
from tricircle.audit.findings import Holding
from tricircle.audit.seen import Seen
from tricircle.context import Deadline
from tricircle.copies.bodies import text, words
from tricircle.copies.reach import Reach
from tricircle.copies.shares import ACTION, EVERYBODY, LENDABLE, with_access
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind


class Shares:
    """The shares in one pod.

    :ivar there: ``<id in the pod>/<project>`` of each
    :ivar outlived: central ids of what is shared by us with a project which has no reason for it any more
    """

    def __init__(self, reach: Reach, centre: Centre, pod: Pod, deadline: Deadline) -> None:
        self._reach = reach
        self._centre = centre
        self._pod = pod
        self._deadline = deadline
        self.there = Seen()
        self.outlived: set[str] = set()

    async def add(self, page: Sequence[Holding]) -> None:
        """Look at one page of the pod's RBAC policies."""
        shared = [one for one in page if one.body.get("action") == ACTION]
        self.there.add(f"{text(one.body, 'object_id')}/{text(one.body, 'target_tenant')}" for one in shared)
        for kind, lendable in LENDABLE.items():
            await self._judge(kind, [one for one in shared if one.body.get("object_type") == lendable.object_type])

    async def _judge(self, kind: Kind, shared: Collection[Holding]) -> None:
        with_others = await self._with_others(kind, shared)
        if not with_others:
            return
        given = await self._centre.rbac_policies(with_others, deadline=self._deadline)
        for central_id, projects in with_others.items():
            targets = given.get(central_id, set())
            rest = set() if EVERYBODY in targets else projects - targets
            if rest - await with_access(self._reach.central, kind, central_id, rest, deadline=self._deadline):
                self.outlived.add(central_id)

    async def _with_others(self, kind: Kind, shared: Collection[Holding]) -> dict[str, set[str]]:
        """Projects with which we share what is not theirs, by its central id."""
        owner = await self._reach.owner.project(self._reach.network(self._pod), self._deadline)
        ids = {text(one.body, "object_id") for one in shared}
        copies = await self._reach.routings.by_pod_resource(self._pod.id, kind, ids)
        found: dict[str, set[str]] = {}
        for one in shared:
            copy, project_id = copies.get(text(one.body, "object_id")), text(one.body, "target_tenant")
            if copy is None or one.project_id != owner or project_id in {copy.project_id, EVERYBODY}:
                continue
            if project_id not in words(copy.details, "lent"):
                found.setdefault(copy.central_id, set()).add(project_id)
        return found
