# SPDX-License-Identifier: Apache-2.0
"""Which interfaces does a server get, by what a boot or an attach says? Read only; nothing is made here.

The rules are those of Nova's network API (``validate_networks`` and what follows it). Nova notices part of the
mistakes of a boot only on the host, when the server exists already and goes to ERROR; we notice all of them before
anything is made, and use the text that Nova would have logged. In an attach, Nova uses other statuses for the same
mistakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.boots.boot_request import Networking, NicWish
from tricircle.doors.compute.networks import Body, Networks
from tricircle.errors import ConflictError, InvalidRequestError, NotFoundError, TricircleError, UpstreamStatusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One interface to be: a port of the user's, or a network on which we make a port.

    :ivar address: the fixed address that the user chose on the network
    :ivar zones: the AZs that the network is limited to; empty: to none
    :ivar group_ids: central security groups for a port that we make; None: the network service's default
    :ivar is_attach: the server is there already: Nova says some refusals otherwise
    """

    network_id: str
    port: Body | None = None
    address: str | None = None
    group_ids: tuple[str, ...] | None = None
    tag: str | None = None
    zones: frozenset[str] = frozenset()
    is_attach: bool = False

    def refused(self, error: UpstreamStatusError) -> TricircleError:
        """What Nova makes of the network service's refusal of a port that we make."""
        said = words.attach_refusal if self.is_attach else words.network_refusal
        return said(error, network_id=self.network_id, address=self.address)

    def gone(self) -> TricircleError:
        """What Nova says when the user's port is not there."""
        text = words.port_not_found(str((self.port or {}).get("id")))
        return NotFoundError(text) if self.is_attach else InvalidRequestError(text)


class Nics:
    """Plans interfaces."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    async def of_boot(
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
        groups = await self._groups(context, group_names or (), deadline)
        if networking is Networking.NONE:
            return ()
        if networking is not Networking.LISTED:
            wishes = await self._unnamed(context, is_auto=networking is Networking.AUTO, deadline=deadline)
        ports = {
            wish.port_id: await self._free_port(context, wish.port_id, deadline) for wish in wishes if wish.port_id
        }
        wanted = [str(ports[wish.port_id]["network_id"] if wish.port_id else wish.network_id) for wish in wishes]
        networks = await self._networks.networks(context, wanted, deadline)
        if lost := [network_id for network_id in dict.fromkeys(wanted) if network_id not in networks]:
            raise words.networks_not_found(lost)
        for wish, network_id in zip(wishes, wanted, strict=True):
            if wish.port_id is None and not networks[network_id].get("subnets"):
                raise words.network_requires_subnet(network_id)
            _check(networks[network_id], context, has_groups=bool(groups))
            if wish.fixed_ip:
                holder = await self._networks.holder(context, network_id, wish.fixed_ip, deadline)
                if holder is not None:
                    raise InvalidRequestError(words.address_in_use(wish.fixed_ip, holder))
        return tuple(
            Nic(
                network_id=network_id,
                port=ports[wish.port_id] if wish.port_id else None,
                address=wish.fixed_ip,
                group_ids=groups or None,
                tag=wish.tag,
                zones=_zones(networks[network_id]),
            )
            for wish, network_id in zip(wishes, wanted, strict=True)
        )

    async def of_attach(
        self, context: RequestContext, wish: NicWish, server_id: str, owner: ProjectId, deadline: Deadline
    ) -> Nic:
        """The nic of an attach.

        :param owner: the server's project: the caller may be an administrator of another one
        :raises InvalidRequestError, NotFoundError, ConflictError, ForbiddenError: in Nova's words
        """
        port: Body | None = None
        network_id = wish.network_id
        if wish.port_id:
            port = await self._networks.port(context, wish.port_id, deadline)
            if port is None:
                raise NotFoundError(words.port_not_found(wish.port_id))
            check_port(port, owner, server_id)
            network_id = str(port["network_id"])
        elif network_id is None:
            visible = await self._networks.visible(context, owner, is_auto=False, deadline=deadline)
            if len(visible) != 1:
                raise InvalidRequestError(words.NETWORK_AMBIGUOUS if visible else words.no_network(owner))
            network_id = visible[0]
        network = (await self._networks.networks(context, [network_id], deadline)).get(network_id)
        if network is None:
            raise NotFoundError(words.networks_not_found([network_id]).message)
        _check(network, context, has_groups=False)
        if wish.fixed_ip:
            holder = await self._networks.holder(context, network_id, wish.fixed_ip, deadline)
            if holder is not None:
                raise ConflictError(words.address_in_use(wish.fixed_ip, holder))
        return Nic(
            network_id=network_id,
            port=port,
            address=wish.fixed_ip,
            tag=wish.tag,
            zones=_zones(network),
            is_attach=True,
        )

    async def _groups(self, context: RequestContext, names: Sequence[str], deadline: Deadline) -> tuple[str, ...]:
        """``default`` alone is what ports get anyway: none."""
        if not [name for name in names if name != "default"]:
            return ()
        found = await self._networks.group_ids(context, names, deadline)
        for name, group_id in found.items():
            if group_id is None:
                raise words.group_not_found(name)
        return tuple(dict.fromkeys(str(group_id) for group_id in found.values()))

    async def _unnamed(self, context: RequestContext, *, is_auto: bool, deadline: Deadline) -> list[NicWish]:
        """The one network that a boot means which names none; nothing when there is none."""
        ids = await self._networks.visible(context, context.project_id, is_auto=is_auto, deadline=deadline)
        if len(ids) > 1:
            raise ConflictError(words.NETWORK_AMBIGUOUS)
        if not ids and is_auto:
            made = await self._networks.allocated(context, deadline)
            if made is None:
                raise words.no_auto_network(context.project_id)
            ids = [made]
        return [NicWish(network_id=network_id) for network_id in ids]

    async def _free_port(self, context: RequestContext, port_id: str, deadline: Deadline) -> Body:
        port = await self._networks.port(context, port_id, deadline)
        if port is None:
            raise InvalidRequestError(words.port_not_found(port_id))
        check_port(port, context.project_id, "")
        return port


def _zones(network: Body) -> frozenset[str]:
    """The AZs that a network is limited to."""
    hints = network.get("availability_zone_hints")
    return frozenset(map(str, hints)) if isinstance(hints, list) else frozenset()


def check_port(port: Body, owner: ProjectId, server_id: str) -> None:
    """Whether a server of the project may have the port.

    :raises ConflictError, InvalidRequestError: it may not (Nova's words)
    """
    port_id = str(port["id"])
    if port.get("device_id"):
        raise words.port_in_use(port_id)
    if port.get("project_id", port.get("tenant_id")) != owner:
        raise words.port_not_usable(port_id, server_id)
    if not port.get("fixed_ips") and port.get("ip_allocation") not in ("deferred", "none"):
        raise words.port_requires_address(port_id)


def _check(network: Body, context: RequestContext, *, has_groups: bool) -> None:
    """Whether a server of the caller may stand on the network, with or without security groups."""
    if network.get("router:external") and not network.get("shared") and not context.is_admin:
        raise words.external_network(str(network["id"]))
    is_secured = network.get("port_security_enabled", True)
    if (is_secured and not network.get("subnets")) or (has_groups and not is_secured):
        raise InvalidRequestError(words.GROUPS_CANNOT_BE_APPLIED)
