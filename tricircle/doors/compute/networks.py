# SPDX-License-Identifier: Apache-2.0
"""Which central networks, ports and security groups do the nics of a request mean? Read only; nothing is made here.

The rules are those of Nova's network API (``validate_networks`` and what follows it), asked of the central network
service with the user's own token. Nova notices part of the mistakes only on the host, when the server exists already
and goes to ERROR; we notice all of them before anything is made, and use the text that Nova would have logged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tricircle.context import Deadline, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.boot_request import Networking, NicWish
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.errors import ConflictError, InvalidRequestError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.client import ServiceClient, collect

Body = Mapping[str, object]
#: Ids per query: URLs longer than about 4 KiB are refused by many deployments.
_IDS_PER_QUERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One interface to be: a port of the user's, or a network on which we make a port.

    :ivar address: the fixed address that the user chose on ``network``
    :ivar group_ids: central security groups for a port that we make; None: the network service's default
    """

    network_id: str
    port: Body | None = None
    address: str | None = None
    group_ids: tuple[str, ...] | None = None
    tag: str | None = None


class Networks:
    """Reads what nics mean."""

    def __init__(self, *, clients: Asking, pods: KnownPods) -> None:
        self._clients = clients
        self._pods = pods

    async def plan(
        self,
        context: RequestContext,
        networking: Networking,
        wishes: Sequence[NicWish],
        group_names: Sequence[str] | None,
        deadline: Deadline,
    ) -> tuple[Nic, ...]:
        """The nics of a boot, in order; none for ``none`` and for a project that sees no network.

        :raises InvalidRequestError, ConflictError, ForbiddenError: in Nova's words
        """
        client = self._user(context)
        groups = await self.group_ids(context, group_names or (), deadline)
        if networking is Networking.NONE:
            return ()
        if networking is not Networking.LISTED:
            wishes = await self._only_network(client, context, is_auto=networking is Networking.AUTO, deadline=deadline)
            if not wishes:
                return ()
        ports = {
            wish.port_id: await self._free_port(client, context, wish.port_id, deadline)
            for wish in wishes
            if wish.port_id
        }
        wanted = [str(ports[wish.port_id]["network_id"] if wish.port_id else wish.network_id) for wish in wishes]
        networks = await self._networks(client, wanted, deadline)
        nics = []
        for wish, network_id in zip(wishes, wanted, strict=True):
            _check(networks[network_id], context, is_port=wish.port_id is not None, has_groups=bool(groups))
            if wish.fixed_ip:
                await self._check_address(client, network_id, wish.fixed_ip, deadline)
            nics.append(
                Nic(
                    network_id=network_id,
                    port=ports[wish.port_id] if wish.port_id else None,
                    address=wish.fixed_ip,
                    group_ids=tuple(groups) or None,
                    tag=wish.tag,
                )
            )
        return tuple(nics)

    async def group_ids(self, context: RequestContext, names: Sequence[str], deadline: Deadline) -> list[str]:
        """Central ids of security groups given by name or id. ``default`` alone is what ports get anyway: none.

        :raises InvalidRequestError, ConflictError: in Nova's words
        """
        if not [name for name in names if name != "default"]:
            return []
        known = await self._groups(context, deadline)
        found = [await self._group_id(context, name, known, deadline) for name in names]
        for name, group_id in zip(names, found, strict=True):
            if group_id is None:
                raise words.group_not_found(name)
        return list(dict.fromkeys(str(group_id) for group_id in found))

    async def group_id(self, context: RequestContext, name: str, deadline: Deadline) -> str | None:
        """Central id of one security group of the caller's project; None when there is none.

        :raises ConflictError: when the name is not unique
        """
        return await self._group_id(context, name, await self._groups(context, deadline), deadline)

    async def _groups(self, context: RequestContext, deadline: Deadline) -> list[dict[str, object]]:
        params = {"project_id": context.project_id, "fields": ("id", "name")}
        return await collect(self._user(context), "/v2.0/security-groups", "security_groups", deadline, params=params)

    async def _group_id(
        self, context: RequestContext, name: str, known: Sequence[Body], deadline: Deadline
    ) -> str | None:
        if any(group["id"] == name for group in known):
            return name
        named = [str(group["id"]) for group in known if group["name"] == name]
        if len(named) > 1:
            raise words.group_ambiguous(name)
        if named:
            return named[0]
        # A group that another project shares with this one is found by its id only.
        params = {"id": name, "fields": "id"}
        shared = await self._user(context).get("/v2.0/security-groups", params=params, deadline=deadline)
        return name if shared.get("security_groups") else None

    async def _only_network(
        self, client: ServiceClient, context: RequestContext, *, is_auto: bool, deadline: Deadline
    ) -> list[NicWish]:
        """The one network that a request means which names none."""
        own: dict[str, str] = {"project_id": context.project_id, "shared": "False"}
        if is_auto:
            own["admin_state_up"] = "True"  # a topology that is still being allocated does not count
        found = await collect(client, "/v2.0/networks", "networks", deadline, params={**own, "fields": "id"})
        found += await collect(
            client, "/v2.0/networks", "networks", deadline, params={"shared": "True", "fields": "id"}
        )
        ids = list(dict.fromkeys(str(network["id"]) for network in found))
        if len(ids) > 1:
            raise ConflictError(words.NETWORK_AMBIGUOUS)
        if not ids and is_auto:
            ids = [await self._allocated(client, context, deadline)]
        return [NicWish(network_id=network_id) for network_id in ids]

    async def _allocated(self, client: ServiceClient, context: RequestContext, deadline: Deadline) -> str:
        """The network that the network service makes for a project that has none (it answers the same one twice)."""
        try:
            answer = await client.get(f"/v2.0/auto-allocated-topology/{context.project_id}", deadline=deadline)
        except UpstreamStatusError as error:
            if error.status < 500:
                raise words.no_auto_network(context.project_id) from error
            raise
        topology = answer.get("auto_allocated_topology")
        if not isinstance(topology, Mapping):
            raise words.no_auto_network(context.project_id)
        return str(topology["id"])

    async def _free_port(
        self, client: ServiceClient, context: RequestContext, port_id: str, deadline: Deadline
    ) -> Body:
        try:
            port = (await client.get(f"/v2.0/ports/{port_id}", deadline=deadline)).get("port")
        except UpstreamStatusError as error:
            if error.status == 404:
                raise InvalidRequestError(words.port_not_found(port_id)) from error
            raise
        if not isinstance(port, Mapping):
            raise InvalidRequestError(words.port_not_found(port_id))
        if port.get("device_id"):
            raise words.port_in_use(port_id)
        if port.get("project_id", port.get("tenant_id")) != context.project_id:
            raise words.port_not_usable(port_id, "")
        if not port.get("fixed_ips") and port.get("ip_allocation") not in ("deferred", "none"):
            raise words.port_requires_address(port_id)
        return port

    async def _networks(self, client: ServiceClient, wanted: Sequence[str], deadline: Deadline) -> dict[str, Body]:
        ids = list(dict.fromkeys(wanted))
        found: dict[str, Body] = {}
        for start in range(0, len(ids), _IDS_PER_QUERY):
            params = {"id": tuple(ids[start : start + _IDS_PER_QUERY])}
            for network in await collect(client, "/v2.0/networks", "networks", deadline, params=params):
                found[str(network["id"])] = network
        if lost := [network_id for network_id in ids if network_id not in found]:
            raise words.networks_not_found(lost)
        return found

    async def _check_address(self, client: ServiceClient, network_id: str, address: str, deadline: Deadline) -> None:
        params = {"network_id": network_id, "fixed_ips": f"ip_address={address}", "fields": ("id", "device_id")}
        ports = (await client.get("/v2.0/ports", params=params, deadline=deadline)).get("ports")
        if isinstance(ports, list) and ports:
            raise words.address_in_use(address, str(ports[0].get("device_id", "")))

    def _user(self, context: RequestContext) -> ServiceClient:
        return self._clients.as_user(context, self._pods.central(Service.NETWORK))


def _check(network: Body, context: RequestContext, *, is_port: bool, has_groups: bool) -> None:
    """Whether a server of the caller may stand on the network."""
    network_id = str(network["id"])
    if not is_port and not network.get("subnets"):
        raise words.network_requires_subnet(network_id)
    if network.get("router:external") and not network.get("shared") and not context.is_admin:
        raise words.external_network(network_id)
    has_security = network.get("port_security_enabled", True)
    if (has_groups and not has_security) or (is_port and has_security and not network.get("subnets")):
        raise InvalidRequestError(words.GROUPS_CANNOT_BE_APPLIED)
