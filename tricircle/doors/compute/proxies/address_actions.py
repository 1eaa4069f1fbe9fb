# SPDX-License-Identifier: Apache-2.0
"""How are addresses given to a server and taken from it through the compute API (up to 2.43)?

All addresses are the centre's, so its network service is asked, with the user's own token, for what Nova would ask its
own. Copies of ports in pods follow as after any change of a port. Texts are Nova's.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from tricircle.copies.ensure import was_refused
from tricircle.doors.compute.networks import Body, Networks
from tricircle.doors.compute.rehearsal import rehearse_on_server
from tricircle.doors.compute.servers.server_policy import ServerPolicy
from tricircle.errors import ConflictError, InvalidRequestError, NotFoundError, TricircleError, UpstreamStatusError
from tricircle.http.message import Answer, Request
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier

_FLOATING, _FIXED = "os_compute_api:os-floating-ips:", "os_compute_api:os-multinic:"
_RULES = {
    "addFloatingIp": _FLOATING + "add",
    "removeFloatingIp": _FLOATING + "remove",
    "addFixedIp": _FIXED + "add",
    "removeFixedIp": _FIXED + "remove",
}
_FLOATING_NOT_FOUND = "floating IP not found"


class AddressActions:
    """``addFloatingIp``, ``removeFloatingIp``, ``addFixedIp`` and ``removeFixedIp``."""

    def __init__(self, *, carrier: Carrier, networks: Networks, policy: ServerPolicy) -> None:
        self._carrier = carrier
        self._policy = policy
        self._networks = networks
        self._special = {
            "addFloatingIp": self._add_floating,
            "removeFloatingIp": self._remove_floating,
            "addFixedIp": self._add_fixed,
            "removeFixedIp": self._remove_fixed,
        }

    async def act(self, request: Request, document: dict[str, object]) -> Answer:
        """Carry out one of the four.

        :raises ForbiddenError, NotFoundError, InvalidRequestError, ConflictError: in Nova's words
        """
        if (refusal := await rehearse_on_server(self._carrier, request, document)) is not None:
            return refusal
        context, server_id = request.context, request.params["server_id"]
        located = await self._carrier.locate(Kind.SERVER, server_id, context)
        action = next(iter(document))
        if (refusal := await self._policy.refusal(request, located, _RULES[action])) is not None:
            return refusal
        asked = document[action]
        ports = await self._networks.ports_of(context, server_id, context.deadline)
        await self._special[action](request, asked if isinstance(asked, Mapping) else {}, ports)
        return Answer(status=202, headers=[(b"content-length", b"0")])

    async def _add_floating(self, request: Request, asked: Body, ports: list[dict[str, object]]) -> None:
        address = str(asked.get("address"))
        port_id, fixed = _fixed_for(ports, asked.get("fixed_address"), address, request.params["server_id"])
        floating = await self._floating(request, address)
        body = {"port_id": port_id, "fixed_ip_address": fixed}
        try:
            await self._networks.set_floating(request.context, str(floating["id"]), body, request.context.deadline)
        except UpstreamStatusError as error:
            if error.status == 409:
                raise InvalidRequestError(error.message) from error
            if not was_refused(error):
                raise
            raise InvalidRequestError(
                f"Unable to associate floating IP {address} to fixed IP {fixed} for instance "
                f"{request.params['server_id']}. Error: {error.message}"
            ) from error

    async def _remove_floating(self, request: Request, asked: Body, ports: list[dict[str, object]]) -> None:
        address, server_id = str(asked.get("address")), request.params["server_id"]
        floating = await self._floating(request, address)
        if floating.get("port_id") not in {port["id"] for port in ports}:
            raise ConflictError(f"Floating IP {address} is not associated with instance {server_id}.")
        body = {"port_id": None}
        await self._networks.set_floating(request.context, str(floating["id"]), body, request.context.deadline)

    async def _floating(self, request: Request, address: str) -> Body:
        found = await self._networks.floating(request.context, address, request.context.deadline)
        if found is None:
            raise NotFoundError(_FLOATING_NOT_FOUND)
        return found

    async def _add_fixed(self, request: Request, asked: Body, ports: list[dict[str, object]]) -> None:
        network_id = asked.get("networkId")
        on_it = [port for port in ports if port.get("network_id") == network_id]
        subnets = await self._networks.subnets_of(request.context, str(network_id), request.context.deadline)
        if not on_it or not subnets:
            raise NotFoundError(f"Network could not be found for instance {request.params['server_id']}.")
        refusal: TricircleError | None = None
        for subnet_id in subnets:
            wanted = [*_fixed_ips(on_it[0]), {"subnet_id": subnet_id}]
            try:
                await self._set_fixed(request, on_it[0], wanted)
            except UpstreamStatusError as error:
                if error.status >= 500:
                    raise
                refusal = error  # as in Nova, the next subnet may have an address
            else:
                return
        raise InvalidRequestError("Zero fixed IPs available.") from refusal

    async def _remove_fixed(self, request: Request, asked: Body, ports: list[dict[str, object]]) -> None:
        address = asked.get("address")
        for port in ports:
            present = _fixed_ips(port)
            left = [one for one in present if one.get("ip_address") != address]
            if len(left) < len(present):
                await self._set_fixed(request, port, left)
                return
        server_id = request.params["server_id"]
        raise InvalidRequestError(f"Instance {server_id} doesn't have fixed IP '{address}'.")

    async def _set_fixed(self, request: Request, port: Body, wanted: list[Body]) -> None:
        await self._networks.set_fixed_ips(request.context, str(port["id"]), wanted, request.context.deadline)


def _fixed_for(ports: list[dict[str, object]], wanted: object, address: str, server_id: str) -> tuple[str, str]:
    """The port and its address that a floating one is given to: that which is asked for, or the first of IPv4."""
    fixed = [(str(port["id"]), str(one["ip_address"])) for port in ports for one in _fixed_ips(port)]
    if not fixed:
        raise InvalidRequestError("No fixed IPs associated to instance")
    if wanted is not None:
        found = next((one for one in fixed if one[1] == wanted), None)
        if found is None:
            raise InvalidRequestError("Specified fixed address not assigned to instance")
        return found
    found = next((one for one in fixed if ip_address(one[1]).version == 4), None)
    if found is None:
        raise InvalidRequestError(
            f"Unable to associate floating IP {address} to any fixed IPs for instance {server_id}. "
            "Instance has no fixed IPv4 addresses to associate."
        )
    return found


def _fixed_ips(port: Body) -> list[Body]:
    found = port.get("fixed_ips")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
