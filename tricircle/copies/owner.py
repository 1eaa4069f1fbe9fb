# SPDX-License-Identifier: Apache-2.0
"""Which project owns what we make for everybody, and may it have as much as it needs?

Networks and subnets in pods, and slice ports at the centre, belong to the project of the service user: tenants use them
and cannot edit them. Neutron's default quotas are made for tenants (10 RBAC policies), so ours are lifted once.
"""

from tricircle.context import Deadline
from tricircle.copies.bodies import member, text
from tricircle.upstream.client import ServiceClient

_LIFTED = ("network", "subnet", "port", "rbac_policy", "security_group", "security_group_rule")


class Owner:
    """Knows the service user's project, per Neutron and process; a look-up costs two calls once."""

    def __init__(self) -> None:
        self._projects: dict[str, str] = {}

    async def project(self, client: ServiceClient, deadline: Deadline) -> str:
        """The id of the project that owns what ``client`` (the service user at one Neutron) creates."""
        known = self._projects.get(client.target.url)
        if known is not None:
            return known
        answer = await client.get("/v2.0/quotas/project", deadline=deadline)
        project_id = text(member(answer, "project"), "project_id")
        quota = dict.fromkeys(_LIFTED, -1)
        await client.put(f"/v2.0/quotas/{project_id}", body={"quota": quota}, deadline=deadline)
        self._projects[client.target.url] = project_id
        return project_id
