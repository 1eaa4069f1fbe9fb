# SPDX-License-Identifier: Apache-2.0
"""How is a process of the lab run: its environment, and the command of one under uWSGI?"""

from __future__ import annotations

import os
from pathlib import Path

from lab.topology import HOST, Lab, Pod

THREADS = 4


def venv_of(lab: Lab, pod: Pod | None) -> Path:
    """The Python environment of a pod's services, or of the centre's."""
    return lab.venv if pod is None else lab.venv_of(pod.release)


def environment(lab: Lab, pod: Pod | None = None, **extra: str) -> dict[str, str]:
    """The whole environment of a service: nothing of the caller's shell leaks in."""
    return {
        "PATH": f"{venv_of(lab, pod)}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(lab.root),
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",
        "OS_NOVA_DISABLE_EVENTLET_PATCHING": "true",
        "LAB_IDENTITY_READY": str(lab.identity_ready),
        **extra,
    }


def sources(lab: Lab, package: str) -> tuple[Path, ...]:
    """The Python files of one package of this repository.

    Among the files of a service they make it start anew when the code inside it changes.
    """
    return tuple(sorted((lab.root / package).rglob("*.py")))


def pod_code(lab: Lab, *modules: str) -> tuple[Path, ...]:
    """The files of these modules of lab.pod."""
    return tuple(lab.root / "lab" / "pod" / f"{module}.py" for module in modules)


def uwsgi(
    lab: Lab,
    module: str,
    *ports: int,
    pod: Pod | None = None,
    threads: int = THREADS,
    arguments: str = "",
) -> tuple[str, ...]:
    """The command of a WSGI application: one process with threads, and no master.

    A master would fork, and threads that the application starts while it loads would be lost.
    """
    sockets = [part for port in ports for part in ("--http-socket", f"{HOST}:{port}")]
    return (
        f"{venv_of(lab, pod)}/bin/uwsgi",
        *sockets,
        *("--module", "lab.pod.wsgi:application", "--env", f"LAB_APPLICATION={module}"),
        *("--enable-threads", "--threads", str(threads)),
        *("--die-on-term", "--need-app", "--disable-logging"),
        *("--buffer-size", "65535", "--http-chunked-input"),
        *("--so-keepalive", "--listen", "100"),
        *("--add-header", "Connection: close"),
        *(("--pyargv", arguments) if arguments else ()),
    )
