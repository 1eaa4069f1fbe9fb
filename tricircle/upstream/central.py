# SPDX-License-Identifier: Apache-2.0
"""What does the central Neutron say an object is now, and not what it was before the change that we were told of?

Reads as the service user. A job row carries the revision number of the change that caused it; where databases are
replicated, a reader can be faster than the commit it was told of. So what is older than ``at_least``, and a 404 when a
revision is known, is asked for again for a short while, not believed.
"""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import quote

from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, NotFoundError, UnavailableError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.client import Clients, Params, ServiceClient, collect
from tricircle.upstream.reply import Target

Body = Mapping[str, object]

#: Seconds for which an answer that is too old is asked for again, and the pause between two questions.
_PATIENCE_S = 3.0
_PAUSE_S = 0.1
#: How Neutron and Nova begin the body of their own 404.
_GONE = ("NeutronError", "itemNotFound")


class Central:
    """The central Neutron as gateway and worker see it.

    :param targets: where a central service is, such as ``Registry.central``
    :param patience_s: for how long an answer that is too old is asked for again
    """

    def __init__(
        self, clients: Clients, targets: Callable[[Service], Target], *, patience_s: float = _PATIENCE_S
    ) -> None:
        self._clients = clients
        self._targets = targets
        self._patience_s = patience_s

    @property
    def networking(self) -> ServiceClient:
        """The central Neutron as the service user, for writing."""
        return self._clients.as_service(self._targets(Service.NETWORK))

    async def network(self, network_id: str, *, at_least: int | None = None, deadline: Deadline) -> Body:
        """The network as an administrator sees it. Raises as :meth:`port`."""
        return await self._read("networks", "network", network_id, at_least, deadline)

    async def subnet(self, subnet_id: str, *, at_least: int | None = None, deadline: Deadline) -> Body:
        """The subnet as an administrator sees it. Raises as :meth:`port`."""
        return await self._read("subnets", "subnet", subnet_id, at_least, deadline)

    async def port(self, port_id: str, *, at_least: int | None = None, deadline: Deadline) -> Body:
        """The port as an administrator sees it.

        :param at_least: the revision number that must be visible
        :raises NotFoundError: there is no such object
        :raises UnavailableError: only older revisions are to be seen, or Neutron cannot be asked
        """
        return await self._read("ports", "port", port_id, at_least, deadline)

    async def security_group(self, group_id: str, *, at_least: int | None = None, deadline: Deadline) -> Body:
        """The security group with its rules (``security_group_rules``). Raises as :meth:`port`."""
        return await self._read("security-groups", "security_group", group_id, at_least, deadline)

    async def address_group(self, group_id: str, *, deadline: Deadline) -> Body:
        """A tenant's address group (``addresses``). Raises as :meth:`port`."""
        return await self._read("address-groups", "address_group", group_id, None, deadline)

    async def rules(self, filters: Params, *, deadline: Deadline) -> list[dict[str, object]]:
        """All rules of security groups that match, such as ``{"remote_group_id": "..."}``."""
        return await collect(self.networking, "/v2.0/security-group-rules", "security_group_rules", deadline, filters)

    async def qos_policy(self, policy_id: str, *, at_least: int | None = None, deadline: Deadline) -> Body:
        """The QoS policy with its rules (``rules``). Raises as :meth:`port`."""
        return await self._read("qos/policies", "policy", policy_id, at_least, deadline)

    async def trunk(self, trunk_id: str, *, at_least: int | None = None, deadline: Deadline) -> Body:
        """The trunk with its sub-ports (``sub_ports``). Raises as :meth:`port`."""
        return await self._read("trunks", "trunk", trunk_id, at_least, deadline)

    async def trunks(self, filters: Params, *, deadline: Deadline) -> list[dict[str, object]]:
        """All trunks that match, with their sub-ports. Neutron does not filter by those."""
        return await collect(self.networking, "/v2.0/trunks", "trunks", deadline, filters)

    async def ports(self, filters: Params, *, deadline: Deadline) -> list[dict[str, object]]:
        """All ports that match, such as ``{"device_id": "..."}``."""
        return await collect(self.networking, "/v2.0/ports", "ports", deadline, filters)

    async def subnets(self, filters: Params, *, deadline: Deadline) -> list[dict[str, object]]:
        """All subnets that match, such as ``{"network_id": "..."}``."""
        return await collect(self.networking, "/v2.0/subnets", "subnets", deadline, filters)

    async def rbac_policies(self, filters: Params, *, deadline: Deadline) -> list[dict[str, object]]:
        """All RBAC policies that match, such as ``{"object_id": "..."}``."""
        return await collect(self.networking, "/v2.0/rbac-policies", "rbac_policies", deadline, filters)

    async def _read(
        self, collection: str, member: str, object_id: str, at_least: int | None, deadline: Deadline
    ) -> Body:
        patience = deadline.within(self._patience_s)
        while True:
            body = await self._look(f"/v2.0/{collection}/{quote(object_id, safe='')}", member, deadline)
            if body is not None and (at_least is None or _revision(body) >= at_least):
                return body
            if at_least is None or patience.remaining_s() == 0:
                break
            await asyncio.sleep(_PAUSE_S)
        if body is None:
            raise NotFoundError(f"There is no {member} {object_id}.")
        raise UnavailableError(f"The {member} {object_id} is seen only as it was before.", retry_after_s=1)

    async def _look(self, path: str, member: str, deadline: Deadline) -> Body | None:
        try:
            answer = await self.networking.get(path, deadline=deadline)
        except UpstreamStatusError as error:
            if is_gone(error):
                return None
            raise
        body = answer.get(member)
        if not isinstance(body, dict):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return body


def is_gone(error: UpstreamStatusError) -> bool:
    """Whether Neutron or Nova itself says that an object is not there. A 404 in other words is that of a proxy, or of a
    wrong address, and nobody may delete anything because of it.
    """
    return error.status == 404 and any(word in error.body for word in _GONE)


def _revision(body: Body) -> int:
    number = body.get("revision_number")
    return number if isinstance(number, int) else 0
