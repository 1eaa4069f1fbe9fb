# SPDX-License-Identifier: Apache-2.0
"""How do routers and floating IPs exist at the centre, as records that pods will realise?

Neutron's own mixins in the set that its OVN plugin composes: no l3-agent, no scheduler, no RPC.
"""

from typing import Any, ClassVar

from neutron.api.rpc.agentnotifiers import utils as notifiers
from neutron.db import (
    dns_db,
    extraroute_db,
    l3_db,
    l3_fip_pools_db,
    l3_fip_port_details,
    l3_fip_qos,
    l3_gateway_ip_qos,
)
from neutron.db.availability_zone import router as router_zone_db
from neutron.db.models import l3 as l3_models
from neutron.quota import resource_registry
from neutron_lib import constants
from neutron_lib.api.definitions import (
    availability_zone,
    dns,
    dns_domain_keywords,
    dns_domain_ports,
    extraroute,
    extraroute_atomic,
    fip_port_details,
    floatingip_pools,
    floatingip_router_writable,
    l3,
    l3_ext_gw_mode,
    pagination,
    project_id,
    qos_fip,
    qos_gateway_ip,
    router_availability_zone,
    router_enable_snat,
    sorting,
    subnet_dns_publish_fixed_ip,
)
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api
from neutron_lib.exceptions import availability_zone as zone_exceptions
from neutron_lib.plugins import constants as plugin_constants
from neutron_lib.plugins import directory
from neutron_lib.services import base

from tricircle_neutron import facts

_QOS_ALIASES = (qos_fip.ALIAS, qos_gateway_ip.ALIAS)


@registry.has_registry_receivers
class TricircleL3Plugin(
    base.ServicePluginBase,
    extraroute_db.ExtraRoute_dbonly_mixin,
    l3_db.L3NotifierMixin,
    dns_db.DNSDbMixin,
    l3_fip_port_details.Fip_port_details_db_mixin,
    router_zone_db.RouterAvailabilityZoneMixin,
    l3_fip_qos.FloatingQoSDbMixin,
    l3_gateway_ip_qos.L3_gw_ip_qos_dbonly_mixin,
    l3_fip_pools_db.FloatingIPPoolsMixin,
):
    """The service plugin ``tricircle_router``."""

    _supported: ClassVar[tuple[str, ...]] = (
        l3.ALIAS,
        extraroute.ALIAS,
        extraroute_atomic.ALIAS,
        l3_ext_gw_mode.ALIAS,
        fip_port_details.ALIAS,
        floatingip_pools.ALIAS,
        floatingip_router_writable.ALIAS,
        pagination.ALIAS,
        sorting.ALIAS,
        project_id.ALIAS,
        dns.ALIAS,
        dns_domain_keywords.ALIAS,
        dns_domain_ports.ALIAS,
        subnet_dns_publish_fixed_ip.ALIAS,
        availability_zone.ALIAS,
        router_availability_zone.ALIAS,
        router_enable_snat.ALIAS,
        *_QOS_ALIASES,
    )

    @resource_registry.tracked_resources(router=l3_models.Router, floatingip=l3_models.FloatingIP)
    def __init__(self) -> None:
        super().__init__()
        # A notifier that was given no RPC client sends nothing.
        self._l3_rpc_notifier = notifiers.RPCNotifierHandler()

    @property
    def supported_extension_aliases(self) -> list[str]:
        """What clients find in the list of extensions."""
        if directory.get_plugin(plugin_constants.QOS):
            return list(self._supported)
        return [alias for alias in self._supported if alias not in _QOS_ALIASES]

    @classmethod
    def get_plugin_type(cls) -> str:
        """The kind of service plugin, Neutron's constant."""
        return str(plugin_constants.L3)

    def get_plugin_description(self) -> str:
        """Words for logs."""
        return "Routers and floating IPs of the central region, realised in pods"

    # The parameter's name is part of the interface: Neutron calls by keyword.
    def create_floatingip(self, context: Any, floatingip: Any, initial_status: str | None = None) -> Any:
        """A floating IP is DOWN until a pod carries it."""
        return super().create_floatingip(context, floatingip, initial_status or constants.FLOATINGIP_STATUS_DOWN)

    def get_router_availability_zones(self, router: Any) -> list[str]:
        """The zones in which the router is realised; none yet, since routers are records."""
        return []

    def validate_availability_zones(self, context: Any, resource_type: str, availability_zones: list[str]) -> None:
        """Refuse hints that no pod can honour. :raises AvailabilityZoneNotFound: Neutron's own 404."""
        if not availability_zones or resource_type != "router":
            return
        with db_api.CONTEXT_READER.using(context):
            unknown = facts.unknown_zones(context.session, availability_zones)
        if unknown:
            raise zone_exceptions.AvailabilityZoneNotFound(availability_zone=", ".join(unknown))

    @registry.receives(resources.ROUTER_INTERFACE, [events.AFTER_CREATE])
    def _interface_created(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        """Nobody else would announce the interface as up: it has nothing to do in any pod before a server is there."""
        directory.get_plugin().update_port_status(
            payload.context, payload.metadata["port"]["id"], constants.PORT_STATUS_ACTIVE
        )

    @registry.receives(resources.ROUTER_GATEWAY, [events.AFTER_CREATE, events.AFTER_UPDATE])
    def _gateway_created(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        context, core = payload.context.elevated(), directory.get_plugin()
        filters = {"device_id": [payload.resource_id], "device_owner": [constants.DEVICE_OWNER_ROUTER_GW]}
        for port in core.get_ports(context, filters=filters, fields=["id", "status"]):
            if port["status"] != constants.PORT_STATUS_ACTIVE:
                core.update_port_status(context, port["id"], constants.PORT_STATUS_ACTIVE)
