# SPDX-License-Identifier: Apache-2.0
"""How is a pod's Placement configured, and which process is it where it has one of its own?"""

from __future__ import annotations

from pathlib import Path

from lab import ini
from lab.service import HttpAnswers, Service
from lab.services.processes import environment, uwsgi
from lab.services.sections import database, shared
from lab.topology import Lab, Pod


def write_pod(lab: Lab, pod: Pod) -> tuple[Path, ...]:
    """Write placement.conf; returns the file."""
    path = lab.etc / pod.name / "placement" / "placement.conf"
    sections = {
        "DEFAULT": {"use_stderr": True},
        "keystone_authtoken": shared(lab, pod, "placement")["keystone_authtoken"],
        "api": {"auth_strategy": "keystone"},
        "placement_database": database(lab, f"placement_{pod.name}", green=pod.is_older),
    }
    ini.write(path, ini.render(sections))
    return (path,)


def api(lab: Lab, pod: Pod, files: tuple[Path, ...]) -> Service:
    return Service(
        name=f"{pod.name}-placement",
        command=uwsgi(lab, "placement.wsgi.api", pod.port("placement")),
        environment=environment(lab, OS_PLACEMENT_CONFIG_DIR=str(files[0].parent)),
        probe=HttpAnswers(port=pod.port("placement")),
        files=files,
        group=pod.name,
    )
