# SPDX-License-Identifier: Apache-2.0
"""Which addresses of a subnet may one pod use by itself?

A pod's Neutron allocates some addresses without asking anybody: for DHCP, for metadata, for its gateway. So that no two
pods, and no pod and the centre, ever hand out the same one, each pod gets a *slice* of every subnet: a port at the
centre, whose addresses are the only ones in the pod's allocation pools. Its owner is ``network:dhcp``: with any other
one, tenants could not delete their network. Tenants see the port; its ``device_id`` is a digest that names no pod.
"""

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tricircle.context import Deadline, PodId
from tricircle.copies.bodies import Body, member, refused_as, rows, text, words
from tricircle.copies.origins import SLICE_OWNER, SLICE_PREFIX, is_slice
from tricircle.copies.owner import Owner
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.model.pod import Pod
from tricircle.upstream.central import Central

_PROFILE = "binding:profile"
_EXHAUSTED = ("IpAddressGenerationFailure", "IpAddressGenerationFailureAllSubnets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The addresses of one subnet that one pod may use by itself, lowest first; no port when it needs none."""

    port_id: str | None
    addresses: tuple[str, ...]


def slice_of(port: Body, subnet_id: str) -> Slice:
    """What a slice port holds of a subnet."""
    return Slice(port_id=text(port, "id"), addresses=tuple(_addresses(port, subnet_id)))


def slices_of(pod_id: PodId, ports: Sequence[Body], subnets: Sequence[Body]) -> set[str]:
    """The ids of those central ports that hold the pod's slices of the subnets."""
    ids = {device_id(pod_id, text(subnet, "id")) for subnet in subnets}
    return {text(port, "id") for port in ports if is_slice(port) and text(port, "device_id") in ids}


def device_id(pod_id: str, subnet_id: str) -> str:
    """What identifies the slice port of a pod and a subnet, without naming either."""
    digest = hashlib.sha256(f"{pod_id}/{subnet_id}".encode()).hexdigest()
    return SLICE_PREFIX + digest[:40]


class Addresses:
    """Takes slices from the centre's own address management."""

    def __init__(self, central: Central, owner: Owner) -> None:
        self._central = central
        self._owner = owner

    async def hold(self, pod: Pod, subnet: Body, count: int, *, deadline: Deadline) -> Slice:
        """A slice of at least ``count`` addresses: what the pod has, grown when it is too small. It never shrinks.

        The caller holds the lease of the subnet's routing, so that two do not make two ports.

        :raises ConflictError: the subnet has no addresses left, or gives none to pods
        """
        subnet_id = text(subnet, "id")
        port = await self._port(pod, subnet, deadline)
        held = [] if port is None else _addresses(port, subnet_id)
        if len(held) >= count:
            return Slice(port_id=text(port, "id") if port else None, addresses=tuple(held))
        _check_services(pod, subnet)
        client = self._central.networking
        await self._owner.project(client, deadline)
        more = [{"subnet_id": subnet_id}] * (count - len(held))
        try:
            if port is None:
                body = {"port": _slice_port(pod, subnet, more)}
                answer = await client.post("/v2.0/ports", body=body, deadline=deadline)
            else:
                kept = [{"subnet_id": subnet_id, "ip_address": address} for address in held]
                body = {"port": {"fixed_ips": kept + more}}
                answer = await client.put(f"/v2.0/ports/{text(port, 'id')}", body=body, deadline=deadline)
        except UpstreamStatusError as error:
            if refused_as(error.body) in _EXHAUSTED:
                raise _exhausted(pod, subnet, len(more)) from error
            raise
        return slice_of(member(answer, "port"), subnet_id)

    async def hold_these(
        self, pod: Pod, subnet: Body, addresses: Sequence[str], *, profile: Mapping[str, object], deadline: Deadline
    ) -> Slice:
        """A slice of (at least) these addresses, which the pod uses already. The caller holds the lease as above.

        :param profile: what the port says of it, to administrators
        :raises ConflictError: somebody else has one of them
        """
        subnet_id = text(subnet, "id")
        port = await self._port(pod, subnet, deadline)
        held = [] if port is None else _addresses(port, subnet_id)
        more = sorted(set(addresses) - set(held))
        is_said = port is None or port.get(_PROFILE) == profile
        if not more and is_said:
            return Slice(port_id=text(port, "id") if port else None, addresses=tuple(held))
        _check_services(pod, subnet)
        client = self._central.networking
        await self._owner.project(client, deadline)
        fixed_ips = [{"subnet_id": subnet_id, "ip_address": address} for address in [*held, *more]]
        try:
            if port is None:
                body = {"port": {**_slice_port(pod, subnet, fixed_ips), _PROFILE: profile}}
                answer = await client.post("/v2.0/ports", body=body, deadline=deadline)
            else:
                path = f"/v2.0/ports/{text(port, 'id')}"
                change = {**({"fixed_ips": fixed_ips} if more else {}), _PROFILE: profile}
                answer = await client.put(path, body={"port": change}, deadline=deadline)
        except UpstreamStatusError as error:
            if error.status == 409:
                raise ConflictError(
                    f"Addresses of subnet {subnet_id} were taken meanwhile, or wait until a pod has let go of them "
                    "(tricircle-manage quarantine list). Look again."
                ) from error
            raise
        return slice_of(member(answer, "port"), subnet_id)

    async def check(self, pod: Pod, subnet: Body, count: int, *, deadline: Deadline) -> None:
        """Whether the pod could have ``count`` addresses now, before anything is made there. Takes none.

        :raises ConflictError: the subnet has not so many left, or gives none to pods
        """
        is_open = _is_open_to_slices(subnet)
        if not count or (is_open and await self._has_room(subnet, count, deadline)):
            return
        # What stands outside of the pools counts there, too; so a subnet that seems full is looked at closely.
        port = await self._port(pod, subnet, deadline)
        missing = count - (0 if port is None else len(_addresses(port, text(subnet, "id"))))
        if missing <= 0:
            return
        _check_services(pod, subnet)
        if await self._free(subnet, deadline) < missing:
            raise _exhausted(pod, subnet, missing)

    async def _has_room(self, subnet: Body, count: int, deadline: Deadline) -> bool:
        path = f"/v2.0/network-ip-availabilities/{text(subnet, 'network_id')}"
        answer = await self._central.networking.get(path, deadline=deadline, ok=(404,))
        found = answer.get("network_ip_availability")
        for one in rows(found, "subnet_ip_availability") if isinstance(found, dict) else ():
            total, used = one.get("total_ips"), one.get("used_ips")
            if one.get("subnet_id") == subnet["id"] and isinstance(total, int | float) and isinstance(used, int):
                return total - used >= count
        return False

    async def _free(self, subnet: Body, deadline: Deadline) -> int:
        filters = {"network_id": text(subnet, "network_id"), "fields": ("fixed_ips",)}
        ports = await self._central.ports(filters, deadline=deadline)
        used = {ipaddress.ip_address(address) for port in ports for address in _addresses(port, text(subnet, "id"))}
        free = 0
        for pool in rows(subnet, "allocation_pools"):
            first, last = (ipaddress.ip_address(text(pool, end)) for end in ("start", "end"))
            free += int(last) - int(first) + 1 - sum(int(first) <= int(address) <= int(last) for address in used)
        return free

    async def release(self, port_id: str, *, deadline: Deadline) -> None:
        """Give a slice back; fine when the port went with its network."""
        await self._central.networking.delete(f"/v2.0/ports/{port_id}", deadline=deadline, ok=(404,))

    async def give_back(self, pod: Pod, subnet: Body, *, deadline: Deadline) -> None:
        """Release all that the pod holds of a subnet, whether or not a row speaks of it; fine when it holds nothing."""
        for port in await self._ports(pod, subnet, deadline):
            await self.release(text(port, "id"), deadline=deadline)

    async def _port(self, pod: Pod, subnet: Body, deadline: Deadline) -> Body | None:
        found = await self._ports(pod, subnet, deadline)
        return min(found, key=lambda port: text(port, "created_at"), default=None)

    async def _ports(self, pod: Pod, subnet: Body, deadline: Deadline) -> list[dict[str, object]]:
        filters = {
            "network_id": text(subnet, "network_id"),
            "device_owner": SLICE_OWNER,
            "device_id": device_id(pod.id, text(subnet, "id")),
        }
        return await self._central.ports(filters, deadline=deadline)


def _exhausted(pod: Pod, subnet: Body, missing: int) -> ConflictError:
    return ConflictError(
        f"No more IP addresses available on network {text(subnet, 'network_id')}: availability zone {pod.az_name} "
        f"needs {missing} of subnet {text(subnet, 'id')} for its own DHCP and gateway."
    )


def _is_open_to_slices(subnet: Body) -> bool:
    """Whether the centre gives slices addresses of it: of a subnet for certain services only as long as it has DHCP."""
    services = words(subnet, "service_types")
    return not services or SLICE_OWNER in services or bool(subnet.get("enable_dhcp"))


def _check_services(pod: Pod, subnet: Body) -> None:
    if not _is_open_to_slices(subnet):
        raise ConflictError(
            f"Subnet {text(subnet, 'id')} is for certain services and has no DHCP, so that no address of it can be "
            f"kept for the gateway of availability zone {pod.az_name}. Enable DHCP, or let it have no gateway."
        )


def _slice_port(pod: Pod, subnet: Body, fixed_ips: list[dict[str, str]]) -> dict[str, object]:
    return {
        "network_id": text(subnet, "network_id"),
        "device_owner": SLICE_OWNER,
        "device_id": device_id(pod.id, text(subnet, "id")),
        "fixed_ips": fixed_ips,
        "name": "",
        # Only administrators see it; it makes the port ACTIVE and says whose slice it is.
        "binding:host_id": pod.name,
    }


def _addresses(port: Body, subnet_id: str) -> list[str]:
    found = [text(fixed_ip, "ip_address") for fixed_ip in rows(port, "fixed_ips") if fixed_ip["subnet_id"] == subnet_id]
    return sorted(found, key=lambda address: int(ipaddress.ip_address(address)))
