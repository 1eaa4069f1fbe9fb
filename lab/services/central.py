# SPDX-License-Identifier: Apache-2.0
"""Which process is the central Neutron, and how is it configured?"""

from __future__ import annotations

from pathlib import Path

from lab import ini
from lab.service import HttpAnswers, Service
from lab.services import cinder, glance, nova
from lab.services.neutron import extension_drivers
from lab.services.processes import environment, sources, uwsgi
from lab.services.sections import credentials, database, shared
from lab.topology import CENTRAL_REGION, Lab

THREADS = 6
# The networks of tenants are VLANs on the physical networks that span the pods; one of them is soon used up. Of those
# without a range administrators name segments.
VLANS = "stretch:1001:1999,narrow:101:102,fibre,island"
_STOCK_PLUGINS = ("router", "trunk", "qos", "network_ip_availability", "auto_allocate", "metering")
_PLUGINS = ("tricircle_router", "trunk", "qos", "network_ip_availability", "auto_allocate", "metering")


def services(lab: Lab) -> list[Service]:
    """All processes of the centre but Keystone."""
    return [
        _neutron(lab),
        nova.central_service(lab),
        cinder.central_service(lab),
        glance.central_service(lab),
    ]


def write_neutron(lab: Lab, *, stock: bool) -> tuple[Path, ...]:
    """Write neutron.conf and ml2_conf.ini; returns both."""
    directory = lab.etc / "central" / "neutron"
    server: dict[str, ini.Section] = {
        "DEFAULT": {
            "core_plugin": "ml2",
            "ipam_driver": "internal" if stock else "tricircle",
            "service_plugins": _STOCK_PLUGINS if stock else _PLUGINS,
            "api_paste_config": lab.venv / "etc" / "neutron" / "api-paste.ini",
            "host": "central",
            "state_path": lab.var / "central" / "neutron",
            "l3_ha": False,
            # There is no DHCP agent to schedule anything on.
            "enable_traditional_dhcp": stock,
            "max_routes": 100,
            "dns_domain": "tricircle.test.",
            # The centre's Nova has no servers; those of the pods are told by their own Neutron.
            "notify_nova_on_port_status_changes": False,
            "notify_nova_on_port_data_changes": False,
        },
        "database": database(lab, "neutron_central"),
        "nova": {**credentials(lab, "nova"), "region_name": CENTRAL_REGION},
        "placement": {**credentials(lab, "placement"), "region_name": CENTRAL_REGION},
    }
    ml2: dict[str, ini.Section] = {
        "ml2": {
            "type_drivers": "local,flat,vlan" if stock else "local,flat,tricircle_vlan",
            "tenant_network_types": "vlan",
            "mechanism_drivers": "openvswitch" if stock else "tricircle",
            "extension_drivers": extension_drivers(None),
            "path_mtu": 1500,
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "ml2_type_vlan": {"network_vlan_ranges": VLANS},
        "securitygroup": {"enable_security_group": True},
    }
    server_file = directory / "neutron.conf"
    ml2_file = directory / "plugins" / "ml2" / "ml2_conf.ini"
    ini.write(server_file, ini.render(ini.merge(shared(lab, None, "neutron"), server)))
    ini.write(ml2_file, ini.render(ml2))
    return server_file, ml2_file


def _neutron(lab: Lab) -> Service:
    stock = not lab.tricircle
    files = write_neutron(lab, stock=stock)
    return Service(
        name="central-neutron",
        command=uwsgi(lab, "lab.pod.neutron_api", lab.port("neutron"), threads=THREADS),
        environment=environment(lab, OS_NEUTRON_CONFIG_DIR=str(files[0].parent)),
        probe=HttpAnswers(port=lab.port("neutron")),
        files=files if stock else (*files, *_driver_sources(lab)),
    )


def _driver_sources(lab: Lab) -> tuple[Path, ...]:
    """The code of ours that runs inside: its process starts anew when it changes."""
    return (*sources(lab, "tricircle_neutron"), *sources(lab, "tricircle/store"))
