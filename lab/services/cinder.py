# SPDX-License-Identifier: Apache-2.0
"""Which processes are Cinder in a pod and at the centre, and how are they configured?"""

from __future__ import annotations

from pathlib import Path

from lab import ini
from lab.service import HttpAnswers, Service, Started
from lab.services.processes import environment, pod_code, uwsgi, venv_of
from lab.services.sections import credentials, database, fixed_key, shared
from lab.topology import CENTRAL_REGION, HOST, STORAGE_HOST, Lab, Mode, Pod

BACKEND = "canarybackend"
BACKENDS = (BACKEND, "canarybackend-2")


def write_pod(lab: Lab, pod: Pod) -> tuple[Path, ...]:
    """Write cinder.conf; returns the file."""
    sections = ini.merge(
        shared(lab, pod, "cinder"),
        _everywhere(lab, pod),
        {
            "DEFAULT": {
                "host": STORAGE_HOST,
                "enabled_backends": BACKENDS,
                "storage_availability_zone": pod.zone,
                "osapi_volume_listen": HOST,
                "osapi_volume_listen_port": pod.port("cinder"),
                "osapi_volume_workers": 1,
                "report_interval": 30,
                "service_down_time": 180,
                "backup_manager": "lab.pod.backup.LabBackupManager",
                "backup_driver": "cinder.backup.drivers.posix.PosixBackupDriver",
                "backup_posix_path": lab.var / pod.name / "cinder" / "backups",
                "backup_file_size": 1 << 20,
                "backup_sha_block_size_bytes": 1 << 15,
                **({} if pod.page_limit is None else {"osapi_max_limit": pod.page_limit}),
                **({"public_endpoint": pod.own_names["cinder"]} if "cinder" in pod.own_names else {}),
            },
            **{
                name: {
                    "volume_driver": "lab.pod.storage.LabStorage",
                    "volume_backend_name": name,
                    "backend_host": STORAGE_HOST,
                }
                for name in BACKENDS
            },
            "database": database(lab, f"cinder_{pod.name}", green=True),
            "nova": {**credentials(lab, "nova"), "region_name": pod.region},
        },
    )
    path = lab.etc / pod.name / "cinder" / "cinder.conf"
    ini.write(path, ini.render(sections))
    return (path,)


def write_central(lab: Lab) -> tuple[Path, ...]:
    """Write the configuration of the API without a backend."""
    sections = ini.merge(
        shared(lab, None, "cinder"),
        _everywhere(lab, None),
        {
            "DEFAULT": {"host": "central"},
            "database": database(lab, "cinder_central"),
            "nova": {**credentials(lab, "nova"), "region_name": CENTRAL_REGION},
        },
    )
    path = lab.etc / "central" / "cinder" / "cinder.conf"
    ini.write(path, ini.render(sections))
    return (path,)


def pod_services(lab: Lab, pod: Pod) -> list[Service]:
    files = (*write_pod(lab, pod), *pod_code(lab, "bus", "cinder_aio", "older/green", "storage", "backup"))
    arguments = ("--config-file", str(files[0]))
    if pod.mode is Mode.AIO:
        return [
            Service(
                name=f"{pod.name}-cinder",
                command=(f"{venv_of(lab, pod)}/bin/python", "-m", "lab.pod.cinder_aio", *arguments),
                environment=environment(lab, pod),
                probe=HttpAnswers(port=pod.port("cinder")),
                files=files,
                group=pod.name,
            )
        ]
    daemons = [
        Service(
            name=f"{pod.name}-cinder-{binary}",
            command=(f"{lab.venv}/bin/cinder-{binary}", *arguments),
            environment=environment(lab),
            probe=Started(),
            files=files,
            group=pod.name,
        )
        for binary in ("scheduler", "volume", "backup")
    ]
    return [_api(lab, f"{pod.name}-cinder-api", pod.port("cinder"), files, pod.name), *daemons]


def central_service(lab: Lab) -> Service:
    return _api(lab, "central-cinder", lab.port("cinder"), write_central(lab), "centre")


def _api(lab: Lab, name: str, port: int, files: tuple[Path, ...], group: str) -> Service:
    return Service(
        name=name,
        command=uwsgi(lab, "cinder.wsgi.api", port, arguments=f"--config-file {files[0]}"),
        environment=environment(lab),
        probe=HttpAnswers(port=port),
        files=files,
        group=group,
    )


def _everywhere(lab: Lab, pod: Pod | None) -> ini.Sections:
    place = pod.name if pod else "central"
    shipped = venv_of(lab, pod) / "etc" / "cinder"
    return {
        "DEFAULT": {
            "state_path": lab.var / place / "cinder",
            "default_volume_type": "__DEFAULT__",
            "glance_api_servers": lab.glance_of(pod) if pod else lab.url("glance"),
            "api_paste_config": shipped / "api-paste.ini",
            "resource_query_filters_file": shipped / "resource_filters.json",
            "enable_force_upload": True,
        },
        "service_user": {**credentials(lab, "cinder"), "send_service_user_token": True},
        "coordination": {"backend_url": f"file://{lab.var / place / 'cinder'}"},
        "key_manager": fixed_key("cinder"),
    }
