# SPDX-License-Identifier: Apache-2.0
"""What would the Open vSwitch, DHCP and L3 agents of a pod's hosts tell Neutron?

A service plugin inside Neutron's API: it keeps the rows of the agents fresh, so that the real ML2
drivers bind ports to the hosts, and it reports what the agents would report when they are done. The
first host is the network node: DHCP and L3 agents are there alone, but for a DHCP agent on a host of its own that waits
to be switched on, so that a network can have two.
"""

import queue
import threading

from neutron.common import utils as neutron_names
from neutron.db import models_v2, provisioning_blocks
from neutron.objects import trunk as trunk_objects
from neutron.plugins.ml2 import models as ml2_models
from neutron_lib import constants, context
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.services import base as service_base
from neutron_lib.services.trunk import constants as trunk_constants
from oslo_config import cfg
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

OPTIONS = (
    cfg.StrOpt("host"),
    cfg.StrOpt("availability_zone", default="nova"),
    cfg.StrOpt("tunneling_ip"),
    cfg.DictOpt("more_hosts", default={}, help="Compute hosts beside the first, and their tunneling_ip."),
    cfg.DictOpt("bridge_mappings", default={}),
    cfg.StrOpt("spare_dhcp_host", help="Where one more DHCP agent is, switched off at first."),
)
HEARTBEAT_SECONDS = 30
MISSED_PORTS = 200  # at most this many forgotten ports are healed in one heartbeat
FIRST_PAUSE_SECONDS = 0.05
ATTEMPTS = {"subnet": 2}
DEFAULT_ATTEMPTS = 6

ROUTER_PORTS = (constants.DEVICE_OWNER_ROUTER_INTF, constants.DEVICE_OWNER_ROUTER_GW)

PORT, FLOATING_IP, TRUNK, ROUTER, SUBNET = "port", "floating_ip", "trunk", "router", "subnet"


class LabPlugin(service_base.ServicePluginBase):
    """Plays the agents of the hosts named in section [lab]."""

    supported_extension_aliases = []  # noqa: RUF012  (Neutron's own form)

    def __init__(self):
        super().__init__()
        cfg.CONF.register_opts(OPTIONS, group="lab")
        self._queue = queue.Queue()
        self._waiting = set()  # what is in the queue for its first attempt
        self._host = cfg.CONF.lab.host
        self._addresses = {self._host: cfg.CONF.lab.tunneling_ip, **cfg.CONF.lab.more_hosts}
        for resource, happened, handler in (
            (resources.PROCESS, events.AFTER_INIT, self._start),
            (resources.PORT, events.AFTER_CREATE, self._port),
            (resources.PORT, events.AFTER_UPDATE, self._port),
            (resources.FLOATING_IP, events.AFTER_CREATE, self._floating_ip),
            (resources.FLOATING_IP, events.AFTER_UPDATE, self._floating_ip),
            (resources.TRUNK, events.AFTER_CREATE, self._trunk),
            (resources.TRUNK, events.AFTER_UPDATE, self._trunk),
            (resources.SUBPORTS, events.AFTER_CREATE, self._trunk),
            (resources.ROUTER, events.AFTER_UPDATE, self._router),
            (resources.ROUTER_GATEWAY, events.AFTER_CREATE, self._router),
            (resources.ROUTER_INTERFACE, events.AFTER_CREATE, self._router),
            (resources.SUBNET, events.AFTER_CREATE, self._subnet),
            (resources.SUBNET, events.AFTER_UPDATE, self._subnet),
        ):
            registry.subscribe(handler, resource, happened)

    def get_plugin_type(self):
        return "LAB"

    def get_plugin_description(self):
        return "The imitated agents of all hosts."

    # --- what Neutron tells us; nothing here may take long, it is the user's request ---------------

    def _port(self, resource, event, trigger, payload):
        port = payload.latest_state
        if port.get(portbindings.HOST_ID) and port["status"] != constants.PORT_STATUS_ACTIVE:
            self._ask(PORT, port["id"])

    def _floating_ip(self, resource, event, trigger, payload):
        self._ask(FLOATING_IP, payload.resource_id or payload.latest_state["id"])

    def _trunk(self, resource, event, trigger, payload):
        self._ask(TRUNK, payload.resource_id)

    def _router(self, resource, event, trigger, payload):
        self._ask(ROUTER, payload.resource_id)

    def _subnet(self, resource, event, trigger, payload):
        self._ask(SUBNET, payload.latest_state["id"])

    def _ask(self, kind, identifier):
        if identifier and (kind, identifier) not in self._waiting:
            self._waiting.add((kind, identifier))
            self._queue.put((kind, identifier, 1))

    # --- threads ----------------------------------------------------------------------------------

    def _start(self, resource, event, trigger, payload=None):
        threading.Thread(target=self._beat, name="lab-heartbeat", daemon=True).start()
        threading.Thread(target=self._work, name="lab-agents", daemon=True).start()

    def _beat(self):
        pause = threading.Event()
        first = True
        while True:
            try:
                self._report_agents(first)
                self._queue_missed_ports()
                first = False
            except Exception:
                LOG.exception("The lab's agents cannot report")
            pause.wait(1 if first else HEARTBEAT_SECONDS)

    def _work(self):
        bodies = {
            PORT: self._bring_up_port,
            FLOATING_IP: self._set_floating_ip,
            TRUNK: self._bring_up_trunk,
            ROUTER: self._bind_router,
            SUBNET: self._serve_subnet,
        }
        while True:
            kind, identifier, attempt = self._queue.get()
            self._waiting.discard((kind, identifier))
            try:
                done = bodies[kind](context.get_admin_context(), identifier)
            except Exception as error:
                LOG.debug("The lab's agents: %s %s: %s", kind, identifier, error)
                done = False
            if not done and attempt < ATTEMPTS.get(kind, DEFAULT_ATTEMPTS):
                again = (kind, identifier, attempt + 1)
                threading.Timer(FIRST_PAUSE_SECONDS * 2**attempt, self._queue.put, [again]).start()

    # --- what the agents do; each returns False when it should be tried again ----------------------

    def _report_agents(self, first):
        core = directory.get_plugin()
        section = cfg.CONF.lab
        agents = [
            (
                constants.AGENT_TYPE_OVS,
                "neutron-openvswitch-agent",
                "N/A",
                host,
                {
                    "bridge_mappings": section.bridge_mappings,
                    "tunnel_types": ["vxlan", "geneve"],
                    "tunneling_ip": address,
                    "l2_population": True,
                    "datapath_type": "system",
                    "extensions": ["qos"],
                },
            )
            for host, address in self._addresses.items()
        ]
        router = {"agent_mode": "legacy", "handle_internal_only_routers": True}
        agents += [
            (constants.AGENT_TYPE_DHCP, "neutron-dhcp-agent", "dhcp_agent", self._host, {"dhcp_driver": "lab"}),
            (constants.AGENT_TYPE_L3, "neutron-l3-agent", "l3_agent", self._host, router),
        ]
        for kind, binary, topic, host, configurations in agents:
            state = {
                "agent_type": kind,
                "binary": binary,
                "topic": topic,
                "host": host,
                "configurations": configurations,
            }
            if kind != constants.AGENT_TYPE_OVS:
                state["availability_zone"] = section.availability_zone
            if first:
                state["start_flag"] = True
            core.create_or_update_agent(context.get_admin_context(), state)
        if section.spare_dhcp_host:
            self._report_spare(core, section.spare_dhcp_host, first)

    def _report_spare(self, core, host, first):
        ctx, kind = context.get_admin_context(), constants.AGENT_TYPE_DHCP
        is_new = not core.get_agents(ctx, filters={"host": [host], "agent_type": [kind]})
        state = {
            "agent_type": kind,
            "binary": "neutron-dhcp-agent",
            "topic": "dhcp_agent",
            "host": host,
            "configurations": {"dhcp_driver": "lab"},
            "availability_zone": cfg.CONF.lab.availability_zone,
        }
        core.create_or_update_agent(ctx, {**state, "start_flag": True} if first else state)
        if is_new:
            (agent,) = core.get_agents(ctx, filters={"host": [host], "agent_type": [kind]})
            core.update_agent(ctx, agent["id"], {"agent": {"admin_state_up": False}})

    def _queue_missed_ports(self):
        ctx = context.get_admin_context()
        with db_api.CONTEXT_READER.using(ctx):
            missed = (
                ctx.session.query(models_v2.Port.id)
                .join(ml2_models.PortBinding, ml2_models.PortBinding.port_id == models_v2.Port.id)
                .filter(ml2_models.PortBinding.host.in_(self._addresses))
                .filter(models_v2.Port.status.in_((constants.PORT_STATUS_DOWN, constants.PORT_STATUS_BUILD)))
                .filter(models_v2.Port.admin_state_up)
                .limit(MISSED_PORTS)
                .all()
            )
        for (port_id,) in missed:
            self._ask(PORT, port_id)

    def _bring_up_port(self, ctx, port_id):
        core = directory.get_plugin()
        port = core.get_port(ctx, port_id)
        if port["status"] == constants.PORT_STATUS_ACTIVE or not port[portbindings.HOST_ID]:
            return True
        if port[portbindings.VIF_TYPE] in (
            portbindings.VIF_TYPE_UNBOUND,
            portbindings.VIF_TYPE_BINDING_FAILED,
        ):
            return False
        provisioning_blocks.remove_provisioning_component(ctx, port_id, resources.PORT, provisioning_blocks.DHCP_ENTITY)
        provisioning_blocks.provisioning_complete(ctx, port_id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY)
        port = core.get_port(ctx, port_id)
        if port["status"] != constants.PORT_STATUS_ACTIVE and port["admin_state_up"]:
            core.update_port_status(ctx, port_id, constants.PORT_STATUS_ACTIVE, host=port[portbindings.HOST_ID])
        trunk = trunk_objects.Trunk.get_object(ctx, port_id=port_id)
        if trunk is not None and trunk.status != trunk_constants.TRUNK_ACTIVE_STATUS:
            self._ask(TRUNK, trunk.id)
        return True

    def _bring_up_trunk(self, ctx, trunk_id):
        core = directory.get_plugin()
        trunk = trunk_objects.Trunk.get_object(ctx, id=trunk_id)
        if trunk is None:
            return True
        host = core.get_port(ctx, trunk.port_id)[portbindings.HOST_ID]
        if not host:
            return True
        for subport in trunk.sub_ports:
            port = core.get_port(ctx, subport.port_id)
            if port[portbindings.HOST_ID] != host:
                binding = {
                    portbindings.HOST_ID: host,
                    "device_owner": trunk_constants.TRUNK_SUBPORT_OWNER,
                }
                core.update_port(ctx, subport.port_id, {"port": binding})
        if trunk.status != trunk_constants.TRUNK_ACTIVE_STATUS:
            trunk.update(status=trunk_constants.TRUNK_ACTIVE_STATUS)
        return True

    def _set_floating_ip(self, ctx, floating_ip_id):
        routers = directory.get_plugin(plugins.L3)
        floating_ip = routers.get_floatingip(ctx, floating_ip_id)
        status = constants.FLOATINGIP_STATUS_ACTIVE if floating_ip["port_id"] else constants.FLOATINGIP_STATUS_DOWN
        if floating_ip["status"] != status:
            routers.update_floatingip_status(ctx, floating_ip_id, status)
        return True

    def _bind_router(self, ctx, router_id):
        # What the L3 agent's full sync comes down to, at a tenth of its price.
        core = directory.get_plugin()
        ports = core.get_ports(
            ctx, filters={"device_id": [router_id]}, fields=["id", "device_owner", portbindings.HOST_ID]
        )
        for port in ports:
            if port["device_owner"] in ROUTER_PORTS and port[portbindings.HOST_ID] != self._host:
                core.update_port(ctx, port["id"], {"port": {portbindings.HOST_ID: self._host}})
        return True

    def _serve_subnet(self, ctx, subnet_id):
        core = directory.get_plugin()
        subnet = core.get_subnet(ctx, subnet_id)
        network = core.get_network(ctx, subnet["network_id"])
        if not subnet["enable_dhcp"] or network.get("router:external"):
            return True
        serving = core.get_dhcp_agents_hosting_networks(ctx, [network["id"]])
        for host in sorted({agent.host for agent in serving} | {self._host}):
            self._serve_from(ctx, host, network, subnet_id)
        return True

    def _serve_from(self, ctx, host, network, subnet_id):
        core = directory.get_plugin()
        device = neutron_names.get_dhcp_agent_device_id(network["id"], host)
        ports = core.get_ports(ctx, filters={"network_id": [network["id"]], "device_id": [device]})
        if not ports:
            core.create_port(ctx, {"port": self._dhcp_port(network, subnet_id, device, host)})
            return
        addresses = ports[0]["fixed_ips"]
        if all(address["subnet_id"] != subnet_id for address in addresses):
            wanted = [*addresses, {"subnet_id": subnet_id}]
            core.update_port(ctx, ports[0]["id"], {"port": {"fixed_ips": wanted}})

    def _dhcp_port(self, network, subnet_id, device, host):
        unset = constants.ATTR_NOT_SPECIFIED
        return {
            "name": "",
            "network_id": network["id"],
            "tenant_id": network["tenant_id"],
            "project_id": network["tenant_id"],
            "admin_state_up": True,
            "device_id": device,
            "device_owner": constants.DEVICE_OWNER_DHCP,
            "mac_address": unset,
            "fixed_ips": [{"subnet_id": subnet_id}],
            "security_groups": [],
            "port_security_enabled": False,
            portbindings.HOST_ID: host,
        }
