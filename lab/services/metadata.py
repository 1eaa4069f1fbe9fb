# SPDX-License-Identifier: Apache-2.0
"""How does a server find its metadata at 169.254.169.254, where packets are real?

As in any cloud with OVN: Neutron's agent on the hypervisor keeps a namespace with an HAProxy for each network, finds
out who asks, and asks Nova. The hypervisor is a namespace, Nova listens outside of it: one more HAProxy has one end
in each, as the network between hypervisors and controllers has.
"""

from __future__ import annotations

from pathlib import Path

from lab import ini
from lab.datapath.namespaces import inside
from lab.datapath.plan import PodPath, data_path
from lab.service import Service, Started
from lab.services.processes import environment, pod_code
from lab.topology import HOST, PASSWORD, Lab, Pod

_FRONT = """global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen nova
    bind {host}:{port} namespace {namespace}
    server nova {host}:{port}
"""
# Every agent believes that all namespaces of metadata are its own. Here each has a directory of names to itself; and
# its HAProxies, which leave its session, end with it.
_ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_OWN_NAMES = 'mount -t tmpfs tmpfs /run/netns && exec "$@"'


def agent_name(pod: Pod) -> str:
    """The name of the agent's process."""
    return f"{pod.name}-neutron-metadata"


def front_name(pod: Pod) -> str:
    """The name of the process by which the agent reaches Nova."""
    return f"{pod.name}-metadata-front"


def pod_services(lab: Lab, pod: Pod) -> list[Service]:
    """The agent of a pod, and its way to Nova; none without real packets."""
    if not lab.has_packets:
        return []
    path = data_path(lab).of(pod)
    return [_front(lab, pod, path), _agent(lab, pod, path)]


def _front(lab: Lab, pod: Pod, path: PodPath) -> Service:
    file = lab.etc / pod.name / "metadata-front.cfg"
    ini.write(file, _FRONT.format(host=HOST, port=pod.port("metadata"), namespace=path.hypervisor))
    return Service(
        name=front_name(pod),
        command=("haproxy", "-db", "-f", str(file)),
        environment=environment(lab, pod),
        probe=Started(),
        files=(file,),
        group=pod.name,
    )


def _agent(lab: Lab, pod: Pod, path: PodPath) -> Service:
    file = lab.etc / pod.name / "neutron" / "ovn_metadata_agent.ini"
    ini.write(file, ini.render(_sections(lab, pod, path)))
    program = (f"{lab.venv}/bin/python", "-m", "lab.pod.metadata_agent", "--config-file", str(file))
    return Service(
        name=agent_name(pod),
        command=inside(path.hypervisor, *_ALONE, "sh", "-c", _OWN_NAMES, "sh", *program),
        environment=environment(lab, pod),
        probe=Started(),
        files=(file, *pod_code(lab, "metadata_agent")),
        group=pod.name,
    )


def _sections(lab: Lab, pod: Pod, path: PodPath) -> ini.Sections:
    state: Path = lab.var / pod.name / "metadata"
    return {
        "DEFAULT": {
            "state_path": state,
            "use_stderr": True,
            "nova_metadata_host": HOST,
            "nova_metadata_port": pod.port("metadata"),
            "metadata_proxy_shared_secret": PASSWORD,
            "metadata_proxy_socket": path.directory / "metadata.sock",
            "metadata_workers": 2,
        },
        "AGENT": {"root_helper": ""},
        "ovs": {"ovsdb_connection": path.remote},
        "ovn": {"ovn_sb_connection": path.remote},
    }
