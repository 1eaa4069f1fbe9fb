# SPDX-License-Identifier: Apache-2.0
"""What does the imitated hypervisor do that Nova's own fake driver does not?

It remembers its machines over a restart, its snapshots put a small image into Glance, and what a real hypervisor can
and the fake one cannot, it says that it can: consoles are there. Several of them may be hosts
in one process.
"""

import io
import os
import uuid

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.compute import power_state
from nova.console import type as console_type
from nova.image import glance
from nova.scheduler.client import report
from nova.servicegroup import api as servicegroup
from nova.virt import fake, node

CONF = nova.conf.CONF
HOST = "127.0.0.1"
SNAPSHOT = bytes(64 * 1024)


class LabHypervisor(fake.FakeDriverWithoutFakeNodes):
    """One host with one node of 1000 CPUs, 800 GB of memory and 600 TB of disk."""

    capabilities = fake.FakeDriver.capabilities | {"supports_bfv_rescue": True, "supports_image_type_qcow2": True}

    def init_host(self, host):
        super().init_host(host)
        self.host_status_base["hypervisor_hostname"] = host
        # The machines live in memory only. Those of an earlier run are in the database, and without
        # them here no server could be stopped, attached to or detached from.
        context = nova_context.get_admin_context()
        servers = objects.InstanceList.get_by_host(context, host, expected_attrs=["flavor", "info_cache"])
        for server in servers:
            self._remember(server)

    def _remember(self, server):
        state = server.power_state
        if state not in (power_state.RUNNING, power_state.SHUTDOWN):
            state = power_state.RUNNING
        self.instances[server.uuid] = fake.FakeInstance(server.name, state, server.uuid)
        flavor = server.flavor
        self.resources.claim(vcpus=flavor.vcpus, mem=flavor.memory_mb, disk=flavor.root_gb)
        if server.info_cache is not None and server.info_cache.network_info is not None:
            for vif in server.info_cache.network_info:
                self._interfaces[vif["id"]] = vif

    def get_available_resource(self, nodename):
        return super().get_available_resource(nodename) | {"uuid": self._node_id()}

    def get_nodenames_by_uuid(self, refresh=False):
        return {self._node_id(): self._host}

    def _node_id(self):
        """Nova's own for the host that the configuration names; for the others one that is made from it."""
        first = node.get_local_node_uuid()
        return first if self._host == CONF.host else str(uuid.uuid5(uuid.UUID(first), self._host))

    def get_host_uptime(self):
        return " 12:00:00 up 1 day,  0:00,  0 users,  load average: 0.10, 0.10, 0.10"

    def post_live_migration(self, context, instance, block_device_info, migrate_data=None):
        # The machine is the other host's now.
        self.destroy(context, instance, network_info=None)

    def get_vnc_console(self, context, instance):
        return console_type.ConsoleVNC(HOST, _port("VNC"), instance.uuid)

    def get_spice_console(self, context, instance):
        return console_type.ConsoleSpice(HOST, _port("SPICE"), None, instance.uuid)

    def get_serial_console(self, context, instance):
        return console_type.ConsoleSerial(HOST, _port("SERIAL"), instance.uuid)

    def get_mks_console(self, context, instance):
        return console_type.ConsoleMKS(HOST, _port("VNC"), instance.uuid)

    def snapshot(self, context, instance, image_id, update_task_state):
        super().snapshot(context, instance, image_id, update_task_state)
        api = glance.API()
        image = api.get(context, image_id)
        facts = {
            "name": image["name"],
            "disk_format": "raw",
            "container_format": "bare",
            "properties": {"image_state": "available"},
        }
        api.update(context, image_id, facts, data=io.BytesIO(SNAPSHOT))


def _port(kind):
    """Where lab/pod/consoles.py imitates what hypervisors have for each machine."""
    return int(os.environ[f"LAB_{kind}_SERVER"])


def _no_allocations(client, context, nodename):
    """Nothing, at once.

    Nova asks Placement for every allocation of the host on every boot and delete, for the sake of
    reshapes only; with one host as big as a pod that makes the time of a boot grow with their number.
    """
    return {}


def install():
    """Make the driver loadable as `fake.LabHypervisor`: Nova looks only below nova.virt."""
    fake.LabHypervisor = LabHypervisor
    servicegroup.INITIAL_REPORTING_DELAY = 0  # a host that is back is used at once, not after 5 s
    report.SchedulerReportClient.get_allocations_for_provider_tree = _no_allocations
