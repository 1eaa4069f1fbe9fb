# SPDX-License-Identifier: Apache-2.0
"""Which addresses may a port have? Neutron's own driver, less what a pod has not let go of.

To stock Neutron an address in quarantine looks as one in use: it is not chosen, whoever names it gets the same 409, and
a subnet that has no other is exhausted. One that waits only until pods forget it as a member of the project's own
groups goes to that project at once: who replaces a port waits for nobody, and a pod that is away exhausts no subnet.
What a pod's slice of a subnet let go of that slice may have again, by whatever port: the pod stays the same.
"""

from typing import Any

import netaddr
import sqlalchemy as sa
from neutron.db import models_v2
from neutron.ipam import exceptions as ipam_exceptions
from neutron.ipam import requests
from neutron.ipam.drivers.neutrondb_ipam import db_api as stock_db
from neutron.ipam.drivers.neutrondb_ipam import driver as stock
from oslo_db import exception as db_exceptions

from tricircle.model.quarantine import What
from tricircle_neutron import quarantine

_TAKER = "tricircle_taker"


class Pool(stock.NeutronDbPool):
    """The IPAM driver ``tricircle``."""

    def get_subnet(self, subnet_id: str) -> Any:
        """The subnet as allocations are made from it."""
        return Subnet.load(subnet_id, self._context)

    def get_address_request_factory(self) -> Any:
        """Makes requests that know their port."""
        return _RequestFactory


class Subnet(stock.NeutronDbSubnet):
    """Allocates what no pod holds."""

    def __init__(self, internal_id: str, ctx: Any, **facts: Any) -> None:
        super().__init__(internal_id, ctx, **facts)
        self.subnet_manager = _SubnetManager(internal_id, self._subnet_id)

    def allocate(self, address_request: Any) -> str:
        """One address. :raises IpAddressAlreadyAllocated: it was named, and is in use or held"""
        self.subnet_manager.taker = getattr(address_request, _TAKER, quarantine.ANYBODY)
        address = str(super().allocate(address_request))
        if self._give_back_held([address]):
            if isinstance(address_request, requests.SpecificAddressRequest):
                raise ipam_exceptions.IpAddressAlreadyAllocated(subnet_id=self._subnet_id, ip=address)
            raise db_exceptions.RetryRequest(ipam_exceptions.IpAddressGenerationFailure(subnet_id=self._subnet_id))
        return address

    def bulk_allocate(self, address_request: Any) -> list[str]:
        """Several at once, of Neutron's choice."""
        if not isinstance(address_request, requests.BulkAddressRequest):
            return [self.allocate(address_request)]
        addresses: list[str] = super().bulk_allocate(address_request)
        if self._give_back_held(addresses):
            raise db_exceptions.RetryRequest(ipam_exceptions.IpAddressGenerationFailure(subnet_id=self._subnet_id))
        return addresses

    def _give_back_held(self, taken: list[str]) -> bool:
        """Whether a pod holds one of those just taken; then none is taken."""
        manager = self.subnet_manager
        held = quarantine.held_now(What.ADDRESS, manager.network_id(self._context), taken, taker=manager.taker)
        for address in taken if held else ():
            manager.delete_allocation(self._context, address)
        return bool(held)


class _SubnetManager(stock_db.IpamSubnetManager):
    """Neutron's table of addresses, in which those that pods hold are allocated."""

    #: Who wants an address.
    taker = quarantine.ANYBODY
    _network_id: str | None = None

    def network_id(self, context: Any) -> str:
        """The network of the subnet: addresses wait within it."""
        if self._network_id is None:
            column = models_v2.Subnet.network_id
            query = sa.select(column).where(models_v2.Subnet.id == self._neutron_subnet_id)
            self._network_id = str(context.session.execute(query).scalar())
        return self._network_id

    def list_allocations(self, context: Any, **status: Any) -> list[Any]:
        """Those in use and those that pods hold; of each only ``ip_address`` is read."""
        allocations: list[Any] = list(super().list_allocations(context, **status))
        return allocations + [_Held(address) for address in sorted(self._held(context))]

    def check_unique_allocation(self, context: Any, ip_address: str) -> bool:
        """Whether the address is neither in use nor held."""
        if not super().check_unique_allocation(context, ip_address):
            return False
        return netaddr.IPAddress(ip_address) not in {netaddr.IPAddress(address) for address in self._held(context)}

    def _held(self, context: Any) -> set[str]:
        network_id = self.network_id(context)
        held = quarantine.seen_held(context.session, What.ADDRESS, network_id, taker=self.taker)
        return {value for _, value in held}


class _Held:
    """What of an allocation Neutron's driver reads."""

    def __init__(self, ip_address: str) -> None:
        self.ip_address = ip_address


class _RequestFactory(requests.AddressRequestFactory):
    """Stock requests that know whom they are for."""

    @classmethod
    def get_request(cls, context: Any, port: Any, ip_dict: Any) -> Any:
        """The request; the port may not have an id yet."""
        request = super().get_request(context, port, ip_dict)
        if hasattr(port, "get"):
            setattr(request, _TAKER, quarantine.taker_of(context.session, port, str(ip_dict["subnet_id"])))
        return request
