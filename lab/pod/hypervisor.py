# SPDX-License-Identifier: Apache-2.0
"""What does the imitated hypervisor do that Nova's own fake driver does not?

It remembers its machines over a restart, its snapshots put a small image into Glance, and what a real hypervisor can
and the fake one cannot, it says that it can: consoles are there. Several of them may be hosts
in one process. Where the lab has a data path, its machines are network namespaces on a real switch (lab/pod/guests.py).
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

from lab.pod import guests

CONF = nova.conf.CONF
HOST = "127.0.0.1"
SNAPSHOT = bytes(64 * 1024)
LINES = 40  # of every console


class LabHypervisor(fake.FakeDriverWithoutFakeNodes):
    """One host with one node of 1000 CPUs, 800 GB of memory and 600 TB of disk."""

    capabilities = fake.FakeDriver.capabilities | {"supports_bfv_rescue": True, "supports_image_type_qcow2": True}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._guests = guests.from_environment()

    def init_host(self, host):
        super().init_host(host)
        self.host_status_base["hypervisor_hostname"] = host
        # The machines live in memory only. Those of an earlier run are in the database, and without
        # them here no server could be stopped, attached to or detached from.
        context = nova_context.get_admin_context()
        servers = objects.InstanceList.get_by_host(context, host, expected_attrs=["flavor", "info_cache"])
        for server in servers:
            self._remember(server)
        if self._guests is not None:
            self._guests.keep_only([server.uuid for server in servers])
            for server in servers:
                if server.info_cache is not None:
                    self._plug(server, server.info_cache.network_info)

    # --- ports of machines; without a data path nothing happens ------------------------------------

    def _plug(self, instance, network_info):
        """Plug what runs; what is off gets its ports when it is switched on."""
        if self._guests is None or self.instances[instance.uuid].state != power_state.RUNNING:
            return
        for vif in network_info or ():
            self._guests.plug(instance.uuid, vif)

    def _end_guest(self, instance):
        if self._guests is not None:
            self._guests.remove(instance.uuid)

    def spawn(self, context, instance, *args, **kwargs):
        super().spawn(context, instance, *args, **kwargs)
        self._plug(instance, kwargs.get("network_info"))

    def finish_migration(self, context, migration, instance, disk_info, network_info, *args, **kwargs):
        super().finish_migration(context, migration, instance, disk_info, network_info, *args, **kwargs)
        self._plug(instance, network_info)

    def finish_revert_migration(self, context, instance, network_info, *args, **kwargs):
        super().finish_revert_migration(context, instance, network_info, *args, **kwargs)
        self._plug(instance, network_info)

    def migrate_disk_and_power_off(self, context, instance, *args, **kwargs):
        self._end_guest(instance)
        return super().migrate_disk_and_power_off(context, instance, *args, **kwargs)

    def power_off(self, instance, *args, **kwargs):
        super().power_off(instance, *args, **kwargs)
        self._end_guest(instance)

    def power_on(self, context, instance, network_info, *args, **kwargs):
        super().power_on(context, instance, network_info, *args, **kwargs)
        self._plug(instance, network_info)

    def suspend(self, context, instance):
        super().suspend(context, instance)
        self._end_guest(instance)

    def resume(self, context, instance, network_info, *args, **kwargs):
        super().resume(context, instance, network_info, *args, **kwargs)
        self._plug(instance, network_info)

    def destroy(self, context, instance, *args, **kwargs):
        self._end_guest(instance)
        super().destroy(context, instance, *args, **kwargs)

    def attach_interface(self, context, instance, image_meta, vif):
        super().attach_interface(context, instance, image_meta, vif)
        self._plug(instance, [vif])

    def detach_interface(self, context, instance, vif):
        super().detach_interface(context, instance, vif)
        if self._guests is not None:
            self._guests.unplug(vif)

    # -----------------------------------------------------------------------------------------------

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

    def get_console_output(self, context, instance):
        return "".join(f"[{second:>4}.000000] canary line of a console\n" for second in range(LINES))

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
