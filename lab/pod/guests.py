# SPDX-License-Identifier: Apache-2.0
"""How is a machine of the imitated hypervisor plugged into a real switch?

A machine is a network namespace. Each of its ports is a device of the switch that was moved into it, with the port's
address, and the machine asks for everything else by DHCP as a cloud image does. Only where the lab has a data path:
LAB_SWITCH says where the switch is asked.
"""

import os
import subprocess
import time
from pathlib import Path

from oslo_log import log as logging

from lab.datapath.namespaces import Namespaces, PathError, inside, run
from lab.datapath.plan import INTEGRATION_BRIDGE, tap

LOG = logging.getLogger(__name__)
DATAPATH = Path(__file__).parent.parent / "datapath"
# The client keeps things in places that all machines would share.
OWN_PLACES = 'mkdir -p /run/dhcpcd && mount -t tmpfs tmpfs /run/dhcpcd && mount -t tmpfs tmpfs /var/lib/dhcpcd && "$@"'
DEVICE_SECONDS = 5.0
LEASE_TRIES = 60  # one in a second; guests do not give up sooner


def from_environment():
    """The guests of this process's host, or None where packets are imitated too."""
    if "LAB_SWITCH" not in os.environ:
        return None
    return Guests(
        switch=os.environ["LAB_SWITCH"],
        switch_namespace=os.environ["LAB_SWITCH_NAMESPACE"],
        prefix=os.environ["LAB_GUESTS"],
        records=Path(os.environ["LAB_NAMESPACES"]),
        leases=Path(os.environ["LAB_LEASES"]),
    )


class Guests:
    """The namespaces of one host's machines. Everything may be repeated."""

    def __init__(self, *, switch, switch_namespace, prefix, records, leases):
        self._switch = switch
        self._switch_namespace = switch_namespace
        self._prefix = prefix
        self._leases = leases
        self._namespaces = Namespaces(records)
        leases.mkdir(parents=True, exist_ok=True)

    def keep_only(self, server_ids):
        """Remove the machines of an earlier run that are no more."""
        wanted = {self._prefix + server_id for server_id in server_ids}
        for name in self._namespaces.recorded():
            if name.startswith(self._prefix) and name not in wanted:
                self.remove(name.removeprefix(self._prefix))

    def plug(self, server_id, vif):
        """Give a machine a port: a network information of Nova's. Raises PathError."""
        namespace, device, mac = self._prefix + server_id, tap(vif["id"]), vif["address"]
        self._namespaces.add(namespace)
        if _has(namespace, device):
            return
        self._add_port(vif["id"], device, mac)
        run("ip", "-n", self._switch_namespace, "link", "set", device, "netns", namespace)
        run("ip", "-n", namespace, "link", "set", device, "address", mac)
        mtu = vif["network"]["meta"].get("mtu") or 1500
        run("ip", "-n", namespace, "link", "set", device, "up", "mtu", str(mtu))
        self._ask_for_lease(namespace, device)
        if any(_is_asked_over_ipv6(subnet) for subnet in vif["network"]["subnets"]):
            self._ask_for_lease_over_ipv6(namespace, device)

    def unplug(self, vif):
        """Take a port away, wherever it is plugged."""
        self._switch_command("--if-exists", "del-port", INTEGRATION_BRIDGE, tap(vif["id"]))
        for lease in self._leases.glob(f"{tap(vif['id'])}*"):
            lease.unlink(missing_ok=True)

    def remove(self, server_id):
        """End a machine with all its ports."""
        namespace = self._prefix + server_id
        for device in _taps(namespace) if namespace in self._namespaces.existing() else ():
            self.unplug({"id": device.removeprefix("tap")})
        self._namespaces.delete(namespace)

    def _add_port(self, port_id, device, mac):
        settings = (
            "type=internal",
            f'mac="{mac}"',
            f'external-ids:iface-id="{port_id}"',
            f'external-ids:attached-mac="{mac}"',
        )
        # One that is left of a machine that went with its namespace would not come back by itself.
        self._switch_command("--if-exists", "del-port", INTEGRATION_BRIDGE, device)
        self._switch_command("add-port", INTEGRATION_BRIDGE, device, "--", "set", "interface", device, *settings)
        end = time.monotonic() + DEVICE_SECONDS
        while not _has(self._switch_namespace, device):
            if time.monotonic() > end:
                raise PathError(f"the switch makes no device {device}")
            time.sleep(0.02)

    def _switch_command(self, *command):
        return run("ovs-vsctl", f"--db={self._switch}", "--timeout=20", "--", *command)

    def _ask_for_lease(self, namespace, device):
        """In the background, as a machine that boots: the flows of its port may not be there yet."""
        client = ("udhcpc", "-i", device, "-f", "-n", "-q", "-t", str(LEASE_TRIES), "-T", "1")
        asked = ("-O", "mtu", "-O", "staticroutes", "-s", str(DATAPATH / "dhcp.sh"))
        _begin(inside(namespace, *client, *asked), LAB_LEASE=str(self._leases / device))

    def _ask_for_lease_over_ipv6(self, namespace, device):
        """As a machine does that was told by a router to ask. No router is there to tell it."""
        client = ("dhcpcd", "-B", "-1", "-t", str(LEASE_TRIES), "-f", str(DATAPATH / "dhcp6.conf"))
        told = ("-c", str(DATAPATH / "dhcp6.sh"), "-e", f"LAB_LEASE={self._leases / f'{device}.6'}")
        _begin(inside(namespace, "sh", "-c", OWN_PLACES, "sh", *client, *told, device))


def _begin(command, **environment):
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
    )


def _is_asked_over_ipv6(subnet):
    """Whether a subnet has addresses by DHCPv6; those that machines make for themselves have no server."""
    return subnet["version"] == 6 and subnet.get_meta("ipv6_address_mode") == "dhcpv6-stateful"


def _has(namespace, device):
    try:
        run("ip", "-n", namespace, "link", "show", "dev", device)
    except PathError:
        return False
    return True


def _taps(namespace):
    """The devices of ports in a namespace."""
    lines = run("ip", "-n", namespace, "-o", "link", "show").splitlines()
    names = [line.split(":")[1].strip().partition("@")[0] for line in lines]
    return [name for name in names if name.startswith("tap")]
