# SPDX-License-Identifier: Apache-2.0
"""Which processes are Nova in a pod and at the centre, and how are they configured?"""

from __future__ import annotations

from pathlib import Path

from lab import ini
from lab.datapath.plan import data_path
from lab.service import HttpAnswers, PortOpen, Service, Started
from lab.services import placement
from lab.services.processes import environment, pod_code, uwsgi, venv_of
from lab.services.sections import cache, credentials, database, fixed_key, shared
from lab.topology import CENTRAL_REGION, COMPUTE_HOST, HOST, PASSWORD, Lab, Mode, Pod

AIO_THREADS = 12  # Placement is in the same process, and Nova's own services call it
FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
    "SameHostFilter",
    "DifferentHostFilter",
    "JsonFilter",
)
_LIFTED_QUOTAS = ("instances", "cores", "ram", "injected_files", "server_groups", "key_pairs")


def write_pod(lab: Lab, pod: Pod) -> tuple[Path, ...]:
    """Write nova.conf and what lies beside it; returns the files."""
    hands: dict[str, ini.Section] = {
        "DEFAULT": {
            "compute_driver": "fake.LabHypervisor",
            "host": COMPUTE_HOST,
            "state_path": lab.var / pod.name / "nova",
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "sync_power_state_interval": -1,
            "heal_instance_info_cache_interval": -1,
            "instance_usage_audit": False,
            "report_interval": 30,
            "service_down_time": 180,
            "default_availability_zone": pod.zone,
            "max_concurrent_builds": 50,
            "allow_resize_to_same_host": True,
        },
        **_consoles(pod),
        "api": {
            **({} if pod.page_limit is None else {"max_limit": pod.page_limit}),
            **({"compute_link_prefix": pod.own_names["nova"]} if "nova" in pod.own_names else {}),
        },
        "quota": dict.fromkeys(_LIFTED_QUOTAS, -1) if pod.unlimited else {},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": -1},
        "filter_scheduler": {"track_instance_changes": False, "enabled_filters": FILTERS},
        "placement": {**credentials(lab, "placement"), "region_name": pod.region},
        "neutron": {
            **credentials(lab, "neutron"),
            "region_name": pod.region,
            "service_metadata_proxy": lab.has_packets,
            **({"metadata_proxy_shared_secret": PASSWORD} if lab.has_packets else {}),
        },
        "cinder": {
            **credentials(lab, "cinder"),
            "os_region_name": pod.region,
            # Older ones take no name with a hyphen.
            "catalog_info": "volumev3::publicURL" if pod.is_older else "block-storage::publicURL",
        },
        "database": database(lab, f"nova_{pod.name}", green=pod.is_older),
        "api_database": database(lab, f"nova_api_{pod.name}", green=pod.is_older),
    }
    if pod.is_older:
        # It listens itself, and has no uWSGI before it.
        listen = {"osapi_compute_listen": HOST, "osapi_compute_listen_port": pod.port("nova")}
        hands = ini.merge(hands, {"DEFAULT": listen, "wsgi": {"keep_alive": False}})
    sections = ini.merge(shared(lab, pod, "nova"), _everywhere(lab, glance=lab.glance_of(pod)), hands)
    return _write(lab, lab.etc / pod.name / "nova", sections, pod)


def write_central(lab: Lab) -> tuple[Path, ...]:
    """Write the configuration of the API without hands: there is no cell but cell0."""
    sections = ini.merge(
        shared(lab, None, "nova"),
        _everywhere(lab, glance=lab.url("glance")),
        {
            "DEFAULT": {"host": "central", "state_path": lab.var / "central" / "nova"},
            "neutron": {
                **credentials(lab, "neutron"),
                "endpoint_override": lab.url("neutron"),
                "region_name": CENTRAL_REGION,
            },
            "cinder": {
                **credentials(lab, "cinder"),
                "endpoint_template": f"{lab.url('cinder')}/v3/%(project_id)s",
            },
            "placement": {**credentials(lab, "placement"), "region_name": CENTRAL_REGION},
            "database": database(lab, "nova_cell0_central"),
            "api_database": database(lab, "nova_api_central"),
        },
    )
    return _write(lab, lab.etc / "central" / "nova", sections)


def pod_services(lab: Lab, pod: Pod) -> list[Service]:
    """The processes of Nova and Placement in one pod."""
    aio = "older/nova_aio" if pod.is_older else "nova_aio"
    files = (*write_pod(lab, pod), *pod_code(lab, "bus", aio, "nova_compute", "hypervisor"))
    if lab.has_packets:
        files = (*files, *pod_code(lab, "guests"), *_guest_files(lab))
    consoles = _console_proxies(lab, pod)
    placement_files = placement.write_pod(lab, pod)
    if pod.mode is Mode.AIO:
        return [_all_in_one(lab, pod, (*files, *placement_files)), consoles]
    return [
        placement.api(lab, pod, placement_files),
        _api(lab, pod, files),
        *([_metadata(lab, pod, files)] if lab.has_packets else []),
        *(_daemon(lab, pod, binary, files) for binary in ("conductor", "scheduler", "compute")),
        consoles,
    ]


def _guest_files(lab: Lab) -> tuple[Path, ...]:
    return tuple(lab.root / "lab" / "datapath" / name for name in ("dhcp.sh", "dhcp6.sh", "dhcp6.conf"))


def compute_name(pod: Pod) -> str:
    """The name of the process in which the pod's nova-compute runs."""
    return f"{pod.name}-nova" if pod.mode is Mode.AIO else f"{pod.name}-nova-compute"


def central_service(lab: Lab) -> Service:
    files = write_central(lab)
    return Service(
        name="central-nova",
        command=uwsgi(lab, "lab.pod.nova_api", lab.port("nova")),
        environment=environment(lab, OS_NOVA_CONFIG_DIR=str(files[0].parent)),
        probe=HttpAnswers(port=lab.port("nova")),
        files=files,
    )


def _everywhere(lab: Lab, *, glance: str) -> ini.Sections:
    return {
        "wsgi": {"api_paste_config": "api-paste.ini"},
        "service_user": {**credentials(lab, "nova"), "send_service_user_token": True},
        "glance": {"endpoint_override": glance, "enable_rbd_download": False},
        "key_manager": fixed_key("nova"),
        "cache": cache(lab),
        "vnc": {"enabled": False},
        "upgrade_levels": {"compute": "auto"},
    }


def _consoles(pod: Pod) -> ini.Sections:
    """Every console that Nova knows; WebMKS is shown by the proxy of VNC, which does not care."""
    screens = f"http://{HOST}:{pod.port('novnc')}"
    return {
        "vnc": {
            "enabled": True,
            "novncproxy_host": HOST,
            "novncproxy_port": pod.port("novnc"),
            "novncproxy_base_url": f"{screens}/vnc_lite.html",
        },
        "mks": {"enabled": True, "mksproxy_base_url": f"{screens}/vnc_lite.html"},
        "spice": {
            "enabled": True,
            "html5proxy_host": HOST,
            "html5proxy_port": pod.port("spice"),
            "html5proxy_base_url": f"http://{HOST}:{pod.port('spice')}/spice_auto.html",
            "spice_direct_proxy_base_url": f"http://{HOST}:{pod.port('spice-server')}/nova",
        },
        "serial_console": {
            "enabled": True,
            "serialproxy_host": HOST,
            "serialproxy_port": pod.port("serial"),
            "base_url": f"ws://{HOST}:{pod.port('serial')}/",
        },
    }


def _console_ports(pod: Pod) -> dict[str, str]:
    """Where the imitated hypervisor says that its consoles are."""
    return {f"LAB_{kind.upper()}_SERVER": str(pod.port(f"{kind}-server")) for kind in ("vnc", "spice", "serial")}


def _hands(lab: Lab, pod: Pod) -> dict[str, str]:
    """What nova-compute has to know of its surroundings."""
    if not lab.has_packets:
        return _console_ports(pod)
    whole = data_path(lab)
    path = whole.of(pod)
    return _console_ports(pod) | {
        "LAB_SWITCH": path.remote,
        "LAB_SWITCH_NAMESPACE": path.hypervisor,
        "LAB_GUESTS": path.guests,
        "LAB_NAMESPACES": str(whole.records),
        "LAB_LEASES": str(path.leases),
        "LAB_METADATA_PORT": str(pod.port("metadata")),
    }


def _console_proxies(lab: Lab, pod: Pod) -> Service:
    config = lab.etc / pod.name / "nova" / "nova.conf"
    kinds = (("novnc", "vnc-server"), ("serial", "serial-server"), ("spice", "spice-server"))
    places = (f"{kind}:{pod.port(kind)}:{pod.port(server)}" for kind, server in kinds)
    return Service(
        name=f"{pod.name}-consoles",
        command=(f"{venv_of(lab, pod)}/bin/python", "-m", "lab.pod.consoles", str(config), *places),
        environment=environment(lab, pod, LAB_CONSOLE_BUS="memory" if pod.mode is Mode.AIO else "rabbit"),
        probe=PortOpen(port=pod.port("novnc")),
        files=(config, *pod_code(lab, "consoles")),
        group=pod.name,
    )


def _write(lab: Lab, directory: Path, sections: ini.Sections, pod: Pod | None = None) -> tuple[Path, ...]:
    paste = directory / "api-paste.ini"
    text = ini.render(ini.merge(sections, {"wsgi": {"api_paste_config": paste}}))
    ini.write(directory / "nova.conf", text)
    ini.write(paste, (venv_of(lab, pod) / "etc" / "nova" / "api-paste.ini").read_text())
    return directory / "nova.conf", paste


def _all_in_one(lab: Lab, pod: Pod, files: tuple[Path, ...]) -> Service:
    ports = (pod.port("nova"), pod.port("placement"), *((pod.port("metadata"),) if lab.has_packets else ()))
    if pod.is_older:
        command = (f"{venv_of(lab, pod)}/bin/python", "-m", "lab.pod.older.nova_aio", "--config-file", str(files[0]))
    else:
        command = uwsgi(lab, "lab.pod.nova_aio", *ports, threads=AIO_THREADS)
    return Service(
        name=f"{pod.name}-nova",
        command=command,
        environment=environment(
            lab,
            pod,
            OS_NOVA_CONFIG_DIR=str(lab.etc / pod.name / "nova"),
            OS_PLACEMENT_CONFIG_DIR=str(lab.etc / pod.name / "placement"),
            LAB_PLACEMENT_PORT=str(pod.port("placement")),
            LAB_HOSTS=",".join(lab.hosts),
            **_hands(lab, pod),
        ),
        probe=HttpAnswers(port=pod.port("nova")),
        files=files,
        group=pod.name,
    )


def _api(lab: Lab, pod: Pod, files: tuple[Path, ...]) -> Service:
    return Service(
        name=f"{pod.name}-nova-api",
        command=uwsgi(lab, "nova.wsgi.osapi_compute", pod.port("nova")),
        environment=environment(lab, OS_NOVA_CONFIG_DIR=str(lab.etc / pod.name / "nova")),
        probe=HttpAnswers(port=pod.port("nova")),
        files=files,
        group=pod.name,
    )


def _metadata(lab: Lab, pod: Pod, files: tuple[Path, ...]) -> Service:
    return Service(
        name=f"{pod.name}-nova-metadata",
        command=uwsgi(lab, "nova.wsgi.metadata", pod.port("metadata")),
        environment=environment(lab, OS_NOVA_CONFIG_DIR=str(lab.etc / pod.name / "nova")),
        probe=HttpAnswers(port=pod.port("metadata")),
        files=files,
        group=pod.name,
    )


def _daemon(lab: Lab, pod: Pod, binary: str, files: tuple[Path, ...]) -> Service:
    python = f"{lab.venv}/bin/python"
    program = {
        "compute": (python, "-m", "lab.pod.nova_compute"),
    }.get(binary, (f"{lab.venv}/bin/nova-{binary}",))
    return Service(
        name=f"{pod.name}-nova-{binary}",
        command=(*program, "--config-file", str(files[0])),
        environment=environment(lab, **(_hands(lab, pod) if binary == "compute" else {})),
        probe=Started(),
        files=files,
        group=pod.name,
    )
