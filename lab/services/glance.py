# SPDX-License-Identifier: Apache-2.0
"""Which process is Glance, at the centre and in a pod, and how is it configured?"""

from __future__ import annotations

import shutil

from lab import ini
from lab.service import HttpAnswers, Service
from lab.services.processes import environment, uwsgi, venv_of
from lab.services.sections import database, shared
from lab.topology import HOST, Lab, Pod

THREADS = 2


def pod_services(lab: Lab, pod: Pod) -> list[Service]:
    if not lab.has_own_glance(pod):
        return []
    return [_service(lab, pod, pod.name, pod.port("glance"), pod.name)]


def central_service(lab: Lab) -> Service:
    return _service(lab, None, "central", lab.port("glance"), "centre")


def _service(lab: Lab, pod: Pod | None, place: str, port: int, group: str) -> Service:
    stores = lab.var / place / "glance"
    # Glance refuses to start without the directories of its reserved stores.
    for name in ("images", "vault", "staging", "tasks", "cache"):
        (stores / name).mkdir(parents=True, exist_ok=True)
    paste = venv_of(lab, pod) / "etc" / "glance" / "glance-api-paste.ini"
    sections = ini.merge(
        shared(lab, pod, "glance"),
        {
            "DEFAULT": {
                "enabled_backends": "file:file,vault:file",
                "worker_self_reference_url": f"http://{HOST}:{port}",
                "show_multiple_locations": True,
                "image_cache_dir": stores / "cache",
            },
            "glance_store": {"default_backend": "file"},
            "file": {"filesystem_store_datadir": stores / "images"},
            "vault": {"filesystem_store_datadir": stores / "vault"},
            # Other people's tests upload a few bytes of nothing as any format.
            "image_format": {"require_image_format_match": False},
            # Images are imported from a server of the lab's own: it has no way out.
            "import_filtering_opts": {
                "allowed_hosts": f"[{HOST}]",
                "allowed_ports": f"[80,443,{lab.port('files')}]",
            },
            "os_glance_staging_store": {"filesystem_store_datadir": stores / "staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": stores / "tasks"},
            "paste_deploy": {
                "flavor": "keystone" if _is_older(pod) else "keystone+cachemanagement",
                "config_file": paste,
            },
            "database": database(lab, f"glance_{place}", green=_is_older(pod)),
        },
    )
    path = lab.etc / place / "glance" / "glance-api.conf"
    ini.write(path, ini.render(sections))
    if _is_older(pod) and paste.exists():
        # Its Glance reads this one beside its configuration, whatever that says.
        shutil.copyfile(paste, path.with_name(paste.name))
    module = "lab.pod.older.glance_api" if _is_older(pod) else "glance.wsgi.api"
    return Service(
        name=f"{place}-glance",
        command=uwsgi(lab, module, port, pod=pod, threads=THREADS),
        environment=environment(lab, pod, OS_GLANCE_CONFIG_DIR=str(path.parent)),
        probe=HttpAnswers(port=port),
        files=(path,),
        group=group,
    )


def _is_older(pod: Pod | None) -> bool:
    return pod is not None and pod.is_older
