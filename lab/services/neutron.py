# SPDX-License-Identifier: Apache-2.0
"""Which process is Neutron in a pod, and how is it configured?"""

from __future__ import annotations

from pathlib import Path

from lab import ini
from lab.datapath.plan import MTU, PHYSNETS, data_path, mtu_of
from lab.service import HttpAnswers, Service
from lab.services.processes import environment, pod_code, uwsgi, venv_of
from lab.services.sections import credentials, database, shared
from lab.topology import COMPUTE_HOST, Lab, Pod

PLUGINS = (
    "router",
    "trunk",
    "qos",
    "port_forwarding",
    "network_ip_availability",
    "auto_allocate",
    "metering",
    "lab.pod.neutron_agents.LabPlugin",
)
# With real packets: nothing of ours is inside.
PLUGINS_OVN = (
    "ovn-router",
    "trunk",
    "qos",
    "port_forwarding",
    "network_ip_availability",
    "auto_allocate",
)
_LIFTED_QUOTAS = (
    "network",
    "subnet",
    "port",
    "router",
    "floatingip",
    "security_group",
    "security_group_rule",
    "trunk",
)


def write_pod(lab: Lab, pod: Pod) -> tuple[Path, ...]:
    """Write neutron.conf and ml2_conf.ini; returns both."""
    directory = lab.etc / pod.name / "neutron"
    server: dict[str, ini.Section] = {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": PLUGINS_OVN if lab.has_packets else PLUGINS,
            "api_paste_config": venv_of(lab, pod) / "etc" / "neutron" / "api-paste.ini",
            "host": COMPUTE_HOST,
            "state_path": lab.var / pod.name / "neutron",
            "agent_down_time": 120,  # four heartbeats of the imitated agents
            "allow_automatic_dhcp_failover": False,  # there is nobody to fail over to
            "l3_ha": False,
            "max_routes": 100,
            "vlan_transparent": True,
            "dns_domain": f"canary-domain.{pod.name}.",
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
        },
        "database": database(lab, f"neutron_{pod.name}", green=pod.is_older),
        "nova": {**credentials(lab, "nova"), "region_name": pod.region},
        "placement": {**credentials(lab, "placement"), "region_name": pod.region},
        "quotas": {"default_quota": -1, **{f"quota_{name}": -1 for name in _LIFTED_QUOTAS}} if pod.unlimited else {},
    }
    server_file = directory / "neutron.conf"
    ml2_file = directory / "plugins" / "ml2" / "ml2_conf.ini"
    ini.write(server_file, ini.render(ini.merge(shared(lab, pod, "neutron"), server)))
    ini.write(ml2_file, ini.render(_ml2_ovn(lab, pod) if lab.has_packets else _ml2(lab, pod)))
    return server_file, ml2_file


def pod_services(lab: Lab, pod: Pod) -> list[Service]:
    api = "older/neutron_api" if pod.is_older else "neutron_api"
    files = (*write_pod(lab, pod), *pod_code(lab, "bus", api, *(() if lab.has_packets else ("neutron_agents",))))
    return [
        Service(
            name=f"{pod.name}-neutron",
            command=uwsgi(lab, f"lab.pod.{api.replace('/', '.')}", pod.port("neutron"), pod=pod),
            environment=environment(
                lab,
                pod,
                OS_NEUTRON_CONFIG_DIR=str(files[0].parent),
                # ML2/OVN keeps the time of its start in a file that is named for the parent process: that of all pods.
                TMPDIR=str(lab.var / pod.name / "neutron"),
            ),
            probe=HttpAnswers(port=pod.port("neutron")),
            files=files,
            group=pod.name,
        )
    ]


_EXTENSIONS = ("port_security", "qos", "dns_domain_ports", "port_numa_affinity_policy")
#: What not every operator loads: the centre and the first pod have it.
_RARE_EXTENSIONS = ("port_trusted", "port_hints")


def extension_drivers(pod: Pod | None) -> str:
    """What ports and networks can say beside; None: at the centre."""
    has_all = pod is None or (pod.number == 1 and not pod.is_older)
    return ",".join((*_EXTENSIONS, *(_RARE_EXTENSIONS if has_all else ())))


# What spans pods has no range: tenants of the pod get nothing from it, while an administrator may name a segment.
_VLANS = "stretch,narrow,bridge:2001:2099,extern:3001:3099"
_BRIDGES = "stretch:br-stretch,narrow:br-narrow,bridge:br-bridge,extern:br-ex"


def own_physnets(pod: Pod) -> tuple[str, ...]:
    """What not all pods with imitated agents have: ``island`` the first, ``fibre`` the first two, by two names."""
    return {1: ("fibre", "island"), 2: (f"canary-net-fibre-{pod.name}",)}.get(pod.number, ())


def _ml2_ovn(lab: Lab, pod: Pod) -> ini.Sections:
    n, remote = pod.number, data_path(lab).of(pod).remote
    return {
        "ml2": {
            "type_drivers": "local,flat,vlan,geneve",
            "tenant_network_types": "geneve,vlan",
            "mechanism_drivers": "ovn",
            "extension_drivers": extension_drivers(pod),
            "path_mtu": MTU,
            "physical_network_mtus": [f"{physnet}:{mtu_of(n, physnet)}" for physnet in PHYSNETS],
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "ml2_type_vlan": {"network_vlan_ranges": _VLANS},
        "ml2_type_geneve": {"vni_ranges": f"{n}0001:{n}0199", "max_header_size": 38},
        "securitygroup": {"enable_security_group": True},
        "ovn": {
            "ovn_nb_connection": remote,
            "ovn_sb_connection": remote,
            "ovn_metadata_enabled": True,
            "enable_distributed_floating_ip": False,
        },
    }


def _ml2(lab: Lab, pod: Pod) -> ini.Sections:
    # The ranges are short: Neutron reads a row for every number at every start.
    n = pod.number
    return {
        "ml2": {
            "type_drivers": "local,flat,vlan,vxlan,geneve",
            "tenant_network_types": "vxlan,vlan",
            "mechanism_drivers": "openvswitch,l2population",
            "extension_drivers": extension_drivers(pod),
            "path_mtu": 1500,
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "ml2_type_vlan": {"network_vlan_ranges": ",".join([_VLANS, *own_physnets(pod)])},
        "ml2_type_vxlan": {"vni_ranges": f"{n}001:{n}199"},
        "ml2_type_geneve": {"vni_ranges": f"{n}0001:{n}0199", "max_header_size": 38},
        "securitygroup": {"enable_security_group": True, "firewall_driver": "openvswitch"},
        "lab": {
            "host": COMPUTE_HOST,
            "availability_zone": pod.zone,
            "tunneling_ip": f"127.0.{n}.1",
            **_more_hosts(lab, pod),
            **({"spare_dhcp_host": f"{COMPUTE_HOST}-spare"} if pod.number % 2 == 0 else {}),
            "bridge_mappings": ",".join([_BRIDGES, *(f"{name}:br-own" for name in own_physnets(pod))]),
        },
    }


def _more_hosts(lab: Lab, pod: Pod) -> ini.Section:
    """The tunnels of the compute hosts beside the first."""
    others = {host: f"127.0.{pod.number}.{number}" for number, host in enumerate(lab.hosts[1:], start=2)}
    return {"more_hosts": [f"{host}:{address}" for host, address in others.items()]} if others else {}
