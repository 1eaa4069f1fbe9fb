# SPDX-License-Identifier: Apache-2.0
"""Neutron's agent for the metadata of OVN, as root and in a namespace of processes of its own.

Stock but for two things. What needs privileges is done in the process itself, which has them, and not by three more
processes of Python. And checksums are computed by the sender, as on the lab's other wires, and not by a rule of
iptables, for which not every kernel has the target.
"""

import os
import signal

from neutron.agent.ovn import metadata_agent
from neutron.agent.ovn.metadata import agent
from neutron.privileged import default, link_cmd, namespace_cmd

from lab.datapath.namespaces import inside, run


class LabAgent(agent.MetadataAgent):
    """The agent whose namespaces compute checksums themselves."""

    def _ensure_datapath_checksum(self, namespace):
        device = self._get_veth_name(self._get_network_name(namespace))[1]
        run(*inside(namespace, "ethtool", "-K", device, "tx", "off"))


def _end(_number, _frame):
    """The kernel ends all others of the namespace with its first process."""
    os._exit(0)


if __name__ == "__main__":
    # To the first process of a namespace the kernel sends only signals for which there is a handler.
    signal.signal(signal.SIGTERM, _end)
    for context in (default, link_cmd, namespace_cmd):
        context.set_client_mode(False)
    agent.MetadataAgent = LabAgent
    metadata_agent.main()
