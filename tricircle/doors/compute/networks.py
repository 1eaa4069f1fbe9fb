# SPDX-License-Identifier: Apache-2.0
"""What does the central network service show to a caller? Plain reads with the caller's own token; no judgement."""

from collections.abc import Mapping, Sequence

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.errors import UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.client import ServiceClient, collect

Body = Mapping[str, object]
#: Ids per query: URLs longer than about 4 KiB are refused by many deployments.
_IDS_PER_QUERY = 50
_PHYSNET = "provider:physical_network"


class Networks:
    """Reads networks, ports and security groups for users."""

    def __init__(self, *, clients: Asking, pods: KnownPods) -> None:
        self._clients = clients
        self._pods = pods

    async def port(self, context: RequestContext, port_id: str, deadline: Deadline) -> Body | None:
        """A port; None when it is not there for the caller."""
        try:
            port = (await self._user(context).get(f"/v2.0/ports/{port_id}", deadline=deadline)).get("port")
        except UpstreamStatusError as error:
            if error.status == 404:
                return None
            raise
        return port if isinstance(port, Mapping) else None

    async def ports_of(self, context: RequestContext, server_id: str, deadline: Deadline) -> list[dict[str, object]]:
        """The ports of a server."""
        params = {"device_id": server_id}
        return await collect(self._user(context), "/v2.0/ports", "ports", deadline, params=params)

    async def networks(self, context: RequestContext, ids: Sequence[str], deadline: Deadline) -> dict[str, Body]:
        """Networks by id; those that are not there for the caller are missing."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Body] = {}
        for start in range(0, len(wanted), _IDS_PER_QUERY):
            params = {"id": tuple(wanted[start : start + _IDS_PER_QUERY])}
            for network in await collect(self._user(context), "/v2.0/networks", "networks", deadline, params=params):
                found[str(network["id"])] = network
        return found

    async def physical_networks(self, ids: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """The physical networks that networks are on: what tenants do not see, so the service user looks."""
        wanted = list(dict.fromkeys(ids))
        client, found = self._clients.as_service(self._pods.central(Service.NETWORK)), set[str]()
        for start in range(0, len(wanted), _IDS_PER_QUERY):
            params = {"id": tuple(wanted[start : start + _IDS_PER_QUERY]), "fields": ("id", _PHYSNET)}
            for network in await collect(client, "/v2.0/networks", "networks", deadline, params=params):
                found.add(str(network.get(_PHYSNET) or ""))
        return frozenset(found - {""})

    async def visible(
        self, context: RequestContext, project_id: ProjectId, *, is_auto: bool, deadline: Deadline
    ) -> list[str]:
        """Ids of the networks that a request for a server of a project may mean which names none: the project's own,
        and shared ones."""
        client = self._user(context)
        own: dict[str, str] = {"project_id": project_id, "shared": "false", "fields": "id"}
        if is_auto:
            own["admin_state_up"] = "true"  # a topology that is still being allocated does not count
        found = await collect(client, "/v2.0/networks", "networks", deadline, params=own)
        shared = {"shared": "true", "fields": "id"}
        found += await collect(client, "/v2.0/networks", "networks", deadline, params=shared)
        return list(dict.fromkeys(str(network["id"]) for network in found))

    async def allocated(self, context: RequestContext, deadline: Deadline) -> str | None:
        """The network that the network service makes for a project that has none (asked twice, the same one); None when
        it cannot."""
        path = f"/v2.0/auto-allocated-topology/{context.project_id}"
        try:
            topology = (await self._user(context).get(path, deadline=deadline)).get("auto_allocated_topology")
        except UpstreamStatusError as error:
            if error.status < 500:
                return None
            raise
        return str(topology["id"]) if isinstance(topology, Mapping) else None

    async def holder(self, context: RequestContext, network_id: str, address: str, deadline: Deadline) -> str | None:
        """The ``device_id`` of the port that has an address, which may be empty; None when no port has it."""
        params = {"network_id": network_id, "fixed_ips": f"ip_address={address}"}
        ports = await collect(self._user(context), "/v2.0/ports", "ports", deadline, params=params)
        return str(ports[0].get("device_id") or "") if ports else None

    async def group_ids(
        self, context: RequestContext, names: Sequence[str], deadline: Deadline
    ) -> dict[str, str | None]:
        """Ids of the security groups that names (or ids) of the caller's project mean; None for those that mean none.

        :raises ConflictError: a name is not unique (Nova's words)
        """
        params = {"project_id": context.project_id, "fields": ("id", "name")}
        known = await collect(self._user(context), "/v2.0/security-groups", "security_groups", deadline, params=params)
        return {name: await self._group_id(context, name, known, deadline) for name in names}

    async def groups(
        self, context: RequestContext, ids: Sequence[str], deadline: Deadline
    ) -> dict[str, dict[str, object]]:
        """Security groups with their rules, by id."""
        if not ids:
            return {}
        params = {"id": tuple(ids)}
        found = await collect(self._user(context), "/v2.0/security-groups", "security_groups", deadline, params=params)
        return {str(group["id"]): group for group in found}

    async def set_groups(
        self, context: RequestContext, port_id: str, group_ids: Sequence[str], deadline: Deadline
    ) -> None:
        """Give a port its security groups, by the caller's own hand. :raises UpstreamStatusError: refused"""
        body = {"port": {"security_groups": list(group_ids)}}
        await self._user(context).put(f"/v2.0/ports/{port_id}", body=body, deadline=deadline)

    async def set_fixed_ips(
        self, context: RequestContext, port_id: str, fixed_ips: Sequence[Body], deadline: Deadline
    ) -> None:
        """Give a port its addresses, by the caller's own hand. :raises UpstreamStatusError: refused"""
        body = {"port": {"fixed_ips": [dict(one) for one in fixed_ips]}}
        await self._user(context).put(f"/v2.0/ports/{port_id}", body=body, deadline=deadline)

    async def subnets_of(self, context: RequestContext, network_id: str, deadline: Deadline) -> list[str]:
        """Ids of the subnets of a network."""
        params = {"network_id": network_id, "fields": "id"}
        subnets = await collect(self._user(context), "/v2.0/subnets", "subnets", deadline, params=params)
        return [str(subnet["id"]) for subnet in subnets]

    async def floating(self, context: RequestContext, address: str, deadline: Deadline) -> Body | None:
        """The caller's floating IP of an address; None when there is none."""
        params = {"floating_ip_address": address}
        found = await collect(self._user(context), "/v2.0/floatingips", "floatingips", deadline, params=params)
        return found[0] if found else None

    async def set_floating(self, context: RequestContext, floating_id: str, body: Body, deadline: Deadline) -> None:
        """Bind a floating IP to a port, or to none. :raises UpstreamStatusError: refused"""
        path = f"/v2.0/floatingips/{floating_id}"
        await self._user(context).put(path, body={"floatingip": dict(body)}, deadline=deadline)

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

    def _user(self, context: RequestContext) -> ServiceClient:
        return self._clients.as_user(context, self._pods.central(Service.NETWORK))
